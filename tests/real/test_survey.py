"""`gilgen survey` on the real wheels: a few classes of each kind, before and after."""

from __future__ import annotations

import os
import sys

import pytest
import support

from gilgen import store
from gilgen.model import Survey

pytestmark = [pytest.mark.real, pytest.mark.slow]

CLASSES = ("vtkContourFilter", "vtkPolyData", "vtkSTLWriter", "vtkPolyDataMapper", "vtkAbstractCellLocator", "MedianImageFilter")


@pytest.fixture(scope="module")
def survey(real_shims, tmp_path_factory):
    """The survey of a few classes, in a cache of its own that shares what the installed packages expose."""
    folder = tmp_path_factory.mktemp("survey")
    exposed = store.cache_dir() / "exposed"
    exposed.mkdir(parents=True, exist_ok=True)
    (folder / "exposed").symlink_to(exposed)
    only = [word for name in CLASSES for word in ("--only", name)]
    command = [sys.executable, "-c", "from gilgen.commands import main; main()", "survey", "vtk", "itk", *only, "--json", str(folder / "survey.json")]
    path = os.pathsep.join(str(each) for each in (real_shims, support.CHECKOUT, os.environ.get("PYTHONPATH", "")) if each)
    ended = support.run(command, deadline=600, env={"PYTHONPATH": path, "GILGEN_CACHE_DIR": str(folder)})
    assert ended.ok, ended.err
    return store.read(folder / "survey.json", Survey), ended.out


def test_what_held_releases(survey):
    found, _ = survey
    held = {one.call: one.after for one in found.classes if one.before == "holds"}
    expected = {"vtkContourFilter.UpdatePiece", "vtkPolyData.DeepCopy", "vtkSTLWriter.Write", "MedianImageFilter.Update"}
    assert expected <= set(held), found.classes
    assert set(held.values()) == {"releases"}, found.classes


def test_how_long_others_were_kept_out(survey):
    found, _ = survey
    for one in found.classes:
        if one.before == "holds":
            assert one.held_after < one.held_before, one


def test_what_is_not_tried_says_why(survey):
    found, out = survey
    why = {one.name: one.because for one in found.classes if one.before == "untested"}
    assert why == {"vtkPolyDataMapper": "needs a render window", "vtkAbstractCellLocator": "abstract"}
    assert "untested: needs a render window" in out
