"""Shim wheel -> this process: rebinds the toolkit's slots to the shims, and undoes it.

Nothing but the standard library is used here, and no other stage: an application ships gilgen and its
shim wheels, and needs neither a compiler nor headers.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib.machinery
import importlib.util
import itertools
import json
import os
import platform
import struct
import sys
import sysconfig
import threading
import time
import types
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, cast

from gilgen import claims, match
from gilgen.errors import ArtefactError, Busy, GilgenError, ToolkitNotFoundError, UnsupportedError
from gilgen.garbage import no_collection
from gilgen.manifest import Coverage, Definition, Guard, Library, Manifest, Shim

GUARDS: tuple[Guard, ...] = ("none", "object", "pipeline", "closure")
"""In the order of the native `Guard`."""

DRAIN_SECONDS = 5.0
"""How long `deactivate`, and a program that ends, wait for calls of other threads; an event loop may never return."""

SCHEMA = 5
"""Of the manifest; the same number as `store.SCHEMA`."""


@dataclass(frozen=True, slots=True)
class MethodStatus:
    """What became of one shim in this process.

    Attributes:
        python: the Python name.
        symbol: the C++ function's mangled name.
        bound: how many definitions of the function the shim stands before.
        released: calls from Python during which the GIL was released.
        guarded: calls whose wrapper had released the GIL already, and that claimed their objects.
        kept: calls that kept the GIL, as the plain wheel does, because whoever worked on the same objects was in a
            Python callback, or because no wrapped call was seen that could claim them.
        shortly: calls that kept it because they were expected to be over before a release would pay.
        passed: calls from C++ (counted only in shims built for counting).
        guard: what a call claims: "none", "object", "pipeline" or "closure".
    """

    python: str
    symbol: str
    bound: int
    released: int
    guarded: int
    kept: int
    shortly: int
    passed: int
    guard: Guard

    @property
    def calls(self) -> int:
        """All calls from Python that came to the shim, whatever became of the GIL."""
        return self.released + self.guarded + self.kept + self.shortly


@dataclass(frozen=True, slots=True)
class Wait:
    """Calls of one function that waited for calls of another on the same objects.

    Attributes:
        waiter: the function that waited, as Python has it.
        holder: the function that had claimed the objects.
        count: how often.
        seconds: how long, all together.
        longest_seconds: the longest of them.
        whole: how often the other had claimed the whole toolkit, because what it leads to cannot be known.
    """

    waiter: str
    holder: str
    count: int
    seconds: float
    longest_seconds: float
    whole: int = 0

    @property
    def advice(self) -> str:
        """What would make it faster."""
        if self.whole:
            return (
                f"{self.holder} had claimed the whole toolkit {self.whole} times: its objects existed before gilgen was activated, or are connected "
                "in ways that cannot be followed. Activate before the program makes objects."
            )
        return f"{self.waiter} and {self.holder} work on the same objects: give each thread its own copy, or ask gilgen.busy() before the call."


@dataclass(frozen=True, slots=True)
class ToolkitStatus:
    """What activation did for one toolkit.

    Attributes:
        active: its slots lead to the shims now.
        libraries: of its libraries that are loaded, how many were rebound.
        vtable_slots: how many stored addresses (vtable slots, mostly) were rebound.
        got_slots: how many call slots were rebound.
        skipped: slots left alone because what they held could not be confirmed.
        refused: loaded libraries left alone because they are not those that the shims were made for.
        refusals: what was wrong with them, a sentence each.
        inside: threads that run a released call now, or are in a callback of one.
        waiting: threads that wait now because another works on the same objects.
        gated: functions that Python enters through the gate.
        waited: calls that waited because others worked on the same objects.
        waited_seconds: how long they waited, all together.
        deferred: objects given up while another call used them, whose end was put off until that one's.
        shortly: releases left out because the call was expected to be short.
        claimed: calls that claimed their objects and released the GIL, by a shim or by their own wrapper.
        waits: which calls waited for which, the longest first.
        methods: one record a shim that stands before at least one function.
    """

    toolkit: str
    version: str
    active: bool
    libraries: int = 0
    vtable_slots: int = 0
    got_slots: int = 0
    skipped: int = 0
    refused: int = 0
    refusals: tuple[str, ...] = ()
    inside: int = 0
    waiting: int = 0
    gated: int = 0
    waited: int = 0
    waited_seconds: float = 0.0
    deferred: int = 0
    shortly: int = 0
    claimed: int = 0
    waits: tuple[Wait, ...] = ()
    methods: tuple[MethodStatus, ...] = ()


def activate(*toolkits: str, guard: Guard | Mapping[str, Guard] = "closure", busy: Literal["wait", "raise"] = "wait") -> None:
    """Release the GIL around the toolkits' blocking calls, from now on and in this process only.

    It works before or after the toolkit is imported; libraries that load later are rebound as they
    come. Activating what is active already picks up libraries that arrived otherwise.

    Args:
        toolkits: "vtk", "itk" or both; all whose shim wheel is installed when none is named.
        guard: what a running call claims, so that no other call meets it: "closure" (all that its objects lead to: as
            safe as the GIL), "pipeline" (the object and the filters upstream), "object", or "none". Less than
            "closure" is for programs that keep threads apart by themselves. Or globs of Python names with a level
            each, for example `{"vtkMyFilter.*": "object", "*": "closure"}`; the first that matches counts, and
            "closure" where none does. What the configuration chose when the shims were made stays, unless a glob
            other than `"*"` names it.
        busy: what a call does whose objects another thread's call has claimed: "wait" for it, without the GIL, or
            "raise" `gilgen.Busy`, for windows that must never wait.

    Raises:
        ToolkitNotFoundError: no shim wheel is installed for a toolkit, or the toolkit itself is not.
        StaleShimsError: the shims were made for another build of the toolkit; it says which check failed.
        UnsupportedError: this system, processor or Python is not one that shims can serve.
    """
    for level in guard.values() if isinstance(guard, Mapping) else (guard,):
        if level not in GUARDS:
            raise GilgenError(f"There is no guard {level!r}.", f"Take one of {', '.join(GUARDS)}.")
    _check_platform()
    names = toolkits or installed()
    if not names:
        raise ToolkitNotFoundError("No shim wheel is installed.", "Build and install some with `gilgen fix vtk itk`.")
    _refuse_gevent()
    with _lock, no_collection():
        loaded = [_load(name) for name in names]
        before = [shims for shims in loaded if shims.active]
        try:
            for shims in loaded:
                shims.activate(guard)
                shims.native.gilgen_raise_busy(ctypes.c_void_p(id(Busy) if busy == "raise" else None))
        except BaseException:
            for shims in loaded:
                if shims not in before:
                    shims.take_out()
            raise
        _watch_imports()
        _tell_children(guard, busy)


def deactivate(*toolkits: str) -> None:
    """Put the old values back into every slot, for the toolkits named or for all.

    Calls made from now on hold the GIL as the wheel's do. Those that other threads have under way are waited for,
    some seconds at most, so that the two do not meet on one object.
    """
    chosen = [_shims[name] for name in toolkits or tuple(_shims) if name in _shims]
    for shims in chosen:
        shims.drain(shims.native.gilgen_claimed_elsewhere)  # without the lock: a call under way may import a module
    with _lock:
        for shims in chosen:
            shims.take_out()
        if not any(shims.active for shims in _shims.values()):
            _watch_imports(stop=True)
            _tell_children(None)


def status(*toolkits: str) -> dict[str, ToolkitStatus]:
    """What is active in this process: a record for each toolkit named, or for all ever activated."""
    with _lock:
        return {name: shims.status() for name, shims in _shims.items() if not toolkits or name in toolkits}


def installed() -> tuple[str, ...]:
    """The toolkits whose shim wheel is installed in this environment."""
    return tuple(name for name in ("vtk", "itk") if importlib.util.find_spec(_package(name)) is not None)


def manifest_of(toolkit: str) -> Manifest:
    """The manifest of a toolkit's installed shim wheel.

    Raises:
        ToolkitNotFoundError: no shim wheel is installed for it.
        ArtefactError: the manifest is missing, damaged or of another gilgen.
    """
    return read_manifest(_folder(toolkit))


def _folder(toolkit: str) -> Path:
    """Where a toolkit's shim wheel is installed."""
    spec = importlib.util.find_spec(_package(toolkit)) if toolkit.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ToolkitNotFoundError(f"No shims for {toolkit!r} are installed.", f"Build and install them with `gilgen fix {toolkit}`.")
    return Path(spec.submodule_search_locations[0])


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a shim wheel, from the folder of its package.

    Raises:
        ArtefactError: it is missing, damaged or of another gilgen.
    """
    remake = "Build the shims again with `gilgen fix`."
    path = folder / "manifest.json"
    try:
        envelope = json.loads(path.read_bytes())
        if envelope["schema"] != SCHEMA:
            raise ArtefactError(f"{path} is of schema {envelope['schema']}; this gilgen reads {SCHEMA}.", remake)
        data = envelope["data"]
        libraries = tuple(Library(**library) for library in data.pop("libraries"))
        shims = tuple(_shim(**shim) for shim in data.pop("shims"))
        distributions = tuple(data.pop("distributions"))
        coverage = Coverage(**data.pop("coverage"))
        prepares = tuple(data.pop("prepares"))
        return Manifest(libraries=libraries, shims=shims, distributions=distributions, coverage=coverage, prepares=prepares, **data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactError(f"{path} is missing or damaged: {error}.", remake) from error


def _shim(definitions: list[dict[str, Any]], **fields: Any) -> Shim:
    return Shim(definitions=tuple(Definition(**definition) for definition in definitions), **fields)


# ------------------------------------------------------------------------------- the native side


class _Python(ctypes.Structure):
    _fields_ = (
        ("save", ctypes.c_void_p),
        ("restore", ctypes.c_void_p),
        ("current", ctypes.c_void_p),
        ("own", ctypes.c_void_p),
        ("finalizing", ctypes.c_void_p),
        ("ensure", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("current_is_own", ctypes.c_int),
    )


_DEFINITION = struct.Struct("<QIII4x")  # offset, size, code, library


class _Known(ctypes.Structure):
    _fields_ = (
        ("path", ctypes.c_char_p),
        ("build_id", ctypes.c_char_p),
        ("symbolic", ctypes.c_uint32),
        ("exact", ctypes.c_uint32),
        ("index", ctypes.c_uint32),
    )


_BOUND = ("libraries", "vtable", "got", "skipped", "refused", "hooks")


class _Bound(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in _BOUND)


class _Counts(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_uint64) for name in ("released", "guarded", "kept", "shortly", "passed")),
        ("bound", ctypes.c_uint32),
    )


MOST_PAIRS = 256
"""Of functions that waited and functions that were waited for: so many are counted apart."""


class _Pair(ctypes.Structure):
    _fields_ = (
        ("waiter", ctypes.c_char_p),
        ("holder", ctypes.c_char_p),
        ("count", ctypes.c_uint64),
        ("nanoseconds", ctypes.c_uint64),
        ("longest", ctypes.c_uint64),
        ("whole", ctypes.c_uint64),
    )


class _Waits(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("count", "nanoseconds", "deferred", "shortly", "claimed"))


class _Busy(ctypes.Structure):
    _fields_ = (("thread", ctypes.c_ulong), ("what", ctypes.c_char_p), ("since", ctypes.c_uint64))


class _PythonObjects(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_void_p) for name in ("dict_next", "is_subtype", "get_attribute", "fetch_error", "restore_error", "drop", "set_error", "function_type"))


def _address(*names: str) -> int:
    """Where the first of some functions of CPython's is that this version has."""
    for name in names:
        function = getattr(ctypes.pythonapi, name, None)
        if function is not None:
            return cast("int", ctypes.cast(function, ctypes.c_void_p).value)
    raise UnsupportedError(f"This Python lacks {names[0]}.", "Use CPython 3.11 or later.")


