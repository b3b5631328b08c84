"""Three things that are easily confused, told apart: released, faster in parallel, parallel inside by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gilgen.diagnostics import verdict
from gilgen.diagnostics.report.words import seconds
from gilgen.diagnostics.verdict import COMPUTES, SIMULTANEOUS

from gilgen.model import CaseResult


@dataclass(frozen=True, slots=True)
class Reading:
    """One of the three things that a measured call is asked, apart from the others: the answer and what it rests on."""

    question: str
    answer: Literal["yes", "no", "in part", "cannot tell", "not measured"]
    figures: str


def readings(result: CaseResult) -> tuple[Reading, Reading, Reading]:
    """Released, faster in parallel, parallel inside by itself: a call may be any of them without the others."""
    return _released(result), faster(result), inside(result)


def _released(result: CaseResult) -> Reading:
    answers: dict[str, Literal["yes", "no", "in part", "not measured"]] = {"releases": "yes", "holds": "no", "partly": "in part", "untested": "not measured"}
    return Reading("Released: could other Python threads run meanwhile?", answers.get(result.verdict, "cannot tell"), result.because)


def faster(result: CaseResult) -> Reading:
    """Whether two such calls in two threads end sooner than one after the other."""
    question = "Faster in parallel: do two such calls at once end sooner than in turn?"
    found = result.overlap
    if found is None:
        return Reading(question, "not measured", "")
    figures = f"two at once took {seconds(found.parallel)}, in turn {seconds(found.serial)}: {found.ratio:.2f} times as fast"
    sooner = verdict.faster(found)
    if sooner is None:
        return Reading(question, "cannot tell", f"{figures}, on a machine that had no two free cores")
    if sooner:
        return Reading(question, "yes", figures)
    if found.simultaneous >= SIMULTANEOUS:
        return Reading(question, "no", f"{figures}; they ran at the same time, but something else than the GIL limits them, such as memory")
    if found.busy < COMPUTES:
        return Reading(question, "no", f"{figures}; the call waits more than it computes")
    return Reading(question, "no", figures)


def inside(result: CaseResult) -> Reading:
    """Whether one such call by itself keeps several processors busy."""
    question = "Parallel inside: does one call by itself use several processors?"
    if result.inside is None:
        return Reading(question, "not measured", "")
    figures = f"one call kept {result.inside:.1f} processors busy, with the toolkit's own number of threads"
    return Reading(question, "yes" if verdict.parallel_inside(result.inside) else "no", figures)
