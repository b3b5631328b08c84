"""The records of a case: what is called, and one prepared piece of work on its own data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def nothing() -> None:
    """Reset nothing: the call does its full work each time."""


def unseen() -> bool:
    """Take it for granted that the call worked: it raises where it does not."""
    return True


def written(stem: str) -> bool:
    """Whether files in the current folder whose names begin so hold anything."""
    return any(file.stat().st_size > 0 for file in Path().glob(f"{stem}*"))


def nothing_missing() -> str:
    """It runs on any machine."""
    return ""


@dataclass(frozen=True, slots=True)
class Work:
    """One prepared piece of work on its own data.

    Attributes:
        call: what is measured; no arguments.
        reset: run outside the measurement before each call, so that `call` does its full work again.
        worked: whether the last call left a result. Toolkits that print their errors return as if all
            was well; the tests ask.
    """

    call: Callable[[], object]
    reset: Callable[[], object] = nothing
    worked: Callable[[], bool] = unseen


@dataclass(frozen=True, slots=True)
class Case:
    """One call to measure.

    Attributes:
        name: short and unique within its module, "obb-tree".
        toolkit: "vtk", "itk", "control"; for cases of a user's own also "vtk+itk", or empty for neither.
        call: the Python call, as a user would look for it.
        make: prepares fresh work, independent of all other, for a size.
        size: where calibration begins. The call's time grows about in proportion to the size.
        limit: calibration goes no further than this; it bounds memory.
        quick: part of the short run.
        alone: two of it must not run in two threads at once (rendering, event loops), so nothing is
            measured that would need that.
        needs: looks for what not every machine has (an X display, OpenGL); see `unavailable`.
    """

    name: str
    toolkit: str
    call: str
    make: Callable[[int], Work]
    size: int
    limit: int
    quick: bool = False
    alone: bool = False
    needs: Callable[[], str] = nothing_missing

    @property
    def toolkits(self) -> tuple[str, ...]:
        """The toolkits that it calls: those whose shims matter to it."""
        return tuple(self.toolkit.split("+")) if self.toolkit else ()

    def unavailable(self) -> str:
        """Why it cannot run on this machine, in a sentence that says what to do; empty when it can.

        Ask in the process that would run it: it may try out what it needs.
        """
        return self.needs()
