"""A short form of bench/overload.py: every control on an overloaded machine, and a control of the bench itself."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

import pytest
import support
from gilgen.diagnostics import controls

from gilgen.model import CaseResult, Window

RUNS = 2


def test_no_verdict_is_turned_round_by_load():
    ended = support.run([sys.executable, support.CHECKOUT / "bench" / "overload.py", "--runs", str(RUNS), "--json"], 900)
    answer = ended.answer
    assert answer["fold"] > 4
    assert set(answer["controls"]) == {case.call for case in controls.CASES}
    for call, one in answer["controls"].items():
        assert one["wrong"] == [], call
        assert sum(one["read"].values()) == RUNS


@pytest.fixture
def bench_overload(monkeypatch):
    monkeypatch.syspath_prepend(str(support.CHECKOUT / "bench"))
    spec = importlib.util.spec_from_file_location("bench_overload", support.CHECKOUT / "bench" / "overload.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_overload", module)
    spec.loader.exec_module(module)
    return module


def test_a_verdict_that_is_turned_round_is_counted(bench_overload):
    held = next(control for control in controls.CONTROLS if control.expected == "holds")
    right = CaseResult(held.case.name, "control", held.case.call, shims=False, verdict="holds", because="", window=Window(0.2, 0, 0.2, 0.0))
    for verdict, wrong in (("holds", 0), ("unknown", 0), ("releases", 1), ("partly", 1), ("crash", 1), ("error", 1)):
        found = bench_overload.Found()
        bench_overload._count(found, held, replace(right, verdict=verdict))
        assert len(found.wrong) == wrong, verdict
        assert found.read == {verdict: 1}
        assert found.raw == {"holds": 1}
