"""Putting the garbage collector off; for the run-time part too, so the standard library is all it needs."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Without garbage collection: with a toolkit imported, or a quarter of a million records made, its rounds take longer than the work."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
