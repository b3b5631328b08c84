"""The timelines as a trace that opens in Perfetto (ui.perfetto.dev) and in Chromium's own viewer.

The format is Chrome's "Trace Event Format" in its JSON object form. A timeline is a process, a thread's lane is a thread,
a span is a complete event; a counter says at each moment how many threads wait for the GIL. Times are microseconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from gilgen.diagnostics.report.material import Material
from gilgen.diagnostics.report.words import INVALID, about

from gilgen.model import CaseResult, Lane, LoopStall, Profile, Span, State, Timeline

NAMES: dict[State, str] = {"call": "the measured call", "runs": "runs", "waits": "waits for the GIL", "sleeps": "sleeps"}

COLOURS: dict[State, str] = {"call": "thread_state_unknown", "runs": "good", "waits": "terrible", "sleeps": "grey"}
"""Names that the format reserves; Perfetto chooses its own colours by event name."""

COUNTER = "threads that wait for the GIL"

Event = dict[str, Any]


def render(material: Material) -> str:
    """The trace as JSON text."""
    report = material.report
    events: list[Event] = []
    numbers = itertools.count(1)
    for result in (*report.controls, *report.results):
        for timeline in result.timelines:
            events += _timeline(next(numbers), f"{_case(result)}: {timeline.title}", timeline)
    if material.profile is not None:
        for timeline in material.profile.timelines:
            events += _timeline(next(numbers), f"{material.profile.program}: {timeline.title}", timeline)
        if material.profile.stalls:
            events += _stalls(next(numbers), material.profile)
    facts = {"made by": "gilgen", "environment": about(report)} | ({} if material.valid else {"warning": INVALID})
    return msgspec.json.encode({"traceEvents": events, "displayTimeUnit": "ms", "otherData": facts}).decode()


def _case(result: CaseResult) -> str:
    return f"{result.call}, {'with shims' if result.shims else 'plain'} ({result.verdict})"


def _timeline(process: int, name: str, timeline: Timeline) -> Iterator[Event]:
    yield from _named(process, name)
    for thread, lane in enumerate(timeline.lanes, 1):
        yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": lane.name}}
        yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_sort_index", "args": {"sort_index": thread}}
        for span in nested(lane):
            yield {
                "ph": "X", "pid": process, "tid": thread, "ts": _microseconds(span.start), "dur": _microseconds(span.end - span.start), "name": NAMES[span.state],
                "cat": span.state, "cname": COLOURS[span.state],
            }  # fmt: skip
    for at, waiting in waiting_over_time(timeline.lanes):
        yield {"ph": "C", "pid": process, "ts": _microseconds(at), "name": COUNTER, "args": {"waiting": waiting}}


def _named(process: int, name: str) -> Iterator[Event]:
    yield {"ph": "M", "pid": process, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": process, "name": "process_sort_index", "args": {"sort_index": process}}


def _microseconds(value: float) -> float:
    return round(value * 1e6, 3)


def nested(lane: Lane) -> list[Span]:
    """A lane's spans so that each lies wholly inside a call or wholly outside: a viewer draws the inner below the outer."""
    calls = [span for span in lane.spans if span.state == "call" and span.end > span.start]
    edges = sorted({edge for call in calls for edge in (call.start, call.end)})
    found = list(calls)
    for span in lane.spans:
        if span.state != "call":
            found += _cut(span, edges)
    return sorted(found, key=lambda span: (span.start, -span.end, span.state != "call"))


def _cut(span: Span, edges: Iterable[float]) -> list[Span]:
    """A span in pieces, cut at the edges that lie within it."""
    places = [span.start, *(edge for edge in edges if span.start < edge < span.end), span.end]
    return [Span(start, end, span.state) for start, end in itertools.pairwise(places) if end > start]


def waiting_over_time(lanes: Iterable[Lane]) -> list[tuple[float, int]]:
    """When the number of threads that wait for the GIL changed, and to what; it begins and ends with none."""
    changes: dict[float, int] = {}
    for lane in lanes:
        for span in lane.spans:
            if span.state == "waits":
                changes[span.start] = changes.get(span.start, 0) + 1
                changes[span.end] = changes.get(span.end, 0) - 1
    waiting = 0
    steps = []
    for at, change in sorted(changes.items()):
        if change:
            waiting += change
            steps.append((at, waiting))
    return steps


def _stalls(process: int, profile: Profile) -> Iterator[Event]:
    """The event loops' stalls: a thread for each loop."""
    yield from _named(process, f"{profile.program}: event loops")
    loops = list(dict.fromkeys((stall.loop, stall.thread) for stall in profile.stalls))
    for thread, (loop, owner) in enumerate(loops, 1):
        yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": f"{loop} loop in {owner}"}}
        mine = sorted((stall for stall in profile.stalls if (stall.loop, stall.thread) == (loop, owner)), key=lambda stall: stall.at)
        for stall in apart(mine):
            yield {
                "ph": "X", "pid": process, "tid": thread, "ts": _microseconds(stall.at), "dur": _microseconds(stall.seconds), "name": stall.python or "stall",
                "cat": "stall", "args": {"called at": f"{stall.file}:{stall.line}", "by the loop's own thread": stall.own},
            }  # fmt: skip


def apart(stalls: Iterable[LoopStall]) -> Iterator[LoopStall]:
    """Stalls of one loop, sorted by time, without those that begin inside another: a loop stalls once at a time."""
    end = float("-inf")
    for stall in stalls:
        if stall.at >= end:
            yield stall
            end = stall.at + stall.seconds
