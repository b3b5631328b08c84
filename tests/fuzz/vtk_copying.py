"""VTK operations that copy: out of shared data, into shared data, and to files or strings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vtkmodules.vtkCommonCore import vtkIdList
from vtkmodules.vtkFiltersCore import vtkElevationFilter
from vtkmodules.vtkIOGeometry import vtkSTLReader, vtkSTLWriter
from vtkmodules.vtkIOLegacy import vtkDataSetReader, vtkDataSetWriter
from vtkmodules.vtkIOPLY import vtkPLYReader, vtkPLYWriter
from vtkmodules.vtkIOXML import (
    vtkXMLImageDataReader,
    vtkXMLImageDataWriter,
    vtkXMLPolyDataReader,
    vtkXMLPolyDataWriter,
    vtkXMLUnstructuredGridReader,
    vtkXMLUnstructuredGridWriter,
)

from fuzz.digests import own_file, rounded
from fuzz.vtk_digests import UPDATES, array_digest, digest, updated
from fuzz.vtk_things import VTK, Board

DATA = "mesh|grid|image|curved|rectilinear|table|blocks"
BOARDS = "mesh_board|data_board"
VERSIONS = (0, 1, 2, 3)


# ------------------------------------------------------------------------------- out of shared data


@VTK.operation("copies", data=DATA, weight=3)
def deep_copied(data: Any) -> str:
    """A deep copy of shared data."""
    copy = data.NewInstance()
    copy.DeepCopy(data)
    return digest(copy)


@VTK.operation("copies", data=DATA, weight=2)
def shallow_copied(data: Any) -> str:
    """A shallow copy of shared data."""
    copy = data.NewInstance()
    copy.ShallowCopy(data)
    return digest(copy)


@VTK.operation("copies", mesh="mesh|grid|curved")
def structure_copied(mesh: Any) -> str:
    """The structure of shared data, with bounds of its own."""
    copy = mesh.NewInstance()
    copy.CopyStructure(mesh)
    return f"{digest(copy)} {rounded(*copy.GetBounds())}"


@VTK.operation("copies", values="array")
def array_copied(values: Any) -> str:
    """A copy of a shared array."""
    copy = values.NewInstance()
    copy.DeepCopy(values)
    return f"{array_digest(copy)} {rounded(*copy.GetRange(0))}"


@VTK.operation("copies", mesh="mesh|grid", weight=2)
def arrays_of(mesh: Any) -> str:
    """The points and point data of shared data, copied one by one."""
    points = mesh.GetPoints().NewInstance()
    points.DeepCopy(mesh.GetPoints())
    fields = mesh.GetPointData().NewInstance()
    fields.DeepCopy(mesh.GetPointData())
    return f"{array_digest(points.GetData())} {rounded(*points.GetBounds())} {array_digest(fields.GetScalars())}"


# ------------------------------------------------------------- one object, of which there are versions


def any_version(board: Board) -> set[str]:
    """The digests of all versions."""
    return {digest(version) for version in board.versions}


def any_array(board: Board) -> set[str]:
    """The digests of all versions of an array."""
    return {array_digest(version) for version in board.versions}


def any_count(board: Board, which: str) -> set[str]:
    """How many points or cells the versions have."""
    return {str(getattr(version, which)()) for version in board.versions}


def any_bounds(board: Board) -> set[str]:
    """The bounds of all versions."""
    return {bounds(version) for version in board.versions}


def bounds(data: Any) -> str:
    """The bounds of data; VTK has two pairs of numbers that say that there are none."""
    found = data.GetBounds()
    return rounded(*found) if found[0] <= found[1] else "none"


def any_filtered(board: Board, how: str) -> set[str]:
    """What a filter makes of each version."""
    return {updated(vtkElevationFilter(), version, how) for version in board.versions}


def ignoring_version(board: Board, version: int) -> set[str]:  # noqa: ARG001 - called with the operation's arguments
    """What publishing returns."""
    return {"published"}


@VTK.operation("boards", expect=ignoring_version, board=f"{BOARDS}|array_board", version=VERSIONS, weight=4)
def published_deep(board: Board, version: int) -> str:
    """A version copied into the shared object."""
    board.shared.DeepCopy(board.versions[version])
    return "published"


@VTK.operation("boards", expect=ignoring_version, board=BOARDS, version=VERSIONS, weight=2)
def published_shallow(board: Board, version: int) -> str:
    """The shared object made to share a version's arrays."""
    board.shared.ShallowCopy(board.versions[version])
    return "published"


@VTK.operation("boards", expect=lambda board: {"emptied"}, board=BOARDS)  # noqa: ARG005
def emptied(board: Board) -> str:
    """The shared object made empty, as its last version is."""
    board.shared.Initialize()
    return "emptied"


@VTK.operation("boards", expect=any_version, board=BOARDS, weight=4)
def taken_deep(board: Board) -> str:
    """A deep copy of the shared object: one of the versions."""
    mine = board.shared.NewInstance()
    mine.DeepCopy(board.shared)
    return digest(mine)


