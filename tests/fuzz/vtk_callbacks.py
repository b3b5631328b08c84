"""VTK operations in which C++ calls Python, and operations that change or delete what other threads use."""

from __future__ import annotations

import queue
from typing import Any

from vtkmodules.util.vtkAlgorithm import VTKPythonAlgorithmBase
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersCore import (
    vtkContourFilter,
    vtkElevationFilter,
    vtkSmoothPolyDataFilter,
    vtkTriangleFilter,
)
from vtkmodules.vtkFiltersGeneral import vtkOBBTree
from vtkmodules.vtkFiltersProgrammable import vtkProgrammableFilter
from vtkmodules.vtkFiltersSources import vtkSphereSource
from vtkmodules.vtkImagingCore import vtkRTAnalyticSource

from fuzz.digests import rounded
from fuzz.vtk_copying import any_version
from fuzz.vtk_digests import UPDATES, digest, update, updated
from fuzz.vtk_things import VTK, Board

# ---------------------------------------------------------------------------------------- callbacks


@VTK.operation("callbacks", mesh="mesh", other="mesh|grid", event=("StartEvent", "ProgressEvent", "EndEvent", "AnyEvent"), how=UPDATES, weight=4)
def observed(mesh: Any, other: Any, event: str, how: str) -> str:
    """A filter of one's own whose observer copies other shared data."""
    seen: set[str] = set()

    def note(*_: Any) -> None:
        copy = other.NewInstance()
        copy.DeepCopy(other)
        seen.add(f"{digest(copy)} {rounded(*copy.GetBounds())}")

    smooth = vtkSmoothPolyDataFilter()
    smooth.AddObserver(event, note)
    return f"{updated(smooth, mesh, how)} {sorted(seen)}"


@VTK.operation("callbacks", mesh="mesh", other="mesh", event=("StartEvent", "ProgressEvent", "EndEvent"), how=UPDATES, weight=3)
def observed_filter(mesh: Any, other: Any, event: str, how: str) -> str:
    """A filter of one's own whose observer runs another filter on other shared data."""
    seen: set[str] = set()
    triangles = vtkTriangleFilter()
    triangles.AddObserver(event, lambda *_: seen.add(updated(vtkElevationFilter(), other, how)))
    return f"{updated(triangles, mesh, how)} {sorted(seen)}"


@VTK.operation("callbacks", mesh="mesh|grid", other="mesh", weight=2)
def observed_locator(mesh: Any, other: Any) -> str:
    """A filter of one's own whose observer builds a locator of shared data."""
    seen: set[str] = set()

    def note(*_: Any) -> None:
        tree = vtkOBBTree()
        tree.SetDataSet(other)
        tree.BuildLocator()
        seen.add(str(tree.GetLevel()))

    contour = vtkContourFilter()
    contour.SetValue(0, 0.3)
    contour.AddObserver("StartEvent", note)
    return f"{updated(contour, mesh)} {sorted(seen)}"


def with_any_version(mesh: Any, board: Board) -> set[str]:
    """The filter's result; what its observer takes is compared in the operation."""
    return {updated(vtkTriangleFilter(), mesh)} if board else set()


@VTK.operation("callbacks", expect=with_any_version, mesh="mesh", board="mesh_board", weight=2)
def observed_board(mesh: Any, board: Board) -> str:
    """A filter of one's own whose observer publishes into a shared object, and takes a copy of it."""
    wrong: list[str] = []
    right = any_version(board)

    def note(*_: Any) -> None:
        board.shared.DeepCopy(board.versions[len(wrong) % 3])
        mine = vtkPolyData()
        mine.DeepCopy(board.shared)
        if (got := digest(mine)) not in right:
            wrong.append(got)

    triangles = vtkTriangleFilter()
    triangles.AddObserver("StartEvent", note)
    triangles.AddObserver("EndEvent", note)
    return updated(triangles, mesh) + "".join(wrong)


class Lifted(VTKPythonAlgorithmBase):
    """An algorithm in Python that runs a filter of its own."""

    def __init__(self) -> None:
        super().__init__(nInputPorts=1, inputType="vtkPolyData", nOutputPorts=1, outputType="vtkPolyData")

    def RequestData(self, _request: Any, inputs: Any, outputs: Any) -> int:  # noqa: N802 - VTK's name
        """Pass the input through an elevation filter."""
        data, result = vtkPolyData.GetData(inputs[0], 0), vtkPolyData.GetData(outputs, 0)
        height = vtkElevationFilter()
        own = vtkPolyData()
        own.ShallowCopy(data)
        height.SetInputData(own)
        height.Update()
        result.ShallowCopy(height.GetOutput())
        return 1


@VTK.operation("callbacks", mesh="mesh", how=UPDATES, weight=3)
def python_algorithm(mesh: Any, how: str) -> str:
    """A pipeline of one's own with an algorithm in Python in its middle."""
    triangles, lifted, contour = vtkTriangleFilter(), Lifted(), vtkContourFilter()
    triangles.SetInputData(mesh)
    lifted.SetInputConnection(triangles.GetOutputPort())
    contour.SetInputConnection(lifted.GetOutputPort())
    contour.SetValue(0, 0.3)
    return updated(contour, None, how)


@VTK.operation("callbacks", mesh="mesh", how=UPDATES)
def programmable(mesh: Any, how: str) -> str:
    """A filter of one's own that is told in Python what to do."""
    algorithm = vtkProgrammableFilter()

    def execute() -> None:
        smooth = vtkSmoothPolyDataFilter()
        smooth.SetInputData(algorithm.GetPolyDataInput())
        smooth.Update()
        algorithm.GetPolyDataOutput().ShallowCopy(smooth.GetOutput())

    algorithm.SetExecuteMethod(execute)
    algorithm.SetInputData(mesh)
    update(algorithm, how)
    return digest(algorithm.GetPolyDataOutput())


