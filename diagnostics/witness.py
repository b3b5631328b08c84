"""A sampler as a witness from outside: which thread does it see holding the GIL while the call runs?

It samples this process without stopping it and writes only stacks whose thread holds the GIL: py-spy, or from Python 3.15 on the
standard library's own `profiling.sampling`, which always knows the interpreter that it comes with. How many samples there would be
if the call held all the time is measured in the same session, with a loop of bytecode that certainly holds: a sampler that is slow,
or starved by load, cannot turn a hold into a release.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, ClassVar, Self

from gilgen.diagnostics import waits, window

from gilgen.model import Witness

RATE = 200
"""Samples a second: some forty of a call of 0.2 s, and still a light load."""

REFERENCE = 0.2
"""Seconds for which the reference loop holds the GIL."""

MINIMUM_RATE = 0.5
"""A sampler that reaches less than this share of `RATE` is starved; what it did not see means nothing."""

READY_TIMEOUT = 10.0
"""Seconds in which a sampler must have begun to sample."""

STANDARD_SINCE = (3, 15)
"""The first Python with `profiling.sampling`; py-spy learns a new Python's structures only some time after its release."""

CALLS = frozenset({window.timed_call.__name__, window.timed_row.__name__})
"""The functions inside which measured calls run."""

_WHERE_INTERRUPTED = """\
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("profiling.sampling", run_name="__main__", alter_sys=True)
"""
"""SIGINT ends the profiler early, and it writes; but what a shell starts in the background inherits that SIGINT is ignored."""


