"""Lays out the headers of any release of VTK or ITK, from a clone of its repository, as an installation would: input for `gilgen scan --facts`.

    python tests/releases/tree.py vtk CLONE v9.7.2 FOLDER --generated /usr/include/vtk-9.3 --generated-tag v9.3.0
    gilgen scan vtk --headers FOLDER --facts gilgen/facts/vtk-9.7.2.json.xz --base 9.6.2

A build generates some headers: export macros, which are made here from the modules' descriptions, and a few hundred others, which
are taken from an installed release (`--generated`): they hold settings of the build and arrays of each type, not what a release
changes. Nothing of this is ever committed but the facts that `gilgen scan` makes of it.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
from pathlib import Path, PurePosixPath

HEADER = {".h", ".hxx", ".txx", ".hpp"}

ELSEWHERE = {"Testing", "Examples", "Documentation", "ThirdParty", "test", "Utilities", "Wrapping"}
"""Folders of a repository that hold no headers of the toolkit's own, or of bundled libraries."""

INSTALLED = ("Wrapping/PythonCore", "Utilities/KWIML", "Utilities/Python", "Utilities/DICOMParser", "Testing/Core", "Testing/Rendering")
"""Folders below those that do all the same."""

ABI = ("#if __has_include(<vtkABINamespace.h>)", "#include <vtkABINamespace.h>", "#endif")
"""Each module's export macros include this since it is there."""

VERSION = {"vtk": ("vtkVersionMacros.h", "VTK_{}_VERSION"), "itk": ("itkConfigure.h", "ITK_VERSION_{}")}


def listed(clone: Path, tag: str) -> list[str]:
    """The files of a release."""
    return subprocess.run(["git", "-C", clone, "ls-tree", "-r", "--name-only", tag], capture_output=True, text=True, check=True).stdout.splitlines()


def archive(clone: Path, tag: str) -> dict[PurePosixPath, bytes]:
    """The headers of a release and the descriptions of its modules, by their path in the repository."""
    wanted = [name for name in listed(clone, tag) if (PurePosixPath(name).suffix in HEADER or name.endswith("/vtk.module")) and _own(PurePosixPath(name))]
    data = subprocess.run(["git", "-C", clone, "archive", "--format=tar", tag, *wanted], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {PurePosixPath(member.name): file.read() for member in tar if (file := tar.extractfile(member))}


def _own(path: PurePosixPath) -> bool:
    return not ELSEWHERE.intersection(path.parts) or str(path).startswith(INSTALLED)


def export_macros(description: str) -> tuple[str, str]:
    """The name and the text of the header that a module's build generates, without visibility: it changes no name."""
    words = description.split()
    name = words[words.index("NAME") + 1].partition("::")[2]
    library = words[words.index("LIBRARY_NAME") + 1] if "LIBRARY_NAME" in words else f"vtk{name}" if not name.startswith("vtk") else name
    upper = library.upper()
    lines = [f"#define {upper}_{kind}" for kind in ("EXPORT", "NO_EXPORT", "DEPRECATED", "DEPRECATED_EXPORT", "TEMPLATE_EXPORT", "TEMPLATE_EXTERN")]
    factory = f"#define {library}_AUTOINIT_INCLUDE"
    return f"{library}Module.h", "\n".join(["#pragma once", *ABI, *lines, factory, ""])


def lay_out(toolkit: str, files: dict[PurePosixPath, bytes], generated: dict[str, bytes], tag: str, folder: Path) -> None:
    """Write the headers into one folder, as an installation has them.

    Args:
        toolkit: "vtk" or "itk".
        files: what `archive` gave.
        generated: what a build generates, by its place in the folder.
        tag: "v9.7.2".
        folder: where to.
    """
    for path, data in files.items():
        if path.suffix in HEADER:
            _write(folder / _place(toolkit, path), data)
        else:
            name, text = export_macros(data.decode())
            _write(folder / name, text.encode())
    for name, data in generated.items():
        if not (folder / name).exists():
            _write(folder / name, data)
    _say_version(toolkit, folder, tag)


def made_by_a_build(clone: Path, installed: Path, tag: str) -> dict[str, bytes]:
    """What stands in the folder of an installed release and not in its repository, by its place in that folder."""
    written = {PurePosixPath(name).name for name in listed(clone, tag) if _own(PurePosixPath(name))}
    files = ((path, path.relative_to(installed)) for path in installed.rglob("*") if path.is_file())
    return {str(place): path.read_bytes() for path, place in files if path.name not in written or len(place.parts) > 1}


def _place(toolkit: str, path: PurePosixPath) -> PurePosixPath:
    """Where a build installs a header: all in one folder, but for those that a folder named `include` holds below it."""
    if toolkit == "itk" and "include" in path.parts:
        return PurePosixPath(*path.parts[path.parts.index("include") + 1 :])
    return PurePosixPath(path.name)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _say_version(toolkit: str, folder: Path, tag: str) -> None:
    """Write the release's numbers into the header that tells them, which is an other release's."""
    name, pattern = VERSION[toolkit]
    numbers = dict(zip(("MAJOR", "MINOR", "BUILD" if toolkit == "vtk" else "PATCH"), re.findall(r"\d+", tag)[:3], strict=False))
    for path in (folder / name, folder / "vtkVersionQuick.h"):
        if path.exists():
            text = path.read_text(encoding="utf-8", errors="replace")
            for part, number in numbers.items():
                text = re.sub(rf"(#\s*define\s+{pattern.format(part)}\s+)\d+", rf"\g<1>{number}", text)
            path.write_text(text, encoding="utf-8")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("toolkit", choices=sorted(VERSION))
    parser.add_argument("clone", type=Path, help="a clone of the toolkit's repository, with its tags")
    parser.add_argument("tag", help="the release, such as v9.7.2")
    parser.add_argument("folder", type=Path, help="where the headers go")
    parser.add_argument("--generated", type=Path, required=True, help="the folder of an installed release's headers")
    parser.add_argument("--generated-tag", required=True, help="that release, such as v9.6.2")
    options = parser.parse_args()
    generated = made_by_a_build(options.clone, options.generated, options.generated_tag)
    lay_out(options.toolkit, archive(options.clone, options.tag), generated, options.tag, options.folder)
    sys.stdout.write(f"{options.folder}: {sum(path.is_file() for path in options.folder.rglob('*'))} headers of {options.toolkit} {options.tag}\n")


if __name__ == "__main__":
    main()
