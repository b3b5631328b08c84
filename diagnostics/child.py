"""Runs inside the measured processes: `python -m gilgen.diagnostics.child MODULE`.

The process imports the toolkit once (all of ITK takes ten seconds) and then forks a process for each case
that is asked for on its standard input, one at a time. Nothing has been called in the toolkit when it
forks, so each case starts as from a fresh interpreter, and what it breaks dies with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import IO

import msgspec
from gilgen.diagnostics import cases, overlap, verdict, waits, window
from gilgen.diagnostics.cases import Case, Work
from gilgen.diagnostics.records import Ending, Evidence, Request
from gilgen.diagnostics.witness import sampler

import gilgen

TARGET = 0.2
"""Seconds that a call should take: two hundred heartbeats, and a run over all cases stays a few minutes."""

ENOUGH, TOO_LONG = 0.12, 0.6
"""Seconds: a first call between these needs no other size."""

ROUNDS = 5
"""Calibration steps at most."""

STACKS_BEFORE_DEADLINE = 1.0
"""Seconds before its deadline at which a case that hangs writes its Python stacks into its log."""

POLL = 0.004
"""Seconds between looks at a case's process and at its threads: fifty in a call, for half a percent of a processor."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Let the kernel end this process when its parent ends, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def calibrate(case: Case) -> tuple[int, Work]:
    """Find a size at which one call takes about `TARGET` seconds on this machine, now.

    Returns:
        The size, and work of that size that has run.
    """
    size = case.size
    for _ in range(ROUNDS):
        work = case.make(size)
        # The first call also sets up what the toolkit sets up once, so the shorter of two counts.
        duration = max(min(_seconds(work), _seconds(work)), 1e-4)
        if ENOUGH <= duration <= TOO_LONG or (duration < ENOUGH and size >= case.limit):
            break
        size = max(1, min(case.limit, int(size * min(8.0, max(0.05, TARGET / duration)))))
    return size, work


def _seconds(work: Work) -> float:
    work.reset()
    start, end = window.timed_call(work.call)
    return end - start


def measure(case: Case, request: Request, module: ModuleType, save: Callable[[Evidence], None]) -> Evidence:
    """Run one case in this process; save the evidence after each step."""
    evidence = Evidence("preparing")
    save(evidence)
    module.single_threaded()
    size, work = calibrate(case)
    evidence = Evidence("window")
    save(evidence)
    if request.quick:
        proof = window.prove(work, verdict.is_clear)
    else:
        with sampler(os.getpid()) as spy:
            proof = window.prove(work, verdict.is_clear)
            seen, reason = spy.result(proof.seconds)
        evidence = replace(evidence, witness=seen, notes=(reason,) if reason else ())
    evidence = replace(evidence, step="overlap", window=proof.window, scenes=(proof.scene,))
    save(evidence)
    long_enough = proof.window.duration >= window.TOO_SHORT and proof.window.calls == 1
    if long_enough and not case.alone:
        other = case.make(size)
        other.reset()
        other.call()  # alone once: first uses of a toolkit's singletons race
        both, scene = overlap.measure(work, other, repetitions=1 if request.quick else overlap.REPETITIONS)
        evidence = replace(evidence, overlap=both, scenes=(*evidence.scenes, scene))
    evidence = replace(evidence, step="inside")
    save(evidence)
    if long_enough and not request.quick:
        module.all_threads()
        evidence = replace(evidence, inside=processors_of(case.make(size)))
    return replace(evidence, step="done")


def processors_of(work: Work) -> float:
    """Processor seconds of the whole process in each second of one call, all threads included."""
    work.reset()
    work.call()  # the toolkit's threads start
    work.reset()
    processor = time.process_time()
    start, end = window.timed_call(work.call)
    return (time.process_time() - processor) / (end - start)


def run_case(module: ModuleType, request: Request) -> None:
    """The life of a case's process, from fork to exit."""
    file = Path(request.folder, "evidence.json")

    def save(evidence: Evidence) -> None:
        draft = file.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(evidence))
        draft.replace(file)

    try:
        gilgen.deactivate()
        if request.activate:
            gilgen.activate(*request.activate)
        if not request.case:
            save(Evidence("done"))
            return
        case = next(case for case in module.CASES if case.name == request.case)
        reason = case.unavailable()
        evidence = Evidence("done", untested=reason) if reason else measure(case, request, module, save)
    except gilgen.GilgenError as error:
        evidence = Evidence("failed", error=str(error))
    except Exception as error:  # noqa: BLE001 - an error is a result
        evidence = Evidence("failed", error=f"{type(error).__name__}: {error}")
    save(evidence)


def fork_case(module: ModuleType, request: Request) -> Ending:
    """Run one case in a process of its own."""
    return fork(lambda: run_case(module, request), request.folder, request.deadline)


def fork(run: Callable[[], object], folder: str, deadline: float, *, watched: bool = True) -> Ending:
    """Run something in a process and process group of its own, in its own folder; kill the group at the deadline.

    What it prints goes into "log.txt", and where it is `watched`, what its threads were seen doing into "seen.json". `run` must not raise; a result that matters it writes into the folder.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.setpgid(0, 0)
            die_with_parent()
            _redirect(Path(folder, "log.txt"))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            # From 3.14 on a C stack follows Python's, and there would be no room for Python's in the log's end.
            faulthandler.enable(**({"c_stack": False} if sys.version_info >= (3, 14) else {}))
            faulthandler.dump_traceback_later(max(0.1, deadline - STACKS_BEFORE_DEADLINE))
            os.chdir(folder)
            run()
        finally:
            # Not sys.exit: this process must not unwind into the loop that forked it.
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(0)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # in both, so that neither order matters
    watch = waits.Watch(pid, _runtime() if watched else None)
    ending = _wait(pid, time.monotonic() + deadline, watch)
    Path(folder, "seen.json").write_bytes(msgspec.json.encode(watch.looks))
    return ending


@functools.cache
def _runtime() -> range | None:
    """Where Python's runtime state lies: in this process and in all that it forks."""
    return waits.runtime_of(os.getpid())


def _redirect(log: Path) -> None:
    """Send what the toolkit prints to a file, whichever way it prints."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(handle, 1)
    os.dup2(handle, 2)


def _wait(pid: int, deadline: float, watch: waits.Watch) -> Ending:
    late = False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if not late and time.monotonic() > deadline:
            late = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        watch.look()
        time.sleep(POLL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # what the case may have left running
    code = os.waitstatus_to_exitcode(status)
    if late:
        return Ending("deadline")
    return Ending("signal", -code) if code < 0 else Ending("exit", code)


def serve(module: ModuleType, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests, a line of JSON each, until their stream ends. The first reply says that all is loaded."""

    def reply(ending: Ending) -> None:
        replies.write(msgspec.json.encode(ending) + b"\n")
        replies.flush()

    module.load()
    if threading.active_count() > 1:
        raise RuntimeError(
            f"{module.__name__} starts Python threads when it is imported; its cases cannot be forked"
        )
    reply(Ending("exit"))
    for line in requests:
        reply(fork_case(module, msgspec.json.decode(line, type=Request)))


def main() -> None:
    """Serve the module named on the command line. Replies go where standard output went; prints do not."""
    die_with_parent()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(cases.module(sys.argv[1]), sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
