"""Makes a failing program smaller while it still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from fuzz.program import Program

Item = TypeVar("Item")
MOST_PASSES = 3


def minimal(items: tuple[Item, ...], fails: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Delta debugging: a part of `items` that fails, and of which nothing can be left out alone.

    Args:
        items: fails as a whole.
        fails: whether a part, in the same order, still fails.

    Returns:
        The part; `items` itself where nothing can be left out.
    """
    pieces = 2
    while len(items) > 1:
        size = -(-len(items) // pieces)
        for begin in range(0, len(items), size):
            rest = items[:begin] + items[begin + size :]
            if rest and fails(rest):
                items, pieces = rest, max(pieces - 1, 2)
                break
        else:
            if pieces >= len(items):
                return items
            pieces = min(2 * pieces, len(items))
    return items


def reduced(program: Program, fails: Callable[[Program], bool]) -> Program:
    """The smallest form of a program that still fails: fewer threads, steps, repetitions and rounds.

    Args:
        program: fails.
        fails: whether a smaller program fails, too; it is asked often.

    Returns:
        A program for which `fails` returned true, or the program itself.
    """
    for _ in range(MOST_PASSES):
        before = program
        program = _fewer_threads(program, fails)
        program = _fewer_steps(program, fails)
        if program == before:
            break
    for simpler in (_without_repetition, _without_drop):
        candidate = simpler(program)
        if candidate != program and fails(candidate):
            program = candidate
    for candidate in _fewer_rounds(program):
        if not (fails(candidate) and fails(candidate)):  # one that fails rarely is of little use
            break
        program = candidate
    return program


def _fewer_threads(program: Program, fails: Callable[[Program], bool]) -> Program:
    kept = minimal(program.threads, lambda threads: fails(program.with_threads(threads)))
    return program if kept == program.threads else program.with_threads(kept)


def _fewer_steps(program: Program, fails: Callable[[Program], bool]) -> Program:
    for number in range(len(program.threads)):
        before, steps, after = program.threads[:number], program.threads[number], program.threads[number + 1 :]
        kept = minimal(steps, lambda part: fails(program.with_threads((*before, part, *after))))  # noqa: B023 - called at once
        if kept != steps:
            program = program.with_threads((*before, kept, *after))
    return program


def _without_repetition(program: Program) -> Program:
    return program.with_threads(tuple(tuple(replace(step, repeat=1) for step in thread) for thread in program.threads))


def _without_drop(program: Program) -> Program:
    return replace(program, drop=False)


def _fewer_rounds(program: Program) -> Iterator[Program]:
    rounds = program.rounds
    while rounds > 1:
        rounds //= 2
        yield replace(program, rounds=rounds)
