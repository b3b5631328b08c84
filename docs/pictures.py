"""The pictures of the site, from real runs: the report's page in Chromium, light and dark, and its timelines as SVG.

    python docs/pictures.py                                    runs the commands first: half an hour or more
    python docs/pictures.py --report report.json --profile profile.json --survey survey.json

It writes docs/pictures/ and, in measured.json, what the pictures were measured on. It needs `pip install '.[report,docs]'`
and a Chromium: `--chromium PATH`, or playwright's own.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from gilgen.diagnostics.report import Material, reporter, words
from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from gilgen import store
from gilgen.model import Profile, Report, Survey

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
COMMANDS = {
    "report": ("diagnose", "vtk", "itk"),
    "profile": ("profile", str(ROOT / "examples" / "frozen.py")),
    "survey": ("survey", "vtk", "itk"),
}
"""What makes each file that is not given; `--json FILE` is put behind the verb."""

FEATURED = "vtkOBBTree.BuildLocator"
"""The call whose evidence and timelines are shown."""

WIDTH, HEIGHT = 1200, 760
MARGIN = 12
MOST_BYTES = 300_000
COLOURS = 64
"""Of a picture that is too large otherwise."""

Scheme = Literal["light", "dark"]

INLINE = """
svg => {
    const copy = svg.cloneNode(true);
    const kept = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "fill-opacity", "font-size", "font-weight", "text-anchor"];
    const from = [svg, ...svg.querySelectorAll("*")], to = [copy, ...copy.querySelectorAll("*")];
    const needed = new Set();
    from.forEach((one, index) => {
        const style = getComputedStyle(one);
        for (const name of kept) {
            let value = style.getPropertyValue(name);
            for (const found of value.matchAll(/url\\("?#([^")]+)"?\\)/g)) needed.add(found[1]);
            if (value) to[index].setAttribute(name, value.replace(/url\\("?#([^")]+)"?\\)/, "url(#$1)"));
        }
        for (const name of ["style", "class", "tabindex", "role"]) to[index].removeAttribute(name);
    });
    const defs = document.createElementNS("http://www.w3.org/2000/svg", "defs");
    for (const id of needed) {
        const pattern = document.getElementById(id);
        if (!pattern || copy.querySelector("#" + CSS.escape(id))) continue;
        const drawn = pattern.cloneNode(true);
        [...pattern.querySelectorAll("*")].forEach((one, index) => {
            const style = getComputedStyle(one), target = drawn.querySelectorAll("*")[index];
            for (const name of kept) if (style.getPropertyValue(name)) target.setAttribute(name, style.getPropertyValue(name));
        });
        defs.appendChild(drawn);
    }
    copy.prepend(defs);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("font-family", "system-ui, sans-serif");
    const [left, top, width, height] = (svg.getAttribute("viewBox") || `0 0 ${svg.width.baseVal.value} ${svg.height.baseVal.value}`).split(/[ ,]+/).map(Number);
    copy.setAttribute("viewBox", `${left} ${top} ${width + 24} ${height}`);
    copy.setAttribute("width", width + 24);
    copy.setAttribute("height", height);
    return new XMLSerializer().serializeToString(copy);
}
"""
"""An SVG of the page as a file of its own: the page's style put into each element, the page's patterns beside them."""


def main() -> None:
    """Make every picture."""
    parser = argparse.ArgumentParser(description="Make the pictures of the site from real runs.")
    for name in COMMANDS:
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"what `gilgen {COMMANDS[name][0]} --json FILE` wrote; it is run when missing")
    parser.add_argument("--chromium", metavar="PATH", default="/usr/bin/chromium", help="default: %(default)s")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: getattr(given, name) or run(name, Path(scratch)) for name in COMMANDS}
        report, profile, survey = store.read(files["report"], Report), store.read(files["profile"], Profile), store.read(files["survey"], Survey)
        featured = dataclasses.replace(report, results=tuple(result for result in report.results if result.call == FEATURED))
        pages = {"all": Material(report, survey, profile), "one": Material(featured)}
        for name, material in pages.items():
            (Path(scratch) / f"{name}.html").write_text(reporter("html").render(material), encoding="utf-8")
        PICTURES.mkdir(exist_ok=True)
        for scheme in ("light", "dark"):
            with opened(Path(scratch) / "all.html", scheme, given.chromium) as page:
                shoot(page, scheme)
            with opened(Path(scratch) / "one.html", scheme, given.chromium) as page:
                timelines(page, scheme)
    (PICTURES / "measured.json").write_text(json.dumps({"on": words.place(report.environment)}, indent=2) + "\n", encoding="utf-8")


def run(name: str, scratch: Path) -> Path:
    """Let gilgen write one of the files."""
    file = scratch / f"{name}.json"
    verb, *arguments = COMMANDS[name]
    subprocess.run([Path(sys.executable).with_name("gilgen"), verb, "--json", file, *arguments], check=True, cwd=ROOT)
    return file


@contextmanager
def opened(file: Path, scheme: Scheme, chromium: str) -> Iterator[Page]:
    """The page, as a reader with this colour scheme sees it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme, viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(file.as_uri())
        yield page
        browser.close()


def shoot(page: Page, scheme: Scheme) -> None:
    """All pictures in one colour scheme."""
    save(f"report-{scheme}.png", page.screenshot())
    page.add_style_tag(content=".top { position: static !important } .pointed { display: none }")  # bars that stay would lie over what is shot
    shot(page, f"before-after-{scheme}.png", page.locator("section[aria-labelledby=before-after]"), most=HEIGHT)
    shot(page, f"map-{scheme}.png", page.locator("figure.map").first)
    shot(page, f"threads-{scheme}.png", page.locator("section[aria-labelledby=profile] figure").filter(has_text="open-scan").first)
    row = page.locator("#case-table tbody", has_text=FEATURED).first
    row.locator("button").first.click()
    shot(page, f"evidence-{scheme}.png", row, most=HEIGHT)


def timelines(page: Page, scheme: Scheme) -> None:
    """The featured call's timelines, before and after: beside the heartbeat, and two calls at once."""
    sides = page.locator("section[aria-labelledby=timelines] .sides > div").all()
    for half, side in zip(("before", "after"), sides, strict=True):
        for kind, drawing in zip(("one", "two"), side.locator("svg").all(), strict=True):
            name = f"timeline-{half}-{kind}-{scheme}.svg"
            (PICTURES / name).write_text(drawing.evaluate(INLINE) + "\n", encoding="utf-8")


def shot(page: Page, name: str, element: Locator, most: int = 4000) -> None:
    """An element of the page, cut off at `most` pixels."""
    element.scroll_into_view_if_needed()
    box: Any = element.bounding_box()
    top = box["y"] + page.evaluate("scrollY")
    clip: Any = {"x": 0, "y": max(0, top - MARGIN), "width": WIDTH, "height": min(box["height"], most) + 2 * MARGIN}
    save(name, page.screenshot(full_page=True, clip=clip))


def save(name: str, data: bytes) -> None:
    """Write a PNG as small as it gets; in fewer colours where it would be too large."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    for drawn in (image, image.quantize(256), image.quantize(COLOURS)):
        out = io.BytesIO()
        drawn.save(out, "PNG", optimize=True)
        if out.tell() <= MOST_BYTES:
            break
    else:
        sys.exit(f"{name} is too large: {out.tell()} bytes")
    (PICTURES / name).write_bytes(out.getvalue())
    print(f"{name}: {out.tell()} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
