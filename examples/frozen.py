"""A window that freezes although the work is done in a thread.

The main thread keeps a 60 Hz loop, as a window would. A worker thread opens a scan: it smooths it (ITK), finds
a surface in it (VTK), and builds the search tree that picking needs (VTK). The loop notes its longest frames.

    python examples/frozen.py                  as the wheels are
    gilgen profile examples/frozen.py          which calls held the GIL
    gilgen run examples/frozen.py              with the shims
"""

from __future__ import annotations

import threading
import time
from typing import Any

import itk
import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D
from vtkmodules.vtkFiltersGeneral import vtkOBBTree

FRAME = 1 / 60
SIZE = 160
"""Samples along each edge of the scan."""


def main() -> None:
    """Turn the loop until the scan is open; say how it went."""
    load()
    done = threading.Event()
    worker = threading.Thread(target=open_scan, args=(done,), name="open-scan")
    worker.start()
    frames = [time.perf_counter()]
    while not done.is_set():
        time.sleep(FRAME)  # a real window draws and handles events here
        frames.append(time.perf_counter())
    worker.join()
    lengths = np.diff(frames)
    print(f"{len(lengths)} frames in {frames[-1] - frames[0]:.2f} s; the longest took {lengths.max():.3f} s")


def load() -> None:
    """Let ITK load its modules, which it does when they are first used: before the loop turns, not while it should."""
    itk.array_from_image(smooth(itk.image_from_array(np.zeros((4, 4, 4), dtype=np.float32))))


def open_scan(done: threading.Event) -> None:
    """What a viewer does before it can show a scan."""
    try:
        surface = find_surface(smooth(make_scan()))
        build_tree(surface)
    finally:
        done.set()


def make_scan() -> Any:
    """A noisy ball, in place of a file from a scanner."""
    axis = np.linspace(-1, 1, SIZE, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, sparse=True)
    noise = np.random.default_rng(1).random((SIZE, SIZE, SIZE), dtype=np.float32)
    return itk.image_from_array(np.sqrt(x * x + y * y + z * z) + 0.2 * noise)


def smooth(scan: Any) -> Any:
    """Take the noise out. ITK spreads this over all processors by itself."""
    return itk.median_image_filter(scan, radius=1)


def find_surface(scan: Any) -> Any:
    """The surface of the ball."""
    image = vtkImageData()
    image.SetDimensions(SIZE, SIZE, SIZE)
    image.GetPointData().SetScalars(numpy_to_vtk(itk.array_from_image(scan).ravel(), deep=True))
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image)
    edges.SetValue(0, 0.8)
    edges.Update()
    return edges.GetOutput()


def build_tree(surface: Any) -> vtkOBBTree:
    """The boxes in which a mouse click is looked for."""
    tree = vtkOBBTree()
    tree.SetDataSet(surface)
    tree.SetNumberOfCellsPerNode(4)
    tree.BuildLocator()
    return tree


if __name__ == "__main__":
    main()
