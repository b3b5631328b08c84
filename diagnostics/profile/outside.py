"""Starts the program, looks at its threads while they are kept out, and makes the profile when it has ended."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gilgen.diagnostics import waits
from gilgen.diagnostics.isolate import signal_name
from gilgen.diagnostics.profile import hanging
from gilgen.diagnostics.profile.attribution import Attribution, Look, writable
from gilgen.diagnostics.profile.stream import Reader
from gilgen.diagnostics.run import environment

from gilgen import launch
from gilgen.launch import Program
from gilgen.model import Profile

LOOK = 0.002
"""Seconds between looks while the heartbeat is not heard."""

SILENT = 0.003
"""Seconds without a tick after which the looks begin."""

CALM = 0.02
"""Seconds between looks while nobody is kept out: for the timelines, and cheap."""

DRAIN = 0.05
"""Seconds between readings of what the process wrote."""

HANGS = 2.0
"""After so many seconds py-spy is asked where the hold is: if the program never comes back, nobody else can tell."""

LONG = 1.0
"""After so many seconds of one hold, looks become rarer."""

STRANGE = 200
"""Looks at a thread that Python does not know, after which it is taken for a library's own."""

KILLS = 3
"""The interrupt with which the program is killed: it had two to end by itself."""

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_FROM_TERMINAL = 0x80
"""si_code of a signal that the kernel sent (SI_KERNEL): the terminal's, which every process in front has got itself."""


def profile(program: Program, *, shims: bool, notify: Callable[[str], None]) -> Profile:
    """Run a program under the profile until it ends.

    Args:
        program: what to run.
        shims: activate the shims of all toolkits before.
        notify: told what the user should know at once.
    """
    with tempfile.TemporaryDirectory(prefix="gilgen-profile-") as scratch:
        environment_of_it = launch.environment(activate={"toolkits": [], "guard": "closure"} if shims else None, profile=Path(scratch))
        waits.runtime_of(os.getpid())  # takes a while, and is the same file in the program
        started = time.perf_counter()
        process = subprocess.Popen(program.command, process_group=None if _in_front() else 0, env=environment_of_it)
        session = Session(process, Reader(Path(scratch)), Attribution(program.folder), notify)
        session.run()
    seconds = (session.attribution.ended or time.perf_counter()) - (session.attribution.started or started)
    calls = session.attribution.calls()
    return Profile(
        environment=environment(sorted({call.toolkit for call in calls if call.toolkit})),
        program=writable(str(program)),
        seconds=seconds,
        how="monitor",
        exit_code=process.returncode,
        calls=calls,
        stalls=session.attribution.longest_stalls(),
        timelines=session.attribution.timelines(),
        notices=tuple(session.notices()),
    )


