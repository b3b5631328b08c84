"""Runs inside the profiled process: `python -m gilgen.diagnostics.profile.inside FOLDER OPTIONS PROGRAM [ARGUMENTS]`.

Two things are watched, at the program's own switch interval. A heartbeat notes the time about once a millisecond, and
the interpreter tells of every call of a C function (`sys.monitoring` from CPython 3.12 on, `sys.setprofile` before).
Each tick, and each such event, proves that its thread had the GIL at that time. Where nothing proves anything for
longer than `HOLD`, somebody kept the GIL: the thread of the last event, inside the call that it was making. What can
only be decided with a view from outside is written down with all candidates; `attribution` decides.

Only the standard library is imported here, and nothing that the program could miss or see changed.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType, FunctionType, MethodType
from typing import Any

from gilgen.diagnostics.profile.stream import Writer

from gilgen import naming

HEARTBEAT = 0.001
"""Seconds that the heartbeat sleeps between ticks."""

HOLD = 0.003
"""Seconds without a sign of any thread that count as a hold: two ticks missed. Shorter ones cannot be told from none."""

INTERVALS = 3
"""A thread that runs bytecode gives the GIL up when it was asked for one switch interval. Beside such threads only what
lasts so many intervals, for each of them, can be a hold at all where one of them was seen running."""

OVER = 0.001
"""Seconds: shorter calls are not written down."""

LOOPS_OVER = 0.02
"""Seconds of a hold after which it is worth a look which event loops it kept out."""

COLLECTION = "garbage collection"

IMPORT = "import"

clock = time.perf_counter

_MISSING = object()
_LIBRARY = tuple(
    {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), str(Path(os.__file__).parent), "<frozen"}
)
_IMPORTLIB = "<frozen importlib"
_INSTALLED = ("site-packages", "dist-packages")
_GILGEN = (os.path.dirname(naming.__file__) + os.sep, os.path.dirname(__file__) + os.sep)  # noqa: PTH120 - as frames spell it

Entry = tuple[float, Any, Any, CodeType, int]
"""A call that is under way: when it began, the function, its first argument, and the place in the code that calls it."""


class State:
    """One thread of the program: the calls of C functions that it is in, the innermost last, and whether it collects garbage."""

    __slots__ = ("collecting", "ident", "native", "stack")

    def __init__(self, ident: int, native: int) -> None:
        self.ident = ident
        self.native = native
        self.stack: list[Entry] = []
        self.collecting = False


HEART = State(0, 0)
"""Stands for the heartbeat."""


class Monitor:
    """What is known of the program's threads; writes down every hold and every call that takes its time."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.states: dict[int, State] = {}
        self.last: list[Any] = [clock(), HEART, HEART]  # time of the last sign, whose it was, whose the last of the program's
        self.errors = 0
        self.named: dict[int, str] = {}
        self.heart = 0
        self.on = True

    def state(self) -> State:
        """Of a thread that is seen for the first time."""
        state = State(_thread.get_ident(), _thread.get_native_id())
        self.states[state.ident] = state
        thread = threading._active.get(state.ident)  # type: ignore[attr-defined]  # noqa: SLF001 - `current_thread` would make one
        self.writer.write(["thread", state.native, thread.name if thread else ""])
        return state

    def sign(self, now: float, state: State, kind: str, frame: FrameType | None) -> None:
        """A thread had the GIL at a time. The fast paths below have the same lines in them."""
        last = self.last
        previous = last[0]
        if now > previous:
            began, program = last[1], last[2]
            last[0] = now
            last[1] = state
            if state is not HEART:
                last[2] = state
            if now - previous > HOLD:
                self.hold(previous, now, began, program, state, kind, frame)

    def hold(self, start: float, end: float, began: State, program: State, ended: State, kind: str, frame: FrameType | None) -> None:
        """Nobody gave a sign for longer than `HOLD`.

        Args:
            start: when the last sign was.
            end: when the one now came.
            began: whose sign was the last one.
            program: whose was the last one but for the heartbeat's.
            ended: whose is the one now.
            kind: of the sign now: "call", "return", "start" (of a Python function) or "tick".
            frame: where it comes from.
        """
        if not self.on:
            return
        try:
            frames = sys._current_frames()  # noqa: SLF001 - the documented way to other threads' stacks
            del frames[_thread.get_ident()]  # this very frame would keep itself, and with it all others and what they hold
            if frame is not None:
                frames[ended.ident] = frame
            candidates, suspects = self.threads_in(frames, program, ended, kind, frame)
            limit = max(HOLD, INTERVALS * sys.getswitchinterval() * len(suspects))
            if end - start <= limit and not any(inside for _, _, inside in candidates):
                return
            if began is not HEART and any(one[0] is program for one in candidates):
                candidates = [one for one in candidates if one[0] is program]
            found = [self.describe(*one) for one in candidates]
            if program.native not in self.named or (ended is not HEART and ended.native not in self.named):
                self.threads()
            loops = self.loops(frames) if end - start > LOOPS_OVER else {}
            strangers = any(ident not in self.states and ident != self.heart for ident in frames)
            self.writer.write(["hold", start, end, began.native, ended.native, found, loops, limit, suspects, strangers])
        except Exception:  # noqa: BLE001 - the program must not notice
            self.errors += 1

    def threads_in(
        self, frames: dict[int, FrameType], program: State, ended: State, kind: str, frame: FrameType | None
    ) -> tuple[list[tuple[State, FrameType, bool]], list[int]]:
        """The threads that may hold, each with its topmost frame and whether it is in C; and the numbers of those in bytecode."""
        candidates = []
        suspects = []
        for ident, state in list(self.states.items()):
            top, sign = (frame, kind) if state is ended else _beneath(frames.get(ident))
            if top is None:
                del self.states[ident]  # the thread has ended
                continue
            inside = _is_inside(state, top, sign)
            if not inside:
                suspects.append(state.native)
            if state is program or inside:
                candidates.append((state, top, inside))
        return candidates, suspects

    def describe(self, state: State, top: FrameType, inside: bool) -> list[Any]:  # noqa: FBT001
        """A candidate: its thread, the call that it is in, and the place that it was called from."""
        if not inside:
            return [state.native, "", "", *place(top), "", False]
        if state.collecting:
            return [state.native, COLLECTION, "", *place(top), "", True]
        _, function, first, code, _ = state.stack[-1]
        caller = _frame_of(top, code)
        name, toolkit, _ = self.name(function, first, caller)
        return [state.native, name, toolkit, *place(caller), self.loop(state), True]

    def name(self, function: Any, first: Any, caller: FrameType) -> tuple[str, str, str]:
        """As `naming.call_name`; what the import system calls is an import."""
        if caller.f_code.co_filename.startswith(_IMPORTLIB):
            return IMPORT, "", ""
        if first is _MISSING:
            first = caller.f_locals.get("self")
        return naming.call_name(function, first)

    def loop(self, state: State, depth: int = -1) -> str:
        """The event loop, other than asyncio's, that a thread runs outside its innermost call."""
        for _, function, first, _, _ in state.stack[:depth]:
            name = getattr(function, "__name__", "")
            if any(name in names for _, names in naming.LOOPS.values()):
                found, _, package = naming.call_name(function, None if first is _MISSING else first)
                if loop := naming.loop_of(found, package):
                    return loop
        return ""

    def loops(self, frames: dict[int, FrameType]) -> dict[int, str]:
        """Which threads run an event loop: a hold may have kept them out."""
        found = {}
        for ident, state in list(self.states.items()):
            if ident not in frames:
                continue
            frame: FrameType | None = frames[ident]
            while frame is not None:
                if frame.f_code.co_name == "run_forever" and "asyncio" in frame.f_code.co_filename:
                    found[state.native] = "asyncio"
                    break
                frame = frame.f_back
            else:
                if loop := self.loop(state, len(state.stack)):
                    found[state.native] = loop
        return found

    def called(self, state: State, entry: Entry, now: float, caller: FrameType) -> None:
        """A call has ended that took longer than `OVER`."""
        if not self.on:
            return
        try:
            name, toolkit, package = self.name(entry[1], entry[2], caller)
            if name == IMPORT and any(one[3].co_filename.startswith(_IMPORTLIB) for one in state.stack[:-1]):
                return  # one import, however many it takes
            loop, task = self.loop(state), ""
            if "asyncio.events" in sys.modules:
                loop, task = _asyncio(loop)
            inner = caller.f_code.co_filename
            idle = loop == "asyncio" and (os.sep + "asyncio" + os.sep in inner or inner.endswith(os.sep + "selectors.py"))
            if state.native not in self.named:
                self.threads()
            kind = naming.loop_of(name, package)
            record = ["call", state.native, entry[0], now, name, toolkit, *place(caller), "" if idle else loop, task, kind]
            self.writer.write(record)
        except Exception:  # noqa: BLE001 - as above
            self.errors += 1

    def threads(self) -> None:
        """Write down the names of threads that are new."""
        for thread in list(threading._active.values()):  # type: ignore[attr-defined]  # noqa: SLF001 - `enumerate` waits for a lock
            native = thread.native_id
            if native is not None and self.named.get(native) != thread.name:
                self.named[native] = thread.name
                self.writer.write(["thread", native, thread.name])


