"""Before anything is generated: does each release of a plan agree with itself, and with the wheel?

A mangled name carries the class, the method, const and every parameter's type (Itanium C++ ABI, 5.1), and the
declaration beside it carries the result. A plan that was edited, or that belongs to other libraries, would make
shims of another calling convention than their functions': it is refused here, by the name of the first method.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gilgen import demangle, toolkits
from gilgen.errors import ArtefactError, ToolkitNotFoundError
from gilgen.model import Decision, Plan

_INTEGERS = demangle.BUILT_IN - {"float", "double"}
_BY_VALUE = demangle.BUILT_IN | {"long double", "__int128", "unsigned __int128"}
_CARRIERS = _BY_VALUE | {"void*", "Hidden"}
_UNFIT_RESULTS = frozenset({"long double", "__int128", "unsigned __int128"})
"""They travel in registers that a shim does not keep."""


def refuse_inconsistent(plan: Plan) -> None:
    """Raise ArtefactError where a release of `plan` contradicts its own symbol, its declaration or the plan's libraries."""
    defining = {library.path for library in plan.libraries if library.defines}
    seen: set[str] = set()
    for decision in plan.decisions:
        if decision.action == "keep":
            continue
        wrong = _contradiction(decision)
        if decision.symbol in seen:
            wrong = "another release of the plan has the same symbol"
        elif decision.library not in defining:
            wrong = f"the plan has no library {decision.library!r} that defines anything"
        elif decision.copies < 1:
            wrong = "it is said to have no definition"
        elif decision.static and decision.followed:
            wrong = "it is static, and has no object to follow"
        if wrong:
            raise _refused(plan, decision, wrong)
        seen.add(decision.symbol)


def refuse_undefined(plan: Plan) -> None:
    """Raise ArtefactError where the installed libraries do not define what `plan` releases, as often as it says.

    Where another build of the toolkit is installed, or none, nothing can be said: its shims are refused at activation.
    """
    try:
        installation = toolkits.get(plan.toolkit).installation()
    except ToolkitNotFoundError:
        return
    if installation.key == plan.distribution_key:
        refuse_undefined_below(plan, installation.root)


def refuse_undefined_below(plan: Plan, root: Path) -> None:
    """As `refuse_undefined`, for the libraries below `root`."""
    from gilgen.audit import elf  # noqa: PLC0415 - it brings numpy, which sources from the cache do not need

    releases = [decision for decision in plan.decisions if decision.action != "keep"]
    wanted = {decision.symbol.encode() for decision in releases}
    first: dict[str, str] = {}
    copies: Counter[str] = Counter()
    for library in plan.libraries:
        with elf.Library(root / library.path) as file:
            for symbol in file.defined(wanted.__contains__):
                first.setdefault(symbol, library.path)
                copies[symbol] += 1
    for decision in releases:
        if copies[decision.symbol] != decision.copies:
            raise _refused(plan, decision, f"the installed libraries define its symbol {copies[decision.symbol]} times, and the plan says {decision.copies}")
        if first[decision.symbol] != decision.library:
            raise _refused(plan, decision, f"the first library that defines its symbol is {first[decision.symbol]}, and the plan says {decision.library}")


def _refused(plan: Plan, decision: Decision, wrong: str) -> ArtefactError:
    return ArtefactError(
        f"The plan of {plan.toolkit} {plan.version} contradicts itself about {decision.python} ({decision.declaration}): {wrong}.",
        f"Delete the plan, and run: gilgen plan {plan.toolkit}",
    )


def _contradiction(decision: Decision) -> str:
    """What a release says that its symbol or its declaration denies; empty where they agree."""
    member = demangle.member(decision.symbol)
    if member is None:
        return f"{decision.symbol!r} is no member function's symbol"
    if not decision.carriers or not set(decision.carriers) - {"void"} <= _CARRIERS:
        return f"{', '.join(decision.carriers) or 'nothing'} does not carry a call"
    if len(decision.carriers) != 1 + len(member.parameters):
        return f"its symbol has {len(member.parameters)} parameters, and the plan {len(decision.carriers) - 1}"
    for number, (kind, carrier) in enumerate(zip(member.parameters, decision.carriers[1:], strict=True), 1):
        if not _carries(kind, carrier):
            return f"parameter {number} is {kind} by its symbol, which {carrier} does not carry"
    if decision.carriers[0] in _UNFIT_RESULTS:
        return f"{decision.carriers[0]} travels in registers that a shim does not keep"
    return _denied_by_declaration(decision, member)


def _denied_by_declaration(decision: Decision, member: demangle.Member) -> str:
    """What the declaration, which is the header's, denies: the method, static, the result."""
    head, found, _ = decision.declaration.rpartition(f"{member.scope}::{member.name}(")
    if not found:
        return f"its symbol is {member.scope}::{member.name}'s"
    words = head.split()
    static = "static" in words[:1]
    if decision.static and (member.const or "virtual" in words[:1]):
        return "the plan calls it static, which it cannot be"
    # A class template's member is declared without the word.
    if static != decision.static and not (decision.static and "<" in member.scope):
        return f"the header declares it {'' if static else 'not '}static, and the plan says otherwise"
    result = demangle.normal(" ".join(word for word in words if word not in {"static", "virtual", "const"}))
    expected = "void*" if result.endswith(("*", "&")) else "Hidden" if result.endswith(">") else _SPELLED.get(result, "")
    if expected and expected != decision.carriers[0]:
        return f"its result is {' '.join(words)}, which {decision.carriers[0]} does not carry"
    return ""


_SPELLED = {demangle.normal(name): name for name in {*_BY_VALUE, "void"}} | {"std::string": "Hidden"}
"""Results that a declaration spells in words that mean one carrier: the word without blanks -> the carrier."""


def _carries(kind: str, carrier: str) -> bool:
    """Whether a parameter of this demangled type can travel as the carrier, as far as its name tells."""
    if "::*" in kind:
        return False  # to a member: one or two words, and no built-in type is both
    if kind.endswith(("*", "&")) or "(*" in kind or "(&" in kind or kind in {"decltype(nullptr)", "std::nullptr_t"}:
        return carrier == "void*"
    if kind in _BY_VALUE:
        return carrier == kind
    if kind.endswith(">") or kind == "std::string":
        return carrier == "Hidden"
    return carrier == "Hidden" or carrier in _INTEGERS  # a class, or an enumeration
