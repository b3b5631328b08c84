"""What the audit finds, as it is written to JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["releases", "holds", "mixed", "undecidable"]
"""What a wrapper does about the GIL, by its machine code."""

Kind = Literal["method", "function", "getter", "setter", "slot", "module"]


class Evidence(msgspec.Struct, frozen=True):
    """Where a verdict was read.

    Attributes:
        library: the file, relative to the package's root.
        function: the address of the wrapper in it.
        site: the address of the first instruction that leads to a release; for a mixed wrapper `held` is
            the address of work that it does on a way that never releases. Empty where there is none.
        held: see `site`.
        through: the functions between the wrapper and the release, by address, then CPython's by name.
    """

    library: str
    function: str = ""
    site: str = ""
    held: str = ""
    through: tuple[str, ...] = ()


class Wrapper(msgspec.Struct, rename={"owner": "class"}):
    """One wrapper, or one overload of it.

    Attributes:
        module: the extension module, dotted.
        owner: the Python class; "" for a function of the module, "?" where no table names it. "class" in JSON.
        method: the Python name; `__call__` and the like for the slots of a type, "*" for a whole module.
        kind: how Python reaches it.
        overload: its signature as the wheel documents it, where there are several; else "".
        verdict: what it does.
        reason: why, in a few words.
        may_call_python: what it calls may call Python back (observers), where others run for a moment.
        evidence: where that was read.
    """

    module: str
    owner: str
    method: str
    kind: Kind
    overload: str
    verdict: State
    reason: str
    may_call_python: bool
    evidence: Evidence

    @property
    def name(self) -> str:
        """The Python name with its class."""
        return f"{self.owner}.{self.method}" if self.owner else self.method

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What identifies the wrapper in two builds of a package."""
        return self.module.partition(".")[0], self.owner, self.method, self.kind, self.overload


class Module(msgspec.Struct, frozen=True):
    """One extension module.

    Attributes:
        module: its dotted name.
        library: the file.
        family: who made its wrappers: "vtk", "swig", "pybind11", "nanobind", "cython" or "cpython".
        verdict: "holds" where nothing in it can release; "releases" where something can; "undecidable"
            where its tables are made at run time and it imports what releases.
        reason: why, in a few words.
        wrappers: how many records it has.
    """

    module: str
    library: str
    family: str
    verdict: State
    reason: str
    wrappers: int


class Audit(msgspec.Struct, frozen=True):
    """What the wrappers of one package do.

    Attributes:
        package: the distribution's name.
        version: its version; "" where files were named.
        machine: "x86_64" or "aarch64".
        counts: records by verdict, and "methods": entries of method tables, overloads and slots not counted.
        modules: every extension module.
        wrappers: every wrapper and overload.
        notices: what the reader should know.
    """

    package: str
    version: str
    machine: str
    counts: dict[str, int]
    modules: tuple[Module, ...]
    wrappers: tuple[Wrapper, ...]
    notices: tuple[str, ...] = ()
