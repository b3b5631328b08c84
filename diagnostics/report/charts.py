"""Charts for the page: Vega specifications of `templates/report/*.json`, drawn as static SVG when the report is made.

Colours are the page's CSS variables, so that one drawing serves light, dark and print; patterns, shapes and
letters say the same without colour.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gilgen.diagnostics.report.drawing import draw
from gilgen.diagnostics.report.material import HOLDING, Held, Outcome, Pair, kept_out, outcome_of
from gilgen.diagnostics.report.words import seconds, share, surveyed_outcome
from markupsafe import Markup

from gilgen.model import CaseResult, HeldCall, Lane, LoopStall, Span, State, Surveyed, Timeline

WIDE, NARROW = 1040, 380
"""Pixels: of the page's column, and of a telephone's."""

MOST_ROWS = 60
"""As many calls as one chart shows; the table has them all."""

MOST_HELD = 15
"""The same for a profile."""

HEAD = 4.0
"""Cells that a module's name takes the room of; without it small modules would be all name."""

DECADES = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Seconds at which a logarithmic axis has a line."""

TIMELINE, LANE, LABELS = 500, 34, 124
"""Pixels: how wide a timeline is, how high a lane, and how wide the column of its threads' names."""

STATES: dict[State, tuple[str, float, float]] = {
    "sleeps": ("var(--sleeps)", 2.0, 0.0),
    "waits": ("url(#p-waits)", 14.0, 0.0),
    "runs": ("var(--runs)", 22.0, 1.2),
}
"""How a state is drawn: fill, height, and the least width in pixels. Whoever runs for a moment is seen, too."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and what it says to those who do not see it."""

    wide: Markup
    narrow: Markup | None
    title: str
    description: str


def total(found: Held) -> Chart:
    """How long others were kept out altogether: a bar before, a bar after."""
    sides = [
        {"side": "before", "seconds": found.before, "label": seconds(found.before), "fill": "url(#p-holds)"},
        {"side": "after", "seconds": found.after, "label": seconds(found.after), "fill": "var(--releases)"},
    ]
    title = "Time in which other threads were kept out"
    told = f"Before {seconds(found.before)}, after {seconds(found.after)}: {share(found.gone)} is gone."
    return Chart(draw("total", "total", title, told, {"sides": sides}), None, title, told)


def before_after(found: Sequence[tuple[str, Pair]]) -> Chart | None:
    """A row for each case, longest first: how long others waited before and after. The keys are ids in the page."""
    shown = sorted((case for case in found if any(result and result.window for result in case[1])), key=lambda case: -_longest(case[1]))[:MOST_ROWS]
    if not shown:
        return None
    longest = max(_longest(pair) for _, pair in shown)
    high = next((decade for decade in DECADES if decade >= longest * 1.05), longest * 1.05)
    data: dict[str, list[dict[str, Any]]] = {"calls": [], "befores": [], "afters": [], "ticks": [{"at": at, "label": _round(at)} for at in DECADES if at <= high]}
    told = []
    for row, (link, pair) in enumerate(shown):
        before, after = (_waited(result) for result in pair)
        known = next(result for result in pair if result)
        ends = [value for value in (before, after) if value is not None]
        figures = " → ".join(seconds(value) for value in ends)
        sign = outcome_of(pair).sign
        line = "var(--releases)" if ends[-1] < ends[0] else "var(--holds)"
        data["calls"].append({
            "row": row, "call": known.call, "link": f"#{link}", "from": _floor(ends[0]), "to": _floor(ends[-1]), "line": line, "figures": f"{figures}  {sign}",
        })  # fmt: skip
        for name, value, result in (("befores", before, pair[0]), ("afters", after, pair[1])):
            if value is not None and result is not None:
                data[name].append({"row": row, "at": _floor(value), "fill": _verdict_fill(result.verdict)})
        told.append(f"{known.call}: {figures}")
    title = "How long others were kept out by each call, before and after"
    words = f"{'; '.join(told[:12])}{'; and more' if len(told) > 12 else ''}. The table of cases has all figures."  # noqa: PLR2004 - a description is read aloud
    return Chart(
        draw("before-after", "ba", title, words, data, role="group", width=WIDE, height=34 + 26 * len(shown) + 26, high=high),
        draw("before-after", "ban", title, words, data, role="group", width=NARROW, height=34 + 40 * len(shown) + 26, high=high, narrow=True),
        title,
        words,
    )  # fmt: skip


