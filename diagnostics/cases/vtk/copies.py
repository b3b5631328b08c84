"""Copies, links, arrays and registration: calls on data and transforms, held by every plain wheel."""

from __future__ import annotations

import numpy as np
from gilgen.diagnostics.cases.record import Case, Work
from gilgen.diagnostics.cases.vtk.data import (
    MEGABYTE,
    blocks,
    constant_volume,
    grid,
    library,
    numbers,
    numpy_support,
    passed,
    points,
    structured,
    surface,
    table,
)
from gilgen.diagnostics.cases.vtk.kinds import copy


def _links(size: int) -> Work:
    mesh = surface(size)
    mesh.BuildCells()
    return Work(mesh.BuildLinks, mesh.DeleteLinks)


def _grid_links(size: int) -> Work:
    cells = grid(size)
    return Work(cells.BuildLinks, lambda: cells.SetLinks(None), lambda: cells.GetLinks() is not None)


def _sort(size: int) -> Work:
    original = numbers(size)
    keys = library().vtkFloatArray()

    def scramble() -> None:
        keys.DeepCopy(original)
        keys.SetNumberOfComponents(1)

    return Work(
        lambda: library().vtkSortDataArray.Sort(keys),
        scramble,
        lambda: keys.GetValue(0) <= keys.GetValue(keys.GetNumberOfValues() - 1),
    )


def _table_sort(size: int) -> Work:
    rows = table(size)
    original = library().vtkDoubleArray()
    original.DeepCopy(rows.GetColumn(0))
    return Work(
        lambda: library().vtkSortDataArray.SortArrayByComponent(rows.GetColumn(0), 0),
        lambda: rows.GetColumn(0).DeepCopy(original),
    )


def _fill(size: int) -> Work:
    array = library().vtkFloatArray()
    array.SetNumberOfValues(size // 4)
    return Work(lambda: array.Fill(2.5))


def _range(size: int) -> Work:
    array = numbers(size)
    return Work(lambda: array.GetRange(-1), array.Modified)


def _insert(size: int) -> Work:
    source = numbers(size)
    count = source.GetNumberOfTuples()
    made = source.NewInstance()
    made.SetNumberOfComponents(3)
    return Work(
        lambda: made.InsertTuples(0, count, 0, source),
        made.Initialize,
        lambda: made.GetNumberOfTuples() == count,
    )


def _closest_points(size: int) -> Work:
    source = surface(size)
    move = library().vtkTransform()
    move.RotateX(8.0)
    move.Translate(0.02, 0.01, 0.0)
    register = library().vtkIterativeClosestPointTransform()
    register.SetSource(source)
    register.SetTarget(passed("vtkTransformPolyDataFilter", source, SetTransform=move))
    register.SetMaximumNumberOfLandmarks(max(20, size // 20))
    register.SetMaximumNumberOfIterations(20)
    register.GetLandmarkTransform().SetModeToRigidBody()
    return Work(register.Update, register.Modified)


def _landmarks(size: int) -> Work:
    source = points(size).GetPoints()
    target = library().vtkPoints()
    target.DeepCopy(source)
    places = numpy_support().vtk_to_numpy(target.GetData())
    places[:] = places @ np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]], dtype=places.dtype)
    register = library().vtkLandmarkTransform()
    register.SetSourceLandmarks(source)
    register.SetTargetLandmarks(target)
    register.SetModeToRigidBody()
    return Work(register.Update, register.Modified, lambda: abs(register.GetMatrix().GetElement(0, 0)) < 0.9)  # noqa: PLR2004


def _thin_plate(size: int) -> Work:
    source = points(size).GetPoints()
    target = library().vtkPoints()
    target.DeepCopy(source)
    warp = library().vtkThinPlateSplineTransform()
    warp.SetSourceLandmarks(source)
    warp.SetTargetLandmarks(target)
    warp.SetBasisToR()
    return Work(warp.Update, warp.Modified)


def _transform_points(size: int) -> Work:
    source, made = library().vtkPoints(), library().vtkPoints()
    source.SetData(numbers(3 * size))
    turn = library().vtkTransform()
    turn.RotateX(20.0)
    return Work(lambda: turn.TransformPoints(source, made), made.Reset, lambda: made.GetNumberOfPoints() > 0)


CASES = (
    copy("image-copy", "vtkImageData", constant_volume, 200 * MEGABYTE, 700 * MEGABYTE, quick=True),
    copy("mesh-copy", "vtkPolyData", surface, 2_000_000, 8_000_000),
    copy("grid-copy", "vtkUnstructuredGrid", grid, 1_000_000, 6_000_000),
    copy("structured-copy", "vtkStructuredGrid", structured, 8_000_000, 32_000_000),
    copy("table-copy", "vtkTable", table, 4_000_000, 16_000_000),
    copy("blocks-copy", "vtkMultiBlockDataSet", blocks, 2_000_000, 8_000_000),
    copy("array-copy", "vtkFloatArray", numbers, 50_000_000, 150_000_000),
    Case("fill", "vtk", "vtkFloatArray.Fill", _fill, 400 * MEGABYTE, 600 * MEGABYTE),
    Case("range", "vtk", "vtkFloatArray.GetRange", _range, 50_000_000, 150_000_000),
    Case("insert", "vtk", "vtkFloatArray.InsertTuples", _insert, 20_000_000, 100_000_000),
    Case("links", "vtk", "vtkPolyData.BuildLinks", _links, 2_000_000, 8_000_000),
    Case("grid-links", "vtk", "vtkUnstructuredGrid.BuildLinks", _grid_links, 1_000_000, 6_000_000),
    Case("sort", "vtk", "vtkSortDataArray.Sort", _sort, 1_000_000, 10_000_000),
    Case("table-sort", "vtk", "vtkSortDataArray.SortArrayByComponent", _table_sort, 1_000_000, 10_000_000),
    Case("registration", "vtk", "vtkIterativeClosestPointTransform.Update", _closest_points, 4_000, 400_000),
    Case("landmarks", "vtk", "vtkLandmarkTransform.Update", _landmarks, 1_000_000, 20_000_000),
    Case("thin-plate", "vtk", "vtkThinPlateSplineTransform.Update", _thin_plate, 200, 2_000),
    Case("transform-points", "vtk", "vtkTransform.TransformPoints", _transform_points, 4_000_000, 24_000_000),
)
