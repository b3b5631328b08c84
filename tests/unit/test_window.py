"""The window proof, on calls whose answer is known and on ticks made by hand."""

from __future__ import annotations

import ctypes
import gc
import math
import sys
import time

import pytest
from gilgen.diagnostics import window
from gilgen.diagnostics.cases import Work

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
    assert window.measure(held).reference_gap < math.inf


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


def test_gaps_include_the_edges_and_nothing_outside():
    assert window.gaps_between([0.5, 1.0, 1.25, 2.0, 3.0], 1.0, 2.0) == [0.25, 0.75]


def test_ticks_on_the_edges_are_not_inside():
    assert window.read_ticks([1.0, 2.0], 1.0, 2.0, 0.001).ticks == 0


def test_no_tick_is_an_infinite_gap_for_the_reference():
    assert window.longest_gap([0.0, 5.0], 1.0, 2.0) == math.inf
    assert window.longest_gap([1.5], 1.0, 2.0) == 0.5


def test_a_steady_heartbeat_covers_the_window():
    ticks = [1.0 + index / 1000 for index in range(1, 1000)]
    read = window.read_ticks(ticks, 1.0, 2.0, 0.001)
    assert read.ticks == 999
    assert read.covered == 1.0
    assert read.longest_gap == pytest.approx(0.001)


def test_a_stall_counts_as_uncovered():
    ticks = [1.0 + index / 1000 for index in range(1, 500)]
    read = window.read_ticks(ticks, 1.0, 2.0, 0.001)
    assert read.covered == pytest.approx(0.5, abs=0.01)
    assert read.longest_gap == pytest.approx(0.5, abs=0.01)


def test_an_empty_window_does_not_divide_by_zero():
    assert window.read_ticks([], 1.0, 1.0, 0.001) == Window(0.0, 0, 0.0, 0.0, 0.001)


def test_prove_keeps_the_window_that_let_others_run_most(monkeypatch):
    windows = [Window(0.2, 3, 0.1, 0.4), Window(0.3, 200, 0.001, 1.0), Window(0.2, 5, 0.1, 0.5)]
    left = iter(windows)
    resets = []
    monkeypatch.setattr(window, "measure", lambda _: next(left))
    best, seconds = window.prove(Work(lambda: None, lambda: resets.append(1)), lambda _window, _count: False)
    assert best == windows[1]
    assert seconds == pytest.approx(0.7)
    assert len(resets) == window.WINDOWS


def test_prove_stops_when_a_window_is_clear(monkeypatch):
    monkeypatch.setattr(window, "measure", lambda _: Window(0.2, 200, 0.001, 1.0))
    counts = []

    def is_clear(_: Window, count: int) -> bool:
        counts.append(count)
        return count == 2

    window.prove(Work(lambda: None), is_clear)
    assert counts == [1, 2]
