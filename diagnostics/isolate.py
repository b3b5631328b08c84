"""Each case in its own process with a deadline: a crash, an error or a hang is a result, never the end.

A nursery is a process in which a toolkit is imported; for each case it forks another. This module is the
harness's side of it; `child` is the other.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from gilgen.diagnostics import verdict
from gilgen.diagnostics.cases import Case
from gilgen.diagnostics.records import Ending, Evidence, Request, Scene
from gilgen.diagnostics.waits import Watch

from gilgen.model import CaseResult, Lane, Span, State, Timeline, Verdict, Waits

DEADLINE = 60.0
"""Seconds for one case: ten times what it takes on a quiet machine."""

LOADING = 300.0
"""Seconds for importing a toolkit: ITK takes ten of processor time, and more on a cold disk."""

GRACE = 30.0
"""Seconds beyond a case's deadline after which its nursery itself counts as lost."""

LOG_TAIL = 1500
"""Characters of a crashed process's output that are kept: a native stack or two."""


class Nursery:
    """A process that has imported a case module and forks one process for each case.

    Args:
        module: a module with `CASES`, `load()` and `single_threaded()`.
    """

    PROGRAM = "gilgen.diagnostics.child"

    def __init__(self, module: str) -> None:
        self.module = module
        self._folder = tempfile.TemporaryDirectory(prefix="gilgen-diagnose-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._count = 0

    def __enter__(self) -> Self:
        """Nothing starts before the first case."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process and whatever it forked."""
        self._stop()
        self._folder.cleanup()

    def run(
        self, case: Case, *, activate: tuple[str, ...] = (), deadline: float = DEADLINE, quick: bool = False
    ) -> CaseResult:
        """Run one case; the result tells how it ended. Never raises for what happens inside.

        Args:
            case: one of the module's `CASES`.
            activate: toolkits whose shims are to be active.
            deadline: in seconds, for everything that the case does.
            quick: leave out py-spy and repetitions.
        """
        return result_of(case, bool(activate), *self._run(case.name, activate, deadline, quick=quick))

    def why_not(self, *toolkits: str, deadline: float = DEADLINE) -> str:
        """Why the toolkits' shims cannot be activated in such a process; empty when they can."""
        ending, evidence, log = self._run("", toolkits, deadline, quick=True)
        if ending.kind == "exit" and ending.code == 0 and evidence.step == "done":
            return ""
        return (
            evidence.error or f"Activating the shims ended the process ({ending.kind} {ending.code}).\n{log}"
        )

    def _run(
        self, case: str, activate: tuple[str, ...], deadline: float, *, quick: bool
    ) -> tuple[Ending, Evidence, str]:
        self._count += 1
        folder = Path(self._folder.name, str(self._count))
        folder.mkdir()
        ending = self._ask(Request(self.module, case, activate, quick, deadline, str(folder)))
        evidence = seen_from_outside(read_evidence(folder / "evidence.json"), folder / "seen.json")
        log = read_log(folder / "log.txt") or read_log(Path(self._folder.name, "nursery.txt"))
        shutil.rmtree(folder, ignore_errors=True)  # writers leave large files
        return ending, evidence, log

    def _ask(self, request: Request) -> Ending:
        if (self._process is None or self._process.poll() is not None) and not self._start():
            return Ending("lost")
        assert self._process is not None  # noqa: S101 - started above
        assert self._process.stdin is not None  # noqa: S101
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except OSError:
            return Ending("lost")
        return self._reply(request.deadline + GRACE)

    def _start(self) -> bool:
        # One thread for BLAS: none may run when the process forks, and none should take a core.
        environment = os.environ | {
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        with Path(self._folder.name, "nursery.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.PROGRAM, self.module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd=self._folder.name,
                start_new_session=True,
            )
        self._replies = queue.SimpleQueue()
        threading.Thread(target=_collect, args=(self._process, self._replies), daemon=True).start()
        return self._reply(LOADING).kind == "exit"

    def _reply(self, timeout: float) -> Ending:
        try:
            line = self._replies.get(timeout=timeout)
        except queue.Empty:
            line = b""
        if not line:
            self._stop()
            return Ending("lost")
        return msgspec.json.decode(line, type=Ending)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        # Its cases have process groups of their own; the kernel ends them with it (PR_SET_PDEATHSIG).
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()


def _collect(process: subprocess.Popen[bytes], replies: queue.SimpleQueue[bytes]) -> None:
    """Pass on the replies line by line; an empty one at the end."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    with process.stdout as stream:
        for line in stream:
            replies.put(line)
    replies.put(b"")


def read_evidence(file: Path) -> Evidence:
    """What the case's process wrote last; a record without evidence when it wrote nothing."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Evidence)
    except (OSError, msgspec.MsgspecError):
        return Evidence("starting")


def seen_from_outside(evidence: Evidence, file: Path) -> Evidence:
    """The evidence, with what the case's nursery saw of its scenes: who waited for the GIL, and timelines."""
    try:
        looks = msgspec.json.decode(file.read_bytes(), type=dict[int, list[tuple[float, State]]])
    except (OSError, msgspec.MsgspecError):
        return evidence
    watch = Watch(0, None, looks)
    timelines = tuple(_timeline(scene, watch) for scene in evidence.scenes)
    counts = [watch.count(scene.heartbeat, begin, end) for scene in evidence.scenes if scene.heartbeat for _, begin, end in scene.calls]
    samples, waiting = map(sum, zip(*counts, strict=True)) if counts else (0, 0)
    return replace(evidence, waits=Waits(samples, waiting) if samples else None, timelines=tuple(filter(None, timelines)))


def _timeline(scene: Scene, watch: Watch) -> Timeline | None:
    lanes = []
    for thread, name in scene.threads.items():
        calls = tuple(Span(begin - scene.start, end - scene.start, "call") for of, begin, end in scene.calls if of == thread)
        lanes.append(Lane(name, (*watch.spans(thread, scene.start, scene.end), *calls)))
    seen = any(span.state != "call" for lane in lanes for span in lane.spans)
    return Timeline(scene.title, scene.end - scene.start, tuple(lanes)) if seen else None


def read_log(file: Path) -> str:
    """The end of what a process printed, without the folders of this machine."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return without_folders(text).strip()[-LOG_TAIL:]


def without_folders(text: str) -> str:
    """The text with every absolute path cut down to its last part: reports are shared."""
    return re.sub(r"(?<![\w.])(?:/[^\s/\":]+)+/(?=[^\s/\":]+)", "", text)


def result_of(case: Case, shims: bool, ending: Ending, evidence: Evidence, log: str) -> CaseResult:  # noqa: FBT001
    """The result of a case from how its process ended and what it left."""
    found: Verdict
    message = log
    if ending.kind == "signal":
        name = signal_name(ending.code)
        found, because = "crash", f"the process was ended by {name} ({_step(evidence)})"
    elif ending.kind == "deadline":
        found, because = "timeout", f"it had not ended at its deadline ({_step(evidence)})"
    elif evidence.untested:
        found, because, message = "untested", evidence.untested, ""
    elif evidence.error:
        message = without_folders(evidence.error)
        found, because = "error", message.partition("\n")[0]
    elif ending.kind == "exit" and ending.code == 0 and evidence.step == "done":
        judgement = verdict.judge(evidence.window, evidence.overlap, evidence.witness, evidence.waits)
        found, because, message = judgement.verdict, judgement.because, ""
    elif ending.kind == "exit":
        found, because = "error", f"the process left with exit code {ending.code} ({_step(evidence)})"
    else:
        found, because = "crash", "the process that imports the toolkit was lost"
    return CaseResult(
        case=case.name,
        toolkit=case.toolkit,
        call=case.call,
        shims=shims,
        verdict=found,
        because=because,
        window=evidence.window,
        overlap=evidence.overlap,
        witness=evidence.witness,
        message=message,
        notes=evidence.notes,
        waits=evidence.waits,
        inside=evidence.inside,
        timelines=evidence.timelines,
    )


def _step(evidence: Evidence) -> str:
    steps = {
        "starting": "while starting",
        "preparing": "while preparing",
        "window": "in the window",
        "overlap": "with two at once",
        "inside": "with all of the toolkit's threads",
    }
    return steps.get(evidence.step, "at the end")


def signal_name(number: int) -> str:
    """"SIGSEGV"; a number for what has no name of its own, as real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
