"""What a report is made from, and the two sides of each case brought together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gilgen.diagnostics.verdict import stall_of

from gilgen.model import CaseResult, Environment, Profile, Report, Survey

Pair = tuple[CaseResult | None, CaseResult | None]

OutcomeKey = Literal["released", "already", "holds", "partly", "worse", "failed", "short", "unknown", "untested"]

HOLDING = frozenset({"holds", "partly"})
FAILED = frozenset({"error", "crash", "timeout"})


@dataclass(frozen=True, slots=True)
class Material:
    """A diagnosis and, where there are, a survey and a profile to be shown with it."""

    report: Report
    survey: Survey | None = None
    profile: Profile | None = None

    @property
    def valid(self) -> bool:
        """Whether every control in it read as it must."""
        return self.report.valid and (self.survey is None or self.survey.valid)


def without_diagnosis(survey: Survey | None, profile: Profile | None) -> Report:
    """An empty report, to show a survey or a profile alone."""
    place = survey or profile
    environment = place.environment if place else Environment("", "", "", "", 0)
    return Report(environment, valid=True, controls=(), results=())


def pairs(report: Report) -> list[Pair]:
    """Each case's result before and after, in the order of the run."""
    found: dict[tuple[str, str], Pair] = {}
    for result in report.results:
        key = result.toolkit, result.case
        before, after = found.get(key, (None, None))
        found[key] = (before, result) if result.shims else (result, after)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: a word for it, a sign and a letter that tell it without colour, and what it means."""

    key: OutcomeKey
    word: str
    sign: str
    letter: str
    meaning: str


OUTCOMES: dict[OutcomeKey, Outcome] = {
    outcome.key: outcome
    for outcome in (
        Outcome("released", "now releases", "●", "R", "held the GIL in the plain wheel and releases it with the shims"),
        Outcome("already", "releases", "○", "r", "lets others run in every half that was measured"),
        Outcome("holds", "holds", "■", "H", "keeps every other Python thread out until it returns"),
        Outcome("partly", "partly", "◧", "P", "lets others run in a part of the call and keeps them out in another"),
        Outcome("worse", "now holds", "▲", "W", "released the GIL in the plain wheel and holds it with the shims"),
        Outcome("failed", "failed", "✕", "X", "crashed, raised an error or ran past its deadline"),
        Outcome("unknown", "unknown", "?", "?", "the machine was too busy, or the witnesses disagree"),
        Outcome("short", "too short", "·", "s", "over too soon to be judged"),
        Outcome("untested", "untested", "–", "u", "could not be fed, or was not tried"),  # noqa: RUF001 - a dash is the sign
    )
}  # fmt: skip


def outcome(before: str | None, after: str | None) -> Outcome:
    """What became of a call whose verdicts these are; None or "untested" where a half was not measured."""
    measured = [verdict for verdict in (before, after) if verdict not in {None, "untested"}]
    last = measured[-1] if measured else "untested"
    if last in FAILED:
        return OUTCOMES["failed"]
    if last == "releases":
        return OUTCOMES["released" if before in HOLDING else "already"]
    if last in HOLDING:
        return OUTCOMES["worse" if before == "releases" and after == last else "holds" if last == "holds" else "partly"]
    return OUTCOMES["short" if last == "too short" else "unknown" if last == "unknown" else "untested"]


def outcome_of(pair: Pair) -> Outcome:
    """What became of a case."""
    before, after = pair
    return outcome(before.verdict if before else None, after.verdict if after else None)


def kept_out(result: CaseResult) -> float | None:
    """The longest time in seconds in which the call kept others out; None where no window was measured.

    Of a call that held throughout, all of its processor time is such time, however little a loaded machine left of the rest.
    """
    if result.window is None:
        return None
    throughout = result.verdict == "holds" and result.window.ticks == 0
    return max(stall_of(result.window), result.window.processor if throughout else 0.0)


@dataclass(frozen=True, slots=True)
class Held:
    """How long others were kept out, in seconds, summed over `cases` that were measured before and after."""

    before: float
    after: float
    cases: int

    @property
    def gone(self) -> float:
        """The share of it that is gone: 1 is all; negative where there is more of it than before."""
        return 1.0 - self.after / self.before if self.before > 0 else 0.0


def held(found: Iterable[Pair]) -> Held:
    """Sum the cases that held in the plain library or hold with the shims; one whose "after" is no proof gained nothing."""
    times: list[tuple[float, float]] = []
    for before, after in found:
        was = kept_out(before) if before else None
        if before is None or after is None or was is None:
            continue
        proven = after.verdict not in FAILED | {"unknown", "untested"}
        now = kept_out(after) if proven else None
        if before.verdict in HOLDING or (before.verdict == "releases" and after.verdict in HOLDING):
            times.append((was, was if now is None else now))
    return Held(sum(was for was, _ in times), sum(now for _, now in times), len(times))
