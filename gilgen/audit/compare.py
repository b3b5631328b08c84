"""Two audits of one package: which methods began or stopped releasing the GIL."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal

import msgspec

from gilgen.audit.records import Audit, State

Change = Literal["began", "stopped", "new", "gone"]


class Changed(msgspec.Struct, frozen=True, rename={"owner": "class"}):
    """A method that two builds of a package differ in.

    Attributes:
        owner: the Python class; "class" in JSON.
        method: the Python name.
        kind: how Python reaches it.
        change: "began" or "stopped" releasing; "new" or "gone" for a releasing method that only one build has.
        before: what it did; "" where it was not there.
        after: what it does; "" where it is not there.
    """

    owner: str
    method: str
    kind: str
    change: Change
    before: State | Literal[""]
    after: State | Literal[""]


class Comparison(msgspec.Struct, frozen=True):
    """What changed between two builds.

    Attributes:
        package: the package's name.
        before: the first build's version.
        after: the second's.
        methods: how many methods both have.
        changes: every method that changed.
    """

    package: str
    before: str
    after: str
    methods: int
    changes: tuple[Changed, ...]


_RANK = {"": -1, "holds": 0, "undecidable": 1, "mixed": 2, "releases": 3}
"""From never to always; what a method does more often than before is an improvement."""


def compare(before: Audit, after: Audit) -> Comparison:
    """Compare method by method; a method's overloads count together, and the module may have moved."""
    first, second = _methods(before), _methods(after)
    changes = []
    for key in sorted(first.keys() | second.keys()):
        old, new = first.get(key, ""), second.get(key, "")
        if old == new or not ({"releases", "mixed"} & {old, new}):
            continue
        change: Change
        if not old:
            change = "new"
        elif not new:
            change = "gone"
        else:
            change = "began" if _RANK[new] > _RANK[old] else "stopped"
        changes.append(Changed(*key, change, old, new))  # type: ignore[arg-type]
    return Comparison(after.package, before.version, after.version, len(first.keys() & second.keys()), tuple(changes))


def _methods(audit: Audit) -> dict[tuple[str, str, str], State]:
    verdicts: dict[tuple[str, str, str], set[State]] = defaultdict(set)
    for wrapper in audit.wrappers:
        verdicts[wrapper.owner, wrapper.method, wrapper.kind].add(wrapper.verdict)
    return {key: together(found) for key, found in verdicts.items()}


def together(verdicts: set[State]) -> State:
    """What a method does whose overloads do these."""
    if len(verdicts) == 1:
        return next(iter(verdicts))
    if "releases" in verdicts or "mixed" in verdicts:
        return "mixed"
    return "undecidable"
