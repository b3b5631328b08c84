"""What one call left behind, as a flat record of texts: `outcome`, `arguments.0`, `messages`, `files.x` ...

Two records of one case are the same where every call did the same. Digests stand for what is long.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Record = dict[str, str]

LONG = 400
"""Letters of a text beyond which its digest stands for it."""

MASKS = (
    (re.compile(r"0x[0-9a-fA-F]{4,}"), "0x-"),
    (re.compile(r"\b[0-9a-fA-F]{4,}_p_\w+"), "-_p"),
    (re.compile(r"(?i)\b([\w ]*time)\s*[:=]\s*\d+\b(?!\.)"), r"\1: -"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+"), "-"),
    (re.compile(r"\(\s*\d+\.\d+s\)"), "(-s)"),
    (re.compile(r"gilgen-fidelity-\w+"), "gilgen-fidelity"),
    (re.compile(r"\[[\w ]+?\s*\](?=\s*\S+:\d+)"), "[-]"),
)
"""What differs from process to process by itself: addresses, the times and threads of log lines, and VTK's and ITK's
modification times, which count all that happened in a process before."""


def masked(text: str) -> str:
    """A text without addresses and times."""
    for pattern, instead in MASKS:
        text = pattern.sub(instead, text)
    return text


def digest(data: Any) -> str:
    """A digest of bytes or of anything with a buffer."""
    return hashlib.blake2b(data, digest_size=10).hexdigest()


class Writer:
    """Fills a record.

    Args:
        special: describes what only a toolkit knows; says whether it did.
        full: whether long texts are kept, to look into a difference.
    """

    def __init__(self, special: Callable[[Writer, str, Any], bool], *, full: bool = False) -> None:
        self.record: Record = {}
        self.special = special
        self.full = full
        self._seen: set[int] = set()

    def text(self, path: str, text: str) -> None:
        text = masked(text)
        if len(text) > LONG and not self.full:
            text = f"{len(text)} letters, {digest(text.encode('utf-8', 'surrogateescape'))}"
        self.record[path] = text

    def data(self, path: str, data: Any) -> None:
        """Bytes, or anything with a buffer."""
        view = memoryview(data)
        if view.nbytes and not view.contiguous:
            view = memoryview(view.tobytes())
        self.record[path] = f"{view.nbytes} bytes, {digest(view)}"

    def value(self, path: str, value: Any, depth: int = 0) -> None:
        """Anything: its type, and its value bit for bit."""
        if value is None or isinstance(value, bool | int | str):
            self.text(path, f"{type(value).__name__} {value!r}")
        elif isinstance(value, float):
            self.record[path] = f"float {struct.pack('>d', value).hex()} {value!r}"
        elif isinstance(value, bytes | bytearray | memoryview):
            self.data(path, value)
        elif self.special(self, path, value):
            pass
        elif isinstance(value, list | tuple):
            self._sequence(path, value, depth)
        elif isinstance(value, dict):
            self._sequence(path, [item for pair in value.items() for item in pair], depth)
        elif isinstance(value, BaseException):
            self.text(path, f"{type(value).__name__}: {value}")
        else:
            self.text(path, f"{type(value).__name__} {value!r}")

    def _sequence(self, path: str, values: Iterable[Any], depth: int) -> None:
        kind, values = type(values).__name__, list(values)
        self.record[path] = f"{kind} of {len(values)}"
        if depth > 3:
            return
        if len(values) > 40 and all(isinstance(value, int | float | str) for value in values):
            self.text(f"{path}.all", repr(values))
            return
        for index, value in enumerate(values[:40]):
            self.value(f"{path}.{index}", value, depth + 1)

    def once(self, key: int) -> bool:
        """Whether this is the first time that a record meets an object, so that rings end."""
        first = key not in self._seen
        self._seen.add(key)
        return first

    def files(self, path: str, folder: Path, before: dict[str, int]) -> None:
        """Every file that was written: what is in it."""
        for root, folders, files in os.walk(folder):
            folders.sort()
            for name in sorted(files):
                file = Path(root) / name
                key = str(file.relative_to(folder))
                stat = file.lstat()
                if before.get(key) != stat.st_mtime_ns and file.is_file():
                    self.data(f"{path}.{masked(key)}", file.read_bytes())


def stamps(folder: Path) -> dict[str, int]:
    """When each file in a folder was last written."""
    return {str(file.relative_to(folder)): file.lstat().st_mtime_ns for file in folder.rglob("*") if file.is_file()}
