"""The window proof: does another Python thread run strictly inside the call?

A heartbeat thread notes the time about once a millisecond. `sys.setswitchinterval` is set far beyond the
call's length, so a thread that waits for the GIL never asks the running one to give it up: a tick inside
the call's window can only come from an explicit release. Load on the machine can delay ticks but never
make one, so it can hide a release but not feign it.

What load costs is measured, too. The kernel counts how long each thread was ready to run and had no processor
(schedstat). Between two ticks that time is load's; the rest of a gap the heartbeat spent asleep, and it sleeps for
nothing but its millisecond and the GIL. Where the kernel does not tell, a call that is known to release runs before
and after, and shows what load alone does.
"""

from __future__ import annotations

import collections
import ctypes
import functools
import gc
import hashlib
import itertools
import math
import operator
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from gilgen.diagnostics.cases import Work, nothing
from gilgen.diagnostics.records import Scene

from gilgen.model import Window

HEARTBEAT = 0.001
"""Seconds that the heartbeat sleeps between ticks: short beside any call worth releasing, cheap to run."""

PROOF_INTERVAL = 1000.0
"""The switch interval in seconds during the proof: far longer than any deadline."""

IMPATIENT_INTERVAL = 5e-4
"""The switch interval in seconds for calls in a row: a thread that waits asks for the GIL soon, and not so often that
asking takes a processor. No bytecode runs that could heed it, but a release does: CPython then does not take the GIL
back before the other thread has had it (FORCE_SWITCHING, Python/ceval_gil.c), so that the shortest release shows."""

ASKED = 0.005
"""Seconds asleep in a row of calls after which the heartbeat has certainly asked for the GIL: its millisecond and some
intervals. From then on no load can hide a release, because the call that releases waits until the heartbeat has ticked."""

REFERENCE = 0.04
"""Seconds for which a call that is known to release runs before and after: some forty ticks."""

STALL = 0.025
"""A gap in seconds that counts as others being kept out: 25 ticks missed, well above a scheduler's delay,
below what a person notices in a window that is being dragged."""

WINDOWS = 3
"""At most so many windows a case. The GIL is held the same way each time, load is not."""

ALIVE_TIMEOUT = 10.0
"""Seconds in which the heartbeat has to show its first ticks, even on a very busy machine."""

ROW = 0.08
"""Seconds that calls in a row should take together."""

ROW_SECONDS = 2.0
"""Seconds that a row may take where each of its calls takes as long as one has taken at worst."""

ROW_LIMIT = 100_000
"""At most so many calls in a row."""

NEVER = 1e6
"""Seconds that stand for "no tick at all": longer than any call, and a number that JSON has."""

ROWS = 3
"""A row that turns out too short is made longer so often."""

TOO_SHORT = 0.03
"""Seconds: fewer than thirty heartbeats, where a delayed tick or two would decide the verdict."""

_BUFFER = bytes(4 << 20)

_pread = ctypes.PyDLL(None).pread
_pread.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long)
_pread.restype = ctypes.c_ssize_t


class Tick(NamedTuple):
    """One sign of life.

    Attributes:
        at: when, in seconds of `time.perf_counter`.
        own: seconds that the heartbeat had waited for a processor until then.
        caller: the same of the calling thread.
    """

    at: float
    own: float = math.nan
    caller: float = math.nan


class QueueTime:
    """How long a thread of this process has been ready to run without getting a processor.

    The second number of /proc/self/task/TID/schedstat, in nanoseconds (Linux: Documentation/scheduler/sched-stats).
    """

    def __init__(self, thread: int) -> None:
        self._buffer = ctypes.create_string_buffer(64)
        try:
            self._file = os.open(f"/proc/self/task/{thread}/schedstat", os.O_RDONLY)
        except OSError:
            self._file = -1

    def read(self) -> float:
        """Seconds since the thread began; not a number where the kernel does not tell. It keeps the GIL."""
        # `os.pread` would release the GIL, and what is read would no longer belong to the moment before.
        length = _pread(self._file, self._buffer, len(self._buffer), 0)
        words = self._buffer.raw[: max(0, length)].split()
        return int(words[1]) * 1e-9 if len(words) > 1 else math.nan

    def close(self) -> None:
        """Close its file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class Heartbeat(threading.Thread):
    """Notes the time about every millisecond, whenever it can have the GIL. `caller` is the thread that makes it."""

    def __init__(self) -> None:
        super().__init__(name="gilgen-heartbeat", daemon=True)
        self.ticks: list[Tick] = []
        self.caller = threading.get_native_id()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Tick until stopped."""
        own, caller = QueueTime(threading.get_native_id()), QueueTime(self.caller)
        try:
            while not self._stopped.is_set():
                self.ticks.append(Tick(time.perf_counter(), own.read(), caller.read()))
                time.sleep(HEARTBEAT)
        finally:
            own.close()
            caller.close()

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


