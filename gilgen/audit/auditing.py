"""Package -> Audit: what every wrapper does about the GIL, by the machine code alone.

Nothing is imported, nothing is called, and no header is needed.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import msgspec
import numpy as np

from gilgen.audit import compare, elf, overloads, package, paths, reach
from gilgen.audit.code import Code
from gilgen.audit.records import Audit, Evidence, Module, State, Wrapper
from gilgen.audit.tables import Entry, Tables
from gilgen.errors import ArtefactError, GilgenError
from gilgen.garbage import no_collection

FAMILIES = {
    "pybind11": (b"__pybind11_", b"pybind11_builtins"),
    "nanobind": (b"nb_internals", b"nanobind::"),
    "cython": (b"__pyx_capi__", b"cython_runtime"),
}
"""Words that the generators of wrappers leave in what they make."""

RUN_TIME_TABLES = {"pybind11", "nanobind"}
"""Families whose modules make their method tables at run time: only the whole module can be decided."""

OBSERVING = {"vtk": "AddObserver", "swig": "cast"}
"""A method that only classes have whose heirs take callbacks, by family: what calls such an object may call Python.

VTK's classes inherit AddObserver from vtkObject. ITK's wrapping gives each class of reference-counted objects,
which may be observed, a `cast` of its own.
"""

MOST_WORKERS = 8
WORTH_WORKERS = 64 << 20
"""Bytes of libraries from which more than one process pays."""

VECTORCALL = "PyVectorcall_Call"

CALLING = frozenset({
    "PyObject_Call", "PyObject_CallObject", "PyObject_CallFunction", "PyObject_CallFunctionObjArgs", "PyObject_CallMethod",
    "PyObject_CallMethodObjArgs", "PyObject_CallNoArgs", "PyObject_CallOneArg", "PyObject_Vectorcall", "PyObject_VectorcallDict",
    "PyObject_VectorcallMethod", "_PyObject_Vectorcall", "_PyObject_FastCall", "PyEval_CallObjectWithKeywords", "PyEval_EvalCode",
    "PyRun_String", "PyRun_StringFlags", "PyRun_SimpleString", "PyImport_ImportModule",
})  # fmt: skip
"""CPython's functions that run what may be Python (Include/cpython/abstract.h, Include/ceval.h)."""

OFFERING = (
    "PyModule_Create", "PyModule_Create2", "PyModuleDef_Init", "PyType_Ready", "PyType_FromSpec", "PyType_FromSpecWithBases",
    "PyType_FromModuleAndSpec", "PyCFunction_NewEx", "PyCMethod_New",
)  # fmt: skip
"""CPython's functions, one of which a library needs to offer anything to Python."""

HOLDS: State = "holds"

MACHINES = {"x64": "x86_64", "AArch64": "aarch64"}

Say = Callable[[str], object]


def audit(target: package.Package, say: Say = lambda _: None) -> Audit:
    """Decide for every wrapper of a package whether it can release the GIL.

    Args:
        target: its libraries.
        say: called with the name of each library that was finished.

    Raises:
        ArtefactError: a library is not one that can be read, or none is an extension module.
    """
    with no_collection():
        return _audit(target, say)


def releasing(target: package.Package, wanted: Callable[[str], bool]) -> dict[str, State]:
    """The wrappers of a package that may release, as far as they are `wanted`: Python name -> what all its overloads do.

    Args:
        target: its libraries.
        wanted: asked with each wrapper's name, "Class.Method"; libraries without a wanted one are not read further.

    Raises:
        ArtefactError: a library is not one that can be read.
    """
    with no_collection():
        work = _Package(target, wanted)
        found: dict[str, set[State]] = {}
        for name in list(work.reaches):
            for wrapper in work.part(name).wrappers:
                if wrapper.kind in {"method", "function"} and wanted(wrapper.name):
                    found.setdefault(wrapper.name, set()).add(wrapper.verdict)
    return {name: verdict for name, verdicts in found.items() if (verdict := compare.together(verdicts)) != "holds"}