def _object_functions() -> _PythonObjects:
    """What is needed to see the objects of a wrapped call."""
    names = ("PyDict_Next", "PyType_IsSubtype", "PyObject_GetAttrString", "PyErr_Fetch", "PyErr_Restore", "Py_DecRef", "PyErr_SetString")
    return _PythonObjects(*map(_address, names), id(types.BuiltinFunctionType))


def _python_functions() -> _Python:
    """The addresses of the few functions of CPython that a shim calls."""
    return _Python(
        _address("PyEval_SaveThread"),
        _address("PyEval_RestoreThread"),
        _address("PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet"),
        _address("PyGILState_GetThisThreadState"),
        _address("Py_IsFinalizing", "_Py_IsFinalizing"),
        _address("PyGILState_Ensure"),
        _address("PyGILState_Release"),
        sys.version_info >= (3, 12),
    )


@dataclass(slots=True)
class _Shims:
    """The shim library of one toolkit in this process."""

    manifest: Manifest
    native: ctypes.PyDLL  # keeps the GIL: nobody imports or calls while slots are being written
    known: Any
    definitions: bytes
    active: bool = False
    bound: dict[str, int] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    gated: set[str] = field(default_factory=set)
    facts_told: bool = False
    measured: claims.Measured = field(init=False)

    def __post_init__(self) -> None:
        self.measured = claims.Measured(self.manifest.toolkit, self.manifest.package)

    def activate(self, guard: Guard | Mapping[str, Guard]) -> None:
        self.guards = tuple(_level(shim, guard) for shim in self.manifest.shims)
        everywhere = guard.get("*", "closure") if isinstance(guard, Mapping) else guard
        self.native.gilgen_set_guards(bytes(GUARDS.index(level) for level in self.guards), ctypes.c_uint8(GUARDS.index(everywhere)))
        late = not self.active and self.has_objects()
        if not self.facts_told:
            self.tell_facts()
        self.native.gilgen_gate_again(ctypes.c_uint8(late))
        self.active = True
        before = len(self.refusals())
        self.bind()
        if refusals := self.refusals()[before:]:
            raise match.stale(self.manifest, f"a loaded library is another one than it was: {'; '.join(refusals)}")

    def refusals(self) -> tuple[str, ...]:
        """Why loaded libraries were refused so far."""
        texts = map(self.native.gilgen_refusal, itertools.count())
        return tuple(os.fsdecode(text) for text in itertools.takewhile(lambda text: text is not None, texts))

    @property
    def modules(self) -> str:
        """How the names of the toolkit's extension modules begin, in `sys.modules`."""
        return f"{self.manifest.package}."

    def has_objects(self) -> bool:
        """Whether objects of the toolkit's exist, which may have been connected before the gate could see it."""
        roots = tuple(
            kind
            for name, module in tuple(sys.modules.items())
            if name.startswith(self.modules)
            for kind in (vars(module).get("vtkObjectBase"), vars(module).get("itkLightObject"))
            if isinstance(kind, type)
        )
        return bool(roots) and any(isinstance(one, roots) for one in gc.get_objects())

    def tell_facts(self) -> None:
        """Hand the native part what is known of the toolkit's methods and classes."""
        for fact in claims.facts(self.manifest.toolkit):
            self.native.gilgen_know(fact.what.encode(), fact.name.encode(), ctypes.c_int64(fact.number))
        for name in self.manifest.prepares:
            self.native.gilgen_know(b"prepares", name.encode(), ctypes.c_int64(-1))
        self.facts_told = True

    def bind(self, executed: Any = None) -> None:
        """Serve the libraries and modules that have arrived; `executed` is one that is still being imported, and whole."""
        new = self.native.gilgen_bind()
        for name in _BOUND:
            self.bound[name] = self.bound.get(name, 0) + getattr(new, name)
        self.gate(executed)

    def gate(self, executed: Any = None) -> None:
        """Put the gate before what has been imported since the last time."""
        for name, module in tuple(sys.modules.items()):
            if name in self.gated or not name.startswith(self.modules) or isinstance(getattr(module, "__loader__", None), _SOURCE):
                continue  # ITK's extension modules bring others with them, which have no loader at all
            if module is not executed and getattr(getattr(module, "__spec__", None), "_initializing", False):
                continue  # its functions are yet to come
            self.measure(module)
            if not self.native.gilgen_gate(ctypes.py_object(module.__dict__)):
                raise UnsupportedError("This system gives no memory that may be executed, which the gate needs.", "Allow it for this program, or run it without gilgen.")
            self.gated.add(name)

    def measure(self, module: Any) -> None:
        """Find out, from objects made for it, where the toolkit's objects hold pointers."""
        base, simple = getattr(module, "vtkObjectBase", None), getattr(module, "vtkObject", None)
        if base is not None and simple is not None:
            probe = simple()
            offset = claims.place_of(claims.address_of(probe), id(probe), base.__basicsize__)
            if offset is not None:
                self.native.gilgen_know_type(ctypes.py_object(base), ctypes.c_uint32(offset))
        for owner, offset in self.measured.take():
            for name in claims.mangled(owner):
                self.native.gilgen_know(b"member", name.encode(), ctypes.c_int64(offset))

    def end(self) -> None:
        """At the program's end: deactivate, and wait for calls of daemon threads that would have held the GIL.

        The plain wheel's program cannot end before such a call returns. One that is released would go on while C++ takes
        its globals down, and crash. What the plain wheel releases by itself is left to run, as there.
        """
        sys.setswitchinterval(min(sys.getswitchinterval(), 0.005))  # else a daemon thread may keep the GIL that it gets here
        self.drain(self.native.gilgen_held_elsewhere)
        self.take_out()

    def drain(self, others: Callable[[], int]) -> None:
        """Let no call release from now on, and wait some seconds at most until other threads have none under way."""
        self.native.gilgen_drain(ctypes.c_uint8(1))
        deadline = time.monotonic() + DRAIN_SECONDS
        while others() and time.monotonic() < deadline:
            time.sleep(0.002)

    def take_out(self) -> None:
        """Put the old values back."""
        self.native.gilgen_ungate()
        self.native.gilgen_unbind()
        self.native.gilgen_drain(ctypes.c_uint8(0))
        self.active = False
        self.bound.clear()

    def waits(self) -> tuple[Wait, ...]:
        """Which calls waited for which, the longest first."""
        pairs = (_Pair * MOST_PAIRS)()
        count = self.native.gilgen_pairs(pairs, ctypes.c_uint32(MOST_PAIRS))
        found = [Wait(os.fsdecode(p.waiter), os.fsdecode(p.holder), p.count, p.nanoseconds * 1e-9, p.longest * 1e-9, p.whole) for p in pairs[:count]]
        return tuple(sorted(found, key=lambda wait: -wait.seconds))

    def status(self) -> ToolkitStatus:
        counts = (_Counts * len(self.manifest.shims))()
        self.native.gilgen_counts(counts)
        methods = tuple(
            MethodStatus(
                shim.python, shim.symbol, count.bound, count.released, count.guarded, count.kept, count.shortly, count.passed, guard,
            )
            for shim, count, guard in zip(self.manifest.shims, counts, self.guards, strict=True)
            if count.bound
        )
        waits = self.native.gilgen_waits()
        return ToolkitStatus(
            toolkit=self.manifest.toolkit,
            version=self.manifest.version,
            active=self.active,
            libraries=self.bound.get("libraries", 0),
            vtable_slots=self.bound.get("vtable", 0),
            got_slots=self.bound.get("got", 0),
            skipped=self.bound.get("skipped", 0),
            refused=self.bound.get("refused", 0),
            refusals=self.refusals(),
            inside=self.native.gilgen_running(),
            waiting=self.native.gilgen_waiting(),
            gated=self.native.gilgen_gated() if self.active else 0,
            waited=waits.count,
            waited_seconds=waits.nanoseconds * 1e-9,
            deferred=waits.deferred,
            shortly=waits.shortly,
            claimed=waits.claimed,
            waits=self.waits(),
            methods=methods,
        )