@VTK.operation("boards", expect=any_version, board=BOARDS, weight=3)
def taken_shallow(board: Board) -> str:
    """A shallow copy of the shared object: one of the versions."""
    mine = board.shared.NewInstance()
    mine.ShallowCopy(board.shared)
    return digest(mine)


@VTK.operation("boards", expect=any_array, board="array_board", weight=3)
def taken_array(board: Board) -> str:
    """A copy of a shared array: one of the versions."""
    mine = board.shared.NewInstance()
    mine.DeepCopy(board.shared)
    return array_digest(mine)


@VTK.operation("boards", expect=any_count, board="mesh_board", which=("GetNumberOfPoints", "GetNumberOfCells"))
def counted(board: Board, which: str) -> str:
    """A count of the shared object: that of one of the versions."""
    return str(getattr(board.shared, which)())


@VTK.operation("boards", expect=any_bounds, board="mesh_board", weight=2)
def bounds_of_any(board: Board) -> str:
    """The bounds of the shared object: those of one of the versions."""
    return bounds(board.shared)


@VTK.operation("boards", expect=any_filtered, board="mesh_board", how=UPDATES, weight=3)
def filtered_any(board: Board, how: str) -> str:
    """A filter with the shared object as its input: of one of the versions."""
    return updated(vtkElevationFilter(), board.shared, how)


# ------------------------------------------------------------------------------------ strings and files


@VTK.operation("files", mesh="mesh", mode=("ascii", "binary", "appended"), weight=2)
def xml_text(mesh: Any, mode: str) -> str:
    """A shared mesh written to a string, as XML, and read from it."""
    writer = vtkXMLPolyDataWriter()
    writer.SetInputData(mesh)
    writer.WriteToOutputStringOn()
    {"ascii": writer.SetDataModeToAscii, "binary": writer.SetDataModeToBinary, "appended": writer.SetDataModeToAppended}[mode]()
    writer.Write()
    reader = vtkXMLPolyDataReader()
    reader.ReadFromInputStringOn()
    reader.SetInputString(writer.GetOutputString())
    reader.Update()
    return digest(reader.GetOutput())


@VTK.operation("files", image="image")
def xml_image(image: Any) -> str:
    """A shared image written to a string, as XML, and read from it."""
    writer = vtkXMLImageDataWriter()
    writer.SetInputData(image)
    writer.WriteToOutputStringOn()
    writer.Write()
    reader = vtkXMLImageDataReader()
    reader.ReadFromInputStringOn()
    reader.SetInputString(writer.GetOutputString())
    reader.Update()
    return digest(reader.GetOutput())


@VTK.operation("files", data="mesh|grid|image|curved|rectilinear", binary=(0, 1), weight=2)
def legacy_text(data: Any, binary: int) -> str:
    """Shared data written to a string in the legacy format, and read from it."""
    writer, reader = vtkDataSetWriter(), vtkDataSetReader()
    writer.SetInputData(data)
    writer.SetFileType(2 if binary else 1)
    writer.WriteToOutputStringOn()
    writer.Write()
    reader.ReadFromInputStringOn()
    reader.SetBinaryInputString(writer.GetOutputStdString(), writer.GetOutputStringLength())
    reader.Update()
    return digest(reader.GetOutput())


@VTK.operation("files", mesh="mesh", kind=("ply", "stl", "vtp"), weight=2)
def mesh_file(mesh: Any, kind: str) -> str:
    """A shared mesh written to a file of one's own, and read again."""
    path = own_file(f".{kind}")
    makes = {"ply": (vtkPLYWriter, vtkPLYReader), "stl": (vtkSTLWriter, vtkSTLReader), "vtp": (vtkXMLPolyDataWriter, vtkXMLPolyDataReader)}
    writer, reader = (make() for make in makes[kind])
    writer.SetInputData(mesh)
    writer.SetFileName(path)
    writer.Write()
    reader.SetFileName(path)
    reader.Update()
    Path(path).unlink()
    return digest(reader.GetOutput())


@VTK.operation("files", grid="grid")
def grid_file(grid: Any) -> str:
    """A shared grid written to a file of one's own, and read again."""
    path = own_file(".vtu")
    writer, reader = vtkXMLUnstructuredGridWriter(), vtkXMLUnstructuredGridReader()
    writer.SetInputData(grid)
    writer.SetFileName(path)
    writer.Write()
    reader.SetFileName(path)
    reader.Update()
    Path(path).unlink()
    return digest(reader.GetOutput())


@VTK.operation("links", mesh="mesh")
def own_links(mesh: Any) -> str:
    """Links built in a copy of one's own."""
    copy = mesh.NewInstance()
    copy.ShallowCopy(mesh)
    copy.BuildLinks()
    found = vtkIdList()
    copy.GetPointCells(1, found)
    return str(found.GetNumberOfIds())
