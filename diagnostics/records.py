"""What passes between the harness and the processes that it measures in; JSON on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gilgen.model import Overlap, Timeline, Waits, Window, Witness


@dataclass(frozen=True, slots=True)
class Request:
    """One case to run in a process of its own.

    Attributes:
        module: the Python module whose `CASES` has the case.
        case: its name; empty to activate the shims and nothing more.
        activate: toolkits whose shims are to be active; empty for the plain library.
        quick: leave out py-spy and repetitions.
        deadline: seconds after which the process is killed.
        folder: a folder for the case alone; "evidence.json" and "log.txt" are written there.
    """

    module: str
    case: str
    activate: tuple[str, ...]
    quick: bool
    deadline: float
    folder: str


@dataclass(frozen=True, slots=True)
class Scene:
    """A stretch of time, and what to look for in what was seen of it from outside; times of `time.perf_counter`.

    Attributes:
        title: what it shows.
        start: its beginning; `end` is its end.
        threads: the kernel's numbers of its threads, each with a name.
        calls: (thread, begin, end) of each measured call.
        heartbeat: the thread that ticked; 0 where none did.
    """

    title: str
    start: float
    end: float
    threads: dict[int, str]
    calls: tuple[tuple[int, float, float], ...]
    heartbeat: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the process saw of its case; written again after each step, so that a crash leaves the rest.

    Attributes:
        step: what it was doing when it wrote last; "done" at the end.
        error: the type and text of a Python exception, or of gilgen's refusal to activate.
        untested: why the case cannot run on this machine; empty where it can.
        inside: as in `CaseResult`.
        scenes: of the window and of two calls at once.
        waits: and `timelines`: what was seen of these from outside.
    """

    step: str
    window: Window | None = None
    overlap: Overlap | None = None
    witness: Witness | None = None
    notes: tuple[str, ...] = ()
    error: str = ""
    untested: str = ""
    inside: float | None = None
    scenes: tuple[Scene, ...] = ()
    waits: Waits | None = None
    timelines: tuple[Timeline, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """How the process of a case ended.

    Attributes:
        kind: "exit" by itself, "signal", "deadline", or "lost" when nobody could tell.
        code: the exit code or the signal's number.
    """

    kind: Literal["exit", "signal", "deadline", "lost"]
    code: int = 0
