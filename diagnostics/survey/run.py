"""Goes through all classes, here or on a Dask cluster, with controls, and makes a `Survey` of it."""

from __future__ import annotations

import contextlib
import fnmatch
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, cast

from gilgen.diagnostics import controls, run
from gilgen.diagnostics.isolate import Nursery
from gilgen.diagnostics.survey import pretend, units
from gilgen.diagnostics.survey.journal import Journal
from gilgen.diagnostics.survey.records import Entry, Half, Options, Target

from gilgen import toolkits
from gilgen.activate import installed
from gilgen.errors import GilgenError, UnsupportedError, install
from gilgen.model import Survey, Surveyed

DEADLINE = 30.0
"""Seconds for each process of a class: thirty times what it takes on a quiet machine."""

CONTROL_ATTEMPTS = 3
"""A control that the machine was too busy to show may try again."""

CONTROL_DEADLINE = 8.0
"""Seconds; one control needs all of it."""

CONNECTING = 20.0
"""Seconds in which a Dask scheduler must answer."""

LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a survey is to do.

    Attributes:
        toolkits: "vtk", "itk" or both.
        patterns: shell patterns; a class is surveyed if its name matches one. Empty: all.
        limit: of each toolkit at most so many classes, spread over all; 0 for all.
        deadline: seconds for each process.
        jobs: how many classes at once; 0 for half of the processors. A Dask cluster decides by itself.
        scheduler: address of a Dask scheduler; empty for local processes.
        fresh: forget what an earlier survey has found.
    """

    toolkits: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    limit: int = 0
    deadline: float = DEADLINE
    jobs: int = 0
    scheduler: str = ""
    fresh: bool = False

    def workers(self) -> int:
        """How many classes at once."""
        return self.jobs or max(1, len(os.sched_getaffinity(0)) // 2)

    def targets(self, toolkit: str) -> tuple[Target, ...]:
        """The classes of a toolkit that were chosen."""
        found: tuple[Target, ...] = importlib.import_module(units.PROVIDERS[toolkit]).targets()
        if self.patterns:
            found = tuple(target for target in found if any(fnmatch.fnmatchcase(target.name, pattern) for pattern in self.patterns))
        if not self.limit or len(found) <= self.limit:
            return found
        return tuple(found[index * len(found) // self.limit] for index in range(self.limit))


@dataclass(frozen=True, slots=True)
class Work:
    """One toolkit's part of a survey: what is to be done, what is done, and where that is kept."""

    toolkit: str
    targets: tuple[Target, ...]
    options: Options
    journal: Journal
    done: dict[str, Entry]
    notice: str


Progress = Callable[[str], object]


def count(works: list[Work]) -> int:
    """How many classes are still to be measured, controls included."""
    return len(pretend.CONTROLS) + sum(len(work.targets) - len(work.done) for work in works)


def prepare(choice: Choice) -> list[Work]:
    """Find out what is to be done, before anything takes time.

    Raises:
        ToolkitNotFoundError: a toolkit is not installed.
        UnsupportedError: this Python has no GIL.
        GilgenError: no class was chosen.
    """
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise UnsupportedError("This Python runs without a GIL: no call can hold it.", "Run `gilgen survey` with PYTHON_GIL=1 or another Python.")
    for toolkit in choice.toolkits:
        toolkits.get(toolkit).installation()
    return [_work(toolkit, choice) for toolkit in choice.toolkits]


def _work(toolkit: str, choice: Choice) -> Work:
    chosen = choice.targets(toolkit)
    if not chosen:
        raise GilgenError(f"No class of {toolkit} matches {' '.join(choice.patterns)}.", f"Give --only a shell pattern of class names, or leave it out: gilgen survey {toolkit}")
    notice = why_no_shims(toolkit)
    halves: tuple[Half, ...] = ("before",) if notice else ("before", "after")
    identity = units.identity(toolkit)
    journal = Journal(toolkit, identity, *halves)
    if choice.fresh:
        journal.forget()
    known = journal.read()
    done = {target.name: known[target.name] for target in chosen if target.name in known}
    return Work(toolkit, chosen, Options(choice.deadline, halves, {toolkit: identity}), journal, done, notice)


def why_no_shims(toolkit: str) -> str:
    """Why there is no "after" for this toolkit, in a sentence that names the command; empty when there is."""
    if toolkit not in installed():
        return f"No shims for {toolkit} are installed, so only the plain library was surveyed. Make them: gilgen fix {toolkit}"
    with Nursery(controls.__name__) as nursery:
        reason = nursery.why_not(toolkit)
    return f"The shims for {toolkit} cannot be activated, so only the plain library was surveyed. {reason}" if reason else ""


