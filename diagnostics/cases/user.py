"""A user's own cases: plain functions in a file, or in a module that an installed package names.

    from gilgen.diagnostics.cases import case

    @case("scipy.ndimage.median_filter", size=100_000)
    def median(size):
        values = numpy.random.default_rng(0).random(size)
        return lambda: scipy.ndimage.median_filter(values, 5)

The function prepares and returns what is called. It is asked twice, for two calls at once, so each time it makes its own
data; where a call has to be set back before it can run again, it returns `Work(call, reset)`. A function whose name
begins with "case_" needs no decorator.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from gilgen.diagnostics.cases.record import Case, Work, nothing_missing

from gilgen.errors import CaseError

FILE = "file:"
"""Before a path, in the name of a module that is a file."""

PREFIX = "case_"
"""What a case's function is called that has no decorator."""

MARK = "__gilgen_case__"

GROWTH = 64
"""By how much a case may be made larger than where it begins, if it does not say."""

PACKAGES = {"vtk": "vtk", "vtkmodules": "vtk", "itk": "itk"}
"""Packages that a file imports when it uses a toolkit."""

EXAMPLE = """Write a function that prepares the data and returns the call:

    def case_smooth(size=100_000):
        data = ...
        return lambda: smooth(data)
"""

Function = TypeVar("Function", bound=Callable[..., object])


def case(
    call: str,
    *,
    size: int | None = None,
    limit: int | None = None,
    toolkit: str | None = None,
    alone: bool = False,
    needs: Callable[[], str] = nothing_missing,
) -> Callable[[Function], Function]:
    """Make a case of a function that prepares the work; see `Case` for what the settings mean.

    Args:
        call: what users look for, "my.Library.call".
        size: where calibration begins. Left out, it is the default of the function's parameter.
        limit: 64 times the size, if left out. It bounds memory.
        toolkit: "vtk", "itk" or "vtk+itk"; left out, it is what the file imports.
        alone: never two at once.
        needs: says why it cannot run on this machine.
    """

    def mark(function: Function) -> Function:
        setattr(
            function,
            MARK,
            {"call": call, "size": size, "limit": limit, "toolkit": toolkit, "alone": alone, "needs": needs},
        )
        return function

    return mark


def name_of(path: str | Path) -> str:
    """The name of the module that is a file; it serves in any folder.

    Raises:
        CaseError: there is no such file.
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise CaseError(
            f"There is no file {path}.",
            "Give the path of a Python file with cases: gilgen diagnose --cases my_cases.py",
        )
    return f"{FILE}{file}"


def load_file(path: str | Path) -> ModuleType:
    """Run a file and collect its cases. What lies beside it can be imported, as from a script.

    Raises:
        CaseError: there is no such file, it cannot be run, or there is no case in it.
    """
    name = name_of(path)
    file = Path(name.removeprefix(FILE))
    module = ModuleType(name)
    module.__file__ = str(file)
    # Behind what is installed: no file of the user's stands in for a package that gilgen imports.
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    sys.modules[name] = module  # dataclasses and pickles look for it
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), vars(module))  # noqa: S102 - it is the user's
    except SyntaxError as error:
        raise CaseError(
            f"{path}, line {error.lineno}: {error.msg}.", f"Mend it, then try: python {path}"
        ) from None
    except (Exception, SystemExit) as error:
        raise CaseError(
            f"{path} cannot be run: {_said(error)}{_line(error, file)}.", f"See for yourself: python {path}"
        ) from error
    return adopted(module)


def imported(name: str) -> ModuleType:
    """A module by its name.

    Raises:
        CaseError: it cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise CaseError(
            f"The cases in {name} cannot be imported: {_said(error)}.",
            f"See for yourself: python -c 'import {name}'",
        ) from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _line(error: BaseException, file: Path) -> str:
    """Where in the file it happened, in words."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)
    ]
    return f" (line {lines[-1]})" if lines else ""


def adopted(module: ModuleType) -> ModuleType:
    """Give a user's module what a case module has: `CASES`, `load()`, `single_threaded()` and `all_threads()`.

    What it has already it keeps. By themselves the three functions do for the toolkits that its cases use what those of
    gilgen's own cases do; `load` does nothing, since the module imports what it needs.

    Raises:
        CaseError: there is no case in it, or one that cannot be used.
    """
    there = vars(module)
    if "CASES" not in there:
        there["CASES"] = _collected(module)
    toolkits = sorted(
        {toolkit for found in there["CASES"] for toolkit in found.toolkits} & set(PACKAGES.values())
    )
    there.setdefault("load", lambda: None)
    for name in ("single_threaded", "all_threads"):
        there.setdefault(name, _for_each(toolkits, name))
    return module


def _for_each(toolkits: list[str], name: str) -> Callable[[], None]:
    def call() -> None:
        for toolkit in toolkits:
            getattr(importlib.import_module(f"gilgen.diagnostics.cases.{toolkit}"), name)()

    return call


def _collected(module: ModuleType) -> tuple[Case, ...]:
    where = (
        Path(module.__file__).name
        if module.__name__.startswith(FILE) and module.__file__
        else module.__name__
    )
    toolkit = _toolkit_of(module)
    cases = tuple(
        thing if isinstance(thing, Case) else _made(thing, where, toolkit)
        for thing in _marked(vars(module).values(), module.__name__)
    )
    if not cases:
        raise CaseError(f"There is no case in {where}.", EXAMPLE)
    names = [found.name for found in cases]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CaseError(f"{where} has two cases named {twice[0]}.", "Give one of the functions another name.")
    return cases


def _marked(things: Any, home: str) -> Iterator[Any]:
    """Cases, functions with the decorator, and the module's own functions with the prefix."""
    for thing in dict.fromkeys(
        thing for thing in things if isinstance(thing, Case) or inspect.isfunction(thing)
    ):
        if (
            isinstance(thing, Case)
            or hasattr(thing, MARK)
            or (thing.__name__.startswith(PREFIX) and thing.__module__ == home)
        ):
            yield thing


