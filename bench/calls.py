"""What a shim costs: on functions that do next to nothing, from C++ and from Python.

`measure` compiles a toolkit in miniature, has gilgen generate and build shims for it as for any other,
and compares the same loops with the shims in place and taken out. Run as a script, this is the process
in which they are.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rows

import gilgen

SOURCES = Path(__file__).parent / "native"
PACKAGE = "measured"

NONE = "none"

DRIVER: dict[str, tuple[str, tuple[int, ...]]] = {
    "GIL held, guard none": ("call_unguarded", ()),
    "nested in a released call, guard none": ("nested_unguarded", ()),
    "from a C++ thread while a call is released": ("foreign_released", ()),
    "from a C++ thread while Python holds the GIL": ("foreign_held", ()),
}
"""What is measured: its name, the driver's function and arguments."""


def measure(*, quick: bool, pythons: tuple[str, ...]) -> rows.Section:
    """The costs on this Python, and on others for which `pythons` names the interpreters."""
    found: list[rows.Row] = []
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as scratch:
        site = _build(Path(scratch))
        for python in (sys.executable, *pythons):
            answer = rows.child(
                "calls.py", "quick" if quick else "full", python=python, path=(site, rows.CHECKOUT)
            )
            version = answer.pop("python")
            found.append(
                rows.shown(
                    f"giving the GIL up and taking it back, without any shim (Python {version})",
                    f"{answer.pop('bare'):.1f} ns",
                )
            )
            for name, (plain, active) in answer.items():
                limit = 50.0 if name.startswith("GIL held") else 3.0
                row = rows.at_most(f"{name} (Python {version})", active - plain, limit, "{:.1f} ns")
                found.append(
                    rows.Row(row.name, row.target, f"{row.measured} ({plain:.1f} -> {active:.1f})", row.met)
                )
    found += _against_vtk(quick=quick)
    return rows.Section(
        "Cost of a shim",
        tuple(found),
        (
            (
                "A miniature C++ library, shims made by gilgen's own generate and build; virtual calls in C++ loops, "
                "another Python thread alive. The same loop with and without the shims, interleaved; the difference of the "
                "medians of the thread's processor time per call."
            ),
            (
                "VTK: calls from Python on an up-to-date source with nothing to do, per call, medians of interleaved loops. "
                "`vtkSphereSource.Update` carries upstream's hint, so VTK's wrapper releases the GIL by itself; "
                "`vtkExecutive.Update` does the same work a layer below and carries none, so gilgen's shim releases it."
            ),
        ),
    )


# ------------------------------------------------------------------------------ the miniature toolkit


def _build(scratch: Path) -> Path:
    """Compile the miniature and its shims: the folder that goes on the path."""
    from gilgen import build, generate  # noqa: PLC0415 - other Pythons run this file without the toolchain

    package = scratch / "site" / PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    common = ["g++", "-std=c++17", "-O2", "-fPIC", "-shared", "-fno-devirtualize", "-Wl,-rpath,$ORIGIN"]
    subprocess.run([*common, SOURCES / "measured.cpp", "-o", package / "libmeasured.so"], check=True)
    subprocess.run(
        [
            *common,
            "-pthread",
            SOURCES / "driver.cpp",
            f"-L{package}",
            "-lmeasured",
            "-o",
            package / "libdriver.so",
        ],
        check=True,
    )
    generate.generate(_plan(scratch / "site"), scratch / "sources", platform.machine())
    wheel = build.build(scratch / "sources", scratch / "wheels", build.find_compiler())
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "site")
    return scratch / "site"


def _plan(root: Path) -> Any:
    """A plan that releases every function of the miniature, which passes for a VTK."""
    import cxxfilt  # noqa: PLC0415

    from gilgen.audit import elf  # noqa: PLC0415
    from gilgen.manifest import Coverage, Definition, Library  # noqa: PLC0415
    from gilgen.model import Decision, Headers, Plan  # noqa: PLC0415

    with elf.Library(root / PACKAGE / "libmeasured.so") as measured:
        defined = measured.defined(lambda name: name.startswith(b"_ZN"))

    def decision(symbol: str, guard: Any, *carriers: str) -> Decision:
        return Decision(
            python=symbol, declaration=cxxfilt.demangle(symbol), symbol=symbol, action="release", reason="rule:bench", why="To be measured.",
            guard=guard, carriers=carriers, library=f"{PACKAGE}/libmeasured.so", copies=1,
            definitions=(Definition(f"{PACKAGE}/libmeasured.so", *defined[symbol]),),
        )  # fmt: skip

    libraries = []
    for name in ("libdriver.so", "libmeasured.so"):
        with elf.Library(root / PACKAGE / name) as library:
            size = (root / PACKAGE / name).stat().st_size
            libraries.append(
                Library(f"{PACKAGE}/{name}", size, library.build_id, defines=name == "libmeasured.so")
            )
    return Plan(
        toolkit="vtk",
        version="1",
        package=PACKAGE,
        distribution_key="",
        headers=Headers("vtk", "1", "1", "", (), ""),
        libraries=tuple(libraries),
        decisions=(
            decision("_ZN8Measured9unguardedEi", NONE, "int", "int"),
            decision("_ZN8Measured7guardedEi", NONE, "int", "int"),
            decision("_ZN8Measured7throughEPFxPS_xEx", NONE, "long long", "void*", "long long"),
        ),
        coverage=Coverage(0, 0, 0, 0),
    )


