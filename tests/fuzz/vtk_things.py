"""VTK's shared things. Each is made the same in every process, and nothing has read it before: its caches are cold."""

from __future__ import annotations

import queue
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import (
    vtkDoubleArray,
    vtkFloatArray,
    vtkLookupTable,
    vtkObject,
    vtkPoints,
    vtkSMPTools,
    vtkStringArray,
)
from vtkmodules.vtkCommonDataModel import (
    vtkCellLocator,
    vtkCellTreeLocator,
    vtkImageData,
    vtkImplicitBoolean,
    vtkMultiBlockDataSet,
    vtkPlane,
    vtkPointLocator,
    vtkPolyData,
    vtkRectilinearGrid,
    vtkSphere,
    vtkStaticCellLocator,
    vtkStaticPointLocator,
    vtkStructuredGrid,
    vtkTable,
    vtkUnstructuredGrid,
)
from vtkmodules.vtkCommonTransforms import vtkThinPlateSplineTransform, vtkTransform
from vtkmodules.vtkFiltersCore import (
    vtkAppendFilter,
    vtkDelaunay3D,
    vtkElevationFilter,
    vtkImplicitPolyDataDistance,
    vtkPolyDataNormals,
    vtkStripper,
)
from vtkmodules.vtkFiltersGeneral import vtkOBBTree
from vtkmodules.vtkFiltersSources import vtkPlaneSource, vtkSphereSource
from vtkmodules.vtkImagingCore import vtkImageShiftScale, vtkRTAnalyticSource

from fuzz.catalogue import Catalogue

VTK = Catalogue("vtk")

vtkSMPTools.Initialize(1)  # what filters do in threads of their own is not compared bit for bit
vtkObject.GlobalWarningDisplayOff()

SIZES = (6, 12, 24, 24, 48)


def coloured(data: Any) -> Any:
    """The data with scalars, vectors and cell scalars, all smooth and within -1 to 1."""
    for fields, count in ((data.GetPointData(), data.GetNumberOfPoints()), (data.GetCellData(), data.GetNumberOfCells())):
        steps = np.arange(count) * (6.0 * np.pi / max(count, 1))
        values = numpy_to_vtk(np.sin(steps) * (1 - 1 / (count + 2)), deep=True)
        values.SetName("height")
        fields.SetScalars(values)
        flow = numpy_to_vtk(np.stack([np.cos(steps), np.ones(count), np.sin(steps)], axis=1), deep=True)
        flow.SetName("flow")
        fields.SetVectors(flow)
    return data


def fresh(data: Any) -> Any:
    """A copy that shares nothing with a filter's output."""
    copy = data.NewInstance()
    copy.DeepCopy(data)
    return copy


@VTK.maker("mesh", size=SIZES)
def sphere(size: int) -> Any:
    """A sphere of triangles."""
    source = vtkSphereSource(theta_resolution=size, phi_resolution=size)
    source.Update()
    return coloured(fresh(source.GetOutput()))


@VTK.maker("mesh", size=SIZES)
def sheet(size: int) -> Any:
    """A flat sheet of quadrilaterals."""
    source = vtkPlaneSource(x_resolution=size, y_resolution=size)
    source.Update()
    return coloured(fresh(source.GetOutput()))


@VTK.maker("mesh", size=SIZES)
def strips(size: int) -> Any:
    """A sphere of triangle strips."""
    source = vtkSphereSource(theta_resolution=size, phi_resolution=size)
    stripper = vtkStripper()
    stripper.SetInputConnection(source.GetOutputPort())
    stripper.Update()
    return coloured(fresh(stripper.GetOutput()))


@VTK.maker("image", size=(5, 9, 16, 24, 32))
def image(size: int) -> Any:
    """A cube of doubles."""
    made = vtkImageData()
    made.SetDimensions(size, size, size)
    made.SetSpacing(1.0 / size, 1.0 / size, 1.0 / size)
    return coloured(made)


@VTK.maker("image", size=(5, 16, 32), kind=("uint8", "int16", "float32"))
def typed_image(size: int, kind: str) -> Any:
    """A cube of another type, with one component."""
    made = vtkImageData()
    made.SetDimensions(size, size, size)
    made.SetSpacing(1.0 / size, 1.0 / size, 1.0 / size)
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, size)] * 3)
    values = numpy_to_vtk((100.0 * np.clip(x * x + y * y + z * z, 0, 1)).astype(kind).ravel(), deep=True)
    values.SetName("height")
    made.GetPointData().SetScalars(values)
    return made


