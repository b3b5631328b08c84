"""What a VTK object holds, bit for bit, written into a record."""

from __future__ import annotations

from typing import Any

import vtkmodules.all as vtk
from record import Writer


def describe(writer: Writer, path: str, value: Any) -> bool:
    """Describe what only VTK knows; False for anything else."""
    if isinstance(value, vtk.vtkObjectBase):
        _object(writer, path, value)
    elif isinstance(value, vtk.vtkVariant):
        writer.text(path, f"vtkVariant {value.GetTypeAsString()} {value.ToString()!r}")
    elif isinstance(value, vtk.vtkBoundingBox):
        bounds = [0.0] * 6
        value.GetBounds(bounds)
        writer.value(path, bounds)
    elif isinstance(value, vtk.vtkMultiProcessStream):
        writer.text(path, f"stream of {value.Size()}")
    else:
        return False
    return True


def _object(writer: Writer, path: str, value: Any) -> None:
    writer.record[path] = value.GetClassName()
    if not writer.once(id(value)) or path.count("/") > 4:
        return
    if not isinstance(value, vtk.vtkAlgorithm | vtk.vtkExecutive | vtk.vtkRenderWindow):
        _data(writer, path, value)
    if not isinstance(value, vtk.vtkBitArray):  # it prints its bytes as a string that has no end, and so whatever lies behind them
        try:
            writer.text(f"{path}/printed", str(value))
        except UnicodeDecodeError:
            writer.record[f"{path}/printed"] = "not text"
    if isinstance(value, vtk.vtkAlgorithm):
        for port in range(value.GetNumberOfOutputPorts()):
            output = value.GetExecutive().GetOutputData(port) if value.GetExecutive() else None
            if output is not None:
                _object(writer, f"{path}/output {port}", output)


def _data(writer: Writer, path: str, value: Any) -> None:  # noqa: C901 - one line for each kind
    if isinstance(value, vtk.vtkAbstractArray):
        _array(writer, path, value)
    elif isinstance(value, vtk.vtkArray):
        writer.text(f"{path}/values", repr([str(value.GetVariantValueN(index)) for index in range(min(value.GetNonNullSize(), 5000))]))
    elif isinstance(value, vtk.vtkPoints):
        _array(writer, f"{path}/points", value.GetData())
    elif isinstance(value, vtk.vtkIdList):
        writer.text(f"{path}/ids", repr([value.GetId(index) for index in range(value.GetNumberOfIds())]))
    elif isinstance(value, vtk.vtkCellArray):
        _cells(writer, path, value)
    elif isinstance(value, vtk.vtkCell):
        _array(writer, f"{path}/points", value.GetPoints().GetData())
        _object(writer, f"{path}/ids", value.GetPointIds())
    elif isinstance(value, vtk.vtkFieldData):
        _fields(writer, path, value)
    elif isinstance(value, vtk.vtkDataObject):
        _data_object(writer, path, value)
    elif isinstance(value, vtk.vtkCollection):
        for index in range(value.GetNumberOfItems()):
            _object(writer, f"{path}/{index}", value.GetItemAsObject(index))


def _array(writer: Writer, path: str, array: Any) -> None:
    if array is None:
        return
    shape = f"{array.GetClassName()} {array.GetName()!r} {array.GetNumberOfTuples()} x {array.GetNumberOfComponents()}"
    writer.record[f"{path}/shape"] = shape
    count = array.GetNumberOfValues()
    if not count:
        return
    try:
        writer.data(f"{path}/values", memoryview(array))
    except (TypeError, BufferError, ValueError):
        writer.text(f"{path}/values", repr([str(array.GetVariantValue(index)) for index in range(min(count, 5000))]))


def _cells(writer: Writer, path: str, cells: Any) -> None:
    for name in ("Offsets", "Connectivity"):
        array = getattr(cells, f"Get{name}Array")()
        _array(writer, f"{path}/{name}", array)


def _fields(writer: Writer, path: str, fields: Any) -> None:
    for index in range(fields.GetNumberOfArrays()):
        _array(writer, f"{path}/array {index}", fields.GetAbstractArray(index))
    if isinstance(fields, vtk.vtkDataSetAttributes):
        marked = [fields.GetAbstractAttribute(kind) for kind in range(vtk.vtkDataSetAttributes.NUM_ATTRIBUTES)]
        writer.text(f"{path}/attributes", repr([array.GetName() if array else None for array in marked]))


def _data_object(writer: Writer, path: str, data: Any) -> None:
    for kind in range(vtk.vtkDataObject.NUMBER_OF_ATTRIBUTE_TYPES):
        attributes = data.GetAttributesAsFieldData(kind)
        if attributes is not None:
            _fields(writer, f"{path}/attributes {kind}", attributes)
    if isinstance(data, vtk.vtkPointSet) and data.GetPoints():
        _array(writer, f"{path}/points", data.GetPoints().GetData())
    if isinstance(data, vtk.vtkPolyData):
        for name in ("Verts", "Lines", "Polys", "Strips"):
            _cells(writer, f"{path}/{name}", getattr(data, f"Get{name}")())
    elif isinstance(data, vtk.vtkUnstructuredGrid) and data.GetCells():
        _cells(writer, f"{path}/cells", data.GetCells())
        _array(writer, f"{path}/types", data.GetCellTypesArray() if not hasattr(data, "GetCellTypes") else data.GetCellTypes())
    _particular(writer, path, data)


def _particular(writer: Writer, path: str, data: Any) -> None:
    """What only some kinds of data object have."""
    if isinstance(data, vtk.vtkRectilinearGrid):
        for name in "XYZ":
            _array(writer, f"{path}/{name}", getattr(data, f"Get{name}Coordinates")())
    elif isinstance(data, vtk.vtkGraph):
        edges = [(data.GetSourceVertex(edge), data.GetTargetVertex(edge)) for edge in range(data.GetNumberOfEdges())]
        writer.text(f"{path}/edges", repr(edges))
        if data.GetPoints():
            _array(writer, f"{path}/points", data.GetPoints().GetData())
    elif isinstance(data, vtk.vtkSelection):
        for index in range(data.GetNumberOfNodes()):
            _fields(writer, f"{path}/node {index}", data.GetNode(index).GetSelectionData())
    elif isinstance(data, vtk.vtkCompositeDataSet):
        _leaves(writer, path, data)
    elif isinstance(data, vtk.vtkArrayData):
        for index in range(data.GetNumberOfArrays()):
            _object(writer, f"{path}/{index}", data.GetArray(index))


def _leaves(writer: Writer, path: str, data: Any) -> None:
    walk = data.NewIterator()
    walk.InitTraversal()
    count = 0
    while not walk.IsDoneWithTraversal() and count < 64:
        _object(writer, f"{path}/leaf {count}", walk.GetCurrentDataObject())
        walk.GoToNextItem()
        count += 1
