"""The site: it builds without a warning, every link leads somewhere, every command line parses, nothing comes from elsewhere."""

from __future__ import annotations

import ast
import functools
import http.server
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import jsonschema
import pytest

from gilgen import store
from gilgen.commands import cli, invoke
from gilgen.model import CaseResult, Environment, Report

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [ROOT / "README.md", *PAGES]
EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*") if path.suffix in {".sh", ".yml", ".yaml"})
PICTURES = sorted(path for path in DOCS.rglob("*") if path.suffix in {".png", ".svg"})
MOST_BYTES = 300_000

FENCE = re.compile(r"^( *)(`{3,})(\w*)[^\n]*\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)")
FETCHING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src", "embed": "src", "object": "data", "input": "src"}


@dataclass
class Found(HTMLParser):
    """What a page has: places to jump to, links, and what a browser fetches for it."""

    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.anchors |= {given[name] for name in ("id", "name") if name in given and tag != "meta"}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "link" and not {"canonical", "prev", "next", "alternate"} & set(given.get("rel", "").split()):
            self.fetched.append(given.get("href", ""))
        if tag in FETCHING and given.get(FETCHING[tag]):
            self.fetched.append(given[FETCHING[tag]])
        self.fetched += [part.split()[0] for part in given.get("srcset", "").split(",") if part.split()]
        self.fetched += re.findall(r"url\(['\"]?([^)'\"]+)", given.get("style", ""))


def parsed(page: Path) -> Found:
    found = Found()
    found.feed(page.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Site:
    folder: Path
    said: str
    pages: dict[Path, Found]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if importlib.util.find_spec("mkdocs") is None and not os.environ.get("GILGEN_REQUIRE_DOCS"):
        pytest.skip("mkdocs is not installed: pip install '.[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return Site(folder, done.stdout + done.stderr, {page.resolve(): parsed(page) for page in folder.rglob("*.html")})


def test_the_site_builds_without_a_warning(site):
    assert not [line for line in site.said.splitlines() if not line.startswith("INFO")]
    names = {page.relative_to(site.folder.resolve()).as_posix() for page in site.pages}
    assert {page.relative_to(DOCS).with_suffix(".html").as_posix() for page in PAGES} <= names


def test_every_link_leads_somewhere(site):
    broken = [
        f"{page.name}: {link}"
        for page, found in site.pages.items()
        if page.name != "404.html"  # its links begin with a slash: it is shown at any place
        for link in (*found.links, *found.fetched)
        if not urlsplit(link).scheme and not leads(site, page, link)
    ]
    assert not broken


def leads(site: Site, page: Path, link: str) -> bool:
    parts = urlsplit(link)
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return False
    if not parts.fragment or target.suffix != ".html":
        return True
    return unquote(parts.fragment) in site.pages[target].anchors


def test_nothing_comes_from_elsewhere(site):
    elsewhere = [f"{page.name}: {link}" for page, found in site.pages.items() for link in found.fetched if urlsplit(link).netloc]
    for sheet in site.folder.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        elsewhere += [f"{sheet.name}: {link}" for link in re.findall(r"(?:url\(|@import\s+)['\"]?((?:https?:)?//[^)'\"]+)", text)]
    assert not elsewhere


def test_the_theme_finds_no_reason_to_fetch_a_script(site):
    """Its bundle names two addresses: for diagrams, which no page has, and for browsers older than ResizeObserver."""
    assert site.pages
    assert not [page for page in site.pages if 'class="mermaid"' in page.read_text(encoding="utf-8")]


CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(site):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site.folder))) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{serving.server_port}"
        serving.shutdown()
        thread.join()


def test_a_browser_fetches_nothing_from_elsewhere_and_searches(server):
    if CHROMIUM is None and os.environ.get("GILGEN_REQUIRE_CHROMIUM") != "1":
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        page = browser.new_page()
        page.set_default_timeout(60_000)
        asked, complaints = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for name in ("index", "tutorial", "reference/cli"):
            page.goto(f"{server}/{name}.html", wait_until="networkidle")
        query = page.get_by_role("textbox", name="Search")
        query.click()
        page.locator(".md-search-result__meta", has_text="Type to start").wait_for()  # the index is read
        query.press_sequentially("deadlock")
        page.locator(".md-search-result__item", has_text="The guard").first.wait_for()
        browser.close()
    assert not complaints
    assert not [url for url in asked if not url.startswith(server) and not url.startswith(("data:", "blob:"))]


def test_pages_are_filled_in(site):
    codes = (site.folder / "reference/exit-codes.html").read_text(encoding="utf-8")
    assert "InvalidRunError" in codes
    formats = site.pages[(site.folder / "reference/formats.html").resolve()]
    assert {"report", "profile", "survey", "records-audit", "window", "finding", "doctor-finding"} <= formats.anchors
    python = site.pages[(site.folder / "reference/python.html").resolve()]
    assert {"gilgen.activate.activate", "gilgen.errors.StaleShimsError"} <= python.anchors
    commands = site.pages[(site.folder / "reference/cli.html").resolve()]
    assert set(cli.commands or cli.list_commands(click.Context(cli))) <= {anchor.removeprefix("gilgen-") for anchor in commands.anchors}
    assert "generated: " not in codes


# ------------------------------------------------------------------------------------ JSON schemas

ENVIRONMENT = Environment("0", "CPython 3.11.7", "x86_64", "Linux", 2, {"vtk": "9.6.2"}, "2026-11-25")
REPORT = Report(ENVIRONMENT, valid=True, controls=(), results=(CaseResult("tree", "vtk", "vtkOBBTree.BuildLocator", shims=True, verdict="holds", because=""),))