def survey(choice: Choice, works: list[Work], progress: Progress) -> Survey:
    """Survey what was chosen. What each class showed is in the journal as soon as it is known.

    Args:
        choice: how.
        works: from `prepare`.
        progress: called with the name of each class that is done.

    Raises:
        UnsupportedError: a worker has another environment than this process.
        GilgenError: the scheduler cannot be reached, or Dask is not installed.
    """
    started = time.monotonic()
    found: list[Surveyed] = []
    notices = []
    with executor(choice) as pool:
        failed = _controls(pool, progress)
        for work in works:
            if work.notice:
                notices.append(work.notice)
            if work.done:
                notices.append(f"{len(work.done)} classes of {work.toolkit} were taken over from an earlier run that was interrupted or complete.")
            entries = dict(work.done)
            for entry in _entries(pool, work):
                work.journal.add(entry)
                entries[entry.name] = entry
                progress(f"{work.toolkit} {entry.name}")
            for target in work.targets:
                found += entries[target.name].found
    earlier = sum(entry.seconds for work in works for entry in work.done.values()) / choice.workers()
    return Survey(
        environment=run.environment(choice.toolkits),
        valid=not failed,
        seconds=time.monotonic() - started + earlier,
        scheduler="dask" if choice.scheduler else LOCAL,
        classes=tuple(found),
        notices=(*notices, *failed),
    )


def _entries(pool: Executor, work: Work) -> Iterator[Entry]:
    """Each class that is not done yet, as it gets done. Only a few wait in the pool, so that an interruption is quick."""
    waiting = [target for target in work.targets if target.name not in work.done]
    futures: list[Future[Entry]] = [pool.submit(units.survey, target, work.options) for target in waiting]
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _controls(pool: Executor, progress: Progress) -> list[str]:
    """Survey the controls; what of them is not as it must be, in words."""
    options = Options(CONTROL_DEADLINE, ("before",), {"control": units.identity("control")})
    left = list(pretend.targets())
    failed: list[str] = []
    for _ in range(CONTROL_ATTEMPTS):
        futures = {target.name: pool.submit(units.survey, target, options) for target in left}
        results = {name: future.result() for name, future in futures.items()}
        wrong = {name: why for name, entry in results.items() if (why := wrong_control(entry))}
        for target in left:
            if target.name not in wrong:
                progress(f"control {target.name}")
        failed = list(wrong.values())
        left = [target for target in left if target.name in wrong]
        if not left:
            break
    return failed


def wrong_control(entry: Entry) -> str:
    """What of a control's outcome is not as it must be, in words; empty where all is."""
    (record,) = entry.found
    control = pretend.EXPECTED[entry.name]
    if record.before != control.expected:
        return f"The control {entry.name} reads {record.before!r} instead of {control.expected!r}: {record.because}."
    if bool(record.leaked) != control.leaks:
        return f"The control {entry.name} was {'not ' if control.leaks else ''}found to leak ({record.leaked} bytes a call), and it does{'' if control.leaks else ' not'}."
    return ""


# ---------------------------------------------------------------------------------------------- where it runs


@contextlib.contextmanager
def executor(choice: Choice) -> Iterator[Executor]:
    """What runs the classes: threads here, each with processes of its own, or a Dask cluster's workers."""
    if choice.scheduler:
        with _dask(choice.scheduler) as pool:
            yield pool
        return
    pool = ThreadPoolExecutor(choice.workers(), thread_name_prefix="gilgen-survey")
    units.stopping.clear()
    try:
        yield pool
    except BaseException:
        units.stopping.set()  # what waits for a process that is ended here starts no other
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        units.close()


@contextlib.contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        distributed: Any = importlib.import_module("distributed")
    except ModuleNotFoundError as error:
        raise GilgenError("A survey on a Dask cluster needs distributed, which is not installed.", install("distributed")) from error
    try:
        client = distributed.Client(address, timeout=CONNECTING)
    except (OSError, ValueError) as error:
        raise GilgenError(f"The Dask scheduler at {address} does not answer: {error}.", "Check the address and that the cluster runs: dask scheduler") from error
    try:
        workers = client.scheduler_info()["workers"]
        if not workers:
            raise GilgenError(f"The Dask cluster at {address} has no workers.", f"Start some in the same environment: dask worker {address}")
        yield cast("Executor", client.get_executor(pure=False, retries=1))
    finally:
        with contextlib.suppress(Exception):  # a worker that is gone has nothing to close
            client.run(units.close)
        client.close()
