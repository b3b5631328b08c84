"""What VTK's cases work on, all made on the spot: a wavelet, surfaces, points and what is cut from them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

MEGABYTE = 1 << 20

_BYTES_A_SAMPLE = 4


@functools.cache
def library() -> Any:
    """All of VTK, imported when first asked for."""
    return importlib.import_module("vtkmodules.all")


def numpy_support() -> Any:
    """VTK's bridge to NumPy."""
    return importlib.import_module("vtkmodules.util.numpy_support")


def passed(name: str, data: Any, **settings: Any) -> Any:
    """What a filter of that name makes of the data."""
    algorithm = prepared(name, data, **settings)
    algorithm.Update()
    return algorithm.GetOutput()


def prepared(name: str, data: Any, **settings: Any) -> Any:
    """A filter or writer of VTK by name, with an input and settings (`SetX=(1, 2)` calls `SetX(1, 2)`)."""
    algorithm = configured(name, settings)
    algorithm.SetInputData(data)
    return algorithm


def configured(name: str, settings: Mapping[str, Any]) -> Any:
    """An object of VTK by name, with settings."""
    thing = getattr(library(), name)()
    for setting, value in settings.items():
        getattr(thing, setting)(*value if isinstance(value, tuple) else (value,))
    return thing


def wavelet(samples: int) -> Any:
    """A cubic volume of about so many samples: VTK's wavelet, a smooth field with waves in it."""
    half = max(4, round(samples ** (1 / 3) / 2))
    source = library().vtkRTAnalyticSource()
    source.SetWholeExtent(-half, half, -half, half, -half, half)
    source.SetCenter(0.0, 0.0, 0.0)
    source.SetXFreq(60.0 * 10 / half)
    source.SetYFreq(30.0 * 10 / half)
    source.SetZFreq(40.0 * 10 / half)
    source.Update()
    return source.GetOutput()


def bytes_volume(samples: int) -> Any:
    """The wavelet as unsigned bytes."""
    module = library()
    volume = passed("vtkImageCast", wavelet(samples), SetOutputScalarType=module.VTK_UNSIGNED_CHAR)
    volume.SetOrigin(0.0, 0.0, 0.0)
    return volume


def binary_volume(samples: int) -> Any:
    """The wavelet's brighter part as bytes: 1 inside, 0 outside."""
    return passed(
        "vtkImageThreshold",
        wavelet(samples),
        ThresholdByUpper=150.0,
        SetInValue=1,
        SetOutValue=0,
        SetOutputScalarTypeToUnsignedChar=(),
    )


def full_volume(samples: int) -> Any:
    """A volume of about so many bytes that are all 1."""
    return passed("vtkImageThreshold", binary_volume(samples), ThresholdByLower=255.0, SetInValue=1)


def slab(samples: int) -> Any:
    """A volume of 128 x 128 samples a slice whose sides a fast Fourier transform takes well."""
    depth = 2 ** max(1, round(np.log2(max(2, samples >> 14))))
    values = np.random.default_rng(7).random(depth << 14, dtype=np.float32)
    image = library().vtkImageData()
    image.SetDimensions(128, 128, depth)
    image.GetPointData().SetScalars(numpy_support().numpy_to_vtk(values, deep=True))
    return image


