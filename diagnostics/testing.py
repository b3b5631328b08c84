"""Measuring inside of a test process: what the pytest plugin's fixture, marker and report are made of.

The window proof of `window`, made in the program under test itself. Two things differ from `diagnose`, where each call has
a process of its own. The program may have other Python threads, so the switch interval is only some seconds: long beside the
gaps that count, and nothing hangs for longer where one of these threads keeps the GIL until it is asked for it. And a thread
that computes meanwhile may be what kept the heartbeat out, so then only a release is proven.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from gilgen.diagnostics import controls, durations, gate, verdict, window
from gilgen.diagnostics.cases import Work, nothing
from gilgen.diagnostics.report.evidence import pieces
from gilgen.diagnostics.run import coverage, environment

from gilgen.activate import status
from gilgen.model import CaseResult, Report, Verdict, Window

Call = Callable[[], object]

INTERVAL = 5.0
"""The switch interval in seconds during the proof. A thread that waits for the GIL for so long is let in by the interpreter
itself, so a window in which nobody ran for about that long proves no release."""

FORCED = 0.9
"""Gaps of this share of the interval may have ended because the interpreter passed the GIL on."""

ROW_INTERVAL = window.HEARTBEAT
"""The switch interval in seconds for calls in a row: the heartbeat asks for the GIL soon, so that the shortest release shows
(see `window.IMPATIENT_INTERVAL`), and not so often that on a busy machine it waits for a processor all the time."""

BUSY = 0.1
"""The share of a measurement in which another Python thread of the program ran, or was ready to, from which it may have been
what kept the heartbeat out."""

PATIENCE = 12
"""At most so many windows of a call on a machine that is too busy to tell. A test should not fail because of that."""

CONTROL_SIZE = 400_000
"""How many words the known release and the known hold sort, or more where that takes too little time: they compute, so that a
busy machine cannot hide the hold."""

CONTROLS = ("sort-released", "sort-held")
"""Of the harness's controls those that run once a session: one function of the C library, called in two ways."""

PYTHON = "python"
"""Stands for the toolkit where a call is of none."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one test measured: verdicts, remarks on stalls, and the controls of its process."""

    results: tuple[CaseResult, ...] = ()
    remarks: tuple[str, ...] = ()
    controls: tuple[CaseResult, ...] = ()


@dataclass(slots=True)
class Notes:
    """What a test that is under way has measured so far."""

    results: list[CaseResult] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


class Session:
    """What the tests of one process share: the controls, what was measured, and that one measurement is made at a time."""

    def __init__(self) -> None:
        self.controls: tuple[CaseResult, ...] = ()
        self._notes: dict[str, Notes] = {}
        self._lock = threading.Lock()
        self._owner = 0
        self._watches: list[Watch] = []

    def notes(self, node: str) -> Notes:
        """Where a test writes down what it measures."""
        return self._notes.setdefault(node, Notes())

    def take(self, node: str) -> Measured | None:
        """What a test has measured, once; None where it measured nothing."""
        notes = self._notes.pop(node, None)
        return Measured(tuple(notes.results), tuple(notes.remarks), self.controls) if notes else None

    @contextlib.contextmanager
    def test(self, node: str) -> Iterator[Gil]:
        """What one test measures with. Where a measurement never comes back, the switch interval and the garbage collector are put back after it."""
        interval, collecting = sys.getswitchinterval(), gc.isenabled()
        try:
            yield Gil(self, node)
        finally:
            if self._lock.locked():
                sys.setswitchinterval(interval)
                if collecting:
                    gc.enable()
                self._lock = threading.Lock()

    def watch(self) -> Watch:
        """Watch the calling thread from now on, as a program runs every day; measurements made meanwhile do not count."""
        return Watch(self._watches)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One measurement, while no other is made."""
        if self._owner == threading.get_ident() and self._lock.locked():
            raise RuntimeError("a call that is being measured measures another one: measure them one after the other")
        lock = self._lock
        with lock, contextlib.ExitStack() as undo:
            self._owner = threading.get_ident()
            for watch in self._watches:
                undo.enter_context(watch.paused())
            undo.enter_context(_as_before())
            yield

    def distrust(self) -> str:
        """Why nothing that is measured here counts, in a sentence; empty where both controls read as they must."""
        if not self.controls:
            self.controls = tuple(_control(name) for name in CONTROLS)
        wrong = controls.failed(self.controls)
        told = "; ".join(f"{result.call} must read {controls.EXPECTED[result.case]!r} but reads {result.verdict!r} ({result.because})" for result in wrong)
        return f"this machine, or the harness on it, cannot be trusted now: {told}" if wrong else ""


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Put the switch interval and the garbage collector back at the end, whenever a signal's handler raised."""
    interval, collecting = sys.getswitchinterval(), gc.isenabled()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        if collecting:
            gc.enable()