def _audit(target: package.Package, say: Say) -> Audit:
    work = _Package(target)
    parts = []
    for name, part in _parts(work):
        parts.append(part)
        say(name)
    parts.sort(key=lambda part: part.library)
    modules = tuple(part.module for part in parts if part.module is not None)
    wrappers = tuple(wrapper for part in parts for wrapper in part.wrappers)
    if not modules:
        raise ArtefactError(f"{target.name} has no extension module of Python.", "Name a package, a wheel or a module that has one.")
    observed = _observed(parts)
    for wrapper in wrappers:
        wrapper.may_call_python = wrapper.may_call_python or wrapper.owner in observed
    counts: dict[str, int] = dict(Counter(str(wrapper.verdict) for wrapper in wrappers))
    counts["methods"] = sum(part.methods for part in parts)
    return Audit(target.name, target.version, work.machine, counts, modules, wrappers, tuple(work.notices))


class _Part(msgspec.Struct):
    """What one library adds to the audit.

    Attributes:
        library: its name.
        module: its module; None where it offers nothing to Python.
        wrappers: their records.
        methods: entries of its method tables.
        bases: its classes and their bases.
        observing: its classes that have a method to add observers, or inherit it within the library.
    """

    library: str
    module: Module | None = None
    wrappers: list[Wrapper] = []
    methods: int = 0
    bases: dict[str, str] = {}
    observing: set[str] = set()


def _parts(work: _Package) -> Iterator[tuple[str, _Part]]:
    """Every library's part, those with the most to do first, in two processes or more where that is possible."""
    names = sorted(work.libraries, key=lambda name: (name not in work.reaches, -work.libraries[name].size))
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS, len(names))
    if workers == 1 or threading.active_count() > 1 or sum(work.libraries[name].size for name in names) < WORTH_WORKERS:
        for name in names:
            yield name, work.part(name)
        return
    global _forked  # noqa: PLW0603 - what the workers inherit
    _forked = work
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
            for name, encoded in zip(names, pool.map(_part_of_forked, names), strict=True):
                yield name, msgspec.msgpack.decode(encoded, type=_Part)
    except BrokenProcessPool as error:
        raise GilgenError("A process that read a library was ended, most likely for lack of memory.", "Audit fewer packages at once, or on a larger machine.") from error
    finally:
        _forked = None


_forked: _Package | None = None


def _part_of_forked(name: str) -> bytes:
    assert _forked is not None  # noqa: S101 - set before the fork
    return msgspec.msgpack.encode(_forked.part(name))


def _observed(parts: list[_Part]) -> set[str]:
    """The classes whose methods may call observers: those that can have them, or inherit from one that can."""
    bases = {heir: base for part in parts for heir, base in part.bases.items()}
    found = {owner for part in parts for owner in part.observing} - {"", "?"}
    for heir in bases:
        chain, last = {heir}, heir
        while last not in found and (base := bases.get(last, "")) and base not in chain:
            chain.add(base)
            last = base
        if last in found:
            found |= chain
    return found


