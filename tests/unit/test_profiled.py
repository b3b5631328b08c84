"""What a profile says a plan is to release; `test_plan` has what becomes of it."""

from __future__ import annotations

import pytest

from gilgen import plan, profiled, store
from gilgen.errors import ArtefactError, GilgenError
from gilgen.model import Environment, Headers, HeldCall, Profile
from gilgen.toolkits.base import ExposedClass, ExposedMethod


def profile(*calls):
    """A profile with (toolkit, Python name, seconds held)."""
    held = [HeldCall(python, toolkit, "main.py", line, "main", ("MainThread",), "", 1, seconds, seconds, seconds) for line, (toolkit, python, seconds) in enumerate(calls)]
    return Profile(Environment("0", "CPython", "x86_64", "Linux", 2), "main.py", 1.0, "monitor", 0, tuple(held))


def written(tmp_path, *calls):
    store.write(tmp_path / "profile.json", profile(*calls))
    return tmp_path / "profile.json"


# ------------------------------------------------------------------------------------- reading a profile


def test_what_held_longer_than_the_limit_in_all_places_together(tmp_path):
    file = written(tmp_path, ("vtk", "vtkA.Run", 0.015), ("vtk", "vtkA.Run", 0.015), ("vtk", "vtkB.Run", 0.019), ("itk", "itkC.Run", 1.0), ("", "time.sleep", 9.0), ("vtk", "vtkD.Run", 0.0))
    assert profiled.held(file) == {"vtk": ("vtkA.Run",), "itk": ("itkC.Run",)}
    assert profiled.held(file, 0.01) == {"vtk": ("vtkA.Run", "vtkB.Run"), "itk": ("itkC.Run",)}


def test_a_profile_in_which_nothing_held_is_refused(tmp_path):
    with pytest.raises(GilgenError, match="longer than 20 ms"):
        profiled.held(written(tmp_path, ("", "time.sleep", 9.0), ("vtk", "vtkA.Run", 0.01)))
    with pytest.raises(ArtefactError, match="There is no"):
        profiled.held(tmp_path / "none.json")


def exposed(name, methods, bases=()):
    return ExposedClass(name, name, bases, tuple(ExposedMethod(name, one) for one in methods))


CLASSES = {cls.name: cls for cls in (exposed("vtkWriter", ["Write"]), exposed("vtkPLYWriter", ["Close"], ("vtkWriter",)), exposed("vtkTree", ["Write", "Build"]))}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vtkPLYWriter.Write", [("vtkPLYWriter.Write", "vtkWriter")]),
        ("vtkTree.Write", [("vtkTree.Write", "vtkTree")]),
        ("*.Write", [("vtkWriter.Write", "vtkWriter"), ("vtkTree.Write", "vtkTree")]),
        ("vtkTree.Sort", [("vtkTree.Sort", "")]),
        ("vtkNone.Write", [("vtkNone.Write", "")]),
    ],
)
def test_a_name_is_the_method_of_the_nearest_class_that_defines_it(name, expected):
    assert [(found.python, found.owner) for found in profiled.resolve((name,), CLASSES)] == expected


def test_plans_with_and_without_a_profile_have_keys_of_their_own(monkeypatch, tmp_path):
    keys = []
    monkeypatch.setattr(plan.declared, "choose", lambda *_: Headers("vtk", "9", "9", str(tmp_path), (), "a test"))
    monkeypatch.setattr(store, "ensure", lambda *arguments: keys.append(arguments[3]))
    installation = type("Installation", (), {"key": "key", "root": tmp_path, "version": "9", "toolkit": "vtk"})
    monkeypatch.setattr("gilgen.toolkits.vtk.Vtk.installation", lambda _: installation)
    for held in (None, (), ("vtkA.Run",), ("vtkB.Run",), ("vtkA.Run",)):
        plan.ensure("vtk", None, print, held)
    assert len(set(keys)) == 4
    assert keys[2] == keys[4]
