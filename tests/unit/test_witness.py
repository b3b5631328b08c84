"""py-spy as a witness: what its samples mean, and that it can only ever abstain, never fail a case."""

from __future__ import annotations

import ctypes
import os
import shutil
import time

import pytest
from gilgen.diagnostics import verdict, window, witness

from gilgen.model import Witness

RAW = """\
<module> (a.py:1);measure (window.py:9);timed_call (window.py:7);Update (itk.py:3) 30
<module> (a.py:1);holding_reference (witness.py:5) 40
<module> (a.py:1);not_timed_call (b.py:5) 99
_bootstrap (threading.py:1);run (window.py:2) 2
"""


def test_samples_are_counted_by_the_functions_whole_name():
    assert witness.count_samples(RAW, "timed_call") == 30
    assert witness.count_samples(RAW, "holding_reference") == 40
    assert witness.count_samples(RAW, "absent") == 0


@pytest.mark.parametrize("line", ["", "no count here", "timed_call (window.py:7) many", "timed_call"])
def test_lines_that_are_no_samples_count_nothing(line):
    assert witness.count_samples(line, "timed_call") == 0


def test_the_reference_tells_how_many_samples_a_hold_would_have():
    # 40 samples in 0.2 s of holding: a call of 0.3 s that held throughout would have 60.
    assert witness.read_samples(RAW, 0.3, 0.2) == (Witness(60, 30), "")


def test_there_are_never_more_holding_samples_than_samples():
    assert witness.read_samples(RAW, 0.1, 0.2) == (Witness(20, 20), "")


def test_a_starved_pyspy_abstains():
    seen, reason = witness.read_samples("holding_reference (witness.py:5) 2", 0.3, 0.2)
    assert seen is None
    assert "starved" in reason


def test_without_pyspy_there_is_a_reason_and_no_error(monkeypatch):
    monkeypatch.setattr(witness, "find_pyspy", lambda: None)
    with witness.PySpy(os.getpid()) as spy:
        assert spy.result(0.1) == (None, "py-spy is not installed (pip install py-spy)")


def stand_in(tmp_path, text):
    program = tmp_path / "py-spy"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def test_a_refused_pyspy_gives_its_own_words(monkeypatch, tmp_path):
    program = stand_in(
        tmp_path, "echo 'Error: Permission Denied: Try running again with elevated permissions'; exit 1"
    )
    monkeypatch.setattr(witness, "find_pyspy", lambda: program)
    with witness.PySpy(os.getpid()) as spy:
        seen, reason = spy.result(0.1)
    assert seen is None
    assert "Permission Denied" in reason


def test_a_pyspy_that_never_begins_is_given_up(monkeypatch, tmp_path):
    program = stand_in(tmp_path, "exec sleep 600")
    monkeypatch.setattr(witness, "find_pyspy", lambda: program)
    monkeypatch.setattr(witness, "READY_TIMEOUT", 0.3)
    with witness.PySpy(os.getpid()) as spy:
        seen, reason = spy.result(0.1)
    assert seen is None
    assert reason


def test_a_pyspy_that_cannot_be_started_gives_a_reason(monkeypatch, tmp_path):
    program = tmp_path / "py-spy"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    monkeypatch.setattr(witness, "find_pyspy", lambda: str(program))
    with witness.PySpy(os.getpid()) as spy:
        assert "cannot be started" in spy.result(0.1)[1]


def test_the_pyspy_beside_this_python_comes_first(monkeypatch, tmp_path):
    monkeypatch.setattr(witness.sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _: "elsewhere")
    assert witness.find_pyspy() == "elsewhere"
    program = stand_in(tmp_path, "")
    assert witness.find_pyspy() == program


@pytest.mark.parametrize(("library", "wrong"), [(ctypes.PyDLL, "releases"), (ctypes.CDLL, "holds")])
def test_the_real_one_is_never_on_the_wrong_side(library, wrong):
    with witness.PySpy(os.getpid()) as spy:
        start, end = window.timed_call(lambda: library(None).usleep(300_000))
        seen, reason = spy.result(end - start)
    if seen is None:
        pytest.skip(reason)
    assert verdict.read_witness(seen)[0] != wrong


def test_the_reference_holds_for_the_time_it_says():
    start = time.perf_counter()
    assert witness.REFERENCE <= witness.holding_reference() <= time.perf_counter() - start
