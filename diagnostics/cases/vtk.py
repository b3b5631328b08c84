"""What is called in VTK: locators, copies, writers, pipelines and the ways into them.

Some of these release in plain VTK >= 9.4 (`vtkAlgorithm.Update()` has the upstream hint) and are here so that
a shim cannot make them worse. All data are made on the spot: VTK's wavelet and surfaces cut from it.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from gilgen.diagnostics.cases import Case, Work

_BYTES_A_SAMPLE = 4


@functools.cache
def _module() -> Any:
    """All of VTK, imported when first asked for."""
    return importlib.import_module("vtkmodules.all")


def numpy_support() -> Any:
    """VTK's bridge to NumPy."""
    return importlib.import_module("vtkmodules.util.numpy_support")


def load() -> None:
    """Import VTK and its bridge to NumPy."""
    _module()
    numpy_support()


def single_threaded() -> None:
    """One thread a call, for SMP filters and for threaded image filters, made from now on."""
    _module().vtkSMPTools.Initialize(1)
    _module().vtkMultiThreader.SetGlobalDefaultNumberOfThreads(1)


# ------------------------------------------------------------------------------------------------ data


def wavelet(samples: int) -> Any:
    """A cubic volume of about so many samples: VTK's wavelet, a smooth field with waves in it."""
    half = max(4, round(samples ** (1 / 3) / 2))
    source = _module().vtkRTAnalyticSource()
    source.SetWholeExtent(-half, half, -half, half, -half, half)
    source.SetCenter(0.0, 0.0, 0.0)
    source.SetXFreq(60.0 * 10 / half)
    source.SetYFreq(30.0 * 10 / half)
    source.SetZFreq(40.0 * 10 / half)
    source.Update()
    return source.GetOutput()


def surface(triangles: int) -> Any:
    """A bumpy closed surface of about so many triangles."""
    module = _module()
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


def points(count: int) -> Any:
    """So many scattered points, the same ones each time."""
    module = _module()
    source = module.vtkPointSource()
    random = module.vtkMinimalStandardRandomSequence()
    random.SetSeed(1971)
    source.SetRandomSequence(random)
    source.SetNumberOfPoints(max(8, count))
    source.SetRadius(10.0)
    source.Update()
    return source.GetOutput()


# ------------------------------------------------------------------------------------------- kinds of work


def _again(algorithm: Any, call: Callable[[], object]) -> Work:
    """Work of a filter that has to forget, before each call, that its output is up to date."""
    return Work(call, algorithm.Modified)


def _filter(name: str, data: Any, **settings: Any) -> Any:
    """A filter of VTK by name, with an input and settings ("SetX" is called for x=...)."""
    algorithm = getattr(_module(), name)()
    for setting, value in settings.items():
        getattr(algorithm, setting)(*value if isinstance(value, tuple) else (value,))
    algorithm.SetInputData(data)
    return algorithm


def _locator(name: str, data: Callable[[int], Any], **settings: Any) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        locator = getattr(_module(), name)()
        for setting, value in settings.items():
            getattr(locator, setting)(value)
        locator.SetDataSet(data(size))

        def forget() -> None:
            locator.FreeSearchStructure()
            locator.Modified()

        return Work(locator.BuildLocator, forget)

    return make


def _writer(name: str, data: Callable[[int], Any], ending: str) -> Callable[[int], Work]:
    """Writes a file below the current folder, which is the case's own."""

    def make(size: int) -> Work:
        writer = _filter(name, data(size))
        writer.SetFileName(f"{id(writer):x}.{ending}")
        return Work(writer.Write)

    return make


def _copy(data: Callable[[int], Any]) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        original = data(size)
        copy = original.NewInstance()
        return Work(lambda: copy.DeepCopy(original), copy.Initialize)

    return make


def _bytes(size: int) -> Any:
    """A volume of so many bytes; its values are as they come, but all its pages are touched."""
    image = _module().vtkImageData()
    side = max(8, round((size / _BYTES_A_SAMPLE) ** (1 / 3)))
    image.SetDimensions(side, side, side)
    image.AllocateScalars(_module().VTK_FLOAT, 1)
    image.GetPointData().GetScalars().Fill(1.5)
    return image


def _links(size: int) -> Work:
    mesh = surface(size)
    mesh.BuildCells()
    return Work(mesh.BuildLinks, mesh.DeleteLinks)


def _sort(size: int) -> Work:
    module = _module()
    original = points(size).GetPoints().GetData()
    keys = module.vtkFloatArray()

    def scramble() -> None:
        keys.DeepCopy(original)
        keys.SetNumberOfComponents(1)

    return Work(lambda: module.vtkSortDataArray.Sort(keys), scramble)


