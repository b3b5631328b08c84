"""VTK operations that only read shared data, and fill its caches while they do."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import mutable, vtkIdList, vtkPoints
from vtkmodules.vtkCommonDataModel import (
    vtkGenericCell,
    vtkKdTree,
    vtkKdTreePointLocator,
    vtkOctreePointLocator,
)
from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance
from vtkmodules.vtkFiltersFlowPaths import vtkModifiedBSPTree
from vtkmodules.vtkFiltersGeneral import vtkOBBTree

from fuzz.digests import checksum, rounded
from fuzz.vtk_digests import array_digest, digest
from fuzz.vtk_things import CELL_LOCATORS, POINT_LOCATORS, VTK

DATA = "mesh|grid|image|curved|rectilinear"
SPOTS = tuple(range(6))

ALL_CELL_LOCATORS = CELL_LOCATORS | {"vtkModifiedBSPTree": vtkModifiedBSPTree}
ALL_POINT_LOCATORS = POINT_LOCATORS | {kind.__name__: kind for kind in (vtkKdTreePointLocator, vtkOctreePointLocator)}


def spot(number: int) -> tuple[float, float, float]:
    """A point near the shared data."""
    x, y, z = np.random.default_rng(number).random(3) - 0.3
    return float(x), float(y), float(z)


def line(number: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The ends of a line through the shared data."""
    return tuple(place - 0.6 for place in spot(number)), tuple(place + 0.5 for place in spot(number + 1))


def ids(found: Any) -> str:
    """The digest of an id list."""
    return ",".join(str(found.GetId(number)) for number in range(found.GetNumberOfIds()))


# ------------------------------------------------------------------------------------------- the data


@VTK.operation("reading", data=DATA)
def bounds(data: Any) -> str:
    """Bounds, which are computed when first asked for."""
    return rounded(*data.GetBounds())


@VTK.operation("reading", data=DATA)
def extent_of(data: Any) -> str:
    """Center and length, which need the bounds."""
    return rounded(*data.GetCenter(), data.GetLength())


@VTK.operation("reading", data=DATA)
def scalar_range(data: Any) -> str:
    """The range of the active scalars."""
    return rounded(*data.GetScalarRange())


@VTK.operation("reading", data=DATA)
def array_range(data: Any) -> str:
    """The range of an array of shared data, which the array keeps."""
    values = data.GetPointData().GetScalars()
    return rounded(*values.GetRange(0), *values.GetFiniteRange(0), values.GetMaxNorm())


@VTK.operation("reading", values="array")
def ranges(values: Any) -> str:
    """The ranges of a shared array."""
    return rounded(*values.GetRange(0), *values.GetRange(-1), values.GetMaxNorm())


@VTK.operation("reading", values="array", number=SPOTS)
def looked_up(values: Any, number: int) -> str:
    """Where a value is; the array makes an index when first asked."""
    return str(values.LookupValue(values.GetValue(number)))


@VTK.operation("reading", strings="words", number=SPOTS)
def looked_up_word(strings: Any, number: int) -> str:
    """Where a string is; the array makes an index when first asked."""
    return str(strings.LookupValue(f"word {number}"))


@VTK.operation("reading", data=DATA)
def viewed(data: Any) -> str:
    """numpy's view of shared data."""
    return checksum(vtk_to_numpy(data.GetPointData().GetScalars()).cumsum())


@VTK.operation("reading", values="array")
def memory_size(values: Any) -> str:
    """How much memory an array takes."""
    return f"{values.GetActualMemorySize()} {values.GetNumberOfTuples()} {values.GetDataSize()}"


@VTK.operation("reading", data=DATA, number=SPOTS)
def cell(data: Any, number: int) -> str:
    """One cell, in a cell of one's own."""
    own = vtkGenericCell()
    data.GetCell(number, own)
    return f"{own.GetCellType()} {own.GetNumberOfPoints()} {ids(own.GetPointIds())} {rounded(*own.GetBounds())}"


