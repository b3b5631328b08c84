"""All that is particular to VTK."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from gilgen.errors import ToolkitNotFoundError
from gilgen.model import Headers
from gilgen.toolkits import installed
from gilgen.toolkits.base import DebianPackages, ExposedClass, ExposedMethod, Installation

_FLAG_HINTS = (
    "VTK_WRAPEXCLUDE",
    "VTK_PROPEXCLUDE",
    "VTK_NEWINSTANCE",
    "VTK_ZEROCOPY",
    "VTK_FILEPATH",
    "VTK_UNBLOCKTHREADS",
    "VTK_MARSHALAUTO",
    "VTK_MARSHALMANUAL",
)
"""VTK's hints that are plain words; each becomes the annotation "vtk::<name in small letters>"."""

_ARGUMENT_HINTS = {
    "VTK_EXPECTS(x)": '"vtk::expects(" #x ")"',
    "VTK_SIZEHINT(...)": '"vtk::sizehint(" #__VA_ARGS__ ")"',
    "VTK_MARSHALEXCLUDE(r)": '"vtk::marshalexclude"',
    "VTK_MARSHALGETTER(p)": '"vtk::marshalgetter(" #p ")"',
    "VTK_MARSHALSETTER(p)": '"vtk::marshalsetter(" #p ")"',
}

_UNREADABLE = ("vtkJava", "vtk_", "vtkXdmf", "vtkm", "vtkTestDriver")
"""Headers that spoil those after them in one translation unit: other languages' glue and bundled libraries."""

_LISTING = Path(__file__).with_name("vtk_listing.py")
_LISTING_SECONDS = 120


class Vtk:
    """The Visualization Toolkit."""

    name = "vtk"
    debian = DebianPackages("libvtk9-dev")
    header_dirs = ("vtk-9*", "")
    sdk = "vtk_sdk"
    root_class = "vtkObjectBase"
    check_macros = ("VTK_DEPRECATION_LEVEL=0",)
    wrappers_hold_code = False
    releasing_witness = "vtkAlgorithm.Update"

    def installation(self) -> Installation:
        """The installed package, a wheel or a distribution's; raises ToolkitNotFoundError where there is none."""
        found = installed.from_records("vtk", "vtkmodules", ["vtk"])
        found = found or installed.from_files("vtk", "vtkmodules", "vtk", "libvtk*.so.*", "from vtkmodules.vtkCommonCore import vtkVersion; print(vtkVersion.GetVTKVersion())")
        if found is None:
            raise installed.missing("vtk")
        return found

    def header_version(self, root: Path) -> str | None:
        """From vtkVersionMacros.h; before 9.3 it holds all three numbers, later vtkVersionQuick.h has two of them."""
        text = "".join(_text(root / name) for name in ("vtkVersionMacros.h", "vtkVersionQuick.h"))
        numbers = [
            re.search(rf"^#define\s+VTK_{part}_VERSION\s+(\d+)", text, re.MULTILINE)
            for part in ("MAJOR", "MINOR", "BUILD")
        ]
        if not (root / "vtkObjectBase.h").exists():
            return None
        return ".".join(number[1] for number in numbers if number) if all(numbers) else None

    def header_files(self, root: Path) -> list[str]:
        """VTK's own headers but for those that spoil others, and the modules' export macros."""
        return sorted(
            path.name
            for path in root.glob("vtk*.h")
            if not path.name.startswith(_UNREADABLE) and not path.name.endswith("Module.h")
        )

    def clang_flags(self, headers: Headers) -> list[str]:
        """The include folder, and VTK's hints as annotations in the spelling that libclang keeps."""
        folders = [flag for folder in (headers.root, *headers.includes) for flag in ("-I", folder)]
        words = [f'-D{hint}=__attribute__((annotate("vtk::{hint[4:].lower()}")))' for hint in _FLAG_HINTS]
        calls = [f"-D{hint}=__attribute__((annotate({text})))" for hint, text in _ARGUMENT_HINTS.items()]
        return [*folders, "-DVTK_WRAP_HINTS_DEFINED", "-DVTK_WRAPEXCLUDE_JAVASCRIPT=", *words, *calls]

    def exposed(self, installation: Installation) -> tuple[ExposedClass, ...]:
        """Every class and method of the wrappers, by another interpreter that imports all of them.

        The docstrings of the wrappers give each overload's C++ declaration.
        """
        command = [sys.executable, "-P", str(_LISTING), str(installation.root)]
        try:
            done = subprocess.run(command, capture_output=True, check=True, timeout=_LISTING_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            words = (error.stderr or b"").decode(errors="replace").strip().splitlines()[-1:] or [str(error)]
            raise ToolkitNotFoundError(
                f"vtk {installation.version} is installed but cannot be imported: {words[0]}",
                'Try it: python -c "import vtkmodules.all"',
            ) from error
        return tuple(
            ExposedClass(
                name,
                cxx,
                tuple(bases),
                tuple(ExposedMethod(name, method, tuple(texts)) for method, texts in methods.items()),
            )
            for name, cxx, bases, methods in json.loads(done.stdout)
        )


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


TOOLKIT = Vtk()
