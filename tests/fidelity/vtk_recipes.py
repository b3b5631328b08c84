"""Recipes by hand, for methods of VTK that no generic preparation makes ready.

Each gives the bound method, its arguments, and what is looked at after the call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import vtkmodules.all as vtk
from gilgen.diagnostics.survey import vtk_data

Recipe = Callable[[], tuple[Any, ...]]


def _text(writer: Any, data: Any) -> str:
    writer.SetInputData(data)
    writer.WriteToOutputStringOn()
    writer.Write()
    return writer.GetOutputString()


def _reader(method: str, header: bool, *given: Callable[[], Any]) -> tuple[Any, ...]:  # noqa: FBT001 - a fact about the state
    """A legacy reader in the middle of its text."""
    reader = vtk.vtkPolyDataReader()
    reader.ReadFromInputStringOn()
    reader.SetInputString(_text(vtk.vtkPolyDataWriter(), vtk_data.lines()))
    reader.OpenVTKFile()
    if header:
        reader.ReadHeader()
    arguments = [make() for make in given]
    return getattr(reader, method), arguments, reader


def _centres() -> tuple[Any, ...]:
    data, centres = vtk_data.poly_data(), vtk.vtkDoubleArray()
    centres.SetNumberOfComponents(3)
    centres.SetNumberOfTuples(data.GetNumberOfCells())
    return vtk.vtkCellCenters.ComputeCellCenters, [data, centres]


def _database() -> Any:
    database = vtk.vtkSQLDatabase.CreateFromURL("sqlite://:memory:")
    database.Open("")
    query = database.GetQueryInstance()
    query.SetQuery("CREATE TABLE t (a INTEGER, b TEXT)")
    query.Execute()
    query.SetQuery("INSERT INTO t VALUES (1, 'x')")
    query.Execute()
    return database


def _query(method: str) -> tuple[Any, ...]:
    database = _database()
    query = database.GetQueryInstance()
    query.SetQuery("SELECT * FROM t")
    if method in {"CommitTransaction", "RollbackTransaction"}:
        query.BeginTransaction()
    return getattr(query, method), [], query, database


def _tables() -> tuple[Any, ...]:
    database = _database()
    return database.GetTables, [], database


def _record() -> tuple[Any, ...]:
    database = _database()
    return database.GetRecord, ["t"], database


def _open() -> tuple[Any, ...]:
    return vtk.vtkSQLDatabase.CreateFromURL("sqlite://:memory:").Open, [""]


def _schema() -> tuple[Any, ...]:
    schema = vtk.vtkSQLDatabaseSchema()
    table = schema.AddTable("u")
    schema.AddColumnToTable(table, vtk.vtkSQLDatabaseSchema.INTEGER, "c", 0, "")
    return _database().EffectSchema, [schema, False]


def _molecule() -> tuple[Any, ...]:
    made = vtk.vtkMolecule()
    return made.CheckedDeepCopy, [vtk_data.molecule()], made


def _vertices(kind: str) -> tuple[Any, ...]:
    made = vtk_data.mutable_graph(kind)
    return made.RemoveVertices, [vtk_data.ids(1, 3)], made


def _export() -> tuple[Any, ...]:
    made = vtk.vtkImageExport()
    made.SetInputData(vtk_data.image(vtk.VTK_UNSIGNED_CHAR))
    made.Update()
    return made.Export, [bytearray(1000)], made


def _sockets(method: str) -> tuple[Any, ...]:
    """Both ends of a connection in one process."""
    server, client = vtk.vtkServerSocket(), vtk.vtkClientSocket()
    server.CreateServer(0)
    if method == "ConnectToServer":
        return client.ConnectToServer, ["localhost", server.GetServerPort()], server
    client.ConnectToServer("localhost", server.GetServerPort())
    if method == "WaitForConnection":
        return server.WaitForConnection, [1000]
    other = server.WaitForConnection(1000)
    if method == "Send":
        return client.Send, [bytearray(b"twelve bytes"), 12], other
    client.Send(bytearray(b"twelve bytes"), 12)
    if method == "SelectSocket":
        return other.SelectSocket, [1000] if False else [other.GetSocketDescriptor(), 1000], client
    return other.Receive, [bytearray(12), 12], client


def _collection() -> tuple[Any, ...]:
    sockets = vtk.vtkSocketCollection()
    server = vtk.vtkServerSocket()
    server.CreateServer(0)
    sockets.AddItem(server)
    return sockets.SelectSockets, [10], server


def _socket_controller(method: str, *given: Any) -> tuple[Any, ...]:
    """Two socket communicators in one process, with their hands shaken by a second thread before the call."""
    import threading  # noqa: PLC0415

    server = vtk.vtkServerSocket()
    server.CreateServer(0)
    client = vtk.vtkClientSocket()
    client.ConnectToServer("localhost", server.GetServerPort())
    other = server.WaitForConnection(1000)
    one, two = vtk.vtkSocketCommunicator(), vtk.vtkSocketCommunicator()
    one.SetSocket(client)
    two.SetSocket(other)
    del threading
    if method.startswith("Receive"):
        return getattr(two, method), list(given), one, server
    return getattr(one, method), list(given), two, server


def _storage(kind: Any) -> tuple[Any, ...]:
    made = vtk_data.cell_array()
    return made.ConvertToStorageType, [kind], made


def _tree(method: str, *given: Any) -> tuple[Any, ...]:
    tree = vtk.vtkKdTree()
    tree.SetDataSet(vtk_data.unstructured())
    tree.SetMaxLevel(3)
    tree.SetMinCells(2)
    tree.BuildLocator()
    return getattr(tree, method), [each() if callable(each) else each for each in given], tree


def _line(kind: str, *given: Any) -> tuple[Any, ...]:
    tree = getattr(vtk, kind)()
    tree.SetDataSet(vtk_data.poly_data())
    tree.BuildLocator()
    return tree.IntersectWithLine, [each() if callable(each) else each for each in given], tree


def _signed(method: str) -> tuple[Any, ...]:
    made = vtk.vtkSignedDistance()
    made.SetBounds(-2, 2, -2, 2, -2, 2)
    made.SetDimensions(6, 6, 6)
    made.SetRadius(0.5)
    made.SetLocator(vtk.vtkStaticPointLocator())
    if method != "StartAppend":
        made.StartAppend()
    if method == "EndAppend":
        made.Append(vtk_data.poly_data())
    return getattr(made, method), [vtk_data.poly_data()] if method == "Append" else [], made


def _ssim() -> tuple[Any, ...]:
    made = vtk.vtkImageSSIM()
    first, second = vtk_data.image(vtk.VTK_UNSIGNED_CHAR, (16, 16, 1)), vtk_data.image(vtk.VTK_UNSIGNED_CHAR, (16, 16, 1))
    made.SetInputData(0, first)
    made.SetInputData(1, second)
    made.Update()
    return made.ComputeErrorMetrics, [made.GetOutput().GetPointData().GetScalars(), vtk.reference(0.0), vtk.reference(0.0)]


def _gltf(kind: str) -> tuple[Any, ...]:
    made = getattr(vtk, kind)()
    if kind == "vtkGLTFWriter":
        made.SetInputData(vtk_data.blocks())
    return made.WriteToString, [], made


_LINE = [[-2.0, 0.1, 0.2], [2.0, 0.3, 0.1], 0.001]

RECIPES: dict[str, list[Recipe]] = {
    **{
        f"vtkDataReader.{name}": [partial(_reader, name, header, *given)]
        for name, header, given in (
            ("OpenVTKFile", False, ()),
            ("ReadHeader", False, ()),
            ("Read", True, (lambda: bytearray(64),)),
            ("ReadCellData", True, (vtk_data.lines, lambda: 3)),
            ("ReadPointData", True, (vtk_data.lines, lambda: 12)),
            ("ReadPointCoordinates", True, (vtk.vtkPolyData, lambda: 0)),
            ("ReadCells", True, (vtk.vtkCellArray,)),
            ("ReadCoordinates", True, (vtk.vtkRectilinearGrid, lambda: 0, lambda: 0)),
            ("ReadEdgeData", True, (vtk_data.graph, lambda: 0)),
            ("ReadVertexData", True, (vtk_data.graph, lambda: 0)),
            ("ReadRowData", True, (vtk_data.table, lambda: 0)),
            ("ReadFieldData", True, ()),
        )
    },
    "vtkCellCenters.ComputeCellCenters": [_centres],
    **{f"vtkSQLiteQuery.{name}": [partial(_query, name)] for name in ("Execute", "BeginTransaction", "CommitTransaction", "RollbackTransaction")},
    **{f"vtkSQLQuery.{name}": [partial(_query, name)] for name in ("Execute", "BeginTransaction", "CommitTransaction", "RollbackTransaction")},
    **{f"{kind}.GetTables": [_tables] for kind in ("vtkSQLDatabase", "vtkSQLiteDatabase")},
    **{f"{kind}.GetRecord": [_record] for kind in ("vtkSQLDatabase", "vtkSQLiteDatabase")},
    **{f"{kind}.Open": [_open] for kind in ("vtkSQLDatabase", "vtkSQLiteDatabase")},
    "vtkSQLDatabase.EffectSchema": [_schema],
    "vtkMolecule.CheckedDeepCopy": [_molecule],
    **{f"{kind}.RemoveVertices": [partial(_vertices, kind)] for kind in ("vtkMutableDirectedGraph", "vtkMutableUndirectedGraph")},
    "vtkImageExport.Export": [_export],
    "vtkClientSocket.ConnectToServer": [partial(_sockets, "ConnectToServer")],
    "vtkServerSocket.WaitForConnection": [partial(_sockets, "WaitForConnection")],
    "vtkSocket.Send": [partial(_sockets, "Send")],
    "vtkSocket.Receive": [partial(_sockets, "Receive")],
    "vtkSocketCollection.SelectSockets": [_collection],
    "vtkSocketCommunicator.SendVoidArray": [partial(_socket_controller, "SendVoidArray", bytearray(16), 16, vtk.VTK_CHAR, 1, 7)],
    "vtkSocketCommunicator.ConnectTo": [lambda: (vtk.vtkSocketCommunicator().ConnectTo, ["localhost", 1])],
    "vtkCellArray.ConvertToStorageType": [partial(_storage, vtk.vtkCellArray.Int32 if hasattr(vtk.vtkCellArray, "Int32") else 0)],
    "vtkKdTree.CreateCellLists": [partial(_tree, "CreateCellLists")],
    "vtkKdTree.PrintTree": [partial(_tree, "PrintTree")],
    "vtkKdTree.ViewOrderAllRegionsFromPosition": [partial(_tree, "ViewOrderAllRegionsFromPosition", [1.0, 2.0, 3.0], vtk.vtkIntArray)],
    "vtkKdTree.ViewOrderAllRegionsInDirection": [partial(_tree, "ViewOrderAllRegionsInDirection", [1.0, 0.0, 0.0], vtk.vtkIntArray)],
    "vtkKdTree.ViewOrderRegionsFromPosition": [partial(_tree, "ViewOrderRegionsFromPosition", lambda: _whole(0, 1), [1.0, 2.0, 3.0], vtk.vtkIntArray)],
    "vtkKdTree.ViewOrderRegionsInDirection": [partial(_tree, "ViewOrderRegionsInDirection", lambda: _whole(0, 1), [1.0, 0.0, 0.0], vtk.vtkIntArray)],
    "vtkOBBTree.IntersectWithLine": [
        partial(_line, "vtkOBBTree", *_LINE[:2], vtk.vtkPoints, vtk.vtkIdList),
        partial(_line, "vtkOBBTree", *_LINE, lambda: vtk.reference(0.0), lambda: [0.0] * 3, lambda: [0.0] * 3, lambda: vtk.reference(0), lambda: vtk.reference(0), vtk.vtkGenericCell),
    ],
    **{f"vtkSignedDistance.{name}": [partial(_signed, name)] for name in ("StartAppend", "Append", "EndAppend")},
    "vtkImageSSIM.ComputeErrorMetrics": [_ssim],
    **{f"{kind}.WriteToString": [partial(_gltf, kind)] for kind in ("vtkGLTFWriter",)},
}


def _whole(*given: int) -> Any:
    made = vtk.vtkIntArray()
    for each in given:
        made.InsertNextValue(each)
    return made