def _is_inside(state: State, top: FrameType, kind: str) -> bool:
    """Whether a thread was in C when the sign came, and not in bytecode that this C came back to."""
    if state.collecting:
        return True
    if not state.stack:
        return False
    code = state.stack[-1][3]
    if kind == "return":
        return True
    if kind == "call":
        return False
    if kind == "start" or (not kind and _begins(top)):
        return top.f_back is not None and top.f_back.f_code is code
    return top.f_code is code


def _begins(frame: FrameType) -> bool:
    """Whether a function is about to begin: it can lose the GIL even before that is told, at its first instruction that counts."""
    return frame.f_lasti <= 2 * (len(frame.f_code.co_cellvars) + bool(frame.f_code.co_freevars))


def _beneath(top: FrameType | None) -> tuple[FrameType | None, str]:
    """A thread's own topmost frame, and the kind of sign that it was about to give when it lost the GIL.

    Other threads that asked for the GIL get it where the functions below begin.
    """
    kind = ""
    while top is not None and top.f_code.co_filename == __file__:
        name = top.f_code.co_name
        if name == "on_event":
            kind = _KINDS.get(top.f_locals.get("event", ""), "call")
        else:
            kind = {"on_call": "call", "on_return": "return", "on_start": "start"}.get(name, kind)
        top = top.f_back
    return top, kind


