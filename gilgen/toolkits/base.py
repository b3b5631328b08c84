"""What a toolkit's file provides: the one interface behind which binding families differ."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gilgen.model import Headers


@dataclass(frozen=True, slots=True)
class Installation:
    """A toolkit as it is installed in this environment.

    Attributes:
        toolkit: "vtk" or "itk".
        version: of the installed package, for example "9.6.2".
        package: the import package whose folder identifies the installation ("vtkmodules", "itk").
        root: the folder (site-packages) that the paths of `libraries` are relative to.
        libraries: the toolkit's own shared libraries and extension modules, and no others, from its
            distributions' records; sorted.
        key: changes when any of these libraries changes.
        distributions: the packages whose records list these libraries; empty where none keeps a record.
    """

    toolkit: str
    version: str
    package: str
    root: Path
    libraries: tuple[str, ...]
    key: str
    distributions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DebianPackages:
    """Debian's packages that hold a toolkit's headers.

    Attributes:
        development: the -dev package whose upstream version is the toolkit's.
        companions: further -dev packages that its headers include (ITK: Eigen).
        includes: the companions' header folders below an include prefix.
    """

    development: str
    companions: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExposedMethod:
    """A method as Python sees it.

    Attributes:
        owner: the Python class that defines it ("vtkOBBTree", "itkImageFileWriterIF3").
        name: the method's Python name.
        declarations: C++ declarations that the wheel's own documentation gives, one an overload; may be empty.
    """

    owner: str
    name: str
    declarations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExposedClass:
    """A class as Python sees it: the C++ type behind it, its Python bases, and its own methods.

    `module` is the file of the extension module that holds its wrapper, relative to the installation, where that module
    holds the toolkit's own code as well: its objects use what stands there. Otherwise "".
    """

    name: str
    cxx: str
    bases: tuple[str, ...]
    methods: tuple[ExposedMethod, ...]
    module: str = ""


class Toolkit(Protocol):
    """All that differs between VTK and ITK."""

    name: str
    debian: DebianPackages
    root_class: str
    """The C++ class that all objects derive from whose connections the native part can follow."""
    check_macros: tuple[str, ...]
    """Macros with which a compiler reads its headers, and no more of them than declarations where that can be had."""
    wrappers_hold_code: bool
    """The extension modules hold the toolkit's own code too, so importing CPython's API says nothing of it."""
    releasing_witness: str
    """The wrapper that releases in every build whose wrappers take the GIL wherever C++ comes back to Python
    objects, "Class.Method"; in a build in which it holds they do not. "": they always do, or never need to."""
    header_dirs: tuple[str, ...]
    """Globs of the header folder below an include prefix ("vtk-9*", "ITK-5*"); "" is the prefix itself."""

    sdk: str
    """The import package that holds the headers of a wheel's own version; "" where there is no such thing."""

    def installation(self) -> Installation:
        """The installed package. Raises ToolkitNotFoundError where there is none."""

    def header_version(self, root: Path) -> str | None:
        """The version that the headers in `root` are of; None where `root` does not hold them."""

    def header_files(self, root: Path) -> list[str]:
        """Headers for the big translation unit, relative to `root`, sorted."""

    def clang_flags(self, headers: Headers) -> list[str]:
        """Flags for libclang, include folders among them."""

    def exposed(self, installation: Installation) -> tuple[ExposedClass, ...]:
        """Every class and method that the installed package exposes to Python, without importing into this process."""