@VTK.operation("reading", data=DATA, number=SPOTS)
def cell_points(data: Any, number: int) -> str:
    """The points of some cells."""
    own = vtkIdList()
    found = []
    for other in range(number, number + 5):
        data.GetCellPoints(other, own)
        found.append(ids(own))
    return " ".join(found)


@VTK.operation("reading", data=DATA, number=SPOTS)
def cell_facts(data: Any, number: int) -> str:
    """Types and sizes of cells."""
    return f"{data.GetCellType(number)} {data.GetMaxCellSize()} {data.GetNumberOfCells()} {rounded(*data.GetPoint(number))}"


@VTK.operation("links", mesh="mesh|grid", number=SPOTS, weight=2)
def point_cells(mesh: Any, number: int) -> str:
    """The cells of a point; links must be built."""
    mesh.BuildLinks()
    own = vtkIdList()
    mesh.GetPointCells(number, own)
    return ids(own)


@VTK.operation("links", mesh="mesh", number=SPOTS)
def built_cells(mesh: Any, number: int) -> str:
    """Cells of a mesh that is told to build them."""
    mesh.BuildCells()
    own = vtkIdList()
    mesh.GetCellPoints(number, own)
    return f"{ids(own)} {mesh.GetCellType(number)}"


@VTK.operation("links", mesh="mesh|grid", number=SPOTS)
def neighbours(mesh: Any, number: int) -> str:
    """The neighbours of a cell at one of its edges or faces."""
    mesh.BuildLinks()
    corner, found = vtkIdList(), vtkIdList()
    mesh.GetCellPoints(number, corner)
    while corner.GetNumberOfIds() > 2:
        corner.DeleteId(corner.GetId(2))
    mesh.GetCellNeighbors(number, corner, found)
    return ids(found)


@VTK.operation("links", grid="grid")
def cell_types(grid: Any) -> str:
    """Distinct cell types, which a grid computes when first asked."""
    return f"{array_digest(grid.GetDistinctCellTypesArray())} {grid.IsHomogeneous()}"


@VTK.operation("searching", data=DATA, number=SPOTS, weight=2)
def point_found(data: Any, number: int) -> str:
    """The closest point; the data builds a locator when first asked."""
    return str(data.FindPoint(spot(number)))


@VTK.operation("searching", data="grid|image|curved|rectilinear", number=SPOTS, weight=2)
def cell_found(data: Any, number: int) -> str:
    """The cell around a point."""
    part, inside, weights = mutable(0), [0.0] * 3, [0.0] * 8
    found = data.FindCell(spot(number), None, vtkGenericCell(), -1, 1e-6, part, inside, weights)
    return f"{found} {rounded(*inside)}" if found >= 0 else "none"


# --------------------------------------------------------------------------------------- locators


@VTK.operation("locators", mesh="mesh|grid", kind=tuple(ALL_CELL_LOCATORS), number=SPOTS, weight=6)
def cell_locator(mesh: Any, kind: str, number: int) -> str:
    """A cell locator of one's own on shared data, built and asked for what a line meets."""
    locator = ALL_CELL_LOCATORS[kind]()
    locator.SetDataSet(mesh)
    locator.BuildLocator()
    points, cells = vtkPoints(), vtkIdList()
    locator.IntersectWithLine(*line(number), points, cells)
    return f"{points.GetNumberOfPoints()} {ids(cells)}"


@VTK.operation("locators", mesh="mesh|grid|curved", kind=tuple(ALL_POINT_LOCATORS), number=SPOTS, weight=4)
def point_locator(mesh: Any, kind: str, number: int) -> str:
    """A point locator of one's own on shared data."""
    locator = ALL_POINT_LOCATORS[kind]()
    locator.SetDataSet(mesh)
    locator.BuildLocator()
    found = vtkIdList()
    locator.FindClosestNPoints(5, spot(number), found)
    return f"{locator.FindClosestPoint(spot(number))} {ids(found)}"


