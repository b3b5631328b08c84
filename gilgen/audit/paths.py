"""Whether one function releases the GIL on all of its ways, or on some.

A function that reaches a release is mixed when it can also do its work on a way that never gets there:
an overload that holds, a case of a switch. What counts as work is a call of the library's own code, a
virtual call, or a loop; talking to Python, converting arguments and reporting an error do not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from gilgen.audit import reach
from gilgen.audit.code import Code, Instruction
from gilgen.audit.tables import VTK_OVERLOADS, Tables

RETAKING = frozenset({"PyEval_RestoreThread", "PyEval_AcquireThread", "PyEval_AcquireLock"})

_NO_WORK = re.compile(
    r"_?Py|_ZNK?\d+vtkPython|_ZNK?\d+PyVTK|PyVTK"  # CPython and VTK's helpers of it
    r"|_Zn[wa]|_Zd[la]|_Z[A-Z]*S[sabt]|_ZN[KV]*S[sabt]|_ZSt|_ZT|__cxa_|__gxx_|_Unwind|__stack_chk|__assert|__errno"
    r"|(mem|str|wcs)[a-z]+$|__(mem|str|v?sn?printf|v?fprintf)|v?sn?printf$|f?puts$|fputc$|fflush$|f?printf$|(m|c|re)alloc$|free$|abort$|__tls_get_addr$"
)
"""Imported functions that are no work: CPython's, the language's run-time, strings and memory."""

DEEPEST = 8
"""How many calls deep a local function is asked whether it works; deeper, it does."""

MOST_WAYS = 1 << 17
"""Ways that jumps by a register may lead on in one function: an interpreter's 256 jumps to 256 cases, twice."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one function does.

    Attributes:
        mixed: some ways that do work never release.
        site: the address of the first instruction that leads to a release.
        held: the address of work on a way that never releases; 0 where there is none.
        readable: all of its instructions could be read.
        always: no way from its beginning to a return avoids the release.
    """

    mixed: bool
    site: int
    held: int
    readable: bool
    always: bool = True


@dataclass(frozen=True, slots=True)
class _Effect:
    """What an instruction does: it leads to a release; it does work without one; it never comes back without a release."""

    releases: bool
    works: bool
    always: bool


NOTHING = _Effect(releases=False, works=False, always=False)
WORK = _Effect(releases=False, works=True, always=False)
RELEASE = _Effect(releases=True, works=False, always=True)


@dataclass(slots=True)
class _Block:
    """Instructions that run one after the other."""

    start: int
    instructions: list[Instruction]
    after: list[int]


class Judge:
    """Judges the functions of one library.

    Args:
        found: what reaches a release in it.
        tables: its tables.
    """

    def __init__(self, found: reach.Reach, tables: Tables) -> None:
        self.reach = found
        self.code: Code = found.code
        self.tables = tables
        self._judged: dict[int, Judgement] = {}
        self._working: dict[int, bool] = {}

    def judge(self, index: int) -> Judgement:
        """Judge a function that surely reaches a release.

        What it calls is judged before, in a loop: calls may be thousands deep.
        """
        todo = [(index, False)]
        while todo:
            current, ready = todo.pop()
            if ready:
                self._judged[current] = self._judge(current)
            elif current not in self._judged:
                start = int(self.code.starts[current])
                self._judged[current] = Judgement(mixed=False, site=start, held=0, readable=True)  # for a function that calls itself
                todo.append((current, True))
                todo += [(callee, False) for callee in reversed(self._callees(current)) if callee not in self._judged]
        return self._judged[index]

    def _callees(self, index: int) -> list[int]:
        """The functions on whose judgements that of a function may rest."""
        code = self.code
        found: dict[int, None] = {}
        for instruction in self._lines(index)[0]:
            if not instruction.target:
                continue
            if instruction.kind == "address":
                methods = () if instruction.memory else self.tables.methods.get(instruction.target, ())
                found |= dict.fromkeys(code.function(method.function) for method in methods)
            else:
                symbol = code.symbol_at(instruction.target, memory=instruction.memory)
                found[code.function(code.exported.get(symbol, 0) if symbol else instruction.target)] = None
        return [callee for callee in found if callee in self.reach.sure]

    def _judge(self, index: int) -> Judgement:
        blocks, readable = self.blocks(index)
        if not blocks:
            return Judgement(mixed=False, site=int(self.code.starts[index]), held=0, readable=False)
        releasing: dict[int, int] = {}  # what covers all that lies before and behind it
        perhaps: dict[int, int] = {}  # what covers itself only: it may return without having released
        working: dict[int, int] = {}
        after = {start: block.after for start, block in blocks.items()}
        entered = _closure({int(self.code.starts[index]): 0}, after)  # all but what only an exception leads to
        for start in sorted(entered):
            for instruction in blocks[start].instructions:
                effect = self._effect(instruction, index)
                if effect.releases:
                    (releasing if effect.always and not effect.works else perhaps).setdefault(start, instruction.address)
                if effect.works:
                    working.setdefault(start, instruction.address)
        before = _closure(releasing, _reversed(blocks))
        behind = _closure(releasing, after)
        beside = [start for start in entered if start not in before and start not in behind]
        held = next((working[start] for start in sorted(beside) if start in working), 0) or self._loop(blocks, beside)
        site = min((releasing or perhaps).values(), default=int(self.code.starts[index]))
        return Judgement(bool(held), site, held, readable, always=self._always(blocks, releasing, int(self.code.starts[index])))

    def _always(self, blocks: dict[int, _Block], releasing: dict[int, int], start: int) -> bool:
        around = {block: [] if block in releasing else blocks[block].after for block in blocks}
        ways = _closure({start: 0}, around) - releasing.keys()
        return bool(releasing) and not any(self._leaves(blocks[block]) for block in ways)

    def _leaves(self, block: _Block) -> bool:
        """Whether a block ends the function: by a return, or by a jump to another one."""
        last = block.instructions[-1]
        return last.kind == "return" or (last.kind == "jump" and not block.after)

    # ------------------------------------------------------------------------------ one instruction

    def _effect(self, instruction: Instruction, index: int) -> _Effect:
        """What one instruction does about the GIL, as far as its target tells."""
        if instruction.kind == "address":
            return self._address(instruction, index)
        if instruction.kind not in {"call", "jump", "branch"}:
            return NOTHING
        symbol = self.code.symbol_at(instruction.target, memory=instruction.memory)
        if symbol:
            return self._imported(symbol)
        if not instruction.target or instruction.memory:
            return WORK if instruction.kind == "call" or instruction.memory else NOTHING
        return self._local(self.code.function(instruction.target), index)

    def _address(self, instruction: Instruction, index: int) -> _Effect:
        """An address that is loaded: of what releases, to be called by a register, or of a table of overloads."""
        if not instruction.memory:
            return self._table(instruction, index)
        return RELEASE if self.code.symbol_at(instruction.target, memory=True) in reach.RELEASING else NOTHING

    def _local(self, callee: int, index: int) -> _Effect:
        """A function of the same library."""
        if callee in {index, -1}:
            return NOTHING
        if callee in self.reach.sure:
            judged = self.judge(callee)
            return _Effect(releases=True, works=judged.mixed, always=judged.always)
        return WORK if self.works(callee) else NOTHING

    def _imported(self, symbol: str) -> _Effect:
        if symbol == VTK_OVERLOADS:
            return NOTHING
        if symbol in self.reach.wanted:
            return RELEASE
        callee = self.code.function(self.code.exported.get(symbol, 0))
        if callee >= 0:
            return self._local(callee, -2)
        return NOTHING if _NO_WORK.match(symbol) else WORK

    def _table(self, instruction: Instruction, index: int) -> _Effect:
        """What a table of overloads does that is handed to VTK's dispatcher."""
        if (instruction.address, index) not in reach.dispatched(self.code, self.tables).get(instruction.target, ()):
            return NOTHING
        releases = holds = False
        for method in self.tables.methods[instruction.target]:
            callee = self.code.function(method.function)
            if callee in self.reach.sure:
                releases = True
                holds = holds or self.judge(callee).mixed
            else:
                holds = True
        return _Effect(releases, holds, always=True)

    def works(self, index: int, depth: int = 0) -> bool:
        """Whether a function that reaches no release does work."""
        if index in self._working:
            return self._working[index]
        if depth > DEEPEST:
            return True
        self._working[index] = False
        instructions, _ = self.code.instructions(index)
        start, end = int(self.code.starts[index]), int(self.code.ends[index])
        found = False
        for instruction in instructions:
            if instruction.kind not in {"call", "jump", "branch"} or start <= instruction.target < end:
                continue
            symbol = self.code.symbol_at(instruction.target, memory=instruction.memory)
            callee = -1 if symbol or instruction.memory else self.code.function(instruction.target)
            if symbol:
                found = not _NO_WORK.match(symbol)
            elif callee >= 0:
                found = self.works(callee, depth + 1)
            else:
                found = instruction.kind == "call" or bool(instruction.memory)
            if found:
                break
        if not found:
            blocks, _ = self.blocks(index)
            found = not blocks or bool(self._loop(blocks, list(blocks)))
        self._working[index] = found
        return found

    def _loop(self, blocks: dict[int, _Block], among: list[int]) -> int:
        """The address of a loop that calls nothing and does more than fill memory; 0 where there is none."""
        quiet = {start for start in among if not any(line.kind == "call" for line in blocks[start].instructions)}
        circles = _circles({start: [after for after in blocks[start].after if after in quiet] for start in quiet})
        for start in quiet:
            if start in circles and not self.code.only_fills(blocks[start].start, _end(blocks[start])):
                return start
        return 0

    # --------------------------------------------------------------------------------------- blocks

    def blocks(self, index: int) -> tuple[dict[int, _Block], bool]:
        """A function's blocks, with those of separated parts that come back into its middle.

        Returns also whether they are all of it; none where more ways lead through it than anyone can follow.
        """
        lines, readable = self._lines(index)
        blocks = _blocks(self.code, lines)
        return blocks, readable and bool(blocks or not lines)

    def _lines(self, index: int) -> tuple[list[Instruction], bool]:
        """The instructions of a function and of such parts, and whether all of its own could be read."""
        instructions, readable = self.code.instructions(index)
        lines = list(instructions)
        inside = {index}
        for instruction in instructions:
            part = self.code.function(instruction.target) if instruction.kind in {"jump", "branch"} and not instruction.memory else -1
            if part >= 0 and part not in inside and self._comes_back(part, index):
                inside.add(part)
                lines += self.code.instructions(part)[0]
        return lines, readable

    def _comes_back(self, part: int, index: int) -> bool:
        start, end = int(self.code.starts[index]), int(self.code.ends[index])
        return any(
            start < instruction.target < end for instruction in self.code.instructions(part)[0] if instruction.kind in {"jump", "branch"}
        )


