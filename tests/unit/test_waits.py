"""Who waits for the GIL, seen from another process: both answers, and what cannot be looked into."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from gilgen.diagnostics import waits

from gilgen.model import Span

WATCHED = """
import ctypes, json, sys, threading, time
from gilgen.diagnostics import waits
waits.allow()
sys.setswitchinterval(1000)
def beat():
    while True:
        time.sleep(0.001)
def sleep():
    time.sleep(1000)
threads = [threading.Thread(target=work, daemon=True) for work in (beat, sleep)]
for thread in threads:
    thread.start()
time.sleep(0.05)
print(json.dumps([thread.native_id for thread in threads]), flush=True)
for library in (ctypes.PyDLL(None), ctypes.CDLL(None)):
    sys.stdin.readline()
    start = time.perf_counter()
    library.usleep(300_000)
    print(json.dumps([start, time.perf_counter()]), flush=True)
"""


def test_a_thread_that_waits_for_the_gil_is_told_from_one_that_sleeps():
    with subprocess.Popen([sys.executable, "-c", WATCHED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            beat, asleep = json.loads(process.stdout.readline())
            watch = waits.Watch.of(process.pid)
            assert watch.runtime
            windows = []
            for _ in range(2):
                process.stdin.write("\n")
                process.stdin.flush()
                for _ in range(150):
                    assert watch.look()
                    waits.time.sleep(0.002)
                windows.append(json.loads(process.stdout.readline()))
        finally:
            process.kill()
    (samples, waiting), (free_samples, free_waiting) = (watch.count(beat, *window) for window in windows)
    assert samples >= 10
    assert free_samples >= 10
    assert waiting / samples > 0.9
    assert free_waiting / free_samples < 0.1
    for window in windows:
        assert watch.count(asleep, *window)[1] == 0
    held, _ = windows
    assert "waits" in {span.state for span in watch.spans(beat, *held)}
    assert {span.state for span in watch.spans(asleep, *held)} == {"sleeps"}
    assert [lane.name for lane in watch.lanes({beat: "beat", asleep: "asleep"}, *held)] == ["beat", "asleep"]


def test_the_runtime_state_lies_where_python_says():
    address = waits.ctypes.addressof(waits.ctypes.c_char.in_dll(waits.ctypes.pythonapi, "_PyRuntime"))
    found = waits.runtime_of(os.getpid())
    assert found.start == address
    assert len(found) > 1000


@pytest.mark.parametrize("pid", [0, 2**22 + 1])
def test_what_is_not_there_is_not_seen(pid):
    assert waits.runtime_of(pid) is None
    assert not waits.Watch.of(pid).look()
    assert waits.threads_of(pid) == []


def test_what_is_no_python_is_not_seen():
    with subprocess.Popen(["sleep", "100"]) as process:
        try:
            assert not waits.Watch.of(process.pid).look()
        finally:
            process.kill()


def test_looks_that_say_the_same_are_one_span():
    looks = [(1.0, "sleeps"), (1.1, "sleeps"), (1.2, "waits"), (1.5, "runs"), (1.6, "runs")]
    assert waits.spans_of(looks, 0.5, 2.0) == (Span(0.5, pytest.approx(0.7), "sleeps"), Span(pytest.approx(0.7), 1.0, "waits"), Span(1.0, 1.5, "runs"))
    assert waits.spans_of([], 0.0, 1.0) == ()


def test_a_thread_that_ended_has_no_span_until_the_end():
    steps = [index / 100 for index in range(100)]
    watch = waits.Watch(0, None, {1: [(at, "runs") for at in steps], 2: [(at, "runs") for at in steps[:50]]})
    assert watch.spans(1, 0.0, 1.0) == (Span(0.0, 1.0, "runs"),)
    assert watch.spans(2, 0.0, 1.0) == (Span(0.0, 0.49, "runs"),)