def _frame_of(top: FrameType, code: CodeType) -> FrameType:
    frame: FrameType | None = top
    while frame is not None:
        if frame.f_code is code:
            return frame
        frame = frame.f_back
    return top


_libraries: dict[str, int] = {}


def _distance(file: str) -> int:
    """How far a file is from the user's own: 0 own, 1 an installed package, 2 the standard library or a toolkit, 3 this one."""
    known = _libraries.get(file)
    if known is None:
        if file.startswith(_GILGEN):
            known = 3
        elif any(f"{os.sep}{package}{os.sep}" in file for package in naming.PACKAGES):
            known = 2
        elif any(name in file for name in _INSTALLED):
            known = 1
        else:
            known = 2 if file.startswith(_LIBRARY) else 0
        _libraries[file] = known
    return known


def place(frame: FrameType) -> tuple[str, int, str]:
    """The place in the user's own program from which something was called: file, line, function."""
    best, nearest = frame, 4
    one: FrameType | None = frame
    while one is not None:
        distance = _distance(one.f_code.co_filename)
        if distance < nearest:
            best, nearest = one, distance
            if not distance:
                break
        one = one.f_back
    return best.f_code.co_filename, best.f_lineno or 0, best.f_code.co_name


def _asyncio(loop: str) -> tuple[str, str]:
    """The event loop that runs in this thread, and the task that it is running."""
    events, tasks = sys.modules["asyncio.events"], sys.modules.get("asyncio.tasks")
    running_loop = getattr(events, "_get_running_loop", None)  # asyncio may be about to be imported
    running = running_loop() if running_loop else None
    if running is None:
        return loop, ""
    current_task = getattr(tasks, "current_task", None)
    task = current_task(running) if current_task else None
    if task is None:
        return "asyncio", ""
    coroutine = getattr(task.get_coro(), "__qualname__", "")
    return "asyncio", f"{task.get_name()} {coroutine}".strip()


# ------------------------------------------------------------------------------- what the interpreter tells


def _profile(monitor: Monitor, state: State) -> Callable[[FrameType, str, Any], None]:
    """A profile function for one thread."""
    last, stack, hold, called = monitor.last, state.stack, monitor.hold, monitor.called

    def on_event(frame: FrameType, event: str, function: Any) -> None:
        if event == "return":
            return  # of a Python function: other signs are near
        now = clock()
        previous = last[0]
        if now > previous:
            began, program = last[1], last[2]
            last[0] = now
            last[1] = last[2] = state
            if now - previous > HOLD:
                hold(previous, now, began, program, state, _KINDS[event], frame)
        if event == "c_call":
            stack.append((now, function, _MISSING, frame.f_code, 0))
        elif stack and (event == "c_return" or event == "c_exception"):  # noqa: PLR1714 - three times as fast
            entry = stack[-1]
            if now - entry[0] > OVER:
                called(state, entry, now, frame)
            stack.pop()

    return on_event