def timed_row(call: Callable[[], object], reset: Callable[[], object], count: int) -> tuple[float, float]:
    """Run `reset` and `call` in turn, `count` times, as `in_a_row`. `witness` looks for this function's name, too."""
    return in_a_row(call, reset, count)


def in_a_row(call: Callable[[], object], reset: Callable[[], object], count: int) -> tuple[float, float]:
    """Run two functions in turn, from C: no bytecode runs between the times right before and right after.

    Only for what `runs_bytecode` denies: the interpreter gives the GIL up between bytecodes, C does not.
    """
    turns: Iterator[Callable[[], object]] = itertools.chain.from_iterable(itertools.repeat((reset, call), count))
    length = 2 * count
    if reset is nothing:
        turns, length = itertools.repeat(call, count), count
    times = [time.perf_counter]
    results = map(operator.call, itertools.chain(times, turns, times))
    edges = itertools.chain((True,), itertools.repeat(False, length), (True,))  # noqa: FBT003 - which results are kept
    # One bytecode takes both times, with all that lies between them.
    start, end = itertools.compress(results, edges)
    return start, end  # type: ignore[return-value]


def runs_bytecode(*functions: Callable[[], object]) -> bool:
    """Whether calling these in turn runs any Python code: the functions themselves, or callbacks of theirs in this thread."""
    seen = False

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal seen
        seen = seen or event == "call"

    before: Any = sys.getprofile()
    if before is not None and not callable(before):
        return True  # a profiler in C, which could not be put back; what a row of calls would add is done without
    turns = map(operator.call, functions)
    sys.setprofile(note)
    try:
        collections.deque(turns, maxlen=0)
    finally:
        sys.setprofile(before)
    return seen


def known_release() -> None:
    """Compute for `REFERENCE` seconds in calls that release the GIL."""
    end = time.perf_counter() + REFERENCE
    while time.perf_counter() < end:
        hashlib.sha256(_BUFFER)


def longest_gap(ticks: Sequence[Tick], start: float, end: float) -> float:
    """The longest time in seconds without a tick; `NEVER` where no tick fell inside."""
    inside = [tick.at for tick in ticks if start < tick.at < end]
    return max(later - earlier for earlier, later in itertools.pairwise([start, *inside, end])) if inside else NEVER


class Gap(NamedTuple):
    """A time between ticks, or between a tick and an edge of the window; in seconds.

    Attributes:
        length: what of it lies in the window.
        queued: how long the heartbeat was ready to run meanwhile, without a processor.
        caller: how long the calling thread was.
    """

    length: float
    queued: float
    caller: float

    @property
    def blocked(self) -> float:
        """How long the heartbeat slept: for its millisecond, or for the GIL."""
        return max(0.0, self.length - self.queued)

    @property
    def stall(self) -> float:
        """How long the call itself kept the heartbeat out at the least: without the time in which it had no processor."""
        return max(0.0, self.blocked - self.caller)


def gaps_between(ticks: Sequence[Tick], start: float, end: float) -> list[Gap]:
    """The times between ticks strictly inside the window, its two edges included.

    A gap's queues are those between the two ticks around it, also where the edge of the window cuts it short. Where the
    kernel does not tell, they are not a number.
    """
    inside = [index for index, tick in enumerate(ticks) if start < tick.at < end]
    first, last = (inside[0], inside[-1]) if inside else (next((index for index, tick in enumerate(ticks) if tick.at >= end), len(ticks)), -1)
    edge = Tick(start, *(ticks[first - 1][1:] if first > 0 else ()))
    after = last + 1 if inside else first
    ending = Tick(end, *(ticks[after][1:] if after < len(ticks) else ()))
    places = [edge, *(ticks[index] for index in inside), ending]
    return [
        Gap(later.at - earlier.at, min(later.own - earlier.own, later.at - earlier.at), min(later.caller - earlier.caller, later.at - earlier.at))
        for earlier, later in itertools.pairwise(places)
    ]


def read_ticks(ticks: Sequence[Tick], start: float, end: float, reference_gap: float, *, processor: float = 0.0, calls: int = 1) -> Window:
    """A window's record from the heartbeat's ticks; all times in seconds of one clock."""
    gaps = gaps_between(ticks, start, end)
    duration = end - start
    told = not any(math.isnan(gap.queued) or math.isnan(gap.caller) for gap in gaps)
    if told:
        seen = sum(gap.blocked for gap in gaps)
        kept_out = sum(gap.blocked for gap in gaps if gap.stall > STALL)
    else:
        seen = duration
        kept_out = sum(gap.length for gap in gaps if gap.length > STALL)
    if len(gaps) == 1:  # no tick
        kept_out = seen
    return Window(
        duration=duration,
        ticks=len(gaps) - 1,
        longest_gap=max(gap.length for gap in gaps),
        covered=max(0.0, 1.0 - kept_out / seen) if seen > 0 else 0.0,
        reference_gap=reference_gap,
        stall=max(gap.stall for gap in gaps) if told else None,
        seen=seen / duration if told and duration > 0 else None,
        processor=processor,
        calls=calls,
    )