class Session:
    """One run of the program."""

    def __init__(self, process: subprocess.Popen[bytes], reader: Reader, attribution: Attribution, notify: Callable[[str], None]) -> None:
        self.process = process
        self.reader = reader
        self.attribution = attribution
        self.notify = notify
        self._runtime: range | None = None
        self._blind = False
        self._interrupts = 0
        self._gone = 0
        self._strangers: dict[int, int] = {}
        self._hanging: hanging.Hanging | None = None

    def run(self) -> None:
        """Look, read and pass signals on until the program has ended."""
        waited = {*PASSED_ON, signal.SIGCONT}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        try:
            drained = looked = last = time.perf_counter()
            while self.process.poll() is None:
                received = signal.sigtimedwait(waited, LOOK)
                now = time.perf_counter()
                if received is not None:
                    self._signal(received, last, now)
                last = now
                silent = now - (self.reader.beat() or now)
                pause = LOOK if SILENT < silent < LONG else CALM
                if now - looked >= pause * 0.9:
                    looked = now
                    self._look()
                if silent > HANGS and self._hanging is None and self._beats():
                    self._hanging = hanging.Hanging(self.process.pid)
                elif silent < SILENT and self._hanging is not None:
                    self._hanging.over()
                    self._hanging = None
                if now - drained >= DRAIN or not self.attribution.heart:
                    drained = now
                    self.attribution.take(self.reader.read(), looked if self._runtime else math.inf)
        finally:
            # Pending ones were meant for the program, which has ended.
            while signal.sigtimedwait(waited, 0) is not None:
                pass
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.attribution.take(self.reader.read(last=True))
        self.attribution.finish()
        if self._hanging is not None and (found := self._hanging.place()):
            self.attribution.hung(*found, last - self.reader.beat())

    def _beats(self) -> bool:
        """Whether the heartbeat's thread is there: it is not when the program has become another (exec)."""
        return self.attribution.heart in waits.threads_of(self.process.pid)

    def _signal(self, received: signal.struct_siginfo, last: float, now: float) -> None:
        if received.si_signo == signal.SIGCONT:
            self.attribution.stopped.append((last - DRAIN, now + DRAIN))
            return
        if received.si_signo == signal.SIGINT:
            self._interrupts += 1
            if self._interrupts >= KILLS:
                self.process.kill()
                return
            self.notify(f"Waiting for the program to end; it is killed at the {'next' if self._interrupts == KILLS - 1 else 'third'} interrupt. The profile is kept.")
        if received.si_code != _FROM_TERMINAL:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(received.si_signo)

    def _look(self) -> None:
        """Look at every thread of the program that is known, and at the heartbeat."""
        found = self.attribution
        pid = found.pid
        if found.heart in {0, self._gone}:
            return
        if self._runtime is None and not self._blind:
            self._runtime = waits.runtime_of(pid)
            self._blind = self._runtime is None
        if self._runtime is None:
            return
        state = waits.look(pid, found.heart, self._runtime)
        if state is None:
            self._gone = found.heart  # until it beats again, in another thread: around a fork it pauses
            return
        found.looks.of[found.heart].append(Look(time.perf_counter(), state, 0.0))
        for thread in [*found.names, *self._unnamed()]:
            state = waits.look(pid, thread, self._runtime)
            if state is not None:
                found.looks.of[thread].append(Look(time.perf_counter(), state, _delay(pid, thread)))

    def _unnamed(self) -> list[int]:
        """Threads that have not told their names yet, or never will: new ones wait for the GIL, a library's own never do."""
        found = self.attribution
        tasks = [task for task in waits.threads_of(found.pid) if task not in found.names and task != found.heart]
        for task in tasks:
            self._strangers[task] = self._strangers.get(task, 0) + 1
        return [task for task in tasks if self._strangers[task] <= STRANGE]

    def notices(self) -> list[str]:
        """What a reader of the profile should know."""
        found = self.attribution
        said = []
        code = self.process.returncode
        if code < 0:
            said.append(f"The program was ended by {signal_name(-code)}. What was seen before is here.")
        if found.started is None:
            said.append("The program ended before the profile could begin.")
        elif self._blind:
            said.append("The kernel did not let gilgen look at the program's threads (ptrace), so nothing is said of who waited. `gilgen doctor` says more.")
        if found.started is not None and found.ended is None and code >= 0:
            said.append("The program left without Python's own end (os._exit or exec), so its last moments are not here.")
        if not found.complete:
            said.append("The program set a profile function of its own (sys.setprofile), which ended this one in that thread.")
        if found.unclear > 0.01:  # noqa: PLR2004 - less is not worth a word
            said.append(f"{found.unclear:.2f} s were held by one of several calls, and nothing told which.")
        if found.errors:
            said.append(f"{found.errors} calls could not be read.")
        if found.stalled > len(found.stalls):
            said.append(f"There were {found.stalled} stalls of event loops; the {len(found.stalls)} longest are here.")
        return said


def _in_front() -> bool:
    """Whether the terminal's keys reach this process; then the program must stay in its group, or it could not read from there."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123 - a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _delay(pid: int, thread: int) -> float:
    """How many seconds a thread has waited for a processor; 0 where the kernel does not tell."""
    try:
        with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:  # noqa: PTH123 - asked often
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
