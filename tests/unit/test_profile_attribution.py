"""Who held, for how long, and who waited: decided from records and looks that are made up, so that each rule shows alone."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from gilgen.diagnostics.profile import inside, stream
from gilgen.diagnostics.profile.attribution import Attribution, Look

from gilgen import naming

MAIN, OTHER, THIRD, HEART = 1, 2, 3, 9
PLACE = ["/home/me/app/main.py", 12, "work"]


def called(thread=MAIN, name="vtkOBBTree.BuildLocator", toolkit="vtk", loop=""):
    """A candidate, as `inside` describes one."""
    return [thread, name, toolkit, *PLACE, loop, True]


def attributed(*records, looks=(), stopped=(), paused=(0.0, 0.0)):
    """What comes of records; `looks` are (thread, states, delay), taken each 10 ms from 0.9 to 1.4, but for a pause."""
    found = Attribution(Path("/home/me/app"))
    found.stopped.extend(stopped)
    for thread, states, delay in [(HEART, "waits", 0.0), *looks]:
        found.looks.of[thread] = [
            Look(at, state, delay * (at - 0.9) / 0.5)
            for at, state in zip([0.9 + step / 100 for step in range(51)], itertools.cycle(states.split()), strict=False)
            if not paused[0] < at < paused[1]
        ]
    names = [["thread", MAIN, "MainThread"], ["thread", OTHER, "other"], ["thread", THIRD, "third"]]
    found.take([["begin", 0.5, 4711, ["/usr/lib/python3.11"]], ["heart", HEART], *names, *records])
    found.finish()
    return found


def held(start=1.0, end=1.3, began=MAIN, ended=MAIN, candidates=None, loops=None, limit=0.003, suspects=()):
    return ["hold", start, end, began, ended, [called()] if candidates is None else candidates, loops or {}, limit, list(suspects)]


def gap(delay=0.0, runs=60, start=1.0, end=1.3):
    return ["gap", start, end, delay, runs]


# ------------------------------------------------------------------------------------------- what is held


def test_a_hold_is_the_call_s_with_all_who_waited():
    found = attributed(held(), gap(), looks=[(OTHER, "waits", 0), (THIRD, "sleeps", 0), (MAIN, "runs", 0)])
    (call,) = found.calls()
    assert (call.python, call.toolkit, call.file, call.line, call.function) == ("vtkOBBTree.BuildLocator", "vtk", "main.py", 12, "work")
    assert (call.held, call.worst) == (pytest.approx(0.3), pytest.approx(0.3))
    assert call.waiters == {"other": pytest.approx(0.3)}
    assert call.threads == ("MainThread",)


def test_holds_of_one_place_add_up_and_the_worst_is_the_longest():
    found = attributed(held(), gap(), held(1.3, 1.4), gap(start=1.3, end=1.4), ["call", MAIN, 1.0, 1.3, "vtkOBBTree.BuildLocator", "vtk", *PLACE, "", "", ""])
    (call,) = found.calls()
    assert (call.held, call.worst, call.calls, call.seconds) == (pytest.approx(0.4), pytest.approx(0.3), 1, pytest.approx(0.3))


def test_control_a_heartbeat_that_did_not_wait_for_the_gil_was_only_late():
    found = attributed(held(), gap(), looks=[(HEART, "runs", 0)])
    assert found.calls() == ()


def test_what_a_program_does_while_it_is_stopped_is_no_hold():
    assert attributed(held(), gap(), stopped=[(1.1, 1.2)]).calls() == ()
    assert attributed(held(), gap(), stopped=[(1.35, 1.4)]).calls() != ()


@pytest.mark.parametrize(
    ("delay", "runs", "expected"),
    [
        (0.2, 1, 0.1),  # it may have waited for a processor all the time
        (0.2, 60, 0.2932),  # it ran again and again, and never got the GIL
        (0.4, 1, None),
    ],
)
def test_what_the_heartbeat_s_own_delay_adds_is_taken_off(delay, runs, expected):
    found = attributed(held(), gap(delay, runs))
    assert [call.held for call in found.calls()] == ([pytest.approx(expected, rel=0.01)] if expected else [])


def test_what_the_holder_waits_for_a_processor_is_no_hold():
    found = attributed(held(), gap(), looks=[(MAIN, "runs", 0.25)])  # half of the time, from the first look to the last
    assert found.calls()[0].held == pytest.approx(0.15, rel=0.2)


@pytest.mark.parametrize(("states", "holder"), [(("runs", "waits"), MAIN), (("waits", "runs"), OTHER), (("sleeps", "waits"), MAIN), (("waits", "waits"), None)])
def test_who_waits_for_the_gil_does_not_have_it(states, holder):
    candidates = [called(MAIN, "vtkA.Run"), called(OTHER, "vtkB.Run")]
    found = attributed(held(began=0, ended=0, candidates=candidates), gap(), looks=[(MAIN, states[0], 0), (OTHER, states[1], 0)])
    assert [call.python for call in found.calls()] == ([{MAIN: "vtkA.Run", OTHER: "vtkB.Run"}[holder]] if holder else [])
    assert bool(found.unclear) == (holder is None)


@pytest.mark.parametrize(("state", "counts"), [("waits", True), ("sleeps", True), ("runs", False)])
def test_beside_threads_in_bytecode_a_short_hold_counts_where_these_were_seen_waiting(state, counts):
    found = attributed(held(1.0, 1.02, limit=0.03, suspects=[OTHER]), gap(end=1.02), looks=[(OTHER, state, 0)])
    assert bool(found.calls()[0].held if found.calls() else 0) == counts


@pytest.mark.parametrize(
    ("states", "delay", "counts"),
    [
        ("waits", 0.0, True),
        ("sleeps", 0.0, True),
        ("runs waits", 0.25, True),  # all that it ran it waited for a processor, to ask for the GIL
        ("runs", 0.0, False),  # it may have had the GIL: in one long instruction, or on a processor that the host gave to others
        ("runs runs waits", 0.0, False),
    ],
)
def test_beside_a_thread_in_bytecode_a_long_hold_counts_unless_that_thread_ran(states, delay, counts):
    beside = attributed(held(limit=0.03, suspects=[OTHER]), gap(), looks=[(OTHER, states, delay)])
    assert bool(beside.calls()) == counts


def test_beside_threads_in_bytecode_that_take_turns_nobody_held():
    turns = [(OTHER, "runs waits", 0), (THIRD, "waits runs", 0)]
    assert attributed(held(limit=0.03, suspects=[OTHER, THIRD]), gap(), looks=turns).calls() == ()


def test_what_nobody_could_look_at_counts_only_without_the_pause():
    whole = attributed(held(), gap(), looks=[(MAIN, "runs", 0)])
    paused = attributed(held(), gap(), looks=[(MAIN, "runs", 0)], paused=(1.05, 1.25))
    assert whole.calls()[0].held == pytest.approx(0.3)
    assert paused.calls()[0].held == pytest.approx(0.1, abs=0.02)
    assert attributed(held(), gap(), looks=[(MAIN, "runs", 0)], paused=(0.95, 1.35)).calls() == ()


@pytest.mark.parametrize(("state", "strangers", "counts"), [("waits", False, False), ("sleeps", True, False), ("runs", True, True), ("sleeps", False, True)])
def test_the_only_candidate_must_not_be_a_victim(state, strangers, counts):
    found = attributed([*held(), strangers], gap(), looks=[(MAIN, state, 0)])
    assert bool(found.calls()) == counts
    assert bool(found.unclear) != counts


def test_what_is_in_no_call_has_the_line_for_a_name(tmp_path):
    file = tmp_path / "main.py"
    file.write_text("\n\narray.values = other\n")
    found = attributed(held(candidates=[[MAIN, "", "", str(file), 3, "<module>", "", False]]), gap())
    assert found.calls()[0].python == "(no call) array.values = other"


def test_small_sums_of_no_toolkit_are_left_out():
    assert attributed(held(1.0, 1.01, candidates=[called(name="sorted", toolkit="")]), gap(end=1.01)).calls() == ()
    assert attributed(held(1.0, 1.1, candidates=[called(name="sorted", toolkit="")]), gap(end=1.1)).calls() != ()


def test_a_toolkit_s_calls_that_hold_nothing_are_told_as_well():
    (call,) = attributed(["call", MAIN, 1.0, 1.3, "vtkA.Run", "vtk", *PLACE, "", "", ""], ["call", MAIN, 1.0, 1.3, "time.sleep", "", *PLACE, "", "", ""]).calls()
    assert (call.python, call.held, call.seconds) == ("vtkA.Run", 0.0, pytest.approx(0.3))


# --------------------------------------------------------------------------------------------- event loops


def test_a_call_in_the_loop_s_own_callback_stalls_it_whether_it_holds_or_not():
    found = attributed(["call", MAIN, 1.0, 1.3, "time.sleep", "", *PLACE, "asyncio", "Task-1 main", ""])
    (stall,) = found.longest_stalls()
    assert (stall.loop, stall.own, stall.thread, stall.task) == ("asyncio", True, "MainThread", "Task-1 main")
    assert (stall.at, stall.seconds) == (pytest.approx(0.5), pytest.approx(0.3))


@pytest.mark.parametrize(("loop", "runs", "end"), [("", "", 1.3), ("qt", "qt", 1.3), ("asyncio", "", 1.01)])
def test_control_calls_outside_a_loop_the_loop_itself_and_short_ones_stall_nothing(loop, runs, end):
    assert attributed(["call", MAIN, 1.0, end, "x.y", "", *PLACE, loop, "", runs]).longest_stalls() == ()


@pytest.mark.parametrize(("state", "stalls"), [("waits", 1), ("sleeps", 0)])
def test_a_loop_in_another_thread_is_stalled_where_it_wanted_the_gil(state, stalls):
    found = attributed(held(loops={str(OTHER): "qt"}), gap(), looks=[(OTHER, state, 0)])
    assert [(stall.loop, stall.own, stall.thread) for stall in found.longest_stalls()] == [("qt", False, "other")] * stalls


def test_the_longest_stalls_are_kept(monkeypatch):
    monkeypatch.setattr("gilgen.diagnostics.profile.attribution.STALLS", 2)
    records = [["call", MAIN, 1.0, 1.0 + length, "time.sleep", "", *PLACE, "asyncio", "", ""] for length in (0.1, 0.3, 0.2, 0.05)]
    found = attributed(*records)
    assert [round(stall.seconds, 2) for stall in found.longest_stalls()] == [0.3, 0.2]
    assert found.stalled == 4


# ---------------------------------------------------------------------------------------------- timelines


def test_a_timeline_shows_who_ran_who_waited_and_the_call():
    call = ["call", MAIN, 1.0, 1.3, "vtkOBBTree.BuildLocator", "vtk", *PLACE, "", "", ""]
    (timeline,) = attributed(call, held(), gap(), looks=[(MAIN, "runs", 0), (OTHER, "waits", 0)]).timelines()
    assert timeline.title == "vtkOBBTree.BuildLocator at main.py:12"
    lanes = {lane.name: [span.state for span in lane.spans] for lane in timeline.lanes}
    assert lanes == {"MainThread": ["runs", "call"], "other": ["waits"]}
    assert all(0 <= span.start <= span.end <= timeline.seconds for lane in timeline.lanes for span in lane.spans)


# ------------------------------------------------------------------------------------------------- stream


def test_records_go_through_files_from_many_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "CHUNK", 4096)
    writer, reader = stream.Writer(tmp_path), stream.Reader(tmp_path)
    threads = [threading.Thread(target=lambda name=name: [writer.write([name, number, "x" * 50]) for number in range(200)]) for name in range(4)]
    for thread in threads:
        thread.start()
    found = []
    while any(thread.is_alive() for thread in threads):
        found += reader.read()
    found += reader.read(last=True)
    for name in range(4):
        assert [number for one, number, _ in found if one == name] == list(range(200))
    writer.write("y" * 5000)  # longer than a file: dropped
    writer.write("after")
    assert reader.read() == ["after"]
    (left,) = tmp_path.glob("*.records")
    assert int(left.stem) > 10


def test_what_was_written_stays_when_the_writer_is_killed(tmp_path):
    code = f"import os, sys\nfrom pathlib import Path\nfrom gilgen.diagnostics.profile.stream import Writer\nw = Writer(Path({str(tmp_path)!r}))\nw.write(['one', 1])\nw.beat(2.5)\nos.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == -9
    reader = stream.Reader(tmp_path)
    assert reader.read(last=True) == [["one", 1]]
    assert reader.beat() == 2.5


def test_a_damaged_record_does_not_hide_the_others(tmp_path):
    (tmp_path / "0.records").write_bytes(b'["a"]\n["b\n["c"]\n\0\0\0["d"]\n\0\0')
    assert stream.Reader(tmp_path).read() == [["a"], ["c"]]
    assert stream.Reader(tmp_path).read(last=True) == [["a"], ["c"], ["d"]]
    assert stream.Reader(tmp_path / "none").read() == []
    assert stream.Reader(tmp_path / "none").beat() == 0.0


# -------------------------------------------------------------------------------------------------- names


def of_module(module, **members):
    return type(members.pop("name", "vtkThing"), members.pop("bases", ()), {"__module__": module, **members})


VTK_BASE = of_module("vtkmodules.vtkCommonCore", name="vtkObject")
VTK = of_module("vtkmodules.vtkFiltersGeneral", name="vtkOBBTree", bases=(VTK_BASE,))
OWN = of_module("__main__", name="MyTree", bases=(VTK,))
ITK_BASE = of_module("itk.itkProcessObjectPython", name="itkProcessObject")
ITK = of_module("itk.itkMedianImageFilterPython", name="itkMedianImageFilterIF2IF2", bases=(ITK_BASE,))
QT = of_module("PySide6.QtWidgets", name="QApplication")
INTERACTOR = of_module("vtkmodules.vtkRenderingUI", name="vtkXRenderWindowInteractor")


def function(name, owner=None, module=None):
    """What the interpreter has of a C function."""
    return SimpleNamespace(__name__=name, __self__=owner, __module__=module)


SWIG = type(sys)("_ITKCommonBasePython")


@pytest.mark.parametrize(
    ("called_function", "first", "name", "toolkit"),
    [
        (function("BuildLocator", VTK()), None, "vtkOBBTree.BuildLocator", "vtk"),
        (function("BuildLocator", OWN()), None, "vtkOBBTree.BuildLocator", "vtk"),
        (function("New", VTK), None, "vtkOBBTree.New", "vtk"),
        (function("itkProcessObject_Update", SWIG, "_ITKCommonBasePython"), ITK(), "itkMedianImageFilterIF2IF2.Update", "itk"),
        (function("itkMedianImageFilterIF2IF2___New_orig__", SWIG, "_ITKSmoothingPython"), None, "itkMedianImageFilterIF2IF2.__New_orig__", "itk"),
        (VTK(), None, "vtkOBBTree.__call__", "vtk"),
        (VTK, None, "vtkOBBTree", "vtk"),
        ([3].sort, None, "list.sort", ""),
        (list.sort, [3], "list.sort", ""),
        (sorted, [3], "sorted", ""),
        (json.encoder.c_make_encoder, None, "_json.Encoder", ""),
        (os.stat, "x", "posix.stat", ""),
        (threading.Lock().acquire, None, "_thread.lock.acquire", ""),
    ],
)
def test_a_c_function_s_name(called_function, first, name, toolkit):
    assert naming.call_name(called_function, first)[:2] == (name, toolkit)


@pytest.mark.parametrize(
    ("called_function", "loop"),
    [
        (function("exec", QT()), "qt"),
        (function("exec_", QT), "qt"),
        (function("quit", QT()), ""),
        (function("exec", None, "builtins"), ""),
        (function("Start", INTERACTOR()), "vtk"),
        (function("Start", VTK()), ""),
        (function("mainloop", of_module("_tkinter", name="tkapp")()), "tk"),
    ],
)
def test_which_c_functions_run_an_event_loop(called_function, loop):
    name, _, package = naming.call_name(called_function, None)
    assert naming.loop_of(name, package) == loop
    state = inside.State(1, 1)
    code = test_which_c_functions_run_an_event_loop.__code__
    state.stack = [(0.0, called_function, None, code, 0), (0.1, [].sort, None, code, 0)]
    assert inside.Monitor.loop(SimpleNamespace(), state) == loop
    assert inside.Monitor.loop(SimpleNamespace(), inside.State(2, 2)) == ""
