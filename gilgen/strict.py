"""Strict mode: warns of races that activation makes possible.

While one thread is inside a released call, another may call a method without a shim on the same object, or on a
filter upstream of it. The GIL used to keep the two apart; now nothing does. Strict mode looks at every call of a C
function that Python makes (`sys.monitoring` from CPython 3.12 on, `sys.setprofile` before), and where its object
is one that another thread works on, it warns: once for each method, with both stacks.

It is for finding races in tests, and it costs (bench/RESULTS.md). What it does not see: properties
(`sphere.radius = 2`), objects that are only passed as arguments, what C++ does by itself, and on CPython 3.11
threads that ran before activation, but for the one that activates.
"""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType, ModuleType
from typing import Any

from gilgen import naming

TOOL_ID = 4
"""Which of `sys.monitoring`'s tools this is: 0 to 3 and 5 are meant for debuggers, coverage, profilers and optimisers."""


class RaceWarning(RuntimeWarning):
    """A method without a shim was called on an object that another thread has inside a released call."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What strict mode needs to know of one toolkit's active shims.

    Attributes:
        inside: the two counts of threads that are inside a shim, live.
        holder: the thread inside a call that works on the object at an address; 0 where none is.
        methods: Python names of the methods whose calls take the guard.
    """

    inside: Any
    holder: Callable[[int], int]
    methods: frozenset[str]


_active: dict[str, Guarded] = {}
_warned: set[str] = set()


def start(toolkit: str, guarded: Guarded) -> None:
    """Watch the calls of Python code on objects of a toolkit."""
    _active[toolkit] = guarded
    if len(_active) > 1:
        return
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        monitoring.use_tool_id(TOOL_ID, "gilgen strict mode")
        monitoring.register_callback(TOOL_ID, monitoring.events.CALL, _on_call)
        monitoring.set_events(TOOL_ID, monitoring.events.CALL)
    else:
        sys.setprofile(_on_event)
        threading.setprofile(_on_event)


def stop(toolkit: str) -> None:
    """Watch no longer; warnings that were given are not given again."""
    if _active.pop(toolkit, None) is None or _active:
        return
    if sys.version_info >= (3, 12):
        monitoring = sys.monitoring
        monitoring.set_events(TOOL_ID, 0)
        monitoring.register_callback(TOOL_ID, monitoring.events.CALL, None)
        monitoring.free_tool_id(TOOL_ID)
    else:
        sys.setprofile(None)
        threading.setprofile(None)


def _on_event(frame: FrameType, event: str, function: Any) -> None:
    """From `sys.setprofile`."""
    if event == "c_call" and _anyone_inside():
        owner = getattr(function, "__self__", None)
        # SWIG's functions belong to a module; the proxy that calls one has the object as its own `self`.
        _look(function, frame.f_locals.get("self") if isinstance(owner, ModuleType) else owner)


def _on_call(_code: object, _offset: int, function: Any, first: Any) -> None:
    """From `sys.monitoring`, where `first` is the first argument."""
    if _anyone_inside():
        owner = getattr(function, "__self__", None)
        _look(function, first if owner is None or isinstance(owner, ModuleType) else owner)


def _anyone_inside() -> bool:
    return any(guarded.inside[0] or guarded.inside[1] for guarded in _active.values())


def _look(function: Any, owner: Any) -> None:
    address = _address(owner)
    if not address:
        return
    for guarded in _active.values():
        holder = guarded.holder(address)
        if holder not in {0, threading.get_ident()}:
            _warn(guarded, type(owner), getattr(function, "__name__", ""), holder)


def _address(owner: Any) -> int:
    """Where a wrapped object lies: VTK says it in `__this__` ("_000055d0c4b01c60_p_vtkAlgorithm"), SWIG by `int(this)`; 0 for anything else."""
    this = getattr(owner, "__this__", None)
    if isinstance(this, str):
        return int(this.split("_")[1], 16)
    pointer = getattr(owner, "this", None)
    return int(pointer) if pointer is not None and type(pointer).__name__ == "SwigPyObject" else 0


def _warn(guarded: Guarded, kind: type, function: str, holder: int) -> None:
    bases = [base.__name__ for base in kind.__mro__]
    method = naming.method_of(function, kind)
    if any(f"{base}.{method}" in guarded.methods for base in bases):
        return
    name = f"{kind.__name__}.{method}"
    if name in _warned:
        return
    _warned.add(name)
    other = sys._current_frames().get(holder)  # noqa: SLF001 - the documented way to another thread's stack
    depth, frame = 1, sys._getframe()  # noqa: SLF001
    while frame.f_back and frame.f_code.co_filename == __file__:
        depth, frame = depth + 1, frame.f_back
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    theirs = "".join(traceback.format_stack(other)) if other else "  (it has no Python stack)\n"
    mine = "".join(traceback.format_stack(frame))
    message = (
        f"{name} has no shim, and was called on an object that another thread works on inside a released call.\n"
        f"{names.get(holder, holder)}, inside the call:\n{theirs}{threading.current_thread().name}, calling {name}:\n{mine}"
        "Wait for the call to end first, or keep the two apart with a lock."
    )
    warnings.warn(message, RaceWarning, stacklevel=depth)
