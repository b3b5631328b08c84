"""The page in a real browser: it filters, sorts, opens, follows and prints, by mouse and by keyboard, and asks the network for nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import pytest
from gilgen.diagnostics.report import Material, html
from reports import HOSTILE, every_kind, everything, of, profile, survey

REQUIRED = os.environ.get("GILGEN_REQUIRE_CHROMIUM") == "1"

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip
"""No sandbox, because a container's root may have none; the rest keeps the browser's own services from the network."""

DEADLINE = 30_000.0
"""Milliseconds for one step, on a machine that does much else."""


CELL = """(() => {
    const cell = document.activeElement, box = cell.getBBox();
    return {x: box.x + box.width / 2, y: box.y + box.height / 2, link: cell.getAttribute('href'), name: cell.getAttribute('aria-label')};
})()"""
"""The cell of the map that has the focus."""


@pytest.fixture(scope="module")
def browser():
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415 - not everywhere installed
    except ModuleNotFoundError:
        if REQUIRED:
            raise
        pytest.skip("playwright is not installed: pip install 'gilgen[test]'")
    if CHROMIUM is None:
        if REQUIRED:
            pytest.fail("there is no Chromium, and GILGEN_REQUIRE_CHROMIUM asks for one")
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.render(everything()), encoding="utf-8")
    return path


class Watched:
    """A page, and whatever it complained of or asked the network for."""

    def __init__(self, browser, file, **options) -> None:
        options = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"} | options
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(DEADLINE)
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._asked)
        self.address = file.as_uri()
        self.page.goto(self.address)

    def _asked(self, request) -> None:
        if request.url.partition("#")[0] != self.address and not request.url.startswith("data:"):
            self.complaints.append(f"request: {request.url}")

    def ask(self, script: str):
        return self.page.evaluate(script)

    def shown(self, table: str) -> list[str]:
        """The calls that a table shows, in order."""
        return self.ask(f"[...document.querySelectorAll('#{table} [data-item]')].filter((one) => one.offsetParent || one.getClientRects().length)"
                        ".map((one) => (one.querySelector('.call') || one.querySelector('th').firstChild).textContent.trim())")  # fmt: skip


@pytest.fixture
def watched(browser, file):
    found = Watched(browser, file)
    yield found
    found.context.close()
    assert found.complaints == []


def test_it_opens_without_a_complaint_and_asks_for_nothing(watched):
    assert watched.page.title().startswith("gilgen report: ")
    assert "broken" not in watched.page.title()
    assert watched.page.locator("main").inner_text().count(HOSTILE) > 3


def test_it_filters_by_words_outcome_and_toolkit(watched):
    page = watched.page
    box = page.locator(".filters[data-for=case-table]")
    every = watched.shown("case-table")
    box.locator(".find").fill("obb build")
    assert watched.shown("case-table") == ["vtkOBBTree.BuildLocator"]
    assert box.locator(".count").inner_text() == f"1 of {len(every)}"
    box.locator(".find").fill("")
    box.locator("[data-field=outcome]").select_option("failed")
    assert watched.shown("case-table") == ["vtkCrash.Call", "vtkError.Call", "vtkLate.Call"]
    box.locator("[data-field=outcome]").select_option("")
    box.locator("[data-field=toolkit]").select_option("itk")
    assert watched.shown("case-table") == ["vtkStays.Call"]
    box.locator("[data-field=toolkit]").select_option("")
    assert watched.shown("case-table") == every


def test_it_sorts_numbers_by_size_and_words_by_letter_both_ways(watched):
    heads = watched.page.locator("#case-table thead th")
    call = heads.nth(0).locator("button")
    call.click()
    assert heads.nth(0).get_attribute("aria-sort") == "ascending"
    upwards = watched.shown("case-table")
    assert upwards == sorted(upwards, key=str.lower)
    call.click()
    assert heads.nth(0).get_attribute("aria-sort") == "descending"
    assert [name.lower() for name in watched.shown("case-table")] == sorted((name.lower() for name in upwards), reverse=True)
    heads.nth(3).locator("button").click()
    assert (heads.nth(0).get_attribute("aria-sort"), heads.nth(3).get_attribute("aria-sort")) == ("none", "descending")
    values = watched.ask("[...document.querySelectorAll('#case-table > tbody')].map((body) => Number(body.rows[0].cells[3].dataset.value))")
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.2


def test_a_case_opens_to_its_evidence_and_closes(watched):
    page = watched.page
    button = page.get_by_role("button", name="vtkOBBTree.BuildLocator")
    evidence = page.locator("#case-1-e")
    assert (button.get_attribute("aria-expanded"), evidence.is_visible()) == ("false", False)
    button.click()
    assert (button.get_attribute("aria-expanded"), evidence.is_visible()) == ("true", True)
    words = evidence.inner_text()
    for expected in ("Released", "Faster in parallel", "Parallel inside", "58 of 60", "Before: the plain wheel", "After: with gilgen's shims"):
        assert expected in words
    assert evidence.locator("svg.chart").count() == 2
    button.click()
    assert not evidence.is_visible()
    page.get_by_role("button", name="Open all").click()
    assert page.locator("tr.evidence:visible").count() == page.locator("tr.evidence").count() > 10


def test_the_theme_can_be_switched_and_is_remembered(watched):
    page = watched.page
    light = watched.ask("getComputedStyle(document.body).backgroundColor")
    bars = "getComputedStyle(document.querySelector('.hero svg text[fill=\"var(--ink)\"]')).fill"
    ink = watched.ask(bars)
    page.get_by_role("button", name="Switch to dark colours").click()
    dark = watched.ask("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    assert watched.ask(bars) != ink, "drawings follow the theme"
    page.reload()
    assert watched.ask("getComputedStyle(document.body).backgroundColor") == dark
    page.get_by_role("button", name="Switch to light colours").click()
    assert watched.ask("getComputedStyle(document.body).backgroundColor") == light


def test_the_system_s_dark_is_the_page_s_dark(browser, file):
    dark = Watched(browser, file, color_scheme="dark")
    assert dark.ask("getComputedStyle(document.body).backgroundColor") == "rgb(23, 22, 20)"
    assert dark.page.get_by_role("button", name="Switch to light colours").is_visible()
    dark.context.close()
    assert dark.complaints == []


def test_a_cell_of_the_map_leads_to_its_row_even_when_that_is_filtered_out(watched):
    page = watched.page
    page.locator(".filters[data-for=class-table] .find").fill("nothing has this name")
    assert watched.shown("class-table") == []
    cell = page.locator(".map svg a").first
    target = cell.get_attribute("href")[1:]
    cell.click()
    page.locator(f"#{target}").wait_for()  # the browser tells of a new place a moment after the click
    assert watched.ask("document.activeElement.id") == target
    assert cell.get_attribute("aria-label").startswith(page.locator(f"#{target} th").inner_text().split()[0])


def test_a_row_of_the_chart_opens_its_case(watched):
    watched.page.locator("a[href='#case-1']:visible").first.click()
    watched.page.locator("#case-1-e").wait_for()


def test_everything_can_be_done_by_keyboard(watched):
    page = watched.page
    page.keyboard.press("Tab")
    assert watched.ask("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0, "a skip link that has the focus is seen"
    page.keyboard.press("Enter")
    assert watched.ask("document.activeElement.id") == "main"
    page.locator("#case-table th button.sort").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#case-table th").first.get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="vtkOBBTree.BuildLocator").focus()
    page.keyboard.press("Space")
    assert page.locator("#case-1-e").is_visible()
    page.locator(".filters[data-for=case-table] .find").focus()
    page.keyboard.type("crash")
    assert watched.shown("case-table") == ["vtkCrash.Call"]
    assert watched.ask("document.querySelectorAll('.map svg:first-child a[tabindex=\"0\"]').length") >= 1
    page.locator(".map svg a[tabindex='0']").first.focus()
    places = [watched.ask(CELL)]
    for key in ("ArrowRight", "ArrowLeft", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
        places.append(watched.ask(CELL))
    start, right, left, down, up = places
    assert start["x"] < right["x"] > left["x"]
    assert left["y"] < down["y"] > up["y"]
    assert watched.ask("document.getElementById('pointed').textContent") == up["name"]
    page.keyboard.press("Enter")
    assert watched.ask("'#' + document.activeElement.id") == up["link"]


def test_the_rows_of_the_chart_are_one_stop_and_arrows_go_between_them(watched):
    page = watched.page
    assert watched.ask("document.querySelectorAll('.wide-only a[tabindex=\"0\"]').length") == 1
    page.locator(".wide-only a[tabindex='0']").focus()
    first = watched.ask("document.activeElement.textContent")
    page.keyboard.press("ArrowDown")
    assert watched.ask("document.activeElement.textContent") != first
    page.keyboard.press("ArrowUp")
    assert watched.ask("document.activeElement.textContent") == first


def test_what_has_the_focus_is_seen(watched):
    watched.page.keyboard.press("Tab")
    watched.page.keyboard.press("Tab")
    assert watched.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_telephone_s_width_needs_no_sideways_scrolling(browser, file):
    narrow = Watched(browser, file, viewport={"width": 420, "height": 900})
    narrow.page.get_by_role("button", name="vtkOBBTree.BuildLocator").click()
    assert narrow.ask("document.documentElement.scrollWidth") <= 420
    assert narrow.ask("document.querySelector('#case-1-e .sides').getBoundingClientRect().right") <= 420
    narrow.context.close()
    assert narrow.complaints == []


def test_on_paper_everything_is_open_and_nothing_can_be_pressed(watched):
    page = watched.page
    page.locator(".filters[data-for=case-table] .find").fill("obb")
    page.emulate_media(media="print")
    assert page.locator("tr.evidence:visible").count() == page.locator("tr.evidence").count()
    for gone in (".filters", ".theme", "nav"):
        assert page.locator(gone).first.is_hidden()
    assert watched.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_without_its_script_everything_is_there(browser, file):
    still = Watched(browser, file, java_script_enabled=False)
    page = still.page
    assert page.locator("tr.evidence").first.is_visible()
    assert page.locator("tr.evidence").last.is_visible()
    assert page.locator(".filters").first.is_hidden()
    assert page.locator("#theme").is_hidden()
    still.context.close()
    assert still.complaints == []


def test_a_script_that_is_not_the_page_s_own_does_not_run(browser, tmp_path):
    """Even text that was not escaped could do nothing: the page's policy names its one script."""
    path = tmp_path / "spoilt.html"
    path.write_text(html.render(everything()).replace("<main", "<script>document.title = 'broken'</script><main", 1), encoding="utf-8")
    spoilt = Watched(browser, path)
    assert spoilt.page.title() != "broken"
    assert any("Content Security Policy" in complaint for complaint in spoilt.complaints)
    spoilt.context.close()


@pytest.mark.parametrize(
    "material",
    [Material(of(controls=())), Material(replace(every_kind(), valid=False)), Material(of(controls=()), survey()), Material(of(controls=()), None, profile())],
    ids=["empty", "invalid", "survey", "profile"],
)  # fmt: skip
def test_a_page_with_only_a_part_runs_as_well(browser, tmp_path, material):
    path = tmp_path / "part.html"
    path.write_text(html.render(material), encoding="utf-8")
    part = Watched(browser, path)
    assert part.page.locator("h1").is_visible()
    assert part.page.locator("[role=alert]").count() == (not material.valid)
    part.context.close()
    assert part.complaints == []


def test_the_roles_that_a_screen_reader_announces(watched):
    page = watched.page
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("navigation", name="Parts of this report").count() == 1
    assert page.get_by_role("table", name="Each call before and after").count() == 1
    assert page.get_by_role("columnheader", name="Outcome").count() >= 1
    assert page.get_by_role("group", name="How long others were kept out").count() >= 1
    assert page.get_by_role("link", name="vtkClass0.Update").count() == 1