@VTK.operation("locators", mesh="mesh|grid", number=SPOTS)
def kd_tree(mesh: Any, number: int) -> str:
    """A tree of the cells of shared data."""
    tree = vtkKdTree()
    tree.SetDataSet(mesh)
    tree.BuildLocator()
    x, y, z = spot(number)
    return f"{tree.GetNumberOfRegions()} {tree.GetRegionContainingPoint(x, y, z)}"


@VTK.operation("locators", mesh="mesh|grid", number=SPOTS)
def kd_points(mesh: Any, number: int) -> str:
    """A tree of the points of shared data."""
    tree = vtkKdTree()
    tree.BuildLocatorFromPoints(mesh)
    return str(tree.FindClosestPoint(spot(number), mutable(0.0)))


@VTK.operation("locators", mesh="mesh", level=(1, 3))
def boxes(mesh: Any, level: int) -> str:
    """The boxes of a tree around shared data."""
    from vtkmodules.vtkCommonDataModel import vtkPolyData  # noqa: PLC0415

    tree, drawn = vtkOBBTree(), vtkPolyData()
    tree.SetDataSet(mesh)
    tree.SetMaxLevel(level)
    tree.BuildLocator()
    tree.GenerateRepresentation(level, drawn)
    return digest(drawn)


@VTK.operation("locators", locator="cell_locator", number=SPOTS, weight=2)
def shared_line(locator: Any, number: int) -> str:
    """A query of a shared cell locator, which builds it when it must."""
    locator.BuildLocator()
    points, cells = vtkPoints(), vtkIdList()
    locator.IntersectWithLine(*line(number), points, cells)
    return f"{points.GetNumberOfPoints()} {ids(cells)}"


@VTK.operation("locators", locator="point_locator", number=SPOTS, weight=2)
def shared_closest(locator: Any, number: int) -> str:
    """A query of a shared point locator, which builds it when it must."""
    return str(locator.FindClosestPoint(spot(number)))


@VTK.operation("locators", locator="point_locator|cell_locator")
def rebuilt(locator: Any) -> str:
    """A shared locator built once more, while others may ask it."""
    locator.ForceBuildLocator()
    return "built"


# ----------------------------------------------------------------------- functions, colours, transforms


@VTK.operation("implicit", mesh="mesh", number=SPOTS, weight=3)
def own_distance(mesh: Any, number: int) -> str:
    """Distances from a shared mesh, by a function of one's own."""
    function = vtkImplicitPolyDataDistance()
    function.SetInput(mesh)
    return rounded(*(function.EvaluateFunction(spot(number + other)) for other in range(3)))


@VTK.operation("implicit", function="distance", number=SPOTS, weight=2)
def shared_distance(function: Any, number: int) -> str:
    """One distance by a shared function."""
    return rounded(function.EvaluateFunction(spot(number)))


@VTK.operation("implicit", shape="shape", number=SPOTS)
def shape_value(shape: Any, number: int) -> str:
    """Value of a shared implicit function with a transform."""
    gradient = [0.0] * 3
    shape.FunctionGradient(spot(number), gradient)
    return rounded(shape.FunctionValue(spot(number)), *gradient)


@VTK.operation("colours", lut="lut", values="array")
def mapped(lut: Any, values: Any) -> str:
    """An array mapped through a shared table."""
    lut.Build()
    return array_digest(lut.MapScalars(values, 0, 0))


@VTK.operation("colours", lut="lut", number=SPOTS)
def colour(lut: Any, number: int) -> str:
    """One colour of a shared table, after building it."""
    lut.Build()
    own = [0.0] * 3
    lut.GetColor(number / 3 - 1, own)
    return rounded(*own, *lut.GetTableValue(number))


@VTK.operation("transforms", transform="transform", number=SPOTS, weight=2)
def moved_point(transform: Any, number: int) -> str:
    """A point through a shared transform, which is evaluated when it must be."""
    return rounded(*transform.TransformPoint(spot(number)))


@VTK.operation("transforms", transform="transform", mesh="mesh|grid")
def moved_points(transform: Any, mesh: Any) -> str:
    """Shared points through a shared transform."""
    moved = vtkPoints()
    transform.TransformPoints(mesh.GetPoints(), moved)
    return array_digest(moved.GetData())
