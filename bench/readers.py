"""Two threads that read one data object at once: locators, distances, a probe and an ITK filter on one shared input.

Each reader has a process of its own, plain and activated (what exists before a late activation would claim its whole
toolkit). In turn and at once alternate; each result is compared with the one that the reader gives alone.
"""

# ruff: noqa: PLC0415 - a process imports the one toolkit that it measures
from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import rows
from gilgen.diagnostics import overlap
from gilgen.diagnostics.cases.record import Work

import gilgen

Reader = tuple[Callable[[], object], Callable[[], object]]
"""A call, and what it found."""


def _sphere(resolution: int) -> Any:
    from vtkmodules.vtkFiltersSources import vtkSphereSource

    source = vtkSphereSource()
    source.SetThetaResolution(resolution)
    source.SetPhiResolution(resolution)
    source.Update()
    return source.GetOutput()


def distances(share: float) -> Callable[[], Reader]:
    from vtkmodules.vtkCommonCore import vtkDoubleArray
    from vtkmodules.vtkFiltersCore import vtkImplicitPolyDataDistance

    mesh, asked = _sphere(int(300 * share)), _sphere(int(200 * share)).GetPoints().GetData()

    def make() -> Reader:
        distance, found = vtkImplicitPolyDataDistance(), vtkDoubleArray()

        def call() -> None:
            distance.SetInput(mesh)
            distance.FunctionValue(asked, found)

        return call, lambda: sum(found.GetTuple1(index) for index in range(0, found.GetNumberOfTuples(), 97))

    return make


def cell_locators(share: float) -> Callable[[], Reader]:
    from vtkmodules.vtkCommonCore import vtkIdList
    from vtkmodules.vtkCommonDataModel import vtkCellLocator

    mesh = _sphere(int(1400 * share))

    def make() -> Reader:
        locator = vtkCellLocator()
        locator.SetDataSet(mesh)

        def call() -> None:
            locator.Modified()
            locator.BuildLocator()

        def found() -> list[tuple[int, ...]]:
            crossed = []
            for x in (-0.4, -0.1, 0.2, 0.3):
                cells = vtkIdList()
                locator.FindCellsAlongLine((x, -1.0, 0.1), (x, 1.0, 0.1), 0.0, cells)
                crossed.append(tuple(cells.GetId(index) for index in range(cells.GetNumberOfIds())))
            return crossed

        return call, found

    return make


def probes(share: float) -> Callable[[], Reader]:
    from vtkmodules.vtkFiltersCore import vtkProbeFilter
    from vtkmodules.vtkImagingCore import vtkRTAnalyticSource

    wavelet = vtkRTAnalyticSource()
    wavelet.SetWholeExtent(-50, 50, -50, 50, -50, 50)
    wavelet.Update()
    image, asked = wavelet.GetOutput(), _sphere(int(1000 * share))

    def make() -> Reader:
        probe = vtkProbeFilter()
        probe.SetInputData(asked)
        probe.SetSourceData(image)

        def call() -> None:
            probe.Modified()
            probe.Update()

        return call, lambda: probe.GetOutput().GetPointData().GetScalars().GetRange()

    return make


def medians(share: float) -> Callable[[], Reader]:
    import itk
    import numpy as np

    image = itk.image_from_array(np.random.default_rng(7).random((int(90 * share),) * 3, np.float32))
    kind = itk.MedianImageFilter[type(image), type(image)]

    def make() -> Reader:
        median = kind.New(image, NumberOfWorkUnits=1, Radius=2)

        def call() -> None:
            median.Modified()
            median.Update()

        return call, lambda: float(itk.array_view_from_image(median.GetOutput()).sum())

    return make


READERS = {
    "vtkImplicitPolyDataDistance.FunctionValue": ("vtk", distances),
    "vtkCellLocator.BuildLocator": ("vtk", cell_locators),
    "vtkProbeFilter.Update": ("vtk", probes),
    "itk.MedianImageFilter.Update": ("itk", medians),
}


def measure(*, quick: bool) -> rows.Section:
    found = []
    for name in READERS:
        active, plain = (rows.child("readers.py", name, how, "quick" if quick else "full") for how in ("active", "plain"))
        found += [
            rows.at_least(f"two `{name}` on one input, in turn / at once", active["ratio"], 1.8, "{:.2f} times"),
            rows.shown("  the same in the plain wheel", f"{plain['ratio']:.2f} times"),
            rows.shown("  two calls of hashlib beside it", f"{active['reference']:.2f} times: what this machine gave at the same time"),
            rows.Row("  results that differ from those alone", "none", str(active["wrong"]), met=active["wrong"] == 0),
        ]
    return rows.Section(
        "Two threads that read one input",
        tuple(found),
        ("Each thread has a reader of its own; the toolkits' own threads are limited to one a call. The ratio of medians.",),
    )


def _measure(name: str, *, active: bool, quick: bool) -> dict[str, Any]:
    """In the child: one reader's figures."""
    toolkit, prepare = READERS[name]
    module = __import__(f"gilgen.diagnostics.cases.{toolkit}", fromlist=["load"])
    module.load()
    module.single_threaded()
    if active:
        gilgen.activate(toolkit)
    make = prepare(0.5 if quick else 1.0)
    readers = make(), make()
    expected = []
    for call, result in readers:
        call()
        expected.append(result())
    wrong = 0
    runs = []
    works = [Work(call) for call, _ in readers]
    for _ in range(3 if quick else 9):
        runs.append(overlap.measure(works[0], works[1], repetitions=1)[0])
        wrong += sum(result() != right for (_, result), right in zip(readers, expected, strict=True))
    serial, parallel, reference = (statistics.median(getattr(run, part) for run in runs) for part in ("serial", "parallel", "reference"))
    return {"ratio": serial / parallel, "reference": reference, "wrong": wrong}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], active=sys.argv[2] == "active", quick=sys.argv[3] == "quick")), flush=True)
