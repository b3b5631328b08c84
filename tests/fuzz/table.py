"""The counts of many programs, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from fuzz.judge import Judged, failures

HEADINGS = ("", "programs", "plain failed", "activated failed", "only activated", "only plain", "crashes", "hangs", "seconds")


@dataclass(frozen=True)
class Counts:
    """What is counted for one toolkit.

    Attributes:
        toolkit: "vtk" or "itk".
        programs: how many ran.
        plain_failed: failed at least once without the shims.
        activated_failed: failed at least once with the shims.
        only_activated: failed with the shims and never without. It must be 0.
        only_plain: failed without the shims and never with them.
        crashes: activated programs that crashed at least once.
        hangs: activated programs that did not end at least once.
        seconds: from begin to end.
    """

    toolkit: str
    programs: int
    plain_failed: int
    activated_failed: int
    only_activated: int
    only_plain: int
    crashes: int
    hangs: int
    seconds: float

    @property
    def met(self) -> bool:
        """Nothing fails that the plain toolkit gets right."""
        return self.only_activated == 0


def counts(toolkit: str, programs: int, doubtful: Iterable[Judged], seconds: float) -> Counts:
    """Count the verdicts.

    Args:
        toolkit: "vtk" or "itk".
        programs: how many ran, those that were right included.
        doubtful: those that failed at least once.
        seconds: from begin to end.
    """
    judged = tuple(doubtful)
    verdicts = [one.verdict for one in judged]
    return Counts(
        toolkit,
        programs,
        sum(failures(one.plain) > 0 for one in judged),
        sum(failures(one.activated) > 0 for one in judged),
        verdicts.count("activated only"),
        verdicts.count("plain only"),
        sum(any(outcome.kind == "crash" for outcome in one.activated) for one in judged),
        sum(any(outcome.kind == "hang" for outcome in one.activated) for one in judged),
        round(seconds, 1),
    )


def text(rows: Iterable[Counts]) -> str:
    """A table with one line for each toolkit."""
    lines = [HEADINGS, *(tuple(str(value) for value in asdict(row).values()) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
