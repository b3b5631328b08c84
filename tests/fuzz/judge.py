"""What plain and activated runs of one program mean together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fuzz.outcome import Outcome
from fuzz.program import Program

Verdict = Literal["right", "activated only", "plain only", "both"]
FAILURES_TO_REDUCE = 2
"""How often a smaller program must fail to count as failing, of the repetitions that reducing allows."""

FEW = 2
"""How often a program is repeated with the shims that has failed without them only."""


@dataclass
class Judged:
    """All runs of one program.

    Attributes:
        program: what ran.
        activated: outcomes with the shims.
        plain: outcomes without.
    """

    program: Program
    activated: list[Outcome] = field(default_factory=list)
    plain: list[Outcome] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """Where it failed at least once."""
        activated, plain = failures(self.activated), failures(self.plain)
        if activated:
            return "both" if plain else "activated only"
        return "plain only" if plain else "right"

    @property
    def worst(self) -> Outcome | None:
        """The first failure with the shims, or else without."""
        return next((outcome for outcome in (*self.activated, *self.plain) if outcome.failed), None)

    def describe(self) -> str:
        """One line."""
        line = f"seed {self.program.seed}: {self.verdict}; activated failed {failures(self.activated)} of {len(self.activated)}"
        line += f", plain {failures(self.plain)} of {len(self.plain)}"
        return f"{line}; {self.worst.kind}: {self.worst.detail}" if self.worst else line

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        worst = self.worst
        return {
            "seed": self.program.seed, "verdict": self.verdict, "program": self.program.as_json(),
            "activated": [outcome.kind for outcome in self.activated], "plain": [outcome.kind for outcome in self.plain],
            "detail": worst.detail if worst else "", "text": worst.text if worst else "", "samples": list(worst.samples) if worst else [],
        }  # fmt: skip


def failures(outcomes: list[Outcome]) -> int:
    """How many of them failed."""
    return sum(outcome.failed for outcome in outcomes)


def confirm(judged: Judged, activated: Callable[[Program], Outcome], plain: Callable[[Program], Outcome], repeat: int) -> None:
    """Repeat a program that failed, until each mode has failed or has run `repeat` times more; a few times where only plain failed.

    Args:
        judged: gets the further outcomes.
        activated: runs a program with the shims.
        plain: runs it without.
        repeat: how often at most, each.
    """
    tries = repeat if failures(judged.activated) else min(repeat, FEW)
    for outcomes, run in ((judged.activated, activated), (judged.plain, plain)):
        for _ in range(tries):
            if failures(outcomes) >= FAILURES_TO_REDUCE or (failures(outcomes) and outcomes is judged.plain):
                break
            outcomes.append(run(judged.program))


def fails_often(run: Callable[[Program], Outcome], tries: int) -> Callable[[Program], bool]:
    """A test for the reducer: a program fails twice in `tries` runs."""

    def fails(program: Program) -> bool:
        failed = 0
        for number in range(tries):
            failed += run(program).failed
            if failed >= FAILURES_TO_REDUCE:
                return True
            if failed + tries - number - 1 < FAILURES_TO_REDUCE:
                return False
        return False

    return fails