def _control(name: str) -> CaseResult:
    """Measure a call whose answer is known, again where the machine was too busy to tell."""
    case = next(case for case in controls.CASES if case.name == name)
    size, attempts = CONTROL_SIZE, 0
    while True:
        proof = prove(case.make(size))
        found = judge(proof)
        if found.verdict == "too short" and size < case.limit:
            size *= 2  # on a fast machine
            continue
        attempts += 1
        if found.verdict != "unknown" or attempts >= window.WINDOWS:
            break
    return CaseResult(case.name, case.toolkit, case.call, shims=False, verdict=found.verdict, because=found.because, window=proof.window)


# ------------------------------------------------------------------------------------------- the proof


@dataclass(frozen=True, slots=True)
class Proof:
    """The window that let others run most.

    Attributes:
        busy: the program's other Python threads that computed meanwhile.
        forced: the interpreter itself may have passed the GIL on in it.
    """

    window: Window
    busy: tuple[str, ...] = ()
    forced: bool = False


def prove(work: Work, *, once: bool = False) -> Proof:
    """Measure a call: once where that tells, else up to twice `window.WINDOWS` times (`PATIENCE` on a busy machine), or many times in a row where it is short.

    Args:
        work: `reset` runs before each call.
        once: make the call a single time, whatever is seen.
    """
    __tracebackhide__ = True
    work.reset()
    first = _watched_call(work)
    found, count = [first], 1
    while not once and len(found) < PATIENCE:
        last = found[-1].window
        if last.duration < window.TOO_SHORT:
            longer = _longer(work, first.window, last, count)
            if longer == count:
                break
            found, count = [], longer
        elif found[-1].busy or (_tells(last) and (verdict.is_clear(last, len(found)) or len(found) >= 2 * window.WINDOWS)):
            break
        elif count > 1 and not _tells(last):
            count = min(window.ROW_LIMIT, 2 * count)  # the longer it is, the less the heartbeat's first wait for a processor hides
        work.reset()
        found.append(_watched_row(work, count) if count > 1 else _watched_call(work))
    # A call that has nothing left to do the second time says nothing then.
    long_enough = [proof for proof in (first, *found) if proof.window.duration >= window.TOO_SHORT and proof.window.calls >= min(count, 2)] or found
    return max(long_enough, key=lambda proof: (proof.window.covered, proof.window.ticks, proof.window.seen or 0.0))


def _tells(found: Window) -> bool:
    """Whether load left enough of a window to judge by."""
    return verdict.judge(found).verdict != "unknown"


def _longer(work: Work, first: Window, last: Window, count: int) -> int:
    """How many calls to make in a row instead of `count`, which were too short; `count` where more prove nothing."""
    if last.duration < first.processor / 2:
        return count  # it had more to do the first time
    if count == 1:
        return window.row_of(work, last.duration)
    more = round(count * window.ROW / max(last.duration, window.ROW / window.ROW_LIMIT))
    return min(window.ROW_LIMIT, max(2 * count, more))


def _watched_call(work: Work) -> Proof:
    proof = _watched(functools.partial(window.timed_call, work.call), INTERVAL, 1)
    return replace(proof, forced=proof.window.longest_gap >= FORCED * INTERVAL)


