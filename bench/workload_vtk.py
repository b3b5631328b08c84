"""Work for VTK's C++: every algorithm class, fed with generic data of some size. Called by count_calls.py."""

from __future__ import annotations

import glob
import importlib
import os
import sys

import vtkmodules
from counted import counts, since, write
from vtkmodules.vtkCommonDataModel import VTK_QUADRATIC_TETRA

import gilgen

SKIPPED = ("Render", "Window", "OpenGL", "Mapper", "Video", "Python", "Web", "Avatar", "Socket", "Xdmf", "MPI", "SQL", "Poll", "Server", "Client")


def classes() -> dict[str, type]:
    folder = os.path.dirname(vtkmodules.__file__)
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.cpython*.so"))):
        name = os.path.basename(path).split(".")[0]
        try:
            module = importlib.import_module(f"vtkmodules.{name}")
        except ImportError:
            continue
        found.update({key: value for key, value in vars(module).items() if isinstance(value, type)})
    return found


def inputs(all_classes: dict[str, type]) -> list[object]:
    """One data set of each common kind, of some size."""
    wavelet = all_classes["vtkRTAnalyticSource"]()
    wavelet.SetWholeExtent(-25, 25, -25, 25, -25, 25)
    wavelet.Update()
    sphere = all_classes["vtkSphereSource"]()
    sphere.SetThetaResolution(120)
    sphere.SetPhiResolution(120)
    elevation = all_classes["vtkElevationFilter"]()
    elevation.SetInputConnection(sphere.GetOutputPort())
    elevation.Update()
    tetrahedra = all_classes["vtkDataSetTriangleFilter"]()
    tetrahedra.SetInputConnection(wavelet.GetOutputPort())
    tetrahedra.Update()
    cells = all_classes["vtkCellTypeSource"]()
    cells.SetCellType(VTK_QUADRATIC_TETRA)
    cells.SetBlocksDimensions(12, 12, 12)
    cells.Update()
    grid = all_classes["vtkImageToStructuredGrid"]()
    grid.SetInputConnection(wavelet.GetOutputPort())
    grid.Update()
    graph = all_classes["vtkRandomGraphSource"]()
    graph.SetNumberOfVertices(2000)
    graph.SetNumberOfEdges(5000)
    graph.Update()
    table = all_classes["vtkAttributeDataToTableFilter"]()
    table.SetInputConnection(elevation.GetOutputPort())
    table.Update()
    tree = all_classes["vtkHyperTreeGridSource"]()
    tree.SetMaxDepth(4)
    tree.Update()
    makers = (elevation, wavelet, tetrahedra, cells, grid, graph, table, tree)
    return [maker.GetOutputDataObject(0) for maker in makers]


def work(make: type, data: list[object]) -> None:
    """Feed one algorithm with everything that its first port takes."""
    algorithm = make()
    if algorithm.GetNumberOfInputPorts() == 0:
        algorithm.Update()
        return
    information = algorithm.GetInputPortInformation(0)
    wanted = information.Get(make.INPUT_REQUIRED_DATA_TYPE()) if information else ""
    for item in data:
        if wanted and not item.IsA(wanted):
            continue
        algorithm = make()
        for port in range(algorithm.GetNumberOfInputPorts()):
            algorithm.SetInputDataObject(port, item)
        for name, value in (("SetValue", (0, 130.0)), ("SetNumberOfContours", (1,)), ("ThresholdBetween", (50.0, 200.0))):
            if hasattr(algorithm, name):
                try:
                    getattr(algorithm, name)(*value)
                except TypeError:
                    continue
        algorithm.Update()


def main() -> None:
    result, *names = sys.argv[1:]
    found = classes()
    algorithm = found["vtkAlgorithm"]
    if names == ["--list"]:
        listed = [
            name for name, cls in sorted(found.items())
            if issubclass(cls, algorithm) and not any(word in name for word in SKIPPED) and not name.endswith(("Writer", "Exporter", "Algorithm"))
        ]
        write(result, listed)
        return
    found["vtkObject"].GlobalWarningDisplayOff()
    gilgen.activate("vtk")
    data = inputs(found)
    start = counts("vtk")
    for name in names:
        try:
            work(found[name], data)
        except (TypeError, AttributeError, NotImplementedError, ValueError):
            continue
        now = counts("vtk")
        write(result, since(start, now))


if __name__ == "__main__":
    main()
