"""VTK's data objects in any size: the same shapes as in `vtk_data`, made with NumPy so that large ones cost little."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import vtkmodules.all as vtk
from gilgen.diagnostics.survey import vtk_data
from vtkmodules.util import numpy_support as typed_support

numpy_support: Any = typed_support

SMALLEST = 64
"""Elements: below this a shape loses its features."""


def made(kind: str, size: int) -> Any:
    """A data object of about `size` elements; where its kind knows no size, the small one of `vtk_data`."""
    if kind in SIZED:
        return SIZED[kind](max(SMALLEST, size))
    return vtk_data.MAKERS[kind]()


def bare(kind: str, size: int) -> Any:
    """The same without any arrays on its points, cells or rows: some classes have no use for theirs."""
    data = made(kind, size)
    for name in ("GetPointData", "GetCellData", "GetFieldData", "GetVertexData", "GetEdgeData"):
        attributes = getattr(data, name, lambda: None)()
        if attributes is not None:
            attributes.Initialize()
    return data


def grows(kind: str) -> bool:
    """Whether `made` heeds the size for this kind."""
    return kind in SIZED


# ------------------------------------------------------------------------------------------------ arrays


def _array(values: Any, name: str) -> Any:
    converted = numpy_support.numpy_to_vtk(np.ascontiguousarray(values), deep=True)
    converted.SetName(name)
    return converted


def _waves(places: Any) -> Any:
    """A smooth field with something going on everywhere, around zero; of places in three columns."""
    scaled = places / (np.abs(places).max() or 1.0) * 9.0
    return np.sin(scaled[:, 0]) * 2 + np.cos(scaled[:, 1] * 1.3) + np.sin(scaled[:, 2] * 0.7 + scaled[:, 0])


def _dress(attributes: Any, places: Any) -> None:
    """Scalars, vectors, whole numbers and identifiers, from the places that they belong to."""
    field = _waves(places)
    attributes.SetScalars(_array(field, "scalars"))
    attributes.SetVectors(_array(np.stack([-places[:, 1] + 0.1, places[:, 0], 0.3 * field], axis=1), "vectors"))
    attributes.AddArray(_array(field.astype(np.float32), "floats"))
    attributes.AddArray(_array((np.abs(field) * 20).astype(np.int32), "whole"))
    # From 1 on, as the formats that number things want them.
    identifiers = numpy_support.numpy_to_vtkIdTypeArray(np.arange(1, len(places) + 1, dtype=np.int64), deep=True)
    identifiers.SetName("identifiers")
    attributes.SetGlobalIds(identifiers)


def _points(places: Any) -> Any:
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    points.SetData(_array(places.astype(np.float64), "points"))
    return points


def _cells(corners: Any) -> Any:
    """Cells that all have as many corners as `corners` has columns."""
    cells = vtk.vtkCellArray()
    count, width = corners.shape
    offsets = np.arange(0, count * width + 1, width, dtype=np.int64)
    cells.SetData(
        numpy_support.numpy_to_vtkIdTypeArray(offsets, deep=True),
        numpy_support.numpy_to_vtkIdTypeArray(np.ascontiguousarray(corners.astype(np.int64).ravel()), deep=True),
    )
    return cells


def _lattice(across: int, along: int, up: int) -> Any:
    """Places on a lattice, x fastest, in three columns."""
    z, y, x = np.meshgrid(np.arange(up), np.arange(along), np.arange(across), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1).astype(np.float64)


def _side(size: int) -> int:
    return max(4, round(math.cbrt(size)))


# ------------------------------------------------------------------------------------------------ shapes


def image(size: int, kind: str = "vtkImageData") -> Any:
    """A volume of about so many samples."""
    side = _side(size)
    volume = getattr(vtk, kind)()
    volume.SetDimensions(side, side, side)
    volume.SetSpacing(0.5, 0.75, 1.0)
    places = _lattice(side, side, side) - side / 2
    _dress(volume.GetPointData(), places)
    volume.GetCellData().AddArray(_array(_waves(_lattice(side - 1, side - 1, side - 1)), "cells"))
    return volume


def flat_image(size: int) -> Any:
    """A picture of about so many samples, in one plane."""
    side = max(8, round(size**0.5))
    picture = vtk.vtkImageData()
    picture.SetDimensions(side, side, 1)
    _dress(picture.GetPointData(), _lattice(side, side, 1) - side / 2)
    return picture


def coloured_image(size: int) -> Any:
    """A picture of bytes in three colours."""
    side = max(8, round(size**0.5))
    picture = vtk.vtkImageData()
    picture.SetDimensions(side, side, 1)
    waves = np.abs(_waves(_lattice(side, side, 1))) * 60
    colours = np.stack([waves, 255 - waves, waves / 2], axis=1).clip(0, 255).astype(np.uint8)
    picture.GetPointData().SetScalars(_array(colours, "scalars"))
    return picture


def byte_image(size: int) -> Any:
    """A volume of bytes in a few levels."""
    side = _side(size)
    volume = vtk.vtkImageData()
    volume.SetDimensions(side, side, side)
    levels = (np.abs(_waves(_lattice(side, side, side) - side / 2)) * 20).clip(0, 255).astype(np.uint8)
    volume.GetPointData().SetScalars(_array(levels, "scalars"))
    return volume


def surface(size: int) -> Any:
    """A bumpy closed surface of about so many triangles, with normals and texture coordinates."""
    columns = max(6, round((size / 2) ** 0.5))
    rows = columns
    along = np.pi * (np.arange(rows) + 0.5) / rows
    across = 2 * np.pi * np.arange(columns) / columns
    polar, round_ = (each.ravel() for each in np.meshgrid(along, across, indexing="ij"))
    bump = 1.0 + 0.1 * np.sin(5 * round_) * np.sin(7 * polar)
    places = np.stack([np.cos(round_) * np.sin(polar), np.sin(round_) * np.sin(polar), np.cos(polar)], axis=1)
    row, column = (each.ravel() for each in np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij"))
    a, b = row * columns + column, row * columns + (column + 1) % columns
    corners = np.concatenate([np.stack([a, b, b + columns], axis=1), np.stack([a, b + columns, a + columns], axis=1)])
    mesh = vtk.vtkPolyData()
    mesh.SetPoints(_points(places * bump[:, None]))
    mesh.SetPolys(_cells(corners))
    _dress(mesh.GetPointData(), places)
    _dress(mesh.GetCellData(), places[corners[:, 0]])
    mesh.GetPointData().SetNormals(_array(places.astype(np.float32), "normals"))
    mesh.GetPointData().SetTCoords(_array(np.stack([round_, polar], axis=1).astype(np.float32) / 7, "coordinates"))
    return mesh


def lines(size: int) -> Any:
    """Curves of sixteen pieces each."""
    count = max(4, size // 16)
    turn = np.linspace(0, 2 * math.pi, 17)
    start = np.arange(count)[:, None]
    places = np.stack([np.cos(turn) + start * 0.01, np.sin(turn + start), turn + 0 * start], axis=2).reshape(-1, 3)
    curves = vtk.vtkPolyData()
    curves.SetPoints(_points(places))
    curves.SetLines(_cells(np.arange(count * 17).reshape(count, 17)))
    _dress(curves.GetPointData(), places)
    return curves


def loose_points(size: int) -> Any:
    """Scattered points, each a vertex, with normals."""
    places = np.random.default_rng(1971).normal(size=(size, 3))
    cloud = vtk.vtkPolyData()
    cloud.SetPoints(_points(places))
    cloud.SetVerts(_cells(np.arange(size)[:, None]))
    _dress(cloud.GetPointData(), places)
    lengths = np.linalg.norm(places, axis=1, keepdims=True)
    cloud.GetPointData().SetNormals(_array((places / lengths).astype(np.float32), "normals"))
    return cloud


def _corners(side: int) -> Any:
    """The eight corners of each cell of a lattice with `side` points an edge."""
    base = _lattice(side - 1, side - 1, side - 1).astype(np.int64)
    first = base[:, 0] + side * (base[:, 1] + side * base[:, 2])
    steps = np.array([0, 1, side + 1, side, side * side, side * side + 1, side * side + side + 1, side * side + side])
    return first[:, None] + steps


def unstructured(size: int) -> Any:
    """Tetrahedra and hexahedra, about so many altogether."""
    side = max(4, round((size / 3) ** (1 / 3)) + 1)
    corners = _corners(side)
    places = _lattice(side, side, side) + 0.1 * np.sin(_lattice(side, side, side))
    split = corners[::2]
    tetra = np.concatenate([split[:, picked] for picked in ([0, 1, 3, 4], [1, 2, 3, 6], [1, 3, 4, 6], [3, 4, 6, 7], [1, 4, 5, 6])])
    boxes = corners[1::2]
    grid = vtk.vtkUnstructuredGrid()
    grid.SetPoints(_points(places))
    together = vtk.vtkCellArray()
    offsets = np.concatenate([[0], np.cumsum([4] * len(tetra) + [8] * len(boxes))])
    together.SetData(
        numpy_support.numpy_to_vtkIdTypeArray(offsets.astype(np.int64), deep=True),
        numpy_support.numpy_to_vtkIdTypeArray(np.concatenate([tetra.ravel(), boxes.ravel()]).astype(np.int64), deep=True),
    )
    kinds = np.array([vtk.VTK_TETRA] * len(tetra) + [vtk.VTK_HEXAHEDRON] * len(boxes), dtype=np.uint8)
    grid.SetCells(numpy_support.numpy_to_vtk(kinds, deep=True), together)
    _dress(grid.GetPointData(), places - side / 2)
    _dress(grid.GetCellData(), np.concatenate([places[tetra[:, 0]], places[boxes[:, 0]]]))
    return grid


def structured(size: int) -> Any:
    """A curved grid of about so many points."""
    side = _side(size)
    places = _lattice(side, side, side)
    grid = vtk.vtkStructuredGrid()
    grid.SetDimensions(side, side, side)
    grid.SetPoints(_points(places + 0.1 * places[:, [1, 2, 0]]))
    _dress(grid.GetPointData(), places - side / 2)
    _dress(grid.GetCellData(), _lattice(side - 1, side - 1, side - 1))
    return grid


def rectilinear(size: int) -> Any:
    """A grid with its own spacing along each axis, of about so many points."""
    side = _side(size)
    grid = vtk.vtkRectilinearGrid()
    grid.SetDimensions(side, side, side)
    steps = _array(np.arange(side) * 1.25 + 0.01 * np.arange(side) ** 2, "steps")
    grid.SetXCoordinates(steps)
    grid.SetYCoordinates(steps)
    grid.SetZCoordinates(steps)
    _dress(grid.GetPointData(), _lattice(side, side, side) - side / 2)
    _dress(grid.GetCellData(), _lattice(side - 1, side - 1, side - 1))
    return grid


def explicit(size: int) -> Any:
    """An explicit structured grid of about so many points."""
    side = _side(size)
    places = _lattice(side, side, side)
    grid = vtk.vtkExplicitStructuredGrid()
    grid.SetDimensions(side, side, side)
    grid.SetPoints(_points(places))
    grid.SetCells(_cells(_corners(side)))
    _dress(grid.GetPointData(), places)
    _dress(grid.GetCellData(), _lattice(side - 1, side - 1, side - 1))
    return grid


def table(size: int) -> Any:
    """Columns of numbers and one of names; about so many values."""
    rows = max(24, size // 4)
    index = np.arange(rows)
    random = np.random.default_rng(7)
    made_table = vtk.vtkTable()
    for name, column in (
        ("x", np.sin(index * 0.7) * 3 + random.normal(size=rows)),
        ("y", np.cos(index * 0.3) * 2 + random.normal(size=rows)),
        ("z", (index * index % 11).astype(np.float64)),
        ("n", (index % 7).astype(np.int32)),
    ):
        made_table.AddColumn(_array(column, name))
    made_table.AddColumn(vtk_data.strings("names", rows))
    return made_table


def graph(size: int, mutable: str = "vtkMutableUndirectedGraph", into: str = "vtkUndirectedGraph") -> Any:
    """A random connected graph of about so many vertices and edges, with places and attributes."""
    vertices = max(8, size // 8)
    making = getattr(vtk, mutable)()
    making.SetNumberOfVertices(vertices)
    ends = np.random.default_rng(3).integers(0, vertices, vertices)
    for vertex in range(1, vertices):
        making.AddGraphEdge(int(ends[vertex]) % vertex, vertex)
    places = np.stack([np.cos(np.arange(vertices)), np.sin(np.arange(vertices)), np.arange(vertices) / vertices], axis=1)
    making.SetPoints(_points(places))
    _dress(making.GetVertexData(), places)
    making.GetVertexData().AddArray(vtk_data.strings("names", vertices))
    making.GetVertexData().SetPedigreeIds(_array(np.arange(vertices, dtype=np.int32), "pedigree"))
    _dress(making.GetEdgeData(), places[1:])
    finished = getattr(vtk, into)()
    finished.CheckedShallowCopy(making)
    return finished


def tree(size: int) -> Any:
    """A tree of about so many vertices and edges."""
    return graph(size, "vtkMutableDirectedGraph", "vtkTree")


def molecule(size: int) -> Any:
    """Atoms in a row, each bound to the next."""
    count = max(4, size // 4)
    made_molecule = vtk.vtkMolecule()
    atoms = [made_molecule.AppendAtom((1, 6, 8)[index % 3], math.cos(index), math.sin(index), index * 0.5) for index in range(count)]
    for one, other in itertools.pairwise(atoms):
        made_molecule.AppendBond(one, other, 1)
    return made_molecule


def hyper_tree_grid(size: int) -> Any:
    """A hyper tree grid of about so many cells."""
    side = max(2, round((size / 400) ** (1 / 3)))
    source = vtk.vtkRandomHyperTreeGridSource()
    source.SetDimensions(side + 1, side + 1, side + 1)
    source.SetSeed(5)
    source.SetMaxDepth(4)
    source.Update()
    grid = source.GetHyperTreeGridOutput()
    cells = grid.GetNumberOfCells()
    grid.GetCellData().SetScalars(_array(np.sin(np.arange(cells) * 0.01), "scalars"))
    return grid


def blocks(size: int) -> Any:
    """Blocks within blocks: a surface, a volume and a grid."""
    outer, inner = vtk.vtkMultiBlockDataSet(), vtk.vtkMultiBlockDataSet()
    outer.SetBlock(0, surface(size // 3))
    outer.SetBlock(1, image(size // 3))
    inner.SetBlock(0, unstructured(size // 3))
    outer.SetBlock(2, inner)
    return outer


def nested(size: int) -> Any:
    """Blocks that hold blocks of surfaces, and nothing else."""
    outer, inner = vtk.vtkMultiBlockDataSet(), vtk.vtkMultiBlockDataSet()
    inner.SetBlock(0, surface(size // 2))
    inner.SetBlock(1, surface(size // 2))
    outer.SetBlock(0, inner)
    return outer


def partitioned(size: int) -> Any:
    """Two parts of a surface."""
    parts = vtk.vtkPartitionedDataSet()
    parts.SetPartition(0, surface(size // 2))
    parts.SetPartition(1, surface(size // 2))
    return parts


def partitions(size: int) -> Any:
    """A surface and a grid, side by side."""
    parts = vtk.vtkPartitionedDataSetCollection()
    parts.SetPartition(0, 0, surface(size // 2))
    parts.SetPartition(1, 0, unstructured(size // 2))
    return parts


def array_data(size: int) -> Any:
    """A dense array of two dimensions."""
    side = max(3, round(size**0.5 / 4))
    dense = vtk.vtkArray.CreateArray(vtk.vtkArray.DENSE, vtk.VTK_DOUBLE)
    dense.Resize(side, side)
    for index in range(side * side):
        dense.SetVariantValueN(index, vtk.vtkVariant(math.sin(index)))
    data = vtk.vtkArrayData()
    data.AddArray(dense)
    return data


SIZED: dict[str, Callable[[int], Any]] = {
    "vtkPolyData": surface,
    "vtkImageData": image,
    "vtkUniformGrid": lambda size: image(size, "vtkUniformGrid"),
    "vtkStructuredPoints": lambda size: image(size, "vtkStructuredPoints"),
    "vtkUnstructuredGrid": unstructured,
    "vtkUnstructuredGridBase": unstructured,
    "vtkStructuredGrid": structured,
    "vtkRectilinearGrid": rectilinear,
    "vtkExplicitStructuredGrid": explicit,
    "vtkTable": table,
    "vtkGraph": graph,
    "vtkUndirectedGraph": graph,
    "vtkDirectedGraph": lambda size: graph(size, "vtkMutableDirectedGraph", "vtkDirectedGraph"),
    "vtkDirectedAcyclicGraph": lambda size: graph(size, "vtkMutableDirectedGraph", "vtkDirectedAcyclicGraph"),
    "vtkTree": tree,
    "vtkMolecule": molecule,
    "vtkHyperTreeGrid": hyper_tree_grid,
    "vtkMultiBlockDataSet": blocks,
    "vtkPartitionedDataSet": partitioned,
    "vtkPartitionedDataSetCollection": partitions,
    "vtkPointSet": surface,
    "vtkDataSet": surface,
    "vtkDataObject": surface,
    "vtkCompositeDataSet": blocks,
    "vtkDataObjectTree": blocks,
    "vtkArrayData": array_data,
}
"""The kinds of data that are made in any size."""