def holding_reference() -> float:
    """Hold the GIL in plain bytecode for `REFERENCE` seconds; return the seconds it took."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(window.PROOF_INTERVAL)
    start = time.perf_counter()
    while time.perf_counter() - start < REFERENCE:
        pass
    sys.setswitchinterval(interval)
    return time.perf_counter() - start


def count_samples(raw: str, functions: frozenset[str], name_of: Callable[[str], str]) -> int:
    """How many samples of the format "frame;frame;frame count" have one of these functions in their stack.

    Args:
        raw: a stack and its count a line.
        functions: whole names.
        name_of: takes a function's name out of a frame.
    """
    total = 0
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if count.isdigit() and not functions.isdisjoint(map(name_of, stack.split(";"))):
            total += int(count)
    return total


class Sampler(ABC):
    """A program that samples this process while the `with` block runs. It never raises: `reason` says why not.

    Attributes:
        name: as users know it.
        begun: what it prints once it samples.
        reason: why it does not sample; empty while it does.
        passed_over: the notes of those that were asked before it.
    """

    name: ClassVar[str]
    begun: ClassVar[bytes]

    def __init__(self, pid: int) -> None:
        self.reason = ""
        self.passed_over = ""
        self._pid = pid
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="gilgen-witness-")
        self._raw = Path(self._folder.name) / "raw"
        self._said = b""
        self._told = threading.Event()
        self._reader: threading.Thread | None = None

    @staticmethod
    @abstractmethod
    def find() -> tuple[list[str], str]:
        """The program with its first arguments, or none and the reason."""

    @staticmethod
    @abstractmethod
    def arguments(pid: int, raw: Path) -> list[str]:
        """What to tell it: sample every thread of that process that has the GIL, `RATE` times a second, until SIGINT; then write to `raw`."""

    @staticmethod
    @abstractmethod
    def name_of(frame: str) -> str:
        """The function's name in a frame of what it writes; empty where there is none."""

    @classmethod
    def read(cls, raw: str, seconds: float, reference_seconds: float) -> tuple[Witness | None, str]:
        """What it saw, or None and the reason.

        Args:
            raw: what it wrote.
            seconds: how long the measured call ran altogether.
            reference_seconds: how long the reference loop held the GIL.
        """
        rate = count_samples(raw, frozenset({holding_reference.__name__}), cls.name_of) / reference_seconds
        if rate < MINIMUM_RATE * RATE:
            return None, f"it was starved: {rate:.0f} samples a second instead of {RATE}"
        expected = max(1, round(rate * seconds))
        return Witness(expected, min(expected, count_samples(raw, CALLS, cls.name_of)), cls.name), ""

    def __enter__(self) -> Self:
        """Start it and wait until it samples."""
        program, self.reason = self.find()
        if not program:
            return self
        # Where only ancestors may trace a process (Yama), let the sampler, a child of ours, do it as well.
        waits.allow()
        command = [*program, *self.arguments(self._pid, self._raw)]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        except OSError as error:
            self.reason = f"it cannot be started: {error.strerror}"
            return self
        assert process.stdout is not None  # noqa: S101 - asked for above
        self._process = process
        self._reader = threading.Thread(target=self._listen, args=(process.stdout,), daemon=True)
        self._reader.start()
        in_time = self._told.wait(READY_TIMEOUT)
        if self.begun not in self._said:
            self._kill()
            refused = f"it may not look into this process: {complaint(self._said.decode(errors='replace'))}"
            self.reason = refused if in_time else f"it did not begin within {READY_TIMEOUT:g} s"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it if it still runs."""
        self._kill()
        self._folder.cleanup()

    @property
    def notes(self) -> str:
        """What did not work, here and with those asked before; empty where all did."""
        own = f"no {self.name}: {self.reason}" if self.reason else ""
        return "; ".join(filter(None, [self.passed_over, own]))

    def result(self, seconds: float) -> tuple[Witness | None, str]:
        """Stop sampling; what was seen of calls that ran `seconds` altogether, or None, and the notes."""
        seen = None
        if self._process is not None:
            seen, self.reason = self._stop(self._process, seconds)
        return seen, self.notes

    def _stop(self, process: subprocess.Popen[bytes], seconds: float) -> tuple[Witness | None, str]:
        reference_seconds = holding_reference()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(READY_TIMEOUT)
            raw = self._raw.read_text(encoding="utf-8", errors="replace")
        except (subprocess.TimeoutExpired, OSError):
            return None, "it did not write what it saw"
        return self.read(raw, seconds, reference_seconds)

    def _listen(self, stream: IO[bytes]) -> None:
        # To the end, so that it never blocks on a full pipe; and not by lines, for not all end what they say.
        with stream:
            while said := stream.read(4096):
                self._said += said
                if self.begun in self._said:
                    self._told.set()
        self._told.set()

    def _kill(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            self._process.wait()
            self._process = None
        if self._reader is not None:
            self._reader.join(READY_TIMEOUT)


class PySpy(Sampler):
    """The py-spy beside this Python, or else the one on the path."""

    name = "py-spy"
    begun = b"Sampling process"

    @staticmethod
    def find() -> tuple[list[str], str]:
        """Where it is installed."""
        beside = Path(sys.executable).with_name("py-spy")
        program = str(beside) if beside.exists() else shutil.which("py-spy")
        return ([program], "") if program else ([], "it is not installed (pip install py-spy)")

    @staticmethod
    def arguments(pid: int, raw: Path) -> list[str]:
        """Its own words for it."""
        command = ["record", "--pid", str(pid), "--gil", "--nonblocking", "--rate", str(RATE)]
        return [*command, "--format", "raw", "--output", str(raw)]

    @staticmethod
    def name_of(frame: str) -> str:
        """A frame is "function (file.py:line)"."""
        return frame.partition(" ")[0]


class StandardProfiler(Sampler):
    """Python's own `profiling.sampling`, run by the very Python that it samples.

    It says nothing when it begins, so it is asked for its statistics: they come after each second of sampling, on a line that they
    never end.
    """

    name = "profiling.sampling"
    begun = b"Stats:"

    @staticmethod
    def find() -> tuple[list[str], str]:
        """This Python, without what the environment and its site would add."""
        try:
            found = importlib.util.find_spec("profiling.sampling") and importlib.util.find_spec("_remote_debugging")
        except ImportError:
            found = None
        if not found or sys.version_info[:2] < STANDARD_SINCE:
            return [], "this Python has none"
        return ([sys.executable, "-I", "-S", "-c", _WHERE_INTERRUPTED], "") if sys.executable else ([], "Python does not know its own program")

    @staticmethod
    def arguments(pid: int, raw: Path) -> list[str]:
        """Its own words for it."""
        command = ["attach", "--mode", "gil", "--all-threads", "--sampling-rate", str(RATE), "--realtime-stats"]
        return [*command, "--collapsed", "--output", str(raw), str(pid)]

    @staticmethod
    def name_of(frame: str) -> str:
        """A frame is "file.py:function:line"; a stack begins with "tid:number"."""
        file, _, name = frame.rpartition(":")[0].rpartition(":")
        return name if file else ""


def complaint(said: str) -> str:
    """The line in which a program says why it cannot sample: the last one, unless advice follows."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if "unable to" in line] or lines[-1:] or ["it said nothing"]
    return telling[0][:200]


def kinds() -> tuple[type[Sampler], ...]:
    """The samplers to ask for this Python, the better one first."""
    return (StandardProfiler, PySpy) if sys.version_info[:2] >= STANDARD_SINCE else (PySpy,)


@contextmanager
def sampler(pid: int) -> Iterator[Sampler]:
    """Sample this process with the first program that can. Where none can, the last one is there and its result tells why."""
    passed_over = ""
    *before, last = kinds()
    for kind in before:
        with kind(pid) as one:
            if not one.reason:
                yield one
                return
            passed_over = one.notes
    with last(pid) as one:
        one.passed_over = passed_over
        yield one