def _loops(*, quick: bool) -> dict[str, Any]:
    """In the child: nanoseconds a call, plain and active, by name."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("Run: python bench/run.py --only calls")
    driver = ctypes.PyDLL(str(Path(spec.submodule_search_locations[0]) / "libdriver.so"))
    calls = 100_000 if quick else 1_000_000
    taken: dict[tuple[str, bool], list[float]] = defaultdict(list)
    bare: list[float] = []
    driver.bare.restype = ctypes.c_longlong
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    for _ in range(5 if quick else 11):
        bare.append(
            driver.bare(
                ctypes.c_longlong(calls),
                ctypes.pythonapi.PyEval_SaveThread,
                ctypes.pythonapi.PyEval_RestoreThread,
            )
            / calls
        )
        for active in (False, True):
            if active:
                gilgen.activate("vtk")
            for name, (function, arguments) in DRIVER.items():
                call = getattr(driver, function)
                call.restype = ctypes.c_longlong
                call(ctypes.c_longlong(calls // 10), *arguments)
                taken[name, active].append(call(ctypes.c_longlong(calls), *arguments) / calls)
        counts = {method.python: method for method in gilgen.status()["vtk"].methods}
        gilgen.deactivate("vtk")
    stop.set()
    other.join()
    if len(counts) != 4 or not all(method.released for method in counts.values()):
        raise SystemExit(f"The shims did not release: {counts}")
    medians = {name: [statistics.median(taken[name, active]) for active in (False, True)] for name in DRIVER}
    return {"python": platform.python_version(), "bare": statistics.median(bare), **medians}


# ---------------------------------------------------------------------------------------------- VTK


def _against_vtk(*, quick: bool) -> list[rows.Row]:
    answer = rows.child("calls.py", "vtk-quick" if quick else "vtk")
    hinted, active = answer["hinted"]
    held, released = answer["unhinted"]
    return [
        rows.at_most(
            "shim of `vtkExecutive.Update` against VTK's hinted wrapper of `Update`",
            released / hinted,
            1.2,
            "{:.2f} times",
        ),
        rows.shown(
            "  nanoseconds a call",
            f"hinted {hinted:.0f}; unhinted {held:.0f} plain, {released:.0f} with its shim",
        ),
        rows.at_most(
            "hinted `Update`, with the guard on top against plain", active / hinted, 1.2, "{:.2f} times"
        ),
        rows.shown("  nanoseconds a call", f"{hinted:.0f} plain, {active:.0f} with its shim"),
        rows.at_most("the gate, nobody else in a released call: a getter, active less plain", answer["getter"][1] - answer["getter"][0], 5.0, "{:.1f} ns"),
        rows.shown("  nanoseconds a call", f"{answer['getter'][0]:.0f} plain, {answer['getter'][1]:.0f} active, {answer['busy'][0]:.0f} while another call runs without the GIL"),
        rows.shown(
            "claiming a mesh with twenty arrays, and releasing: its cached range, active less plain", f"{answer['range'][1] - answer['range'][0]:.0f} ns"
        ),
    ]


def _vtk(*, quick: bool) -> dict[str, list[float]]:
    from vtkmodules.vtkFiltersSources import vtkSphereSource  # noqa: PLC0415

    source = vtkSphereSource()
    source.Update()
    works: dict[str, Callable[[], object]] = {
        "hinted": source.Update,
        "unhinted": source.GetExecutive().Update,
        "getter": source.GetRadius,
        "range": _mesh().GetScalarRange,
    }
    taken: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for _ in range(7 if quick else 31):
        for active in (False, True):
            if active:
                gilgen.activate("vtk")
            for name, call in works.items():
                taken[name, active].append(_per_call(call, 20_000))
        gilgen.deactivate("vtk")
    medians = {name: [statistics.median(taken[name, active]) for active in (False, True)] for name in works}
    return medians | {"busy": [_busy(source.GetRadius, repetitions=3 if quick else 9)]}


def _mesh() -> Any:
    """A mesh with twenty arrays, whose range has been asked for."""
    from vtkmodules.vtkCommonCore import vtkFloatArray  # noqa: PLC0415
    from vtkmodules.vtkFiltersSources import vtkSphereSource  # noqa: PLC0415

    source = vtkSphereSource()
    source.Update()
    mesh = source.GetOutput()
    for number in range(20):
        array = vtkFloatArray(name=f"array {number}")
        array.SetNumberOfTuples(mesh.GetNumberOfPoints())
        array.Fill(number)
        mesh.GetPointData().AddArray(array)
    mesh.GetPointData().SetActiveScalars("array 1")
    mesh.GetScalarRange()
    return mesh


def _busy(call: Callable[[], object], *, repetitions: int) -> float:
    """Nanoseconds of a call through the gate while another thread is inside a released call on other objects."""
    from vtkmodules.vtkImagingCore import vtkRTAnalyticSource  # noqa: PLC0415
    from vtkmodules.vtkImagingGeneral import vtkImageMedian3D  # noqa: PLC0415

    gilgen.activate("vtk")
    inside = []
    for _ in range(repetitions):
        source, median = vtkRTAnalyticSource(whole_extent=(0, 90, 0, 90, 0, 90)), vtkImageMedian3D(kernel_size=(5, 5, 5))
        median.SetNumberOfThreads(1)
        median.SetInputConnection(source.GetOutputPort())
        thread = threading.Thread(target=median.Update)
        thread.start()
        while not gilgen.status("vtk")["vtk"].inside:
            pass
        inside.append(_per_call(call, 2_000))
        thread.join()
    gilgen.deactivate("vtk")
    return statistics.median(inside)


def _per_call(call: Callable[[], object], calls: int) -> float:
    numbers = range(calls)
    start = time.thread_time_ns()
    for _ in numbers:
        call()
    return (time.thread_time_ns() - start) / calls


if __name__ == "__main__":
    what = sys.argv[1]
    print(
        json.dumps(
            _vtk(quick=what == "vtk-quick") if what.startswith("vtk") else _loops(quick=what == "quick")
        )
    )
