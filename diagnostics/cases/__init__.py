"""What is called: one record a case, with real work on data of some size.

A toolkit's cases stand in the module of its name. Adding a case is adding a record there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

from gilgen.errors import ToolkitNotFoundError

MODULES = {"vtk": "gilgen.diagnostics.cases.vtk", "itk": "gilgen.diagnostics.cases.itk"}
"""Where each toolkit's cases stand. Such a module has `CASES`, `load()` and `single_threaded()`."""


def nothing() -> None:
    """Reset nothing: the call does its full work each time."""


@dataclass(frozen=True, slots=True)
class Work:
    """One prepared piece of work on its own data.

    Attributes:
        call: what is measured; no arguments.
        reset: run outside the measurement before each call, so that `call` does its full work again.
    """

    call: Callable[[], object]
    reset: Callable[[], object] = nothing


@dataclass(frozen=True, slots=True)
class Case:
    """One call to measure.

    Attributes:
        name: short and unique within the toolkit, "obb-tree".
        toolkit: "vtk", "itk" or "control".
        call: the Python call, as a user would look for it.
        make: prepares fresh work, independent of all other, for a size.
        size: where calibration begins. The call's time grows about in proportion to the size.
        limit: calibration goes no further than this; it bounds memory.
        quick: part of the short run.
    """

    name: str
    toolkit: str
    call: str
    make: Callable[[int], Work]
    size: int
    limit: int
    quick: bool = False


def cases_of(toolkit: str) -> tuple[Case, ...]:
    """All cases of a toolkit. Reading them does not import the toolkit.

    Raises:
        ToolkitNotFoundError: gilgen has no cases for a toolkit of this name.
    """
    try:
        module = importlib.import_module(MODULES[toolkit])
    except KeyError:
        known = " and ".join(MODULES)
        raise ToolkitNotFoundError(
            f"There are no cases for {toolkit!r}.",
            f"gilgen knows {known}: gilgen diagnose {' '.join(MODULES)}",
        ) from None
    cases: tuple[Case, ...] = module.CASES
    return cases
