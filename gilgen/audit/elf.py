"""One shared library's dynamic section: what it defines, imports, and which slots name which symbol.

Only program headers and PT_DYNAMIC are used, as the dynamic linker does: section headers may be
stripped. pyelftools reads the headers; tables of a million relocations are read with numpy.
Sources: System V ABI, chapters 4 and 5, and its AMD64 and AArch64 supplements.
"""

from __future__ import annotations

import contextlib
import functools
import io
import mmap
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Concatenate, NamedTuple, ParamSpec, Self, TypeVar

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from numpy.typing import NDArray

from gilgen.errors import ArtefactError

SYMBOL = np.dtype([("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")])
PROGRAM_HEADER = np.dtype(
    [("type", "<u4"), ("flags", "<u4"), ("offset", "<u8"), ("address", "<u8"), ("physical", "<u8"), ("size", "<u8"), ("memory", "<u8"), ("align", "<u8")]
)
RELOCATION = np.dtype([("offset", "<u8"), ("info", "<u8"), ("addend", "<i8")])

PT_LOAD, PT_DYNAMIC, PT_NOTE, NT_GNU_BUILD_ID, STT_FUNC = 1, 2, 4, 3, 2
PT_GNU_EH_FRAME, PF_X = 0x6474E550, 1
DT_NEEDED, DT_STRTAB, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_STRSZ = 1, 5, 6, 7, 8, 10
DT_RELRSZ, DT_RELR = 35, 36
DT_HASH, DT_JMPREL, DT_PLTRELSZ, DT_GNU_HASH = 4, 23, 2, 0x6FFFFEF5

MAGIC = b"\x7fELF"
"""How every ELF file begins."""

FOREIGN = 1 << 62
"""See `Library.pointers`."""

ADDRESS, GOT, PLT, RELATIVE = "address", "got", "plt", "relative"
RELOCATIONS = {
    "x64": {1: ADDRESS, 6: GOT, 7: PLT, 8: RELATIVE},
    "AArch64": {257: ADDRESS, 1025: GOT, 1026: PLT, 1027: RELATIVE},
}
"""Types of the relocations that a call can go through, by machine (as pyelftools names it)."""

HEADER = 64
"""Bytes of a 64-bit ELF header."""

MOST_HEADERS = 128
"""Program headers that a library may have; linkers write about a dozen."""

HIGHEST = 1 << 52
"""Where addresses end on x86-64 and aarch64."""

EFFORT, EFFORT_AT_LEAST = 64, 4 << 20
"""Units of work that a library is worth: so many for each of its bytes, but so many at least. VTK's, ITK's, NumPy's and SciPy's need less than 5 a byte."""


class Defined(NamedTuple):
    """Where a library defines a function, how many bytes of code it has, and their CRC-32 checksum."""

    address: int
    size: int
    code: int


