"""A report's words: what every form of it says, said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from gilgen.diagnostics import controls
from gilgen.diagnostics.report.material import (
    HOLDING,
    OUTCOMES,
    Material,
    Outcome,
    held,
    kept_out,
    outcome,
    outcome_of,
    pairs,
)
from gilgen.diagnostics.verdict import FREE_CORES

from gilgen.manifest import Coverage
from gilgen.model import CaseResult, Environment, Profile, Report, Survey, Surveyed

HEADINGS = ("call", "before", "others waited", "after", "others waited", "overlap", "py-spy: held")
NONE = "-"
ARROW = " -> "
BUSY = "?"
BUSY_NOTE = (
    f"{BUSY} The machine had no two free cores then, so this ratio says nothing; verdicts do not rest on it."
)

WITHOUT_PROOF = ("error", "crash", "timeout", "unknown", "untested")
"""Verdicts that need a word of explanation below the table."""

INVALID = "INVALID: a control failed, so nothing in this report counts."


def headline(report: Report) -> str:
    """The outcome in a line."""
    if not report.valid:
        return INVALID
    both = [(before, after) for before, after in pairs(report) if before is not None and after is not None]
    held_before = [(before, after) for before, after in both if before.verdict in HOLDING]
    if held_before:
        freed = sum(after.verdict == "releases" for _, after in held_before)
        return f"{freed} of {len(held_before)} calls that held the GIL now release it."
    if both:
        return "No call that was measured both ways held the GIL."
    holding = sum(result.verdict in HOLDING for result in report.results)
    when = (
        " with the shims active" if report.results and all(result.shims for result in report.results) else ""
    )
    return f"{holding} of {len(report.results)} calls hold the GIL{when}."


def gone(report: Report) -> str:
    """How much of the held time is gone, in a line; empty where nothing was measured both ways."""
    total = held(pairs(report))
    if not report.valid or not total.cases:
        return ""
    times = f"others waited {seconds(total.before)} before and {seconds(total.after)} after, over {plural(total.cases, 'call')}"
    if total.gone < 0:
        return f"Others are kept out for longer than before: {times}."
    return f"{share(total.gone)} of the time in which other threads were kept out is gone: {times}."


def share(value: float) -> str:
    """A share for people. Only what is whole is said to be 100 %, and only nothing 0 %."""
    if 0.999 <= value < 1.0:  # noqa: PLR2004 - would round to the whole
        return "99.9 %"
    return f"{value:.1%}".replace("%", " %").replace(".0 %", " %")


def seconds(value: float) -> str:
    """A time for people: two to four figures and a unit."""
    if value < 0.00095:  # noqa: PLR2004 - less than a millisecond
        return f"{value * 1e6:.0f} µs" if value > 0 else "0 ms"
    if value < 0.0995:  # noqa: PLR2004 - three figures in milliseconds
        return f"{value * 1e3:.1f} ms"
    places = next((places for below, places in ((0.9995, 3), (9.995, 2), (99.95, 1)) if value < below), 0)
    return f"{value:,.{places}f} s"


def plural(count: int, noun: str) -> str:
    """"1 call", "1,200 calls"."""
    return f"{count:,} {noun}{'' if count == 1 else 's' if not noun.endswith('s') else 'es'}"


# --------------------------------------------------------------------------------------- the table


def rows(report: Report) -> list[tuple[str, ...]]:
    """The table's rows, a case each, without headings."""
    return [_row(before, after) for before, after in pairs(report)]


def _row(before: CaseResult | None, after: CaseResult | None) -> tuple[str, ...]:
    known = before or after
    return (
        known.call if known else NONE,
        before.verdict if before else NONE,
        _waited(before),
        after.verdict if after else NONE,
        _waited(after),
        _change(before, after, _overlap),
        _change(before, after, _held),
    )


def _waited(result: CaseResult | None) -> str:
    kept = kept_out(result) if result else None
    if result is None or result.window is None or kept is None:
        return NONE
    return f"{kept:.3f} of {result.window.duration:.3f} s"


def _overlap(result: CaseResult | None) -> str:
    if result is None or result.overlap is None:
        return NONE
    return f"{result.overlap.ratio:.2f}{BUSY if is_busy(result) else ''}"


def is_busy(result: CaseResult) -> bool:
    """Whether the machine had no two free cores when the result's overlap was measured."""
    return result.overlap is not None and result.overlap.reference < FREE_CORES


def _held(result: CaseResult | None) -> str:
    if result is None or result.witness is None or not result.witness.samples:
        return NONE
    return f"{result.witness.holding / result.witness.samples:.0%}"


def _change(
    before: CaseResult | None, after: CaseResult | None, say: Callable[[CaseResult | None], str]
) -> str:
    if before is None or after is None:
        return say(before or after)
    return f"{say(before)}{ARROW}{say(after)}"


# ------------------------------------------------------------------------------------- below the table


def details(report: Report) -> list[str]:
    """Lines below the table: what the controls said, what could not be proven, what else to know."""
    lines = [control_line(report)]
    for result in report.results:
        where = f"{result.call} ({'after' if result.shims else 'before'})"
        if result.verdict in WITHOUT_PROOF:
            lines.append(f"{where}: {result.verdict}: {result.because}")
    reasons = sorted({note for result in (*report.controls, *report.results) for note in result.notes})
    busy = [BUSY_NOTE] if any(is_busy(result) for result in report.results) else []
    return [*lines, *reasons, *busy, *report.notices]


