"""All stages in a row for one toolkit: headers, scan, plan, generate, build."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gilgen import build, checks, generate, plan
from gilgen.manifest import Coverage

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What `fix` made for one toolkit.

    Attributes:
        functions: C++ functions that the wheel's shims stand before.
        definitions: shims in all, one for each library's copy of a function.
        headers: which headers the plan was made from.
        notice: what it means that these are of another version, and which settings name nothing; empty as a rule.
        seconds: stage -> how long it took; 0.0 where the cache had it.
    """

    toolkit: str
    version: str
    wheel: str
    functions: int
    definitions: int
    coverage: Coverage
    headers: str
    notice: str
    seconds: dict[str, float]


def fix(toolkit: str, headers_dir: Path | None, notify: Notify, *, check: bool = False, held: dict[str, tuple[str, ...]] | None = None) -> Fixed:
    """Run every stage that is not in the cache, up to the shim wheel; what each raises is said there.

    `check` lets the compiler compare the plan with the headers before the shims are compiled. `held` has for each toolkit
    the methods that a profile names (`profiled.held`): just those are released.
    """
    planned = plan.ensure(toolkit, headers_dir, notify, held[toolkit] if held else None)
    record = plan.read(planned)
    checked = checks.ensure(planned, record, notify) if check else None
    if checked:
        notify(str(checked))
    generated = generate.ensure(planned, toolkit, record.version, platform.machine(), notify)
    notify(f"Compiling the shims of {toolkit} {record.version}")
    built, wheel = build.ensure(generated, toolkit, record.version)
    released = [decision for decision in record.decisions if decision.action == "release"]
    return Fixed(
        toolkit=toolkit,
        version=record.version,
        wheel=str(wheel),
        functions=len(released),
        definitions=sum(decision.copies for decision in released),
        coverage=record.coverage,
        headers=f"{record.headers.version} ({record.headers.source})",
        notice="\n  ".join(filter(None, (record.headers.notice, *record.notices))),
        seconds={"plan": planned.seconds} | ({"check": checked.seconds} if checked else {}) | {"generate": generated.seconds, "build": built.seconds},
    )
