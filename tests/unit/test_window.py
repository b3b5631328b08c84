"""The window proof, on calls whose answer is known and on ticks made by hand."""

from __future__ import annotations

import ctypes
import functools
import gc
import math
import os
import subprocess
import sys
import threading
import time

import pytest
from gilgen.diagnostics import verdict, window
from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.records import Scene

from gilgen.model import Window

MICROSECONDS = 150_000


def held() -> None:
    ctypes.PyDLL(None).usleep(MICROSECONDS)


def released() -> None:
    ctypes.CDLL(None).usleep(MICROSECONDS)


def bytecode() -> None:
    end = time.perf_counter() + MICROSECONDS / 1e6
    while time.perf_counter() < end:
        pass


@pytest.mark.parametrize("call", [held, bytecode])
def test_nobody_runs_inside_a_call_that_holds(call):
    measured = window.measure(call)
    assert measured.ticks == 0
    assert measured.covered == 0.0
    assert measured.longest_gap == measured.duration


@pytest.mark.parametrize("call", [released, lambda: time.sleep(MICROSECONDS / 1e6)])
def test_others_run_inside_a_call_that_releases(call):
    measured = window.measure(call)
    assert measured.ticks > 0
    assert measured.longest_gap < measured.duration


def test_under_pythons_usual_interval_bytecode_lets_others_in_and_a_held_call_does_not():
    assert window.measure(bytecode, switch_interval=0.005).ticks > 0
    # Ticks may slip in at the edges, where bytecode runs; inside the call none can.
    assert window.measure(held, switch_interval=0.005).longest_gap >= 0.99 * MICROSECONDS / 1e6


def test_the_heartbeat_was_alive_on_both_sides_of_a_held_call():
    assert window.measure(held).reference_gap < window.NEVER


def test_interval_and_collector_are_as_before_even_after_an_error():
    interval = sys.getswitchinterval()

    def fail() -> None:
        assert sys.getswitchinterval() == window.PROOF_INTERVAL
        assert not gc.isenabled()
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        window.measure(fail)
    assert sys.getswitchinterval() == interval
    assert gc.isenabled()


def ticks(*times: float) -> list[window.Tick]:
    """Ticks of a machine whose kernel does not tell how long threads waited for a processor."""
    return [window.Tick(time) for time in times]


def told(*rows: tuple[float, float, float]) -> list[window.Tick]:
    return [window.Tick(*row) for row in rows]


def lengths(gaps) -> list[float]:
    return [gap.length for gap in gaps]


def test_gaps_include_the_edges_and_nothing_outside():
    assert lengths(window.gaps_between(ticks(0.5, 1.0, 1.25, 2.0, 3.0), 1.0, 2.0)) == [0.25, 0.75]
    assert lengths(window.gaps_between(ticks(0.5, 3.0), 1.0, 2.0)) == [1.0]
    assert lengths(window.gaps_between([], 1.0, 2.0)) == [1.0]


def test_ticks_on_the_edges_are_not_inside():
    assert window.read_ticks(ticks(1.0, 2.0), 1.0, 2.0, 0.001).ticks == 0


def test_no_tick_is_an_endless_gap_for_the_reference():
    assert window.longest_gap(ticks(0.0, 5.0), 1.0, 2.0) == window.NEVER
    assert window.longest_gap(ticks(1.5), 1.0, 2.0) == 0.5


def test_a_steady_heartbeat_covers_the_window():
    read = window.read_ticks(ticks(*(1.0 + index / 1000 for index in range(1, 1000))), 1.0, 2.0, 0.001)
    assert read.ticks == 999
    assert read.covered == 1.0
    assert read.longest_gap == pytest.approx(0.001)
    assert read.stall is None
    assert read.seen is None


def test_a_stall_counts_as_uncovered():
    read = window.read_ticks(ticks(*(1.0 + index / 1000 for index in range(1, 500))), 1.0, 2.0, 0.001)
    assert read.covered == pytest.approx(0.5, abs=0.01)
    assert read.longest_gap == pytest.approx(0.5, abs=0.01)


def test_a_gap_in_which_the_heartbeat_had_no_processor_is_no_stall():
    steady = [(1.0 + index / 1000, 0.0, 0.0) for index in range(-1, 500)]
    starved = window.read_ticks(told(*steady, (2.5, 0.999, 0.0)), 1.0, 2.0, 0.001)
    assert starved.longest_gap == pytest.approx(0.5, abs=0.01)
    assert starved.stall == pytest.approx(0.001, abs=0.001)
    assert starved.covered == 1.0
    assert starved.seen == pytest.approx(0.5, abs=0.01)
    kept_out = window.read_ticks(told(*steady, (2.5, 0.0, 0.0)), 1.0, 2.0, 0.001)
    assert kept_out.stall == pytest.approx(0.5, abs=0.01)
    assert kept_out.covered == pytest.approx(0.5, abs=0.01)
    assert kept_out.seen == 1.0


def test_a_hold_is_no_longer_because_its_thread_had_no_processor():
    read = window.read_ticks(told((0.9, 0.0, 0.0), (2.1, 0.0, 0.7)), 1.0, 2.0, 0.001)
    assert read.ticks == 0
    assert read.covered == 0.0
    assert read.stall == pytest.approx(0.3)