def timeline(found: Timeline, name: str, width: int = TIMELINE) -> Chart:
    """Lanes of threads over one axis of time."""
    pixels = width - LABELS
    data: dict[str, list[dict[str, Any]]] = {"lanes": [], "calls": [], "spans": [], "ticks": _time_ticks(found.seconds, 6)}
    for row, lane in enumerate(found.lanes):
        data["lanes"].append({"row": row, "name": lane.name})
        for span in drawn(lane, found.seconds, pixels):
            if span.state == "call":
                data["calls"].append({"row": row, "start": span.start, "end": span.end})
            else:
                fill, height, least = STATES[span.state]
                data["spans"].append({"row": row, "start": span.start, "end": span.end, "fill": fill, "height": height, "least": least})
    told = " ".join(told_lane(lane) for lane in found.lanes)
    drawing = draw("timeline", name, found.title, told, data, width=width, height=LANE * len(found.lanes) + 24, left=LABELS, seconds=found.seconds or 1.0)
    return Chart(drawing, None, found.title, told)


def told_lane(lane: Lane) -> str:
    """What a thread did, in a sentence."""
    whole = sum(span.end - span.start for span in lane.spans if span.state != "call")
    if whole <= 0:
        return f"{lane.name}: was not looked at{', but for when it was in a call' if lane.spans else ''}."
    parts = {state: sum(span.end - span.start for span in lane.spans if span.state == state) for state in ("runs", "waits", "sleeps")}
    words = {"runs": "runs", "waits": "waits for the GIL", "sleeps": "sleeps"}
    return f"{lane.name}: {', '.join(f'{words[state]} {_percent(time / whole)}' for state, time in parts.items() if time > 0)}."


def _percent(part: float) -> str:
    """A share of a timeline: sampled, so whole figures are all that it bears."""
    text = "less than 1%" if 0 < part < 0.005 else "more than 99%" if 0.995 <= part < 1 else f"{part:.0%}"  # noqa: PLR2004 - would round to nothing, or to all
    return text.replace("%", "\N{NO-BREAK SPACE}%")


def drawn(lane: Lane, length: float, pixels: int) -> list[Span]:
    """A lane's spans, grouped by state. Where there are more than pixels, each pixel shows one state, in true proportion."""
    calls = [span for span in lane.spans if span.state == "call"]
    states = [span for span in lane.spans if span.state != "call"]
    if len(states) > pixels and length > 0:
        states = _by_pixel(states, length / pixels)
    return [*calls, *sorted(states, key=lambda span: list(STATES).index(span.state))]


def _by_pixel(spans: Iterable[Span], pixel: float) -> list[Span]:
    """One state a pixel: the one that is owed most time. What a pixel does not show is owed to the next ones."""
    cells: dict[int, dict[State, float]] = {}
    for span in spans:
        for place in range(int(span.start / pixel), math.ceil(span.end / pixel)):
            inside = min(span.end, (place + 1) * pixel) - max(span.start, place * pixel)
            cell = cells.setdefault(place, {})
            cell[span.state] = cell.get(span.state, 0.0) + inside
    owed: dict[State, float] = {}
    merged: list[Span] = []
    for place, cell in sorted(cells.items()):
        for one, time in cell.items():
            owed[one] = owed.get(one, 0.0) + time
        state = max(owed, key=lambda one: owed[one])
        owed[state] -= pixel
        start, end = place * pixel, (place + 1) * pixel
        if merged and merged[-1].state == state and start - merged[-1].end < pixel / 2:
            merged[-1] = Span(merged[-1].start, end, state)
        else:
            merged.append(Span(start, end, state))
    return merged


def toolkit_map(found: Sequence[tuple[str, Surveyed]], toolkit: str) -> Chart:
    """A cell for each call surveyed, grouped by module. The keys are ids in the page."""
    modules = list(dict.fromkeys(one.module for _, one in found))
    tree: list[dict[str, Any]] = [{"id": "all", "parent": None}]
    tree += [{"id": f"m{number}", "parent": "all", "name": _short(module, toolkit)} for number, module in enumerate(modules)]
    numbers = {module: f"m{number}" for number, module in enumerate(modules)}
    sizes = Counter(one.module for _, one in found)
    # Within a module in the order of outcomes, so that a colour forms an area; equal sizes keep their order.
    ordered = sorted(found, key=lambda item: (modules.index(item[1].module), _rank(surveyed_outcome(item[1]))))
    for number, (link, one) in enumerate(ordered):
        became = surveyed_outcome(one)
        tree.append({
            "id": f"c{number}", "parent": numbers[one.module], "size": 1 + HEAD / sizes[one.module], "link": f"#{link}", "fill": f"url(#p-{became.key})", "ink": f"var(--on-{became.key})",
            "letter": became.letter, "label": f"{one.call}: {became.word}",
        })  # fmt: skip
    height = round(max(120.0, min(640.0 * len(found), 900_000.0 + 120.0 * len(found)) / WIDE + 12 * math.sqrt(len(modules))))
    title = f"Map of {toolkit} by class"
    told = f"{len(found):,} cells, one for each call, in {len(modules)} modules; each is a link to its row in the table below."
    drawing = draw("map", f"map-{toolkit}", title, told, {"tree": tree}, role="group", width=WIDE, height=height)
    return Chart(drawing, None, title, told)


