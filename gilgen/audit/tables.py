"""What an extension module offers to Python, read from its tables without importing it.

CPython reaches C functions through tables of known layout: PyMethodDef and PyGetSetDef arrays, type
objects, slots of heap types, module definitions. All are data that the dynamic linker relocates, so
every pointer in them stands in the relocation tables, and so does its meaning. VTK hands a class's table
over in code, so there the call is read as well; SWIG puts all its functions into the module's table.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gilgen.audit import elf, slots
from gilgen.audit.code import Code

Kind = Literal["method", "function", "getter", "setter", "slot"]

_NAME = re.compile(rb"[A-Za-z_]\w*")
_DOTTED = re.compile(rb"[A-Za-z_][\w.]*")

VTK_ADD = {"PyVTKClass_Add": 2, "PyVTKSpecialType_Add": 0}
"""VTK's functions that make a class of a type and a table: name -> the argument that names the class (0: the type)."""
VTK_PROPERTIES = "PyVTKClass_AddCombinedGetSetDefinitions"
VTK_FILLED_IN = 2
VTK_OVERLOADS = "_ZN17vtkPythonOverload10CallMethodEP11PyMethodDefP7_objectS3_"
VTK_BASE = "_ZN13vtkPythonUtil18FindBaseTypeObjectEPKc"
_VTK_CLASS_NEW = re.compile(r"Py(\w+)_ClassNew")

STEP, ENTRY, DOC = 16, 64, 4
"""What a step along a table, an entry, and a byte of an entry's docstring are worth (see `elf.Library.spend`): one entry
may stand in the tables of many classes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One C function as a table names it.

    Attributes:
        owner: the Python class; "" for a function of the module; "?" where no table says.
        name: the Python name.
        kind: how Python reaches it.
        function: the address of the C function.
        doc: its docstring; may be empty.
    """

    owner: str
    name: str
    kind: Kind
    function: int
    doc: str


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    function: int
    doc: int


