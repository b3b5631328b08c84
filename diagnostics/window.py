"""The window proof: does another Python thread run strictly inside the call?

A heartbeat thread notes the time about once a millisecond. `sys.setswitchinterval` is set far beyond the
call's length, so a thread that waits for the GIL never asks the running one to give it up: a tick inside
the call's window can only come from an explicit release. Load on the machine can delay ticks but never
make one, so it can hide a release but not feign it; what load costs is measured beside each window.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from gilgen.diagnostics.cases import Work

from gilgen.model import Window

HEARTBEAT = 0.001
"""Seconds that the heartbeat sleeps between ticks: short beside any call worth releasing, cheap to run."""

PROOF_INTERVAL = 1000.0
"""The switch interval in seconds during the proof: far longer than any deadline."""

REFERENCE = 0.04
"""Seconds for which a call that is known to release runs before and after: some forty ticks."""

STALL = 0.025
"""A gap in seconds that counts as others being kept out: 25 ticks missed, well above a scheduler's delay,
below what a person notices in a window that is being dragged."""

WINDOWS = 3
"""At most so many windows a case. The GIL is held the same way each time, load is not."""

ALIVE_TIMEOUT = 10.0
"""Seconds in which the heartbeat has to show its first ticks, even on a very busy machine."""

_BUFFER = bytes(4 << 20)


class Heartbeat(threading.Thread):
    """Notes `time.perf_counter()` about every millisecond, whenever it can have the GIL."""

    def __init__(self) -> None:
        super().__init__(name="gilgen-heartbeat", daemon=True)
        self.ticks: list[float] = []
        self._stopped = threading.Event()

    def run(self) -> None:
        """Tick until stopped."""
        while not self._stopped.is_set():
            self.ticks.append(time.perf_counter())
            time.sleep(HEARTBEAT)

    def stop(self) -> None:
        """Stop, and wait until the thread has ended."""
        self._stopped.set()
        self.join()


@contextmanager
def heartbeat(switch_interval: float) -> Iterator[Heartbeat]:
    """A heartbeat that ticks, under a switch interval in seconds; both are undone at the end.

    The garbage collector is off meanwhile: what it finalises could release the GIL by itself.
    """
    beat = Heartbeat()
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    gc.disable()
    beat.start()
    deadline = time.monotonic() + ALIVE_TIMEOUT
    while len(beat.ticks) < 3 and time.monotonic() < deadline:  # noqa: PLR2004 - two full beats
        time.sleep(HEARTBEAT)
    sys.setswitchinterval(switch_interval)
    try:
        yield beat
    finally:
        sys.setswitchinterval(interval)
        beat.stop()
        if collecting:
            gc.enable()


def timed_call(call: Callable[[], object]) -> tuple[float, float]:
    """Run the call; the times right before and right after. `witness` looks for this function's name."""
    start = time.perf_counter()
    call()
    return start, time.perf_counter()


def known_release() -> None:
    """Compute for `REFERENCE` seconds in calls that release the GIL."""
    end = time.perf_counter() + REFERENCE
    while time.perf_counter() < end:
        hashlib.sha256(_BUFFER)


def gaps_between(ticks: Sequence[float], start: float, end: float) -> list[float]:
    """The times in seconds between ticks strictly inside the window, its two edges included."""
    inside = [start, *(tick for tick in ticks if start < tick < end), end]
    return [later - earlier for earlier, later in itertools.pairwise(inside)]


def longest_gap(ticks: Sequence[float], start: float, end: float) -> float:
    """The longest gap in seconds; infinite where no tick fell inside."""
    gaps = gaps_between(ticks, start, end)
    return max(gaps) if len(gaps) > 1 else math.inf


def read_ticks(ticks: Sequence[float], start: float, end: float, reference_gap: float) -> Window:
    """A window's record from the heartbeat's ticks; all times in seconds of one clock."""
    gaps = gaps_between(ticks, start, end)
    duration = end - start
    kept_out = sum(gap for gap in gaps if gap > STALL) if len(gaps) > 1 else duration
    covered = max(0.0, 1.0 - kept_out / duration) if duration > 0 else 0.0
    return Window(duration, len(gaps) - 1, max(gaps), covered, reference_gap)


def measure(call: Callable[[], object], *, switch_interval: float = PROOF_INTERVAL) -> Window:
    """Measure one call.

    Args:
        call: run once, in this thread.
        switch_interval: in seconds. The default makes ticks a proof of release; Python's usual 0.005 shows
            what a program sees every day, where a call that holds also keeps others out for its length.
    """
    with heartbeat(switch_interval) as beat:
        before = timed_reference()
        start, end = timed_call(call)
        after = timed_reference()
    reference_gap = max(longest_gap(beat.ticks, *before), longest_gap(beat.ticks, *after))
    return read_ticks(beat.ticks, start, end, reference_gap)


def timed_reference() -> tuple[float, float]:
    """Run the known release; when it began and ended."""
    start = time.perf_counter()
    known_release()
    return start, time.perf_counter()


def prove(work: Work, is_clear: Callable[[Window, int], bool]) -> tuple[Window, float]:
    """Measure until a window is clear; return the one that let others run most, and the seconds of all calls.

    Whatever else keeps the heartbeat waiting, it is not the GIL of a call that let it through another time.

    Args:
        work: measured up to `WINDOWS` times.
        is_clear: told a window and how many there were so far; says whether another is unnecessary.
    """
    windows: list[Window] = []
    while len(windows) < WINDOWS:
        work.reset()
        windows.append(measure(work.call))
        if is_clear(windows[-1], len(windows)):
            break
    best = max(windows, key=lambda window: (window.covered, window.ticks))
    return best, sum(window.duration for window in windows)
