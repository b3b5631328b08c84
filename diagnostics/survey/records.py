"""What passes between the survey, its workers and the processes that they measure in; JSON or pickled on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from gilgen.diagnostics.cases import Work

from gilgen.model import Surveyed, Verdict

Half = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Target:
    """One class that may be surveyed.

    Attributes:
        toolkit: "vtk", "itk" or "control".
        module: the toolkit's module that has it; empty where only a process that imports it can tell.
        name: the Python class; of ITK's templates the name without instantiation, "MedianImageFilter".
        ways: which classes stand for it, the best first; empty where that is the class itself.
        untested: why it is not tried at all; empty where it is.
    """

    toolkit: str
    module: str
    name: str
    ways: tuple[str, ...] = ()
    untested: str = ""


@dataclass(frozen=True, slots=True)
class Fed:
    """An object that is ready to work, on its own data.

    Attributes:
        works: the ways to let it work, by the Python call, "vtkContourFilter.Update"; the first one finds the size.
        complaint: what the toolkit had to say about an error since the object was made; empty where nothing.
    """

    works: dict[str, Work]
    complaint: Callable[[], str] = str


@dataclass(frozen=True, slots=True)
class Feed:
    """One way to feed a class.

    Attributes:
        title: what it is fed with, for people.
        make: prepares an object with inputs of a size, independent of all others.
        size: where the ladder of sizes begins, in elements of the input.
        limit: where it ends; it bounds memory.
    """

    title: str
    make: Callable[[int], Fed]
    size: int = 4096
    limit: int = 2_000_000


NOTHING_LEFT = "each of its feeds ended the process"


class CannotFeedError(Exception):
    """There is no generic input for this class; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Request:
    """One class to be measured in a process of its own.

    Attributes:
        target: the class.
        deadline: seconds after which the process is killed.
        folder: a folder for it alone; "findings.json" and "log.txt" are written there.
        feed: which feed to use, counted from 0; -1 finds one out.
        skip: feeds that are known to end the process.
        size: of the input; 0 finds one out.
        limit: the ladder of sizes ends here; 0 where the feed's own limit counts.
    """

    target: Target
    deadline: float
    folder: str
    feed: int = -1
    skip: tuple[int, ...] = ()
    size: int = 0
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """One call of a class: its verdict, the reading of the evidence, and seconds for which it kept others out at most."""

    call: str
    verdict: Verdict
    because: str
    held: float = 0.0


@dataclass(frozen=True, slots=True)
class Findings:
    """What the process saw of its class; written again after each step, so that a crash leaves the rest.

    Attributes:
        step: what it was doing when it wrote last: "starting", "feeding", "sizing", "measuring", "leak", "done".
        module: the toolkit's module that has the class.
        call: the call that was under way.
        feed: the feed in use, counted from 0, and its `title`.
        size: the input's size that was in use; `good` is the last one that a call ended with.
        measured: the calls that were measured.
        leaked: bytes by which the process grew for each further call; 0 where it did not keep growing.
        untested: why the class could not be fed.
        memory: it asked for more memory than it may have.
    """

    step: str = "starting"
    module: str = ""
    call: str = ""
    feed: int = -1
    title: str = ""
    size: int = 0
    good: int = 0
    measured: tuple[Measured, ...] = ()
    leaked: int = 0
    untested: str = ""
    memory: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """How a survey measures; the same for every class.

    Attributes:
        deadline: seconds for each process.
        halves: "before" (plain), "after" (with shims) or both.
        identity: toolkit -> what its results depend on (see `units.identity`); a worker with another one refuses.
    """

    deadline: float
    halves: tuple[Half, ...] = ("before", "after")
    identity: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One class's line in the journal: what was found of it, and the seconds it took."""

    toolkit: str
    name: str
    found: tuple[Surveyed, ...]
    seconds: float = 0.0
