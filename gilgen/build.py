"""Sources -> shim wheel: compiles the generated C++ and packs it with its manifest.

The wheel holds one library that serves every CPython, so it is tagged `py3-none-<platform>`; it installs
where there is neither a compiler nor a header.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from wheel.wheelfile import WheelFile

from gilgen import store
from gilgen._version import __version__
from gilgen.errors import CompileError, InstallError, NoCompilerError
from gilgen.generate import FLAGS, MANIFEST, NATIVE
from gilgen.manifest import Manifest

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Compiler:
    """A C++ compiler: the words that start it, its version in words, and whether it is PyPI's ziglang."""

    command: tuple[str, ...]
    version: str
    zig: bool = False


RUNTIME = ("libstdc++.so.6", "libgcc_s.so.1")
"""What the toolkits' own C++ runs on: it throws with the one and unwinds with the other.

Zig would link an unwinder of its own, statically. The toolkit's exceptions and the ends of Python's threads
come through the shims, and an unwinding that one library began another must not go on with. So with zig
these two are named before its own libraries, and every symbol that they define is taken from them.
"""


def find_compiler() -> Compiler:
    """The C++ compiler to build with: `CXX`, else g++ or clang++, else PyPI's ziglang.

    Raises:
        NoCompilerError: there is none, or `CXX` names one that does not run.
    """
    chosen = os.environ.get("CXX")
    if chosen:
        compiler = _try_compiler(tuple(shlex.split(chosen)))
        if compiler is None:
            raise NoCompilerError(f"CXX is {chosen!r}, which does not run.", "Unset CXX, or name a C++ compiler that is installed.")
        return compiler
    for name in ("g++", "clang++", "c++"):
        if shutil.which(name) and (compiler := _try_compiler((name,))):
            return compiler
    if importlib.util.find_spec("ziglang") and (compiler := _try_compiler((sys.executable, "-m", "ziglang", "c++"))):
        return replace(compiler, zig=True)
    raise NoCompilerError(
        "There is no C++ compiler on this machine.",
        "Install one with `apt-get install g++`, or without root with `pip install ziglang`.",
    )


def _try_compiler(command: tuple[str, ...]) -> Compiler | None:
    try:
        answer = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Compiler(command, answer.stdout.splitlines()[0]) if answer.returncode == 0 and answer.stdout else None


def compile_library(sources: Path, library: Path, compiler: Compiler, *, defines: tuple[str, ...] = (), notify: Notify = lambda _: None) -> None:
    """Compile a folder that `generate` wrote into one shared library.

    Args:
        sources: the folder.
        library: the file to make; it appears whole or not at all.
        compiler: what to compile with.
        defines: macros, for example "GILGEN_COUNT".
        notify: called with the name of each file when it is compiled.

    Raises:
        CompileError: the compiler refused; the message holds its own words and the command.
    """
    native = sources / "native"
    options = ["-std=c++17", *FLAGS, *(f"-D{name}" for name in defines)]
    command = [*compiler.command, *options, f"-I{native}"]
    shared = [native / name for name in NATIVE]
    own = [*(sources / "shims").glob("*.cpp"), *(file for file in native.glob("*.cpp") if file not in shared)]

    def compile_shared(folder: Path) -> None:
        _compile([file for file in shared if file.suffix == ".cpp"], folder, command, notify)

    # The same for every plan and toolkit: compiled once.
    key = store.key_of(compiler.version, *compiler.command, *options, *(file.read_text(encoding="utf-8") for file in shared))
    made = store.ensure("native", "shared", __version__, key, compile_shared)
    with tempfile.TemporaryDirectory(prefix="gilgen-build-") as scratch:
        objects = sorted([*made.folder.glob("*.o"), *_compile(own, Path(scratch), command, notify)])
        linked = Path(scratch) / "linked.so"
        # Zig compiles its own C++ library when it links, for the level that is named here.
        runtime = ["-O2", "-s", *(str(_loaded(name)) for name in RUNTIME)] if compiler.zig else []
        exports = f"-Wl,--version-script={native / 'exports.txt'}"
        call([*compiler.command, "-shared", "-Wl,-z,defs", "-Wl,--as-needed", exports, *map(str, objects), *runtime, "-ldl", "-o", str(linked)])
        store.write_bytes(library, linked.read_bytes())


def _compile(files: list[Path], folder: Path, command: list[str], notify: Notify) -> list[Path]:
    """Compile each file by itself into an object in `folder`, as many at once as there are processors."""
    failed = threading.Event()

    def compile_one(source: Path) -> Path:
        target = folder / f"{source.parent.name}-{source.stem}.o"
        if failed.is_set():  # or an interrupt, which ends the compilers first, would have to wait for those that follow
            raise CompileError("Another file could not be compiled.")
        try:
            call([*command, "-c", str(source), "-o", str(target)])
        except CompileError:
            failed.set()
            raise
        notify(source.name)
        return target

    longest_first = sorted(files, key=lambda file: -file.stat().st_size)  # so that none is left alone at the end
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(compile_one, longest_first))


