"""The plans for the real wheels: how much they release, and that every word of them is true of the binaries."""

from __future__ import annotations

import re

import pytest

from gilgen import plan, rules, toolkits
from gilgen.audit import elf

pytestmark = pytest.mark.real


def planned(name):
    return plan.read(plan.ensure(name, None, print))


@pytest.fixture(scope="module")
def vtk():
    return planned("vtk")


@pytest.fixture(scope="module")
def itk():
    return planned("itk")


@pytest.fixture(scope="module", params=["vtk", "itk"])
def either(request):
    return request.getfixturevalue(request.param)


def released(made):
    return [decision for decision in made.decisions if decision.action == "release"]


def names(made):
    return {decision.python for decision in released(made)}


def test_enough_is_released_and_not_everything(vtk, itk):
    assert 1200 < len(released(vtk)) < 4000
    assert 240 < len(released(itk)) < 20000
    # Most of what ITK's Python calls is inline code of class templates, which no library defines by itself.
    for made, share in ((vtk, 0.7), (itk, 0.15)):
        served = made.coverage.direct + made.coverage.through
        assert served > share * made.coverage.candidates
        assert made.coverage.candidates < 0.2 * made.coverage.wrapped
        assert served + sum(made.coverage.kept.values()) == made.coverage.candidates


def test_what_is_known_to_block_is_released(vtk, itk):
    wanted = {"vtkOBBTree.BuildLocator", "vtkImageData.DeepCopy", "vtkAlgorithm.UpdatePiece", "vtkAlgorithm.Update", "vtkPolyData.DeepCopy",
        "vtkRenderWindowInteractor.Start"}  # fmt: skip
    assert wanted <= names(vtk)
    symbols = {decision.symbol for decision in released(itk)}
    assert {"_ZN3itk13ProcessObject6UpdateEv", "_ZN3itk13ProcessObject27UpdateLargestPossibleRegionEv"} <= symbols
    # An image has code of its own in the module that wraps it; what other modules export of the same name, no call from Python reaches.
    allocate = {decision.python: decision for decision in itk.decisions if re.fullmatch(r"itkImage\w+\.Allocate", decision.python)}
    assert len(allocate) > 20
    assert {(decision.action, decision.reason) for decision in allocate.values()} == {("keep", "absent")}


def test_every_released_symbol_is_defined_where_the_plan_says_and_as_often(either):
    root = toolkits.get(either.toolkit).installation().root
    wanted = {decision.symbol.encode() for decision in released(either)}
    counts, first = {}, {}
    for library in either.libraries:
        with elf.Library(root / library.path) as file:
            for symbol in file.defined(wanted.__contains__):
                counts[symbol] = counts.get(symbol, 0) + 1
                first.setdefault(symbol, library.path)
            assert file.build_id == library.build_id
        assert (root / library.path).stat().st_size == library.size
    for decision in released(either):
        assert counts[decision.symbol] == decision.copies, decision
        assert first[decision.symbol] == decision.library


def test_nothing_cheap_and_nothing_of_python_s_is_released(vtk):
    assert not [name for name in names(vtk) if re.search(r"\.\w+(On|Off)$", name)]
    assert not [name for name in names(vtk) if re.search(r"\.(Get|Set|Is|Has)[A-Z]\w*(Name|Id|Flag|Color|Size)$", name)]
    python = {library.path for library in vtk.libraries if library.uses_cpython}
    assert any("CommonPython" in path for path in python)
    assert any("WrappingPythonCore" in path for path in python)
    assert not {decision.library for decision in released(vtk)} & python


def test_each_symbol_once_and_each_decision_with_its_reason(either):
    symbols = [decision.symbol for decision in released(either)]
    assert len(symbols) == len(set(symbols))
    hot = rules.load(either.toolkit).hot
    for decision in either.decisions:
        assert decision.reason, decision
        assert decision.why, decision
    for decision in released(either):
        assert all(decision.carriers), decision
        assert decision.reason.startswith(("rule:", "config:")), decision
        assert decision.symbol not in hot or decision.reason == "config:include"
        assert not (decision.static and decision.followed)