class _Package:
    """The libraries of a package while they are audited."""

    def __init__(self, target: package.Package, wanted: Callable[[str], bool] | None = None) -> None:
        self._wanted = wanted
        self.notices: list[str] = []
        self.libraries = self._opened(target)
        machines = {library.machine for library in self.libraries.values()}
        self.machine = MACHINES[next(iter(machines))] if len(machines) == 1 else "several"
        self._codes: dict[str, Code] = {}
        self._tables: dict[str, Tables] = {}
        self.unreadable: dict[str, str] = {}
        self.reaches: dict[str, reach.Reach] = {}
        self._find_reach()

    def _opened(self, target: package.Package) -> dict[str, elf.Library]:
        """The libraries. Of what only bears the name of one, such as a linker's script, there is a notice."""
        found = {}
        for name, path in target.libraries.items():
            if len(target.libraries) > 1 and _magic(path) not in {elf.MAGIC, b""}:
                self.notices.append(f"Not audited: {name} is no library.")
            else:
                found[name] = elf.Library(path)
        if not found:
            raise ArtefactError(f"{target.name} has no library that can be read.", "Name a package, a wheel or a module that has one.")
        return found

    def code(self, name: str) -> Code:
        """A library's code, read once."""
        if name not in self._codes:
            self._codes[name] = Code(self.libraries[name])
        return self._codes[name]

    def tables(self, name: str) -> Tables:
        """A library's tables, read once."""
        if name not in self._tables:
            self._tables[name] = Tables(self.libraries[name], functools.partial(self.code, name), free_threaded=package.is_free_threaded(name))
        return self._tables[name]

    def _find_reach(self) -> None:
        """Follow releases through the libraries until no library offers another one."""
        wanted, new = set(reach.RELEASING), set(reach.RELEASING)
        while new:
            offered: set[str] = set()
            for name, library in self.libraries.items():
                if not library.mentions(new) or name in self.unreadable or not self._is_wanted(name):
                    continue
                try:
                    found = reach.within(self.code(name), self.tables(name), frozenset(wanted))
                except GilgenError as error:
                    self.unreadable[name] = str(error).partition("\n")[0]
                    continue
                self.reaches[name] = found
                offered |= found.exported()
            new = offered - wanted
            wanted |= new
        self.offered = wanted

    def _is_wanted(self, name: str) -> bool:
        """Whether a library has a wrapper that was asked for; libraries without any wrappers always count."""
        if self._wanted is None or not self._is_module(name):
            return True
        tables = self.tables(name)
        family = self._family(name, tables)
        return any(self._wanted(f"{owner}.{method}") for owner, method, _ in (overloads.described(entry, family, tables) for entry in tables.entries()))

    def part(self, name: str) -> _Part:
        """What one library adds; afterwards the library is forgotten: the largest hold a million pointers."""
        part = _Part(name)
        found = self.module(name)
        if found is not None:
            part.module, part.wrappers = found
            tables = self.tables(name)
            part.methods = sum(len(methods) for start, methods in tables.methods.items() if start in tables.owners or not tables.uses_vtk)
            part.bases = tables.vtk_bases
            mark = OBSERVING.get(part.module.family)
            part.observing = {wrapper.owner for wrapper in part.wrappers if wrapper.method == mark}
        self._tables.pop(name, None)
        self._codes.pop(name, None)
        self.reaches.pop(name, None)
        self.libraries[name].close()
        return part

    def _is_module(self, name: str) -> bool:
        return self.libraries[name].mentions(OFFERING)

    def module(self, name: str) -> tuple[Module, list[Wrapper]] | None:
        """What one library offers to Python; None where it offers nothing."""
        if not self._is_module(name):
            return None
        tables = self.tables(name)
        entries = list(tables.entries())
        family = self._family(name, tables)
        module = package.module_name(name)
        is_module = self.libraries[name].mentions([f"PyInit_{module.rpartition('.')[2]}"])
        if not entries and not is_module:
            return None
        library = self.libraries[name]
        releasing = library.mentions(reach.RELEASING)
        if name in self.unreadable:
            whole: tuple[State, str] = "undecidable", self.unreadable[name]
        elif name not in self.reaches:
            whole = "holds", "it imports nothing that releases"
        elif family in RUN_TIME_TABLES:
            whole = "undecidable", f"{family} makes its tables at run time, and something in the module releases"
        elif self.reaches[name].sure:
            whole = "releases", "some of its functions release" if releasing else "some of its functions end in what releases"
        else:
            whole = "holds", "nothing in it calls what releases"
        wrappers = list(self._wrappers(name, module, family, entries, whole))
        if not entries or family in RUN_TIME_TABLES:
            if not entries and whole[0] == "releases":
                whole = "undecidable", "no method table was found in it: it makes them at run time, and something in it releases"
            wrappers.append(Wrapper(module, "", "*", "module", "", whole[0], whole[1], may_call_python=False, evidence=Evidence(name)))
        return Module(module, name, family, whole[0], whole[1], len(wrappers)), wrappers

    def _family(self, name: str, tables: Tables) -> str:
        if tables.uses_vtk:
            return "vtk"
        if tables.uses_swig:
            return "swig"
        return next((family for family, marks in FAMILIES.items() if self.libraries[name].contains(marks)), "cpython")

    def _wrappers(self, name: str, module: str, family: str, entries: list[Entry], whole: tuple[State, str]) -> Iterable[Wrapper]:
        found = self.reaches.get(name)
        judge = paths.Judge(found, self.tables(name)) if found is not None else None
        indices = _indices(found.code, entries) if found is not None else [-1] * len(entries)
        calling = self._calling(name, family)
        verdict, reason = whole if found is None else (HOLDS, "nothing that it directly reaches releases")
        for entry, index in zip(entries, indices, strict=True):
            owner, method, signatures = overloads.described(entry, family, self.tables(name))
            draft = Wrapper(
                module, owner, method, entry.kind, "", verdict, reason, may_call_python=entry.function in calling, evidence=Evidence(name, f"{entry.function:#x}")
            )
            if entry.function >= elf.FOREIGN:
                foreign = self._foreign(name, draft)
                yield from (msgspec.structs.replace(foreign, overload=overload) for overload in signatures)
            elif found is None or judge is None or (index >= 0 and index not in found.sure and index not in found.loose):
                for overload in signatures:
                    yield draft if not overload else msgspec.structs.replace(draft, overload=overload)
            else:
                yield from _released(found, judge, entry, index, draft, signatures, family)

    def _calling(self, name: str, family: str) -> frozenset[int]:
        """The functions of a module that directly reach a call of Python's; not asked where observers tell."""
        if family in {"vtk", "swig"} or not self.libraries[name].mentions(CALLING):
            return frozenset()
        try:
            code = self.code(name)
            found = reach.within(code, self.tables(name), CALLING)
        except GilgenError:
            return frozenset()
        return frozenset(int(code.starts[index]) for index in found.sure)

    def _foreign(self, name: str, draft: Wrapper) -> Wrapper:
        """The record of a table's entry that is another library's function."""
        symbol = self.libraries[name].names()[int(draft.evidence.function, 16) - elf.FOREIGN]
        verdict: State
        if symbol in self.offered:
            verdict, reason = "releases", "what it calls releases"
        elif symbol == VECTORCALL:
            verdict, reason = "undecidable", "each object says itself which function is called"
        elif symbol.startswith(("Py", "_Py")):
            verdict, reason = HOLDS, "it is a function of CPython's own"
        elif any(library.defines(symbol) for library in self.libraries.values()):
            verdict, reason = HOLDS, "it is another library's function, which reaches nothing that releases"
        else:
            verdict, reason = "undecidable", "it is a function of another package"
        evidence = Evidence(name, "", through=(symbol,) if verdict == "releases" else ())
        return msgspec.structs.replace(draft, verdict=verdict, reason=reason, evidence=evidence)


