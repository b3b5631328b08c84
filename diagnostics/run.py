"""Goes through all cases, before and after, with controls, and makes a report of it."""

from __future__ import annotations

import contextlib
import datetime as dt
import fnmatch
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gilgen.diagnostics import controls
from gilgen.diagnostics.cases import MODULES, Case, cases_of, find
from gilgen.diagnostics.isolate import DEADLINE, Nursery, without_folders

from gilgen._version import __version__
from gilgen.activate import installed, manifest_of
from gilgen.errors import GilgenError, ToolkitNotFoundError, UnsupportedError
from gilgen.manifest import Coverage
from gilgen.model import CaseResult, Environment, Report

CONTROL_ATTEMPTS = 3
"""A control that the machine was too busy to show may try again; a wrong answer may not."""

CASE_ATTEMPTS = 2
"""The same for a case."""

Half = Literal["before", "after"]

HALVES: tuple[Half, ...] = ("before", "after")
"""The plain library, then the same with gilgen's shims."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a run is to do.

    Attributes:
        sources: where the cases are from: toolkits, entry points of installed packages, files of the user's own.
        patterns: shell patterns; a case runs if its name or call matches one. Empty: all.
        halves: "before" (plain), "after" (with shims) or both.
        deadline: seconds for each case.
        quick: the telling cases only, without py-spy and repetitions.
    """

    sources: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    halves: tuple[Half, ...] = HALVES
    deadline: float = DEADLINE
    quick: bool = False
    _cases: dict[str, tuple[Case, ...]] = field(default_factory=dict)

    def cases(self, source: str) -> tuple[Case, ...]:
        """The source's cases that were chosen. What users bring has no short run: all of it is measured."""
        if source not in self._cases:
            self._cases[source] = tuple(case for case in cases_of(source) if self._wants(case, source))
        return self._cases[source]

    @property
    def toolkits(self) -> tuple[str, ...]:
        """The toolkits that the chosen cases call."""
        return tuple(dict.fromkeys(toolkit for source in self.sources for case in self.cases(source) for toolkit in case.toolkits))

    def _wants(self, case: Case, source: str) -> bool:
        if self.patterns:
            return any(
                fnmatch.fnmatchcase(text, pattern)
                for pattern in self.patterns
                for text in (case.name, case.call)
            )
        return case.quick or not self.quick or source not in MODULES

    def count(self) -> int:
        """How many measurements that makes at most, controls included."""
        return len(controls.CASES) + sum(len(self.cases(source)) for source in self.sources) * len(self.halves)


def diagnose(choice: Choice, progress: Callable[[str], object]) -> Report:
    """Measure what was chosen.

    Args:
        choice: toolkits, cases and how.
        progress: called with the name of each finished measurement.

    Raises:
        ToolkitNotFoundError: a toolkit is not installed, or gilgen has no cases for it.
        UnsupportedError: this Python has no GIL to diagnose.
        GilgenError: no case was chosen.
    """
    check(choice)
    notices = [
        "Each call is limited to one thread of its own, so that overlap shows what Python threads gain."
    ]
    shown = _controls(choice, progress)
    results: list[CaseResult] = []
    for source in choice.sources:
        found, remarks = _source(source, choice, progress)
        results += found
        notices += remarks
    return Report(
        environment=environment(choice.toolkits),
        valid=not controls.failed(shown),
        controls=shown,
        results=tuple(results),
        notices=tuple(notices),
        coverage=coverage(choice.toolkits),
    )


def check(choice: Choice) -> None:
    """Refuse what cannot be measured before anything is started; see `diagnose`."""
    # Free-threaded Pythons have this function and may answer no.
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        raise UnsupportedError(
            "This Python runs without a GIL: no call can hold it.",
            "Run `gilgen diagnose` with PYTHON_GIL=1 or another Python.",
        )
    for source in choice.sources:
        if not choice.cases(source):
            names = ", ".join(case.name for case in cases_of(source))
            raise GilgenError(
                f"No case of {source} matches {' '.join(choice.patterns)}.", f"Give --case one of: {names}"
            )
    named: dict[tuple[str, str], str] = {}
    for source in choice.sources:
        for case in choice.cases(source):
            other = named.setdefault((case.toolkit, case.name), source)
            if other != source:
                raise GilgenError(f"{other} and {source} both have a case {case.name}: the report could not tell them apart.", "Rename one of them.")
    for toolkit in choice.toolkits:
        if importlib.util.find_spec(toolkit) is None:
            raise ToolkitNotFoundError(
                f"{toolkit} is not installed in this environment.", f"Install it: pip install {toolkit}"
            )


def environment(toolkits: Sequence[str]) -> Environment:
    """What was measured on, without anything that names a user, a host or a folder."""
    library, version = platform.libc_ver()
    return Environment(
        gilgen=__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        machine=platform.machine(),
        system=f"{platform.system()}, {library} {version}",
        processors=len(os.sched_getaffinity(0)),
        toolkits={toolkit: _version(toolkit) for toolkit in toolkits},
        date=dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
    )


def _version(toolkit: str) -> str:
    try:
        return importlib.metadata.version(toolkit)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"  # built from source: importable, but no distribution


def coverage(toolkits: Sequence[str]) -> dict[str, Coverage]:
    """How much the installed shims of each toolkit serve; without those that have none, or of another gilgen."""
    found = {}
    for toolkit in toolkits:
        with contextlib.suppress(GilgenError):
            found[toolkit] = manifest_of(toolkit).coverage
    return found


def _controls(choice: Choice, progress: Callable[[str], object]) -> tuple[CaseResult, ...]:
    results = []
    with Nursery(controls.__name__) as nursery:
        for case in controls.CASES:
            results.append(_measure(nursery, case, choice, (), CONTROL_ATTEMPTS))
            progress(f"control {case.name}")
    return tuple(results)


def _source(
    source: str, choice: Choice, progress: Callable[[str], object]
) -> tuple[list[CaseResult], list[str]]:
    results = []
    with Nursery(find(source)) as nursery:
        reasons = {toolkit: _why_no_shims(toolkit, nursery, choice) for toolkit in _toolkits(choice.cases(source))}
        for case in choice.cases(source):
            active = tuple(toolkit for toolkit in case.toolkits if not reasons[toolkit])
            for half in choice.halves:
                if half == "before" or active:
                    results.append(_measure(nursery, case, choice, active if half == "after" else (), CASE_ATTEMPTS))
                    progress(f"{case.call} {half}")
    return results, list(filter(None, reasons.values()))


def _toolkits(cases: Sequence[Case]) -> list[str]:
    return sorted({toolkit for case in cases for toolkit in case.toolkits})


def _why_no_shims(toolkit: str, nursery: Nursery, choice: Choice) -> str:
    """Why there is no "after" for this toolkit, in a sentence that names the command; empty when there is."""
    if "after" not in choice.halves:
        return ""
    if toolkit not in installed():
        return f"No shims for {toolkit} are installed, so only the plain library was measured. Make them: gilgen fix {toolkit}"
    reason = without_folders(nursery.why_not(toolkit, deadline=choice.deadline))
    return (
        f"The shims for {toolkit} cannot be activated, so only the plain library was measured. {reason}"
        if reason
        else ""
    )


def _measure(
    nursery: Nursery, case: Case, choice: Choice, activate: tuple[str, ...], attempts: int
) -> CaseResult:
    """Measure a case, again if the machine was too busy to tell."""
    for _ in range(attempts):
        result = nursery.run(case, activate=activate, deadline=choice.deadline, quick=choice.quick)
        if result.verdict != "unknown":
            break
    return result
