"""Threads that take turns at the ends of Python lines: what a GIL does that no call releases.

A program whose operations are right in every such order, and wrong with real threads, has found a fault of the
released calls. One that is wrong here is itself at fault: its results depend on the order of its operations.
"""

from __future__ import annotations

import bisect
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from random import Random
from types import FrameType
from typing import Any

OFTEN = 0.3
"""How probable a change of threads is at the end of a line."""


class Turns:
    """Only the thread whose turn it is runs Python or C++; the same seed gives the same turns.

    Args:
        seed: of the turns.
        threads: how many threads take part; none begins before all are there.
    """

    def __init__(self, seed: int, threads: int) -> None:
        self._chance = Random(seed)  # noqa: S311 - must be reproducible
        self._changed = threading.Condition()
        self._present: list[int] = []
        self._turn = 0
        self._all_here = threading.Barrier(threads)

    @contextlib.contextmanager
    def taken(self, number: int) -> Iterator[None]:
        """In thread `number`, from 0: what is inside runs when it is this thread's turn."""
        with self._changed:
            bisect.insort(self._present, number)
        self._all_here.wait()
        with self._changed:
            self._wait(number)
        sys.settrace(self._tracer(number))
        try:
            yield
        finally:
            sys.settrace(None)
            with self._changed:
                self._present.remove(number)
                self._turn = self._chance.choice(self._present) if self._present else 0
                self._changed.notify_all()

    def _wait(self, number: int) -> None:
        while self._turn != number:
            self._changed.wait()

    def _tracer(self, number: int) -> Callable[[FrameType, str, Any], Any]:
        def trace(frame: FrameType, _event: str, _argument: Any) -> Any:
            if "fuzz" not in frame.f_code.co_filename:
                return None
            with self._changed:
                if self._chance.random() < OFTEN:
                    self._turn = self._chance.choice(self._present)
                    self._changed.notify_all()
                    self._wait(number)
            return trace

        return trace
