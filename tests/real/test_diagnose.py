"""A case of each kind on the real wheels. Load may cost a proof ("unknown"), never turn one round."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from gilgen.diagnostics.cases import cases_of
from gilgen.diagnostics.run import Choice, diagnose

from gilgen import store
from gilgen.model import Report

pytestmark = [pytest.mark.real, pytest.mark.slow]

PROVEN = {"releases", "holds", "partly"}

CHOSEN = {
    "vtk": {
        "obb-tree", "image-copy", "registration", "ply-writer", "contour-piece", "executive", "call-operator", "gauss", "stl-reader",
    },
    "itk": {
        "median-function", "gauss", "registration", "writer", "reader", "mesh-vtk-writer", "allocate",
    },
}  # fmt: skip
"""Of each toolkit so many that every kind is there, without repetitions; `gilgen diagnose vtk itk` measures them all."""

HINTED = {"gauss", "stl-reader"}
"""VTK's cases that plain wheels from 9.4 on release."""


@pytest.fixture(scope="module")
def plain() -> Report:
    names = tuple(sorted(CHOSEN["vtk"] | CHOSEN["itk"]))
    return diagnose(Choice(("vtk", "itk"), names, ("before",), deadline=180.0, quick=True), lambda _: None)


def results(report, toolkit):
    return {result.case: result for result in report.results if result.toolkit == toolkit}


def test_the_controls_hold(plain):
    assert plain.valid, [result for result in plain.controls if result.verdict not in PROVEN]


@pytest.mark.parametrize(("toolkit", "least"), [("vtk", 6), ("itk", 4)])
def test_enough_cases_are_proven_and_none_breaks(plain, toolkit, least):
    found = results(plain, toolkit)
    assert set(found) == CHOSEN[toolkit] <= {case.name for case in cases_of(toolkit)}
    broken = {
        name: result.message
        for name, result in found.items()
        if result.verdict in {"error", "crash", "timeout", "too short"}
    }
    assert not broken
    assert sum(result.verdict in PROVEN for result in found.values()) >= least


def test_plain_vtk_releases_what_upstream_hinted_and_holds_the_rest(plain):
    for name, result in results(plain, "vtk").items():
        wrong = "holds" if name in HINTED else "releases"
        assert result.verdict != wrong, result


def test_plain_itk_holds_everything(plain):
    for result in results(plain, "itk").values():
        assert result.verdict in {"holds", "unknown"}, result


def test_the_command_line_from_end_to_end(tmp_path):
    environment = os.environ | {"GILGEN_CACHE_DIR": str(tmp_path / "cache")}
    file = tmp_path / "report.json"
    command = [sys.executable, "-c", "from gilgen.commands import main; main()"]
    arguments = ["diagnose", "vtk", "--only", "before", "--case", "obb-tree", "--json", str(file)]
    done = subprocess.run(
        [*command, *arguments], env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "vtkOBBTree.BuildLocator" in done.stdout
    report = store.read(file, Report)
    assert [result.verdict for result in report.results] in (["holds"], ["unknown"])
    shown = subprocess.run(
        [*command, "report"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert shown.stdout == done.stdout