@VTK.maker("grid", size=(4, 8, 12, 16))
def hexahedra(size: int) -> Any:
    """An unstructured grid of hexahedra."""
    made = vtkImageData()
    made.SetDimensions(size, size, size)
    made.SetSpacing(1.0 / size, 1.0 / size, 1.0 / size)
    append = vtkAppendFilter()
    append.AddInputData(made)
    append.Update()
    return coloured(fresh(append.GetOutput()))


@VTK.maker("grid", size=(4, 6, 10))
def tetrahedra(size: int) -> Any:
    """An unstructured grid of tetrahedra."""
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.random.default_rng(size).random((size**3, 3)), deep=True))
    cloud = vtkPolyData()
    cloud.SetPoints(points)
    delaunay = vtkDelaunay3D()
    delaunay.SetInputData(cloud)
    delaunay.Update()
    return coloured(fresh(delaunay.GetOutput()))


@VTK.maker("curved", size=(4, 10, 20))
def curved(size: int) -> Any:
    """A structured grid."""
    x, y, z = np.meshgrid(*[np.linspace(0, 1, size)] * 3, indexing="ij")
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.stack([x + 0.1 * z * z, y, z], axis=-1).reshape(-1, 3), deep=True))
    made = vtkStructuredGrid()
    made.SetDimensions(size, size, size)
    made.SetPoints(points)
    return coloured(made)


@VTK.maker("rectilinear", size=(4, 10, 20))
def rectilinear(size: int) -> Any:
    """A rectilinear grid."""
    made = vtkRectilinearGrid()
    made.SetDimensions(size, size, size)
    for put in (made.SetXCoordinates, made.SetYCoordinates, made.SetZCoordinates):
        put(numpy_to_vtk(np.linspace(0, 1, size) ** 2, deep=True))
    return coloured(made)


@VTK.maker("array", size=(10, 1000, 50000), components=(1, 3))
def array(size: int, components: int) -> Any:
    """An array of doubles."""
    values = vtkDoubleArray()
    values.DeepCopy(numpy_to_vtk(np.sin(np.arange(size * components) * 0.37).reshape(size, components), deep=True))
    values.SetName("values")
    return values


@VTK.maker("words", size=(10, 2000))
def words(size: int) -> Any:
    """An array of strings."""
    made = vtkStringArray()
    for number in range(size):
        made.InsertNextValue(f"word {number * 7919 % size}")
    return made


@VTK.maker("table", size=(10, 1000, 10000))
def table(size: int) -> Any:
    """A table of three columns of floats."""
    made = vtkTable()
    for number in range(3):
        column = vtkFloatArray()
        column.DeepCopy(numpy_to_vtk(np.cos(np.arange(size) * (number + 1.0)).astype("float32"), deep=True))
        column.SetName(f"column {number}")
        made.AddColumn(column)
    return made


@VTK.maker("blocks", mesh="mesh", other="mesh|grid|image")
def blocks(mesh: Any, other: Any) -> Any:
    """A composite data set of other shared data."""
    made = vtkMultiBlockDataSet()
    for number, block in enumerate((mesh, other)):
        made.SetBlock(number, block)
    return made


@VTK.maker("source", size=(8, 16, 24))
def wavelet(size: int) -> Any:
    """A pipeline of two filters that puts out an image."""
    source = vtkRTAnalyticSource(whole_extent=(0, size, 0, size, 0, size))
    scale = vtkImageShiftScale(scale=0.01)
    scale.SetNumberOfThreads(1)
    scale.SetInputConnection(source.GetOutputPort())
    return scale


@VTK.maker("source", size=(12, 24, 48))
def ball(size: int) -> Any:
    """A pipeline of three filters that puts out a mesh with scalars."""
    source = vtkSphereSource(theta_resolution=size, phi_resolution=size)
    normals = vtkPolyDataNormals()
    normals.SetInputConnection(source.GetOutputPort())
    height = vtkElevationFilter()
    height.SetInputConnection(normals.GetOutputPort())
    return height


