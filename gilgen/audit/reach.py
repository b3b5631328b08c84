"""Which functions of a library can release the GIL: all that directly reach a release.

Callers are followed up to a fixpoint: through stubs, slots, tail jumps, separated cold parts, and calls of
exported functions. Virtual calls are not followed; nobody can tell from a call site where they lead. What
is reached only by an address that is taken, or that stands in a table, is kept apart: it may be called
from there, or not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from gilgen.audit.code import Code
from gilgen.audit.tables import VTK_OVERLOADS, Tables

RELEASING = frozenset({"PyEval_SaveThread", "PyEval_ReleaseThread", "PyEval_ReleaseLock"})
"""CPython's functions that give the GIL up (Include/ceval.h)."""

LONGEST = 256
"""Calls that a chain is shown with at most."""

GAP = 40
"""Bytes between two stored pointers of one table at most: the size of CPython's largest entry."""

FARTHEST = 1 << 14
"""Bytes before a pointer in which its table may begin."""


@dataclass(frozen=True, slots=True)
class Step:
    """Why a function reaches a release.

    Attributes:
        site: the address of the instruction that leads on.
        to: where it leads: the index of a function of the same library, or the name of a symbol.
    """

    site: int
    to: int | str


@dataclass(slots=True)
class Reach:
    """What reaches a release in one library.

    Attributes:
        code: the library's code.
        sure: by calls and jumps alone: index of a function -> why.
        loose: by an address that is taken on the way.
        wanted: names of other libraries' functions that release, or that reach a release.
    """

    code: Code
    wanted: frozenset[str]
    sure: dict[int, Step] = field(default_factory=dict)
    loose: dict[int, Step] = field(default_factory=dict)

    def chain(self, index: int) -> tuple[str, ...]:
        """The way from a function to the release: addresses of functions, then the symbol's name."""
        steps = self.sure if index in self.sure else self.sure | self.loose
        found: list[str] = []
        step = steps.get(index)
        while step is not None and len(found) < LONGEST:
            if isinstance(step.to, str):
                found.append(step.to)
                break
            found.append(f"{int(self.code.starts[step.to]):#x}")
            step = steps.get(step.to)
        return tuple(found)

    def exported(self) -> set[str]:
        """The names under which other libraries reach a release here."""
        return {self.code.names[symbol] for index in self.sure for symbol in self.code.symbols_at(int(self.code.starts[index]))}


def within(code: Code, tables: Tables, wanted: frozenset[str]) -> Reach:
    """What reaches one of the symbols `wanted` in one library.

    Args:
        code: the library's code.
        tables: the library's stored pointers.
        wanted: names of other libraries' functions that release, or that reach a release.
    """
    reach = Reach(code, wanted)
    seeds: list[tuple[int, Step]] = []
    for symbol, name in enumerate(code.names):
        if name in wanted and not code.library.symbols["section"][symbol]:
            for way in code.ways_to.get(symbol, ()):
                seeds += [(index, Step(site, name)) for site, index in _callers(code, way)]
    _follow(reach, reach.sure, seeds, tables)
    loose = []
    for index in reach.sure:
        loose += [(caller, Step(site, index)) for site, caller in _takers(code, tables, int(code.starts[index]))]
    _follow(reach, reach.loose, [(index, step) for index, step in loose if index not in reach.sure], tables)
    return reach


def _follow(reach: Reach, found: dict[int, Step], seeds: list[tuple[int, Step]], tables: Tables) -> None:
    """Add the seeds and all that calls them, breadth first, so that each chain is a shortest one."""
    code = reach.code
    queue = deque(seeds)
    while queue:
        index, step = queue.popleft()
        if index in found or index in reach.sure:
            continue
        found[index] = step
        start, end = int(code.starts[index]), int(code.ends[index])
        for site, caller in _callers(code, start, end):
            queue.append((caller, Step(site, index)))
        for symbol in code.symbols_at(start):
            for way in code.ways_to.get(symbol, ()):
                queue += [(caller, Step(site, index)) for site, caller in _callers(code, way)]
        queue += [(caller, Step(site, index)) for site, caller in _dispatchers(code, tables, start)]


def _callers(code: Code, start: int, end: int = 0) -> list[tuple[int, int]]:
    """What calls or jumps into [start, end), or calls through the slot at `start`: (site, index of the function)."""
    found = []
    for source, target, index in code.references(start, end or start + 1):
        instruction = code.refers(index, source, target)
        if instruction is None:
            continue
        # An address that is loaded from a slot of the linker's is a call through a register.
        if instruction.kind != "address" or (instruction.memory and target in code.imported):
            found.append((instruction.address, index))
    return found


def _dispatchers(code: Code, tables: Tables, function: int) -> list[tuple[int, int]]:
    """What hands a table of overloads that holds `function` to VTK's dispatcher: (site, index of the function)."""
    found = []
    for holder in tables.holders(function) if VTK_OVERLOADS in code.known else ():
        start, _ = tables.method_table(holder)
        found += dispatched(code, tables).get(start, [])
    return found


def dispatched(code: Code, tables: Tables) -> dict[int, list[tuple[int, int]]]:
    """The tables that functions hand to VTK's dispatcher: table -> (site, index of the function)."""
    if code.dispatched is None:
        code.dispatched = {}
        symbols = [number for number, name in enumerate(code.names) if name == VTK_OVERLOADS]
        functions = {index for symbol in symbols for way in code.ways_to.get(symbol, ()) for _, index in _callers(code, way)}
        for index in sorted(functions):
            for instruction in code.instructions(index)[0]:
                if instruction.kind == "address" and not instruction.memory and instruction.target in tables.methods:
                    code.dispatched.setdefault(instruction.target, []).append((instruction.address, index))
    return code.dispatched


def _takers(code: Code, tables: Tables, function: int) -> list[tuple[int, int]]:
    """What takes the address of a function, or of a table that holds it and is called through."""
    found = []
    for source, target, index in code.references(function, function + 1):
        instruction = code.refers(index, source, target)
        if instruction is not None and instruction.kind == "address" and not instruction.memory:
            found.append((instruction.address, index))
    for holder in tables.holders(function):
        first, last = tables.method_table(holder)
        if first and VTK_OVERLOADS in code.known:
            continue  # see `_dispatchers`
        if not first:
            first, last = tables.run(holder, GAP, FARTHEST)
        for source, target, index in code.references(first, last):
            if target <= holder and not tables.is_vtable(target) and code.calls_indirectly(index):
                instruction = code.refers(index, source, target)
                if instruction is not None and instruction.kind in {"address", "call", "jump"}:
                    found.append((instruction.address, index))
    return found
