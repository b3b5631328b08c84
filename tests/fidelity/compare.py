"""Two plain runs and an activated one of the same cases: what is the same, and how many methods were compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

ENDED = "how it ended"
"""The part of a record that says that a call crashed, hung or gave no answer."""

Answer = dict[str, Any]
Answers = dict[tuple[str, str], Answer]
"""By the method and the name of the case."""

State = Literal["equal", "different", "plain fails", "not deterministic", "not reached", "unmade"]


@dataclass(frozen=True)
class CaseVerdict:
    """One case.

    Attributes:
        why: a short reason, by which cases and methods are counted.
        left_out: parts of the record that already differ between two plain runs.
        differences: (part of the record, plain, activated).
        ran: C++ functions whose shim the call entered.
        parts: how many parts of the record were compared.
    """

    name: str
    state: State
    why: str = ""
    left_out: tuple[str, ...] = ()
    differences: tuple[tuple[str, str, str], ...] = ()
    ran: tuple[str, ...] = ()
    parts: int = 0
    outcome: str = ""


@dataclass(frozen=True)
class MethodVerdict:
    """All cases of one method; `state` is that of the most telling one."""

    name: str
    own: bool
    state: State
    why: str
    cases: tuple[CaseVerdict, ...]

    @property
    def compared(self) -> bool:
        return self.state in {"equal", "different"}


@dataclass
class Summary:
    """All methods of a toolkit."""

    toolkit: str
    version: str
    methods: list[MethodVerdict]
    shims: int
    ran: set[str] = field(default_factory=set)

    @property
    def compared(self) -> list[MethodVerdict]:
        return [method for method in self.methods if method.compared]

    @property
    def different(self) -> list[MethodVerdict]:
        return [method for method in self.methods if method.state == "different"]

    @property
    def reasons(self) -> Counter[str]:
        return Counter(method.why for method in self.methods if not method.compared)

    @property
    def cases(self) -> Counter[str]:
        return Counter(case.state for method in self.methods for case in method.cases)


def case(name: str, plain: Answer | None, again: Answer | None, active: Answer | None, wanted: Iterable[str] = ()) -> CaseVerdict:
    """The verdict on one case; `wanted` are the functions of which one must have been entered."""
    return _unanswered(name, plain, again, active) or _records(name, plain or {}, again or {}, active or {}, set(wanted))


def _unanswered(name: str, plain: Answer | None, again: Answer | None, active: Answer | None) -> CaseVerdict | None:
    """The verdict where one of the runs has no record."""
    if plain is None or again is None:
        return CaseVerdict(name, "not deterministic", "the case is not in both plain runs")
    failed = [text for answer in (plain, again) if (text := failure(answer))]
    if failed:
        return CaseVerdict(name, "plain fails", f"plain: {failed[0]}")
    if active is None or failure(active):
        why = "no answer" if active is None else failure(active)
        return CaseVerdict(name, "different", f"activated: {why}", differences=((ENDED, "an answer", why),))
    if "unmade" in plain or "unmade" in active:
        if plain.get("unmade") != active.get("unmade") and plain.get("unmade") == again.get("unmade"):
            return CaseVerdict(name, "different", "unmade on one side", differences=(("unmade", str(plain.get("unmade")), str(active.get("unmade"))),))
        return CaseVerdict(name, "unmade", f"cannot be made: {plain.get('unmade') or active.get('unmade')}")
    return None


def _records(name: str, plain: Answer, again: Answer, active: Answer, wanted: set[str]) -> CaseVerdict:
    one, two, three = ({"outcome kind": answer["outcome"], **answer["record"]} for answer in (plain, again, active))
    left_out = tuple(sorted(part for part in one.keys() | two.keys() if one.get(part) != two.get(part)))
    parts = [part for part in one.keys() | three.keys() if part not in left_out]
    if "outcome kind" in left_out:
        return CaseVerdict(name, "not deterministic", "not deterministic", left_out)
    differences = tuple((part, one.get(part, "-"), three.get(part, "-")) for part in sorted(parts) if one.get(part) != three.get(part))
    ran = tuple(active["ran"])
    outcome = one["outcome kind"]
    if differences:
        return CaseVerdict(name, "different", "different", left_out, differences, ran, len(parts), outcome)
    if not wanted.intersection(ran):
        error = one.get("outcome", "") if outcome == "raise" else "returned"
        return CaseVerdict(name, "not reached", f"its shim never ran: {error.partition(':')[0] if outcome == 'raise' else error}", left_out, (), ran, len(parts), outcome)
    return CaseVerdict(name, "equal", "equal", left_out, (), ran, len(parts), outcome)


def failure(answer: Answer) -> str:
    if "crash" in answer:
        return "deadline" if answer["crash"] == "deadline" else f"crash, {answer['crash']}"
    return "broken recipe" if "broken" in answer else ""


_TELLING: tuple[State, ...] = ("different", "equal", "plain fails", "not deterministic", "not reached", "unmade")


def method(name: str, own: bool, cases: Iterable[CaseVerdict]) -> MethodVerdict:  # noqa: FBT001 - a fact about the method
    """The verdict on a method: a difference anywhere, or else the case that tells most."""
    found = tuple(cases)
    if not found:
        return MethodVerdict(name, own, "unmade", "no object of its class can be made", ())
    best = min(found, key=lambda verdict: _TELLING.index(verdict.state))
    return MethodVerdict(name, own, best.state, best.why, found)
