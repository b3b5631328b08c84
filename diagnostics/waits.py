"""Who waits for the GIL, seen from outside the process: neither load nor the process itself can hide it.

A thread that waits for the GIL sleeps in a futex (futex(2)) whose address lies in CPython's runtime state, the object
`_PyRuntime` that every CPython from 3.7 on exports. The kernel tells both: /proc/PID/task/TID/syscall has the system
call that a sleeping thread is in, and its arguments (proc_pid_syscall(5)). Reading it takes the permission to trace, so
whoever looks is an ancestor, is root, or was let in by `allow`.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from gilgen.model import Lane, Span, State

FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), -1)
"""The number of the system call futex, from each architecture's table in Linux."""

RUNTIME = "_PyRuntime"

GONE = 0.1
"""Seconds after which a thread that is no longer seen, while others are, has ended."""

_PR_SET_PTRACER = 0x59616D61
_PR_SET_PTRACER_ANY = -1


def allow() -> None:
    """Let any process of this user look into this one, where only ancestors may (Yama, Linux: admin-guide/LSM/Yama)."""
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(_PR_SET_PTRACER_ANY), 0, 0, 0)


def runtime_of(pid: int) -> range | None:
    """The addresses of CPython's runtime state in a process; None where it is no CPython, or may not be looked into."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    bases: dict[str, int] = {}
    for line in lines:
        addresses, _, offset, _, _, *path = line.split(maxsplit=5)
        if path and path[0].startswith("/") and _PYTHON.match(Path(path[0]).name):
            bases.setdefault(path[0], int(addresses.partition("-")[0], 16) - int(offset, 16))
    for file, base in bases.items():
        place = _symbol(f"/proc/{pid}/root{file}")
        if place is not None:
            value, size, fixed = place
            start = value if fixed else base + value
            return range(start, start + size)
    return None


_PYTHON = re.compile(r"(lib)?python", re.IGNORECASE)
"""How the name of a file begins that can hold Python itself. ITK's modules, by the thousand, only have it within theirs."""

_known: dict[tuple[int, int, int], tuple[int, int, bool] | None] = {}
"""By device, number and time of change of a file: reading one takes a while, and all processes of one Python share it."""


def _symbol(path: str) -> tuple[int, int, bool] | None:
    """Value and size of the runtime state in an ELF file, and whether the file is always loaded where it says."""
    try:
        status = os.stat(path)  # noqa: PTH116 - below /proc/PID/root
    except OSError:
        return None
    key = status.st_dev, status.st_ino, status.st_mtime_ns
    if key not in _known:
        _known[key] = _read_symbol(path)
    return _known[key]


def _read_symbol(path: str) -> tuple[int, int, bool] | None:
    try:
        with Path(path).open("rb") as stream:
            file = ELFFile(stream)
            table = file.get_section_by_name(".dynsym")
            found = table.get_symbol_by_name(RUNTIME) if isinstance(table, SymbolTableSection) else None
            symbol = next((one for one in found or () if one["st_shndx"] != "SHN_UNDEF"), None)
            return (symbol["st_value"], symbol["st_size"], file["e_type"] == "ET_EXEC") if symbol else None
    except (OSError, ELFError):
        return None


def look(pid: int, thread: int, runtime: range) -> State | None:
    """What a thread does at this moment; None where it has ended or may not be looked into."""
    try:
        handle = os.open(f"/proc/{pid}/task/{thread}/syscall", os.O_RDONLY)
    except OSError:
        return None
    try:
        text = os.read(handle, 256)
    except OSError:
        return None
    finally:
        os.close(handle)
    if text.startswith(b"running"):
        return "runs"
    words = text.split(None, 2)
    waits = len(words) > 1 and int(words[0]) == FUTEX and int(words[1], 16) in runtime
    return "waits" if waits else "sleeps"


def threads_of(pid: int) -> list[int]:
    """The threads of a process; none where it has ended."""
    try:
        return sorted(map(int, os.listdir(f"/proc/{pid}/task")))  # noqa: PTH208 - ten times as fast, and asked often
    except OSError:
        return []


@dataclass(slots=True)
class Watch:
    """Looks at the threads of a process whenever `look` is called, and remembers what they did.

    Times are of `time.perf_counter`, one clock for all processes of a machine (CLOCK_MONOTONIC).
    """

    pid: int
    runtime: range | None
    looks: dict[int, list[tuple[float, State]]] = field(default_factory=dict)

    @classmethod
    def of(cls, pid: int) -> Watch:
        """Of a process; it sees nothing where that is no CPython or may not be looked into."""
        return cls(pid, runtime_of(pid))

    def look(self) -> bool:
        """Look at every thread once. False where nothing could be seen."""
        seen = False
        for thread in threads_of(self.pid) if self.runtime else ():
            state = look(self.pid, thread, self.runtime or range(0))
            if state is not None:
                seen = True
                self.looks.setdefault(thread, []).append((time.perf_counter(), state))
        return seen

    def count(self, thread: int, start: float, end: float) -> tuple[int, int]:
        """How many looks at a thread there were from `start` to `end`, and how many found it waiting for the GIL."""
        states = [state for at, state in self.looks.get(thread, ()) if start <= at <= end]
        return len(states), sum(state == "waits" for state in states)

    def spans(self, thread: int, start: float, end: float) -> tuple[Span, ...]:
        """What a thread did from `start` to `end`, or until it ended itself; the spans' times are seconds since `start`."""
        seen = self.looks.get(thread, [])
        newest = max((looks[-1][0] for looks in self.looks.values()), default=end)
        last = seen[-1][0] if seen and newest - seen[-1][0] > GONE else end
        return spans_of([look for look in seen if start <= look[0] <= end], start, min(last, end))

    def lanes(self, names: dict[int, str], start: float, end: float) -> tuple[Lane, ...]:
        """A lane for each thread named."""
        return tuple(Lane(name, self.spans(thread, start, end)) for thread, name in names.items())


def spans_of(looks: Iterable[tuple[float, State]], start: float, end: float) -> tuple[Span, ...]:
    """Looks that follow each other with one state, as one span: it lasts until the look that found another."""
    spans: list[Span] = []
    for at, state in looks:
        moment = at - start
        if spans and spans[-1].state == state:
            continue
        if spans:
            spans[-1] = Span(spans[-1].start, moment, spans[-1].state)
        spans.append(Span(moment, end - start, state))
    return tuple(spans)
