"""Cases that crash, hang, raise, print and exit: each is a result, and the next one runs as if nothing was."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest
from gilgen.diagnostics import isolate, window
from gilgen.diagnostics.cases import Case, Work
from gilgen.diagnostics.isolate import Nursery
from gilgen.diagnostics.records import Ending, Evidence, Scene

from gilgen.model import Waits, Window

MISBEHAVING = """
import ctypes, os, subprocess, sys, time
from gilgen.diagnostics.cases import Case, Work

def work(call):
    return lambda size: Work(call)

def raise_error(size):
    raise ValueError("on purpose in /secret/folder/file.vtk")

def noisy():
    print("on Python's stdout", flush=True)
    os.write(1, b'{"kind":"exit","code":0}\\n')
    os.write(2, b"on stderr\\n")
    time.sleep(0.15)

def hang_with_a_child():
    child = subprocess.Popen(["sleep", "1000"])
    with open(os.environ["CHILD_PID_FILE"], "w") as file:
        file.write(str(child.pid))
    time.sleep(1000)

def case(name, make):
    return Case(name, "test", f"test.{name}", make, 1, 1)

CASES = (
    case("fine", work(lambda: time.sleep(0.15))),
    Case("elsewhere", "test", "test.elsewhere", work(os.abort), 1, 1, needs=lambda: "it needs a screen: start Xvfb"),
    Case("alone", "test", "test.alone", work(lambda: time.sleep(0.15)), 1, 1, alone=True),
    case("noisy", work(noisy)),
    case("crash", work(lambda: ctypes.string_at(0))),
    case("abort", work(os.abort)),
    case("error", raise_error),
    case("exit", work(lambda: os._exit(3))),
    case("hang", work(lambda: time.sleep(1000))),
    case("hang-holding", work(lambda: ctypes.PyDLL(None).sleep(1000))),
    case("hang-with-a-child", work(hang_with_a_child)),
)

def load():
    if os.environ.get("BREAK_LOADING"):
        ctypes.string_at(0)

def single_threaded():
    pass