class Tables:
    """The tables of one library.

    Args:
        library: the extension module.
        code: makes its code readable; asked only where a table's owner stands in code.
        free_threaded: it was built for a free-threaded Python, whose objects have longer heads.
    """

    def __init__(self, library: elf.Library, code: functools.partial[Code] | None = None, *, free_threaded: bool = False) -> None:
        self.library = library
        self.head = slots.FREE_THREADED_HEAD if free_threaded else slots.HEAD
        self.places, self.targets = library.pointers()
        self._make_code = code
        order = np.argsort(self.targets, kind="stable")
        self._by_target = self.targets[order], self.places[order]

    # ------------------------------------------------------------------------------------ pointers

    def pointer(self, place: int) -> int:
        """What the pointer at `place` leads to; 0 where none stands there."""
        index = int(self.places.searchsorted(place))
        return int(self.targets[index]) if index < len(self.places) and self.places[index] == place else 0

    def holders(self, target: int) -> list[int]:
        """Where pointers to `target` stand."""
        targets, places = self._by_target
        first = int(targets.searchsorted(target))
        last = first + int(targets[first : first + 8].searchsorted(target, side="right"))
        if last == first + 8:
            last = int(targets.searchsorted(target, side="right"))
        return [int(place) for place in places[first:last]]

    def run(self, holder: int, gap: int, farthest: int) -> tuple[int, int]:
        """The stored pointers about `holder` that stand close together: (first, behind the last)."""
        here = int(np.searchsorted(self.places, holder))
        first = last = here
        while first and self.places[first] - self.places[first - 1] <= gap and holder - self.places[first - 1] < farthest:
            first -= 1
        while last + 1 < len(self.places) and self.places[last + 1] - self.places[last] <= gap and self.places[last + 1] - holder < farthest:
            last += 1
        self.library.spend(last - first)
        return int(self.places[first]), int(self.places[last]) + 8

    def is_vtable(self, address: int) -> bool:
        """Whether a C++ object's pointer to its virtual functions leads to `address`: the type's information stands before."""
        return self._number(address - 16, 8) <= 0 and self.pointer(address - 8) != 0 and self.pointer(address) != 0

    def _is_code(self, targets: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = targets >= elf.FOREIGN
        for start, size in self.library.code:
            found |= (targets >= start) & (targets < start + size)
        return found

    def _text(self, address: int) -> str:
        text = self.library.text(address) if address else None
        self.library.spend(len(text or b""))
        return text.decode(errors="replace") if text else ""

    def _number(self, address: int, size: int = 4) -> int:
        raw = self.library.peek(address, size)
        return int.from_bytes(raw, "little", signed=True) if raw else -1

    # -------------------------------------------------------------------------------- method tables

    @functools.cached_property
    def methods(self) -> dict[int, list[_Method]]:
        """Every array of PyMethodDef: address -> its entries."""
        places = self.places
        functions = places[self._is_code(self.targets)]
        index = np.searchsorted(places, functions)
        entries = functions - 8
        names = np.searchsorted(places, entries)
        names = np.minimum(names, max(len(places) - 1, 0))
        chosen = places[names] == entries if len(places) else np.zeros(0, bool)
        entries, names, index = entries[chosen], names[chosen], index[chosen]
        flags = self._numbers(entries + 16)
        callable_ = (flags > 0) & (flags <= slots.FLAGS) & ((flags & slots.CALLS) != 0)
        entries, names, index = entries[callable_], names[callable_], index[callable_]
        docs = np.minimum(np.searchsorted(places, entries + 24), max(len(places) - 1, 0))
        has_doc = places[docs] == entries + 24 if len(places) else np.zeros(0, bool)
        doc = np.where(has_doc, self.targets[docs], 0) if len(places) else docs
        found: dict[int, list[_Method]] = {}
        start, after = 0, -1
        text = self.library.text
        rows = zip(entries.tolist(), self.targets[names].tolist(), self.targets[index].tolist(), doc.tolist(), strict=True)
        for entry, name, function, documentation in rows:
            words = text(name, 512)
            if not words or not _NAME.fullmatch(words):
                continue
            if entry != after:
                start = entry
                found[start] = []
            found[start].append(_Method(words.decode(), function, documentation))
            after = entry + slots.METHOD
        return found

    def method_table(self, place: int) -> tuple[int, int]:
        """The array of PyMethodDef that `place` is in: (first, behind the last); (0, 0) where it is in none."""
        starts = self._method_starts
        index = int(np.searchsorted(starts, place, side="right")) - 1
        if index < 0:
            return 0, 0
        start = int(starts[index])
        end = start + slots.METHOD * len(self.methods[start])
        return (start, end) if place < end else (0, 0)

    @functools.cached_property
    def _method_starts(self) -> NDArray[np.int64]:
        return np.array(sorted(self.methods), np.int64)

    def _numbers(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """The 64-bit numbers at places in the file; -1 where nothing is mapped."""
        found = np.full(len(places), -1, "<i8")
        for start, size in self.library.mapped:
            inside = (places >= start) & (places + 8 <= start + size)
            if inside.any():
                numbers = np.ndarray((size - 7,), "<i8", buffer=self.library.array(start, size), strides=(1,))
                found[inside] = numbers[places[inside] - start]
        return found

    # ---------------------------------------------------------------------------------------- types

    @functools.cached_property
    def types(self) -> dict[int, str]:
        """Static type objects: address -> tp_name."""
        places = self.places
        heads = places - self.head - slots.TYPE_NAME
        sizes = self._numbers(heads + self.head + slots.TYPE_SIZE)
        lengths = self._numbers(heads + self.head)
        counts = self._numbers(heads)
        plausible = (counts == 1) | (counts >= slots.IMMORTAL) | (self.head != slots.HEAD)
        plausible &= (sizes > 0) & (sizes < 1 << 20) & (lengths == 0) & (heads % 8 == 0)
        found = {}
        for head, name in zip(heads[plausible].tolist(), self.targets[plausible].tolist(), strict=True):
            words = self.library.text(name, 512)
            if words and _DOTTED.fullmatch(words) and not self.pointer(head + self.head + slots.TYPE_SIZE) and self._is_type(head):
                found[head] = words.decode()
        return found

    def _is_type(self, head: int) -> bool:
        """Whether what looks like a type's name and size has a type's functions behind it."""
        first = int(np.searchsorted(self.places, head + self.head + slots.TYPE_SIZE))
        last = int(np.searchsorted(self.places, head + slots.TYPE_END))
        offsets = set((self.places[first:last] - head - self.head).tolist())
        arrays = {slots.TYPE_METHODS, slots.TYPE_GETSET}
        return bool(offsets & (set(slots.TYPE) | arrays)) and (len(offsets) > 1 or bool(offsets & arrays))

    @functools.cached_property
    def heap_types(self) -> dict[int, str]:
        """Slot arrays of heap types: address -> the name in the PyType_Spec that points to it."""
        found = {}
        for start in sorted(self._slot_places):
            if start - slots.SLOT in self._slot_places:
                continue
            for holder in self.holders(start):
                name = self.library.text(self.pointer(holder - 24), 512) if self.pointer(holder - 24) else None
                if name and _DOTTED.fullmatch(name):
                    found[start] = name.decode()
        return found

    # -------------------------------------------------------------------------------------- entries

    def entries(self) -> Iterator[Entry]:
        """Everything that the tables offer, in the order of the file."""
        for entry in self._entries():
            self.library.spend(ENTRY + DOC * len(entry.doc))
            yield entry

    def _entries(self) -> Iterator[Entry]:
        for start, methods in self.methods.items():
            owners = self.owners.get(start, ())
            if not owners and self.uses_vtk:
                continue  # a table of one method's overloads, or of constructors
            for owner in owners or ("?",):
                kind: Kind = "method" if owner not in {"", "?"} else "function"
                for method in methods:
                    yield Entry(owner, method.name, kind, method.function, self._text(method.doc))
        for start, owner in self.property_tables.items():
            yield from self._properties(start, owner)
        for head, name in self.types.items():
            yield from self._type_slots(head, name.rpartition(".")[2])
        for start, name in self.heap_types.items():
            yield from self._heap_slots(start, name.rpartition(".")[2])

    @functools.cached_property
    def owners(self) -> dict[int, tuple[str, ...]]:
        """Arrays of PyMethodDef: address -> the classes that have it, "" for a module; several may share one."""
        found = {start: dict.fromkeys(self._owners(start)) for start in self.methods}
        for table, owner, _ in self._vtk_classes.values():
            found.setdefault(table, {})[owner] = None
        return {start: tuple(owners) for start, owners in found.items() if owners}

    def _owners(self, start: int) -> Iterator[str]:
        for holder in self.holders(start):
            head = holder - self.head - slots.TYPE_METHODS
            if head in self.types:
                yield self.types[head].rpartition(".")[2]
            elif self._number(holder - 8) == slots.TP_METHODS and (owner := self._heap_owner(holder - 8)) is not None:
                yield owner
            elif self._module_at(holder):
                yield ""

    def _module_at(self, holder: int) -> str:
        """The name of the module whose definition holds its methods there; empty where it is none."""
        start = holder - slots.MODULE_METHODS
        if self.library.peek(start, slots.MODULE_NAME) != bytes(slots.MODULE_NAME):
            return ""  # there CPython puts what it needs when it makes the module
        name = self.library.text(self.pointer(start + slots.MODULE_NAME), 512)
        return name.decode() if name and _DOTTED.fullmatch(name) else ""

    def _heap_owner(self, slot: int) -> str | None:
        while slot - slots.SLOT in self._slot_places:
            self.library.spend(1)
            slot -= slots.SLOT
        name = self.heap_types.get(slot)
        return None if name is None else name.rpartition(".")[2]

    @functools.cached_property
    def _slot_places(self) -> set[int]:
        """Where a slot of a heap type may stand: a small number, and a pointer behind it."""
        numbers = self._numbers(self.places - 8)
        return set((self.places[(numbers > 0) & (numbers < 128)] - 8).tolist())  # noqa: PLR2004 - the highest slot of any Python yet is below

    @functools.cached_property
    def property_tables(self) -> dict[int, str]:
        """Arrays of PyGetSetDef: address -> the class."""
        found = {}
        for head, name in self.types.items():
            table = self.pointer(head + self.head + slots.TYPE_GETSET)
            if table:
                found[table] = name.rpartition(".")[2]
        for start, name in self.heap_types.items():
            for number, target in self._slots(start):
                if number == slots.TP_GETSET:
                    found[target] = name.rpartition(".")[2]
        return found | {table: owner for _, owner, table in self._vtk_classes.values() if table}

    def _properties(self, start: int, owner: str) -> Iterator[Entry]:
        # The first entries of VTK's tables are filled in when the module loads, with those of all objects.
        for _ in range(VTK_FILLED_IN if self.uses_vtk else 0):
            start += 0 if self.pointer(start) else slots.GETSET
        while True:
            name = self.library.text(self.pointer(start), 512) if self.pointer(start) else None
            if not name or not _NAME.fullmatch(name):
                return
            self.library.spend(STEP)
            doc = self._text(self.pointer(start + 24))
            closure = self.pointer(start + 32)
            # VTK's own getter and setter are the same for all; the closure names the two that matter.
            pair = closure if self.uses_vtk and closure else start + 8
            for offset, kind in ((0, "getter"), (8, "setter")):
                function = self.pointer(pair + offset)
                if function:
                    yield Entry(owner, name.decode(), kind, function, doc)  # type: ignore[arg-type]
            start += slots.GETSET

    def _type_slots(self, head: int, owner: str) -> Iterator[Entry]:
        base = head + self.head
        for offset, name in slots.TYPE.items():
            yield from self._slot(owner, name, self.pointer(base + offset))
        for offset, names in slots.SUITES.items():
            suite = self.pointer(base + offset)
            for inner, name in names.items() if suite else ():
                yield from self._slot(owner, name, self.pointer(suite + inner))

    def _heap_slots(self, start: int, owner: str) -> Iterator[Entry]:
        for number, function in self._slots(start):
            if number in slots.HEAP:
                yield from self._slot(owner, slots.HEAP[number], function)

    def _slots(self, start: int) -> Iterator[tuple[int, int]]:
        """The slots of a heap type: (number, what it points to); 0 for another library's."""
        while 0 < (number := self._number(start)) < 128:  # noqa: PLR2004
            self.library.spend(STEP)
            yield number, self.pointer(start + 8)
            start += slots.SLOT

    def _slot(self, owner: str, name: str, function: int) -> Iterator[Entry]:
        local = any(start <= function < start + size for start, size in self.library.code)
        # What CPython or a base class provides is not the module's own, but for what only hands the call on.
        if local or (function >= elf.FOREIGN and name == "__call__"):
            yield Entry(owner, name, "slot", function, "")

    # ----------------------------------------------------------------------------------------- SWIG

    @functools.cached_property
    def uses_swig(self) -> bool:
        """Whether SWIG made this module."""
        return any(method.name == "SWIG_PyInstanceMethod_New" or method.name.endswith("_swigregister") for methods in self.methods.values() for method in methods)

    @functools.cached_property
    def swig_classes(self) -> frozenset[str]:
        """The classes that a module of SWIG's registers."""
        end = "_swigregister"
        return frozenset(method.name.removesuffix(end) for methods in self.methods.values() for method in methods if method.name.endswith(end))

    # ------------------------------------------------------------------------------------------ VTK

    @functools.cached_property
    def uses_vtk(self) -> bool:
        """Whether this is a module of VTK's wrappers, or one made by them for another package."""
        return self.library.imports([name.encode() for name in VTK_ADD])

    @functools.cached_property
    def _vtk_classes(self) -> dict[int, tuple[int, str, int]]:
        """What VTK's wrappers add in code: the function that does -> (method table, class, property table)."""
        if not self.uses_vtk or self._make_code is None:
            return {}
        code = self._make_code()
        found: dict[int, tuple[int, str, int]] = {}
        for name, naming in VTK_ADD.items():
            for call, index in _calls(code, name):
                arguments = code.arguments(index, call)
                table = arguments.get(1, 0)
                kind = arguments.get(0, 0)
                named = self._text(self.pointer(kind + self.head + slots.TYPE_NAME)) if kind else ""
                owner = named.rpartition(".")[2] or self._text(arguments.get(naming, 0) if naming else 0)
                if table in self.methods or owner:
                    found[call] = (table, owner, 0 if naming else arguments.get(2, 0))
        # A class's properties are added after it; a base's code may stand in line between the two.
        open_: dict[int, list[int]] = {}
        events = [(call, code.function(call), False) for call in found] + [(call, index, True) for call, index in _calls(code, VTK_PROPERTIES)]
        for call, index, adds_properties in sorted(events):
            if not adds_properties:
                open_.setdefault(index, []).append(call)
            elif open_.get(index):
                added = open_[index].pop()
                table, owner, _ = found[added]
                found[added] = (table, owner, code.arguments(index, call).get(1, 0))
        return found

    @functools.cached_property
    def vtk_bases(self) -> dict[str, str]:
        """VTK's classes in this module: name -> its base class, as the code that makes them says."""
        if not self.uses_vtk or self._make_code is None:
            return {}
        code = self._make_code()
        owner_of = {code.function(call): owner for call, (_, owner, _) in self._vtk_classes.items()}
        found = {}
        for call, index in _calls(code, VTK_BASE):
            if index in owner_of:
                found[owner_of[index]] = self._text(code.arguments(index, call).get(0, 0))
        for index, owner in owner_of.items():
            if owner not in found:
                for instruction in code.instructions(index)[0]:
                    base = _VTK_CLASS_NEW.fullmatch(code.symbol_at(instruction.target, memory=instruction.memory)) if instruction.kind == "call" else None
                    other = owner_of.get(code.function(instruction.target)) if instruction.kind == "call" and not base else None
                    if base or other:
                        found[owner] = base[1] if base else str(other)
                        break
        return found


def _calls(code: Code, symbol: str) -> list[tuple[int, int]]:
    """Calls of another library's function: (address of the call, index of the calling function)."""
    found = []
    for number in [place for place, name in enumerate(code.names) if name == symbol]:
        for way in code.ways_to.get(number, ()):
            for source, target, index in code.references(way, way + 1):
                if way in code.stubs or code.refers(index, source, target):
                    found.append((source, index))
    return found
