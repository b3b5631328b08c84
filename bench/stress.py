"""Eight threads on random pipelines of both toolkits, every result compared with the serial one.

    python bench/stress.py --seconds 20 --guard closure

Each thread has filters of its own behind sources and filters that all threads share, so that what runs at once
overlaps wherever it may and queues wherever it must. Among the calls: shared filters made out of date, pipelines
rewired, observers, copies, errors. `measure` runs this in processes of their own: plain, active at each level, and with
the guard off, which must fail: a stress that nothing can fail proves nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import rows

THREADS = 8
LEVELS = ("closure",)


def measure(*, quick: bool) -> rows.Section:
    """The stress at every level, and its controls."""
    seconds = 8.0 if quick else 45.0
    found = [
        _row("plain", _run("off", seconds / 3)),
        *(_row(f"active, guard {level}", _run(level, seconds), target=True) for level in LEVELS),
        _control(_run("none", seconds)),
    ]
    return rows.Section(
        f"Stress: {THREADS} threads on random pipelines that share filters",
        tuple(found),
        (
            (
                "VTK and ITK filters, shared sources and filters made out of date at random, pipelines rewired, observers, copies "
                "and errors; every result is compared, bit for bit, with the one that the same pipeline gives alone. "
                "Memory is the process's own, after a tenth of the run and at its end."
            ),
        ),
    )


def _run(guard: str, seconds: float) -> dict[str, Any]:
    """The answer of the stress in a process of its own, or how that process ended."""
    command = [sys.executable, "-X", "faulthandler", __file__, "--guard", guard, "--seconds", str(seconds), "--json"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20 * seconds + 120)
    except subprocess.TimeoutExpired:
        return {"ended": "it hung"}
    if ended.returncode:
        return {"ended": f"it ended with {ended.returncode}", "words": ended.stderr[-2000:]}
    answer: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answer


def _row(name: str, answer: dict[str, Any], *, target: bool = False) -> rows.Row:
    if "ended" in answer:
        return rows.Row(name, "0 crashes" if target else "", answer["ended"], met=False if target else None)
    text = (
        f"{answer['calls']:,} calls, {answer['wrong']} wrong results, {answer['unexpected']} unexpected errors, 0 crashes; "
        f"{answer['waited']:,} calls waited; {answer['megabytes'][0]:.0f} MB -> {answer['megabytes'][1]:.0f} MB"
    )
    return rows.Row(name, "0 wrong, 0 crashes" if target else "", text, met=answer["wrong"] == answer["unexpected"] == 0 if target else None)


def _control(answer: dict[str, Any]) -> rows.Row:
    """Without the guard the same calls must go wrong, or this stress would see nothing."""
    seen = "ended" in answer or answer["wrong"] > 0 or answer["unexpected"] > 0
    text = answer.get("ended") or f"{answer['wrong']} wrong results and {answer['unexpected']} errors in {answer['calls']:,} calls"
    return rows.Row("control: active, guard none", "must fail", text, met=seen)


# -------------------------------------------------------------------------------------- in the child


@dataclass(frozen=True)
class Pipeline:
    """One thread's own filter behind what all threads share.

    Attributes:
        name: what its result must be compared with; the same filter on another source has another name.
        run: brings it up to date and returns a digest of what it puts out.
    """

    name: str
    run: Callable[[], str]


def _digest(*arrays: Any) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(memoryview(array).cast("B") if array.flags["C_CONTIGUOUS"] else array.tobytes())
    return total.hexdigest()[:16]


class Vtk:
    """Shared image sources and filters; own contours, probes and statistics behind them."""

    def __init__(self) -> None:
        import vtkmodules.all as vtk  # noqa: PLC0415
        from vtkmodules.util.numpy_support import vtk_to_numpy  # noqa: PLC0415

        self.vtk, self.to_numpy = vtk, vtk_to_numpy
        vtk.vtkSMPTools.Initialize(1)
        self.shared = []
        for number in range(3):
            source = vtk.vtkRTAnalyticSource(whole_extent=(0, 18 + number, 0, 18, 0, 18))
            smooth = vtk.vtkImageGaussianSmooth(standard_deviations=(1.2, 1.2, 1.2))
            smooth.SetInputConnection(source.GetOutputPort())
            smooth.SetNumberOfThreads(1)
            shift = vtk.vtkImageShiftScale(scale=2.0)
            shift.SetInputConnection(smooth.GetOutputPort())
            shift.SetNumberOfThreads(1)
            self.shared.append((source, smooth, shift))

    def own(self) -> list[Callable[[random.Random], tuple[str, str]]]:
        """What one thread calls: each gives (the result's name, its digest)."""
        vtk = self.vtk
        contour = vtk.vtkFlyingEdges3D()
        contour.SetValue(0, 157.0)
        gradient = vtk.vtkImageGradient(dimensionality=3)
        gradient.SetNumberOfThreads(1)
        both = vtk.vtkImageAppendComponents()
        seen: list[str] = []
        contour.AddObserver("EndEvent", lambda _, event: seen.append(event))

        def contoured(chance: random.Random) -> tuple[str, str]:
            which, depth = chance.randrange(3), chance.randrange(3)
            contour.SetInputConnection(self.shared[which][depth].GetOutputPort())
            contour.Modified()
            contour.Update()
            output = contour.GetOutput()
            return f"contour {which} {depth}", _digest(self.to_numpy(output.GetPoints().GetData())) + str(output.GetNumberOfCells())

        def graded(chance: random.Random) -> tuple[str, str]:
            which = chance.randrange(3)
            gradient.SetInputConnection(self.shared[which][2].GetOutputPort())
            gradient.Modified()
            gradient.UpdateWholeExtent()
            return f"gradient {which}", _digest(self.to_numpy(gradient.GetOutput().GetPointData().GetScalars()))

        def appended(chance: random.Random) -> tuple[str, str]:
            """A diamond: two filters of one source, together again."""
            which = chance.randrange(3)
            both.RemoveAllInputs()
            both.AddInputConnection(self.shared[which][1].GetOutputPort())
            both.AddInputConnection(self.shared[which][2].GetOutputPort())
            both.Update()
            return f"both {which}", _digest(self.to_numpy(both.GetOutput().GetPointData().GetScalars()))

        def located(chance: random.Random) -> tuple[str, str]:
            points = chance.randrange(2)
            sphere = vtk.vtkSphereSource(theta_resolution=20 + points, phi_resolution=20)
            sphere.Update()
            tree = vtk.vtkOBBTree()
            tree.SetDataSet(sphere.GetOutput())
            tree.BuildLocator()
            copy = vtk.vtkPolyData()
            copy.DeepCopy(sphere.GetOutput())
            return f"tree {points}", _digest(self.to_numpy(copy.GetPoints().GetData())) + str(tree.GetLevel())

        def out_of_date(chance: random.Random) -> tuple[str, str]:
            self.shared[chance.randrange(3)][chance.randrange(3)].Modified()
            return "out of date", ""

        return [contoured, graded, appended, located, out_of_date]


class Itk:
    """Shared casts and smoothings; own medians and statistics behind them."""

    def __init__(self) -> None:
        import itk  # noqa: PLC0415
        import numpy as np  # noqa: PLC0415

        self.itk = itk
        self.kind = itk.Image[itk.F, 2]
        self.shared = []
        for number in range(3):
            image = itk.image_from_array(np.random.default_rng(number).integers(0, 255, (40, 50 + number)).astype("float32"))
            cast = itk.CastImageFilter[self.kind, self.kind].New(Input=image, NumberOfWorkUnits=1)
            mean = itk.MeanImageFilter[self.kind, self.kind].New(Input=cast.GetOutput(), Radius=1, NumberOfWorkUnits=1)
            self.shared.append((image, cast, mean))

    def own(self) -> list[Callable[[random.Random], tuple[str, str]]]:
        """What one thread calls: each gives (the result's name, its digest)."""
        itk = self.itk
        median = itk.MedianImageFilter[self.kind, self.kind].New(Radius=1, NumberOfWorkUnits=1)
        add = itk.AddImageFilter[self.kind, self.kind, self.kind].New(NumberOfWorkUnits=1)
        seen: list[int] = []
        median.AddObserver(itk.EndEvent(), lambda: seen.append(1))

        def smoothed(chance: random.Random) -> tuple[str, str]:
            which, depth = chance.randrange(3), chance.randrange(1, 3)
            median.SetInput(self.shared[which][depth].GetOutput())
            median.Modified()
            median.UpdateLargestPossibleRegion()
            return f"median {which} {depth}", _digest(itk.array_view_from_image(median.GetOutput()))

        def added(chance: random.Random) -> tuple[str, str]:
            """A diamond: two filters of one source, together again."""
            which = chance.randrange(3)
            add.SetInput1(self.shared[which][1].GetOutput())
            add.SetInput2(self.shared[which][2].GetOutput())
            add.UpdateLargestPossibleRegion()
            return f"sum {which}", _digest(itk.array_view_from_image(add.GetOutput()))

        def functional(chance: random.Random) -> tuple[str, str]:
            which = chance.randrange(3)
            own = itk.image_from_array(itk.array_view_from_image(self.shared[which][0]).copy())
            return f"function {which}", _digest(itk.array_view_from_image(itk.median_image_filter(own, radius=1, number_of_work_units=1)))

        def refused(_chance: random.Random) -> tuple[str, str]:
            reader = itk.ImageFileReader[self.kind].New(FileName="/nowhere/image.nrrd")
            try:
                reader.Update()
            except RuntimeError as error:
                return "refused", str("nowhere" in str(error))
            return "refused", "not"

        def out_of_date(chance: random.Random) -> tuple[str, str]:
            self.shared[chance.randrange(3)][chance.randrange(1, 3)].Modified()
            return "out of date", ""

        return [smoothed, added, functional, refused, out_of_date]


def _megabytes() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _expected(toolkits: list[Any]) -> dict[str, str]:
    """Every result there can be, from one thread, made often enough that chance leaves none out."""
    found: dict[str, str] = {}
    chance = random.Random(0)  # noqa: S311
    for toolkit in toolkits:
        for call in toolkit.own():
            for _ in range(60):
                name, digest = call(chance)
                if found.setdefault(name, digest) != digest:
                    raise SystemExit(f"{name} differs from one call to the next without any thread: nothing can be compared")
    return found


def _stress(guard: str, seconds: float, seed: int) -> dict[str, Any]:
    import gilgen  # noqa: PLC0415

    toolkits = [Vtk(), Itk()]
    expected = _expected(toolkits)
    if guard != "off":
        gilgen.activate("vtk", "itk", guard=guard)  # type: ignore[arg-type]
    end = time.monotonic() + seconds
    lock, counts, words = threading.Lock(), Counter[str](), []

    def work(number: int) -> None:
        chance = random.Random(1000 * seed + number)  # noqa: S311
        calls = [call for toolkit in toolkits for call in toolkit.own()]
        own: Counter[str] = Counter()
        while time.monotonic() < end:
            try:
                name, digest = chance.choice(calls)(chance)
                own["calls"] += 1
                if digest != expected[name]:
                    own["wrong"] += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                own["unexpected"] += 1
                words.append(repr(error)[:300])
        with lock:
            counts.update(own)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 10)
    before = _megabytes()
    for thread in threads:
        thread.join()
    status = [method for toolkit in gilgen.status().values() for method in toolkit.methods]
    return {
        **{key: counts[key] for key in ("calls", "wrong", "unexpected")},
        "released": sum(method.released + method.guarded for method in status),
        "shimmed": sum(method.calls for method in status),
        "waited": sum(found.waited for found in gilgen.status().values()),
        "kept": sum(method.kept for method in status),
        "results": len(expected),
        "megabytes": [before, _megabytes()],
        "words": words[:3],
    }


@click.command()
@click.option("--guard", type=click.Choice(["off", "none", "object", *LEVELS]), default="closure", show_default=True, help="off: without gilgen.")
@click.option("--seconds", type=float, default=20.0, show_default=True, help="How long the threads go on.")
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def main(guard: str, seconds: float, seed: int, *, as_json: bool) -> None:
    """Run the stress in this process."""
    with tempfile.TemporaryDirectory(prefix="gilgen-stress-") as folder:
        os.chdir(folder)
        answer = _stress(guard, seconds, seed)
    click.echo(json.dumps(answer) if as_json else json.dumps(answer, indent=2))
    sys.stdout.flush()
    os._exit(0)  # the verdict is given; how a process ends is tested elsewhere


if __name__ == "__main__":
    main()