"""

DEADLINE = 120.0
"""Far beyond what a case takes even on a loaded machine; only cases that hang are given less."""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "misbehaving.py").write_text(MISBEHAVING)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    return "misbehaving"


@pytest.fixture
def nursery(module):
    with Nursery(module) as nursery:
        yield nursery


def case(name: str) -> Case:
    return Case(name, "test", f"test.{name}", lambda _: Work(lambda: None), 1, 1)


def run(nursery, name, deadline=DEADLINE):
    return nursery.run(case(name), deadline=deadline, quick=True)


def test_a_case_that_releases(nursery):
    result = run(nursery, "fine")
    assert (result.verdict, result.case, result.call, result.shims) == (
        "releases",
        "fine",
        "test.fine",
        False,
    )
    assert result.window is not None
    assert result.overlap is not None


def test_a_case_is_watched_from_outside(nursery):
    for _ in range(10):  # on a busy machine the watcher may come too late
        result = run(nursery, "fine")
        if result.waits and len(result.timelines) == 2:
            break
    assert result.waits.samples > 0
    assert result.waits.waiting < result.waits.samples
    assert [timeline.title for timeline in result.timelines] == ["one call", "two calls at once"]


def test_what_a_machine_lacks_makes_a_case_untested_not_wrong(nursery):
    result = run(nursery, "elsewhere")
    assert (result.verdict, result.because) == ("untested", "it needs a screen: start Xvfb")


def test_two_of_a_case_that_must_run_alone_never_run_at_once(nursery):
    result = run(nursery, "alone")
    assert result.verdict == "releases"
    assert result.overlap is None


def test_what_a_case_prints_is_not_taken_for_a_reply(nursery):
    assert run(nursery, "noisy").verdict == "releases"
    assert run(nursery, "fine").case == "fine"


@pytest.mark.parametrize(("name", "signal"), [("crash", "SIGSEGV"), ("abort", "SIGABRT")])
def test_a_crash_names_its_signal_and_the_next_case_runs(nursery, name, signal):
    result = run(nursery, name)
    assert result.verdict == "crash"
    assert signal in result.because
    assert "timed_call" in result.message  # faulthandler's stack
    assert "/" not in result.message.replace("</", "")
    assert run(nursery, "fine").verdict == "releases"


def test_an_exception_is_an_error_with_its_type_and_text_but_no_folders(nursery):
    result = run(nursery, "error")
    assert result.verdict == "error"
    assert result.message == "ValueError: on purpose in file.vtk"


def test_leaving_the_process_is_an_error(nursery):
    result = run(nursery, "exit")
    assert result.verdict == "error"
    assert "exit code 3" in result.because


@pytest.mark.parametrize("name", ["hang", "hang-holding"])
def test_a_hang_ends_at_the_deadline_with_its_stack(nursery, name):
    result = run(nursery, name, deadline=4.0)
    assert result.verdict == "timeout"
    assert "timed_call" in result.message
    assert run(nursery, "fine").verdict == "releases"


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] in {
            "Z",
            "X",
        }
    except FileNotFoundError:
        return True


def wait_until_ended(pid: int) -> None:
    limit = time.monotonic() + 30
    while not ended(pid):
        assert time.monotonic() < limit, f"process {pid} is still there"
        time.sleep(0.05)


def test_a_deadline_ends_the_whole_process_group(module, tmp_path, monkeypatch):
    file = tmp_path / "pid"
    monkeypatch.setenv("CHILD_PID_FILE", str(file))
    with Nursery(module) as nursery:
        assert run(nursery, "hang-with-a-child", deadline=4.0).verdict == "timeout"
        wait_until_ended(int(file.read_text()))


def test_leaving_ends_the_nursery(module):
    with Nursery(module) as nursery:
        run(nursery, "fine")
        pid = nursery._process.pid
        assert not ended(pid)
    wait_until_ended(pid)


def test_a_toolkit_that_crashes_when_imported_is_a_crash_for_each_case(module, monkeypatch):
    monkeypatch.setenv("BREAK_LOADING", "1")
    with Nursery(module) as nursery:
        for _ in range(2):
            result = run(nursery, "fine")
            assert result.verdict == "crash"
            assert "Segmentation" in result.message or "lost" in result.because


def test_shims_that_are_not_there_are_a_reason_not_an_error(nursery):
    assert "no-such-toolkit" in nursery.why_not("no-such-toolkit")


PROOF = Window(0.3, 0, 0.3, 0.0, 0.001)


@pytest.mark.parametrize(
    ("ending", "evidence", "expected", "words"),
    [
        (Ending("exit"), Evidence("done", window=PROOF), "holds", "no other thread"),
        (Ending("signal", 11), Evidence("overlap", window=PROOF), "crash", "SIGSEGV (with two at once)"),
        (Ending("signal", 250), Evidence("window"), "crash", "signal 250"),
        (Ending("deadline"), Evidence("window"), "timeout", "in the window"),
        (Ending("exit"), Evidence("failed", error="ValueError: no"), "error", "ValueError: no"),
        (Ending("exit"), Evidence("window"), "error", "exit code 0"),
        (Ending("exit"), Evidence("done", untested="there is no display"), "untested", "no display"),
        (Ending("lost"), Evidence("starting"), "crash", "lost"),
    ],
)
def test_how_a_process_ends_decides_before_the_evidence(ending, evidence, expected, words):
    result = isolate.result_of(case("any"), shims=False, ending=ending, evidence=evidence, log="")
    assert result.verdict == expected
    assert words in result.because


def test_evidence_survives_its_file_whatever_the_heartbeat_saw(tmp_path):
    file = tmp_path / "evidence.json"
    evidence = Evidence("done", window=window.read_ticks([], 1.0, 2.0, window.longest_gap([], 0.0, 1.0)))
    file.write_bytes(msgspec.json.encode(evidence))
    assert isolate.read_evidence(file) == evidence


LOOKS = {7: [(10.0 + 0.01 * step, "waits" if 2 <= step < 8 else "sleeps") for step in range(12)], 8: [(10.0, "runs"), (10.11, "runs")]}


def test_what_was_seen_from_outside_becomes_evidence(tmp_path):
    file = tmp_path / "seen.json"
    file.write_bytes(msgspec.json.encode(LOOKS))
    scene = Scene("one call", 10.0, 10.2, {8: "caller", 7: "beat"}, ((8, 10.02, 10.075),), heartbeat=7)
    seen = isolate.seen_from_outside(Evidence("done", scenes=(scene,)), file)
    assert seen.waits == Waits(6, 6)
    (timeline,) = seen.timelines
    assert [lane.name for lane in timeline.lanes] == ["caller", "beat"]
    assert [span.state for span in timeline.lanes[0].spans] == ["runs", "call"]
    assert [span.state for span in timeline.lanes[1].spans] == ["sleeps", "waits", "sleeps"]


@pytest.mark.parametrize("content", [None, b"{", b"[]"])
def test_where_nothing_was_seen_from_outside_the_evidence_stays(tmp_path, content):
    file = tmp_path / "seen.json"
    if content is not None:
        file.write_bytes(content)
    evidence = Evidence("done", scenes=(Scene("one call", 0.0, 1.0, {1: "caller"}, ((1, 0.0, 1.0),), heartbeat=1),))
    assert isolate.seen_from_outside(evidence, file) == evidence


def test_evidence_from_before_a_crash_is_kept():
    result = isolate.result_of(
        case("any"),
        shims=True,
        ending=Ending("signal", 6),
        evidence=Evidence("overlap", window=PROOF),
        log="x",
    )
    assert result.window == PROOF
    assert result.shims


@pytest.mark.parametrize("content", [None, b"", b"{", b'{"step": 3}'])
def test_damaged_evidence_is_none(tmp_path, content):
    file = tmp_path / "evidence.json"
    if content is not None:
        file.write_bytes(content)
    assert isolate.read_evidence(file) == Evidence("starting")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('File "/a/b/c.py", line 3', 'File "c.py", line 3'),
        ("/build/x/itkFoo.hxx:55: bad", "itkFoo.hxx:55: bad"),
        ("3/4 of the image", "3/4 of the image"),
        ("no folder", "no folder"),
    ],
)
def test_folders_are_left_out(text, expected):
    assert isolate.without_folders(text) == expected