def _short(module: str, toolkit: str) -> str:
    """A module's name without its toolkit's, which all of them begin with."""
    return (module[len(toolkit) :] if module.lower().startswith(toolkit.lower()) else module) or "elsewhere"


def held_calls(calls: Sequence[HeldCall]) -> Chart | None:
    """Two bars for each call of a profile: how long it held, and how long others waited meanwhile, summed over them."""
    shown = sorted((call for call in calls if call.held > 0 or call.waited > 0), key=lambda call: -call.held)[:MOST_HELD]
    if not shown:
        return None
    figures = [
        f"held {seconds(call.held)}{f' of {seconds(call.seconds)}' if call.seconds >= call.held else ''}; others waited {seconds(call.waited)}" for call in shown
    ]  # fmt: skip
    rows = [
        {"row": row, "call": call.python, "held": call.held, "waited": call.waited, "figures": text} for row, (call, text) in enumerate(zip(shown, figures, strict=True))
    ]  # fmt: skip
    title = "How long the program's wrapped calls held the GIL"
    told = "; ".join(f"{call.python} {text}" for call, text in zip(shown, figures, strict=True)) + "."
    most = max(max(call.held, call.waited) for call in shown)
    data = {"calls": rows}
    return Chart(
        draw("held", "held", title, told, data, width=WIDE, height=32 * len(rows), most=most),
        draw("held", "heldn", title, told, data, width=NARROW, height=46 * len(rows), narrow=True, most=most),
        title,
        told,
    )  # fmt: skip


def loop_stalls(stalls: Sequence[LoopStall], length: float) -> Chart | None:
    """When an event loop could not turn, and for how long."""
    if not stalls:
        return None
    low = min(0.005, *(max(stall.seconds, 1e-4) for stall in stalls))
    high = max(0.1, *(stall.seconds * 1.3 for stall in stalls))
    points = [
        {
            "at": stall.at, "length": max(stall.seconds, low), "fill": "var(--partly)" if stall.own else "var(--holds)", "shape": "circle" if stall.own else "square",
        }
        for stall in stalls
    ]  # fmt: skip
    end = max(length, *(stall.at for stall in stalls))
    data = {"stalls": points, "times": _time_ticks(end), "lengths": [{"at": at, "label": _round(at)} for at in DECADES if low <= at <= high]}
    title = "When the event loop was kept from turning, and for how long"
    worst = max(stalls, key=lambda stall: stall.seconds)
    told = f"{len(stalls)} stalls; the longest, {seconds(worst.seconds)}, at {seconds(worst.at)} by {worst.python}."
    return Chart(draw("stalls", "stalls", title, told, data, seconds=end, low=low, high=high), None, title, told)


def _longest(pair: Pair) -> float:
    return max(value for result in pair if (value := _waited(result)) is not None)


def _waited(result: CaseResult | None) -> float | None:
    return kept_out(result) if result else None


def _floor(value: float) -> float:
    """A logarithmic axis has no zero."""
    return max(value, 0.0005)


def _verdict_fill(verdict: str) -> str:
    if verdict == "releases":
        return "var(--releases)"
    return "var(--holds)" if verdict in HOLDING else "var(--soft)"


def _rank(became: Outcome) -> int:
    return ("worse", "holds", "partly", "released", "already", "failed", "unknown", "short", "untested").index(became.key)


def _time_ticks(length: float, most: int = 9) -> list[dict[str, Any]]:
    """At most so many round times from nought on."""
    if length <= 0:
        return [{"at": 0.0, "label": "0"}]
    power = 10.0 ** math.floor(math.log10(length / most))
    step = next(step for factor in (1, 2, 5, 10) if length / (step := factor * power) <= most)
    return [{"at": step * number, "label": _round(step * number) if number else "0"} for number in range(int(length / step + 1e-9) + 1)]


def _round(at: float) -> str:
    """A round time on an axis."""
    return f"{at:g} s" if at >= 1 else f"{at * 1000:.6g} ms"