def _watched_row(work: Work, count: int) -> Proof:
    return _watched(functools.partial(window.timed_row, work.call, work.reset, count), ROW_INTERVAL, count)


def _watched(timed: Callable[[], tuple[float, float]], interval: float, calls: int) -> Proof:
    before, started = ready_times(), time.perf_counter()
    measured, _ = window.watch(timed, interval, calls=calls)
    seconds = time.perf_counter() - started
    after = ready_times()
    busy = (name for (thread, name), spent in after.items() if spent - before.get((thread, name), 0.0) > BUSY * seconds)
    return Proof(measured, tuple(sorted(busy)))


def ready_times() -> dict[tuple[int, str], float]:
    """For how many seconds each other Python thread of this process ran, or waited for a processor, by its number and name.

    From the kernel (schedstat, see `window.QueueTime`); empty where it does not tell.
    """
    times: dict[tuple[int, str], float] = {}
    for thread in threading.enumerate():
        if thread.native_id is None or thread is threading.current_thread() or isinstance(thread, window.Heartbeat):
            continue
        with contextlib.suppress(OSError, ValueError):
            text = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text(encoding="ascii")
            ran, queued = text.split()[:2]
            times[thread.native_id, thread.name] = (int(ran) + int(queued)) * 1e-9
    return times


def judge(proof: Proof) -> verdict.Judgement:
    """The verdict. Where other threads of the program computed meanwhile, only ticks prove anything."""
    found = verdict.judge(proof.window)
    if proof.forced and found.verdict in {"releases", "partly"}:
        found = verdict.Judgement("unknown", f"no other thread ran for {proof.window.longest_gap:.1f} s, after which the interpreter passes the GIL on by itself")
    if proof.busy and found.verdict in {"holds", "partly", "unknown"}:
        names = ", ".join(proof.busy)
        return verdict.Judgement("unknown", f"other Python threads of this program ran meanwhile and may have had the GIL ({names}); {found.because}")
    return found


# ------------------------------------------------------------------------------- what a test does


class Gil:
    """The fixture `gil`: proves in a test which calls let other Python threads run.

    Each call is a function without arguments, as a rule a method of a wrapped object, `reader.Update`. It is made in the
    calling thread: once where one call tells; again, up to three times, where it holds or the machine is busy; and many times in
    a row where it is short and runs no bytecode. What it raises is passed on.

    `reset` runs before each call, so that the call does its full work each time. By default that is `Modified()` of the object
    whose method is called, where it has one. `once=True` makes the call a single time, without that.
    """

    def __init__(self, session: Session, node: str) -> None:
        self._session = session
        self._node = node

    def measure(self, call: Call, *, name: str = "", reset: Call | None = None, once: bool = False) -> CaseResult:
        """Measure a call; the verdict with all evidence. It fails for nothing but what the call itself raises.

        Args:
            call: without arguments.
            name: what it is called in messages; by default what it is called in the program.
            reset: see the class.
            once: make the call a single time.
        """
        __tracebackhide__ = True
        with self._session.alone():
            distrust = self._session.distrust()
            proof = prove(Work(call, reset or (nothing if once else _reset_of(call))), once=once)
        found = verdict.Judgement("unknown", distrust) if distrust else judge(proof)
        toolkit = toolkit_of(call)
        notes = self._session.notes(self._node)
        case = f"{self._node} #{len(notes.results) + 1}" if notes.results else self._node
        result = CaseResult(
            case, toolkit, name or name_of(call), shims=is_active(toolkit), verdict=found.verdict, because=found.because, window=proof.window
        )
        notes.results.append(result)
        return result

    def assert_releases(self, *calls: Call, name: str = "", reset: Call | None = None, once: bool = False) -> None:
        """Fail, with the evidence, unless other threads can run during each of the calls."""
        __tracebackhide__ = True
        self._assert(calls, "releases", name=name, reset=reset, once=once)

    def assert_holds(self, *calls: Call, name: str = "", reset: Call | None = None, once: bool = False) -> None:
        """Fail, with the evidence, unless each of the calls keeps all other threads out."""
        __tracebackhide__ = True
        self._assert(calls, "holds", name=name, reset=reset, once=once)

    def max_stall(self, call: Call) -> float:
        """Make a call once, under the program's own switch interval: the longest time in seconds that others were kept out.

        What load on the machine may have added is left out, so it is that long at the least. Bytecode is no stall: the interpreter passes the GIL on every few milliseconds.
        """
        with self._session.watch() as watch:
            call()
        self._session.notes(self._node).remarks.append(f"{self._node}: {name_of(call)}: {watch.told()}.")
        return watch.stall

    def _assert(self, calls: tuple[Call, ...], wanted: Verdict, *, name: str, reset: Call | None, once: bool) -> None:
        __tracebackhide__ = True
        if not calls:
            raise TypeError("name at least one call")
        results = [self.measure(call, name=name, reset=reset, once=once) for call in calls]
        if wrong := [explain(result, wanted) for result in results if result.verdict != wanted]:
            raise AssertionError("\n\n".join(wrong))


