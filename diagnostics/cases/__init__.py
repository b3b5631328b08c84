"""What is called: one record a case, with real work on data of some size.

A toolkit's cases stand in the package of its name, by theme; adding one is adding a record there. A user's own
stand in a file or in an installed package, as plain functions: see `user`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from types import ModuleType

from gilgen.diagnostics.cases import user
from gilgen.diagnostics.cases.record import Case, Work, nothing
from gilgen.diagnostics.cases.user import case, load_file

from gilgen.errors import ToolkitNotFoundError

__all__ = (
    "GROUP",
    "MODULES",
    "Case",
    "Work",
    "case",
    "cases_of",
    "find",
    "installed",
    "load_file",
    "module",
    "nothing",
)

MODULES = {"vtk": "gilgen.diagnostics.cases.vtk", "itk": "gilgen.diagnostics.cases.itk"}
"""Where each toolkit's cases stand. Such a module has `CASES`, `load()`, `single_threaded()` and `all_threads()`."""

GROUP = "gilgen.cases"
"""The entry point group in which an installed package names a module with cases."""


def installed() -> dict[str, str]:
    """Cases that installed packages bring: the entry point's name and the module's."""
    return {point.name: point.value for point in importlib.metadata.entry_points(group=GROUP)}


def find(source: str) -> str:
    """The name of the module that has the cases, for `module` here and in another process.

    Args:
        source: a toolkit, the name of an entry point in the group "gilgen.cases", or a Python file's path.

    Raises:
        ToolkitNotFoundError: there are no cases of that name.
        CaseError: there is no such file.
    """
    if source.endswith(".py") or os.sep in source:
        return user.name_of(source)
    known = installed() | MODULES
    if source not in known:
        raise ToolkitNotFoundError(
            f"There are no cases for {source!r}.",
            f"gilgen knows {' and '.join(known)}: gilgen diagnose {' '.join(known)}\n"
            "Cases of your own: gilgen diagnose --cases my_cases.py",
        )
    return known[source]


def module(name: str) -> ModuleType:
    """A module that has `CASES` and the functions that go with them, by the name that `find` gave.

    Raises:
        CaseError: it is a user's and cannot be used; the message says why and what to do.
    """
    if name.startswith(user.FILE):
        return load_file(name.removeprefix(user.FILE))
    if name in MODULES.values():
        return importlib.import_module(name)
    return user.adopted(user.imported(name))


def cases_of(source: str) -> tuple[Case, ...]:
    """All cases of a toolkit, a file or an entry point. Reading a toolkit's does not import it.

    Raises:
        ToolkitNotFoundError: gilgen has no cases of this name.
        CaseError: a user's file or module cannot be used.
    """
    cases: tuple[Case, ...] = module(find(source)).CASES
    return cases
