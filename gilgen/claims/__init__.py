"""What calls of each toolkit claim, as data: `vtk.toml`, `itk.toml`. Read at activation; the standard library only.

A running call claims all that its objects lead to. Most of that is found without any data: the gate sees every call by
which Python connects two objects, and the pipeline's own functions tell the rest. These files say what cannot be seen:
which calls never wait, which only read, where data objects hold their pieces.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

OBJECT_WORDS = 512
"""How much of a C++ object is searched for a pointer, in words; no measured class is larger."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact for the native part.

    Attributes:
        what: "passes", "reads", "member" ...
        name: of a method, or the mangled name of a class.
        number: -1 for methods; for classes an offset or a bit field.
        why: the reason, in a sentence.
        of: the class's name as the file has it; empty for methods.
    """

    what: str
    name: str
    number: int
    why: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A place in a class's objects where they hold a pointer to another.

    Attributes:
        owner: the C++ class.
        make: the class that is made to measure the place: the owner, or one that derives from it.
        set: the method that sets it to a new object of class `to`; empty where it is there from the beginning.
        get: the method that tells it; empty where `set` does.
        to: "module.Class".
        first: methods without arguments to be called before.
    """

    owner: str
    make: str
    get: str = ""
    set: str = ""
    to: str = ""
    first: tuple[str, ...] = ()


def _table(toolkit: str) -> dict[str, Any]:
    return tomllib.loads((resources.files(__name__) / f"{toolkit}.toml").read_text(encoding="utf-8"))


def mangled(name: str) -> tuple[str, ...]:
    """The run-time type names that a C++ class may have: "9vtkCutter"; for "itk::Image" its instantiations as well (Itanium C++ ABI, 5.1.2)."""
    parts = name.split("::")
    text = "".join(f"{len(part)}{part}" for part in parts)
    return (text,) if len(parts) == 1 else (f"N{text}E", f"N{text}I")


def facts(toolkit: str) -> tuple[Fact, ...]:
    """All that the file says of a toolkit's methods and classes."""
    table = _table(toolkit)
    found = [Fact(entry["what"], name, -1, entry["why"]) for entry in table.get("method", ()) for name in entry["names"]]
    for entry in table.get("class", ()):
        for name in entry["names"]:
            spellings = (name,) if entry["what"].endswith("-name") else mangled(name)
            found += [Fact(entry["what"], spelling, entry.get("number", 0), entry["why"], name) for spelling in spellings]
    return tuple(found)


def members(toolkit: str) -> tuple[Member, ...]:
    """Where data objects hold their pieces: to be measured in the running process."""
    return tuple(Member(**entry | {"first": tuple(entry.get("first", ()))}) for entry in _table(toolkit).get("member", ()))


class Measured:
    """Measures places as the modules arrive that they need; each once."""

    def __init__(self, toolkit: str, package: str) -> None:
        self.package = package
        self.waiting = list(members(toolkit))

    def take(self) -> Iterable[tuple[str, int]]:
        """(class, offset) of each place that can be measured now and was not before."""
        left = []
        for member in self.waiting:
            modules = [name.partition(".")[0] for name in (member.make, member.to) if name]
            if any(f"{self.package}.{name}" not in sys.modules for name in modules):
                left.append(member)
            elif (offset := self._offset(member)) is not None:
                yield member.owner, offset
        self.waiting = left

    def _offset(self, member: Member) -> int | None:
        """None where this version of the toolkit has no such member."""
        try:
            made = self._new(member.make)
            for name in member.first:
                getattr(made, name)()
            held = self._new(member.to) if member.to else None
            if held is not None:
                getattr(made, member.set)(held)
            if member.get:
                held = getattr(made, member.get)()
        except (AttributeError, TypeError, ImportError):
            return None
        return None if held is None else place_of(address_of(held), address_of(made), _usable_size(address_of(made)))

    def _new(self, name: str) -> Any:
        module, _, kind = name.partition(".")
        return getattr(importlib.import_module(f"{self.package}.{module}"), kind)()


def address_of(wrapped: Any) -> int:
    """Where the C++ object of a VTK object lies, as `__this__` says: "_000055d0c4b01c60_p_vtkAlgorithm"."""
    return int(wrapped.__this__.split("_")[1], 16)


def place_of(pointer: int, owner: int, size: int) -> int | None:
    """The offset in `size` bytes at `owner` of the first word that is `pointer`; None where none is."""
    words = (ctypes.c_uint64 * min(OBJECT_WORDS, size // 8)).from_address(owner)
    return next((8 * index for index, word in enumerate(words) if word == pointer), None)


def _usable_size(address: int) -> int:
    function = ctypes.CDLL(None).malloc_usable_size
    function.restype, function.argtypes = ctypes.c_size_t, [ctypes.c_void_p]
    return int(function(address))
