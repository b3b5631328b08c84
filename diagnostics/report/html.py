"""A report as one HTML page that needs nothing else: style, script and drawings are inside, and it fetches nothing.

The page is read without its script, which filters, sorts and opens. Every text that comes from a measurement is
escaped; the page's own policy forbids whatever is not inside it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2
from gilgen.diagnostics.report import charts, evidence, readings, words
from gilgen.diagnostics.report.charts import Chart
from gilgen.diagnostics.report.material import (
    HOLDING,
    OUTCOMES,
    Held,
    Material,
    Outcome,
    Pair,
    held,
    kept_out,
    outcome_of,
    pairs,
)
from markupsafe import Markup

from gilgen.model import CaseResult, Surveyed, Timeline

DRAWINGS = 2_500_000
"""Characters of timelines that the cases may add, so that a page stays below 6 MB however many cases there are."""

FEATURED = 2
"""As many cases as show their timelines at the top; all others show theirs when opened."""


@dataclass(frozen=True, slots=True)
class Side:
    """One half of a case: its result, the witnesses' figures, and its timelines as far as they fit."""

    name: str
    result: CaseResult
    pieces: tuple[evidence.Piece, ...]
    readings: tuple[readings.Reading, ...]
    charts: tuple[Chart, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Row:
    """A case in the table. `gone` is the share of the time in which others were kept out that is gone; None where it cannot be told."""

    id: str
    call: str
    case: str
    toolkit: str
    outcome: Outcome
    pair: Pair
    sides: tuple[Side, ...]
    gone: float | None

    @property
    def last(self) -> CaseResult:
        """The result that counts: with the shims, where that was measured."""
        return self.sides[-1].result


@dataclass(frozen=True, slots=True)
class Featured:
    """A case whose timelines stand at the top: its row, and for each half its verdict and drawings."""

    row: Row
    sides: tuple[tuple[Side, tuple[Chart, ...]], ...]


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One call of the survey in the table below the map."""

    id: str
    one: Surveyed
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Hero:
    """What the page says first: a figure, a sentence, and what lies behind it."""

    figure: str
    sentence: str
    more: str
    chart: Chart | None


def render(material: Material) -> str:
    """The page."""
    rows = _rows(material)
    classes = _classes(material)
    script, style = _file("page.js"), _file("style.css")
    environment = _environment()
    return environment.get_template("page.html.jinja").render(
        material=material,
        report=material.report,
        survey=material.survey,
        profile=material.profile,
        hero=_hero(material),
        rows=rows,
        featured=_featured(rows),
        before_after=charts.before_after([(row.id, row.pair) for row in rows]),
        classes=classes,
        maps=[charts.toolkit_map([(row.id, row.one) for row in found], toolkit) for toolkit, found in _by_toolkit(classes)],
        modules=_modules(classes),
        held_chart=charts.held_calls(material.profile.calls) if material.profile else None,
        stall_chart=charts.loop_stalls(material.profile.stalls, material.profile.seconds) if material.profile else None,
        profile_charts=_charts(material.profile.timelines, "p", charts.WIDE) if material.profile else (),
        script=Markup(script),  # noqa: S704 - the page's own
        style=Markup(style),  # noqa: S704
        script_hash=_hash(script),
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gilgen.templates", "report"), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=True,
    )  # fmt: skip
    environment.globals.update(
        words=words, faster=readings.faster, inside=readings.inside, outcomes=OUTCOMES, kept_out=kept_out, tally=words.tally, plural=words.plural,
        seconds=lambda value: _whole(words.seconds(value)), share=lambda value: _whole(words.share(value)), breakable=_breakable,
    )  # fmt: skip
    return environment


def _whole(text: str) -> str:
    """A figure and its unit on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _breakable(name: str) -> Markup:
    """A dotted name that may be broken before its dots, nowhere else."""
    return Markup("<wbr>.").join(name.split("."))


def _file(name: str) -> str:
    return resources.files("gilgen.templates").joinpath("report", name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """For the page's policy: this script and no other may run (Content Security Policy, hash sources)."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _hero(material: Material) -> Hero:
    report = material.report
    if not material.valid:
        return Hero("Invalid", "A control failed in this run, so nothing in this report counts.", words.control_line(report), None)
    total = held(pairs(report))
    if total.cases:
        figure = words.share(max(total.gone, 0.0))
        sentence = "of the time in which other threads were kept out is gone." if total.gone >= 0 else "Nothing is gained: others are kept out for longer than before."
        return Hero(figure, sentence, words.headline(report), charts.total(total))
    if report.results:
        holding = sum(result.verdict in HOLDING for result in report.results)
        return Hero(f"{holding} of {len(report.results)}", "measured calls hold the GIL.", words.headline(report), None)
    if material.survey is not None and material.survey.classes:
        return _survey_hero(material.survey.classes, words.survey_headline(material.survey))
    if material.profile is not None and material.profile.seconds > 0:
        part = sum(call.held for call in material.profile.calls) / material.profile.seconds
        return Hero(words.share(part), "of the program's time wrapped calls held the GIL.", words.profile_headline(material.profile), None)
    return Hero("Nothing", "was measured in this run.", "", None)


def _survey_hero(found: Sequence[Surveyed], more: str) -> Hero:
    was = [one for one in found if one.before in HOLDING]
    if not was:
        return Hero(f"{sum(one.after in HOLDING for one in found):,}", "of the surveyed calls hold the GIL.", more, None)
    total = Held(sum(one.held_before for one in was), sum(one.held_after for one in was), len(was))
    freed = sum(one.after == "releases" for one in was)
    return Hero(words.share(freed / len(was)), "of the surveyed calls that held the GIL now release it.", more, charts.total(total) if total.before > 0 else None)


def _rows(material: Material) -> list[Row]:
    room = DRAWINGS
    rows = []
    for number, pair in enumerate(pairs(material.report), 1):
        sides = []
        for name, result in zip(("before", "after"), pair, strict=True):
            if result is None:
                continue
            drawings = _charts(result.timelines, f"c{number}{name[0]}") if room > 0 else ()
            room -= sum(len(chart.wide) for chart in drawings)
            sides.append(Side(name, result, evidence.pieces(result), readings.readings(result), drawings, len(result.timelines) - len(drawings)))
        last = sides[-1].result
        total = held([pair])
        rows.append(Row(f"case-{number}", last.call, last.case, last.toolkit, outcome_of(pair), pair, tuple(sides), total.gone if total.cases else None))
    return rows


def _charts(found: Sequence[Timeline], prefix: str, width: int = charts.TIMELINE) -> tuple[Chart, ...]:
    return tuple(charts.timeline(timeline, f"{prefix}{number}", width) for number, timeline in enumerate(found, 1) if timeline.lanes)


def _featured(rows: Iterable[Row]) -> list[Featured]:
    """The cases whose timelines tell most: others waited longest, and both sides were watched. One of each toolkit first."""
    watched = [row for row in rows if len(row.sides) > 1 and all(side.charts and side.result.window for side in row.sides)]
    watched.sort(key=lambda row: -(kept_out(row.sides[0].result) or 0.0))
    first = {row.toolkit: row for row in reversed(watched)}.values()
    chosen = sorted((row for row in watched), key=lambda row: row not in first)[:FEATURED]
    return [Featured(row, tuple((side, _charts(side.result.timelines, f"f{row.id}{side.name[0]}")) for side in row.sides)) for row in chosen]


def _classes(material: Material) -> list[ClassRow]:
    found = material.survey.classes if material.survey else ()
    return [ClassRow(f"class-{number}", one, words.surveyed_outcome(one)) for number, one in enumerate(found, 1)]


def _by_toolkit(classes: Sequence[ClassRow]) -> list[tuple[str, list[ClassRow]]]:
    toolkits = dict.fromkeys(row.one.toolkit for row in classes)
    return [(toolkit, [row for row in classes if row.one.toolkit == toolkit]) for toolkit in toolkits]


def _modules(classes: Sequence[ClassRow]) -> list[tuple[str, str, list[tuple[Outcome, int]]]]:
    """The map as a table: for each module how many calls there are of each outcome."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for row in classes:
        groups.setdefault((row.one.toolkit, row.one.module), []).append(row.outcome)
    return [(toolkit, module, words.tally(found)) for (toolkit, module), found in groups.items()]
