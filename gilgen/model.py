"""The records that pass between gilgen's stages: plain, typed, immutable, without behaviour.

`store.py` writes and reads them as JSON; their JSON schema is made from these classes. What a shim wheel
holds of them is in `manifest.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gilgen.manifest import Coverage, Definition, Guard, Library

# --------------------------------------------------------------------------------------------- headers


@dataclass(frozen=True, slots=True)
class Headers:
    """A folder of a toolkit's headers and how well it matches the installed wheel.

    Attributes:
        toolkit: "vtk" or "itk".
        version: the version that the headers are of, for example "9.6.2".
        wheel_version: the version of the installed package.
        root: the folder that holds the toolkit's headers.
        includes: further include folders (ITK needs Eigen's), in order.
        source: where they came from, in words.
        notice: what it means that the versions differ; empty when they agree.
    """

    toolkit: str
    version: str
    wheel_version: str
    root: str
    includes: tuple[str, ...]
    source: str
    notice: str = ""


# ------------------------------------------------------------------------------------------------ scan


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a C++ method.

    Attributes:
        type: the type as the header spells it.
        carrier: the built-in C++ type that carries it through a call: "int", "double", "void*" ...;
            "Hidden" for a class that the ABI passes by hidden reference (Itanium C++ ABI, 3.1.2.3);
            empty where no built-in type can (a small trivial struct by value, a dependent type).
        name: as the header has it; may be empty.
    """

    type: str
    carrier: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """One method as a header declares it. `symbol` is clang's mangled name (empty for templates).

    Attributes:
        result: the result's type as the header spells it.
        carrier: as in `Parameter`, for the result; "void" where there is none.
        body: "none" (declared only), "inline" (the header holds a body) or "macro" (the whole method
            comes from a macro such as `vtkGetMacro`, itself a sign that it is cheap).
        hints: annotations, for example "vtk::unblockthreads"; overrides inherit them.
    """

    name: str
    symbol: str
    result: str
    carrier: str
    parameters: tuple[Parameter, ...] = ()
    access: Literal["public", "protected", "private"] = "public"
    kind: Literal["method", "constructor", "destructor", "template", "conversion"] = "method"
    virtual: bool = False
    pure: bool = False
    override: bool = False
    static: bool = False
    const: bool = False
    noexcept: bool = False
    variadic: bool = False
    deprecated: bool = False
    deleted: bool = False
    body: Literal["none", "inline", "macro"] = "none"
    hints: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """A base class: its type as spelled, its qualified name without template arguments, its access."""

    type: str
    name: str
    access: Literal["public", "protected", "private"] = "public"


@dataclass(frozen=True, slots=True)
class Class:
    """A class, struct or class template.

    Attributes:
        name: qualified, without template arguments ("itk::ImageFileWriter").
        template: names of the template's parameters; empty for an ordinary class.
        header: file name relative to the header root.
        calls: by method whose body the headers hold: names of what it calls, "->" before those that it calls through a pointer.
    """

    name: str
    header: str
    line: int
    template: tuple[str, ...] = ()
    bases: tuple[Base, ...] = ()
    methods: tuple[Method, ...] = ()
    hints: tuple[str, ...] = ()
    deprecated: bool = False
    calls: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DroppedHeader:
    """A header that broke the big translation unit; `alone` tells whether it could be read by itself."""

    header: str
    error: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Api:
    """All that a toolkit's headers declare."""

    toolkit: str
    version: str
    headers: Headers
    classes: tuple[Class, ...]
    dropped: tuple[DroppedHeader, ...] = ()


# ------------------------------------------------------------------------------------------------ plan

Action = Literal["release", "serialize", "keep"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the plan says of one C++ function behind one or more Python methods.

    Attributes:
        python: the Python name, "vtkOBBTree.BuildLocator".
        declaration: the C++ declaration, for people.
        symbol: the mangled name; empty where the method has none of its own.
        action: "release" (the GIL, after claiming the objects), "serialize" (the same, and claims a library that is not
            thread-safe: its calls run one at a time) or "keep" (no shim).
        reason: a short name for the reason: "rule:locators", "config:include", "hazard:uses-cpython" ...
        why: the reason in a sentence.
        guard: what a shim claims while the call runs.
        guard_chosen: the user's configuration says so, so activation does not choose.
        sized: how long it takes follows from the size of the data, so that short calls can be told beforehand.
        followed: `this` derives from the toolkit's root class, so what it leads to can be found and claimed.
        carriers: of the result, then of each parameter without `this`.
        static: a static method has no `this`.
        library: the first library of the toolkit that defines the symbol, relative to its root.
        copies: in how many libraries of the toolkit the symbol is defined.
        definitions: each of them.
        served: Python names that reach this function, directly or through what they call.
    """

    python: str
    declaration: str
    symbol: str
    action: Action
    reason: str
    why: str
    guard: Guard = "closure"
    guard_chosen: bool = False
    followed: bool = False
    sized: bool = False
    carriers: tuple[str, ...] = ()
    static: bool = False
    library: str = ""
    copies: int = 0
    definitions: tuple[Definition, ...] = ()
    served: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Release or keep, method by method, each with its reason."""

    toolkit: str
    version: str
    package: str
    distribution_key: str
    headers: Headers
    libraries: tuple[Library, ...]
    decisions: tuple[Decision, ...]
    coverage: Coverage
    distributions: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


# ------------------------------------------------------------------------------------------- diagnosis

Verdict = Literal["releases", "holds", "partly", "too short", "unknown", "error", "crash", "timeout", "untested"]
"""What a call does about the GIL, or why that is not known: "unknown" (the machine was too busy, or witnesses disagree),
"untested" (it cannot be called here)."""


@dataclass(frozen=True, slots=True)
class Window:
    """The window proof: did another Python thread run strictly inside the call? Times in seconds.

    With `sys.setswitchinterval` far beyond the call's length, a waiting thread never asks the running
    one to drop the GIL, so a tick inside the window can only come from an explicit release.

    Attributes:
        duration: of the call.
        ticks: of the heartbeat thread, strictly inside the call.
        longest_gap: the longest time inside the call during which no other Python thread ran.
        covered: the share of the call, 0 to 1, in which others could run (gaps below `window.STALL`).
        reference_gap: the longest gap while a call that is known to release ran, just before and just
            after: what the machine's load costs by itself. A million where the heartbeat was not alive.
        stall: the longest gap less what load adds to it: the time in which the kernel kept the heartbeat, or the
            caller, waiting for a processor (schedstat, Linux: Documentation/scheduler/sched-stats). None where the
            kernel does not tell.
        seen: the share of the call, 0 to 1, in which the heartbeat did not wait for a processor: what load left of the
            window to judge by. None where the kernel does not tell.
        processor: processor seconds of the calling thread inside the call.
        calls: how many calls in a row, without bytecode between them, the window holds.
    """

    duration: float
    ticks: int
    longest_gap: float
    covered: float
    reference_gap: float = 0.0
    stall: float | None = None
    seen: float | None = None
    processor: float = 0.0
    calls: int = 1


@dataclass(frozen=True, slots=True)
class Waits:
    """Seen from outside: of `samples` looks at the heartbeat thread while the call ran, `waiting` found it waiting for the GIL.

    A thread waits for the GIL when it sleeps in a futex (futex(2)) that lies in CPython's runtime state.
    """

    samples: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Serial against parallel: wall time in seconds of two calls in turn and of two at once (medians).

    Attributes:
        ratio: serial / parallel; 2 is two calls fully at once, 1 is one after the other.
        simultaneous: processor seconds of both calling threads in each second of the parallel run. More
            than 1 is possible only when both ran at once, and load on the machine cannot cause it.
        busy: processor seconds in each second of the serial run: 1 is a call that computes all the time.
        reference: the ratio that calls known to release reached at the same time on this machine.
    """

    serial: float
    parallel: float
    ratio: float
    simultaneous: float = 0.0
    busy: float = 1.0
    reference: float = 0.0


@dataclass(frozen=True, slots=True)
class Witness:
    """A sampler from outside: of `samples` taken while the call ran, `holding` found the caller with the GIL.

    Attributes:
        sampler: "py-spy", or "profiling.sampling" of the standard library, from Python 3.15 on.
    """

    samples: int
    holding: int
    sampler: str = "py-spy"


State = Literal["call", "runs", "waits", "sleeps"]


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end`, in seconds since its timeline begins, a thread was in one state.

    Attributes:
        state: "call" (inside the measured call), "runs" (on a processor or ready for one), "waits" (for the GIL) or
            "sleeps" (for anything else).
    """

    start: float
    end: float
    state: State


@dataclass(frozen=True, slots=True)
class Lane:
    """One thread of a timeline: its name and its spans in order. Spans of state "call" lie over the others."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """What some threads did for `seconds`, sampled from outside the process."""

    title: str
    seconds: float
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case, once: its verdict and every piece of evidence behind it.

    Attributes:
        case: the case's name, "obb-tree".
        call: the Python call, "vtkOBBTree.BuildLocator".
        shims: whether gilgen's shims were active.
        because: the reading of the evidence in a sentence.
        message: what an error, a crash or a deadline left behind.
        notes: why a piece of evidence is missing, and what else a reader should know.
        inside: processor seconds of the whole process in each second of one call, with the toolkit's own number of
            threads: above 1 the call is parallel inside by itself. None where it was not measured.
        timelines: of one call beside the heartbeat, and of two calls at once.
    """

    case: str
    toolkit: str
    call: str
    shims: bool
    verdict: Verdict
    because: str
    window: Window | None = None
    overlap: Overlap | None = None
    witness: Witness | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    waits: Waits | None = None
    inside: float | None = None
    timelines: tuple[Timeline, ...] = ()


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a report was made: nothing in it names a user, a host or a path."""

    gilgen: str
    python: str
    machine: str
    system: str
    processors: int
    toolkits: dict[str, str] = field(default_factory=dict)
    date: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one run. `valid` is false when a control failed: then nothing in it counts.

    `coverage` says, for each toolkit whose shims are installed, how much of what Python sees they serve.
    """

    environment: Environment
    valid: bool
    controls: tuple[CaseResult, ...]
    results: tuple[CaseResult, ...]
    notices: tuple[str, ...] = ()
    coverage: dict[str, Coverage] = field(default_factory=dict)


# --------------------------------------------------------------------------------------------- profile


@dataclass(frozen=True, slots=True)
class HeldCall:
    """All calls of one wrapped function from one place in the user's program. Times in seconds.

    Attributes:
        python: the Python name, "vtkOBBTree.BuildLocator".
        toolkit: "vtk" or "itk"; empty for an extension module of another package.
        file: where it was called from, relative to the program's folder where it lies below it.
        line: the line in `file`.
        function: the Python function that made the call.
        threads: names of the threads that made it.
        loop: the event loop that the calling thread was running ("asyncio", "qt"); empty where none. Such a call stalls
            its own loop, whether it releases or not.
        calls: how many.
        seconds: how long they took altogether.
        held: of that, how long no other Python thread could run.
        worst: the longest hold.
        waited: how long other threads waited for the GIL meanwhile, summed over threads.
        waiters: thread name -> its part of `waited`.
    """

    python: str
    toolkit: str
    file: str
    line: int
    function: str
    threads: tuple[str, ...]
    loop: str
    calls: int
    seconds: float
    held: float
    worst: float
    waited: float = 0.0
    waiters: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoopStall:
    """One time an event loop could not turn: `at` seconds after the start, for `seconds`, because of `python` called at `file`:`line`.

    `own` is true when the loop's own thread made the call: releasing the GIL does not help there; another thread does.
    `task` is asyncio's name of the task that was running then, and its coroutine's.
    """

    loop: str
    thread: str
    at: float
    seconds: float
    python: str
    file: str
    line: int
    own: bool
    task: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """Which calls of a user's program held the GIL.

    Attributes:
        program: its name, without folders.
        seconds: how long it ran under the profile.
        how: "monitor" (calls seen from inside, waits from outside) or "py-spy" (a running process, sampled: there `held` is
            the share of the samples that found the call with the GIL, and nothing tells how often it was called).
        exit_code: of the program; None where it was still running.
        calls: what held longest first.
        stalls: of event loops, longest first.
        timelines: of the program's threads, around the longest holds.
    """

    environment: Environment
    program: str
    seconds: float
    how: Literal["monitor", "py-spy"]
    exit_code: int | None
    calls: tuple[HeldCall, ...]
    stalls: tuple[LoopStall, ...] = ()
    timelines: tuple[Timeline, ...] = ()
    notices: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------- survey

@dataclass(frozen=True, slots=True)
class Surveyed:
    """One way to call one class, before and after activation.

    Attributes:
        toolkit: "vtk" or "itk".
        module: the toolkit's module that the class is in, "vtkFiltersCore"; it groups the map.
        name: the Python class, "vtkContourFilter".
        call: "vtkContourFilter.Update".
        before: the verdict in the plain wheel; "untested" where the class could not be fed.
        after: the same with the shims active.
        because: the reading of the evidence, or why it is untested, in a sentence.
        held_before: seconds of the longest time in which others were kept out, in the plain wheel.
        held_after: the same with the shims active.
        leaked: bytes by which the process grew for each further call, where it kept growing; 0 otherwise.
    """

    toolkit: str
    module: str
    name: str
    call: str
    before: Verdict
    after: Verdict
    because: str
    held_before: float = 0.0
    held_after: float = 0.0
    leaked: int = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """What every algorithm class of the toolkits does that could be fed from generic inputs. `valid` as in `Report`."""

    environment: Environment
    valid: bool
    seconds: float
    scheduler: str
    classes: tuple[Surveyed, ...]
    notices: tuple[str, ...] = ()


# ---------------------------------------------------------------------------------------------- check


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `gilgen check` found to be worse than it may be, or that could not be proven.

    Attributes:
        kind: "missing" (measured in the baseline, not now), "broken" (it crashes, hangs or fails), "held" (it released),
            "required" (not the verdict that was asked for), "stall" (it keeps others out for too long), "coverage" (the
            shims serve less) or "unproven" (this run could not tell).
        fails: whether the check fails because of it; else it is a warning.
        subject: the call, or the toolkit, that it is about.
        case: the case's name; empty where it is about more than one.
        toolkit: "vtk" or "itk"; empty where it is about none.
        shims: whether it was measured with the shims active; None where that says nothing.
        before: how it is in the baseline; `after` is how it is now.
        because: the evidence in a sentence.
        commands: what to run next.
    """

    kind: Literal["missing", "broken", "held", "required", "stall", "coverage", "unproven"]
    fails: bool
    subject: str
    case: str
    toolkit: str
    shims: bool | None
    before: str
    after: str
    because: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A report held against limits and an earlier report. What fails comes first.

    Attributes:
        passed: nothing in `findings` fails.
        compared: how many results have their like in the baseline.
        findings: what failed, then what could not be proven.
        notices: what a reader should know of the comparison itself.
    """

    passed: bool
    compared: int
    findings: tuple[Finding, ...] = ()
    notices: tuple[str, ...] = ()
