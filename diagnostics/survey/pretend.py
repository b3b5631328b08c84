"""A provider of pretend classes whose outcome is known: the survey's controls, measured by the same means as everything else."""

from __future__ import annotations

import ctypes
import functools
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from gilgen.diagnostics import controls
from gilgen.diagnostics.cases import Case, Work
from gilgen.diagnostics.survey.records import CannotFeedError, Fed, Feed, Target

from gilgen.model import Verdict

LEAK = 4096
"""Bytes that the leaking control loses with each call."""

FOREVER = 3600
"""Seconds for which the hanging control sleeps."""

_C = ctypes.CDLL(None)
_C.malloc.restype = ctypes.c_void_p
_C.free.argtypes = (ctypes.c_void_p,)


def _tiny(_size: int) -> Work:
    """Releases, and is over at once: only many in a row can be judged."""
    return Work(functools.partial(ctypes.CDLL(None).usleep, 1))


def _tiny_held(_size: int) -> Work:
    return Work(functools.partial(ctypes.PyDLL(None).usleep, 1))


def _leak(_size: int) -> Work:
    return Work(lambda: _C.memset(ctypes.c_void_p(_C.malloc(LEAK)), 1, LEAK))


def _cache(_size: int) -> Work:
    """Keeps something of its first calls and then no more."""
    kept: list[int] = []

    def call() -> None:
        if len(kept) < 2:  # noqa: PLR2004 - two entries
            kept.append(_C.malloc(1 << 20))
        _C.free(_C.malloc(1 << 20))

    return Work(call)


def _crash(_size: int) -> Work:
    return Work(lambda: ctypes.string_at(0))


def _abort(_size: int) -> Work:
    return Work(os.abort)


def _hang(_size: int) -> Work:
    return Work(lambda: time.sleep(FOREVER))


def _hungry(size: int) -> Work:
    """Works on small inputs and asks for more memory than there is on large ones."""
    if size > 10_000:  # noqa: PLR2004 - beyond the first step of the ladder
        raise MemoryError
    return _tiny(size)


def _picky(_size: int) -> Work:
    raise CannotFeedError("no generic input")


@dataclass(frozen=True, slots=True)
class Control:
    """A pretend class, and the outcome that it must have; `leaks` tells whether it must be found to leak."""

    case: Case
    expected: Verdict
    leaks: bool = False


def _control(name: str, make: object, expected: Verdict, *, leaks: bool = False) -> Control:
    return Control(Case(name, "control", name, make, 4096, 100_000), expected, leaks)  # type: ignore[arg-type]


CONTROLS = (
    *(Control(control.case, control.expected) for control in controls.CONTROLS),
    _control("tiny-released", _tiny, "releases"),
    _control("tiny-held", _tiny_held, "holds"),
    _control("leak", _leak, "too short", leaks=True),
    _control("cache", _cache, "too short"),
    _control("crash", _crash, "crash"),
    _control("hang", _hang, "timeout"),
    _control("picky", _picky, "untested"),
)
"""Part of every survey."""

EXPECTED = {control.case.name: control for control in CONTROLS}
EXTRA = {case.name: case for case in (_control("abort", _abort, "crash").case, _control("hungry", _hungry, "releases").case)}
"""Further ones, for the tests alone."""


def targets() -> tuple[Target, ...]:
    """All controls."""
    return tuple(Target("control", "controls", name) for name in EXPECTED)


def load() -> None:
    """Nothing to import."""


def prepare() -> None:
    """Nothing to set up."""


def quiet() -> None:
    """Nothing here says anything."""


def module_of(target: Target) -> str:
    """They are all in one."""
    return target.module


def feeds(target: Target) -> Iterable[Feed]:
    """The one way to feed a control."""
    case = EXPECTED[target.name].case if target.name in EXPECTED else EXTRA[target.name]

    def make(size: int) -> Fed:
        work = case.make(size)
        return Fed({case.call: work})

    yield Feed("nothing", make, case.size, case.limit)