def _reset_of(call: Call) -> Call:
    """What makes a wrapped object do its work again: VTK's and ITK's objects have `Modified`."""
    modified = getattr(getattr(call, "__self__", None), "Modified", None)
    return modified if callable(modified) else nothing


def name_of(call: Call) -> str:
    """What a call is called in the program: "vtkOBBTree.BuildLocator", or where a nameless function stands."""
    while isinstance(call, functools.partial):
        call = call.func
    name: str = getattr(call, "__name__", type(call).__name__)
    owner = getattr(call, "__self__", None)
    if owner is not None and not isinstance(owner, type(sys)):
        return f"{owner.__name__ if isinstance(owner, type) else type(owner).__name__}.{name}"
    code = getattr(call, "__code__", None)
    if name == "<lambda>" and code is not None:
        return f"lambda in {Path(code.co_filename).name}:{code.co_firstlineno}"
    return str(getattr(call, "__qualname__", name)).rpartition("<locals>.")[2]


def toolkit_of(call: Call) -> str:
    """The toolkit that a call is of, by the class of its object; "python" for all else."""
    while isinstance(call, functools.partial):
        call = call.func
    owner = getattr(call, "__self__", None)
    place = type(owner).__module__ if owner is not None and not isinstance(owner, type(sys)) else getattr(call, "__module__", None) or ""
    return {"vtkmodules": "vtk", "vtk": "vtk", "itk": "itk"}.get(place.partition(".")[0], PYTHON)


def is_active(toolkit: str) -> bool:
    """Whether a toolkit's shims are active in this process; for what is of no toolkit, whether any are."""
    return any(one.active for name, one in status().items() if toolkit in {name, PYTHON})


# ------------------------------------------------------------------------------------------- in words

VERBS: dict[Verdict, str] = {
    "releases": "releases the GIL", "holds": "holds the GIL", "partly": "holds the GIL for a part of its time", "too short": "is too short to tell",
    "unknown": "could not be judged",
}  # fmt: skip


def explain(result: CaseResult, wanted: Verdict) -> str:
    """Why an assertion failed: the verdict, the evidence behind it, and what to do."""
    lines = [f"{result.call} {VERBS.get(result.verdict, result.verdict)}, and this test asserts that it {VERBS[wanted]}.", f"  {result.because}"]
    lines += [f"  {fact.name}: {fact.value}" for piece in pieces(result) for fact in piece.facts]
    return "\n".join([*lines, *(f"  -> {line}" for line in _advice(result, wanted))])