def picture(pixels: int) -> Any:
    """A square of about so many pixels in three colours of one byte, with structure and a little noise."""
    module = library()
    side = max(16, round(pixels**0.5))
    wave = np.sin(np.arange(side, dtype=np.float32) * np.float32(0.05))
    red = (110 + 100 * np.outer(wave, wave)).astype(np.uint8)
    red += np.random.default_rng(5).integers(0, 16, (side, side), dtype=np.uint8)
    values = np.stack([red, 255 - red, red // 2], axis=-1).reshape(-1, 3)
    image = module.vtkImageData()
    image.SetDimensions(side, side, 1)
    scalars = numpy_support().numpy_to_vtk(values, deep=True)
    scalars.SetName("colours")
    image.GetPointData().SetScalars(scalars)
    return image


def constant_volume(size: int) -> Any:
    """A volume of so many bytes; it holds one value, and all its pages are touched."""
    image = library().vtkImageData()
    side = max(8, round((size / _BYTES_A_SAMPLE) ** (1 / 3)))
    image.SetDimensions(side, side, side)
    image.AllocateScalars(library().VTK_FLOAT, 1)
    image.GetPointData().GetScalars().Fill(1.5)
    return image


def flow(samples: int) -> Any:
    """A volume of about so many vectors that turn about an axis and rise along it."""
    side = max(8, round(samples ** (1 / 3)))
    image = library().vtkImageData()
    image.SetDimensions(side, side, side)
    image.SetOrigin(-side / 2, -side / 2, 0.0)
    z, y, x = np.meshgrid(*[np.arange(side, dtype=np.float32)] * 3, indexing="ij")
    vectors = np.stack([side / 2 - y, x - side / 2, 0.2 * side + 0.0 * z], axis=-1).reshape(-1, 3)
    array = numpy_support().numpy_to_vtk(vectors, deep=True)
    array.SetName("flow")
    image.GetPointData().SetVectors(array)
    return image


def surface(triangles: int) -> Any:
    """A bumpy closed surface of about so many triangles."""
    module = library()
    sides = max(8, round((triangles / 2) ** 0.5))
    sphere = module.vtkSphereSource()
    sphere.SetThetaResolution(sides)
    sphere.SetPhiResolution(sides)
    sphere.Update()
    mesh = sphere.GetOutput()
    places = numpy_support().vtk_to_numpy(mesh.GetPoints().GetData())
    places *= 1.0 + 0.1 * np.sin(places * 25.0).prod(axis=1, keepdims=True)
    mesh.GetPoints().Modified()
    return mesh


def polylines(count: int) -> Any:
    """About so many points of a spiral in lines of a thousand points."""
    each = 1000
    lines = max(1, count // each)
    turn = np.linspace(0.0, 60.0, each)
    places = np.concatenate(
        [np.column_stack([np.cos(turn), np.sin(turn), turn / 60 + line]) for line in range(lines)]
    )
    mesh = library().vtkPolyData()
    points_ = library().vtkPoints()
    points_.SetData(numpy_support().numpy_to_vtk(places, deep=True))
    mesh.SetPoints(points_)
    cells = library().vtkCellArray()
    offsets = np.arange(lines + 1, dtype=np.int64) * each
    order = np.arange(lines * each, dtype=np.int64)
    support = numpy_support()
    cells.SetData(
        support.numpy_to_vtkIdTypeArray(offsets, deep=True), support.numpy_to_vtkIdTypeArray(order, deep=True)
    )
    mesh.SetLines(cells)
    return mesh


def points(count: int) -> Any:
    """So many scattered points, the same ones each time."""
    module = library()
    source = module.vtkPointSource()
    random = module.vtkMinimalStandardRandomSequence()
    random.SetSeed(1971)
    source.SetRandomSequence(random)
    source.SetNumberOfPoints(max(8, count))
    source.SetRadius(10.0)
    source.Update()
    return source.GetOutput()


def flat_points(count: int) -> Any:
    """So many scattered points in a plane."""
    cloud = points(count)
    places = numpy_support().vtk_to_numpy(cloud.GetPoints().GetData())
    places[:, 2] = 0.0
    return cloud


def grid(cells: int) -> Any:
    """An unstructured grid of about so many voxels with the wavelet's values."""
    return passed("vtkAppendFilter", wavelet(cells))


def tetrahedra(cells: int) -> Any:
    """An unstructured grid of about so many tetrahedra with the wavelet's values."""
    return passed("vtkDataSetTriangleFilter", wavelet(max(64, cells // 5)))


def hexahedra(cells: int) -> Any:
    """An unstructured grid of about so many hexahedra: what finite element formats know."""
    return passed("vtkAppendFilter", structured(cells))


def structured(samples: int) -> Any:
    """A structured (curvilinear) grid of about so many points with the wavelet's values."""
    image = wavelet(samples)
    made = library().vtkStructuredGrid()
    made.SetDimensions(image.GetDimensions())
    places = library().vtkPoints()
    places.SetData(passed("vtkImageToPoints", image).GetPoints().GetData())
    made.SetPoints(places)
    made.GetPointData().ShallowCopy(image.GetPointData())
    return made


def rectilinear(samples: int) -> Any:
    """A rectilinear grid of about so many points with the wavelet's values."""
    image = wavelet(samples)
    made = library().vtkRectilinearGrid()
    made.SetDimensions(image.GetDimensions())
    for axis, side in zip("XYZ", image.GetDimensions(), strict=True):
        places = numpy_support().numpy_to_vtk(np.linspace(0.0, 1.0, side) ** 2, deep=True)
        getattr(made, f"Set{axis}Coordinates")(places)
    made.GetPointData().ShallowCopy(image.GetPointData())
    return made


def blocks(triangles: int) -> Any:
    """Four surfaces in a multi-block data set, about so many triangles altogether."""
    made = library().vtkMultiBlockDataSet()
    for index in range(4):
        made.SetBlock(index, surface(triangles // 4))
    return made


def building(triangles: int) -> Any:
    """The blocks as one building of a city: glTF's writer takes a list of such."""
    made = library().vtkMultiBlockDataSet()
    made.SetBlock(0, blocks(triangles))
    return made


def table(rows: int) -> Any:
    """A table of so many rows with four columns of random numbers."""
    made = library().vtkTable()
    random = np.random.default_rng(3)
    for name in "abcd":
        column = numpy_support().numpy_to_vtk(random.normal(size=max(8, rows)), deep=True)
        column.SetName(name)
        made.AddColumn(column)
    return made


def graph(edges: int) -> Any:
    """A random directed graph of so many edges, half as many vertices."""
    source = library().vtkRandomGraphSource()
    source.SetNumberOfVertices(max(8, edges // 2))
    source.SetNumberOfEdges(max(8, edges))
    source.SetDirected(True)  # noqa: FBT003 - VTK's way
    source.SetSeed(11)
    source.Update()
    return source.GetOutput()


def tree(vertices: int) -> Any:
    """A random tree of about so many vertices."""
    source = library().vtkRandomGraphSource()
    source.SetNumberOfVertices(max(8, vertices))
    source.SetNumberOfEdges(0)
    source.SetStartWithTree(True)  # noqa: FBT003 - VTK's way
    source.SetDirected(True)  # noqa: FBT003
    source.SetSeed(11)
    source.Update()
    made = library().vtkTree()
    if not made.CheckedShallowCopy(source.GetOutput()):
        raise ValueError("vtkRandomGraphSource made no tree")
    return made


def numbers(count: int) -> Any:
    """An array of about so many random floats, three a tuple."""
    values = np.random.default_rng(10).random((max(8, count // 3), 3), dtype=np.float32)
    return numpy_support().numpy_to_vtk(values, deep=True)
