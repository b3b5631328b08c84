"""Loops of short calls beside a thread that never rests: what they take, and how long either thread waits for the other.

Each run is a process of its own; plain and activated ones alternate.
"""

# ruff: noqa: PLC0415 - a process imports the one toolkit that it measures
from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import rows

import gilgen

Call = Callable[[], object]


def copies() -> Call:
    from vtkmodules.vtkCommonDataModel import vtkPolyData
    from vtkmodules.vtkFiltersSources import vtkSphereSource

    source = vtkSphereSource(theta_resolution=24, phi_resolution=24)
    source.Update()
    mesh, copy = source.GetOutput(), vtkPolyData()
    return lambda: copy.DeepCopy(mesh)


def contours() -> Call:
    from vtkmodules.vtkFiltersCore import vtkContourFilter
    from vtkmodules.vtkImagingCore import vtkRTAnalyticSource

    wavelet = vtkRTAnalyticSource(whole_extent=(-4, 4, -4, 4, -4, 4))
    wavelet.Update()
    image = wavelet.GetOutput()

    def call() -> None:
        contour = vtkContourFilter()
        contour.SetInputData(image)
        contour.SetValue(0, 150.0)
        contour.UpdatePiece(0, 1, 0)

    return call


def medians() -> Call:
    import itk
    import numpy as np

    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)
    image = itk.image_from_array(np.random.default_rng(7).random((24, 24), np.float32))
    kind = itk.MedianImageFilter[type(image), type(image)]

    def call() -> None:
        median = kind.New(image, Radius=1)
        median.Update()

    return call


LOOPS = {
    "vtkPolyData.DeepCopy": ("vtk", copies),
    "vtkContourFilter.UpdatePiece": ("vtk", contours),
    "itk.MedianImageFilter.Update": ("itk", medians),
}


def measure(*, quick: bool) -> rows.Section:
    found = []
    for name in LOOPS:
        runs: dict[str, list[dict[str, float]]] = {"plain": [], "active": []}
        for _ in range(2 if quick else 7):
            for how, answers in runs.items():
                answers.append(rows.child("short.py", name, how))
        plain, active = ({part: statistics.median(run[part] for run in answers) for part in answers[0]} for answers in runs.values())
        found += [
            rows.at_most(f"a loop of `{name}`, activated against plain", active["seconds"] / plain["seconds"], 1.2, "{:.2f} times"),
            rows.shown("  one call", f"{1e3 * plain['seconds']:.3f} ms plain, {1e3 * active['seconds']:.3f} ms activated"),
            rows.at_most("  longest wait of the other thread", 1e3 * active["other"], 10.0, "{:.1f} ms"),
            rows.shown("  the same in the plain wheel", f"{1e3 * plain['other']:.1f} ms"),
            rows.at_most("  longest call", 1e3 * active["own"], 10.0, "{:.1f} ms"),
            rows.shown("  the same in the plain wheel", f"{1e3 * plain['own']:.1f} ms"),
        ]
    return rows.Section(
        "Short calls beside a thread that never rests",
        tuple(found),
        ("A loop of 2,000 calls, after 200 that are not counted, beside a thread that runs Python; medians over alternating processes.",),
    )


def _measure(name: str, *, active: bool) -> dict[str, Any]:
    """In the child: seconds of a call, and the longest that each thread waited."""
    toolkit, prepare = LOOPS[name]
    if active:
        gilgen.activate(toolkit)
    call = prepare()
    over, counting, longest = False, False, 0.0

    def never_rest() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not over:
            now = time.perf_counter()
            if counting and now - last > longest:
                longest = now - last
            last = now

    thread = threading.Thread(target=never_rest)
    thread.start()
    for _ in range(200):
        call()
    counting = True
    durations, last = [], time.perf_counter()
    for _ in range(2000):
        call()
        now = time.perf_counter()
        durations.append(now - last)
        last = now
    counting = False
    over = True
    thread.join()
    return {"seconds": statistics.fmean(durations), "own": max(durations), "other": longest}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], active=sys.argv[2] == "active")), flush=True)