_lock = threading.RLock()
"""Held while toolkits are activated, bound or asked. A forked child gets a new one: whoever held it is not there."""


def _new_lock() -> None:
    global _lock  # noqa: PLW0603 - the only way to leave a lock behind
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_new_lock)
_shims: dict[str, _Shims] = {}


def _level(shim: Shim, guard: Guard | Mapping[str, Guard]) -> Guard:
    """What the calls of one shim claim."""
    if isinstance(guard, Mapping):
        pattern = next((pattern for pattern in guard if fnmatchcase(shim.python, pattern)), None)
        if pattern is not None and pattern != "*":
            return guard[pattern]
        wanted = guard.get("*", "closure")
    else:
        wanted = guard
    return shim.guard if shim.guard_chosen or shim.guard == "none" else wanted


def _package(toolkit: str) -> str:
    return f"gilgen_shims_{toolkit}"


def _check_platform() -> None:
    if sys.platform != "linux" or platform.machine() not in {"x86_64", "aarch64"}:
        raise UnsupportedError(
            f"gilgen's shims run on Linux on x86-64 and aarch64, not on {sys.platform} on {platform.machine()}.",
            "The program runs without them; its calls hold the GIL as before.",
        )
    if sys.implementation.name != "cpython":
        raise UnsupportedError(f"gilgen's shims serve CPython, not {sys.implementation.name}.")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise UnsupportedError("This is a free-threaded Python: it has no GIL to release, and VTK compiles its own handling away.", "Nothing to do here.")


