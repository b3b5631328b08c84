"""Overloads: how a wheel documents them, and which of them a VTK wrapper releases for.

VTK's wrappers choose among overloads in the wrapper itself: by the number of arguments with their code
in line, or through a table that a dispatcher tries. Each overload's code holds a call of the C++ method
that it wraps, whose mangled name tells which one it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import cxxfilt

from gilgen.audit import paths, reach
from gilgen.audit.code import Instruction
from gilgen.audit.records import State
from gilgen.audit.tables import Entry, Tables

_NEW, _DELETE = "new_", "delete_"

LONGEST, MOST_REPEATED = 2000, 24
"""Of a mangled name, its length and the parts that stand for an earlier one; these can each double what it stands for."""
_REPEATED = re.compile(r"[ST][0-9A-Z]*_")


def described(entry: Entry, family: str, tables: Tables) -> tuple[str, str, tuple[str, ...]]:
    """(class, method, signatures) of a table's entry; one empty signature where it has no overloads."""
    if family == "swig" and not entry.owner and entry.kind == "function":
        owner, method = _swig_name(entry.name, tables.swig_classes)
        callee = owner if method == "__init__" else entry.name
        if entry.doc.count(f"{callee}(") < 2:  # noqa: PLR2004
            return owner, method, ("",)
        return owner, method, _several(line for line in entry.doc.splitlines() if line.startswith(f"{callee}("))
    if family == "vtk" and entry.kind == "method" and entry.doc.count("C++: ") > 1:
        return entry.owner, entry.name, _several(signature for signature, _ in vtk_signatures(entry))
    return entry.owner, entry.name, ("",)


def _several(lines: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(lines))
    return found if len(found) > 1 else ("",)


def _swig_name(name: str, classes: frozenset[str]) -> tuple[str, str]:
    """SWIG's flat names: `Class_method`, where either part may hold underscores; `new_Class`, `delete_Class`."""
    for prefix, method in ((_NEW, "__init__"), (_DELETE, "__del__")):
        if name.startswith(prefix) and name[len(prefix) :] in classes:
            return name[len(prefix) :], method
    place = len(name)
    while (place := name.rfind("_", 0, place)) > 0:
        if name[:place] in classes:
            return name[:place], name[place + 1 :]
    return "", name


def vtk_signatures(entry: Entry) -> list[tuple[str, str]]:
    """The overloads in a VTK wrapper's docstring: (Python signature, C++ declaration)."""
    found: list[list[str]] = []
    cxx = False
    for line in entry.doc.split("\n\n", 1)[0].splitlines():
        if line.startswith("C++: ") and found:
            found[-1][1] = line[5:]
            cxx = True
        elif line.startswith("    ") and found:
            found[-1][cxx] += " " + line.strip()
        elif line.startswith(f"{entry.name}("):
            found.append([line, ""])
            cxx = False
    return [(signature, declaration) for signature, declaration in found]


def told_apart(judge: paths.Judge, index: int, entry: Entry, signatures: tuple[str, ...]) -> dict[str, tuple[State, int]]:
    """Which overloads of a mixed VTK wrapper release: Python signature -> (verdict, where it was read).

    Overloads whose C++ method is called nowhere by name (it is inline) stay out.
    """
    declared = {signature: _parameters(declaration) for signature, declaration in vtk_signatures(entry) if signature in signatures}
    found: dict[str, tuple[State, int]] = {}
    for symbol, released, site in _method_calls(judge, index):
        if len(symbol) > LONGEST or len(_REPEATED.findall(symbol)) > MOST_REPEATED:
            continue
        name, _, parameters = cxxfilt.demangle(symbol, external_only=False).partition("(")
        if name.rpartition("::")[2] != entry.name:
            continue
        wanted = _parameters(f"({parameters}")
        same = [signature for signature, given in declared.items() if given == wanted]
        same = same or [signature for signature, given in declared.items() if len(given) == len(wanted)]
        if len(same) == 1:
            found[same[0]] = ("releases" if released else "holds"), site
    return found


def _method_calls(judge: paths.Judge, index: int) -> list[tuple[str, bool, int]]:
    """Every call of an imported C++ function in a wrapper and its overloads: (symbol, whether released, site)."""
    found = []
    parts = {index}
    code = judge.code
    for instruction in code.instructions(index)[0]:
        callee = code.function(instruction.target) if instruction.kind in {"call", "jump", "branch"} and not instruction.memory else -1
        if callee >= 0:
            parts.add(callee)
        if instruction.kind == "address":
            parts |= {code.function(method.function) for method in judge.tables.methods.get(instruction.target, ())} - {-1}
    for part in parts:
        for line, held in held_states(judge, part):
            symbol = code.symbol_at(line.target, memory=line.memory)
            if symbol.startswith("_Z"):
                found.append((symbol, not held or symbol in judge.reach.wanted, line.address))
    return found


def held_states(judge: paths.Judge, index: int) -> list[tuple[Instruction, bool]]:
    """The calls and jumps in a function, each with whether it may run while the GIL is held."""
    blocks, _ = judge.blocks(index)
    if not blocks:
        return []
    code = judge.code
    first = min(blocks, key=lambda start: (start != int(code.starts[index]), start))
    entering: dict[int, set[bool]] = {first: {True}}
    work = [first]
    states: dict[int, tuple[Instruction, set[bool]]] = {}
    while work:
        block = blocks[work.pop()]
        current = set(entering[block.start])
        for line in block.instructions:
            if line.kind not in {"call", "jump", "branch"}:
                continue
            symbol = code.symbol_at(line.target, memory=line.memory)
            if symbol in reach.RELEASING:
                current = {False}
            elif symbol in paths.RETAKING:
                current = {True}
            else:
                states.setdefault(line.address, (line, set()))[1].update(current)
        for after in block.after:
            if after in blocks and not current <= entering.setdefault(after, set()):
                entering[after] |= current
                work.append(after)
    return [(line, True in seen) for line, seen in states.values()]


def _parameters(text: str) -> tuple[str, ...]:
    """The types in a parameter list, without names and qualifiers, for comparison."""
    inside = text[text.find("(") + 1 : text.rfind(")")]
    parts, depth, last = [], 0, 0
    for place, letter in enumerate(inside):
        depth += {"<": 1, "(": 1, ">": -1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(inside[last:place])
            last = place + 1
    parts.append(inside[last:])
    return tuple(_type(part) for part in parts if part.strip() not in {"", "void"})


_WORDS = {"vtkTypeBool": "int", "vtkIdType": "long long", "vtkMTimeType": "unsigned long"}


def _type(part: str) -> str:
    part = part.partition("=")[0].replace("const", " ")
    pointers = part.count("*") + part.count("&") + part.count("[")
    words = re.sub(r"[*&]|\[[^\]]*\]", " ", part).split()
    builtin = {"unsigned", "signed", "long", "short", "int", "char", "double", "float", "bool"}
    kind = [word for word in words if word in builtin] or words[:1]
    return " ".join(_WORDS.get(word, word) for word in kind) + "*" * pointers
