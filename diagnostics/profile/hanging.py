"""A call that may never come back: py-spy says from outside where it is, should the program be killed in it."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from gilgen.diagnostics.witness import PySpy

SECONDS = 10.0
"""For py-spy's answer, once the program has ended."""


class Hanging:
    """One look with py-spy at all stacks of a process; it answers in its own time."""

    def __init__(self, pid: int) -> None:
        program, _ = PySpy.find()
        self._process: subprocess.Popen[str] | None = None
        if program:
            command = [*program, "dump", "--pid", str(pid), "--nonblocking", "--json"]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, process_group=0)

    def over(self) -> None:
        """The call came back: what it did is told from inside."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def place(self) -> tuple[str, str, int, str] | None:
        """(thread, file, line, function) of the innermost frame of the thread that has the GIL; None where it was not seen."""
        try:
            threads: list[dict[str, Any]] = json.loads(self._said())
            holder = next(thread for thread in threads if thread["owns_gil"])
            frame = holder["frames"][0]
            return holder["thread_name"] or f"thread {holder['os_thread_id']}", frame["filename"], int(frame["line"]), frame["name"]
        except (ValueError, KeyError, IndexError, TypeError, StopIteration):
            return None

    def _said(self) -> str:
        if self._process is None:
            return ""
        try:
            return self._process.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.communicate()[0]