def _blocks(code: Code, lines: list[Instruction]) -> dict[int, _Block]:
    known = {line.address for line in lines}
    by_register = any(line.kind == "jump" and not line.target for line in lines)
    tables = {line.target for line in lines if line.kind == "address" and not line.memory} if by_register else set()
    listed = {target for table in tables for target in _distances(code, table, known)}
    blocks = _cut(lines, known, listed)
    if by_register:
        led = {after for block in blocks.values() for after in block.after}
        targets = sorted(listed or set(blocks) - led - {lines[0].address})
        jumping = [block for block in blocks.values() if block.instructions[-1].kind == "jump" and not block.instructions[-1].target]
        code.library.spend(min(len(jumping) * len(targets), MOST_WAYS))
        if len(jumping) * len(targets) > MOST_WAYS:
            return {}
        for block in jumping:
            block.after += targets
    return blocks


def _cut(lines: list[Instruction], known: set[int], listed: set[int]) -> dict[int, _Block]:
    """Cut instructions into blocks, before every target of a jump and after every jump."""
    leaders = listed | {line.target for line in lines if line.kind in {"jump", "branch"} and line.target in known}
    blocks: dict[int, _Block] = {}
    current: _Block | None = None
    for line in lines:
        if current is not None and (line.address in leaders or _end(current) != line.address):
            current.after += [line.address] if _end(current) == line.address else []
            current = None
        if current is None:
            current = blocks[line.address] = _Block(line.address, [], [])
        current.instructions.append(line)
        if line.kind in {"jump", "branch", "return", "trap"}:
            following = line.address + line.size
            current.after += [line.target] if line.target in known and not line.memory else []
            current.after += [following] if line.kind == "branch" and following in known else []
            current = None
    return blocks


