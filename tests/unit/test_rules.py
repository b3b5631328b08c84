"""The rules as data: a class stands in a family only for what the family's reason says of it."""

from __future__ import annotations

import pytest

from gilgen import rules
from gilgen.rules import Family

WINDOW = frozenset({"vtkOpenGLRenderWindow", "vtkRenderWindow", "vtkWindow", "vtkObject", "vtkObjectBase"})


def covering(toolkit, ancestry, method, parameters=""):
    """Names of the families that name a method of a class with these ancestors."""
    return [family.name for family in rules.load(toolkit).families if family.covers(frozenset(ancestry), method, parameters)]


# ------------------------------------------------------------------------------------------- what `except` means


@pytest.mark.parametrize(
    ("excluded", "ancestry", "method", "covered"),
    [
        ((), {"Base"}, "BuildAll", True),
        (("BuildAll",), {"Base"}, "BuildAll", False),
        (("BuildA*",), {"Base"}, "BuildAll", False),
        (("BuildA",), {"Base"}, "BuildAll", True),
        (("Derived.BuildAll",), {"Derived", "Base"}, "BuildAll", False),
        (("Derived.*",), {"Leaf", "Derived", "Base"}, "BuildAll", False),
        (("Derived.BuildAll",), {"Derived", "Base"}, "BuildOne", True),
        (("Derived.BuildAll",), {"Base"}, "BuildAll", True),
        (("Other.*",), {"Derived", "Base"}, "BuildAll", True),
        (("ns::Derived.Build*",), {"ns::Derived", "Base"}, "BuildAll", False),
    ],
)
def test_except_leaves_out_methods_or_methods_of_a_class_and_its_descendants(excluded, ancestry, method, covered):
    family = Family("building", "It builds.", frozenset({"Base"}), ("Build*",), excluded=excluded)
    assert family.covers(frozenset(ancestry), method, "") is covered


def test_except_also_leaves_out_what_stands_behind():
    family = Family("building", "It builds.", frozenset({"Base"}), ("Build",), behind=("Inner",), excluded=("Derived.Inner",))
    assert family.covers(frozenset({"Base"}), "Inner", "")
    assert not family.covers(frozenset({"Derived", "Base"}), "Inner", "")


# ------------------------------------------------------------------------------------------------ what they name


@pytest.mark.parametrize("toolkit", ["vtk", "itk"])
def test_no_family_starts_from_the_root_of_all_classes(toolkit):
    roots = {"vtkObject", "vtkObjectBase", "itk::Object", "itk::LightObject"}
    assert {family.name: sorted(family.classes & roots) for family in rules.load(toolkit).families if family.classes & roots} == {}


@pytest.mark.parametrize("toolkit", ["vtk", "itk"])
def test_each_family_has_its_name_its_reason_and_no_exception_beside_the_point(toolkit):
    families = rules.load(toolkit).families
    assert len({family.name for family in families}) == len(families)
    for family in families:
        assert family.why.endswith(".")
        for pattern in family.excluded:
            owner, _, method = pattern.rpartition(".")
            assert method, pattern
            assert method != "*" or owner not in family.classes, f"{pattern}: leave the class out of {family.name}"


@pytest.mark.parametrize("method", ["Start", "End", "Frame", "SwapBuffers", "MakeCurrent", "Finalize"])
def test_a_window_does_not_write_when_it_starts(method):
    assert covering("vtk", WINDOW, method) == []


@pytest.mark.parametrize(
    ("ancestry", "method", "families"),
    [
        ({"vtkFFMPEGWriter", "vtkGenericMovieWriter", "vtkImageAlgorithm", "vtkAlgorithm"}, "Start", ["files-in-parts"]),
        ({"vtkFFMPEGWriter", "vtkGenericMovieWriter", "vtkImageAlgorithm", "vtkAlgorithm"}, "End", ["files-in-parts"]),
        ({"vtkXMLWriter", "vtkXMLWriterBase", "vtkAlgorithm"}, "Stop", ["files-in-parts"]),
        ({"vtkXMLWriter", "vtkXMLWriterBase", "vtkAlgorithm"}, "Start", []),  # sets a flag
        ({"vtkVideoSource", "vtkImageAlgorithm", "vtkAlgorithm"}, "Stop", []),
        ({"vtkRenderWindowInteractor"}, "Start", ["event-loops"]),
        ({"vtkSTLWriter", "vtkWriter", "vtkAlgorithm"}, "Write", ["writers"]),
        ({"vtkSTLWriter", "vtkWriter", "vtkAlgorithm"}, "EncodeString", []),
    ],
)
def test_control_what_starts_and_ends_files_and_loops_is_named(ancestry, method, families):
    assert covering("vtk", ancestry, method) == families


@pytest.mark.parametrize(
    ("parameters", "families"),
    [
        ("vtkDataSetAttributes *,vtkIdList *,vtkIdList *", ["tuples"]),
        ("vtkDataSetAttributes *,vtkIdType,vtkIdType,vtkIdType", ["tuples"]),
        ("vtkDataSetAttributes *,vtkIdType,vtkIdType", []),
        ("vtkDataSetAttributes::FieldList &,vtkDataSetAttributes *,int,vtkIdType,vtkIdType", []),
    ],
)
def test_copying_one_tuple_is_not_copying_many(parameters, families):
    assert covering("vtk", {"vtkDataSetAttributes", "vtkFieldData"}, "CopyData", parameters) == families


@pytest.mark.parametrize("method", ["GenerateStreamableReadRegionFromRequestedRegion", "ComputeStrides"])
def test_an_image_format_of_itk_computes_over_no_image(method):
    ancestry = {"itk::MetaImageIO", "itk::ImageIOBase", "itk::LightProcessObject", "itk::Object", "itk::LightObject"}
    assert covering("itk", ancestry, method) == []
    assert covering("itk", ancestry, "Read") == ["readers"]
    assert covering("itk", {"itk::ImageMomentsCalculator", "itk::Object", "itk::LightObject"}, "Compute") == ["calculators"]
