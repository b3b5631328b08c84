"""Does a process keep growing with each further call? Told from what the C library has handed out, not from its pages.

A call that leaks makes memory in use grow each time; a cache makes it grow a few times and then no more. So there
are calls to warm up, and then blocks of calls, each of which has to grow; what looks like a leak is looked at again
over several times as many calls.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path

from gilgen.diagnostics.cases import Work

WARM, BLOCKS, CALLS = 3, 4, 3
"""Calls before the first look; then so many blocks of so many calls."""

AGAIN = 10
"""So many times as many calls when a leak is suspected."""

STEADY = 1.5
"""A leak loses about the same each time: a block may grow by so many times what another one did, no more. What grows
less and less is a table that fills up."""

SECONDS = 0.3
"""For all of it at most; a call that is too long for that is not looked at."""

LEAST = 16
"""Bytes a call: the smallest piece that the C library hands out."""


class _Info(ctypes.Structure):
    """The C library's `struct mallinfo2` (mallinfo(3))."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")
    )


@functools.cache
def _information() -> Callable[[], _Info] | None:
    function = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if function is not None:
        function.restype = _Info
    return function


def in_use() -> int:
    """Bytes that the C library has handed out; where it does not tell, the resident set with free pages given back."""
    information = _information()
    if information is not None:
        found = information()
        return int(found.uordblks) + int(found.hblkhd)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(work: Work, seconds: float = SECONDS) -> int:
    """Bytes by which the process grows for each further call; 0 where it does not keep growing, or cannot be asked in time."""
    end = time.monotonic() + seconds
    started = time.monotonic()
    _repeat(work, 1)
    if (time.monotonic() - started) * (WARM + BLOCKS * CALLS) > seconds:
        return 0
    _repeat(work, WARM)
    found = _blocks(work, CALLS)
    if found and time.monotonic() < end:
        again = _blocks(work, CALLS * AGAIN)
        return again if again * STEADY >= found else 0
    return found


def _blocks(work: Work, calls: int) -> int:
    """Of some blocks of calls the one that grew least, in bytes a call; 0 unless all grew about as much."""
    gc.collect()
    looks = [in_use()]
    for _ in range(BLOCKS):
        _repeat(work, calls)
        looks.append(in_use())
    grown = [(after - before) / calls for before, after in itertools.pairwise(looks)]
    return round(min(grown)) if min(grown) >= LEAST and max(grown) <= STEADY * min(grown) else 0


def _repeat(work: Work, times: int) -> None:
    for _ in range(times):
        work.reset()
        work.call()
