"""Compiles the driver with the native part, the generated shims of its fixture toolkit, and a sanitizer.

By hand: `python tests/sanitize/program.py closure nL` builds it, runs it, and prints what ThreadSanitizer has found; the two words
are the driver's.

Helgrind is not used: it does not understand `std::atomic`, and so sees neither the lock of the list of claims nor any counter. It
reported 190 races in a run in which ThreadSanitizer finds none; to suppress those would suppress the native part.
"""

from __future__ import annotations

import functools
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import support

from gilgen import generate
from gilgen.manifest import Coverage, Definition, Library
from gilgen.model import Decision, Headers, Plan

SOURCES = Path(__file__).parent
LIBRARIES = {"toolkit": (), "wrapper": ("-ltoolkit",), "late": ("-ltoolkit",)}
"""The fixture toolkit's libraries, in the order of their build ids, and what they need."""

BUILD_ID = "0x67696c67656e0{}"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-invalid-offsetof")

REPORTED = 66
"""ThreadSanitizer's exit code where it has reported anything."""

THREAD = ("-O1", "-g", "-fsanitize=thread")

SHIMS = {
    "_ZN12vtkAlgorithm6UpdateEi": "vtkAlgorithm.Update",
    "_ZN18vtkTrivialProducer6UpdateEi": "vtkTrivialProducer.Update",
    "_ZN13vtkLookFilter6UpdateEi": "vtkLookFilter.Update",
    "_ZN15vtkChangeFilter6UpdateEi": "vtkChangeFilter.Update",
    "_ZN12vtkExecutive6UpdateEi": "vtkExecutive.Update",
    "_ZN12vtkAlgorithm7ComputeEi": "vtkAlgorithm.Compute",
    "_ZN10vtkDataSet7examineEPS_i": "vtkDataSet.Examine",
    "_ZN12vtkHDFReader6UpdateEi": "vtkHDFReader.Update",
}
"""The fixture's functions that get a shim: by symbol, the Python name."""


def plan() -> Plan:
    """What the planner would decide for the fixture toolkit; the driver finds out by itself where its functions lie."""
    path = "fixture/libtoolkit.so"
    draft = Decision("", "", "", "release", "rule:fixture", "It takes long.", followed=True, sized=True, library=path, copies=1)
    decisions = []
    for number, (symbol, python) in enumerate(SHIMS.items()):
        of_data = python == "vtkDataSet.Examine"
        changes = {"followed": False, "static": True, "carriers": ("int", "void*", "int")} if of_data else {"carriers": ("int", "int")}
        action = "serialize" if python.startswith("vtkHDF") else "release"
        place = Definition(path, number * 16, 16, 0)
        decisions.append(replace(draft, python=python, declaration=python, symbol=symbol, action=action, definitions=(place,), **changes))
    return Plan(
        toolkit="vtk", version="0", package="fixture", distribution_key="0", headers=Headers("vtk", "0", "0", "/include", (), "a test"),
        libraries=(Library(path, 0, "", defines=True),), decisions=tuple(decisions), coverage=Coverage(0, 0, 0, 0),
    )  # fmt: skip


@dataclass(frozen=True)
class Program:
    """A compiled driver: its folder also holds the fixture's libraries and all object files."""

    folder: Path
    flags: tuple[str, ...]

    @property
    def objects(self) -> list[Path]:
        """What the driver itself is linked from."""
        return sorted(path for path in self.folder.glob("*.o") if path.stem not in LIBRARIES)

    def link(self) -> None:
        """Link the fixture's libraries and the driver."""
        common = [*self.flags, "-pthread", "-Wl,-rpath,$ORIGIN", f"-L{self.folder}"]
        for index, (name, needs) in enumerate(LIBRARIES.items()):
            target = self.folder / f"lib{name}.so"
            _run(["g++", "-shared", self.folder / f"{name}.o", *needs, *common, f"-Wl,--build-id={BUILD_ID.format(index)}", "-o", target])
        _run(["g++", *self.objects, "-rdynamic", "-Wl,--no-as-needed", "-lwrapper", "-ltoolkit", *common, "-ldl", "-o", self.folder / "driver"])

    def altered(self, folder: Path, source: str, old: str, new: str) -> Program:
        """The same with another text in one of the native part's sources, which must hold `old` once."""
        shutil.copytree(self.folder, folder)
        path = folder / "native" / source
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{source} holds {old!r} {text.count(old)} times"
        path.write_text(text.replace(old, new), encoding="utf-8")
        program = Program(folder, self.flags)
        program.compile([path])
        program.link()
        return program

    def compile(self, sources: Iterable[Path]) -> None:
        """Compile some sources, two at a time."""
        includes = [f"-I{self.folder / 'native'}", f"-I{SOURCES}"]

        def one(source: Path) -> None:
            hidden = ["-fvisibility=hidden", "-ftls-model=initial-exec"] if source.is_relative_to(self.folder) else []
            _run(["g++", "-std=c++17", "-fPIC", *WARNINGS, *self.flags, *hidden, *includes, "-c", source, "-o", self.folder / f"{source.stem}.o"])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, sources))

    def run(self, threads: int, iterations: int, guard: str = "closure", without: str = "", *, first_report_ends: bool = False, deadline: float = 120.0) -> support.Ended:
        """Run the driver, with a deadline.

        Args:
            threads: how many work; two more come and go.
            iterations: how often each chooses what to do.
            guard: "closure", or "none": nothing is claimed.
            without: letters of parts that are left out; `driver.cpp` lists them.
            first_report_ends: stop at ThreadSanitizer's first report: what follows a race may be anything.
            deadline: in seconds.
        """
        command = [self.folder / "driver", self.folder, threads, iterations, guard, without]
        environment = {"TSAN_OPTIONS": f"exitcode={REPORTED} halt_on_error={first_report_ends:d} second_deadlock_stack=1"}
        return support.run([str(word) for word in command], deadline, environment)


def build(folder: Path, flags: tuple[str, ...] = THREAD) -> Program:
    """Compile and link the driver into a new folder."""
    program = Program(folder, flags)
    for name, text in generate.sources(plan(), platform.machine()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    program.compile([*sorted(folder.rglob("*.cpp")), *sorted(SOURCES.glob("*.cpp"))])
    program.link()
    return program


@functools.cache
def missing() -> str:
    """Why ThreadSanitizer cannot be used on this machine; empty where it can."""
    if shutil.which("g++") is None:
        return "there is no g++ on this machine"
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "empty.cpp"), Path(folder, "empty")
        source.write_text("int main() { return 0; }\n", encoding="utf-8")
        linked = subprocess.run(["g++", "-fsanitize=thread", source, "-o", target], check=False, capture_output=True, text=True)
        if linked.returncode:
            return f"g++ has no ThreadSanitizer on this machine: {linked.stderr.strip()[-200:]}"
        started = subprocess.run([target], check=False, capture_output=True, text=True)
        return f"ThreadSanitizer does not start on this machine: {started.stderr.strip()[-200:]}" if started.returncode else ""


def reports(text: str) -> list[str]:
    """The reports in what ThreadSanitizer wrote."""
    return [part for part in text.split("==================\n") if part.startswith("WARNING: ThreadSanitizer")]


def _run(command: list[str | Path]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        ended = build(Path(scratch, "program")).run(6, 800, *sys.argv[1:])
        sys.stdout.write(f"{ended.err}\n{ended.out}exit code {ended.code}, {len(reports(ended.err))} reports\n")
