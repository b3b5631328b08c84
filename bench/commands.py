"""How long gilgen's own commands take, cold and warm, and activation with everything imported.

The commands run as a user runs them, each in a process of its own, on a cache folder of their own that
holds the headers and nothing else. Run as a script, this is a process that imports and activates.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import rows

TOOLKITS = ("vtk", "itk")
MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """One command: wall and processor time in seconds, and the peak memory in MB of the largest of its processes."""

    seconds: float
    processor: float
    memory: float


def measure(*, quick: bool) -> rows.Section:
    """Every command on a cache of its own. `quick` leaves out what takes longest."""
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as name:
        scratch = Path(name)
        found = [*_stages(scratch / "stages"), *([] if quick else [_fix(scratch)])]
    found += _audits()
    found.append(_activation(repetitions=2 if quick else 5))
    return rows.Section(
        "Commands",
        tuple(found),
        (
            (
                "Wall time of the whole process, start of Python included, for VTK and ITK together. Processor time, over all "
                "processes, tells how much of the wall time was waiting for a busy machine. Peak memory is that of the "
                "largest process, workers included."
            ),
            (
                "Cold scan: headers at hand (fetched before), nothing else in gilgen's cache. Cold generate and build: headers and "
                "scan at hand; no plan, no list of what the wheels expose, no sources, no objects, no wheel; `generate` makes the plan. "
                "Fix: headers at hand, nothing else; installed into an empty folder. Files that the operating system has cached stay so."
            ),
            "Warm: the same command again; median of three. Audits are never cached; median of three.",
            "Activation: every extension module of both toolkits imported, then the one call; median over fresh processes.",
        ),
    )


def _stages(cache: Path) -> list[rows.Row]:
    """Scan, generate, build: cold in that order, then warm."""
    _only_headers(cache)
    scan = gilgen(cache, "scan", *TOOLKITS)
    generate = gilgen(cache, "generate", *TOOLKITS)
    build = gilgen(cache, "build", *TOOLKITS)
    cold = generate.seconds + build.seconds
    return [
        rows.at_most("`gilgen scan vtk itk`, cold", scan.seconds, 20.0, "{:.1f} s"),
        rows.at_most("the same, peak of a process", scan.memory, 1024.0, "{:.0f} MB"),
        rows.shown("  of which", _times(scan)),
        rows.at_most("`gilgen scan vtk itk`, warm", _warm(cache, "scan"), 0.5, "{:.2f} s"),
        rows.at_most("`gilgen generate` and `gilgen build` of both, cold", cold, 30.0, "{:.1f} s"),
        rows.shown("  of which", f"plan and generate {_times(generate)}, build {_times(build)}"),
        rows.at_most("`gilgen generate vtk itk`, warm", _warm(cache, "generate"), 1.0, "{:.2f} s"),
        rows.at_most("`gilgen build vtk itk`, warm", _warm(cache, "build"), 1.0, "{:.2f} s"),
    ]


def _audits() -> list[rows.Row]:
    found = []
    for toolkit, limit in (("vtk", 3.0), ("itk", 6.0)):
        runs = [gilgen(Path(tempfile.gettempdir()), "audit", toolkit) for _ in range(3)]
        middle = statistics.median(run.seconds for run in runs)
        found.append(rows.at_most(f"`gilgen audit {toolkit}`", middle, limit, "{:.1f} s"))
        found.append(rows.at_most("the same, peak of a process", max(run.memory for run in runs), 1024.0, "{:.0f} MB"))
        found.append(rows.shown("  of which", _times(sorted(runs, key=lambda run: run.seconds)[1])))
    return found


def _fix(scratch: Path) -> rows.Row:
    """Everything but fetching the headers, the wheels' installation included."""
    cache, wheels = scratch / "fix", scratch / "wheels"
    _only_headers(cache)
    fix = gilgen(cache, "fix", *TOOLKITS, "--no-install", "-o", str(wheels))
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(scratch / "site"),
    ]
    start = time.monotonic()
    subprocess.run([*command, *map(str, wheels.glob("*.whl"))], check=True)
    return rows.at_most(
        "`gilgen fix vtk itk`, headers at hand", fix.seconds + time.monotonic() - start, 60.0, "{:.1f} s"
    )


def _times(run: Run) -> str:
    return f"{run.seconds:.1f} s, with {run.processor:.1f} s of processor time"


def _warm(cache: Path, verb: str) -> float:
    return statistics.median(gilgen(cache, verb, *TOOLKITS).seconds for _ in range(3))


def _only_headers(cache: Path) -> None:
    """A new cache folder with the headers that this environment's own has, fetched now if it has none."""
    from gilgen import store  # noqa: PLC0415 - only the parent needs it

    own = store.cache_dir()
    gilgen(own, "headers", *TOOLKITS)
    cache.mkdir(parents=True)
    if (own / "headers").is_dir():
        shutil.copytree(own / "headers", cache / "headers", symlinks=True, copy_function=_link)


def _link(source: str, target: str) -> None:
    """A second name for a file, or a copy where the two lie on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def gilgen(cache: Path, *arguments: str) -> Run:
    """Run one gilgen command to its end."""
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", "from gilgen.commands import main; main()", *arguments],
        env=os.environ | {"GILGEN_CACHE_DIR": str(cache)},
        stdout=subprocess.DEVNULL,
    )
    # Unlike `Popen.wait`, this tells what this one process and the workers that it waited for used.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"gilgen {' '.join(arguments)} ended with {process.returncode}")
    return Run(time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / MEGABYTE)


# ------------------------------------------------------------------------------------------ activation


def _activation(repetitions: int) -> rows.Row:
    answers = [rows.child("commands.py") for _ in range(repetitions)]
    seconds = statistics.median(answer["seconds"] for answer in answers)
    row = rows.at_most("`gilgen.activate()`, all of VTK and ITK imported", seconds * 1000, 300.0, "{:.0f} ms")
    processor = statistics.median(answer["processor"] for answer in answers)
    slots = f"{processor * 1000:.0f} ms of processor time, {answers[0]['libraries']} libraries, {answers[0]['slots']} slots"
    return rows.Row(row.name, row.target, f"{row.measured} ({slots})", row.met)


def _activate() -> dict[str, float]:
    import importlib  # noqa: PLC0415 - these are measured where they are used
    import pkgutil  # noqa: PLC0415

    import itkConfig  # noqa: PLC0415

    itkConfig.LazyLoading = False
    import itk  # noqa: F401, PLC0415
    import vtkmodules  # noqa: PLC0415

    for module in pkgutil.iter_modules(vtkmodules.__path__):
        if module.name.startswith("vtk"):
            try:
                importlib.import_module(f"vtkmodules.{module.name}")
            except ImportError:
                continue  # needs a system library that is not here
    import gilgen as package  # noqa: PLC0415

    start, processor = time.monotonic(), time.process_time()
    package.activate()
    seconds, processor = time.monotonic() - start, time.process_time() - processor
    found = package.status().values()
    return {
        "seconds": seconds,
        "processor": processor,
        "libraries": sum(one.libraries for one in found),
        "slots": sum(one.vtable_slots + one.got_slots for one in found),
    }


if __name__ == "__main__":
    print(json.dumps(_activate()), flush=True)
