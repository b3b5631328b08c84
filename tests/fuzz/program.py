"""What a random program is: shared things, and threads of steps that work on them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

Argument = int | float | str
"""A number, a choice, or the name of a thing."""


@dataclass(frozen=True)
class Thing:
    """One shared object, made anew for each round.

    Attributes:
        name: unique in the program.
        maker: the maker's name in the catalogue.
        arguments: what the maker is called with; the name of another thing stands for that thing.
    """

    name: str
    maker: str
    arguments: dict[str, Argument]


@dataclass(frozen=True)
class Step:
    """One operation that a thread carries out, `repeat` times."""

    operation: str
    arguments: dict[str, Argument]
    repeat: int = 1

    @property
    def key(self) -> str:
        """Equal for steps that must give equal results."""
        return f"{self.operation}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


@dataclass(frozen=True)
class Program:
    """A reproducible program.

    Attributes:
        toolkit: "vtk" or "itk".
        seed: what it was drawn from.
        things: the shared objects, in the order in which they are made.
        threads: the steps of each thread.
        rounds: how often the things are made anew, with cold caches, and the threads run.
        drop: the main thread gives up its references once the threads run, so a thread drops the last one.
    """

    toolkit: str
    seed: int
    things: tuple[Thing, ...]
    threads: tuple[tuple[Step, ...], ...]
    rounds: int
    drop: bool = False

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps, in the order of the threads."""
        return tuple(step for thread in self.threads for step in thread)

    @property
    def calls(self) -> int:
        """How many operations all rounds carry out."""
        return self.rounds * sum(step.repeat for step in self.steps)

    def without_unused(self) -> Program:
        """The same program without the things that no step needs."""
        used = {value for step in self.steps for value in step.arguments.values() if isinstance(value, str)}
        kept = []
        for thing in reversed(self.things):
            if thing.name in used:
                kept.append(thing)
                used |= {value for value in thing.arguments.values() if isinstance(value, str)}
        return replace(self, things=tuple(reversed(kept)))

    def with_threads(self, threads: tuple[tuple[Step, ...], ...], most_rounds: int = 60) -> Program:
        """The same program with other threads, and with as many more rounds as it lost steps.

        Args:
            threads: the new threads; empty ones are left out.
            most_rounds: a limit for the rounds, unless the program has more already.

        Returns:
            A program without unused things that carries out about as many operations as this one.
        """
        smaller = replace(self, threads=tuple(thread for thread in threads if thread)).without_unused()
        if not smaller.calls:
            return smaller
        rounds = math.ceil(self.rounds * self.calls / smaller.calls)
        return replace(smaller, rounds=max(self.rounds, min(rounds, most_rounds)))

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return {
            "toolkit": self.toolkit, "seed": self.seed, "rounds": self.rounds, "drop": self.drop,
            "things": [[thing.name, thing.maker, thing.arguments] for thing in self.things],
            "threads": [[[step.operation, step.arguments, step.repeat] for step in thread] for thread in self.threads],
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Program:
        """What `as_json` wrote."""
        return cls(
            data["toolkit"],
            data["seed"],
            tuple(Thing(*thing) for thing in data["things"]),
            tuple(tuple(Step(*step) for step in thread) for thread in data["threads"]),
            data["rounds"],
            data["drop"],
        )
