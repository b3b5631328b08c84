"""What several test files need: Python in a process of its own, and a pretend toolkit that is really compiled."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import textwrap
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cxxfilt
import pytest

from gilgen import build, generate, headers, store, toolkits
from gilgen.audit import elf
from gilgen.errors import GilgenError
from gilgen.manifest import Coverage, Definition, Library
from gilgen.model import Decision, Headers, Plan
from gilgen.toolkits.base import Installation, Toolkit

NATIVE = Path(__file__).parent / "fixtures" / "native"
PACKAGE = "pretend"
CHECKOUT = Path(__file__).parents[1]

SIGNATURES = {
    "nothing": "void int double", "odd": "bool long", "letter": "char signed_char char", "narrow": "short short unsigned_short",
    "sum": "int int int", "wrapped": "unsigned_int unsigned_int", "large": "long_long long_long bool",
    "larger": "unsigned_long_long unsigned_long_long", "pointer": "void* void* int", "fixed": "void* void*",
    "reference": "void* void* void*", "colour": "int int unsigned_char", "small": "unsigned_char unsigned_char",
    "half": "float float", "mean": "double double float", "mixed": "double int double long_long float unsigned_int double",
    "many_integers": "int" + " int" * 9, "many_reals": "double" + " double" * 9 + " float double",
    "many_of_both": "double int double long double short double bool float void* double int double long_long double unsigned_char double int double",
    "text": "Hidden Hidden int", "kept": "void*", "length": "unsigned_long void*", "weighed": "double double Hidden int Hidden double",
    "series": "Hidden double int Hidden", "fill": "void void* int", "constant": "int int", "quiet": "int int",
    "flip": "void* void*", "lesser": "void* void* void*", "wide": "unsigned_long_long unsigned_long_long", "summed": "double void* int",
    "taken": "unsigned_long void* int", "called": "int void* void*", "passed": "Hidden Hidden int", "owned": "Hidden Hidden",
    "spilled": "Hidden int Hidden int int long double int Hidden short Hidden bool float", "applied": "int Hidden int",
    "thrown": "Hidden int int int int int int double Hidden int void*",
}  # fmt: skip
"""Carriers of the result and of the parameters, for each method of `signatures.inc` that a shim can serve."""

UNFIT = ("precise", "huge", "swapped", "picked")
"""Those that none can serve: results in other registers, a small struct by value, a pointer to a member."""

UNSERVED = {f"{kind}.{name}" for kind in ("virtual", "direct") for name in UNFIT}
"""How they are called in the answers of `wrapper.cpp`."""

STATIC = {"square": "int int", "joined": "Hidden Hidden double"}

WORK = {
    "sleep": "void double", "spin": "void double", "wait": "bool double", "meet": "bool double", "fail": "int int",
    "call": "int void* void*", "call_twice": "int void* void*", "on_threads": "int int", "value": "int int", "deadlock": "void",
    "enter": "int bool double", "enter_fail": "int int", "enter_on_thread": "int double",
}  # fmt: skip

SERIAL = {"unsafe": "int double", "unsafe_fail": "int int", "unsafe_call": "int void* void*"}
"""Methods of `Work` that are not thread-safe: their shims claim the library that they stand for."""


SERVED = {
    "vtkAlgorithm::Update": ("wrapper.update",),
    "vtkExecutive::Update": ("wrapper.update_executive",),
    "Work::meet": ("wrapper.meet_released",),
    "Work::unsafe": ("wrapper.unsafe_released",),
    "Work::call": ("wrapper.call_address",),
    "Virtual::nothing": ("wrapper.virtual_signatures", "wrapper.direct_signatures"),
}
"""The wrapper's functions that end in a C++ function of another name."""


