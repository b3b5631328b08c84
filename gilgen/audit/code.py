"""The machine code of one library: where its functions lie, what refers to what, and single instructions.

Function bounds come from the unwind table's index (`.eh_frame_hdr`, found by its program header), which
every C++ library keeps, because exceptions need it; symbols may be stripped. References are found in bulk
by their bit patterns, which finds all of them and some that are none; capstone then decides.
Sources: Linux Standard Base, "Exception Frames"; System V ABI, AMD64 and AArch64 supplements; Intel SDM,
volume 2; Arm ARM, C4.
"""

from __future__ import annotations

import bisect
import functools
import operator
import struct
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

import capstone  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from gilgen.audit import elf
from gilgen.errors import ArtefactError

Addresses = NDArray[np.int64]
Kind = Literal["call", "jump", "branch", "address", "return", "trap", "other"]
Line = tuple[int, int, str, str]
"""An instruction as capstone gives it: address, size, word, operands."""

NEAR = 8
"""How many instructions after an ADRP its other half may stand."""

DATA_RELATIVE_4, UNSIGNED_4, RELATIVE_4 = 0x3B, 0x03, 0x1B
"""Pointer encodings (DW_EH_PE) that every GNU and LLVM linker writes."""


LONGEST = 16
"""Bytes of an instruction at most, rounded up."""

REFERENCE = 16
"""What following a possible reference is worth (see `elf.Library.spend`)."""

PUSH_SLOT = b"\xff\x35"
"""How the first entry of x86-64's lazy linkage table begins."""

_STORING = ("mov", "st")
_COUNTING = ("add", "sub", "inc", "dec", "cmp", "lea", "j", "b.", "cb", "nop", "test")
"""Beginnings of the words for instructions of a loop that clears memory."""


class Instruction(NamedTuple):
    """One instruction, as far as the audit cares.

    Attributes:
        address: of its first byte.
        size: in bytes.
        kind: what it does to the flow; "address" loads an address, or what stands there.
        target: where it leads or what it loads; 0 when a register says it.
        memory: the target is the place of the address, not the address itself.
    """

    address: int
    size: int
    kind: Kind
    target: int = 0
    memory: bool = False


