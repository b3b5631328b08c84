"""The command line on the real wheels: fix, build and explain, from the cache where it has what they need."""

from __future__ import annotations

import json
import sys

import pytest
import support

pytestmark = pytest.mark.real


def gilgen(*arguments, deadline=900.0):
    ended = support.run([sys.executable, "-c", "from gilgen.commands import main; main()", *map(str, arguments)], deadline)
    assert ended.ok, ended.err
    return ended


@pytest.fixture(scope="module")
def fixed(tmp_path_factory):
    """`gilgen fix` for both, without installing: (what it printed, the folder with the wheels, its JSON)."""
    folder = tmp_path_factory.mktemp("fix")
    ended = gilgen("fix", "vtk", "itk", "--no-install", "-o", folder / "wheels", "--json", folder / "fix.json")
    return ended, folder / "wheels", json.loads((folder / "fix.json").read_text())["data"]


def test_fix_makes_a_wheel_for_each(fixed):
    ended, wheels, results = fixed
    assert sorted(path.name.partition("-")[0] for path in wheels.iterdir()) == ["gilgen_shims_itk", "gilgen_shims_vtk"]
    for path in wheels.iterdir():
        assert str(path) in ended.out
    assert [result["toolkit"] for result in results] == ["vtk", "itk"]
    assert all(result["functions"] > 200 for result in results)
    assert "vtk 9." in ended.out
    assert "itk 5." in ended.out


def test_a_second_time_everything_comes_from_the_cache(fixed, tmp_path):
    gilgen("fix", "vtk", "itk", "--no-install", "--json", tmp_path / "again.json")
    again = json.loads((tmp_path / "again.json").read_text())["data"]
    assert [sum(result["seconds"].values()) for result in again] == [0, 0]
    assert [result["wheel"] for result in again] == [result["wheel"] for result in fixed[2]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("vtkOBBTree.BuildLocator", ["release the GIL", "rule:locators", "_ZN10vtkOBBTree12BuildLocatorEv", "libvtkFiltersGeneral", "in vtables"]),
        ("vtkImageData.DeepCopy", ["release the GIL", "_ZN12vtkImageData8DeepCopyEP13vtkDataObject"]),
        ("vtkSphereSource.Update", ["wrapped by     vtkAlgorithm", "_ZN12vtkAlgorithm6UpdateEv", "filters upstream, data, arrays"]),
        ("vtkSphereSource.SetRadius", ["Kept:"]),
        ("itk.ImageFileWriter.Write", ["ImageFileWriter", "itkProcessObject.UpdateOutputData"]),
        ("itk.MedianImageFilter.Update", ["_ZN3itk13ProcessObject6UpdateEv", "more copies"]),
    ],
)
def test_explain_follows_a_method_to_its_slots(fixed, name, expected):
    assert fixed
    out = gilgen("explain", name).out
    for words in expected:
        assert words in out, out


@pytest.mark.parametrize(("name", "near"), [("vtkOBBTree.BuildLocater", "BuildLocator"), ("vtkOBBTre.BuildLocator", "vtkOBBTree"), ("nonsense", "vtk")])
def test_explain_knows_the_nearest_names(name, near):
    ended = support.run([sys.executable, "-c", "from gilgen.commands import main; main()", "explain", name], 300)
    assert ended.code == 22
    assert near in ended.err
    assert "Traceback" not in ended.err
