"""Where the libraries to audit come from: an installed package, a wheel on disk, or files by name."""

from __future__ import annotations

import contextlib
import importlib.metadata
import lzma
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from gilgen import toolkits
from gilgen.errors import ArtefactError, ToolkitNotFoundError

_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_SUFFIX = re.compile(r"(\.cpython-[^.]*|\.abi3|\.pypy[^.]*)?\.so$")

LARGEST = 8 << 30
"""Bytes that a wheel may unpack to: four times the largest one known."""

DENSEST = 100
"""How many bytes one byte of a wheel may unpack to: machine code gives three to ten."""

MACHINES = ("x86_64", "aarch64")
NAME_ONE = "Name an installed package, a .whl or a .so file: gilgen audit vtk"

_DAMAGED = (
    OSError, zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, lzma.LZMAError, struct.error,
    NotImplementedError, RuntimeError, EOFError, ValueError, LookupError, OverflowError, MemoryError,
)  # fmt: skip
"""What zipfile and its decompressors raise for an archive that is not what it says."""


@dataclass(frozen=True, slots=True)
class Package:
    """Libraries that belong together.

    Attributes:
        name: of the distribution.
        version: "" where only files were named.
        libraries: path relative to the package's root -> file.
    """

    name: str
    version: str
    libraries: dict[str, Path]


def module_name(relative: str) -> str:
    """The dotted name of an extension module from its file's."""
    return _SUFFIX.sub("", relative).replace("/", ".")


def is_free_threaded(relative: str) -> bool:
    """Whether the file's name says that it is for a free-threaded Python."""
    return re.search(r"\.cpython-3\d+d?t", relative) is not None


@contextlib.contextmanager
def opened(target: str) -> Iterator[Package]:
    """The package that a command line names: NAME of an installed one, FILE.whl, or FILE.so.

    Raises:
        ToolkitNotFoundError: no such package is installed.
        ArtefactError: the file cannot be read, or holds no library.
    """
    if target.endswith(".whl"):
        with _unpacked(Path(target)) as found:
            yield found
    elif "/" in target or _LIBRARY.search(target):
        yield of_files(Path(target).name.partition(".")[0], [Path(target)])
    else:
        yield installed(target)


def of_files(name: str, files: Sequence[Path]) -> Package:
    """Files by name, as a package of their own."""
    for file in files:
        try:
            there = file.is_file()
        except OSError as error:  # a name that is too long, a folder that may not be entered
            raise ArtefactError(f"{file} cannot be read: {error.strerror}.", NAME_ONE) from error
        if not there:
            raise ArtefactError(f"{file} does not exist or is not a file.", NAME_ONE)
    return Package(name, "", {file.name: file for file in files})


def installed(name: str) -> Package:
    """An installed package, by its own records. For a toolkit of gilgen's, all packages that make it up."""
    if name in toolkits.NAMES:
        found = toolkits.get(name).installation()
        return Package(name, found.version, {path: found.root / path for path in found.libraries})
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise ToolkitNotFoundError(f"{name} is not installed in this environment.", f"Install it (pip install {name}), or name a .whl file.") from error
    except ValueError as error:
        raise ToolkitNotFoundError(f"{name!r} is no package's name.", NAME_ONE) from error
    files = {str(path): Path(str(path.locate())) for path in distribution.files or () if _LIBRARY.search(path.name)}
    present = {path: file for path, file in files.items() if file.is_file()}
    if not present:
        raise ArtefactError(f"{name} {distribution.version} has no compiled modules in its records.", "Nothing in it can hold the GIL from C.")
    return Package(name, distribution.version, dict(sorted(present.items())))


@contextlib.contextmanager
def _unpacked(wheel: Path) -> Iterator[Package]:
    """The libraries of a wheel, in a folder that is gone afterwards. Nothing of it is imported or run."""
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
    except ValueError as error:
        raise ArtefactError(f"{wheel.name} is not the name of a wheel.", "Wheels are named NAME-VERSION-PYTHON-ABI-PLATFORM.whl.") from error
    if not wheel.is_file():
        raise ArtefactError(f"{wheel} does not exist or is not a file.", NAME_ONE)
    _check_platform(wheel, tags)
    with tempfile.TemporaryDirectory(prefix="gilgen-audit-") as folder:
        libraries = {}
        try:
            with zipfile.ZipFile(wheel) as archive:
                for number, entry in enumerate(_chosen(wheel, archive)):
                    file = Path(folder, str(number))  # never a name out of the archive
                    with archive.open(entry) as source, file.open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    libraries[str(PurePosixPath(entry.filename))] = file
        except _DAMAGED as error:
            raise ArtefactError(f"{wheel} cannot be read: {error}.", "Fetch it again: pip download --no-deps " + canonicalize_name(name)) from error
        if not libraries:
            raise ArtefactError(f"{wheel.name} has no compiled modules for Linux.", "Nothing in it can be audited.")
        try:
            yield Package(name, str(version), libraries)
        except ArtefactError as error:
            raise _renamed(error, wheel, libraries) from error


def _check_platform(wheel: Path, tags: Iterable[Tag]) -> None:
    """Refuse a wheel that is for other systems or processors only, by its name."""
    platforms = {tag.platform for tag in tags}
    if not any(platform == "any" or ("linux" in platform and platform.endswith(MACHINES)) for platform in platforms):
        advice = "Take the one for Linux on x86-64 or aarch64: pip download --no-deps --only-binary :all: --platform manylinux_2_28_x86_64 NAME"
        raise ArtefactError(f"{wheel.name} is for {', '.join(sorted(platforms))}, which gilgen does not serve.", advice)


def _chosen(wheel: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The libraries in an archive, by name. What it would unpack to is known, and refused, before anything is unpacked."""
    chosen = [entry for entry in archive.infolist() if _LIBRARY.search(entry.filename) and not entry.is_dir()]
    for entry in chosen:
        if entry.filename.startswith("/") or ".." in PurePosixPath(entry.filename).parts or not entry.filename.isprintable():
            raise ArtefactError(f"{wheel.name} names a file as no wheel may: {entry.filename!r}.", "It is damaged or hostile; it was left alone.")
    size = sum(entry.file_size for entry in chosen)
    if size > min(LARGEST, DENSEST * wheel.stat().st_size):
        raise ArtefactError(f"{wheel.name} would unpack to {size} bytes, more than a wheel of its size holds.", "It is damaged or hostile; it was left alone.")
    return sorted(chosen, key=lambda entry: entry.filename)


def _renamed(error: ArtefactError, wheel: Path, libraries: dict[str, Path]) -> ArtefactError:
    """The same error, with the library's name in the wheel instead of the file that it was unpacked to."""
    message, advice = str(error.args[0]), error.advice
    for name, file in libraries.items():
        if re.search(re.escape(str(file)) + r"(?!\d)", message):
            message = message.replace(str(file), f"{wheel.name}: {name}")
            break
    return ArtefactError(message, advice)
