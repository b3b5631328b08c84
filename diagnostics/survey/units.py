"""The work of one class from outside: plain functions and records, so that a thread here and a Dask worker elsewhere run the same.

Each working thread keeps one process that has the plain toolkit and one that has it with the shims; both fork a process
for each class. What a process leaves behind, however it ended, becomes `Surveyed` records.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import importlib.util
import platform
import re
import shutil
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import msgspec
from gilgen.diagnostics.isolate import Nursery, read_log, without_folders
from gilgen.diagnostics.records import Ending
from gilgen.diagnostics.survey.records import (
    NOTHING_LEFT,
    Entry,
    Findings,
    Half,
    Measured,
    Options,
    Request,
    Target,
)

from gilgen import toolkits
from gilgen._version import __version__
from gilgen.activate import installed
from gilgen.errors import GilgenError, UnsupportedError
from gilgen.model import Surveyed, Verdict

PROVIDERS = {
    "vtk": "gilgen.diagnostics.survey.vtk",
    "itk": "gilgen.diagnostics.survey.itk",
    "control": "gilgen.diagnostics.survey.pretend",
}
"""Who knows a toolkit's classes and how to feed them: a module with `targets()`, `load()`, `prepare()`, `quiet()`, `module_of(target)` and `feeds(target)`."""

ATTEMPTS = 8
"""How often a class is tried: a feed that ends the process, a size too large and a machine too busy each cost one."""

TINY = 200
"""Elements: what does not end on thousands may do so on these."""

BUSY = 2
"""How often at most because the machine was too busy to tell."""


class Crib(Nursery):
    """A process that has imported a toolkit, plain or with shims, and forks one process for each class."""

    PROGRAM = "gilgen.diagnostics.survey.child"

    def measure(self, request: Request) -> tuple[Ending, Findings, str]:
        """Measure one class: how its process ended, what it left behind, and the end of what it printed."""
        self._count += 1
        folder = Path(self._folder.name, str(self._count))
        folder.mkdir()
        ending = self._ask(cast("Any", replace(request, folder=str(folder))))  # it is written as it is
        findings = Findings()
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            findings = msgspec.json.decode((folder / "findings.json").read_bytes(), type=Findings)
        log = read_log(folder / "log.txt")
        if ending.kind == "lost":
            log = log or read_log(Path(self._folder.name, "nursery.txt"))
        shutil.rmtree(folder, ignore_errors=True)
        return ending, findings, log


stopping = threading.Event()
"""Set while a survey is being given up: nothing is started any more."""

_own = threading.local()
_all: list[Crib] = []
_guard = threading.Lock()


def _crib(toolkit: str, half: Half) -> Crib:
    """This thread's process for a half of a toolkit. Those of another toolkit end: each takes a gigabyte."""
    if stopping.is_set():
        raise GilgenError("The survey was given up.")
    mine: dict[tuple[str, Half], Crib] = _own.__dict__.setdefault("cribs", {})
    for key in [key for key in mine if key[0] not in {toolkit, "control"} and toolkit != "control"]:
        _end(mine.pop(key))
    if (toolkit, half) not in mine or mine[toolkit, half] not in _all:
        shims = f"@{toolkit}" if half == "after" else ""
        mine[toolkit, half] = Crib(PROVIDERS[toolkit] + shims)
        with _guard:
            _all.append(mine[toolkit, half])
    return mine[toolkit, half]


def _end(crib: Crib) -> None:
    with _guard:
        if crib in _all:
            _all.remove(crib)
    crib.__exit__(None, None, None)


def close() -> None:
    """End all processes that any thread here has kept."""
    for crib in tuple(_all):
        _end(crib)


atexit.register(close)


# -------------------------------------------------------------------------------------------------- the unit


@functools.cache
def identity(toolkit: str) -> str:
    """What the results for a toolkit depend on, in words: versions of gilgen, Python and the toolkit, and its shims."""
    if toolkit == "control":
        return f"gilgen {__version__}"
    installation = toolkits.get(toolkit).installation()
    return f"gilgen {__version__}, Python {platform.python_version()}, {toolkit} {installation.version}, shims {_shims(toolkit)}"


