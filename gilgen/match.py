"""Is the toolkit that is installed the one that the shims were made for? And which of its files may be rebound?

Wheels of one VTK version for several CPythons hold the same C++ libraries, bit for bit: of 370 files of
vtk 9.6.2 for CPython 3.11, 3.12 and 3.13, 212 have the same build id. The others are the wrapper
modules, the few libraries that call CPython, and bundled HDF5 and netCDF. ITK's wheels serve every CPython as they are.
So one shim wheel serves them all, under these rules:

- the installed version is the one that the shims were made for;
- every library that defines a shimmed function is there, with the build id that it had (where it has
  none, with the same size). A shim's calling convention is its definition's, so this is what makes a shim
  right, and there is no leniency in it: when the library is loaded, the symbol, the place and the code of each
  definition are compared with what they were, too (native/rebind.cpp). Wrapper modules for one CPython do not count: what they
  define for themselves is left alone in another CPython's;
- any other library is rebound if it is the very one that was seen, or if the installed distribution's
  record lists it in the toolkit's own package. Such a library only calls: of its slots those are
  rebound that name a shimmed function and lead into a library that matched exactly.

Where the package keeps no record (a Linux distribution's), every file must be the very one.
"""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from gilgen.errors import StaleShimsError, ToolkitNotFoundError
from gilgen.manifest import Library, Manifest

LIBRARY_NAME = re.compile(r"\.so(\.\d+)*$")

_ELF_HEADER = struct.Struct("<4s28xQ14xHH")  # magic; then e_phoff, e_phentsize, e_phnum
_PROGRAM_HEADER = struct.Struct("<IIQ16xQ16x")  # p_type, p_flags, p_offset, p_filesz
_NOTE = struct.Struct("<III")  # sizes of name and content, type
_PT_NOTE, _NT_GNU_BUILD_ID = 4, 3


@dataclass(frozen=True, slots=True)
class Bindable:
    """One library that may be rebound.

    Attributes:
        build_id: what it had when the shims were made; empty for one that was not seen then.
        symbolic: its slots carry addresses instead of names.
        exact: it must be the very file; otherwise, where it is not, it is a caller and no more.
        index: its place in the manifest; one beyond the last for a library that is not listed there.
    """

    path: Path
    build_id: str
    symbolic: bool
    exact: bool
    index: int


def toolkit_root(manifest: Manifest) -> Path:
    """The folder that the toolkit's package lies in, without importing the toolkit.

    Raises:
        ToolkitNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec(manifest.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ToolkitNotFoundError(
            f"{manifest.toolkit} is not installed in this environment.", f"Install it with `pip install {manifest.toolkit}=={manifest.version}`."
        )
    return Path(places[0]).parent


def check(manifest: Manifest, root: Path) -> tuple[Bindable, ...]:
    """The libraries below `root` that the shims of `manifest` may be bound in.

    Raises:
        StaleShimsError: the toolkit is not the one that they were made for; it says which check failed.
    """
    recorded = _recorded(manifest, root)
    for library in manifest.libraries:
        if library.defines or not recorded:
            _check_library(manifest, library, root / library.path)
    seen = {library.path for library in manifest.libraries}
    known = [
        Bindable(root / library.path, library.build_id, library.symbolic, exact=library.defines or not recorded, index=index)
        for index, library in enumerate(manifest.libraries)
        if not recorded or library.path in recorded
    ]
    beyond = len(manifest.libraries)
    return (*known, *(Bindable(root / path, "", symbolic=False, exact=False, index=beyond) for path in sorted(recorded - seen)))


def _recorded(manifest: Manifest, root: Path) -> set[str]:
    """Libraries of the toolkit's package that the installed distributions record; empty where they keep no record."""
    paths: set[str] = set()
    for name in manifest.distributions:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise stale(manifest, f"the package {name} is not installed") from error
        if Path(str(distribution.locate_file(""))).resolve() != root.resolve():
            raise stale(manifest, f"the package {name} is not the one that Python would import, which lies in {root}")
        if distribution.version != manifest.version:
            raise stale(manifest, f"{name} {distribution.version} is installed")
        record = distribution.read_text("RECORD") or ""
        paths.update(row[0] for row in csv.reader(record.splitlines()) if row and row[0].startswith(f"{manifest.package}/") and LIBRARY_NAME.search(row[0]))
    return paths


def _check_library(manifest: Manifest, library: Library, path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise stale(manifest, f"{library.path} is missing") from error
    if library.build_id and library.defines:
        found = build_id(path)
        if found != library.build_id:
            raise stale(manifest, f"{library.path} is another build of it (build id {found or 'none'} instead of {library.build_id})")
    elif size != library.size:
        raise stale(manifest, f"{library.path} has {size} bytes instead of {library.size}")


def stale(manifest: Manifest, what: str) -> StaleShimsError:
    """The error for a toolkit that is not the one that the shims were made for."""
    return StaleShimsError(
        f"The shims were made for {manifest.toolkit} {manifest.version}, but {what}.",
        f"The package was changed since: build the shims again with `gilgen fix {manifest.toolkit}`.",
    )


def build_id(path: Path) -> str:
    """The linker's identification of a library's contents, hexadecimal; empty where the file has none or cannot be read."""
    try:
        with path.open("rb") as file:
            magic, table, size, count = _ELF_HEADER.unpack(file.read(_ELF_HEADER.size))
            if magic != b"\x7fELF" or size < _PROGRAM_HEADER.size:
                return ""
            file.seek(table)
            headers = file.read(size * count)
            for at in range(0, len(headers), size):
                kind, _, offset, length = _PROGRAM_HEADER.unpack_from(headers, at)
                if kind == _PT_NOTE:
                    file.seek(offset)
                    found = _build_id_among(file.read(length))
                    if found:
                        return found
    except (OSError, struct.error):
        pass
    return ""


def _build_id_among(notes: bytes) -> str:
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, size, kind = _NOTE.unpack_from(notes, at)
        at += _NOTE.size
        name = notes[at : at + name_size]
        at += (name_size + 3) // 4 * 4
        if kind == _NT_GNU_BUILD_ID and name == b"GNU\0":
            return notes[at : at + size].hex()
        at += (size + 3) // 4 * 4
    return ""
