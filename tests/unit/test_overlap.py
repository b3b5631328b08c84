"""Serial against parallel. No test here asks how long something took."""

from __future__ import annotations

import ctypes
import hashlib
import threading

import pytest
from gilgen.diagnostics import overlap, verdict
from gilgen.diagnostics.cases import Work


def test_at_once_is_at_once():
    meeting = threading.Barrier(2)
    # Each waits for the other inside the call: in turn, the first would wait until its timeout.
    overlap.at_once((lambda: meeting.wait(30), lambda: meeting.wait(30)))
    assert not meeting.broken


def test_in_turn_is_in_turn():
    order = []
    overlap.in_turn((lambda: order.append("first"), lambda: order.append("second")))
    assert order == ["first", "second"]


@pytest.mark.parametrize("run", [overlap.in_turn, overlap.at_once])
def test_an_error_comes_out_of_its_thread(run):
    def fail() -> None:
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        run((lambda: None, fail))


def test_each_call_is_reset_before_it_runs():
    events = []
    works = [
        Work(
            lambda name=name: events.append(f"call {name}"), lambda name=name: events.append(f"reset {name}")
        )
        for name in "ab"
    ]
    overlap.measure(*works, repetitions=1)
    assert events[:4] == ["reset a", "reset b", "call a", "call b"]
    assert sorted(events[4:]) == ["call a", "call b", "reset a", "reset b"]
    assert set(events[4:6]) == {"reset a", "reset b"}


def held_sort() -> Work:
    size = 200_000
    original = bytes(range(1, 129)) * (size * 8 // 128)
    buffer = ctypes.create_string_buffer(original)
    compare = ctypes.cast(ctypes.CDLL(None).strcmp, ctypes.c_void_p)
    return Work(
        lambda: ctypes.PyDLL(None).qsort(buffer, ctypes.c_size_t(size // 128), ctypes.c_size_t(1024), compare)
    )


def test_calls_that_hold_never_compute_at_once_whatever_the_load():
    measured, scene = overlap.measure(held_sort(), held_sort(), repetitions=1)
    assert len(scene.threads) == 2
    assert measured.simultaneous < verdict.SIMULTANEOUS
    assert verdict.read_overlap(measured)[0] != "releases"


def test_calls_that_release_never_read_as_holding_whatever_the_load():
    buffers = bytes(64 << 20), bytes(64 << 20)
    works = [Work(lambda buffer=buffer: hashlib.sha256(buffer).digest()) for buffer in buffers]
    assert verdict.read_overlap(overlap.measure(*works)[0])[0] != "holds"
