"""py-spy as a witness from outside: which thread does it see holding the GIL while the call runs?

py-spy samples this process without stopping it and writes only stacks whose thread holds the GIL. How
many samples there would be if the call held all the time is measured in the same session, with a loop of
bytecode that certainly holds: a py-spy that is slow, or starved by load, cannot turn a hold into a release.
"""

from __future__ import annotations

import ctypes
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from gilgen.diagnostics import window

from gilgen.model import Witness

RATE = 200
"""Samples a second: some forty of a call of 0.2 s, and still a light load."""

REFERENCE = 0.2
"""Seconds for which the reference loop holds the GIL."""

MINIMUM_RATE = 0.5
"""A py-spy that reaches less than this share of `RATE` is starved; what it did not see means nothing."""

READY_TIMEOUT = 10.0
"""Seconds in which py-spy must have begun to sample."""

_PR_SET_PTRACER = 0x59616D61
_PR_SET_PTRACER_ANY = -1


def holding_reference() -> float:
    """Hold the GIL in plain bytecode for `REFERENCE` seconds; return the seconds it took."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(window.PROOF_INTERVAL)
    start = time.perf_counter()
    while time.perf_counter() - start < REFERENCE:
        pass
    sys.setswitchinterval(interval)
    return time.perf_counter() - start


def count_samples(raw: str, function: str) -> int:
    """How many samples of py-spy's raw format ("frame;frame;frame count") have `function` in their stack."""
    total = 0
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        names = (frame.partition(" ")[0] for frame in stack.split(";"))
        if count.isdigit() and function in names:
            total += int(count)
    return total


def read_samples(raw: str, seconds: float, reference_seconds: float) -> tuple[Witness | None, str]:
    """What py-spy saw, or None and the reason.

    Args:
        raw: what py-spy wrote.
        seconds: how long the measured call ran altogether.
        reference_seconds: how long the reference loop held the GIL.
    """
    rate = count_samples(raw, holding_reference.__name__) / reference_seconds
    if rate < MINIMUM_RATE * RATE:
        return None, f"py-spy was starved: {rate:.0f} samples a second instead of {RATE}"
    expected = max(1, round(rate * seconds))
    return Witness(expected, min(expected, count_samples(raw, window.timed_call.__name__))), ""


def find_pyspy() -> str | None:
    """The py-spy beside this Python, or else the one on the path."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


class PySpy:
    """A py-spy that samples this process while the `with` block runs. It never raises: `reason` says why not."""

    def __init__(self, pid: int) -> None:
        self.reason = ""
        self._pid = pid
        self._process: subprocess.Popen[str] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="gilgen-witness-")
        self._raw = Path(self._folder.name) / "raw"
        self._text = ""
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it samples."""
        program = find_pyspy()
        if program is None:
            self.reason = "py-spy is not installed (pip install py-spy)"
            return self
        # Where only ancestors may trace a process (Yama), let py-spy, a child of ours, do it as well.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, ctypes.c_ulong(_PR_SET_PTRACER_ANY), 0, 0, 0)
        command = [program, "record", "--pid", str(self._pid), "--gil", "--nonblocking", "--rate", str(RATE)]
        command += ["--format", "raw", "--output", str(self._raw)]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        except OSError as error:
            self.reason = f"py-spy cannot be started: {error.strerror}"
            return self
        if not self._wait_until_sampling(self._process):
            self._kill()
            last = self._text.strip().splitlines()[-1:] or ["it said nothing"]
            self.reason = f"py-spy may not look into this process: {last[0].strip()[:200]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it if it still runs."""
        self._kill()
        self._folder.cleanup()

    def result(self, seconds: float) -> tuple[Witness | None, str]:
        """Stop sampling; what was seen of calls that ran `seconds` altogether, or None and the reason."""
        if self._process is None:
            return None, self.reason
        reference_seconds = holding_reference()
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(READY_TIMEOUT)
            raw = self._raw.read_text(encoding="utf-8", errors="replace")
        except (subprocess.TimeoutExpired, OSError):
            return None, "py-spy did not write what it saw"
        return read_samples(raw, seconds, reference_seconds)

    def _wait_until_sampling(self, process: subprocess.Popen[str]) -> bool:
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        stream = process.stdout
        assert stream is not None  # noqa: S101 - asked for above

        def read() -> None:
            # To the end, so that py-spy never blocks on a full pipe.
            with stream:
                for line in stream:
                    lines.put(line)
            lines.put("")

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()
        deadline = time.monotonic() + READY_TIMEOUT
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = lines.get(timeout=left)
            except queue.Empty:
                return False
            if "Sampling process" in line:
                return True
            if not line:
                return False
            self._text += line
        return False

    def _kill(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None
        if self._reader is not None:
            self._reader.join(READY_TIMEOUT)