def test_an_empty_window_does_not_divide_by_zero():
    assert window.read_ticks([], 1.0, 1.0, 0.001) == Window(0.0, 0, 0.0, 0.0, 0.001)


def test_time_without_a_processor_is_told_by_the_kernel_and_sleep_is_not_counted():
    stop = threading.Event()
    asleep = threading.Thread(target=stop.wait)
    asleep.start()
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3 * len(os.sched_getaffinity(0)))]
    own, other = window.QueueTime(threading.get_native_id()), window.QueueTime(asleep.native_id)
    try:
        before, limit = (own.read(), other.read()), time.monotonic() + 60
        while own.read() - before[0] < 0.05 and time.monotonic() < limit:
            pass
        mine, theirs = own.read() - before[0], other.read() - before[1]
    finally:
        for process in spinning:
            process.kill()
            process.wait()
        stop.set()
        asleep.join()
        own.close()
        other.close()
    assert mine >= 0.05
    assert theirs < 0.01


def test_a_thread_that_is_not_there_has_no_queue_time():
    assert math.isnan(window.QueueTime(0).read())


# --------------------------------------------------------------------------------------------- in a row

BRIEF = 300
"""Microseconds of a call that is far too short by itself."""


def brief(library) -> functools.partial[int]:
    return functools.partial(library.usleep, BRIEF)


def test_short_calls_are_proven_in_a_row():
    held = window.prove(Work(brief(ctypes.PyDLL(None))), verdict.is_clear).window
    assert held.calls > 1
    assert held.ticks == 0
    released = window.prove(Work(brief(ctypes.CDLL(None))), verdict.is_clear).window
    assert released.calls > 1
    assert released.ticks > 0


def test_the_shortest_release_shows():
    free = window.prove(Work(functools.partial(ctypes.CDLL(None).getppid)), verdict.is_clear).window
    held = window.prove(Work(functools.partial(ctypes.PyDLL(None).getppid)), verdict.is_clear).window
    assert (free.ticks > 0, held.ticks) == (True, 0)


def called_back() -> Work:
    """A C function that holds, and calls Python back."""
    words = (ctypes.c_int * 64)(*range(64, 0, -1))
    compare = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))(lambda one, other: one[0] - other[0])
    return Work(functools.partial(ctypes.PyDLL(None).qsort, words, ctypes.c_size_t(64), ctypes.c_size_t(4), compare))


@pytest.mark.parametrize(
    "work",
    [Work(lambda: ctypes.PyDLL(None).usleep(BRIEF)), called_back(), Work(brief(ctypes.PyDLL(None)), lambda: None)],
    ids=["a Python function", "a callback", "a reset in Python"],
)
def test_where_bytecode_runs_a_row_proves_nothing(work):
    assert window.row_of(work, 0.001) == 1


def test_a_reset_that_releases_is_not_taken_for_the_call():
    assert window.row_of(Work(brief(ctypes.PyDLL(None)), brief(ctypes.CDLL(None))), 0.001) == 1
    assert window.row_of(Work(brief(ctypes.PyDLL(None)), brief(ctypes.PyDLL(None))), 0.001) > 1


def test_a_long_call_is_measured_by_itself():
    assert window.row_of(Work(brief(ctypes.PyDLL(None))), 0.2) == 1


def test_a_row_calls_each_in_turn_and_returns_when_it_began_and_ended():
    events: list[str] = []
    work = Work(functools.partial(events.append, "call"), functools.partial(events.append, "reset"))
    before = time.perf_counter()
    start, end = window.timed_row(work.call, work.reset, 3)
    assert before <= start <= end <= time.perf_counter()
    assert events == ["reset", "call"] * 3


# ------------------------------------------------------------------------------------------------- prove


def answering(windows):
    """Stands in for `window.watch`: the next of these windows, and a scene."""
    left = iter(windows)
    return lambda _timed, _interval, **_: (next(left), Scene("", 0.0, 1.0, {}, ()))


def test_prove_keeps_the_window_that_let_others_run_most(monkeypatch):
    windows = [Window(0.2, 3, 0.1, 0.4), Window(0.3, 200, 0.001, 1.0), Window(0.2, 5, 0.1, 0.5)]
    resets = []
    monkeypatch.setattr(window, "watch", answering(windows))
    proof = window.prove(Work(lambda: None, lambda: resets.append(1)), lambda _window, _count: False)
    assert proof.window == windows[1]
    assert proof.seconds == pytest.approx(0.7)
    assert len(resets) == window.WINDOWS


def test_prove_stops_when_a_window_is_clear(monkeypatch):
    monkeypatch.setattr(window, "watch", answering([Window(0.2, 200, 0.001, 1.0)] * 3))
    counts = []

    def is_clear(_: Window, count: int) -> bool:
        counts.append(count)
        return count == 2

    window.prove(Work(lambda: None), is_clear)
    assert counts == [1, 2]


def test_under_a_profiler_in_c_nothing_is_taken_away():
    code = """
import cProfile
from gilgen.diagnostics import window
profiler = cProfile.Profile()
profiler.enable()
print(window.runs_bytecode(lambda: None))
len("still told")
profiler.disable()
print(any("len" in str(entry.code) for entry in profiler.getstats()))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.split() == ["True", "True"]