def _register(size: int) -> Work:
    module = _module()
    source = surface(size)
    move = module.vtkTransform()
    move.RotateX(8.0)
    move.Translate(0.02, 0.01, 0.0)
    moved = module.vtkTransformPolyDataFilter()
    moved.SetTransform(move)
    moved.SetInputData(source)
    moved.Update()
    register = module.vtkIterativeClosestPointTransform()
    register.SetSource(source)
    register.SetTarget(moved.GetOutput())
    register.SetMaximumNumberOfLandmarks(max(20, size // 20))
    register.SetMaximumNumberOfIterations(20)
    register.GetLandmarkTransform().SetModeToRigidBody()
    return Work(register.Update, register.Modified)


def _update_piece(size: int) -> Work:
    contour = _filter("vtkContourFilter", wavelet(size), SetValue=(0, 150.0))
    return _again(contour, lambda: contour.UpdatePiece(0, 1, 0))


def _update_port(size: int) -> Work:
    module = _module()
    smooth = _filter("vtkImageMedian3D", wavelet(size), SetKernelSize=(3, 3, 3))
    requests = module.vtkInformationVector()
    requests.SetNumberOfInformationObjects(1)
    return _again(smooth, lambda: smooth.Update(0, requests))


def _executive(size: int) -> Work:
    smooth = _filter("vtkWindowedSincPolyDataFilter", surface(size), SetNumberOfIterations=15)
    executive = smooth.GetExecutive()
    return _again(smooth, executive.Update)


def _call_operator(size: int) -> Work:
    data = surface(size)
    decimate = _module().vtkDecimatePro()
    decimate.SetTargetReduction(0.7)
    return _again(decimate, lambda: decimate(data))


def _update(name: str, data: Callable[[int], Any], **settings: Any) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        algorithm = _filter(name, data(size), **settings)
        return _again(algorithm, algorithm.Update)

    return make


def _read_stl(size: int) -> Work:
    module = _module()
    writer = _filter("vtkSTLWriter", surface(size))
    writer.SetFileName(f"{id(writer):x}.stl")
    writer.Write()
    reader = module.vtkSTLReader()
    reader.SetFileName(writer.GetFileName())
    return _again(reader, reader.Update)


MEGABYTE = 1 << 20

CASES = (
    # Held by every plain wheel.
    Case(
        "obb-tree",
        "vtk",
        "vtkOBBTree.BuildLocator",
        _locator("vtkOBBTree", surface),
        40_000,
        2_000_000,
        quick=True,
    ),
    Case(
        "cell-locator",
        "vtk",
        "vtkCellLocator.BuildLocator",
        _locator("vtkCellLocator", surface),
        200_000,
        4_000_000,
    ),
    Case(
        "kd-tree",
        "vtk",
        "vtkKdTreePointLocator.BuildLocator",
        _locator("vtkKdTreePointLocator", points),
        200_000,
        4_000_000,
    ),
    Case(
        "image-copy",
        "vtk",
        "vtkImageData.DeepCopy",
        _copy(_bytes),
        200 * MEGABYTE,
        1000 * MEGABYTE,
        quick=True,
    ),
    Case("mesh-copy", "vtk", "vtkPolyData.DeepCopy", _copy(surface), 2_000_000, 8_000_000),
    Case("links", "vtk", "vtkPolyData.BuildLinks", _links, 2_000_000, 8_000_000),
    Case(
        "ply-writer",
        "vtk",
        "vtkPLYWriter.Write",
        _writer("vtkPLYWriter", surface, "ply"),
        100_000,
        2_000_000,
        quick=True,
    ),
    Case(
        "stl-writer", "vtk", "vtkSTLWriter.Write", _writer("vtkSTLWriter", surface, "stl"), 50_000, 2_000_000
    ),
    Case("sort", "vtk", "vtkSortDataArray.Sort", _sort, 1_000_000, 10_000_000),
    Case("registration", "vtk", "vtkIterativeClosestPointTransform.Update", _register, 4_000, 400_000),
    Case(
        "contour-piece", "vtk", "vtkAlgorithm.UpdatePiece", _update_piece, 2_000_000, 16_000_000, quick=True
    ),
    Case(
        "median-request",
        "vtk",
        "vtkAlgorithm.Update(int, vtkInformationVector)",
        _update_port,
        500_000,
        8_000_000,
    ),
    Case("executive", "vtk", "vtkExecutive.Update", _executive, 100_000, 2_000_000),
    Case("call-operator", "vtk", "vtkDecimatePro.__call__", _call_operator, 50_000, 1_000_000),
    # Released by plain VTK >= 9.4: `Update()` and `Write` of image and XML writers are hinted.
    Case(
        "gauss",
        "vtk",
        "vtkImageGaussianSmooth.Update",
        _update("vtkImageGaussianSmooth", wavelet, SetStandardDeviations=(2.0, 2.0, 2.0)),
        2_000_000,
        16_000_000,
        quick=True,
    ),
    Case("delaunay", "vtk", "vtkDelaunay3D.Update", _update("vtkDelaunay3D", points), 8_000, 400_000),
    Case("stl-reader", "vtk", "vtkSTLReader.Update", _read_stl, 100_000, 2_000_000),
    Case(
        "xml-writer",
        "vtk",
        "vtkXMLImageDataWriter.Write",
        _writer("vtkXMLImageDataWriter", wavelet, "vti"),
        1_000_000,
        16_000_000,
    ),
)