def control_line(report: Report) -> str:
    """What the controls said, in a line."""
    failed = failed_controls(report)
    if not failed:
        return (
            f"Controls: all {len(report.controls)} as they must be."
            if report.controls
            else "Controls: none were run."
        )
    told = "; ".join(
        f"{result.call} must read {expected(result)!r} but reads {result.verdict!r} ({result.because})"
        for result in failed
    )
    return f"Controls that failed: {told}."


def failed_controls(report: Report) -> tuple[CaseResult, ...]:
    """The controls that read otherwise than they must."""
    return tuple(result for result in report.controls if result.verdict != expected(result))


def expected(control: CaseResult) -> str:
    """What a control must read; nothing is held against one that this gilgen does not know."""
    return controls.EXPECTED.get(control.case, control.verdict)


def about(report: Report) -> str:
    """What was measured on, in a line."""
    return place(report.environment)


def place(facts: Environment) -> str:
    """Where something was measured, in a line."""
    toolkits = ", ".join(f"{name} {version}" for name, version in facts.toolkits.items())
    parts = (
        toolkits, facts.python, facts.system, f"{facts.machine}, {plural(facts.processors, 'processor')}" if facts.machine else "",
        f"gilgen {facts.gilgen}" if facts.gilgen else "", facts.date,
    )  # fmt: skip
    return "; ".join(part for part in parts if part)


def coverage(found: Coverage) -> str:
    """What a toolkit's shims serve, in a sentence."""
    served = found.direct + found.through
    return (
        f"Of {found.wrapped:,} wrapped methods {found.candidates:,} are of a kind known to block; "
        f"{served:,} of these are served, {found.direct:,} by a shim of their own."
    )


# ------------------------------------------------------------------------------------------ the survey


def tally(found: Iterable[Outcome]) -> list[tuple[Outcome, int]]:
    """How many there are of each outcome, in the order of `OUTCOMES`; outcomes without any are left out."""
    counts = Counter(one.key for one in found)
    return [(OUTCOMES[key], counts[key]) for key in OUTCOMES if counts[key]]


def surveyed_outcome(one: Surveyed) -> Outcome:
    """What became of one class."""
    return outcome(one.before, one.after)


def survey_headline(survey: Survey) -> str:
    """The map in a line."""
    if not survey.valid:
        return INVALID
    classes = {(one.toolkit, one.name) for one in survey.classes}
    tried = {(one.toolkit, one.name) for one in survey.classes if surveyed_outcome(one).key != "untested"}
    held_before = [one for one in survey.classes if one.before in HOLDING]
    freed = sum(one.after == "releases" for one in held_before)
    return (
        f"{len(tried):,} of {plural(len(classes), 'algorithm class')} were exercised; "
        f"{freed:,} of {plural(len(held_before), 'call')} that held the GIL now release it."
    )


def survey_rows(survey: Survey) -> list[tuple[str, ...]]:
    """Per toolkit, how many calls there are of each outcome; headings first."""
    toolkits = list(dict.fromkeys(one.toolkit for one in survey.classes))
    found = [key for key in OUTCOMES if any(surveyed_outcome(one).key == key for one in survey.classes)]
    table = [("toolkit", "calls", *(OUTCOMES[key].word for key in found))]
    for toolkit in toolkits:
        counts = Counter(surveyed_outcome(one).key for one in survey.classes if one.toolkit == toolkit)
        table.append((toolkit, f"{counts.total():,}", *(f"{counts[key]:,}" for key in found)))
    return table


# ----------------------------------------------------------------------------------------- the profile

HELD_HEADINGS = ("call", "called from", "thread", "calls", "took", "held", "worst", "others waited")


def profile_headline(profile: Profile) -> str:
    """What a program's wrapped calls cost the others, in a line."""
    kept = sum(call.held for call in profile.calls)
    if not profile.calls:
        return f"{profile.program}: no wrapped call was seen in {seconds(profile.seconds)}."
    part = share(kept / profile.seconds) if profile.seconds > 0 else NONE
    worst = max(profile.calls, key=lambda call: call.worst)
    return f"{profile.program}: wrapped calls held the GIL for {seconds(kept)} of {seconds(profile.seconds)} ({part}); at worst {seconds(worst.worst)} at once, in {worst.python}."


def held_rows(profile: Profile) -> list[tuple[str, ...]]:
    """A row for each call of a profile, without headings."""
    return [
        (
            call.python, f"{call.file}:{call.line}", ", ".join(call.threads), f"{call.calls:,}", seconds(call.seconds), seconds(call.held),
            seconds(call.worst), seconds(call.waited),
        )
        for call in profile.calls
    ]  # fmt: skip


def outcomes(report: Report) -> list[tuple[Outcome, int]]:
    """How many cases there are of each outcome."""
    return tally(outcome_of(pair) for pair in pairs(report))


def loud(material: Material) -> str:
    """What must be read before anything else where a control failed; empty where none did."""
    return "" if material.valid else INVALID
