"""The samplers as witnesses: what their samples mean, and that they can only ever abstain, never fail a case."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from gilgen.diagnostics import verdict, window, witness
from gilgen.diagnostics.cases import Work

from gilgen.model import Witness

RAW = """\
<module> (a.py:1);measure (window.py:9);timed_call (window.py:7);Update (itk.py:3) 30
<module> (a.py:1);holding_reference (witness.py:5) 40
<module> (a.py:1);not_timed_call (b.py:5) 99
_bootstrap (threading.py:1);run (window.py:2) 2
"""

COLLAPSED = """\
tid:12;a.py:<module>:1;window.py:watch:251;window.py:timed_call:173;itk.py:Process.Update:3 18
tid:12;a.py:<module>:1;window.py:watch:251;window.py:timed_row:186 12
tid:12;a.py:<module>:1;witness.py:holding_reference:60 25
tid:12;a.py:<module>:1;witness.py:holding_reference:61 15
tid:12;a.py:<module>:1;b.py:not_timed_call:5;<GC> 99
tid:13;threading.py:Thread._bootstrap:1026;window.py:Heartbeat.run:127 2
"""

WRITTEN = pytest.mark.parametrize(("kind", "raw"), [(witness.PySpy, RAW), (witness.StandardProfiler, COLLAPSED)])
HAS_STANDARD = sys.version_info[:2] >= witness.STANDARD_SINCE
KINDS = [witness.PySpy, pytest.param(witness.StandardProfiler, marks=pytest.mark.skipif(not HAS_STANDARD, reason="profiling.sampling comes with Python 3.15"))]


@WRITTEN
def test_samples_are_counted_by_the_functions_whole_name(kind, raw):
    assert witness.count_samples(raw, witness.CALLS, kind.name_of) == 30
    assert witness.count_samples(raw, frozenset({"holding_reference"}), kind.name_of) == 40
    assert witness.count_samples(raw, frozenset({"absent"}), kind.name_of) == 0


@pytest.mark.parametrize("line", ["", "no count here", "timed_call (window.py:7) many", "timed_call", "window.py:timed_call:7 many", "tid:7", "timed_call:7 3"])
@pytest.mark.parametrize("kind", [witness.PySpy, witness.StandardProfiler])
def test_lines_that_are_no_samples_count_nothing(kind, line):
    assert witness.count_samples(line, witness.CALLS, kind.name_of) == 0


def test_a_file_with_a_colon_in_its_name_is_no_function():
    assert witness.StandardProfiler.name_of("odd:timed_call.py:run:3") == "run"
    assert witness.StandardProfiler.name_of("~") == ""


@WRITTEN
def test_the_reference_tells_how_many_samples_a_hold_would_have(kind, raw):
    # 40 samples in 0.2 s of holding: a call of 0.3 s that held throughout would have 60.
    assert kind.read(raw, 0.3, 0.2) == (Witness(60, 30, kind.name), "")


@WRITTEN
def test_there_are_never_more_holding_samples_than_samples(kind, raw):
    assert kind.read(raw, 0.1, 0.2) == (Witness(20, 20, kind.name), "")


@pytest.mark.parametrize(
    ("kind", "raw"), [(witness.PySpy, "holding_reference (witness.py:5) 2"), (witness.StandardProfiler, "tid:1;witness.py:holding_reference:5 2")]
)
def test_a_starved_sampler_abstains(kind, raw):
    seen, reason = kind.read(raw, 0.3, 0.2)
    assert seen is None
    assert "starved: 10 samples a second instead of 200" in reason


def test_the_verdict_names_the_sampler():
    assert verdict.read_witness(Witness(60, 58, "profiling.sampling"))[1].startswith("profiling.sampling saw the GIL held in 58 of 60")
    assert verdict.read_witness(Witness(60, 58))[1].startswith("py-spy saw")


def test_pyspy_is_told_what_to_sample():
    told = "record --pid 7 --gil --nonblocking --rate 200 --format raw --output raw"
    assert " ".join(witness.PySpy.arguments(7, Path("raw"))) == told


def test_the_standard_profiler_is_told_what_to_sample():
    told = "attach --mode gil --all-threads --sampling-rate 200 --realtime-stats --collapsed --output raw 7"
    assert " ".join(witness.StandardProfiler.arguments(7, Path("raw"))) == told


@pytest.mark.skipif(HAS_STANDARD, reason="this Python has profiling.sampling")
def test_an_older_python_has_no_standard_profiler():
    assert witness.StandardProfiler.find() == ([], "this Python has none")
    assert witness.kinds() == (witness.PySpy,)


def test_anothers_module_of_that_name_is_not_the_standard_profiler(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(witness, "STANDARD_SINCE", (*sys.version_info[:2], 1))
    assert witness.StandardProfiler.find() == ([], "this Python has none")


def test_from_its_first_python_on_the_standard_profiler_comes_first(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(witness, "STANDARD_SINCE", sys.version_info[:2])
    assert witness.kinds() == (witness.StandardProfiler, witness.PySpy)
    program, reason = witness.StandardProfiler.find()
    assert (program[0], reason) == (sys.executable, "")
    monkeypatch.setattr(sys, "executable", "")
    assert witness.StandardProfiler.find()[0] == []


def stand_in(tmp_path, text):
    program = tmp_path / "py-spy"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def only(monkeypatch, kind, program, reason=""):
    monkeypatch.setattr(witness, "kinds", lambda: (kind,))
    monkeypatch.setattr(kind, "find", staticmethod(lambda: ([program] if program else [], reason)))


def result_of(seconds=0.1):
    with witness.sampler(os.getpid()) as spy:
        return spy.result(seconds)


def test_without_pyspy_there_is_a_note_and_no_error(monkeypatch, tmp_path):
    monkeypatch.setattr(witness, "kinds", lambda: (witness.PySpy,))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: None)
    assert result_of() == (None, "no py-spy: it is not installed (pip install py-spy)")


REFUSALS = [
    (witness.PySpy, "Error: Permission Denied: Try running again with elevated permissions", "Permission Denied"),
    (witness.PySpy, "Error: Unsupported version of Python: 3.15.0", "Unsupported version"),
    (witness.StandardProfiler, "Tachyon was unable to access process memory.\n\n* You can disable it temporarily.", "unable to access process memory"),
    (witness.StandardProfiler, "Traceback\nModuleNotFoundError: No module named '_remote_debugging'", "No module named '_remote_debugging'"),
    (witness.StandardProfiler, "", "it said nothing"),
]


@pytest.mark.parametrize(("kind", "words", "telling"), REFUSALS)
def test_a_refused_sampler_gives_its_own_words(monkeypatch, tmp_path, kind, words, telling):
    only(monkeypatch, kind, stand_in(tmp_path, f'printf "%s" "{words}" >&2; exit 1'))
    seen, note = result_of()
    assert seen is None
    assert note.startswith(f"no {kind.name}: it may not look into this process: ")
    assert telling in note
    assert "\n" not in note


def test_a_sampler_that_never_begins_is_given_up(monkeypatch, tmp_path):
    only(monkeypatch, witness.PySpy, stand_in(tmp_path, "exec sleep 600"))
    monkeypatch.setattr(witness, "READY_TIMEOUT", 0.3)
    assert result_of() == (None, "no py-spy: it did not begin within 0.3 s")


@pytest.mark.parametrize("kind", [witness.PySpy, witness.StandardProfiler])
def test_a_sampler_that_ends_early_without_writing_abstains(monkeypatch, tmp_path, kind):
    # What it says when it has begun has no end of line: that must not keep gilgen waiting.
    only(monkeypatch, kind, stand_in(tmp_path, f"printf '{kind.begun.decode()}'; exit 0"))
    begun = time.monotonic()
    assert result_of() == (None, f"no {kind.name}: it did not write what it saw")
    assert time.monotonic() - begun < witness.READY_TIMEOUT


def test_a_sampler_that_cannot_be_started_gives_a_reason(monkeypatch, tmp_path):
    program = tmp_path / "py-spy"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    only(monkeypatch, witness.PySpy, str(program))
    assert "cannot be started" in result_of()[1]


def test_where_the_first_cannot_the_next_one_samples_and_both_are_named(monkeypatch, tmp_path):
    writes = stand_in(tmp_path, f"trap 'cp {tmp_path}/known \"$raw\"; exit 0' INT\nfor raw; do :; done\necho Sampling process\nwhile :; do sleep 0.05; done")
    (tmp_path / "known").write_text(RAW)
    monkeypatch.setattr(witness, "kinds", lambda: (witness.StandardProfiler, witness.PySpy))
    monkeypatch.setattr(witness.StandardProfiler, "find", staticmethod(lambda: ([], "this Python has none")))
    monkeypatch.setattr(witness.PySpy, "find", staticmethod(lambda: ([writes], "")))
    seen, note = result_of(0.3)
    assert seen is not None
    assert (seen.sampler, seen.holding) == ("py-spy", 30)
    assert note == "no profiling.sampling: this Python has none"


def test_where_none_can_all_are_named(monkeypatch):
    monkeypatch.setattr(witness, "kinds", lambda: (witness.StandardProfiler, witness.PySpy))
    monkeypatch.setattr(witness.StandardProfiler, "find", staticmethod(lambda: ([], "no first")))
    monkeypatch.setattr(witness.PySpy, "find", staticmethod(lambda: ([], "no second")))
    assert result_of() == (None, "no profiling.sampling: no first; no py-spy: no second")


def test_the_pyspy_beside_this_python_comes_first(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: "elsewhere")
    assert witness.PySpy.find() == (["elsewhere"], "")
    program = stand_in(tmp_path, "")
    assert witness.PySpy.find() == ([program], "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("library", "wrong"), [(ctypes.PyDLL, "releases"), (ctypes.CDLL, "holds")])
def test_the_real_ones_are_never_on_the_wrong_side(kind, library, wrong):
    with kind(os.getpid()) as spy:
        start, end = window.timed_call(lambda: library(None).usleep(300_000))
        seen, note = spy.result(end - start)
    if seen is None:
        pytest.skip(note)
    assert seen.sampler == kind.name
    assert verdict.read_witness(seen)[0] != wrong


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("library", "wrong"), [(ctypes.PyDLL, "releases"), (ctypes.CDLL, "holds")])
def test_short_calls_in_a_row_are_seen_as_well(kind, library, wrong):
    sleep = library(None).usleep
    work = Work(lambda: None)
    with kind(os.getpid()) as spy:
        start, end = window.timed_row(lambda: sleep(2_000), work.reset, 150)
        seen, note = spy.result(end - start)
    if seen is None:
        pytest.skip(note)
    assert verdict.read_witness(seen)[0] != wrong


@pytest.mark.parametrize("kind", KINDS)
def test_they_write_where_sigint_is_ignored(kind):
    """A shell's background job inherits that; a sampler that did as well would never write."""
    program = f"""
import os
from gilgen.diagnostics import witness
with witness.{kind.__name__}(os.getpid()) as spy:
    print(*spy.result(0.1), sep=";")
"""
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-c", program]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    seen, _, note = printed.rpartition(";")
    if "may not look" in note or "did not begin" in note or "not installed" in note or "starved" in note:
        pytest.skip(note)
    assert (seen.startswith("Witness("), note) == (True, "")


def test_the_reference_holds_for_the_time_it_says():
    start = time.perf_counter()
    assert witness.REFERENCE <= witness.holding_reference() <= time.perf_counter() - start