def _advice(result: CaseResult, wanted: Verdict) -> Iterator[str]:
    """What to do about it."""
    if result.verdict == "too short":
        yield f"Give it more work: at least {durations.say(window.TOO_SHORT)}. Or pass a function of C itself, such as a wrapped method, which can be made many times in a row."
    elif result.verdict == "unknown":
        yield "Run the test again on a quieter machine, or with the program's other threads at rest."
    elif wanted == "releases" and result.toolkit != PYTHON:
        if not result.shims:
            yield f"gilgen's shims for {result.toolkit} are not active: pytest --gil-shims {result.toolkit}"
        if gate.can_explain(result.call):
            yield f"What the plan does with it, and why: gilgen explain {result.call}"
    elif wanted == "releases":
        yield "A call releases where its C code does (Py_BEGIN_ALLOW_THREADS). What the extension module does: gilgen audit MODULE"
    elif result.shims:
        yield "Shims of gilgen are active in this run. Without --gil-shims calls are as the wheels have them."


# ---------------------------------------------------------------------------------- every day's interval


class Watch:
    """The longest time that other threads were kept out while the block ran, as a program runs every day.

    Neither the switch interval nor the garbage collector is touched: what collects garbage keeps others out as well.

    Attributes:
        stall: that time in seconds, at the least: without all that load on the machine may have added.
        seconds: how long was watched.
        ticks: how often another thread ran.
    """

    def __init__(self, watches: list[Watch]) -> None:
        self.stall = 0.0
        self.seconds = 0.0
        self.ticks = 0
        self.proven = True
        self._watches = watches
        self._beat: window.Heartbeat | None = None
        self._start = 0.0
        self._before = 0.0

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._watches.append(self)
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Watch no longer."""
        self._end()
        self._watches.remove(self)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Look away: what happens inside does not count."""
        self._end()
        try:
            yield
        finally:
            self._begin()

    def told(self) -> str:
        """What was seen, in words."""
        return f"others were kept out for up to {durations.say(self.stall)} of {durations.say(self.seconds)}, and ran {self.ticks} times"

    def _begin(self) -> None:
        self._beat = window.Heartbeat()
        self._beat.start()
        deadline = time.monotonic() + window.ALIVE_TIMEOUT
        while len(self._beat.ticks) < 2 and time.monotonic() < deadline:  # noqa: PLR2004 - one full beat
            time.sleep(window.HEARTBEAT)
        self._before = self._load(self._beat)
        self._start = time.perf_counter()

    def _end(self) -> None:
        beat, end = self._beat, time.perf_counter()
        if beat is None:
            return
        self._beat = None
        deadline = time.monotonic() + window.ALIVE_TIMEOUT
        while not (beat.ticks and beat.ticks[-1].at > end) and time.monotonic() < deadline:  # the last gap ends with a tick
            time.sleep(window.HEARTBEAT)
        load = max(self._before, self._load(beat))
        beat.stop()
        found = window.read_ticks(beat.ticks, self._start, end, load)
        stall = gate.stall_in(found)
        self.seconds += found.duration
        self.ticks += found.ticks
        if stall.seconds > self.stall:
            self.stall, self.proven = stall.seconds, stall.proven

    @staticmethod
    def _load(beat: window.Heartbeat) -> float:
        """What load alone does, measured only where the kernel does not tell: the longest gap in seconds beside a known release."""
        if beat.ticks and not math.isnan(beat.ticks[-1].own):
            return 0.0
        return min(window.longest_gap(beat.ticks, *window.timed_reference()), window.NEVER)


# --------------------------------------------------------------------------------------- all tests' report


def report_of(found: list[Measured]) -> Report:
    """What the tests of a run measured, as one report. One of a control that failed makes all of it invalid."""
    results = {(result.toolkit, result.case, result.shims): result for measured in found for result in measured.results}
    shown: tuple[CaseResult, ...] = ()
    for measured in found:
        if not shown or controls.failed(measured.controls):
            shown = measured.controls or shown
    toolkits = sorted({result.toolkit for result in results.values()} - {PYTHON})
    return Report(
        environment=environment(toolkits),
        valid=not controls.failed(shown),
        controls=shown,
        results=tuple(results.values()),
        notices=("Measured inside of a program's own tests.", *(remark for measured in found for remark in measured.remarks)),
        coverage=coverage(toolkits),
    )