def _shims(toolkit: str) -> str:
    if toolkit not in installed():
        return "not installed"
    spec = importlib.util.find_spec(f"gilgen_shims_{toolkit}")
    folder = Path((spec.submodule_search_locations or ["."])[0]) if spec is not None else Path()
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()[:12]


def check_identity(toolkit: str, wanted: str) -> None:
    """Refuse to measure something else than was asked for.

    Raises:
        UnsupportedError: this environment has other versions.
    """
    if not wanted:
        return
    found = identity(toolkit)
    if found != wanted:
        raise UnsupportedError(
            f"A worker on {platform.node()} has {found}; the survey is of {wanted}.",
            f"Give every worker the same environment, shims included: pip install there what is installed here, and gilgen fix {toolkit}",
        )


def survey(target: Target, options: Options) -> Entry:
    """Survey one class, before and after: the unit of work.

    Raises:
        UnsupportedError: this environment is not the one that the survey is of.
    """
    check_identity(target.toolkit, options.identity.get(target.toolkit, ""))
    started = time.monotonic()
    if target.untested:
        return Entry(target.toolkit, target.name, (_untested(target, target.module, target.untested),))
    before = _half(target, "before", options, None)
    after = None
    if "after" in options.halves and before.findings.good:
        after = _half(target, "after", options, before)
    return Entry(target.toolkit, target.name, tuple(_records(target, before, after)), time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came out of one half.

    Attributes:
        calls: what was measured, in order; crashes and hangs included.
        remarks: what else happened on the way.
        findings: what was left behind at last; feed and size serve the other half.
        untested: why nothing could be measured.
    """

    calls: tuple[Measured, ...]
    remarks: tuple[str, ...]
    findings: Findings
    untested: str = ""


def _half(target: Target, half: Half, options: Options, other: Seen | None) -> Seen:
    """Measure one half, again where that may help."""
    request = Request(target, options.deadline, "")
    if other is not None:
        request = replace(request, feed=other.findings.feed, size=other.findings.good)
    remarks: list[str] = []
    busy = 0
    last: End | None = None
    while True:
        ending, findings, log = _crib(target.toolkit, half).measure(request)
        end = _end_of(ending, findings, log)
        attempt = len(remarks) + busy + 1
        if end is None:
            if attempt < ATTEMPTS and busy < BUSY - 1 and any(call.verdict == "unknown" for call in findings.measured):
                busy += 1
                request = replace(request, feed=findings.feed, size=findings.good)
                continue
            if last is not None and findings.untested:
                others = [] if findings.untested == NOTHING_LEFT else [f"otherwise {findings.untested}"]
                return _ended(Findings("feeding", findings.module), last, [*remarks[:-1], *others], target)
            return Seen(findings.measured, tuple(remarks), findings, findings.untested)
        following = _otherwise(request, findings, end, log, first=attempt == 1) if attempt < ATTEMPTS else None
        if following is None:
            return _ended(findings, end, remarks, target)
        last = end
        remarks.append(f"{end.because} with {findings.title}" if findings.title else end.because)
        request = following


@dataclass(frozen=True, slots=True)
class End:
    """A process that did not come to its own end: "crash" or "timeout", and in words."""

    verdict: Verdict
    because: str


def _end_of(ending: Ending, findings: Findings, log: str) -> End | None:
    """How a process was ended; None where it came to its own end."""
    doing = {"feeding": "while it was fed", "sizing": f"on {findings.size} elements", "leak": "when the call was repeated"}.get(findings.step, "in the call")
    if ending.kind == "exit" and ending.code == 0 and findings.step == "done":
        return None
    if ending.kind == "deadline":
        return End("timeout", f"it had not ended at its deadline {doing}")
    if findings.memory or "bad_alloc" in log:
        return End("crash", f"it asked for too much memory {doing}")
    if ending.kind == "signal":
        words = re.search(r"what\(\):\s*(.+)|terminate called after throwing (.+)", log)
        said = f" ({(words[1] or words[2]).strip()})" if words is not None else ""
        return End("crash", f"the process was ended by {signal.Signals(ending.code).name} {doing}{said}")
    if ending.kind == "exit":
        return End("crash", f"the process left with exit code {ending.code} {doing}")
    last = log.strip().splitlines()[-1:]
    return End("crash", without_folders(f"the process that imports the toolkit was lost: {(last or ['it said nothing'])[0]}"))


def _otherwise(request: Request, findings: Findings, end: End, log: str, *, first: bool) -> Request | None:
    """What may go better than what ended the process; None where nothing is left to try."""
    if findings.step == "feeding" and end.verdict == "timeout" and not request.limit:
        return replace(request, limit=TINY)
    if findings.step == "feeding" and findings.feed >= 0:
        return replace(request, skip=(*request.skip, findings.feed))
    if findings.step == "sizing" and 0 < findings.good < findings.size:
        too_much = end.verdict == "timeout" or "memory" in end.because or "bad_alloc" in log
        return replace(request, feed=findings.feed, size=findings.good) if too_much else None
    if findings.step == "measuring" and end.verdict == "timeout" and first:
        return replace(request, feed=findings.feed, size=max(1, findings.good // 4))
    return None


def _ended(findings: Findings, end: End, remarks: list[str], target: Target) -> Seen:
    """A half whose process ended before its time: what was measured until then, and what ended it."""
    if findings.step == "leak" and end.verdict == "timeout":
        return Seen(findings.measured, tuple(remarks), findings)
    call = findings.call or f"{target.name}.{'Update' if target.toolkit != 'control' else 'call'}"
    others = tuple(measured for measured in findings.measured if measured.call != call)
    return Seen((*others, Measured(call, end.verdict, end.because)), tuple(remarks), findings)


def _records(target: Target, before: Seen, after: Seen | None) -> list[Surveyed]:
    """One record a call, of both halves."""
    module = before.findings.module or target.module
    if before.untested:
        return [_untested(target, module, "; ".join([before.untested, *before.remarks]))]
    later = {measured.call: measured for measured in after.calls} if after is not None else {}
    found = []
    first = {measured.call: measured for measured in before.calls}
    for call in dict.fromkeys([*first, *later]):
        one, two = first.get(call), later.get(call)
        remarks = list(before.remarks)
        if after is not None:
            remarks += [f"with the shims {remark}" for remark in after.remarks]
        leaked = before.findings.leaked, after.findings.leaked if after is not None else 0
        because = "; ".join(
            [
                *([one.because] if one is not None else []),
                *([f"with the shims {two.because}"] if two is not None else []),
                *([f"fed with {before.findings.title}, {before.findings.good} elements"] if before.findings.good else []),
                *remarks,
            ]
        )
        found.append(
            Surveyed(
                toolkit=target.toolkit,
                module=module,
                name=target.name,
                call=call,
                before=_outcome(one),
                after=_outcome(two),
                because=plain(because),
                held_before=one.held if one else 0.0,
                held_after=two.held if two else 0.0,
                leaked=max(leaked) if call == next(iter(first), "") else 0,
            )
        )
    return found


LONGEST = 400
"""Characters of a reason that are kept."""


def plain(text: str) -> str:
    """A toolkit's words without folders, addresses and line breaks: surveys are shared and compared."""
    words = re.sub(r"^RuntimeError: \S+:\d+:\s+ITK ERROR: ", "", without_folders(text))
    return " ".join(re.sub(r" ?\(?0x[0-9a-f]+\)?", "", words).split())[:LONGEST]


def _outcome(measured: Measured | None) -> Verdict:
    return "untested" if measured is None else measured.verdict


def _untested(target: Target, module: str, why: str) -> Surveyed:
    return Surveyed(target.toolkit, module, target.name, target.name, "untested", "untested", plain(why))
