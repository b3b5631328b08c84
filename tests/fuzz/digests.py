"""Short strings that stand for results; equal results have equal digests, bit for bit."""

from __future__ import annotations

import itertools
import os
import tempfile
import zlib
from pathlib import Path
from typing import Any

_numbers = itertools.count()
_folder: list[str] = []


def checksum(data: Any) -> str:
    """Of bytes, text or a numpy array."""
    if isinstance(data, str):
        data = data.encode()
    elif not isinstance(data, bytes):
        data = data.tobytes()
    return f"{len(data)}:{zlib.crc32(data):08x}"


def rounded(*numbers: float) -> str:
    """Of numbers."""
    return " ".join(f"{number:.9g}" for number in numbers)


def own_file(suffix: str) -> str:
    """A path that no other call gets, in a folder of this process."""
    if not _folder or not _folder[0].endswith(f"-{os.getpid()}"):
        _folder[:] = [tempfile.mkdtemp(prefix="fuzz-", suffix=f"-{os.getpid()}", dir=os.environ.get("FUZZ_FILES"))]
    return str(Path(_folder[0]) / f"{next(_numbers)}{suffix}")