def _load(toolkit: str) -> _Shims:
    """Load a toolkit's shim library, once a process. Nothing is rebound yet."""
    with _lock:
        if toolkit in _shims:
            return _shims[toolkit]
        folder = _folder(toolkit)
        manifest = read_manifest(folder)
        if manifest.machine != platform.machine():
            raise UnsupportedError(f"These shims are for {manifest.machine}, this machine is {platform.machine()}.", f"Build them here with `gilgen fix {toolkit}`.")
        root = match.toolkit_root(manifest)
        bindable = match.check(manifest, root)
        path = folder / f"lib{_package(toolkit)}.so"
        try:
            native = ctypes.PyDLL(str(path))
        except OSError as error:
            raise ArtefactError(f"{path} cannot be loaded: {error}.", f"Build it again with `gilgen fix {toolkit}`.") from error
        try:
            native.gilgen_bind.restype = _Bound
            native.gilgen_method_count.restype = ctypes.c_uint32
            native.gilgen_definition_count.restype = ctypes.c_uint32
            native.gilgen_running.restype = ctypes.c_uint32
            native.gilgen_held_elsewhere.restype = ctypes.c_uint32
            native.gilgen_claimed_elsewhere.restype = ctypes.c_uint32
            native.gilgen_waiting.restype = ctypes.c_int32
            native.gilgen_refusal.restype = ctypes.c_char_p
            native.gilgen_gate.restype = ctypes.c_uint32
            native.gilgen_gated.restype = ctypes.c_uint32
            native.gilgen_pairs.restype = ctypes.c_uint32
            native.gilgen_waits.restype = _Waits
            native.gilgen_who_has.restype = _Busy
        except AttributeError as error:
            raise ArtefactError(f"{path} was built by another gilgen: {error}.", f"Build it again with `gilgen fix {toolkit}`.") from error
        definitions = [definition for shim in manifest.shims for definition in shim.definitions]
        if native.gilgen_method_count() != len(manifest.shims) or native.gilgen_definition_count() != len(definitions):
            raise ArtefactError(f"{path} and its manifest do not belong together.", f"Build them again with `gilgen fix {toolkit}`.")
        known = (_Known * len(bindable))(
            *(_Known(os.fsencode(library.path), library.build_id.encode(), library.symbolic, library.exact, library.index) for library in bindable)
        )
        functions = _python_functions()
        places = {library.path: index for index, library in enumerate(manifest.libraries)}
        packed = b"".join(_DEFINITION.pack(one.offset, one.size, one.code, places.get(one.library, len(places))) for one in definitions)
        objects = _object_functions()
        native.gilgen_start(ctypes.byref(functions), ctypes.byref(objects), known, len(known), packed)
        _shims[toolkit] = _Shims(manifest, native, known, packed)
        atexit.register(_shims[toolkit].end)
        return _shims[toolkit]


