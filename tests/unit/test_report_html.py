"""The page as it is written, without a browser: whole, closed to the network, escaped, small, and readable without colour."""

from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest
from gilgen.diagnostics.report import Material, charts, html
from gilgen.diagnostics.report.material import OUTCOMES
from reports import (
    FREED,
    FREED_LANES,
    HELD,
    HOSTILE,
    WRONG,
    bare,
    every_kind,
    everything,
    named,
    of,
    profile,
    survey,
)

from gilgen.model import Lane, Span, Timeline

VOID = {"meta", "link", "br", "wbr", "input", "hr", "img"}


class Page(HTMLParser):
    """A page taken apart: its elements, their attributes, and what was left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"script", "style"}:
            self.words.append(data)

    def all(self, name: str, tag: str = "") -> list[str]:
        """Every value of an attribute."""
        return [value or "" for found, attributes in self.elements for key, value in attributes.items() if key == name and tag in {"", found}]


@pytest.fixture(scope="module")
def text() -> str:
    return html.render(everything())


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_every_element_is_closed(page):
    assert not page.faults
    assert not page.open


def test_names_in_the_page_are_unique_and_every_reference_leads_somewhere(page):
    names = page.all("id")
    assert [name for name, count in Counter(names).items() if count > 1] == []
    wanted = [value[1:] for value in page.all("href") if value.startswith("#")]
    wanted += [word for name in ("aria-controls", "aria-labelledby", "data-for") for value in page.all(name) for word in value.split()]
    wanted += [found for _, attributes in page.elements for value in attributes.values() for found in re.findall(r"url\(#([^)]+)\)", value or "")]
    assert set(wanted) <= set(names)


def test_nothing_in_the_page_comes_from_elsewhere(text, page):
    for name in ("src", "href", "xlink:href", "action", "poster", "data", "srcset"):
        assert all(value.startswith(("#", "data:")) for value in page.all(name)), name
    assert not re.search(r"url\((?!#|data:)", text)
    assert "@import" not in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert not page.all("onclick")


def test_the_page_forbids_what_is_not_in_it(page):
    policy = next(attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "script-src 'sha256-" in policy


def test_texts_of_a_report_are_escaped(text, page):
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert "<script>document.title" not in text
    assert sum(HOSTILE in word for word in "".join(page.words).splitlines()) > 3


def test_every_case_has_its_evidence(page):
    words = " ".join(" ".join(page.words).split())
    for expected in (
        "58 of 60 (97%)", "ticks of another thread inside", "processor time of the caller", "py-spy: did the caller have the GIL?", "in turn / at once",
        "because crash", "Segmentation fault", "Released", "Faster in parallel", "Parallel inside", "a note |", "a notice", "Of 61,990 wrapped methods",
    ):  # fmt: skip
        assert expected in words, expected


def test_every_drawing_says_in_words_what_it_shows(page):
    drawings = [attributes for tag, attributes in page.elements if tag == "svg" and attributes.get("class") == "chart"]
    assert len(drawings) > 20
    assert {attributes["role"] for attributes in drawings} == {"img", "group"}
    assert all(attributes["aria-labelledby"] for attributes in drawings)
    others = [attributes for tag, attributes in page.elements if tag == "svg" and attributes.get("class") != "chart"]
    assert all(attributes.get("aria-hidden") == "true" for attributes in others)


def test_tables_have_captions_and_their_heads_a_scope(text, page):
    tables = re.findall(r"<table[^>]*>\s*<caption>", text)
    assert len(tables) == sum(tag == "table" for tag, _ in page.elements) > 10
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.elements if tag == "th")


def test_outcomes_differ_without_colour():
    assert len({one.sign for one in OUTCOMES.values()}) == len({one.letter for one in OUTCOMES.values()}) == len(OUTCOMES)


def test_every_outcome_has_a_pattern_and_colours(text):
    for key in OUTCOMES:
        assert f'id="p-{key}"' in text
        assert f".o-{key} " in text
        assert f"--on-{key}:" in text


def luminance(colour: str) -> float:
    """Relative luminance as the Web Content Accessibility Guidelines define it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme):
    style = resources.files("gilgen.templates").joinpath("report", "style.css").read_text()
    colours = {name: pair.split(", ")[scheme] for name, pair in re.findall(r"--([\w-]+): light-dark\(([^)]+)\)", style)}
    pairs = [(ink, behind) for behind in ("page", "card") for ink in ("ink", "soft", "accent", "holds-text", "releases-text", "partly-text")]
    pairs += [("on-released", "releases"), ("soft", "module")]
    pairs += [(f"on-{key}", key) for key in OUTCOMES if key != "released"]
    poor = {pair: round(contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5}
    assert not poor


# --------------------------------------------------------------------------------------- what it says first


def first_words(material: Material) -> str:
    text = html.render(material)
    return " ".join(" ".join(Page(text[text.index("<h1") : text.index("</section>")] + "</section>").words).split())


def test_the_first_figure_is_how_much_held_time_is_gone():
    assert first_words(Material(of(HELD, FREED))).startswith("99.2 % of the time in which other threads were kept out is gone. 1 of 1 calls")


def test_without_an_after_the_first_figure_is_how_many_hold():
    assert first_words(Material(of(HELD, named(FREED, "B", shims=False)))).startswith("1 of 2 measured calls hold the GIL.")


def test_a_loss_is_not_sold_as_a_gain():
    assert "Nothing is gained" in first_words(Material(of(named(FREED, "A", shims=False), named(HELD, "A", shims=True))))


def test_a_survey_or_a_profile_alone_has_a_figure_of_its_own():
    assert "of the surveyed calls that held the GIL now release it" in first_words(Material(of(controls=()), survey()))
    assert "of the program's time wrapped calls held the GIL" in first_words(Material(of(controls=()), None, profile()))
    assert "was measured in this run" in first_words(Material(of(controls=())))


def test_an_invalid_report_says_so_loudly():
    text = html.render(Material(of(HELD, FREED, valid=False, controls=WRONG)))
    page = Page(text)
    assert "<title>INVALID" in text
    assert ("div", {"class": "alarm", "role": "alert"}) in page.elements
    assert first_words(Material(of(HELD, FREED, valid=False, controls=WRONG))).startswith("Invalid A control failed")
    assert "WRONG" in " ".join(page.words)
    assert "is gone" not in " ".join(page.words)


def test_an_invalid_survey_is_as_loud():
    assert 'role="alert"' in html.render(Material(of(HELD, FREED), replace(survey(), valid=False)))


@pytest.mark.parametrize(
    "report", [of(controls=()), of(), of(bare("crash", "X")), of(replace(HELD, window=None, timelines=()))], ids=["empty", "controls only", "a crash", "no window"]
)
def test_a_report_with_little_in_it_is_a_whole_page(report):
    page = Page(html.render(Material(report)))
    assert not page.faults
    assert not page.open


# ------------------------------------------------------------------------------------------- size and speed


def test_three_thousand_classes_fit():
    began = time.process_time()
    text = html.render(Material(every_kind(), survey(3000), profile()))
    assert len(text.encode()) < 6_000_000
    assert time.process_time() - began < 10
    assert Page(text).all("data-outcome")[-1]


def test_however_many_timelines_there_are_the_page_stays_small_and_says_what_is_left_out(monkeypatch):
    monkeypatch.setattr(html, "DRAWINGS", 100_000)
    busy = tuple(
        Lane(f"thread {number}", tuple(Span(at / 1000, (at + 1) / 1000, "runs" if (at + number) % 2 else "waits") for at in range(400))) for number in range(4)
    )  # fmt: skip
    lines = tuple(Timeline(f"call {number}", 0.4, busy) for number in range(2))
    results = [replace(named(one, f"Case{number}", shims=one.shims), timelines=lines) for number in range(12) for one in (HELD, FREED)]
    text = html.render(Material(of(*results)))
    assert len(text.encode()) < 600_000
    assert "2 timelines left out to keep this page small" in text


# ------------------------------------------------------------------------------------------------- timelines


@pytest.mark.parametrize("other", ["sleeps", "waits"])
def test_a_lane_with_more_spans_than_pixels_keeps_its_proportions(other):
    spans = tuple(Span(at / 10_000, (at + 1) / 10_000, "runs" if at % 10 == 0 else other) for at in range(5000))
    drawn = charts.drawn(Lane("x", spans), 0.5, 400)
    assert len(drawn) <= 400
    assert sum(span.end - span.start for span in drawn if span.state == "runs") == pytest.approx(0.05, rel=0.05)
    assert sum(span.state == "runs" for span in drawn) > 30
    assert max(span.end for span in drawn) == pytest.approx(0.5, abs=0.002)


def test_a_short_lane_is_drawn_as_it_is():
    lane = FREED_LANES[0]
    assert sorted(charts.drawn(lane, 0.25, 400), key=lambda span: span.start) == sorted(lane.spans, key=lambda span: span.start)


def test_a_timeline_is_told_in_words():
    assert charts.told_lane(Lane("x", (Span(0.0, 0.75, "waits"), Span(0.75, 1.0, "runs"), Span(0.0, 1.0, "call")))) .replace("\N{NO-BREAK SPACE}", " ") == "x: runs 25 %, waits for the GIL 75 %."
    assert charts.told_lane(Lane("x", ())) == "x: was not looked at."
    assert charts.told_lane(Lane("x", (Span(0.0, 1.0, "call"),))) == "x: was not looked at, but for when it was in a call."


@pytest.mark.parametrize("length", [0.0, 1e-4, 0.003, 0.2, 1.0, 7.0, 999.0])
def test_an_axis_has_a_few_round_times(length):
    ticks = charts._time_ticks(length)
    assert 1 <= len(ticks) <= 10
    assert ticks[0] == {"at": 0.0, "label": "0"}
    assert all(tick["at"] <= length * 1.001 for tick in ticks)


def test_links_of_a_drawing_lead_into_the_page_and_its_names_are_its_own():
    drawing = charts.toolkit_map([("class-1", survey(1).classes[0])], "vtk").wide
    assert 'href="#class-1"' in drawing
    assert "xlink" not in drawing
    assert "vega" not in drawing
    assert 'aria-label="vtkClass0.Update: now releases"' in drawing
