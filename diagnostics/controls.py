"""Calls whose answer is known: they prove in every run that the harness can see both.

Two C functions are called through `ctypes.CDLL`, which releases the GIL, and through
`ctypes.PyDLL`, which keeps it: nothing else differs, so a harness that confuses them is broken. A loop of bytecode shows that the proof's switch interval works.
"""

from __future__ import annotations

import ctypes
import hashlib
import time
from dataclasses import dataclass

from gilgen.diagnostics.cases import Case, Work

from gilgen.model import CaseResult, Verdict

SECOND = 1_000_000
"""Microseconds in a second: the unit of the controls that sleep."""


def _sleep(microseconds: int) -> Work:
    return Work(lambda: time.sleep(microseconds / SECOND))


def _hash(size: int) -> Work:
    buffer = bytes(size)
    return Work(lambda: hashlib.sha256(buffer).digest())


def _released_sleep(microseconds: int) -> Work:
    library = ctypes.CDLL(None)
    return Work(lambda: library.usleep(microseconds))


def _held_sleep(microseconds: int) -> Work:
    library = ctypes.PyDLL(None)
    return Work(lambda: library.usleep(microseconds))


def _sort(library: ctypes.CDLL, count: int) -> Work:
    """Sort `count` numbers with the C library's qsort and its strcmp as the comparison: all in C."""
    # Eight bytes each, a zero byte only at the end, so that strcmp sees a string.
    words = (
        "".join(chr((index * 7919 + place * 31) % 127 + 1) for place in range(7)) + "\0"
        for index in range(4096)
    )
    digits = "".join(words).encode()
    original = digits * (count // 4096 + 1)
    buffer = ctypes.create_string_buffer(original)
    comparison = ctypes.cast(ctypes.CDLL(None).strcmp, ctypes.c_void_p)
    arguments = (buffer, ctypes.c_size_t(len(original) // 8), ctypes.c_size_t(8), comparison)

    def scramble() -> None:
        ctypes.memmove(buffer, original, len(original))

    return Work(lambda: library.qsort(*arguments), scramble)


def _released_sort(count: int) -> Work:
    return _sort(ctypes.CDLL(None), count)


def _held_sort(count: int) -> Work:
    return _sort(ctypes.PyDLL(None), count)


def _loop(microseconds: int) -> Work:
    """Bytecode: every day it gives the GIL up each 5 ms, under the proof's switch interval never."""

    def spin() -> None:
        end = time.perf_counter() + microseconds / SECOND
        while time.perf_counter() < end:
            pass

    return Work(spin)


@dataclass(frozen=True, slots=True)
class Control:
    """A case and the verdict that it must get."""

    case: Case
    expected: Verdict


CONTROLS = (
    Control(Case("sleep", "control", "time.sleep", _sleep, SECOND // 5, SECOND), "releases"),
    Control(Case("hash", "control", "hashlib.sha256", _hash, 200 << 20, 1 << 30), "releases"),
    Control(
        Case("sort-released", "control", "qsort by ctypes.CDLL", _released_sort, 500_000, 8_000_000),
        "releases",
    ),
    Control(Case("sort-held", "control", "qsort by ctypes.PyDLL", _held_sort, 500_000, 8_000_000), "holds"),
    Control(
        Case("usleep-released", "control", "usleep by ctypes.CDLL", _released_sleep, SECOND // 5, SECOND),
        "releases",
    ),
    Control(Case("loop", "control", "a loop of bytecode", _loop, SECOND // 5, SECOND), "holds"),
    Control(
        Case("usleep-held", "control", "usleep by ctypes.PyDLL", _held_sleep, SECOND // 5, SECOND), "holds"
    ),
)
"""Part of every run; both answers are among those that compute and those that wait."""

CASES = tuple(control.case for control in CONTROLS)
EXPECTED = {control.case.name: control.expected for control in CONTROLS}


def load() -> None:
    """Nothing to import."""


def single_threaded() -> None:
    """The controls have no threads of their own."""


def all_threads() -> None:
    """Nothing to undo."""


def failed(results: tuple[CaseResult, ...]) -> tuple[CaseResult, ...]:
    """Of the controls' results those that are not as expected, "unknown" and missing ones too."""
    return tuple(result for result in results if result.verdict != EXPECTED[result.case])