def _magic(path: Path) -> bytes:
    """The first bytes of a file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""


def _indices(code: Code, entries: list[Entry]) -> list[int]:
    """The functions at which the entries' code begins; -1 where no unwind information covers it."""
    if not entries:
        return []
    addresses = np.array([entry.function for entry in entries], np.int64)
    index = np.searchsorted(code.starts, addresses, side="right") - 1
    covered = (index >= 0) & (addresses < code.ends[np.maximum(index, 0)])
    return [int(value) for value in np.where(covered, index, -1)]


def _released(found: reach.Reach, judge: paths.Judge, entry: Entry, index: int, draft: Wrapper, signatures: tuple[str, ...], family: str) -> Iterable[Wrapper]:
    """The records of a wrapper that may reach a release."""
    through = found.chain(index) if index >= 0 else ()

    def record(overload: str, verdict: State, reason: str, site: int = 0, held: int = 0) -> Wrapper:
        evidence = msgspec.structs.replace(
            draft.evidence,
            site=f"{site:#x}" if site else "",
            held=f"{held:#x}" if held else "",
            through=through,
        )
        return msgspec.structs.replace(draft, overload=overload, verdict=verdict, reason=reason, evidence=evidence)

    if index < 0:
        yield from (record(overload, "undecidable", "no unwind information covers its code") for overload in signatures)
        return
    if index not in found.sure:
        step = found.loose[index]
        reason = "it takes the address of what releases; whether it calls it, the code does not say"
        yield from (record(overload, "undecidable", reason, step.site) for overload in signatures)
        return
    judged = judge.judge(index)
    if not judged.readable:
        yield from (record(overload, "undecidable", "its code could not be read to its end", judged.site) for overload in signatures)
        return
    if not judged.mixed:
        reason = "its own code releases" if len(through) == 1 and through[0] in reach.RELEASING else "what it calls releases"
        yield from (record(overload, "releases", reason, judged.site) for overload in signatures)
        return
    told_apart = overloads.told_apart(judge, index, entry, signatures) if family == "vtk" and len(signatures) > 1 else {}
    for overload in signatures:
        if overload in told_apart:
            verdict, site = told_apart[overload]
            reason = "this overload releases" if verdict == "releases" else "this overload holds, another one releases"
            yield record(overload, verdict, reason, site if verdict == "releases" else judged.site, 0 if verdict == "releases" else site)
        else:
            yield record(overload, "mixed", "some of its ways release, others do their work without", judged.site, judged.held)


def audit_path(target: str, say: Say = lambda _: None) -> Audit:
    """Audit what a command line names: an installed package, a wheel, or a library file. See `package.opened`."""
    with package.opened(target) as found:
        return audit(found, say)
