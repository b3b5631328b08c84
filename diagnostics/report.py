"""A report's words: the table for terminals and files, and the line that sums it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gilgen.diagnostics import controls
from gilgen.diagnostics.verdict import FREE_CORES

from gilgen import store
from gilgen.model import CaseResult, Report

Pair = tuple[CaseResult | None, CaseResult | None]

HEADINGS = ("call", "before", "others waited", "after", "others waited", "overlap", "py-spy: held")
NONE = "-"
ARROW = " -> "
BUSY = "?"
BUSY_NOTE = (
    f"{BUSY} The machine had no two free cores then, so this ratio says nothing; verdicts do not rest on it."
)

WITHOUT_PROOF = ("error", "crash", "timeout", "unknown")
"""Verdicts that need a word of explanation below the table."""


def last_report() -> Path:
    """Where the last run's report is kept."""
    return store.cache_dir() / "report" / "report.json"


def pairs(report: Report) -> list[Pair]:
    """Each case's result before and after, in the order of the run."""
    found: dict[tuple[str, str], Pair] = {}
    for result in report.results:
        key = result.toolkit, result.case
        before, after = found.get(key, (None, None))
        found[key] = (before, result) if result.shims else (result, after)
    return list(found.values())


def headline(report: Report) -> str:
    """The outcome in a line."""
    if not report.valid:
        return "INVALID: a control failed, so nothing in this report counts."
    both = [(before, after) for before, after in pairs(report) if before is not None and after is not None]
    held = [(before, after) for before, after in both if before.verdict in {"holds", "partly"}]
    if held:
        freed = sum(after.verdict == "releases" for _, after in held)
        return f"{freed} of {len(held)} calls that held the GIL now release it."
    if both:
        return "No call that was measured both ways held the GIL."
    holding = sum(result.verdict in {"holds", "partly"} for result in report.results)
    when = (
        " with the shims active" if report.results and all(result.shims for result in report.results) else ""
    )
    return f"{holding} of {len(report.results)} calls hold the GIL{when}."


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
    if result is None or result.window is None:
        return NONE
    return f"{result.window.longest_gap:.3f} of {result.window.duration:.3f} s"


def _overlap(result: CaseResult | None) -> str:
    if result is None or result.overlap is None:
        return NONE
    return f"{result.overlap.ratio:.2f}{BUSY if is_busy(result) else ''}"


def is_busy(result: CaseResult) -> bool:
    """Whether the machine had no two free cores when the result's overlap was measured."""
    return result.overlap is not None and result.overlap.reference < FREE_CORES


def _held(result: CaseResult | None) -> str:
    return f"{result.witness.holding / result.witness.samples:.0%}" if result and result.witness else NONE


def _change(
    before: CaseResult | None, after: CaseResult | None, say: Callable[[CaseResult | None], str]
) -> str:
    if before is None or after is None:
        return say(before or after)
    return f"{say(before)}{ARROW}{say(after)}"


def details(report: Report) -> list[str]:
    """Lines below the table: what the controls said, what could not be proven, what else to know."""
    lines = [_control_line(report)]
    for result in report.results:
        where = f"{result.call} ({'after' if result.shims else 'before'})"
        if result.verdict in WITHOUT_PROOF:
            lines.append(f"{where}: {result.verdict}: {result.because}")
    reasons = sorted({note for result in (*report.controls, *report.results) for note in result.notes})
    busy = [BUSY_NOTE] if any(is_busy(result) for result in report.results) else []
    return [*lines, *reasons, *busy, *report.notices]


def _control_line(report: Report) -> str:
    failed = controls.failed(report.controls)
    if not failed:
        return (
            f"Controls: all {len(report.controls)} as they must be."
            if report.controls
            else "Controls: none were run."
        )
    told = "; ".join(
        f"{result.call} must read {controls.EXPECTED[result.case]!r} but reads {result.verdict!r} ({result.because})"
        for result in failed
    )
    return f"Controls that failed: {told}."


def about(report: Report) -> str:
    """What was measured on, in a line."""
    facts = report.environment
    toolkits = ", ".join(f"{name} {version}" for name, version in facts.toolkits.items())
    return f"{toolkits}; {facts.python}; {facts.system}; {facts.machine}, {facts.processors} processors; gilgen {facts.gilgen}; {facts.date}"


def as_text(report: Report) -> str:
    """The whole report for a terminal or a plain file. An invalid one says so first and last."""
    first = [] if report.valid else [headline(report), ""]
    table = aligned([HEADINGS, *rows(report)])
    return "\n".join([*first, about(report), "", *table, "", *details(report), "", headline(report)])


def as_markdown(report: Report) -> str:
    """The whole report as Markdown."""
    table = [HEADINGS, tuple("---" for _ in HEADINGS), *rows(report)]
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in table]
    return "\n".join(
        [
            f"**{headline(report)}**",
            "",
            about(report),
            "",
            *body,
            "",
            *(f"- {line}" for line in details(report)),
        ]
    )


def aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns of equal width, the first row underlined."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