_KINDS = {"c_call": "call", "c_return": "return", "c_exception": "return", "call": "start", "return": "call"}
"""The kinds of signs; a Python function that returns was running bytecode, as one that calls."""


def _start_profile(monitor: Monitor) -> Callable[[], bool]:
    """Through `sys.setprofile`; what is returned ends it, and tells whether it was still there."""

    def first_event(frame: FrameType, event: str, function: Any) -> None:
        own = _profile(monitor, monitor.state())
        sys.setprofile(own)
        own(frame, event, function)

    def stop() -> bool:
        mine = sys.getprofile()
        sys.setprofile(None)
        threading.setprofile(None)
        return getattr(mine, "__module__", "") == __name__

    threading.setprofile(first_event)
    sys.setprofile(_profile(monitor, monitor.state()))
    return stop


class _Own(threading.local):
    """Each thread's state; None in the heartbeat."""

    state: State | None


_OWN = _Own()


def _own_state(monitor: Monitor) -> State | None:
    """This thread's state, made at its first sign."""
    try:
        return _OWN.state
    except AttributeError:
        state = _OWN.state = monitor.state()
        return state


def _on_call(monitor: Monitor) -> Callable[[CodeType, int, Any, Any], None]:
    """A function is about to be called."""
    own, last, hold, getframe = _OWN, monitor.last, monitor.hold, sys._getframe  # noqa: SLF001

    def on_call(code: CodeType, offset: int, function: Any, first: Any) -> None:
        kind = type(function)
        if kind is FunctionType or (kind is MethodType and type(function.__func__) is FunctionType):
            return  # its start is an event, too
        now = clock()
        try:
            state = own.state
        except AttributeError:
            state = _own_state(monitor)
        if state is None:
            return
        previous = last[0]
        if now > previous:
            began, program = last[1], last[2]
            last[0] = now
            last[1] = last[2] = state
            if now - previous > HOLD:
                hold(previous, now, began, program, state, "call", getframe(1))
        state.stack.append((now, function, first, code, offset))

    return on_call


def _on_return(monitor: Monitor) -> Callable[[CodeType, int, Any, Any], None]:
    """A C function has returned, or raised."""
    own, last, hold, called, getframe = _OWN, monitor.last, monitor.hold, monitor.called, sys._getframe  # noqa: SLF001

    def on_return(code: CodeType, offset: int, _function: Any, _first: Any) -> None:
        now = clock()
        try:
            state = own.state
        except AttributeError:
            state = _own_state(monitor)
        if state is None or not state.stack:
            return
        entry = state.stack[-1]
        if entry[3] is not code or entry[4] != offset:
            if not _unwound(state.stack, code, offset):
                return
            entry = state.stack[-1]
        previous = last[0]
        if now > previous:
            began, program = last[1], last[2]
            last[0] = now
            last[1] = last[2] = state
            if now - previous > HOLD:
                hold(previous, now, began, program, state, "return", getframe(1))
        if now - entry[0] > OVER:
            called(state, entry, now, getframe(1))
        state.stack.pop()

    return on_return


def _unwound(stack: list[Entry], code: CodeType, offset: int) -> bool:
    """Take calls off the stack whose end was not told; false where that of the call at this place was not told to begin."""
    if not any(one[3] is code and one[4] == offset for one in stack):
        return False
    while stack[-1][3] is not code or stack[-1][4] != offset:
        stack.pop()
    return True


def _on_start(monitor: Monitor) -> Callable[[CodeType, int], None]:
    """A Python function begins; C may have called it."""
    own, last, hold, getframe = _OWN, monitor.last, monitor.hold, sys._getframe  # noqa: SLF001

    def on_start(_code: CodeType, _offset: int) -> None:
        now = clock()
        try:
            state = own.state
        except AttributeError:
            state = _own_state(monitor)
        if state is None:
            return
        previous = last[0]
        if now > previous:
            began, program = last[1], last[2]
            last[0] = now
            last[1] = last[2] = state
            if now - previous > HOLD:
                hold(previous, now, began, program, state, "start", getframe(1))

    return on_start