# ------------------------------------------------------------------------------------- who is busy


@dataclass(frozen=True, slots=True)
class Work:
    """A call that runs on an object, or on something that it leads to.

    Attributes:
        thread: whose call it is, as `threading.get_ident` has it.
        call: the function, as Python has it.
        seconds: since when.
    """

    thread: int
    call: str
    seconds: float


def busy(wrapped: Any) -> Work | None:
    """Who works on a wrapped object now, or on something that it leads to; None where nobody does.

    A window asks this before it calls a method that would have to wait. Another thread may begin between the question
    and the call: `activate(busy="raise")` makes such a call raise instead.
    """
    with _lock:
        for shims in _shims.values():
            found = shims.native.gilgen_who_has(ctypes.py_object(wrapped)) if shims.active else None
            if found is not None and found.thread:
                return Work(found.thread, os.fsdecode(found.what), time.monotonic() - found.since * 1e-9)
    return None


# -------------------------------------------------------------------------- other kinds of threads, and children


def _refuse_gevent() -> None:
    """Greenlets move the C stack under a call that comes back to Python; a call's claims belong to a real thread.

    Raises:
        UnsupportedError: gevent has taken the place of the standard library's threads.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise UnsupportedError(
            "gevent has patched the threading module: its greenlets switch inside callbacks of released calls, which gilgen cannot follow.",
            "Activate in a process without gevent's patches, for example a worker of a process pool.",
        )


_PLACE = "gilgen"
"""Where a process's configuration, which its children inherit, says what is active."""


