"""The pytest plugin on VTK's wheel: a call that holds, and the same call with the shims, in a project of its own."""

from __future__ import annotations

import sys

import pytest
import support

from gilgen import store
from gilgen.model import Report

pytestmark = pytest.mark.real

PROJECT = """
import pytest
from vtkmodules.vtkFiltersGeneral import vtkOBBTree
from vtkmodules.vtkFiltersSources import vtkSphereSource

@pytest.fixture(scope="module")
def tree():
    sphere = vtkSphereSource(theta_resolution=300, phi_resolution=300)
    sphere.Update()
    tree = vtkOBBTree()
    tree.SetDataSet(sphere.GetOutput())
    return tree

def test_releases(gil, tree):
    gil.assert_releases(tree.BuildLocator)

def test_holds(gil, tree):
    gil.assert_holds(tree.BuildLocator)

@pytest.mark.gil(max_stall="200ms")
def test_stall(tree):
    tree.Modified()
    tree.BuildLocator()
"""


@pytest.fixture
def project(tmp_path, real_shims):
    (tmp_path / "test_tree.py").write_text(PROJECT)

    def run(*arguments: str) -> tuple[support.Ended, Report]:
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--gil-report", "gil.json", *arguments]
        ended = support.run(command, deadline=300, env={"PYTHONPATH": f"{real_shims}:{support.CHECKOUT}"}, cwd=tmp_path)
        return ended, store.read(tmp_path / "gil.json", Report)

    return run


def failed(ended: support.Ended) -> set[str]:
    return {name for name in ("test_releases", "test_holds", "test_stall") if f"FAILED test_tree.py::{name}" in ended.out}


def test_the_plain_wheel_holds(project):
    ended, report = project()
    assert failed(ended) == {"test_releases", "test_stall"}, ended.out
    assert "vtkOBBTree.BuildLocator holds the GIL, and this test asserts that it releases the GIL." in ended.out
    assert "-> gilgen's shims for vtk are not active: pytest --gil-shims vtk" in ended.out
    assert {(result.toolkit, result.call, result.shims, result.verdict) for result in report.results} == {("vtk", "vtkOBBTree.BuildLocator", False, "holds")}
    assert report.environment.toolkits.keys() == {"vtk"}


def test_with_the_shims_it_releases_in_every_worker(project):
    ended, report = project("--gil-shims", "vtk", "-n", "2")
    assert failed(ended) == {"test_holds"}, ended.out
    assert {(result.shims, result.verdict) for result in report.results} == {(True, "releases")}
    assert report.valid