def _start_monitoring(monitor: Monitor) -> Callable[[], bool]:
    """Through `sys.monitoring`, which sees every thread; what is returned ends it."""
    monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    tool = next(number for number in (2, 5, 3, 4) if monitoring.get_tool(number) is None)
    monitoring.use_tool_id(tool, "gilgen profile")
    events = monitoring.events
    returned = _on_return(monitor)
    callbacks = {events.CALL: _on_call(monitor), events.C_RETURN: returned, events.C_RAISE: returned, events.PY_START: _on_start(monitor)}
    for event, callback in callbacks.items():
        monitoring.register_callback(tool, event, callback)
    monitoring.set_events(tool, events.CALL | events.PY_START)

    def stop() -> bool:
        monitoring.set_events(tool, 0)
        for event in callbacks:
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
        return True

    return stop



# ------------------------------------------------------------------------------------------ the heartbeat


class Heart:
    """The heartbeat: a thread that Python's `threading` does not list, so that the program finds what it always finds."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._beating = False
        self._native = 0

    def start(self) -> None:
        """Begin to beat."""
        self._native = 0
        self._beating = True
        _thread.start_new_thread(self._beat, ())

    def stop(self) -> None:
        """Stop, and wait until the thread is gone."""
        deadline = clock() + 1.0
        while not self._native and clock() < deadline:
            time.sleep(0.0002)
        self._beating = False
        task = f"/proc/self/task/{self._native}"
        while os.path.exists(task) and clock() < deadline:  # noqa: PTH110 - ten times as fast
            time.sleep(0.0002)

    def end(self) -> None:
        """Stop after the next tick; nobody waits for it."""
        self._beating = False

    def _beat(self) -> None:
        _OWN.state = None
        monitor = self._monitor
        monitor.heart = _thread.get_ident()
        monitor.states.pop(monitor.heart, None)
        native = self._native = _thread.get_native_id()
        monitor.writer.write(["heart", native])
        handle = _open(f"/proc/self/task/{native}/schedstat")
        previous, (delayed, runs), turns = clock(), _scheduled(handle), 0
        monitor.sign(previous, HEART, "tick", None)
        while self._beating:
            time.sleep(HEARTBEAT)
            now = clock()
            monitor.sign(now, HEART, "tick", None)
            monitor.writer.beat(now)
            delay, ran = _scheduled(handle)
            turns += 1
            if now - previous > HOLD or not turns % 100:
                monitor.threads()
                if now - previous > HOLD:
                    monitor.writer.write(["gap", previous, now, delay - delayed, ran - runs])
            previous, delayed, runs = now, delay, ran
        if handle >= 0:
            os.close(handle)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return -1


def _scheduled(handle: int) -> tuple[float, int]:
    """How many seconds a thread has waited for a processor, and how often it got one (Linux: Documentation/scheduler/sched-stats)."""
    words = os.pread(handle, 128, 0).split() if handle >= 0 else []
    return (int(words[1]) / 1e9, int(words[2])) if len(words) > 2 else (0.0, 0)  # noqa: PLR2004 - there are three


# ----------------------------------------------------------------------------------------------- all of it


class Profile:
    """The profile of this process, from `start` to `stop`. A forked child is not profiled."""

    def __init__(self, folder: Path) -> None:
        self.monitor = Monitor(Writer(folder))
        self.heart = Heart(self.monitor)
        self._stop: Callable[[], bool] = lambda: True

    def start(self) -> None:
        """Begin to watch."""
        self.monitor.writer.write(["begin", clock(), os.getpid(), sys.path])
        os.register_at_fork(before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._in_child)
        atexit.register(self.stop)
        gc.callbacks.append(self._on_collection)
        self.monitor.threads()
        self.heart.start()
        self._stop = _start_monitoring(self.monitor) if sys.version_info >= (3, 12) else _start_profile(self.monitor)

    def stop(self) -> None:
        """Watch no longer, and say how it went."""
        if not self.monitor.on:
            return
        still = self._stop()
        self.monitor.on = False
        self.heart.end()
        self.monitor.threads()
        self.monitor.writer.write(["end", clock(), still, self.monitor.errors])
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)

    def _before_fork(self) -> None:
        if self.monitor.on:
            self.heart.stop()  # Python warns of a fork beside other threads

    def _after_fork(self) -> None:
        if self.monitor.on:
            self.heart.start()

    def _in_child(self) -> None:
        if self.monitor.on:
            self.monitor.on = False
            self._stop()

    def _on_collection(self, phase: str, _: dict[str, int]) -> None:
        # The calls that this itself makes are told like the program's own, so it must not touch the stack.
        state = self.monitor.states.get(_thread.get_ident())
        if state is not None:
            state.collecting = phase == "start"