def measure(call: Callable[[], object], *, switch_interval: float = PROOF_INTERVAL) -> Window:
    """Measure one call.

    Args:
        call: run once, in this thread.
        switch_interval: in seconds. The default makes ticks a proof of release; Python's usual 0.005 shows
            what a program sees every day, where a call that holds also keeps others out for its length.
    """
    return watch(functools.partial(timed_call, call), switch_interval)[0]


def watch(timed: Callable[[], tuple[float, float]], switch_interval: float, *, calls: int = 1) -> tuple[Window, Scene]:
    """Measure what `timed` runs and times; the window, and what to look for in what was seen from outside."""
    with heartbeat(switch_interval) as beat:
        before = timed_reference()
        processor = time.thread_time()
        start, end = timed()
        processor = time.thread_time() - processor
        after = timed_reference()
    reference_gap = max(longest_gap(beat.ticks, *before), longest_gap(beat.ticks, *after))
    found = read_ticks(beat.ticks, start, end, reference_gap, processor=processor, calls=calls)
    assert beat.native_id is not None  # noqa: S101 - it has run
    names = {beat.caller: "the calling thread", beat.native_id: "another thread"}
    return found, Scene("one call", before[0], after[1], names, ((beat.caller, start, end),), beat.native_id)


def timed_reference() -> tuple[float, float]:
    """Run the known release; when it began and ended."""
    start = time.perf_counter()
    known_release()
    return start, time.perf_counter()


class Proof(NamedTuple):
    """The window that let others run most, its scene, and the seconds of all calls, also of those that were too short."""

    window: Window
    scene: Scene
    seconds: float


def prove(work: Work, is_clear: Callable[[Window, int], bool]) -> Proof:
    """Measure until a window is clear. A call that is too short alone is made many times in a row, where that can be done from C.

    Whatever else keeps the heartbeat waiting, it is not the GIL of a call that let it through another time.

    Args:
        work: measured up to `WINDOWS` times.
        is_clear: told a window and how many there were so far; says whether another is unnecessary.
    """
    work.reset()
    found = [watch(functools.partial(timed_call, work.call), PROOF_INTERVAL)]
    count, seconds = row_of(work, own_seconds(found[0][0]), found[0][0].duration), 0.0
    if count > 1:
        seconds += found[0][0].duration
        found = [_watch_row(work, count)]
        for _ in range(ROWS):
            if found[0][0].duration >= TOO_SHORT or count == ROW_LIMIT:
                break
            # Alone, the first one took longer than each of them.
            count = min(ROW_LIMIT, round(count * ROW / max(found[0][0].duration, 1e-6)))
            seconds += found[0][0].duration
            found = [_watch_row(work, count)]
    while len(found) < WINDOWS and not is_clear(found[-1][0], len(found)):
        if count > 1:
            found.append(_watch_row(work, count))
        else:
            work.reset()
            found.append(watch(functools.partial(timed_call, work.call), PROOF_INTERVAL))
    best = max(found, key=lambda pair: (pair[0].covered, pair[0].ticks))
    return Proof(*best, seconds + sum(window.duration for window, _ in found))


def own_seconds(window: Window) -> float:
    """How much of a window that nobody entered was certainly the call's: what it computed, or kept others out beyond what load did.

    A call that a busy machine interrupts while it holds the GIL keeps others out for as long as it waits for a processor.
    """
    if window.ticks or window.stall is None:
        return window.duration
    return max(window.stall, min(window.duration, window.processor))


def row_of(work: Work, seconds: float, longest: float = 0.0) -> int:
    """How many calls of `seconds` each to measure in a row; 1 where one is long enough, or where a row would prove nothing.

    `longest` is what one call has taken at worst: a row of such calls stays below `ROW_SECONDS`.
    A row proves nothing where bytecode runs between or inside the calls, or where what resets them releases by itself.
    """
    if seconds >= TOO_SHORT:
        return 1
    work.reset()
    if runs_bytecode(work.call, *(() if work.reset is nothing else (work.reset,))):
        return 1
    count = min(ROW_LIMIT, max(2, round(ROW / max(seconds, ROW / ROW_LIMIT))))
    count = max(2, min(count, round(ROW_SECONDS / max(longest, 1e-6))))
    if work.reset is not nothing:
        alone = functools.partial(in_a_row, work.reset, nothing, count)
        if watch(alone, IMPATIENT_INTERVAL, calls=count)[0].ticks:
            return 1
    return count


def _watch_row(work: Work, count: int) -> tuple[Window, Scene]:
    return watch(functools.partial(timed_row, work.call, work.reset, count), IMPATIENT_INTERVAL, calls=count)