def _loaded(name: str) -> Path:
    """The file that the dynamic linker finds under a library's name.

    Raises:
        NoCompilerError: there is none.
    """
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise NoCompilerError(f"{name} is not on this machine, and C++ runs on it: {error}.", "Install it with `apt-get install libstdc++6`.") from error
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape")
    return next(Path(line.split(maxsplit=5)[5]) for line in maps.splitlines() if Path(line.partition("/")[2]).name.startswith(name))


def call(command: list[str]) -> str:
    """What a compiler prints; raises CompileError with its words and the command where it refuses."""
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise CompileError(
            f"The compiler ended with {answer.returncode}:\n\n{shlex.join(command)}\n\n{(answer.stderr or answer.stdout).strip()}\n",
            "If the generated sources look wrong, that is a bug in gilgen: please report it with the text above.",
        )
    return answer.stdout


def ensure(generated: store.Made, toolkit: str, version: str, notify: Notify = lambda _: None) -> tuple[store.Made, Path]:
    """Build the wheel for generated sources unless it is there: (artefact, the wheel's path)."""
    compiler = find_compiler()

    def make(folder: Path) -> None:
        build(generated.folder, folder, compiler, notify=notify)

    made = store.ensure("build", toolkit, version, store.key_of(generated.key, *compiler.command, compiler.version), make, notify)
    return made, next(made.folder.glob("*.whl"))


def distribution_name(toolkit: str) -> str:
    """The name of a toolkit's shim wheel as pip knows it."""
    return f"gilgen-shims-{toolkit}"


def wheel_version(manifest: Manifest) -> str:
    """The toolkit's version with gilgen's behind it: "9.6.2+gilgen.0.1.0"."""
    return f"{manifest.version}+gilgen.{manifest.gilgen}"


def build(sources: Path, folder: Path, compiler: Compiler, *, defines: tuple[str, ...] = (), notify: Notify = lambda _: None) -> Path:
    """Compile the sources in `sources` and pack the shim wheel into `folder`.

    Returns:
        The wheel's path.

    Raises:
        ArtefactError: `sources` is not a folder that `generate` wrote.
        CompileError, StoreError: as they say.
    """
    manifest = store.read(sources / MANIFEST, Manifest)
    package = f"gilgen_shims_{manifest.toolkit}"
    tag = f"py3-none-linux_{platform.machine()}"
    wheel = folder / f"{package}-{wheel_version(manifest)}-{tag}.whl"
    with tempfile.TemporaryDirectory(prefix="gilgen-wheel-") as scratch:
        library = Path(scratch) / f"lib{package}.so"
        compile_library(sources, library, compiler, defines=defines, notify=notify)
        draft = Path(scratch) / wheel.name
        with WheelFile(draft, "w") as archive:
            archive.writestr(f"{package}/__init__.py", _init_text(manifest).encode())
            archive.write(sources / MANIFEST, f"{package}/{MANIFEST}")
            archive.write(library, f"{package}/{library.name}")
            information = f"{package}-{wheel_version(manifest)}.dist-info"
            archive.writestr(f"{information}/METADATA", _metadata(manifest).encode())
            archive.writestr(f"{information}/WHEEL", f"Wheel-Version: 1.0\nGenerator: gilgen {__version__}\nRoot-Is-Purelib: false\nTag: {tag}\n".encode())
        store.write_bytes(wheel, draft.read_bytes())
    return wheel


def _init_text(manifest: Manifest) -> str:
    return f'"""Shims that release the GIL around {len(manifest.shims)} C++ functions of {manifest.toolkit} {manifest.version}. Made by gilgen {manifest.gilgen}."""\n'


def _metadata(manifest: Manifest) -> str:
    return (
        "Metadata-Version: 2.1\n"
        f"Name: {distribution_name(manifest.toolkit)}\n"
        f"Version: {wheel_version(manifest)}\n"
        f"Summary: Releases Python's GIL around blocking calls of {manifest.toolkit} {manifest.version}\n"
        "Requires-Python: >=3.11\n"
        f"Requires-Dist: gilgen>={manifest.gilgen}\n"
    )


def copy(wheel: Path, folder: Path) -> Path:
    """Copy a wheel into a folder that the user named."""
    target = folder / wheel.name
    store.write_bytes(target, wheel.read_bytes())
    return target


def install(wheels: list[Path]) -> None:
    """Install shim wheels into this environment, with pip or uv, without asking any registry.

    Raises:
        InstallError: neither installer is at hand, or it refused; the message holds its own words.
    """
    options = ["--no-deps", "--no-index", "--force-reinstall"]
    if importlib.util.find_spec("pip"):
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    elif shutil.which("uv"):
        command = ["uv", "pip", "install", "--quiet", "--python", sys.executable, *options]
    else:
        raise InstallError("Neither pip nor uv is here to install the shim wheels.", f"Install them yourself: {' '.join(map(str, wheels))}")
    with store.lock(f"install-{store.key_of(sys.prefix)}"):
        answer = subprocess.run([*command, *map(str, wheels)], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise InstallError(f"The shim wheels could not be installed:\n\n{answer.stderr.strip()}\n", "Use a virtual environment: `python -m venv .venv`.")