REINSTALL = "Reinstall the package that it belongs to."

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _explained(read: Callable[Concatenate[Library, Arguments], Result]) -> Callable[Concatenate[Library, Arguments], Result]:
    """Name the file when a table in it leads nowhere, whichever table that is."""

    @functools.wraps(read)
    def reading(self: Library, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        try:
            return read(self, *arguments, **named)
        except (ELFError, OSError, ValueError, LookupError, OverflowError, MemoryError) as error:
            words = str(error) if isinstance(error, (ELFError, OSError, ValueError)) and str(error) else f"{type(error).__name__}: {error}"
            raise ArtefactError(f"{self.path} is not a shared library that can be read ({words}).", REINSTALL) from error

    return reading


class Library:
    """A shared library, mapped and read on demand. Use it as a context manager.

    Raises:
        ArtefactError: the file is not a 64-bit little-endian shared library of a known machine.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()

    @_explained
    def _open(self) -> None:
        self._effort = 0
        self._names: list[str] | None = None
        with self.path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = len(self._map)
        table, count = self._header()
        headers = np.frombuffer(self._map, PROGRAM_HEADER, count, table).tolist()
        self._segments = [(address, size, offset) for kind, _, offset, address, _, size, _, _ in headers if kind == PT_LOAD]
        self._check_segments([(address, memory) for kind, _, _, address, _, _, memory, _ in headers if kind == PT_LOAD])
        self.code = [(address, size) for kind, flags, _, address, _, size, _, _ in headers if kind == PT_LOAD and flags & PF_X]
        self.unwind = next((address for kind, _, _, address, *_ in headers if kind == PT_GNU_EH_FRAME), 0)
        dynamic = next(((offset, size) for kind, _, offset, _, _, size, _, _ in headers if kind == PT_DYNAMIC), None)
        if dynamic is None:
            raise ArtefactError(f"{self.path} is not a shared library: it has no dynamic section.", "An object file or a static program has no wrappers to audit.")
        self.build_id = next((found for kind, _, offset, _, _, size, _, _ in headers if kind == PT_NOTE and (found := self._build_id(offset, size))), "")
        self._tags: dict[int, list[int]] = {}
        raw = np.frombuffer(self._map, "<u8", dynamic[1] // 16 * 2, dynamic[0])
        for tag, value in raw.reshape(-1, 2).tolist():
            if tag == 0:
                break
            self._tags.setdefault(tag, []).append(value)
        if not {DT_STRTAB, DT_STRSZ, DT_SYMTAB} <= self._tags.keys():
            raise ValueError("its dynamic section names no symbol table")
        start, size = self._offset(self._tags[DT_STRTAB][0]), self._tags[DT_STRSZ][0]
        if start + size > self.size:
            raise ValueError("its string table ends behind the end of the file")
        self._strings = self._map[start : start + size]

    def _header(self) -> tuple[int, int]:
        """Where the program headers stand, and how many. Refuses what gilgen cannot serve.

        Section headers are kept from pyelftools: no program needs them, so they may be anything.
        """
        elf = ELFFile(io.BytesIO(self._map[:40] + bytes(8) + self._map[48:60] + bytes(4)))
        self.machine: str = elf.get_machine_arch()
        header = elf.header
        if header.e_ident.EI_CLASS != "ELFCLASS64" or header.e_ident.EI_DATA != "ELFDATA2LSB" or self.machine not in RELOCATIONS:
            kind = f"{elf.elfclass}-bit {'little' if elf.little_endian else 'big'}-endian {self.machine}"
            raise ArtefactError(f"{self.path} is a file for {kind}, not a shared library for x86-64 or aarch64.", "gilgen serves these two only.")
        if header.e_phnum > MOST_HEADERS or header.e_phentsize != PROGRAM_HEADER.itemsize:
            raise ValueError(f"{header.e_phnum} program headers of {header.e_phentsize} bytes")
        return int(header.e_phoff), int(header.e_phnum)

    def _check_segments(self, mapped: list[tuple[int, int]]) -> None:
        """What the kernel needs to map a file, and a bound: no byte of the file is read as code or data twice at several addresses."""
        if any(offset + size > self.size for _, size, offset in self._segments):
            raise ValueError("it is cut short: it ends before its segments do")
        behind = 0
        for address, memory in mapped:
            if address < behind or address + memory > HIGHEST:
                raise ValueError("its segments overlap or are out of order")
            behind = address + memory
        if any(size > memory for (_, size, _), (_, memory) in zip(self._segments, mapped, strict=True)):
            raise ValueError("a segment is larger in the file than in memory")
        if sum(size for _, size, _ in self._segments) > 2 * self.size:
            raise ValueError("its segments overlap in the file")
        self._end = behind

    def spend(self, effort: int) -> None:
        """Account for work that a library's content asks for: one unit for a step, an instruction or a byte that is looked at.

        Raises:
            ArtefactError: it asks for more than a library of its size is worth, as only a hostile one does.
        """
        self._effort += effort
        if self._effort > EFFORT * self.size + EFFORT_AT_LEAST:
            raise ArtefactError(f"{self.path} refers to itself in so many ways that reading it has no end.", "It is damaged or hostile. " + REINSTALL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back. Tables that were read stay usable only as copies."""
        self._strings = b""
        self._names = None
        with contextlib.suppress(BufferError):  # an error under way holds a table; the file goes when that does
            self._map.close()

    @_explained
    def defined(self, wanted: Callable[[bytes], bool]) -> dict[str, Defined]:
        """Functions that this library defines and exports and whose mangled name is `wanted`, by name."""
        table = self.symbols
        defined = table[(table["section"] != 0) & ((table["info"] & 15) == STT_FUNC) & (table["value"] != 0)]
        strings = self._strings
        found = {}
        for name, value, size in zip(defined["name"].tolist(), defined["value"].tolist(), defined["size"].tolist(), strict=True):
            text = strings[name : strings.find(b"\0", name)]
            if wanted(text):
                found[text.decode()] = Defined(value, size, zlib.crc32(self.read(value, size)))
        return found

    @_explained
    def imports(self, prefixes: Iterable[bytes]) -> bool:
        """Whether it imports a symbol whose name begins with one of `prefixes`."""
        table = self.symbols
        names = table["name"][table["section"] == 0].tolist()
        wanted = tuple(prefixes)
        return any(self._strings.startswith(wanted, name) for name in names)

    @_explained
    def slots(self, symbol: str) -> dict[str, int]:
        """How many slots name `symbol`: kind of relocation -> count."""
        table = self.symbols
        wanted = symbol.encode() + b"\0"
        indices = [index for index, name in enumerate(table["name"].tolist()) if self._strings.startswith(wanted, name)]
        counts: dict[str, int] = {}
        relocations = self._relocations()
        named = relocations[np.isin(relocations["info"] >> 32, indices)]
        for kind in (named["info"] & 0xFFFFFFFF).tolist():
            name = RELOCATIONS[self.machine].get(kind)
            if name:
                counts[name] = counts.get(name, 0) + 1
        return counts

    @_explained
    def carries_addresses(self, definitions: Mapping[str, Defined]) -> bool:
        """Whether slots lead to these definitions by address instead of by name (`-Bsymbolic` and the like)."""
        if not definitions:
            return False
        relocations = self._relocations()
        relative = next(kind for kind, name in RELOCATIONS[self.machine].items() if name == RELATIVE)
        addends = relocations["addend"][(relocations["info"] & 0xFFFFFFFF) == relative]
        addresses = np.fromiter((one.address for one in definitions.values()), "<i8")
        return bool(np.isin(addends, addresses).any() or np.isin(self._packed()[:, 1], addresses).any())

    @property
    def mapped(self) -> list[tuple[int, int]]:
        """What of the file is mapped: (address, size)."""
        return [(address, size) for address, size, _ in self._segments]

    def names(self) -> list[str]:
        """The names in the dynamic symbol table, by symbol index."""
        if self._names is None:
            self._names = self._read_names()
        return self._names

    @_explained
    def _read_names(self) -> list[str]:
        strings = self._strings
        names = []
        for start in self.symbols["name"].tolist():
            end = strings.find(b"\0", start)
            if end < 0:
                raise ValueError("a symbol has no name")
            self.spend(end - start)
            names.append(strings[start:end].decode(errors="replace"))
        return names

    @functools.cached_property
    def symbols(self) -> NDArray[np.void]:
        """The dynamic symbol table."""
        return self._symbols()

    @_explained
    def imported(self) -> dict[int, int]:
        """The slots that the dynamic linker fills for calls and data of this or another library: address -> symbol index."""
        relocations = self._relocations()
        kinds = [kind for kind, name in RELOCATIONS[self.machine].items() if name in {GOT, PLT}]
        chosen = relocations[np.isin(relocations["info"] & 0xFFFFFFFF, kinds)]
        self._check(chosen)
        return dict(zip(chosen["offset"].tolist(), (chosen["info"] >> 32).tolist(), strict=True))

    @_explained
    def pointers(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every stored address: (where it stands, where it leads), sorted by where it stands.

        One that names another library's symbol leads to `FOREIGN` plus the symbol's index, where nothing is mapped.
        """
        relocations = self._relocations()
        kinds = {name: kind for kind, name in RELOCATIONS[self.machine].items()}
        kind = relocations["info"] & 0xFFFFFFFF
        relative = relocations[kind == kinds[RELATIVE]]
        named = relocations[kind == kinds[ADDRESS]]
        symbols = self.symbols
        self._check(relative)
        self._check(named)
        index = (named["info"] >> 32).astype(np.int64)
        values = symbols["value"][index].astype(np.int64)
        ends = np.where(values != 0, values + named["addend"], FOREIGN + index)
        packed = self._packed()
        if any(len(found) and int(found.max()) >= FOREIGN for found in (relative["addend"], ends[values != 0], packed[:, 1])):
            raise ValueError("a stored address leads out of all memory")
        places = np.concatenate([relative["offset"].astype(np.int64), named["offset"].astype(np.int64), packed[:, 0]])
        targets = np.concatenate([relative["addend"], ends, packed[:, 1]])
        order = np.argsort(places, kind="stable")
        return places[order], targets[order]

    def _check(self, relocations: NDArray[np.void]) -> None:
        """They change what is mapped, and name symbols that are there."""
        if len(relocations) and int(relocations["offset"].max()) + 8 > self._end:
            raise ValueError("a relocation changes what is not mapped")
        if len(relocations) and int((relocations["info"] >> 32).max()) >= len(self.symbols):
            raise ValueError("a relocation names a symbol that is not there")

    def defines(self, symbol: str) -> bool:
        """Whether this library defines and exports a symbol of that name."""
        return self.mentions([symbol]) and any(name == symbol for name, section in zip(self.names(), self.symbols["section"].tolist(), strict=True) if section)

    def peek(self, address: int, size: int) -> bytes:
        """So many bytes as they are mapped at `address`; none where they are not all in the file."""
        for start, length, offset in self._segments:
            if start <= address and address + size <= start + length:
                return self._map[address - start + offset : address - start + offset + size]
        return b""

    def mentions(self, names: Iterable[str]) -> bool:
        """Whether one of these symbol names is in its string table; quicker than `imports`, and says less."""
        return any(b"\0" + name.encode() + b"\0" in self._strings for name in names)

    def contains(self, marks: Iterable[bytes]) -> bool:
        """Whether one of these byte strings is anywhere in the file."""
        return any(self._map.find(mark) >= 0 for mark in marks)

    @_explained
    def read(self, address: int, size: int) -> bytes:
        """So many bytes of the file as they are mapped at `address`; fewer at the end of a segment."""
        for start, length, offset in self._segments:
            if start <= address < start + length:
                begin = address - start + offset
                return self._map[begin : begin + min(size, start + length - address)]
        raise ValueError(f"nothing is mapped at {address:#x}")

    @_explained
    def array(self, address: int, size: int) -> NDArray[np.uint8]:
        """The same as an array that shares the file's memory."""
        return np.frombuffer(self._map, "u1", size, self._offset(address))

    def text(self, address: int, limit: int = 1 << 16) -> bytes | None:
        """The C string at `address`; None where there is none of up to `limit` bytes."""
        for start, length, offset in self._segments:
            if start <= address < start + length:
                begin = address - start + offset
                end = self._map.find(b"\0", begin, min(begin + limit, start + length - address + begin))
                return None if end < 0 else self._map[begin:end]
        return None

    def _build_id(self, offset: int, size: int) -> str:
        """The GNU build id among the notes of one segment; empty where it holds none."""
        end = offset + size
        while offset + 12 <= end:
            name_size, size, kind = np.frombuffer(self._map, "<u4", 3, offset).tolist()
            name = self._map[offset + 12 : offset + 12 + name_size]
            start = offset + 12 + (name_size + 3) // 4 * 4
            if kind == NT_GNU_BUILD_ID and name == b"GNU\0":
                return self._map[start : start + size].hex()
            offset = start + (size + 3) // 4 * 4
        return ""

    def _offset(self, address: int) -> int:
        for start, size, offset in self._segments:
            if start <= address < start + size:
                return int(address - start + offset)
        raise ArtefactError(f"{self.path} is damaged: nothing is mapped at {address:#x}.", REINSTALL)

    @_explained
    def _symbols(self) -> NDArray[np.void]:
        return np.frombuffer(self._map, SYMBOL, self._symbol_count(), self._offset(self._tags[DT_SYMTAB][0])).copy()

    def _symbol_count(self) -> int:
        """The length of the symbol table, which only the hash tables tell."""
        if DT_HASH in self._tags:
            return int(np.frombuffer(self._map, "<u4", 2, self._offset(self._tags[DT_HASH][0]))[1])
        start = self._offset(self._tags[DT_GNU_HASH][0])
        bucket_count, first, bloom_size, _ = np.frombuffer(self._map, "<u4", 4, start).tolist()
        buckets = np.frombuffer(self._map, "<u4", bucket_count, start + 16 + 8 * bloom_size)
        last = int(buckets.max()) if bucket_count else 0
        if last < first:  # it exports nothing, and the table does not say how much it imports
            relocations = self._relocations()
            named = int((relocations["info"] >> 32).max()) if len(relocations) else 0
            return max(int(first), named + 1)
        chain = start + 16 + 8 * bloom_size + 4 * bucket_count
        while not np.frombuffer(self._map, "<u4", 1, chain + 4 * (last - first))[0] & 1:
            self.spend(8)
            last += 1
        return last + 1

    def _packed(self) -> NDArray[np.int64]:
        """The compact relative relocations: rows of (slot, what it holds)."""
        if DT_RELR not in self._tags:
            return np.zeros((0, 2), "<i8")
        entries = np.frombuffer(self._map, "<u8", self._tags[DT_RELRSZ][0] // 8, self._offset(self._tags[DT_RELR][0]))
        rows, following = [], 0
        for entry in entries.tolist():
            if not entry & 1:  # an address; an odd entry is a bitmap of the 63 words after the last one
                if entry < following:
                    raise ValueError("its compact relocations are out of order")
                slots, following = [entry], entry + 8
            else:
                slots, following = [following + 8 * bit for bit in range(63) if entry >> bit & 2], following + 8 * 63
            rows += [(slot, int.from_bytes(self._map[(at := self._offset(slot)) : at + 8], "little", signed=True)) for slot in slots]
        return np.array(rows, "<i8").reshape(-1, 2)

    def _relocations(self) -> NDArray[np.void]:
        tables = [
            np.frombuffer(self._map, RELOCATION, self._tags[size][0] // RELOCATION.itemsize, self._offset(self._tags[start][0]))
            for start, size in ((DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ))
            if start in self._tags and self._tags.get(size, [0])[0]
        ]
        return np.concatenate(tables) if tables else np.zeros(0, RELOCATION)
