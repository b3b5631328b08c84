"""Everything that stands behind one verdict, as lines for people: what was seen, in which figures, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass

from gilgen.diagnostics.report.readings import readings
from gilgen.diagnostics.report.words import seconds
from gilgen.diagnostics.window import NEVER

from gilgen.model import CaseResult, Overlap, Waits, Window, Witness


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure: what it is, its value, and what it means to a reader who sees it for the first time."""

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """The facts of one witness."""

    title: str
    facts: tuple[Fact, ...]


def pieces(result: CaseResult) -> tuple[Piece, ...]:
    """What each witness saw; those that were not asked are left out."""
    found = (
        _window(result.window) if result.window else None,
        _waits(result.waits) if result.waits else None,
        _witness(result.witness) if result.witness else None,
        _overlap(result.overlap) if result.overlap else None,
        _inside(result.inside) if result.inside is not None else None,
    )
    return tuple(piece for piece in found if piece is not None)


def evidence(result: CaseResult) -> list[str]:
    """The same as lines of plain text."""
    lines = [f"{result.verdict}: {result.because}"]
    lines += [f"{one.question} {one.answer}{f' ({one.figures})' if one.figures and one.figures != result.because else ''}" for one in readings(result)]
    for piece in pieces(result):
        lines.append(f"{piece.title}: {'; '.join(f'{fact.name} {fact.value}' for fact in piece.facts)}")
    return [*lines, *result.notes, *([result.message] if result.message else [])]


def _window(window: Window) -> Piece:
    kept = window.stall
    facts = (
        Fact("the call took", seconds(window.duration) + (f" ({window.calls:,} calls in a row)" if window.calls > 1 else "")),
        Fact("ticks of another thread inside", f"{window.ticks:,}", "each one is proof of a release"),
        Fact("others could run in", f"{window.covered:.1%}", "of the call"),
        Fact("others waited", seconds(window.longest_gap), "the longest gap between two ticks, load included"),
        Fact("of that, not by load", "the kernel does not tell" if kept is None else seconds(kept), "less the time in which the kernel kept a thread waiting for a processor"),
        Fact("load alone made them wait", seconds(window.reference_gap) if window.reference_gap < NEVER else "for ever", "beside a call that is known to release"),
        *([Fact("load left", f"{window.seen:.1%}", "of the call to judge by")] if window.seen is not None else []),
        Fact("processor time of the caller", seconds(window.processor)),
    )  # fmt: skip
    return Piece("Window: did another thread run strictly inside the call?", facts)


def _waits(waits: Waits) -> Piece:
    part = f" ({waits.waiting / waits.samples:.0%})" if waits.samples else ""
    return Piece(
        "Kernel: did another thread wait for the GIL?",
        (Fact("looks that found it waiting", f"{waits.waiting:,} of {waits.samples:,}{part}", "seen from outside the process"),),
    )


def _witness(witness: Witness) -> Piece:
    part = f" ({witness.holding / witness.samples:.0%})" if witness.samples else ""
    return Piece(
        f"{witness.sampler}: did the caller have the GIL?",
        (Fact("samples that found it with the GIL", f"{witness.holding:,} of {witness.samples:,}{part}", "seen from outside the process"),),
    )


def _overlap(overlap: Overlap) -> Piece:
    facts = (
        Fact("two calls in turn", seconds(overlap.serial)),
        Fact("two at once", seconds(overlap.parallel)),
        Fact("in turn / at once", f"{overlap.ratio:.2f}", "2 is fully at once, 1 is one after the other"),
        Fact("processor seconds a second, at once", f"{overlap.simultaneous:.2f}", "above 1 only where both ran at the same time"),
        Fact("processor seconds a second, in turn", f"{overlap.busy:.2f}", "1 is a call that computes all the time"),
        Fact("calls known to release reached", f"{overlap.reference:.2f}", "at the same time on this machine"),
    )
    return Piece("Overlap: serial against parallel", facts)


def _inside(value: float) -> Piece:
    return Piece("One call by itself", (Fact("processors kept busy", f"{value:.2f}", "with the toolkit's own number of threads"),))
