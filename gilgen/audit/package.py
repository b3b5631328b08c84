"""Where the libraries to audit come from: an installed package, a wheel on disk, or files by name."""

from __future__ import annotations

import contextlib
import importlib.metadata
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from gilgen.errors import ArtefactError, ToolkitNotFoundError
from gilgen import toolkits

_LIBRARY = re.compile(r"\.so(\.\d+)*$")
_SUFFIX = re.compile(r"(\.cpython-[^.]*|\.abi3|\.pypy[^.]*)?\.so$")

LARGEST = 8 << 30
"""Bytes that a wheel may unpack to: four times the largest one known."""


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
        if not file.is_file():
            raise ArtefactError(f"{file} does not exist or is not a file.", "Name an installed package, a .whl or a .so file: gilgen audit vtk")
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
        raise ToolkitNotFoundError(f"{name!r} is no package's name.", "Name an installed package, a .whl or a .so file: gilgen audit vtk") from error
    files = {str(path): Path(str(path.locate())) for path in distribution.files or () if _LIBRARY.search(path.name)}
    present = {path: file for path, file in files.items() if file.is_file()}
    if not present:
        raise ArtefactError(f"{name} {distribution.version} has no compiled modules in its records.", "Nothing in it can hold the GIL from C.")
    return Package(name, distribution.version, dict(sorted(present.items())))


@contextlib.contextmanager
def _unpacked(wheel: Path) -> Iterator[Package]:
    """The libraries of a wheel, in a folder that is gone afterwards. Nothing of it is imported or run."""
    try:
        name, version, _, _ = parse_wheel_filename(wheel.name)
    except InvalidWheelFilename as error:
        raise ArtefactError(f"{wheel.name} is not the name of a wheel.", "Wheels are named NAME-VERSION-PYTHON-ABI-PLATFORM.whl.") from error
    with tempfile.TemporaryDirectory(prefix="gilgen-audit-") as folder:
        libraries = {}
        try:
            with zipfile.ZipFile(wheel) as archive:
                chosen = [entry for entry in archive.infolist() if _LIBRARY.search(entry.filename) and not entry.is_dir()]
                if sum(entry.file_size for entry in chosen) > LARGEST:
                    raise ArtefactError(f"{wheel.name} would unpack to more than {LARGEST >> 30} GB.", "It is damaged or hostile; it was left alone.")
                for number, entry in enumerate(sorted(chosen, key=lambda entry: entry.filename)):
                    file = Path(folder, str(number))  # never a name out of the archive
                    with archive.open(entry) as source, file.open("wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    libraries[str(PurePosixPath(entry.filename))] = file
        except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
            raise ArtefactError(f"{wheel} cannot be read: {error}.", "Fetch it again: pip download --no-deps " + canonicalize_name(name)) from error
        if not libraries:
            raise ArtefactError(f"{wheel.name} has no compiled modules for Linux.", "Nothing in it can be audited.")
        yield Package(name, str(version), libraries)
