"""Digests of VTK's data, and how VTK's filters are brought up to date."""

from __future__ import annotations

from typing import Any

from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkDataArray

from fuzz.digests import checksum

UPDATES = ("Update", "UpdatePiece", "UpdateWholeExtent")
"""The plain wheel releases the GIL in the first only."""


def update(algorithm: Any, how: str = "Update") -> None:
    """Bring a filter up to date by one of `UPDATES`."""
    getattr(algorithm, how)(*((0, 1, 0) if how == "UpdatePiece" else ()))


def array_digest(array: Any) -> str:
    """Of a data array or of a string array; "-" where there is none."""
    if array is None:
        return "-"
    if isinstance(array, vtkDataArray):
        return checksum(vtk_to_numpy(array))
    return checksum("|".join(array.GetValue(number) for number in range(array.GetNumberOfValues())))


def field_digest(fields: Any) -> str:
    """Of all arrays of point, cell, row or field data."""
    arrays = [fields.GetAbstractArray(number) for number in range(fields.GetNumberOfArrays())]
    return " ".join(f"{array.GetName()}={array_digest(array)}" for array in arrays)


def digest(data: Any) -> str:
    """Of any data object; reads it, so it must not be in work elsewhere."""
    if data is None:
        return "none"
    if data.IsA("vtkMultiBlockDataSet"):
        return "[" + ", ".join(digest(data.GetBlock(number)) for number in range(data.GetNumberOfBlocks())) + "]"
    if data.IsA("vtkTable"):
        return f"table {data.GetNumberOfRows()} {field_digest(data.GetRowData())}"
    parts = [f"{data.GetNumberOfPoints()} points {data.GetNumberOfCells()} cells"]
    if data.IsA("vtkPointSet") and data.GetNumberOfPoints():
        parts.append(array_digest(data.GetPoints().GetData()))
    if data.IsA("vtkImageData") and data.GetNumberOfPoints():
        parts.append(f"{data.GetDimensions()} {data.GetSpacing()} {data.GetOrigin()}")
    if data.IsA("vtkPolyData"):
        parts += [cells_digest(cells) for cells in (data.GetVerts(), data.GetLines(), data.GetPolys(), data.GetStrips())]
    if data.IsA("vtkUnstructuredGrid"):
        parts.append(cells_digest(data.GetCells()))
    return f"{' '.join(parts)}; {field_digest(data.GetPointData())}; {field_digest(data.GetCellData())}"


def cells_digest(cells: Any) -> str:
    """Of a cell array."""
    if cells is None or not cells.GetNumberOfCells():
        return "-"
    return f"{array_digest(cells.GetOffsetsArray())}/{array_digest(cells.GetConnectivityArray())}"


def updated(algorithm: Any, data: Any = None, how: str = "Update") -> str:
    """The digest of what a filter of one's own puts out, for some input data."""
    if data is not None:
        algorithm.SetInputData(data)
    update(algorithm, how)
    return digest(algorithm.GetOutput())
