"""All that is particular to ITK."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from gilgen.model import Headers
from gilgen.toolkits import installed
from gilgen.toolkits.base import DebianPackages, ExposedClass, ExposedMethod, Installation

_CLASS_OR_METHOD = re.compile(r"^class (\w+)\(([^)]*)\):|^    def (\w+)\(", re.MULTILINE)
_MODULE = re.compile(r"^from \. import (_ITK\w+)$", re.MULTILINE)
"""The extension modules of a group of proxies: ITK's core first, then the group's own."""

_ROW = re.compile(r"\('[^']*', '([^']*)', '(\w+)', \w+(?:, '([^']*)')?\)")
"""One row of a configuration's table: template, C++ name, Python class, whether wrapped as a pointer, arguments."""
_VERSION = re.compile(r"^\s*#define\s+ITK_VERSION_(MAJOR|MINOR|PATCH)\s+(\d+)", re.MULTILINE)


class Itk:
    """The Insight Toolkit."""

    name = "itk"
    debian = DebianPackages("libinsighttoolkit5-dev", ("libeigen3-dev",), ("eigen3",))
    header_dirs = ("ITK-*", "")
    sdk = ""
    root_class = "itk::LightObject"
    check_macros = ("ITK_MANUAL_INSTANTIATION",)
    wrappers_hold_code = True
    releasing_witness = ""

    def installation(self) -> Installation:
        """The installed packages: `itk` itself is empty and requires the ones that hold the libraries."""
        found = installed.from_records("itk", "itk", _distributions())
        found = found or installed.from_files("itk", "itk", "itk", "libITK*.so.*", "import itk; print(itk.Version.GetITKVersion())")
        if found is None:
            raise installed.missing("itk")
        return found

    def header_version(self, root: Path) -> str | None:
        """From itkConfigure.h."""
        try:
            text = (root / "itkConfigure.h").read_text(errors="replace")
        except OSError:
            return None
        numbers = dict(_VERSION.findall(text))
        parts = [numbers.get(part) for part in ("MAJOR", "MINOR", "PATCH")]
        return ".".join(part for part in parts if part) if all(parts) else None

    def header_files(self, root: Path) -> list[str]:
        """ITK's own headers; the bundled libraries' come in where these include them."""
        return sorted(path.name for path in root.glob("itk*.h"))

    def clang_flags(self, headers: Headers) -> list[str]:
        """The include folders. Eigen is a system's, so that its thousands of templates are passed over."""
        system = [flag for folder in headers.includes for flag in ("-isystem", folder)]
        return ["-I", headers.root, *system]

    def exposed(self, installation: Installation) -> tuple[ExposedClass, ...]:
        """From the Python files of the wrapping: SWIG's proxy classes, and the tables of C++ names beside them."""
        folder = installation.root / installation.package
        names = _cxx_names(folder / "Configuration")
        modules = {path.name.partition(".")[0]: path.relative_to(installation.root).as_posix() for path in folder.glob("_ITK*.so")}
        found: dict[str, ExposedClass] = {}
        for path in sorted(folder.glob("*Python.py")):
            text = path.read_text(errors="replace")
            module = modules.get(next(reversed(_MODULE.findall(text)), ""), "")
            for name, bases, methods in _proxies(text):
                owned = tuple(ExposedMethod(name, method) for method in methods)
                found.setdefault(name, ExposedClass(name, names.get(name, name), bases, owned, module))
        return tuple(found[name] for name in sorted(found))


def _distributions() -> list[str]:
    """`itk` and the packages of the same family that it requires."""
    for name in ("itk", "itk-core"):
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        family = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in required]
        return [name, *sorted(part for part in family if part.lower().startswith("itk"))]
    return []


def _cxx_names(folder: Path) -> dict[str, str]:
    """The C++ type behind each Python class, template arguments included."""
    names: dict[str, str] = {}
    for path in sorted(folder.glob("*Config.py")):
        for cxx, python, arguments in _ROW.findall(path.read_text(errors="replace")):
            names[python] = f"{cxx}< {arguments} >" if arguments else cxx
    return names


def _proxies(text: str) -> list[tuple[str, tuple[str, ...], list[str]]]:
    """(class, bases, methods) of SWIG's proxy classes in a file."""
    found: list[tuple[str, tuple[str, ...], list[str]]] = []
    for match in _CLASS_OR_METHOD.finditer(text):
        name, bases, method = match.groups()
        if name:
            known = tuple(
                base.strip().rpartition(".")[2] for base in bases.split(",") if base.strip() != "object"
            )
            found.append((name, known, []))
        elif found and not method.startswith("__"):
            found[-1][2].append(method)
    return [entry for entry in found if not entry[0].startswith("_")]


TOOLKIT = Itk()
