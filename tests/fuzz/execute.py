"""Runs one program in this process, and compares what its calls return with what they return alone."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from dataclasses import dataclass, field
from random import Random
from typing import Any

from fuzz import stepped
from fuzz.catalogue import Catalogue
from fuzz.program import Argument, Program, Step

MOST_REPORTED = 20
"""Wrong results that one run reports; the others are counted only."""

Things = dict[str, Any]


@dataclass
class Findings:
    """What a run showed.

    Attributes:
        calls: operations that were carried out.
        wrong: how many of them returned a digest that is not right, or raised an exception.
        samples: the first of these: thread, operation, what it returned, what is right.
    """

    calls: int = 0
    wrong: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)

    def note(self, thread: int, step: Step, got: str, expected: set[str]) -> None:
        """Compare one result."""
        self.calls += 1
        if got not in expected:
            self.wrong += 1
            if len(self.samples) < MOST_REPORTED:
                self.samples.append({"thread": thread, "operation": step.key, "got": got, "expected": sorted(expected)})


def run(program: Program, catalogue: Catalogue, order: str = "threads") -> Findings:
    """Run all rounds of a program.

    Args:
        program: what to run.
        catalogue: its toolkit's makers and operations.
        order: "threads", all at once; "serial", one step after the other in this thread, in a random order of
            the threads; or "stepped", threads that take turns at line ends, so no two wrapped calls overlap.

    Returns:
        What was compared, and what differed.
    """
    expected = alone(program, catalogue)
    findings = Findings()
    runner = {"threads": _at_once, "serial": _in_turn, "stepped": _at_once}[order]
    for number in range(program.rounds):
        turns = stepped.Turns(program.seed + number, len(program.threads)) if order == "stepped" else None
        runner(program, catalogue, expected, findings, turns)
    return findings


def make(program: Program, catalogue: Catalogue) -> Things:
    """The shared things, new and with cold caches."""
    things: Things = {}
    for thing in program.things:
        things[thing.name] = catalogue.makers[thing.maker].make(**resolve(thing.arguments, things))
    return things


def resolve(arguments: dict[str, Argument], things: Things) -> dict[str, Any]:
    """Arguments with the things that their names stand for."""
    return {name: things.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()}


def alone(program: Program, catalogue: Catalogue) -> dict[str, set[str]]:
    """The right digests of each distinct step, from things of their own."""
    steps = {step.key: step for step in program.steps}
    things = make(program, catalogue)
    return {key: catalogue.operations[step.operation].expected(resolve(step.arguments, things)) for key, step in steps.items()}


def perform(step: Step, catalogue: Catalogue, things: Things) -> str:
    """The digest that one call of a step's operation returns, or what it raises."""
    try:
        return catalogue.operations[step.operation].run(**resolve(step.arguments, things))
    except Exception:  # noqa: BLE001 - whatever is raised is a finding
        return "".join(traceback.format_exc(limit=-3))


def _at_once(program: Program, catalogue: Catalogue, expected: dict[str, set[str]], findings: Findings, turns: stepped.Turns | None) -> None:
    things = make(program, catalogue)
    start = threading.Barrier(len(program.threads) + 1)
    results: list[list[tuple[Step, str]]] = [[] for _ in program.threads]

    def work(number: int, mine: Things) -> None:
        start.wait()
        with turns.taken(number) if turns else contextlib.nullcontext():
            for step in program.threads[number]:
                for _ in range(step.repeat):
                    results[number].append((step, perform(step, catalogue, mine)))
            mine.clear()

    threads = [threading.Thread(target=work, args=(number, dict(things))) for number in range(len(program.threads))]
    for thread in threads:
        thread.start()
    if program.drop:
        things.clear()
    start.wait()
    for thread in threads:
        thread.join()
    for number, mine in enumerate(results):
        for step, got in mine:
            findings.note(number, step, got, expected[step.key])


def _in_turn(program: Program, catalogue: Catalogue, expected: dict[str, set[str]], findings: Findings, _turns: stepped.Turns | None) -> None:
    things = make(program, catalogue)
    chance = Random(program.seed)  # noqa: S311 - must be reproducible
    waiting = [[step for step in thread for _ in range(step.repeat)] for thread in program.threads]
    while any(waiting):
        number = chance.choice([number for number, steps in enumerate(waiting) if steps])
        step = waiting[number].pop(0)
        findings.note(number, step, perform(step, catalogue, things), expected[step.key])


def prepare() -> None:
    """Make this process change threads as often as it can."""
    sys.setswitchinterval(1e-5)
