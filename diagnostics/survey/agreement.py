"""Compares what the survey measured with what the audit read and the plan decided, and explains where they differ.

The audit says what a wrapper does about the GIL by its machine code; the survey says what a call of it did. They are
found by different means, so each difference is either an error in one of them or has a reason that stands below.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from gilgen.diagnostics.survey import units

from gilgen import plan, toolkits
from gilgen.audit import compare as comparing
from gilgen.audit import package
from gilgen.audit.auditing import audit
from gilgen.audit.records import State, Wrapper
from gilgen.model import Survey, Surveyed

Side = Literal["audit", "plan"]

EXPLAINED: tuple[tuple[str, str, str, str], ...] = ()
"""(pattern of the call, the audit's or plan's word, the survey's verdict, why both are right)."""

MAY_CALL_PYTHON = "may call Python: an observer, where others run for a moment"


@dataclass(frozen=True, slots=True)
class Difference:
    """A call whose verdict is not the one expected.

    Attributes:
        call: the Python call, "vtkContourFilter.Update".
        side: "audit" (the plain wheel) or "plan" (with the shims).
        expected: what the audit or the plan says.
        measured: the survey's verdict.
        explained: why both are right; empty where that is not known.
        because: the reading of the evidence.
    """

    call: str
    side: Side
    expected: str
    measured: str
    explained: str
    because: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many calls were compared with the audit and the plan, and those that differ."""

    audited: int
    planned: int
    differences: tuple[Difference, ...]


class _Wrappers:
    """What the audit and the plan say of a toolkit's calls."""

    def __init__(self, toolkit: str) -> None:
        kind = toolkits.get(toolkit)
        installation = kind.installation()
        self.toolkit = toolkit
        self.exposed = {cls.name: cls for cls in plan.exposed(kind, installation)}
        self.wrappers: dict[str, list[Wrapper]] = defaultdict(list)
        libraries = {path: installation.root / path for path in installation.libraries}
        for wrapper in audit(package.Package(toolkit, installation.version, libraries)).wrappers:
            if wrapper.kind == "method":
                self.wrappers[wrapper.name].append(wrapper)
        decided = plan.read(plan.ensure(toolkit, None, lambda _: None))
        self.released = {name for decision in decided.decisions if decision.action == "release" for name in (decision.python, *decision.served)}
        self.ways = {target.name: target.ways or (target.name,) for target in importlib.import_module(units.PROVIDERS[toolkit]).targets()}

    def definers(self, record: Surveyed) -> set[str]:
        """The names of the wrappers that a surveyed call can be of: of the first class above it that has the method."""
        method = record.call.rpartition(".")[2]
        return {f"{owner}.{method}" for way in self.ways.get(record.name, (record.name,)) if (owner := self.definer(way, method))}

    @functools.cache  # noqa: B019 - it lives as long as one comparison
    def definer(self, name: str, method: str) -> str:
        """The class whose wrapper a call of the method on an object of class `name` is; empty where there is none."""
        found = self.exposed.get(name)
        if found is None:
            return ""
        if any(one.name == method for one in found.methods):
            return name
        return next((owner for base in found.bases if (owner := self.definer(base, method))), "")

    def audited(self, names: set[str], overload: re.Pattern[str] | None) -> tuple[State | None, bool]:
        """What the audit says of these wrappers together, and whether what they call may call Python."""
        chosen = [wrapper for name in names for wrapper in self.wrappers.get(name, ())]
        if overload is not None and any(overload.search(wrapper.overload) for wrapper in chosen):
            chosen = [wrapper for wrapper in chosen if overload.search(wrapper.overload)]
        if not chosen:
            return None, False
        return comparing.together({wrapper.verdict for wrapper in chosen}), any(wrapper.may_call_python for wrapper in chosen)


NO_ARGUMENTS = {"Update": re.compile(r"\(\s*(self)?\s*\)"), "Write": re.compile(r"\(\s*(self)?\s*\)")}
"""Which overload the survey calls, where there are several."""


def compare(survey: Survey) -> Agreement:
    """Compare every surveyed call that has a verdict."""
    audited = planned = 0
    differences = []
    for toolkit in dict.fromkeys(record.toolkit for record in survey.classes):
        wrappers = _Wrappers(toolkit)
        for record in survey.classes:
            if record.toolkit != toolkit:
                continue
            names = wrappers.definers(record)
            state, may_call = wrappers.audited(names, NO_ARGUMENTS.get(record.call.rpartition(".")[2]))
            if state in {"releases", "holds"} and record.before in {"releases", "holds", "partly"}:
                audited += 1
                if record.before != state:
                    why = MAY_CALL_PYTHON if may_call and record.before == "partly" else ""
                    differences.append(_difference(record, "audit", str(state), record.before, why))
            if record.after in {"releases", "holds", "partly"}:
                planned += 1
                expected = "releases" if state == "releases" or names & wrappers.released or record.before == "releases" else "holds"
                if record.after != expected:
                    differences.append(_difference(record, "plan", expected, record.after, ""))
    return Agreement(audited, planned, tuple(differences))


def _difference(record: Surveyed, side: Side, expected: str, measured: str, why: str) -> Difference:
    explained = why or next(
        (reason for pattern, one, other, reason in EXPLAINED if re.fullmatch(pattern, record.call) and (one, other) == (expected, measured)), ""
    )
    return Difference(record.call, side, expected, measured, explained, record.because)


def as_text(agreement: Agreement) -> str:
    """The comparison for the terminal: unexplained differences first."""
    left = [difference for difference in agreement.differences if not difference.explained]
    known = len(agreement.differences) - len(left)
    figures = f"Compared with the audit: {agreement.audited} calls; with the plan: {agreement.planned} calls."
    lines = [f"{figures} {len(agreement.differences)} differ, {known} of them with a known reason."]
    for difference in (*left, *(difference for difference in agreement.differences if difference.explained)):
        reason = difference.explained or difference.because
        lines.append(f"  {difference.call}: the {difference.side} says {difference.expected}, measured {difference.measured}: {reason}")
    return "\n".join(lines)