def carriers(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


def with_headers(name: str) -> tuple[Toolkit, Installation, Headers]:
    """A toolkit, as it is installed, and headers of just that version, fetched where they are not here. The test is skipped where there are none."""
    toolkit = toolkits.get(name)
    installation = toolkit.installation()
    try:
        found = headers.find(toolkit, installation, fetch=True)
    except GilgenError as error:
        pytest.skip(str(error))
    if found.notice:
        pytest.skip(found.notice)
    return toolkit, installation, found


def compiler(family: str) -> build.Compiler:
    """A C++ compiler of a family, "gcc" or "clang"; PyPI's ziglang is a clang. The test is skipped where there is none."""
    found = shutil.which({"gcc": "g++", "clang": "clang++"}[family])
    if found:
        return build.Compiler((found,), family)
    if family == "clang" and importlib.util.find_spec("ziglang"):
        return build.Compiler((sys.executable, "-m", "ziglang", "c++"), family, zig=True)
    return pytest.skip(f"there is no {family} on this machine")


# ------------------------------------------------------------------------------------ another process


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, the signal that killed it, or that it was still running at the deadline."""

    code: int
    out: str
    err: str
    timed_out: bool

    @property
    def crashed(self) -> str:
        return signal.Signals(-self.code).name if self.code < 0 and not self.timed_out else ""

    @property
    def ok(self) -> bool:
        return self.code == 0 and not self.timed_out

    @property
    def answer(self):
        """The last line of its output, as JSON; fails with all that is known where the process did not end well."""
        assert self.ok, f"{'deadline' if self.timed_out else self.crashed or self.code}\n{self.out}\n{self.err}"
        return json.loads(self.out.splitlines()[-1])


def run(command, deadline=60.0, env=None, cwd=None) -> Ended:
    """Run a command with a deadline; whatever it started ends with it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | (env or {})
    process = subprocess.Popen(
        command, env=environment, cwd=cwd, text=True, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    timed_out = False
    try:
        out, err = process.communicate(timeout=deadline)
    except subprocess.TimeoutExpired:
        timed_out = True
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    return Ended(process.returncode, out, err, timed_out)


def run_python(code, deadline=60.0, env=None, options=(), arguments=(), cwd=None) -> Ended:
    """Run Python source in a process of its own."""
    command = [sys.executable, "-X", "faulthandler", *options, "-c", textwrap.dedent(code), *arguments]
    return run(command, deadline, env, cwd)


# --------------------------------------------------------------------------------- the pretend toolkit


@dataclass(frozen=True)
class Variant:
    """One way to link the pretend toolkit."""

    link: tuple[str, ...] = ()
    strip: bool = False


VARIANTS = {
    "default": Variant(),
    "symbolic": Variant(("-Wl,-Bsymbolic",)),
    "symbolic-functions": Variant(("-Wl,-Bsymbolic-functions",)),
    "relro-now": Variant(("-Wl,-z,relro,-z,now",)),
    "no-relro": Variant(("-Wl,-z,norelro",)),
    "lazy": Variant(("-Wl,-z,lazy",)),
    "packed": Variant(("-Wl,-z,pack-relative-relocs",)),
    "packed-symbolic": Variant(("-Wl,-z,pack-relative-relocs", "-Wl,-Bsymbolic")),
    "sysv-hash": Variant(("-Wl,--hash-style=sysv",)),
    "no-build-id": Variant(("-Wl,--build-id=none",)),
    "stripped": Variant(strip=True),
}

LIBRARIES = ("pretend/libderived.so", "pretend/libfirst.so", "pretend/libpretend.so", "pretend/libsecond.so", "pretend/wrapper.so")


def compile_objects(folder: Path, compiler: Iterable[str] = ("g++", "-Werror")) -> Path:
    """Compile the fixture's sources; every variant is linked from these."""
    include = sysconfig.get_path("include")
    jobs = {"pretend": [], "derived": [], "wrapper": [f"-I{include}"], "first": ["-DIDENTITY=1"], "second": ["-DIDENTITY=2"]}
    for name, flags in jobs.items():
        source = NATIVE / f"{'copied' if name in {'first', 'second'} else name}.cpp"
        command = [*compiler, "-std=c++17", "-O1", "-fPIC", "-Wall", "-Wextra", *flags, "-c", source, "-o", folder / f"{name}.o"]
        subprocess.run(command, check=True)
    return folder


def definitions(root: Path, libraries: Iterable[str], symbol: str) -> tuple[Definition, ...]:
    """Where libraries below `root` define a function."""
    found = []
    for path in libraries:
        with elf.Library(root / path) as library:
            found += [Definition(path, *place) for place in library.defined(symbol.encode().__eq__).values()]
    return tuple(found)


@dataclass(frozen=True)
class PretendToolkit:
    """A compiled pretend toolkit: `root` goes on PYTHONPATH."""

    root: Path
    symbols: dict[str, str] = field(default_factory=dict)

    @classmethod
    def link(cls, objects: Path, root: Path, variant: Variant, compiler: str = "g++") -> PretendToolkit:
        package = root / PACKAGE
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        common = [*variant.link, "-Wl,-rpath,$ORIGIN", f"-L{package}", *(["-s"] if variant.strip else [])]
        for name, needs in {"libpretend": [], "libderived": ["-lpretend"], "wrapper": ["-lderived", "-lpretend"], "libfirst": [], "libsecond": []}.items():
            source = objects / f"{name.removeprefix('lib')}.o"
            command = [compiler, "-shared", source, *needs, *common, "-pthread", "-o", package / f"{name}.so"]
            subprocess.run(command, check=True, capture_output=True)
        return cls(root, cls._symbols(package))

    @staticmethod
    def _symbols(package: Path) -> dict[str, str]:
        symbols = {}
        for name in ("libpretend.so", "libderived.so", "libfirst.so"):
            with elf.Library(package / name) as library:
                for symbol in library.defined(lambda text: text.startswith(b"_ZN")):
                    symbols.setdefault(cxxfilt.demangle(symbol).partition("(")[0].partition("[abi")[0], symbol)
        return symbols

    def copy_to(self, root: Path) -> PretendToolkit:
        shutil.copytree(self.root / PACKAGE, root / PACKAGE)
        return replace(self, root=root)

    def libraries(self) -> tuple[Library, ...]:
        records = []
        for path in LIBRARIES:
            with elf.Library(self.root / path) as library:
                found = library.defined(lambda text: text.startswith(b"_ZN"))
                records.append(
                    Library(
                        path, (self.root / path).stat().st_size, library.build_id,
                        symbolic=library.carries_addresses(found), uses_cpython=library.imports((b"Py", b"_Py")),
                        defines=Path(path).name.startswith("lib"),
                    )
                )  # fmt: skip
        return tuple(records)

    def decision(self, name: str, text: str, **changes) -> Decision:
        """Release a function, "pretend::Work::sleep", whose carriers are `text`."""
        short = name.removeprefix("pretend::")
        static = "static " * changes.get("static", False)
        draft = Decision(
            python=short.replace("::", "."),
            declaration=f"{static}{name}(...)",
            symbol=self.symbols[name],
            action="release",
            reason="rule:pretend",
            why="It blocks, and it blocks on purpose.",
            guard="closure",
            carriers=carriers(text),
            library="pretend/libpretend.so",
            copies=1,
        )
        decision = replace(draft, **{"followed": short.startswith(("Work", "Derived", "vtk")), "served": SERVED.get(short, ())} | changes)
        return replace(decision, definitions=self.definitions(decision.symbol))

    def definitions(self, symbol: str) -> tuple[Definition, ...]:
        """Where the toolkit's libraries define a function, as the planner would find it."""
        return definitions(self.root, [path for path in LIBRARIES if Path(path).name.startswith("lib")], symbol)

    def decisions(self) -> tuple[Decision, ...]:
        """Everything that a shim can serve, but for `Work::keep` and the fixed controls."""
        decisions = [self.decision(f"pretend::{owner}::{name}", text) for owner in ("Virtual", "Direct") for name, text in SIGNATURES.items()]
        decisions += [self.decision(f"pretend::Direct::{name}", text, static=True) for name, text in STATIC.items()]
        decisions += [self.decision(f"pretend::Work::{name}", text) for name, text in WORK.items()]
        decisions += [self.decision(f"pretend::Work::{name}", text, action="serialize") for name, text in SERIAL.items()]
        decisions += [self.decision(f"pretend::Derived::{name}", text, library="pretend/libderived.so") for name, text in (("value", "int int"), ("fail", "int int"))]
        decisions += [self.decision(f"Copied::{name}", "int", library="pretend/libfirst.so", copies=2) for name in ("by_table", "by_call")]
        decisions += [
            self.decision("vtkAlgorithm::Update", "bool double"),
            self.decision("vtkExecutive::Update", "bool double"),
            self.decision("vtkThing::hold", "bool double"),
        ]
        return tuple(decisions)

    def plan(self, decisions: tuple[Decision, ...] | None = None) -> Plan:
        return Plan(
            toolkit="vtk",
            version="1.2.3",
            package=PACKAGE,
            distribution_key="0123456789abcdef",
            headers=Headers("vtk", "1.2.3", "1.2.3", "/include", (), "a test"),
            libraries=self.libraries(),
            decisions=self.decisions() if decisions is None else decisions,
            coverage=Coverage(0, 0, 0, 0),
        )


def unzipped(wheel: Path, folder: Path) -> Path:
    """A wheel's contents in a folder, as an installer would leave them."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def shims_for(plan: Plan, folder: Path, compiler: build.Compiler | None = None) -> Path:
    """Generate, compile and unpack the shim wheel for `plan`: the folder that goes on PYTHONPATH."""
    generate.generate(plan, folder / "sources", platform.machine())
    wheel = build.build(folder / "sources", folder / "wheels", compiler or build.find_compiler())
    return unzipped(wheel, folder / "site")


@dataclass(frozen=True)
class Site:
    """A toolkit and its shims together, as one environment."""

    toolkit: PretendToolkit
    shims: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment variables of a process in which both can be imported."""
        return {"PYTHONPATH": os.pathsep.join(map(str, (self.toolkit.root, self.shims, CHECKOUT)))}

    @property
    def package(self) -> Path:
        return self.shims / "gilgen_shims_vtk"

    def run(self, code: str, deadline: float = 60.0, **options) -> Ended:
        return run_python(PRELUDE + textwrap.dedent(code), deadline, self.env, **options)

    def copy_to(self, root: Path) -> Site:
        """The same, to be changed by a test."""
        shutil.copytree(self.shims, root / "shims")
        return Site(self.toolkit.copy_to(root / "toolkit"), root / "shims")

    def rewrite_manifest(self, toolkit: PretendToolkit, distributions: tuple[str, ...] = ()) -> None:
        """Make the shims fit another linking of the toolkit: the same functions, other files."""
        manifest = generate.manifest_of(replace(toolkit.plan(), distributions=distributions), platform.machine())
        (self.package / generate.MANIFEST).write_bytes(store.encode(manifest))


PRELUDE = """\
import json, os, sys, threading, time
import gilgen
def say(answer):
    print(json.dumps(answer), flush=True)
def at_once(*calls):
    # What each call returns or raises, each made in a thread of its own.
    results = [None] * len(calls)
    def run(index, call):
        try:
            results[index] = call()
        except BaseException as error:
            results[index] = repr(error)
    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return results
def counts():
    return {method.python: method for method in gilgen.status()["vtk"].methods}
def waited():
    # How many calls have waited for others on the same objects.
    return gilgen.status()["vtk"].waited
"""

MEMORY = """
def memory(root):
    # What the libraries below `root` have in memory, and how it is protected.
    found = {}
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as memory:
        for line in maps:
            addresses, protection, offset, _, _, *path = line.split()
            if path and path[0].startswith(root) and ".so" in path[0]:
                begin, end = (int(address, 16) for address in addresses.split("-"))
                memory.seek(begin)
                try:
                    content = memory.read(end - begin)
                except OSError:  # the mapping runs past the end of its file
                    content = b""
                found[path[0].removeprefix(root), begin] = protection, content
    return found
def differing(one, other):
    return sorted({name for name, begin in one.keys() | other.keys() if one.get((name, begin)) != other.get((name, begin))})
"""