@VTK.maker("transform")
def turned() -> Any:
    """A linear transform of several steps, not evaluated yet."""
    transform = vtkTransform()
    transform.RotateX(30)
    transform.Translate(0.1, 0.2, 0.3)
    transform.Scale(1, 2, 1)
    return transform


@VTK.maker("transform", count=(5, 20))
def warp(count: int) -> Any:
    """A thin plate spline, not solved yet."""
    chance = np.random.default_rng(count)
    transform = vtkThinPlateSplineTransform()
    transform.SetBasisToR()
    for put in (transform.SetSourceLandmarks, transform.SetTargetLandmarks):
        points = vtkPoints()
        points.SetData(numpy_to_vtk(chance.random((count, 3)), deep=True))
        put(points)
    return transform


@VTK.maker("lut", colours=(16, 256))
def lut(colours: int) -> Any:
    """A lookup table, not built yet."""
    table = vtkLookupTable()
    table.SetNumberOfTableValues(colours)
    table.SetRange(-1.0, 1.0)
    return table


@VTK.maker("shape")
def cut_ball() -> Any:
    """An implicit function of two others and a transform."""
    both = vtkImplicitBoolean()
    ball = vtkSphere(radius=0.4)
    ball.SetTransform(turned())
    both.AddFunction(ball)
    both.AddFunction(vtkPlane(normal=(1.0, 1.0, 0.0)))
    both.SetOperationTypeToIntersection()
    return both


@VTK.maker("distance", mesh="mesh")
def distance(mesh: Any) -> Any:
    """The distance from a shared mesh, as an implicit function."""
    made = vtkImplicitPolyDataDistance()
    made.SetInput(mesh)
    return made


CELL_LOCATORS = {kind.__name__: kind for kind in (vtkCellLocator, vtkStaticCellLocator, vtkOBBTree, vtkCellTreeLocator)}
POINT_LOCATORS = {kind.__name__: kind for kind in (vtkPointLocator, vtkStaticPointLocator)}


@VTK.maker("cell_locator", mesh="mesh|grid", kind=tuple(CELL_LOCATORS))
def shared_cell_locator(mesh: Any, kind: str) -> Any:
    """A cell locator on a shared mesh, not built yet."""
    locator = CELL_LOCATORS[kind]()
    locator.SetDataSet(mesh)
    return locator


@VTK.maker("point_locator", mesh="mesh|grid", kind=tuple(POINT_LOCATORS))
def shared_point_locator(mesh: Any, kind: str) -> Any:
    """A point locator on a shared mesh, not built yet."""
    locator = POINT_LOCATORS[kind]()
    locator.SetDataSet(mesh)
    return locator


class Board:
    """One shared object into which threads put copies of several versions, and from which they take copies."""

    def __init__(self, *versions: Any) -> None:
        self.versions = versions
        self.shared = fresh(versions[0])


@VTK.maker("mesh_board", size=SIZES)
def mesh_board(size: int) -> Board:
    """A mesh of one of three sizes, or an empty one."""
    return Board(sphere(size), sheet(2 * size), sphere(size + 7), vtkPolyData())


@VTK.maker("data_board", size=(4, 10, 16))
def grid_board(size: int) -> Board:
    """An unstructured grid."""
    return Board(hexahedra(size), hexahedra(size // 2), hexahedra(size + 3), vtkUnstructuredGrid())


@VTK.maker("data_board", size=(5, 16, 32))
def image_board(size: int) -> Board:
    """An image."""
    return Board(image(size), typed_image(size + 3, "uint8"), typed_image(size // 2, "float32"), vtkImageData())


@VTK.maker("data_board", size=(10, 5000))
def table_board(size: int) -> Board:
    """A table."""
    return Board(table(size), table(size // 2), table(size + 5), vtkTable())


@VTK.maker("data_board", size=SIZES)
def blocks_board(size: int) -> Board:
    """A composite data set."""
    return Board(blocks(sphere(size), sheet(size)), blocks(sheet(size + 3), image(5)), blocks(strips(size), sphere(5)), vtkMultiBlockDataSet())


@VTK.maker("array_board", size=(10, 1000, 30000))
def array_board(size: int) -> Board:
    """An array."""
    return Board(array(size, 3), array(size // 2, 1), array(size + 5, 3), vtkDoubleArray())


@VTK.maker("box")
def box() -> Any:
    """A queue through which threads hand objects to each other."""
    return queue.SimpleQueue()
