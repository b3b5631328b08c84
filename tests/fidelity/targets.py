"""The methods of a toolkit's plan that Python can call, and what the wheel's documentation says of each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from gilgen import plan, toolkits


@dataclass(frozen=True)
class Target:
    """One Python method that the plan serves.

    Attributes:
        name: "vtkOBBTree.BuildLocator".
        declarations: its overloads, as documented; empty where nothing is.
        symbols: the C++ functions with a shim that a call of it can end in.
        own: whether it has a shim of its own; otherwise what it calls has one.
    """

    name: str
    declarations: tuple[str, ...]
    symbols: tuple[str, ...]
    own: bool


@dataclass(frozen=True)
class Planned:
    """A toolkit's plan as far as it concerns these tests."""

    toolkit: str
    version: str
    targets: tuple[Target, ...]
    symbols: dict[str, str]

    def job(self, targets: list[Target]) -> list[dict[str, Any]]:
        return [asdict(target) for target in targets]


def planned(toolkit: str) -> Planned:
    """What the installed toolkit's plan releases."""
    made = plan.read(plan.ensure(toolkit, None, lambda _: None))
    kind = toolkits.get(toolkit)
    documented = {
        f"{cls.name}.{method.name}": (method.declarations, cls.cxx) for cls in plan.exposed(kind, kind.installation()) for method in cls.methods
    }
    symbols: dict[str, set[str]] = defaultdict(set)
    released = [decision for decision in made.decisions if decision.action == "release"]
    for decision in released:
        for name in decision.served:
            symbols[name].add(decision.symbol)
    own = {decision.python for decision in released}
    targets = tuple(
        Target(name, documented.get(name, ((), ""))[0], tuple(sorted(found)), name in own) for name, found in sorted(symbols.items())
    )
    return Planned(toolkit, made.version, targets, {decision.symbol: decision.python for decision in released})