def _end(block: _Block) -> int:
    return block.instructions[-1].address + block.instructions[-1].size


def _distances(code: Code, table: int, known: set[int]) -> set[int]:
    """The instructions that a table of 32-bit distances from its own address leads to.

    A jump by a register goes to what such a table names, or else to whatever nothing else leads to.
    """
    found: set[int] = set()
    place = table
    while raw := code.library.peek(place, 4):
        target = table + int.from_bytes(raw, "little", signed=True)
        if target not in known:
            break
        found.add(target)
        place += 4
    code.library.spend(place - table)
    return found


def _reversed(blocks: dict[int, _Block]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for start, block in blocks.items():
        for after in block.after:
            found[after].append(start)
    return found


def _circles(edges: dict[int, list[int]]) -> set[int]:
    """The nodes of a graph from which a way leads back to them (Tarjan's strongly connected components)."""
    found: set[int] = set()
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}  # of the nodes whose component is not known yet, which stand in it in order
    for root, first in edges.items():
        work = [(root, iter(first))] if root not in number else []
        while work:
            node, after = work[-1]
            if node not in number:
                number[node] = lowest[node] = len(number)
            other = next((other for other in after if other not in number or other in lowest), None)
            if other is not None and other not in number:
                work.append((other, iter(edges[other])))
            elif other is not None:
                lowest[node] = min(lowest[node], number[other])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[node])
                component = _component(lowest, node) if lowest[node] == number[node] else set()
                found |= component if len(component) > 1 or node in edges[node] else set()
    return found


def _component(lowest: dict[int, int], root: int) -> set[int]:
    """Take the nodes from `root` on out of the open ones: they are one component."""
    component: set[int] = set()
    while root not in component:
        component.add(lowest.popitem()[0])
    return component


def _closure(seeds: dict[int, int], edges: dict[int, list[int]]) -> set[int]:
    found = set(seeds)
    stack = list(seeds)
    while stack:
        for other in edges.get(stack.pop(), ()):
            if other not in found:
                found.add(other)
                stack.append(other)
    return found
