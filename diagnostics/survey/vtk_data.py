"""Small VTK objects with something of everything in them: what filters, writers and copies are fed with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import vtkmodules.all as vtk


def values(count: int, start: float = 0.0) -> list[float]:
    """Numbers that repeat nothing and are not all whole."""
    return [math.sin(0.7 * (index + start)) * 3 + 0.25 * index for index in range(count)]


def array(kind: str = "vtkDoubleArray", name: str = "scalars", tuples: int = 12, components: int = 1) -> Any:
    """A data array with numbers in it that repeat nothing."""
    made = getattr(vtk, kind)()
    made.SetName(name)
    made.SetNumberOfComponents(components)
    made.SetNumberOfTuples(tuples)
    for index, value in enumerate(values(tuples * components)):
        made.SetVariantValue(index, vtk.vtkVariant(value if "Double" in kind or "Float" in kind else int(abs(value) * 7) % 100))
    return made


def ids(*given: int) -> Any:
    """An array of identifiers."""
    made = vtk.vtkIdTypeArray()
    for each in given:
        made.InsertNextValue(each)
    return made


def strings(name: str = "names", count: int = 12) -> Any:
    """An array of names, of which each comes several times."""
    made = vtk.vtkStringArray()
    made.SetName(name)
    for index in range(count):
        made.InsertNextValue(f"n{index % 5}")
    return made


def dress(attributes: Any, count: int, *, text: bool = False) -> None:
    """Scalars, vectors, normals and whole numbers on the points, cells or rows of a data object."""
    attributes.SetScalars(array("vtkDoubleArray", "scalars", count))
    attributes.SetVectors(array("vtkDoubleArray", "vectors", count, 3))
    attributes.AddArray(array("vtkFloatArray", "floats", count))
    attributes.AddArray(array("vtkIntArray", "whole", count))
    ids = vtk.vtkIdTypeArray()
    ids.SetName("ids")
    for index in range(count):
        ids.InsertNextValue(index)
    attributes.SetGlobalIds(ids)
    if text:
        attributes.AddArray(strings("names", count))


def field(target: Any) -> Any:
    """Give a data object field data, and return it."""
    data = vtk.vtkFieldData()
    data.AddArray(array("vtkDoubleArray", "field", 5))
    data.AddArray(strings("words", 3))
    target.SetFieldData(data)
    return target


def points(count: int = 20) -> Any:
    """So many points along a winding curve."""
    made = vtk.vtkPoints()
    made.SetDataTypeToDouble()
    for index in range(count):
        made.InsertNextPoint(math.cos(index * 1.3) * 2, math.sin(index * 0.9) * 2, (index % 7) * 0.3)
    return made


def poly_data() -> Any:
    """A bumpy sphere of triangles, with all that points and cells can have."""
    made, place = vtk.vtkPolyData(), vtk.vtkPoints()
    rows, columns = 6, 8
    for row in range(rows):
        for column in range(columns):
            across, along = 2 * math.pi * column / columns, math.pi * (row + 0.5) / rows
            place.InsertNextPoint(math.cos(across) * math.sin(along), math.sin(across) * math.sin(along), math.cos(along) + 0.01 * column)
    polys = vtk.vtkCellArray()
    for row in range(rows - 1):
        for column in range(columns):
            beside = (column + 1) % columns
            a, b = row * columns + column, row * columns + beside
            c, d = a + columns, b + columns
            polys.InsertNextCell(3, (a, b, d))
            polys.InsertNextCell(3, (a, d, c))
    made.SetPoints(place)
    made.SetPolys(polys)
    dress(made.GetPointData(), made.GetNumberOfPoints())
    dress(made.GetCellData(), made.GetNumberOfCells())
    made.GetPointData().SetNormals(array("vtkFloatArray", "normals", made.GetNumberOfPoints(), 3))
    made.GetPointData().SetTCoords(array("vtkFloatArray", "coordinates", made.GetNumberOfPoints(), 2))
    return field(made)


def lines() -> Any:
    """Three curves of four points."""
    made = vtk.vtkPolyData()
    made.SetPoints(points(12))
    cells = vtk.vtkCellArray()
    for begin in (0, 4, 8):
        cells.InsertNextCell(4, tuple(range(begin, begin + 4)))
    made.SetLines(cells)
    dress(made.GetPointData(), 12)
    dress(made.GetCellData(), 3)
    return made


def image(kind: int | None = None, size: tuple[int, int, int] = (6, 5, 4)) -> Any:
    """A volume; of `kind` where one is named, else with arrays of all sorts."""
    made = vtk.vtkImageData()
    made.SetDimensions(*size)
    made.SetSpacing(0.5, 0.75, 1.0)
    made.SetOrigin(1.0, -1.0, 0.25)
    if kind is None:
        dress(made.GetPointData(), made.GetNumberOfPoints())
        dress(made.GetCellData(), made.GetNumberOfCells())
        return field(made)
    made.AllocateScalars(kind, 1)
    for index, value in enumerate(values(made.GetNumberOfPoints())):
        made.GetPointData().GetScalars().SetComponent(index, 0, abs(int(value * 9)) % 120)
    return made


def unstructured() -> Any:
    """Hexahedra and tetrahedra."""
    made, place = vtk.vtkUnstructuredGrid(), vtk.vtkPoints()
    across = 4
    for z in range(3):
        for y in range(3):
            for x in range(across):
                place.InsertNextPoint(x + 0.1 * z, y * 1.1, z + 0.05 * x)
    made.SetPoints(place)
    made.Allocate(20)
    for z in range(2):
        for y in range(2):
            for x in range(across - 1):
                a = x + across * (y + 3 * z)
                b = a + across
                corner = (a, a + 1, b + 1, b, a + 12, a + 13, b + 13, b + 12)
                if (x + y + z) % 2:
                    made.InsertNextCell(vtk.VTK_HEXAHEDRON, 8, corner)
                else:
                    for tetra in ((0, 1, 3, 4), (1, 2, 3, 6), (1, 3, 4, 6), (3, 4, 6, 7), (1, 4, 5, 6)):
                        made.InsertNextCell(vtk.VTK_TETRA, 4, tuple(corner[index] for index in tetra))
    dress(made.GetPointData(), made.GetNumberOfPoints())
    dress(made.GetCellData(), made.GetNumberOfCells())
    return field(made)


def structured() -> Any:
    """A sheared grid."""
    made, place = vtk.vtkStructuredGrid(), vtk.vtkPoints()
    made.SetDimensions(4, 3, 3)
    for z in range(3):
        for y in range(3):
            for x in range(4):
                place.InsertNextPoint(x + 0.1 * y, y + 0.1 * z, z)
    made.SetPoints(place)
    dress(made.GetPointData(), 36)
    dress(made.GetCellData(), 12)
    return field(made)


def rectilinear() -> Any:
    """A grid with its own spacing along each axis."""
    made = vtk.vtkRectilinearGrid()
    made.SetDimensions(4, 3, 3)
    for name, count in (("X", 4), ("Y", 3), ("Z", 3)):
        along = vtk.vtkDoubleArray()
        for index in range(count):
            along.InsertNextValue(index * 1.25 + 0.1 * index * index)
        getattr(made, f"Set{name}Coordinates")(along)
    dress(made.GetPointData(), 36)
    dress(made.GetCellData(), 12)
    return field(made)


def explicit() -> Any:
    """An explicit structured grid of four boxes."""
    made, place = vtk.vtkExplicitStructuredGrid(), vtk.vtkPoints()
    made.SetDimensions(3, 3, 2)
    for z in range(2):
        for y in range(3):
            for x in range(3):
                place.InsertNextPoint(x, y, z)
    made.SetPoints(place)
    cells = vtk.vtkCellArray()
    for y in range(2):
        for x in range(2):
            a = x + 3 * y
            cells.InsertNextCell(8, (a, a + 1, a + 4, a + 3, a + 9, a + 10, a + 13, a + 12))
    made.SetCells(cells)
    dress(made.GetPointData(), 18)
    dress(made.GetCellData(), 4)
    return made


def table() -> Any:
    """Columns of numbers and one of names."""
    made = vtk.vtkTable()
    for name, kind in (("x", "vtkDoubleArray"), ("y", "vtkDoubleArray"), ("z", "vtkDoubleArray"), ("n", "vtkIntArray")):
        made.AddColumn(array(kind, name, 24))
    for index in range(24):
        made.GetColumn(1).SetValue(index, made.GetColumn(1).GetValue(index) * 0.5 + index % 3)
        made.GetColumn(2).SetValue(index, (index * index) % 11)
    made.AddColumn(strings("names", 24))
    return made


def graph(kind: str = "vtkMutableUndirectedGraph", into: str = "vtkUndirectedGraph") -> Any:
    """A graph of eight vertices, made as `kind` and returned as `into`."""
    mutable = getattr(vtk, kind)()
    for _ in range(8):
        mutable.AddVertex()
    for begin, end in ((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (1, 7), (2, 6)):
        mutable.AddGraphEdge(begin, end) if "Undirected" not in kind else mutable.AddEdge(begin, end)
    mutable.SetPoints(points(8))
    dress(mutable.GetVertexData(), 8, text=True)
    mutable.GetVertexData().SetPedigreeIds(array("vtkIntArray", "pedigree", 8))
    dress(mutable.GetEdgeData(), 8)
    made = getattr(vtk, into)()
    made.CheckedShallowCopy(mutable)
    return made


def tree() -> Any:
    """A tree of eight vertices."""
    mutable = vtk.vtkMutableDirectedGraph()
    mutable.AddVertex()
    for parent in (0, 0, 1, 1, 2, 2, 2):
        mutable.AddChild(parent)
    mutable.SetPoints(points(8))
    dress(mutable.GetVertexData(), 8, text=True)
    dress(mutable.GetEdgeData(), 7)
    made = vtk.vtkTree()
    made.CheckedShallowCopy(mutable)
    return made


def mutable_graph(kind: str) -> Any:
    """A graph that may still be changed."""
    made = getattr(vtk, kind)()
    for _ in range(8):
        made.AddVertex()
    for begin, end in ((0, 1), (1, 2), (2, 3), (0, 4), (4, 5)):
        made.AddEdge(begin, end)
    return made


def blocks() -> Any:
    """Blocks within blocks."""
    made = vtk.vtkMultiBlockDataSet()
    made.SetBlock(0, poly_data())
    made.SetBlock(1, image())
    inner = vtk.vtkMultiBlockDataSet()
    inner.SetBlock(0, unstructured())
    made.SetBlock(2, inner)
    return made


def partitioned() -> Any:
    """Two parts of one kind."""
    made = vtk.vtkPartitionedDataSet()
    made.SetPartition(0, poly_data())
    made.SetPartition(1, poly_data())
    return made


def partitions() -> Any:
    """Parts of two kinds."""
    made = vtk.vtkPartitionedDataSetCollection()
    made.SetPartition(0, 0, poly_data())
    made.SetPartition(1, 0, unstructured())
    return made


def source(kind: str, *settings: tuple[str, Any]) -> Callable[[], Any]:
    """What makes the output of a source with these settings."""
    def make() -> Any:
        made = getattr(vtk, kind)()
        for name, value in settings:
            getattr(made, name)(value)
        made.Update()
        return made.GetOutputDataObject(0)

    return make


def hyper_tree_grid() -> Any:
    """A small hyper tree grid that VTK configures."""
    made = vtk.vtkHyperTreeGrid()
    maker = vtk.vtkHyperTreeGridPreConfiguredSource()
    maker.GenerateUnbalanced3DepthQuadTree2x3(made)
    cells = made.GetNumberOfCells()
    made.GetCellData().SetScalars(array("vtkDoubleArray", "scalars", cells))
    return made


def overlapping() -> Any:
    """Grids of several resolutions, one within the other."""
    maker = vtk.vtkAMRGaussianPulseSource()
    maker.SetRootSpacing(1.0) if hasattr(maker, "SetRootSpacing") else None
    maker.Update()
    return maker.GetOutputDataObject(0)


def selection() -> Any:
    """A selection of three cells."""
    node = vtk.vtkSelectionNode()
    node.SetContentType(vtk.vtkSelectionNode.INDICES)
    node.SetFieldType(vtk.vtkSelectionNode.CELL)
    ids = vtk.vtkIdTypeArray()
    for index in (0, 2, 3):
        ids.InsertNextValue(index)
    node.SetSelectionList(ids)
    made = vtk.vtkSelection()
    made.AddNode(node)
    return made


def molecule() -> Any:
    """Four atoms with two bonds."""
    made = vtk.vtkMolecule()
    atoms = [made.AppendAtom(kind, *place) for kind, place in ((8, (0, 0, 0)), (1, (0.95, 0, 0)), (1, (-0.24, 0.92, 0)), (6, (2.0, 1.0, 0.5)))]
    made.AppendBond(atoms[0], atoms[1], 1)
    made.AppendBond(atoms[0], atoms[2], 1)
    return made


def cell_array() -> Any:
    """Three cells."""
    made = vtk.vtkCellArray()
    for cell in ((0, 1, 2), (2, 3, 4), (4, 5, 0, 1)):
        made.InsertNextCell(len(cell), cell)
    return made


def id_list() -> Any:
    """Four identifiers."""
    made = vtk.vtkIdList()
    for index in (0, 2, 3, 1):
        made.InsertNextId(index)
    return made


def cell(kind: str) -> Any:
    """A cell with points of its own."""
    made = getattr(vtk, kind)()
    count = made.GetNumberOfPoints()
    place: list[tuple[float, ...]] = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
    if kind in {"vtkPolygon", "vtkPolyLine", "vtkPolyVertex", "vtkTriangleStrip"}:
        count = 4
        made.GetPointIds().SetNumberOfIds(count)
        made.GetPoints().SetNumberOfPoints(count)
    if kind in {"vtkPixel", "vtkVoxel"}:
        place[2], place[3], place[6], place[7] = place[3], place[2], place[7], place[6]
    if kind == "vtkTetra":
        place[2], place[3] = (0, 1, 0), (0, 0, 1)
    coordinates = made.GetParametricCoords() if hasattr(made, "GetParametricCoords") else None
    for index in range(count):
        where = place[index] if index < len(place) and count <= len(place) else (math.cos(index), math.sin(index), index * 0.1)
        if coordinates is not None and count > len(place):
            where = tuple(values(3, index * 2.0))
        made.GetPointIds().SetId(index, index)
        made.GetPoints().SetPoint(index, where)
    return made


def generic_cell() -> Any:
    """A cell that can be of any kind, filled from a grid."""
    made = vtk.vtkGenericCell()
    unstructured().GetCell(0, made)
    return made


def attributes(kind: str) -> Any:
    """Arrays for points, cells or fields."""
    made = getattr(vtk, kind)()
    if hasattr(made, "SetScalars"):
        dress(made, 12)
    else:
        made.AddArray(array(tuples=12))
        made.AddArray(strings())
    return made


def functions() -> dict[str, Callable[[], Any]]:
    """What makes transfer functions and tables of colours."""
    def colours(kind: str) -> Callable[[], Any]:
        def make() -> Any:
            made = getattr(vtk, kind)()
            made.AddRGBPoint(0.0, 0.1, 0.2, 0.3)
            made.AddRGBPoint(2.0, 0.9, 0.5, 0.1)
            made.AddRGBPoint(5.0, 0.2, 0.7, 0.9)
            return made

        return make

    def piecewise() -> Any:
        made = vtk.vtkPiecewiseFunction()
        made.AddPoint(0.0, 0.0)
        made.AddPoint(5.0, 0.9)
        return made

    def lookup() -> Any:
        made = vtk.vtkLookupTable()
        made.SetNumberOfTableValues(16)
        made.SetRange(0.0, 5.0)
        made.Build()
        return made

    return {
        "vtkColorTransferFunction": colours("vtkColorTransferFunction"),
        "vtkDiscretizableColorTransferFunction": colours("vtkDiscretizableColorTransferFunction"),
        "vtkPVDiscretizableColorTransferFunction": colours("vtkDiscretizableColorTransferFunction"),
        "vtkPiecewiseFunction": piecewise,
        "vtkLookupTable": lookup,
        "vtkScalarsToColors": lookup,
    }


def dense_array() -> Any:
    """A dense array of two dimensions."""
    made = vtk.vtkArray.CreateArray(vtk.vtkArray.DENSE, vtk.VTK_DOUBLE)
    made.Resize(3, 4)
    for index in range(12):
        made.SetVariantValueN(index, vtk.vtkVariant(values(1, index)[0]))
    return made


def array_data() -> Any:
    """A data object that holds an array."""
    made = vtk.vtkArrayData()
    made.AddArray(dense_array())
    return made


def stream() -> Any:
    """A stream for several processes; empty."""
    return vtk.vtkMultiProcessStream()


def volume() -> Any:
    """A volume with its mapper."""
    made, mapper = vtk.vtkVolume(), vtk.vtkFixedPointVolumeRayCastMapper()
    mapper.SetInputData(image(vtk.VTK_UNSIGNED_CHAR))
    made.SetMapper(mapper)
    return made


def collection(kind: str, item: Callable[[], Any]) -> Callable[[], Any]:
    """What makes a collection with two of these in it."""
    def make() -> Any:
        made = getattr(vtk, kind)()
        made.AddItem(item())
        made.AddItem(item())
        return made

    return make


def xml_element() -> Any:
    """An element with one within it."""
    return vtk.vtkXMLUtilities.ReadElementFromString('<a version="1.0"><b x="1 2 3">4 5</b></a>')


MAKERS: dict[str, Callable[[], Any]] = {
    "vtkPolyData": poly_data,
    "vtkImageData": image,
    "vtkUniformGrid": lambda: _like("vtkUniformGrid", image()),
    "vtkStructuredPoints": lambda: _like("vtkStructuredPoints", image()),
    "vtkUnstructuredGrid": unstructured,
    "vtkStructuredGrid": structured,
    "vtkRectilinearGrid": rectilinear,
    "vtkExplicitStructuredGrid": explicit,
    "vtkTable": table,
    "vtkGraph": graph,
    "vtkUndirectedGraph": graph,
    "vtkDirectedGraph": lambda: graph("vtkMutableDirectedGraph", "vtkDirectedGraph"),
    "vtkDirectedAcyclicGraph": lambda: graph("vtkMutableDirectedGraph", "vtkDirectedAcyclicGraph"),
    "vtkMutableDirectedGraph": lambda: mutable_graph("vtkMutableDirectedGraph"),
    "vtkMutableUndirectedGraph": lambda: mutable_graph("vtkMutableUndirectedGraph"),
    "vtkTree": tree,
    "vtkMultiBlockDataSet": blocks,
    "vtkPartitionedDataSet": partitioned,
    "vtkPartitionedDataSetCollection": partitions,
    "vtkHyperTreeGrid": hyper_tree_grid,
    "vtkOverlappingAMR": overlapping,
    "vtkSelection": selection,
    "vtkSelectionNode": lambda: selection().GetNode(0),
    "vtkMolecule": molecule,
    "vtkPointSet": poly_data,
    "vtkDataSet": poly_data,
    "vtkDataObject": poly_data,
    "vtkCompositeDataSet": blocks,
    "vtkDataObjectTree": blocks,
    "vtkUniformGridAMR": overlapping,
    "vtkAMRDataObject": overlapping,
    "vtkCellGrid": vtk.vtkCellGrid,
    "vtkPoints": points,
    "vtkCellArray": cell_array,
    "vtkAbstractCellArray": cell_array,
    "vtkIdList": id_list,
    "vtkGenericCell": generic_cell,
    "vtkCell": lambda: cell("vtkTriangle"),
    "vtkDataArray": array,
    "vtkAbstractArray": array,
    "vtkStringArray": strings,
    "vtkIdTypeArray": lambda: ids(0, 2, 3, 1),
    "vtkArray": dense_array,
    "vtkArrayData": array_data,
    "vtkVolume": volume,
    "vtkMultiProcessStream": stream,
    "vtkFieldData": lambda: attributes("vtkFieldData"),
    "vtkDataSetAttributes": lambda: attributes("vtkDataSetAttributes"),
    "vtkPointData": lambda: attributes("vtkPointData"),
    "vtkCellData": lambda: attributes("vtkCellData"),
    "vtkDataObjectCollection": collection("vtkDataObjectCollection", poly_data),
    "vtkDataSetCollection": collection("vtkDataSetCollection", poly_data),
    "vtkPolyDataCollection": collection("vtkPolyDataCollection", poly_data),
    "vtkDataArrayCollection": collection("vtkDataArrayCollection", array),
    "vtkImageSliceCollection": collection("vtkImageSliceCollection", vtk.vtkImageSlice),
    "vtkProp3DCollection": collection("vtkProp3DCollection", vtk.vtkActor),
    "vtkTransformCollection": collection("vtkTransformCollection", vtk.vtkTransform),
    "vtkMultiProcessController": vtk.vtkDummyController,
    "vtkXMLDataElement": xml_element,
    "vtkVariant": lambda: vtk.vtkVariant(2.5),
    **functions(),
}

DATA = ("vtkPolyData", "vtkImageData", "vtkUnstructuredGrid", "vtkTable", "vtkUndirectedGraph", "vtkTree", "vtkMultiBlockDataSet",
    "vtkStructuredGrid", "vtkRectilinearGrid", "vtkHyperTreeGrid", "vtkPartitionedDataSetCollection", "vtkDirectedGraph", "vtkSelection",
    "vtkMolecule", "vtkArrayData", "vtkOverlappingAMR", "vtkExplicitStructuredGrid", "vtkPartitionedDataSet")  # fmt: skip
"""Data objects to be tried on an input, in this order."""


def _like(kind: str, original: Any) -> Any:
    made = getattr(vtk, kind)()
    made.ShallowCopy(original)
    return made


def populated(kind: str) -> Any:
    """An object of just this class with something in it; None where nothing more than an empty one is known."""
    if kind in MAKERS:
        return MAKERS[kind]()
    cls = getattr(vtk, kind)
    if issubclass(cls, vtk.vtkCell):
        return cell(kind)
    if issubclass(cls, vtk.vtkDataArray):
        return array(kind)
    return None
