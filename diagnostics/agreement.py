"""Compares what was measured with what the audit read and the plan decided, and explains where they differ.

The audit says what a wrapper does about the GIL by its machine code; the survey and the diagnosis say what a call of it
did. They are found by different means, so each difference is either an error in one of them or has a reason that stands below.
"""

from __future__ import annotations

import importlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gilgen.diagnostics.survey import units

from gilgen import demangle, plan, toolkits
from gilgen.audit import compare as comparing
from gilgen.audit import package
from gilgen.audit.auditing import audit
from gilgen.audit.records import State, Wrapper
from gilgen.model import CaseResult, Report, Surveyed

Side = Literal["audit", "plan"]

EXPLAINED: tuple[tuple[str, str, str, str], ...] = (
    (r"vtkXdmfWriter\.Write", "holds", "releases", "no header declares this method; its work happens in its own Update, which releases"),
)
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


class Known:
    """What the audit and the plan say of a toolkit's calls.

    Args:
        bases: class -> its bases, as Python sees them.
        methods: class -> the methods that it has of its own.
        wrappers: every wrapped method, as the audit found it.
        released: Python names of the methods that the plan releases.
        ways: measured class -> the wrapped classes that stand for it; a class that is not named stands for itself.
    """

    def __init__(
        self,
        bases: dict[str, tuple[str, ...]],
        methods: dict[str, set[str]],
        wrappers: Iterable[Wrapper],
        released: set[str],
        ways: dict[str, tuple[str, ...]],
    ) -> None:
        self.bases, self.methods, self.released, self.ways = bases, methods, released, ways
        self.wrappers: dict[str, list[Wrapper]] = defaultdict(list)
        for wrapper in wrappers:
            if wrapper.kind == "method":
                self.wrappers[wrapper.name].append(wrapper)

    def wrapped(self, record: Surveyed) -> tuple[str, ...]:
        """The wrapped classes that stand for a measured one."""
        return self.ways.get(record.name, (record.name,))

    def definers(self, record: Surveyed) -> set[str]:
        """The names of the wrappers that a measured call can be of: of the first class above it that has the method."""
        method = record.call.rpartition(".")[2]
        return {f"{owner}.{method}" for way in self.wrapped(record) if (owner := self.definer(way, method))}

    def definer(self, name: str, method: str) -> str:
        """The class whose wrapper a call of the method on an object of class `name` is; empty where there is none."""
        if method in self.methods.get(name, ()):
            return name
        return next((owner for base in self.bases.get(name, ()) if (owner := self.definer(base, method))), "")

    def audited(self, names: set[str], overload: re.Pattern[str] | None) -> tuple[State | None, bool]:
        """What the audit says of these wrappers together, and whether what they call may call Python."""
        chosen = [wrapper for name in names for wrapper in self.wrappers.get(name, ())]
        if overload is not None and any(overload.search(wrapper.overload) for wrapper in chosen):
            chosen = [wrapper for wrapper in chosen if overload.search(wrapper.overload)]
        if not chosen:
            return None, False
        return comparing.together({wrapper.verdict for wrapper in chosen}), any(wrapper.may_call_python for wrapper in chosen)


def known(toolkit: str) -> Known:
    """Audit the installed toolkit, and read its plan."""
    kind = toolkits.get(toolkit)
    installation = kind.installation()
    exposed = plan.exposed(kind, installation)
    libraries = {path: installation.root / path for path in installation.libraries}
    decided = plan.read(plan.ensure(toolkit, None, lambda _: None))
    instantiations: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for cls in exposed:
        instantiations[demangle.normal(cls.cxx).partition("<")[0].rpartition("::")[2]] += (cls.name,)
    targets = importlib.import_module(units.PROVIDERS[toolkit]).targets()
    return Known(
        bases={cls.name: cls.bases for cls in exposed},
        methods={cls.name: {method.name for method in cls.methods} for cls in exposed},
        wrappers=audit(package.Package(toolkit, installation.version, libraries)).wrappers,
        released={name for decision in decided.decisions if decision.action != "keep" for name in (decision.python, *decision.served)},
        ways=instantiations | {target.name: target.ways or (target.name,) for target in targets},
    )


NO_ARGUMENTS = {"Update": re.compile(r"\(\s*(self)?\s*\)"), "Write": re.compile(r"\(\s*(self)?\s*\)")}
"""Which overload the survey calls, where there are several."""


def measured(report: Report) -> tuple[Surveyed, ...]:
    """The calls of the toolkits that a diagnosis measured, as if they had been surveyed."""
    calls: dict[tuple[str, str, str], dict[bool, CaseResult]] = defaultdict(dict)
    for result in report.results:
        calls[result.toolkit, result.case, result.call][result.shims] = result
    found = []
    for (toolkit, case, call), halves in calls.items():
        owner = call.rpartition(".")[0].rpartition(".")[2]
        if toolkit in units.PROVIDERS and owner:
            before, after = (halves[shims].verdict if shims in halves else "untested" for shims in (False, True))
            because = "; ".join(f"{case}: {halves[shims].because}" for shims in sorted(halves))
            found.append(Surveyed(toolkit, "", owner, call, before, after, because))
    return tuple(found)


def compare(records: Sequence[Surveyed]) -> Agreement:
    """Compare every call that has a verdict."""
    audited = planned = 0
    differences = []
    for toolkit in dict.fromkeys(record.toolkit for record in records):
        facts = known(toolkit)
        for record in records:
            if record.toolkit != toolkit:
                continue
            names = facts.definers(record)
            state, may_call = facts.audited(names, NO_ARGUMENTS.get(record.call.rpartition(".")[2]))
            if state in {"releases", "holds"} and record.before in {"releases", "holds", "partly"}:
                audited += 1
                if record.before != state:
                    why = MAY_CALL_PYTHON if may_call and record.before == "partly" else ""
                    differences.append(_difference(record, "audit", str(state), record.before, why))
            if record.after in {"releases", "holds", "partly"}:
                planned += 1
                expected = "releases" if state == "releases" or names & facts.released or record.before == "releases" else "holds"
                if record.after != expected:
                    differences.append(_difference(record, "plan", expected, record.after))
    return Agreement(audited, planned, tuple(differences))


def _difference(record: Surveyed, side: Side, expected: str, measured: str, why: str = "") -> Difference:
    explained = why or next(
        (reason for pattern, one, other, reason in EXPLAINED if re.fullmatch(pattern, record.call) and (one, other) == (expected, measured)), ""
    )
    return Difference(record.call, side, expected, measured, explained, record.because)


def as_text(agreement: Agreement) -> str:
    """The comparison for the terminal: unexplained differences first."""
    left = [difference for difference in agreement.differences if not difference.explained]
    reasoned = len(agreement.differences) - len(left)
    figures = f"Compared with the audit: {agreement.audited} calls; with the plan: {agreement.planned} calls."
    lines = [f"{figures} {len(agreement.differences)} differ, {reasoned} of them with a known reason."]
    for difference in (*left, *(difference for difference in agreement.differences if difference.explained)):
        reason = difference.explained or difference.because
        lines.append(f"  {difference.call}: the {difference.side} says {difference.expected}, measured {difference.measured}: {reason}")
    return "\n".join(lines)
