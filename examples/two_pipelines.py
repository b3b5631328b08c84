"""Two independent pipelines in two Python threads: do they run at once?

The complaint that gilgen starts from. Each pair runs in turn and then in two threads, first with the plain
library and then with gilgen's shims, in one program. On two free cores a ratio near 2 is two pipelines at
once; near 1, one waits for the other.

    python examples/two_pipelines.py            plain, then with gilgen
    python examples/two_pipelines.py --plain    plain only
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable

import gilgen

REPETITIONS = 3

Pipeline = Callable[[], object]


def vtk_contour() -> Pipeline:
    """A contour of a volume of 14 million samples, asked for as a piece, as parallel programs do."""
    from vtkmodules.vtkFiltersCore import vtkContourFilter  # noqa: PLC0415 - a toolkit that is missing is only left out
    from vtkmodules.vtkImagingCore import vtkRTAnalyticSource  # noqa: PLC0415

    source = vtkRTAnalyticSource()
    source.SetWholeExtent(-120, 120, -120, 120, -120, 120)
    source.Update()
    contour = vtkContourFilter()
    contour.SetInputData(source.GetOutput())
    contour.SetValue(0, 150.0)

    def run() -> None:
        contour.Modified()
        contour.UpdatePiece(0, 1, 0)

    return run


def vtk_locator() -> Pipeline:
    """The search tree of a surface, which collision tests and registrations build first."""
    from vtkmodules.vtkFiltersGeneral import vtkOBBTree  # noqa: PLC0415
    from vtkmodules.vtkFiltersSources import vtkSphereSource  # noqa: PLC0415

    sphere = vtkSphereSource()
    sphere.SetThetaResolution(300)
    sphere.SetPhiResolution(300)
    sphere.Update()
    tree = vtkOBBTree()
    tree.SetDataSet(sphere.GetOutput())

    def run() -> None:
        tree.FreeSearchStructure()
        tree.Modified()
        tree.BuildLocator()

    return run


def itk_median() -> Pipeline:
    """A median filter on a noisy volume."""
    import itk  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    # ITK would give each filter all cores by itself; one each shows what Python's threads gain.
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)
    noise = np.random.default_rng(1).random((90, 90, 90), dtype=np.float32)
    image = itk.image_from_array(noise)
    median = itk.MedianImageFilter.New(image, radius=1)

    def run() -> None:
        median.Modified()
        median.Update()

    return run


EXAMPLES = {
    "vtk": {"vtkContourFilter.UpdatePiece": vtk_contour, "vtkOBBTree.BuildLocator": vtk_locator},
    "itk": {"itk.MedianImageFilter.Update": itk_median},
}


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_two_threads(first: Pipeline, second: Pipeline) -> None:
    """Run both at once, wait for both."""
    threads = [threading.Thread(target=pipeline) for pipeline in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def compare(first: Pipeline, second: Pipeline) -> tuple[float, float]:
    """Seconds in turn and seconds in two threads: medians, taken alternately."""
    serial, parallel = [], []
    for _ in range(REPETITIONS):
        serial.append(seconds(first) + seconds(second))
        parallel.append(seconds(lambda: in_two_threads(first, second)))
    return statistics.median(serial), statistics.median(parallel)


def show(what: str, with_gilgen: str, first: Pipeline, second: Pipeline) -> None:
    """Print a line of the table."""
    serial, parallel = compare(first, second)
    print(f"{what:31} {with_gilgen:7} {serial:8.2f} s {parallel:9.2f} s {serial / parallel:7.2f}", flush=True)


def main() -> None:
    """Measure all pairs whose toolkit is installed."""
    parser = argparse.ArgumentParser(description="Two pipelines in two threads, with and without gilgen.")
    parser.add_argument("--plain", action="store_true", help="only the plain library")
    plain_only = parser.parse_args().plain
    remarks = []

    print(f"{'two of':31} {'shims':7} {'in turn':>10} {'at once':>11} {'ratio':>7}")
    for toolkit, pipelines in EXAMPLES.items():
        for what, make in pipelines.items():
            try:
                first, second = make(), make()
            except ImportError:
                remarks.append(f"{toolkit} is not installed: pip install {toolkit}")
                break
            first(), second()  # once alone: the first call of a toolkit sets much up
            show(what, "plain", first, second)
            if plain_only:
                continue
            try:
                gilgen.activate(toolkit)
            except gilgen.GilgenError as error:
                remarks.append(f"{toolkit} with gilgen: {error}")
                continue
            first, second = make(), make()  # anew: what objects of before lead to, nobody has seen
            first(), second()
            show(what, "gilgen", first, second)
            gilgen.deactivate()
    for remark in dict.fromkeys(remarks):
        print(remark)


if __name__ == "__main__":
    main()