def _made(function: Callable[..., object], where: str, toolkit: str) -> Case:
    settings: dict[str, Any] = getattr(function, MARK, {})
    title = function.__name__
    place = f"{where}: {title}"
    name = title.removeprefix(PREFIX).replace("_", "-")
    sized, size = _size(function, place, settings.get("size"))
    limit = settings.get("limit") or (size * GROWTH if sized else size)
    if not 1 <= size <= limit:
        raise CaseError(
            f"{place} begins at size {size} and ends at {limit}.",
            "A size is 1 or more, and the limit no smaller.",
        )
    chosen = settings.get("toolkit")
    return Case(
        name=name,
        toolkit=_checked(toolkit if chosen is None else chosen, place),
        call=settings.get("call") or title.removeprefix(PREFIX),
        make=_maker(function, place, sized=sized),
        size=size,
        limit=limit,
        alone=settings.get("alone", False),
        needs=settings.get("needs", nothing_missing),
    )


def _size(function: Callable[..., object], place: str, size: int | None) -> tuple[bool, int]:
    """Whether the function takes a size, and where to begin."""
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        return False, 1
    if len([each for each in parameters if each.default is each.empty]) > 1:
        raise CaseError(
            f"{place} takes {len(parameters)} parameters.", "A case takes one, the size, or none."
        )
    if size is None:
        default = parameters[0].default
        if not isinstance(default, int):
            raise CaseError(
                f"{place} does not say at which size to begin.",
                f"Say it in its parameter: def {function.__name__}({parameters[0].name}=1000)",
            )
        size = default
    return True, size


def _maker(function: Callable[..., object], place: str, *, sized: bool) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        work = function(size) if sized else function()
        if isinstance(work, Work):
            return work
        if not callable(work):
            raise CaseError(f"{place} returned {work!r}, which cannot be called.", EXAMPLE)
        return Work(work)

    return make


def _checked(toolkit: str, place: str) -> str:
    for name in filter(None, toolkit.split("+")):
        if name not in PACKAGES.values():
            raise CaseError(
                f"{place} is for {name!r}, a toolkit that gilgen does not know.",
                'It knows "vtk" and "itk"; for both: "vtk+itk".',
            )
    return toolkit


def _toolkit_of(module: ModuleType) -> str:
    """The toolkits of a module's cases: what it says in `TOOLKITS`, otherwise those that it imports anywhere."""
    if hasattr(module, "TOOLKITS"):
        return "+".join([module.TOOLKITS] if isinstance(module.TOOLKITS, str) else module.TOOLKITS)
    try:
        tree = ast.parse(Path(module.__file__ or "").read_bytes())
    except (OSError, SyntaxError):  # no source, as in a zip file
        return ""
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [
        node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level
    ]
    found = {PACKAGES.get(name.partition(".")[0], "") for name in names}
    return "+".join(toolkit for toolkit in ("vtk", "itk") if toolkit in found)
