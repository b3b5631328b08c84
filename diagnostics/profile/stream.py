"""Records on their way out of the profiled process: through files in shared memory, without a system call.

Writing never gives up the GIL, which would change the very thing that is measured, and what was written stays when
the process crashes, is killed or replaces itself. Only the standard library is needed.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import threading
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
"""Bytes of a file of records; when it is full, another follows."""

BEAT = "beat"
"""The file that holds the time of the heartbeat's last tick, a double."""

_TIME = struct.Struct("d")


class Writer:
    """Appends records, each a JSON value, to numbered files. Any thread may write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._changing = threading.Lock()
        self._map = _shared(folder / _name(0), CHUNK)
        self._used = 0
        self._beat = _shared(folder / BEAT, mmap.PAGESIZE)

    def write(self, record: Any) -> None:
        """Append a record; one that is longer than a file is dropped."""
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        length = len(line)
        # Between these two lines the interpreter does not switch threads: each has its own piece of the file.
        start = self._used
        self._used = start + length
        if start + length <= CHUNK:
            self._map[start : start + length] = line
        elif length < CHUNK:
            self._next(start)
            self.write(record)

    def _next(self, start: int) -> None:
        with self._changing:
            if self._used <= CHUNK or start > self._used:
                return  # another thread was quicker
            following = _shared(self._folder / _name(self._number + 1), CHUNK)
            self._number += 1
            self._map = following
            self._used = 0

    def beat(self, now: float) -> None:
        """Note the heartbeat's tick."""
        _TIME.pack_into(self._beat, 0, now)


class Reader:
    """Reads what a `Writer` in another process wrote, as it comes, and takes away what was read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._at = 0
        self._beat: mmap.mmap | None = None

    def read(self, *, last: bool = False) -> list[Any]:
        """The records since the last time. `last`: the writer is gone, so nothing that is incomplete will be completed."""
        records: list[Any] = []
        while True:
            full = (self._folder / _name(self._number + 1)).exists()  # asked first: then nothing is added to this one any more
            data = self._data()
            whole = data if last else data.partition(b"\0")[0]
            end = whole.rfind(b"\n") + 1
            for line in whole[:end].replace(b"\0", b"").splitlines():
                try:
                    records.append(json.loads(line))
                except ValueError:
                    continue  # a writer was killed in its midst
            self._at += end
            if not full:
                return records
            (self._folder / _name(self._number)).unlink(missing_ok=True)
            self._number += 1
            self._at = 0

    def beat(self) -> float:
        """The time of the heartbeat's last tick; 0 before the first."""
        if self._beat is None:
            try:
                with (self._folder / BEAT).open("rb") as file:
                    self._beat = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            except (OSError, ValueError):
                return 0.0
        return float(_TIME.unpack_from(self._beat, 0)[0])

    def _data(self) -> bytes:
        try:
            with (self._folder / _name(self._number)).open("rb") as file:
                file.seek(self._at)
                return file.read()
        except OSError:
            return b""


def _name(number: int) -> str:
    return f"{number}.records"


def _shared(path: Path, size: int) -> mmap.mmap:
    """A new file of zeros in memory. Its blocks are reserved: a full disk is an error here, and not a crash later."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(handle, 0, size)
        return mmap.mmap(handle, size)
    finally:
        os.close(handle)