class _Inherited:
    """What a spawned child unpickles before it does anything else: it then activates as its parent did."""

    def __init__(self, toolkits: tuple[str, ...], guard: Guard | Mapping[str, Guard], busy: str) -> None:
        self.arguments = (toolkits, guard, busy)

    def __reduce__(self) -> tuple[Callable[..., _Inherited], tuple[Any, ...]]:
        return _activate_child, self.arguments


def _activate_child(toolkits: tuple[str, ...], guard: Guard | Mapping[str, Guard], busy: Literal["wait", "raise"]) -> _Inherited:
    """In a child that was not forked; where it cannot be activated, it runs as it would without gilgen, and says so."""
    try:
        activate(*toolkits, guard=guard, busy=busy)
    except GilgenError as error:
        warnings.warn(f"This process runs without gilgen's shims, unlike its parent: {error}", RuntimeWarning, stacklevel=2)
    return _Inherited(toolkits, guard, busy)


def _tell_children(guard: Guard | Mapping[str, Guard] | None, busy: str = "wait") -> None:
    """Have children of this process, which multiprocessing may spawn, activate the same. None: nothing is active."""
    from multiprocessing import process  # noqa: PLC0415 - not needed before

    configuration = process.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001 - what children inherit
    if guard is None:
        configuration.pop(_PLACE, None)
    else:
        configuration[_PLACE] = _Inherited(tuple(name for name, shims in _shims.items() if shims.active), guard, busy)


# --------------------------------------------------------------------- libraries that load later

_SOURCE = (importlib.machinery.SourceFileLoader, importlib.machinery.SourcelessFileLoader)

_original: dict[str, Callable[..., Any]] = {}


def _watch_imports(*, stop: bool = False) -> None:
    """Rebind after every import of an extension module, which is how libraries arrive.

    The loader's own methods are wrapped, so that imports made by C++ and by the toolkits' lazy loaders
    are seen too, and no module looks any different.
    """
    loader = importlib.machinery.ExtensionFileLoader
    if stop:
        for name, function in _original.items():
            setattr(loader, name, function)
        _original.clear()
        return
    if _original:
        return
    for name in ("create_module", "exec_module"):
        _original[name] = getattr(loader, name)
        setattr(loader, name, _then_bind(_original[name]))


def _then_bind(function: Callable[..., Any]) -> Callable[..., Any]:
    def load(self: Any, argument: Any) -> Any:
        result = function(self, argument)
        with _lock:
            for shims in _shims.values():
                if shims.active:
                    shims.bind(argument if function.__name__ == "exec_module" else None)
        return result

    load.__name__, load.__qualname__, load.__doc__ = function.__name__, function.__qualname__, function.__doc__
    return load