def test_what_is_written_keeps_to_the_schema_on_the_site(site):
    schema = json.loads((site.folder / "reference/schemas/Report.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(store.encode(REPORT)), schema)


@pytest.mark.parametrize(("path", "value"), [(("artefact",), "Plan"), (("data", "valid"), "yes"), (("data", "results", 0, "verdict"), "perhaps")])
def test_what_is_not_so_does_not(site, path, value):
    schema = json.loads((site.folder / "reference/schemas/Report.json").read_text(encoding="utf-8"))
    written = json.loads(store.encode(REPORT))
    *way, last = path
    place = written
    for step in way:
        place = place[step]
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(written, schema)


# ------------------------------------------------------------------------------------- on a checkout


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_work_on_a_checkout(text):
    links = [urlsplit(link) for link in LINK.findall(without_code(text.read_text(encoding="utf-8")))]
    assert not [link.path for link in links if not link.scheme and link.path and not (text.parent / unquote(link.path)).exists()]


def test_anchors_of_the_readme(site):
    links = [urlsplit(link) for link in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))]
    into = [link for link in links if link.path.startswith("docs/") and link.fragment]
    pages = {link: (site.folder / link.path.removeprefix("docs/")).with_suffix(".html").resolve() for link in into}
    assert not [link.geturl() for link, page in pages.items() if link.fragment not in site.pages[page].anchors]


def without_code(text: str) -> str:
    return INLINE.sub("", FENCE.sub("", text))


# ------------------------------------------------------------------------------------------ pictures


def test_pictures_are_small_and_used_and_told_in_words():
    used = {}
    for page in PAGES:
        for words, link in IMAGE.findall(page.read_text(encoding="utf-8")):
            used[(page.parent / urlsplit(link).path).resolve()] = words
    assert PICTURES
    assert set(used) == {path.resolve() for path in PICTURES}
    assert not [path.name for path, words in used.items() if len(words) < 20]
    assert not [path.name for path in PICTURES if path.stat().st_size > MOST_BYTES]


# ------------------------------------------------------------------------------- commands and code


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Code blocks with their language, indented ones without."""
    for fence in FENCE.finditer(text):
        yield fence[3], fence[4]
    for block in re.findall(r"(?:(?<=\n\n)|^)((?:    [^\n]*\n)+)", FENCE.sub("\n", text)):
        yield "", block


def command_lines(text: str) -> Iterator[list[str]]:
    """Every command line that begins with gilgen, in code blocks, inline code and scripts, as words."""
    lines = [line for language, block in blocks(text) if language not in {"python", "toml", "json", "cpp"} for line in block.replace("\\\n", " ").splitlines()]
    lines += INLINE.findall(FENCE.sub("", text))
    yield from in_lines(lines)


def in_lines(lines: list[str]) -> Iterator[list[str]]:
    for line in lines:
        for part in re.split(r"&&|\|\||[;|]", line):
            found = re.match(r"\s*(?:- )?(?:run: |\$ |\w+=\S* )*(?:\S*/)?gilgen(?= )(.*)", part)
            words = shlex.split(found[1], comments=True) if found else []
            if words and re.match(r"[a-z-]+$", words[0]):
                yield words


def refused(words: list[str]) -> str:
    """Why the command line does not take these words; empty where it does. Nothing is run."""
    if words[0].startswith("-"):
        return "" if words[0] in {"--help", "--version", "-h"} else f"gilgen has no {words[0]}"
    context = click.Context(cli)
    command = cli.get_command(context, words[0])
    if command is None:
        return f"gilgen has no command {words[0]}"
    context = click.Context(command, parent=context, **command.context_settings)
    try:
        values, rest, _ = command.make_parser(context).parse_args(list(words[1:]))
        for parameter in command.params:
            given = values.get(parameter.name)
            if isinstance(parameter.type, click.Choice) and isinstance(given, str):
                parameter.type.convert(given, parameter, context)
    except click.UsageError as error:
        return f"gilgen {shlex.join(words)}: {error.format_message()}"
    return f"gilgen {shlex.join(words)}: too many arguments" if rest else ""


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_line_parses(text):
    assert not list(filter(None, map(refused, command_lines(text.read_text(encoding="utf-8")))))


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_line_of_an_example_parses(script):
    lines = script.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    assert not list(filter(None, map(refused, in_lines(lines))))


def test_command_lines_are_found_and_wrong_ones_refused():
    text = "Run `gilgen fix vtk` or\n\n    pip install x && gilgen run -m pytest tests   # all\n\n```bash\n$ A=1 .venv/bin/gilgen audit --no-such x\n```\n"
    found = sorted(command_lines(text))
    assert found == [["audit", "--no-such", "x"], ["fix", "vtk"], ["run", "-m", "pytest", "tests"]]
    assert [bool(refused(words)) for words in found] == [True, False, False]
    assert refused(["frobnicate"])
    assert refused(["audit", "vtk", "--verdict", "perhaps"])
    assert refused(["diagnose", "vtk", "--json"])
    assert len([words for page in TEXTS for words in command_lines(page.read_text(encoding="utf-8"))]) > 60


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_code_blocks_are_what_they_say(text):
    readers = {"python": ast.parse, "toml": tomllib.loads, "json": json.loads}
    for language, block in blocks(text.read_text(encoding="utf-8")):
        if language in readers:
            readers[language](block)


@pytest.mark.parametrize("verb", ["", *cli.list_commands(click.Context(cli))])
def test_no_help_shows_its_own_marks(verb, capsys):
    assert invoke([*verb.split(), "--help"]) == 0
    assert "\\b" not in capsys.readouterr().out
