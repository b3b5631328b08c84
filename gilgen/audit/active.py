"""Audit + Plan: what every Python method does once the shims are active."""

from __future__ import annotations

import msgspec

from gilgen.audit.records import Audit
from gilgen.model import Plan


def with_shims(audit: Audit, plan: Plan) -> Audit:
    """The same audit after activation.

    A wrapper that releases by itself still does; its shim only adds the claim. One that holds releases if
    the C++ function that it ends in has a shim.
    """
    direct: dict[str, set[str]] = {}
    through: dict[str, str] = {}
    for decision in plan.decisions:
        direct.setdefault(decision.python, set()).add("keep" if decision.action == "keep" else "release")
        if decision.action != "keep":
            for name in decision.served:
                if name != decision.python:
                    through.setdefault(name, decision.python)
    counts: dict[str, int] = {"methods": audit.counts.get("methods", 0)}
    wrappers = []
    for wrapper in audit.wrappers:
        changed = wrapper
        actions = direct.get(wrapper.name, set()) if wrapper.kind in {"method", "function"} else set()
        if wrapper.verdict == "releases" and "release" in actions:
            changed = msgspec.structs.replace(wrapper, reason=f"{wrapper.reason}; its shim adds the claim")
        elif wrapper.verdict != "releases" and "release" in actions:
            only = actions == {"release"}
            changed = msgspec.structs.replace(wrapper, verdict="releases" if only else "mixed", reason="its shim releases" if only else "a shim releases some of its overloads")
        elif wrapper.verdict != "releases" and wrapper.name in through:
            changed = msgspec.structs.replace(wrapper, verdict="releases", reason=f"ends in {through[wrapper.name]}, whose shim releases")
        wrappers.append(changed)
        counts[changed.verdict] = counts.get(changed.verdict, 0) + 1
    return msgspec.structs.replace(audit, counts=counts, wrappers=tuple(wrappers), notices=(*audit.notices, "With gilgen's shims active."))
