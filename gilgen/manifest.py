"""What a shim wheel says of itself: the records that the stages before it share with `activate`.

They are a module of their own because an application that only activates has no use for the others, and to make
them would take longer than to activate. Nothing but the standard library is needed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Guard = Literal["none", "object", "pipeline", "closure"]
"""How much a call claims while it runs."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A function's code in one library, as the plan found it and as activation must find it again.

    Attributes:
        library: relative to the toolkit's root.
        offset: of the symbol, from where the library is loaded.
        size: of the code, in bytes, as the symbol table has it.
        code: the CRC-32 checksum of these bytes.
    """

    library: str
    offset: int
    size: int
    code: int


@dataclass(frozen=True, slots=True)
class Library:
    """One shared library of the toolkit.

    Attributes:
        path: relative to the folder that the toolkit's package lies in.
        size: in bytes.
        build_id: the linker's identification of its contents, hexadecimal; empty where it has none.
        symbolic: its slots carry addresses instead of names (`-Bsymbolic` and the like).
        uses_cpython: it imports CPython's API, so its methods are never released.
        defines: it defines functions that shims stand before, so it must be the very same file at activation.
    """

    path: str
    size: int
    build_id: str
    symbolic: bool = False
    uses_cpython: bool = False
    defines: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what Python sees the plan serves.

    Attributes:
        wrapped: methods that the installed package exposes.
        candidates: of these, those that a rule, the configuration or a profile names.
        direct: candidates with a shim of their own.
        through: candidates without a shim that end in one or more shimmed functions.
        kept: candidates left out, by reason.
    """

    wrapped: int
    candidates: int
    direct: int
    through: int
    kept: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shim:
    """One shim as the shim wheel's manifest lists it; `index` is its place in the native table.

    `serializes` is true for one that also claims a library that is not thread-safe; `guard_chosen` is as in `Decision`.
    """

    index: int
    symbol: str
    python: str
    reason: str
    guard: Guard
    definitions: tuple[Definition, ...]
    guard_chosen: bool = False
    serializes: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a shim wheel was made from; `activate` refuses a toolkit that it does not match.

    `distributions` are the packages whose records list the toolkit's files; empty where none keeps a record.
    `coverage` is the plan's. `prepares` names the methods of Python's whose calls may come to a shim.
    """

    toolkit: str
    version: str
    gilgen: str
    package: str
    distribution_key: str
    machine: str
    libraries: tuple[Library, ...]
    shims: tuple[Shim, ...]
    distributions: tuple[str, ...] = ()
    coverage: Coverage = field(default_factory=lambda: Coverage(0, 0, 0, 0))
    prepares: tuple[str, ...] = ()