class Code:
    """The code of one library.

    Raises:
        ArtefactError: it has no function bounds of a known form.
    """

    def __init__(self, library: elf.Library) -> None:
        self.library = library
        self.arm = library.machine == "AArch64"
        self._disassembler = (
            capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM) if self.arm else capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        )
        self.starts, self.ends = _functions(library)
        self.names = library.names()
        self.known = frozenset(self.names)
        self.imported = library.imported()
        self.starts, self.ends = self._without_stubs()
        if not len(self.starts):
            raise ArtefactError(f"{library.path} has an unwind table without a function.", "It cannot be audited.")
        self._instructions: dict[int, tuple[list[Instruction], bool]] = {}
        self._indirect: dict[int, bool] = {}
        self.dispatched: dict[int, list[tuple[int, int]]] | None = None

    def _without_stubs(self) -> tuple[Addresses, Addresses]:
        """The functions: the linkage table has an unwind entry of its own, and is none.

        A function that ends in a jump through a slot (-fno-plt) looks like a stub, but is no table of them.
        """
        stubs = np.array(sorted(self.stubs), np.int64)
        first, last = np.searchsorted(stubs, self.starts), np.searchsorted(stubs, self.ends)
        functions = first == last
        for index in np.nonzero(~functions)[0].tolist() if not self.arm else ():
            start, end = int(self.starts[index]), int(self.ends[index])
            lazy = self.library.peek(start, 2) == PUSH_SLOT and start + 16 in self.stubs
            direct = start in self.stubs and (end - start) % 8 == 0
            if not lazy and not direct:
                functions[index] = True
                for stub in stubs[first[index] : last[index]].tolist():
                    del self.stubs[stub]
        return self.starts[functions], self.ends[functions]

    def function(self, address: int) -> int:
        """The index of the function that holds `address`; -1 where none does."""
        index = int(self.starts.searchsorted(address, side="right")) - 1
        return index if index >= 0 and address < self.ends[index] else -1

    @functools.cached_property
    def stubs(self) -> dict[int, int]:
        """The procedure linkage table: address of a stub -> symbol index."""
        return _stubs_arm(self) if self.arm else _stubs_x86(self)

    @functools.cached_property
    def ways_to(self) -> dict[int, list[int]]:
        """How a symbol is reached: symbol index -> addresses of its stubs and slots."""
        found: dict[int, list[int]] = defaultdict(list)
        for ways in (self.stubs, self.imported):
            for address, symbol in ways.items():
                found[symbol].append(address)
        return found

    @functools.cached_property
    def _symbols_at(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        table = self.library.symbols
        defined = np.nonzero((table["section"] != 0) & (table["value"] != 0))[0]
        for symbol, value in zip(defined.tolist(), table["value"][defined].tolist(), strict=True):
            found[value].append(symbol)
        return found

    @functools.cached_property
    def exported(self) -> dict[str, int]:
        """What this library defines: name -> address."""
        return {self.names[symbol]: address for address, symbols in self._symbols_at.items() for symbol in symbols}

    def symbols_at(self, address: int) -> list[int]:
        """The symbols that this library defines and exports at an address."""
        return self._symbols_at.get(address, [])

    @functools.cached_property
    def _references(self) -> tuple[Addresses, Addresses]:
        sources, targets = _references_arm(self) if self.arm else _references_x86(self)
        order = np.argsort(targets, kind="stable")
        return sources[order], targets[order]

    def references(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """What may refer to [start, end) from another function: (instruction, target, index of the function).

        An instruction's address may be too high by its prefixes.
        """
        sources, targets = self._references
        first, last = targets.searchsorted(start), targets.searchsorted(end)
        self.library.spend(REFERENCE * (int(last - first) + 1))
        found = []
        for source, target in zip(sources[first:last].tolist(), targets[first:last].tolist(), strict=True):
            index = self.function(source)
            if index >= 0 and not start <= source < end:
                found.append((source, target, index))
        return found

    def refers(self, index: int, source: int, target: int) -> Instruction | None:
        """The instruction of a function that really refers to `target` about `source`; None where none does."""
        instructions, _ = self._decoded(index)
        first = bisect.bisect_left(instructions, source - LONGEST, key=operator.attrgetter("address"))
        for instruction in instructions[first : first + LONGEST + 1]:
            if instruction.target == target and instruction.address <= source < instruction.address + max(instruction.size, 4):
                return instruction
        return None

    def instructions(self, index: int) -> tuple[list[Instruction], bool]:
        """A function's instructions, in order, and whether all of its bytes could be read. Made to be looked at one by one."""
        found = self._decoded(index)
        self.library.spend(len(found[0]))
        return found

    def _decoded(self, index: int) -> tuple[list[Instruction], bool]:
        found = self._instructions.get(index)
        if found is None:
            start, end = int(self.starts[index]), int(self.ends[index])
            found = self._instructions[index] = self.decode(start, end)
        return found

    def calls_indirectly(self, index: int) -> bool:
        """Whether a function calls or jumps by a register, or through what stands somewhere in memory."""
        found = self._indirect.get(index)
        if found is None:
            found = self._indirect[index] = any(
                line.kind in {"call", "jump"} and (not line.target or (line.memory and line.target not in self.imported))
                for line in self.instructions(index)[0]
            )
        return found

    def decode(self, start: int, end: int) -> tuple[list[Instruction], bool]:
        """The instructions of [start, end), and whether all bytes could be read."""
        lines = self._lines(start, end)
        found = _read_arm(lines) if self.arm else _read_x86(lines)
        last = found[-1].address + found[-1].size if found else start
        return found, last == end

    def _lines(self, start: int, end: int) -> Iterable[Line]:
        """Capstone's words for the instructions of [start, end), as far as it can read them."""
        if end <= start:
            return ()
        raw = self.library.read(start, end - start)
        self.library.spend(len(raw))
        lines: Iterable[Line] = self._disassembler.disasm_lite(raw, start)
        return lines

    def only_fills(self, start: int, end: int) -> bool:
        """Whether the instructions of [start, end) do no more than store a value and count, as a loop that clears memory does."""
        stores = False
        for _, _, word, operands in self._lines(start, end):
            first, _, rest = operands.partition(", ")
            if word.startswith(_STORING):
                stored = rest if self.arm else first
                stores = stores or "[" in stored
                if "[" in operands and "[" not in stored:
                    return False  # it loads
            elif not word.startswith(_COUNTING):
                return False
        return stores

    def symbol_at(self, target: int, *, memory: bool) -> str:
        """The name of the symbol that a call to `target` reaches through a stub or a slot; empty where it is none."""
        symbol = self.imported.get(target) if memory else self.stubs.get(target)
        return "" if symbol is None else self.names[symbol]

    def arguments(self, index: int, call: int) -> dict[int, int]:
        """The addresses in the first four argument registers at a call: number of the argument -> address.

        Found by looking at what loads them last, in the order of addresses, so it serves straight code.
        """
        lines = self._lines(int(self.starts[index]), call)
        return _arguments_arm(lines) if self.arm else _arguments_x86(lines)


# ----------------------------------------------------------------------------------- function bounds


def _functions(library: elf.Library) -> tuple[Addresses, Addresses]:
    """Where each function (or separate part of one) starts and ends, from the unwind table."""
    if not library.unwind:
        raise ArtefactError(f"{library.path} has no unwind table, so where its functions begin is unknown.", "It cannot be audited.")
    start = library.unwind
    header = library.read(start, 12)
    if len(header) < 12 or header[0] != 1 or header[2] != UNSIGNED_4 or header[3] != DATA_RELATIVE_4:  # noqa: PLR2004
        raise ArtefactError(f"{library.path} has an unwind table of an unknown form.", "It cannot be audited.")
    (count,) = struct.unpack_from("<I", header, 8)
    table = library.array(start + 12, 8 * count).view("<i4").reshape(-1, 2).astype(np.int64) + start
    begins, frames = table[:, 0], table[:, 1]
    ends = begins.copy()
    if count:
        low = int(frames.min())
        room = int(frames.max()) + 16 - low
        raw = library.array(low, room)
        places = frames - low
        locations = _signed(raw, places + 8) + frames + 8
        if not bool((locations == begins).all()):
            raise ArtefactError(f"{library.path} has an unwind table of an unknown form.", "It cannot be audited.")
        ends = begins + (_signed(raw, places + 12) & 0xFFFFFFFF)
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], ends[order]
    ends[:-1] = np.minimum(ends[:-1], begins[1:])  # a function that reached into the next one would be read with it, again and again
    return begins, ends


def _signed(raw: NDArray[np.uint8], places: Addresses) -> Addresses:
    """Signed 32-bit numbers at any places."""
    value = sum(raw[places + byte].astype(np.int64) << (8 * byte) for byte in range(4))
    return np.asarray(value ^ (1 << 31)) - (1 << 31)


# --------------------------------------------------------------------------------------------- x86-64


def _stubs_x86(code: Code) -> dict[int, int]:
    """Stubs jump through their slot: ff 25, after endbr64 and a bnd prefix where there is one."""
    found = {}
    for address, size in code.library.code:
        raw = code.library.array(address, size)
        places = np.nonzero((raw[:-5] == 0xFF) & (raw[1:-4] == 0x25))[0] if size > 5 else np.zeros(0, np.int64)  # noqa: PLR2004
        slots = places + address + 6 + _signed(raw, places + 2)
        for place, slot in zip(places.tolist(), slots.tolist(), strict=True):
            symbol = code.imported.get(slot)
            if symbol is not None:
                start = place - 1 if place and raw[place - 1] == 0xF2 else place  # noqa: PLR2004
                if start >= 4 and raw[start - 4 : start].tobytes() == b"\xf3\x0f\x1e\xfa":  # noqa: PLR2004
                    start -= 4
                found[address + start] = symbol
    return found


def _references_x86(code: Code) -> tuple[Addresses, Addresses]:
    """All that may be a call, jump or branch with a 32-bit distance, or an operand relative to rip."""
    sources, targets = [], []
    for address, size in code.library.code:
        if size < 8:  # noqa: PLR2004
            continue
        raw = code.library.array(address, size)
        distances = np.ndarray((size - 3,), "<i4", buffer=raw, strides=(1,))
        first, second = raw[: size - 6], raw[1 : size - 5]
        near = np.nonzero((first == 0xE8) | (first == 0xE9))[0]  # noqa: PLR2004
        far = np.nonzero((first == 0x0F) & ((second & 0xF0) == 0x80))[0]  # noqa: PLR2004
        # Any ModRM byte with mod 00 and r/m 101, after an opcode that loads, calls or jumps.
        relative = np.nonzero(((first == 0x8D) | (first == 0x8B) | (first == 0xFF) | (first == 0x3B)) & ((second & 0xC7) == 0x05))[0]  # noqa: PLR2004
        for places, operand, length in ((near, 1, 5), (far, 2, 6), (relative, 2, 6)):
            sources.append(places + address)
            targets.append(places + address + length + distances[places + operand].astype(np.int64))
        # Short jumps stay within a function, but for those to the beginning of a neighbour.
        short = np.nonzero((first == 0xEB) | ((first & 0xF0) == 0x70))[0]  # noqa: PLR2004
        ends = short + address + 2 + second[short].view("i1").astype(np.int64)
        outside = np.isin(ends, code.starts)
        sources.append(short[outside] + address)
        targets.append(ends[outside])
    if not sources:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate(sources), np.concatenate(targets)


def _read_x86(lines: object) -> list[Instruction]:
    found = []
    for address, size, word, operands in lines:  # type: ignore[attr-defined]
        kind = _KINDS_X86.get(word) or _kind_x86(word)
        if kind == "other" or (kind == "address" and "[rip" not in operands):
            found.append(Instruction(address, size, "other"))
        elif kind in {"call", "jump", "branch"} and operands.startswith("0x"):
            found.append(Instruction(address, size, kind, int(operands, 16)))
        elif "[rip" in operands:
            found.append(Instruction(address, size, kind, address + size + _displacement(operands), word != "lea"))
        else:
            found.append(Instruction(address, size, kind))
    return found


_KINDS_X86: dict[str, Kind] = {"call": "call", "jmp": "jump", "ret": "return", "lea": "address", "mov": "address", "cmp": "address", "ud2": "trap", "hlt": "trap", "int3": "trap"}


def _kind_x86(words: str) -> Kind:
    """The kind of an instruction with a prefix, and of the rarer ones."""
    word = words.rpartition(" ")[2]
    kind: Kind = _KINDS_X86.get(word, "other") if word != words else "other"
    if (word[0] == "j" and word != "jmp") or word.startswith("loop"):
        kind = "branch"
    elif word.startswith("ret"):
        kind = "return"
    return kind


def _displacement(operands: str) -> int:
    text = operands[operands.index("[rip") + 4 : operands.index("]")].replace(" ", "")
    return int(text, 16) if text else 0


_ARGUMENTS_X86 = {"rdi": 0, "rsi": 1, "rdx": 2, "rcx": 3, "edi": 0, "esi": 1, "edx": 2, "ecx": 3}


def _arguments_x86(lines: Iterable[Line]) -> dict[int, int]:
    registers: dict[str, int] = {}
    for address, size, word, operands in lines:
        written, _, rest = operands.partition(", ")
        if word == "lea" and rest.startswith("[rip"):
            registers[written] = address + size + _displacement(rest)
        elif word == "mov" and rest in registers:
            registers[written] = registers[rest]
        elif word not in {"push", "test", "cmp", "call"} and not word.startswith("j"):
            registers.pop(written, None)
    return {number: registers[name] for name, number in _ARGUMENTS_X86.items() if name in registers}


# -------------------------------------------------------------------------------------------- AArch64


def _words(code: Code, address: int, size: int) -> Addresses:
    return code.library.array(address, size // 4 * 4).view("<u4").astype(np.int64)


def _pages(words: Addresses, places: Addresses, address: int) -> Addresses:
    """The page that each ADRP loads."""
    distance = ((words[places] >> 29) & 3) | (((words[places] >> 5) & 0x7FFFF) << 2)
    distance = np.where(distance >= 1 << 20, distance - (1 << 21), distance)
    return np.asarray(((address + 4 * places) & ~0xFFF) + (distance << 12))


def _stubs_arm(code: Code) -> dict[int, int]:
    """Stubs load their slot into x17 and go there: adrp x16, ldr x17, add x16, br x17."""
    found = {}
    for address, size in code.library.code:
        words = _words(code, address, size)
        if len(words) < 4:  # noqa: PLR2004
            continue
        page, load, jump = words[:-3], words[1:-2], words[3:]
        places = np.nonzero(((page & 0x9F00001F) == 0x90000010) & ((load & 0xFFC003FF) == 0xF9400211) & (jump == 0xD61F0220))[0]  # noqa: PLR2004
        slots = _pages(words, places, address) + (((words[places + 1] >> 10) & 0xFFF) << 3)
        for place, slot in zip((address + 4 * places).tolist(), slots.tolist(), strict=True):
            symbol = code.imported.get(slot)
            if symbol is not None:
                found[place] = symbol
    return found


def _references_arm(code: Code) -> tuple[Addresses, Addresses]:
    """All branches, and pairs of ADRP with an ADD or LDR of the same register not far behind it."""
    sources, targets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for address, size in code.library.code:
        words = _words(code, address, size)
        for mask, value, bits, shift in ((0x7C000000, 0x14000000, 26, 0), (0xFF000010, 0x54000000, 19, 5), (0x7E000000, 0x34000000, 19, 5)):
            places = np.nonzero((words & mask) == value)[0]
            distance = (words[places] >> shift) & ((1 << bits) - 1)
            distance = np.where(distance >= 1 << (bits - 1), distance - (1 << bits), distance)
            sources.append(address + 4 * places)
            targets.append(address + 4 * places + 4 * distance)
        places = np.nonzero((words & 0x9F000000) == 0x90000000)[0]  # noqa: PLR2004
        pages, register = _pages(words, places, address), words[places] & 31
        for step in range(1, NEAR + 1):
            after = np.minimum(places + step, len(words) - 1)
            word = words[after]
            for mask, value, scale in ((0xFFC00000, 0x91000000, 0), (0xFFC00000, 0xF9400000, 3)):
                chosen = ((word & mask) == value) & (((word >> 5) & 31) == register)
                sources.append(address + 4 * after[chosen])
                targets.append(pages[chosen] + (((word[chosen] >> 10) & 0xFFF) << scale))
    return np.concatenate(sources), np.concatenate(targets)


def _immediate(text: str) -> int:
    number, _, shift = text.strip("#]! ").partition(", lsl #")
    return int(number, 0) << int(shift or "0", 0)


_WORD = (1 << 64) - 1


class _Registers:
    """Which addresses are in AArch64's registers, as far as straight code tells: compilers reach data by offsets from others."""

    CALLER_SAVED = frozenset(f"x{number}" for number in range(19))

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self._at_branch: dict[int, dict[str, int]] = {}
        self._ended = False

    def step(self, address: int, word: str, operands: str) -> tuple[int, bool]:
        """Follow one instruction. Returns the address that it computes or loads from, and whether it loads; 0 for neither."""
        if self._ended and address in self._at_branch:
            self.known = self._at_branch[address]
        self._ended = word in {"b", "br", "ret"}
        target = operands.rpartition(" ")[2]
        if word.startswith(("b", "cb", "tb")) and not word.startswith("bl") and target.startswith("#"):
            self._at_branch.setdefault(_immediate(target), dict(self.known))
        written, _, rest = operands.partition(", ")
        parts = rest.split(", ")
        if word == "adrp":
            self.known[written] = _immediate(rest)
            return 0, False
        if word in {"add", "sub"}:
            value = self._sum(word, parts)
            self._set(written, value)
            return (value or 0), False
        if word == "mov":
            self._set(written, _immediate(rest) if rest.startswith("#") else self.known.get(rest))
            return 0, False
        if word == "ldr" and rest.startswith("[") and not rest.endswith("!"):
            base = self.known.get(parts[0].strip("[]"))
            offset = _immediate(parts[1]) if len(parts) > 1 and parts[1].startswith("#") else 0
            plain = len(parts) == 1 or parts[1].startswith("#")
            self._set(written, None)
            return (base + offset, True) if base is not None and plain else (0, False)
        self._forget(word, written, parts)
        return 0, False

    def _forget(self, word: str, written: str, parts: list[str]) -> None:
        """Drop what any other instruction overwrites."""
        if word.startswith("bl"):
            for register in self.CALLER_SAVED & self.known.keys():
                del self.known[register]
        elif not word.startswith(("st", "cmp", "b.", "cb", "tb", "ret")) and word not in {"b", "br", "nop"}:
            self._set(written, None)
            if word.startswith("ldp"):
                self._set(parts[0], None)

    def _sum(self, word: str, parts: list[str]) -> int | None:
        first = self.known.get(parts[0])
        if first is None or len(parts) < 2:  # noqa: PLR2004
            return None
        second = _immediate(parts[1]) if parts[1].startswith("#") else self.known.get(parts[1])
        if second is None or (len(parts) > 2 and parts[2] != "lsl #12"):  # noqa: PLR2004
            return None
        second <<= 12 if len(parts) > 2 else 0  # noqa: PLR2004
        return (first + second if word == "add" else first - second) & _WORD

    def _set(self, register: str, value: int | None) -> None:
        self.known.pop(register, None)
        if value is not None and register.startswith("x"):
            self.known[register] = value


def _read_arm(lines: Iterable[Line]) -> list[Instruction]:
    found = []
    registers = _Registers()
    for address, size, word, operands in lines:
        kind: Kind = "other"
        target, memory = registers.step(address, word, operands)
        if word in {"bl", "blr", "blraa", "blrab"}:
            kind = "call"
        elif word in {"b", "br", "braa", "brab"}:
            kind = "jump"
        elif word.startswith("b.") or word in {"cbz", "cbnz", "tbz", "tbnz"}:
            kind = "branch"
        elif word.startswith("ret"):
            kind = "return"
        elif word in {"udf", "brk"}:
            kind = "trap"
        elif target:
            kind = "address"
        last = operands.rpartition(" ")[2]
        if kind in {"call", "jump", "branch"} and last.startswith("#"):
            target = _immediate(last)
        found.append(Instruction(address, size, kind, target, memory))
    return found


def _arguments_arm(lines: Iterable[Line]) -> dict[int, int]:
    registers = _Registers()
    for address, _, word, operands in lines:
        registers.step(address, word, operands)
    return {number: registers.known[name] for number in range(4) if (name := f"x{number}") in registers.known}
