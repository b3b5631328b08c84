"""What `gilgen profile` costs a program: the same work plain and profiled, in turn, each in a process of its own.

The programs time their own work, so that the start of Python and of the toolkits is not counted.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rows

LIMIT = 1.10
"""Ten per cent, for calls over a millisecond."""

SECONDS = 3.0
"""Of each piece of work, plain."""

PROFILE = "import sys; from gilgen.commands import main; sys.exit(main())"


def measure(*, quick: bool) -> rows.Section:
    pairs = 3 if quick else 9
    ratios = {name: _ratio(name, pairs, quick=quick) for name in WORKS}
    found = [
        rows.at_most(f"{WORKS[name][0]}, profiled against plain", ratio["time"], LIMIT, "{:.3f} times")
        for name, ratio in ratios.items()
        if WORKS[name][1]
    ]
    found += [
        rows.shown(f"  {WORKS[name][0]}", f"{ratio['time']:.2f} times")
        for name, ratio in ratios.items()
        if not WORKS[name][1]
    ]
    worst = max((name for name in WORKS if WORKS[name][1]), key=lambda name: ratios[name]["time"])
    found.append(
        rows.shown(
            "  processor time of the program's process, of the same",
            f"{ratios[worst]['processor']:.3f} times, for {WORKS[worst][0]}",
        )
    )
    return rows.Section(
        "The profile's overhead",
        tuple(found),
        (
            (
                f"Plain and profiled alternate, {pairs} pairs of processes; the median of the pairs' ratios of wall time. A call of "
                "1 to 5 ms is the worst case of what is promised: longer ones cost the same, and take longer."
            ),
            (
                "Bytecode pays for every call that it makes, because each is told to the profile (`sys.monitoring`; before CPython "
                "3.12 `sys.setprofile`, which costs more). A program that spends its time there is slower under the profile."
            ),
        ),
    )


def _ratio(name: str, pairs: int, *, quick: bool) -> dict[str, float]:
    """Medians of profiled / plain."""
    seconds = SECONDS / 3 if quick else SECONDS
    found: dict[str, list[float]] = {"time": [], "processor": []}
    for index in range(pairs):
        order = (False, True) if index % 2 else (True, False)
        answers = {profiled: _run(name, seconds, profiled=profiled) for profiled in order}
        for kind, values in found.items():
            values.append(answers[True][kind] / answers[False][kind])
    return {kind: statistics.median(values) for kind, values in found.items()}


def _run(name: str, seconds: float, *, profiled: bool) -> dict[str, float]:
    """One process; its own word on its work."""
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as scratch:
        answer = Path(scratch) / "answer.json"
        program = [__file__, name, str(seconds), str(answer)]
        command = [sys.executable, "-c", PROFILE, "profile", *program] if profiled else [sys.executable, *program]
        environment = os.environ | {"GILGEN_CACHE_DIR": scratch}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        said: dict[str, float] = json.loads(answer.read_text())
        return said


# ------------------------------------------------------------------------------------------- in the program


def _vtk() -> Callable[[], object]:
    """A search tree over some thousand points: holds."""
    import vtkmodules.all as vtk  # noqa: PLC0415

    source = vtk.vtkPointSource()
    source.SetNumberOfPoints(25_000)
    source.Update()
    points = source.GetOutput().GetPoints()
    tree = vtk.vtkKdTree()
    return lambda: tree.BuildLocatorFromPoints(points)


def _vtk_pipeline() -> Callable[[], object]:
    """A contour that is computed anew: releases, since VTK 9.4."""
    import vtkmodules.all as vtk  # noqa: PLC0415

    source = vtk.vtkSphereSource()
    source.SetThetaResolution(60)
    source.SetPhiResolution(60)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(source.GetOutputPort())

    def update() -> None:
        normals.Modified()
        normals.Update()

    return update


def _itk() -> Callable[[], object]:
    """A median filter over a small image: holds."""
    import itk  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415

    pixels = itk.image_from_array(np.random.default_rng(1).random((60, 60)).astype("float32"))
    median = itk.MedianImageFilter.New(pixels, Radius=3, NumberOfWorkUnits=1)

    def update() -> None:
        median.Modified()
        median.Update()

    return update


def _calls() -> Callable[[], object]:
    """Functions, in Python and in C, and nothing else."""

    def one(number: int) -> int:
        return len(str(number))

    return lambda: sum(one(number) for number in range(10_000))


def _loop() -> Callable[[], object]:
    """Bytecode without a call."""

    def count() -> int:
        total = 0
        for number in range(50_000):
            total += number & 3
        return total

    return count


WORKS: dict[str, tuple[str, bool, Callable[[], Callable[[], object]]]] = {
    "vtk": ("VTK, search trees of 1 to 5 ms", True, _vtk),
    "vtk-pipeline": ("VTK, filters of 1 to 5 ms", True, _vtk_pipeline),
    "itk": ("ITK, filters of 1 to 5 ms", True, _itk),
    "loop": ("bytecode without calls", False, _loop),
    "calls": ("bytecode that makes a call each 0.1 us", False, _calls),
}
"""What is measured, whether it is what the limit is for, and what makes the work."""


def _work(name: str, seconds: float) -> dict[str, Any]:
    """In the program: the same number of calls in every process, plain or profiled."""
    call = WORKS[name][2]()
    for _ in range(5):
        call()
    count = max(10, round(seconds * PER_SECOND[name]))
    start, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        call()
    return {"time": time.perf_counter() - start, "processor": time.process_time() - processor, "calls": count}


PER_SECOND = {"vtk": 400, "vtk-pipeline": 400, "itk": 400, "loop": 400, "calls": 500}
"""Calls in a second, about."""


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(_work(sys.argv[1], float(sys.argv[2]))))