# ------------------------------------------------------------------------------------ shared filters

SPHERES = (6, 20, 40)


@VTK.maker("tunable")
def tunable() -> Any:
    """A filter whose parameters all threads set."""
    source = vtkSphereSource(theta_resolution=SPHERES[0], phi_resolution=20)
    source.Update()
    return source


def any_sphere(source: Any, size: int) -> set[str]:  # noqa: ARG001 - called with the operation's arguments
    """What the filter puts out for each size."""
    return {updated(vtkSphereSource(theta_resolution=size, phi_resolution=20)) for size in SPHERES}


@VTK.operation("shared filters", expect=any_sphere, source="tunable", size=SPHERES, weight=3)
def tuned(source: Any, size: int) -> str:
    """A parameter of a shared filter set, the filter run, and its output copied: for any of the sizes."""
    source.SetThetaResolution(size)
    source.Update()
    mine = vtkPolyData()
    mine.DeepCopy(source.GetOutput())
    return digest(mine)


@VTK.operation("shared filters", expect=any_sphere, source="tunable", size=SPHERES, weight=3)
def tuned_held(source: Any, size: int) -> str:
    """The same by calls that hold the GIL in the plain wheel."""
    source.SetThetaResolution(size)
    update(source, "UpdatePiece")
    mine = vtkPolyData()
    mine.DeepCopy(source.GetOutput())
    return digest(mine)


def any_lifted(source: Any, size: int) -> set[str]:  # noqa: ARG001 - called with the operation's arguments
    """What a filter behind the shared one puts out for each size."""
    spheres = [vtkSphereSource(theta_resolution=size, phi_resolution=20) for size in SPHERES]
    lifts = [vtkElevationFilter() for _ in SPHERES]
    for lift, sphere in zip(lifts, spheres, strict=True):
        lift.SetInputConnection(sphere.GetOutputPort())
    return {updated(lift) for lift in lifts}


@VTK.operation("shared filters", expect=any_lifted, source="tunable", size=SPHERES, weight=2)
def tuned_behind(source: Any, size: int) -> str:
    """A filter of one's own behind a shared one, whose parameter any thread sets."""
    source.SetThetaResolution(size)
    lift = vtkElevationFilter()
    lift.SetInputConnection(source.GetOutputPort())
    return updated(lift, None, "UpdatePiece")


@VTK.maker("stoppable", size=(20, 40))
def stoppable(size: int) -> Any:
    """A slow filter that threads run and stop."""
    source = vtkRTAnalyticSource(whole_extent=(0, size, 0, size, 0, size))
    contour = vtkContourFilter()
    contour.SetInputConnection(source.GetOutputPort())
    contour.SetValue(0, 157.0)
    return contour


@VTK.operation("shared filters", algorithm="stoppable", how=UPDATES, weight=2)
def run_stoppable(algorithm: Any, how: str) -> str:
    """A shared filter run, which may be stopped."""
    algorithm.SetAbortExecute(0)
    algorithm.Modified()
    update(algorithm, how)
    return "ran"


@VTK.operation("shared filters", algorithm="stoppable")
def stop(algorithm: Any) -> str:
    """A shared filter asked to stop."""
    algorithm.SetAbortExecute(1)
    return "asked"


@VTK.operation("shared filters", algorithm="stoppable|tunable|source")
def progress(algorithm: Any) -> str:
    """The progress of a shared filter."""
    return "in range" if 0.0 <= algorithm.GetProgress() <= 1.0 else f"{algorithm.GetProgress()}"


@VTK.operation("shared filters", algorithm="stoppable|tunable|source", weight=0.5)
def watched(algorithm: Any) -> str:
    """An observer put on a shared filter and taken off again."""
    tag = algorithm.AddObserver("EndEvent", lambda *_: None)
    algorithm.RemoveObserver(tag)
    return "watched"


# ---------------------------------------------------------------------------------------- lifetimes


@VTK.operation("lifetimes", box="box", mesh="mesh", weight=3)
def handed_over(box: queue.SimpleQueue[Any], mesh: Any) -> str:
    """A pipeline's output, its filter and a locator, to be deleted by whoever takes them."""
    height = vtkElevationFilter()
    height.SetInputData(mesh)
    height.Update()
    tree = vtkOBBTree()
    tree.SetDataSet(height.GetOutput())
    tree.BuildLocator()
    box.put((height.GetOutput(), digest(height.GetOutput()), height, tree))
    return "put"


@VTK.operation("lifetimes", expect=lambda box: {"same", "empty"}, box="box", weight=2)  # noqa: ARG005
def taken_over(box: queue.SimpleQueue[Any]) -> str:
    """What another thread made, compared with what it was, and deleted here."""
    try:
        data, before, *_ = box.get_nowait()
    except queue.Empty:
        return "empty"
    return "same" if digest(data) == before else f"changed from {before} to {digest(data)}"


@VTK.operation("lifetimes", mesh="mesh|grid")
def many_made(mesh: Any) -> str:
    """Many short-lived copies."""
    counts = set()
    for _ in range(20):
        copy = mesh.NewInstance()
        copy.ShallowCopy(mesh)
        counts.add(copy.GetNumberOfPoints())
    return str(sorted(counts))


@VTK.operation("lifetimes", mesh="mesh")
def outlived(mesh: Any) -> str:
    """An output whose filter is deleted before it is read."""
    height = vtkElevationFilter()
    height.SetInputData(mesh)
    height.Update()
    output = height.GetOutput()
    del height
    return digest(output)
