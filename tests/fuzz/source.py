"""Prints a program as Python source that stands alone: with the operations that it uses, and no more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.program import Argument, Program, Step

HERE = Path(__file__).parent
FILES = {
    "vtk": ("digests", "vtk_digests", "vtk_things", "vtk_reading", "vtk_filters", "vtk_copying", "vtk_callbacks"),
    "itk": ("digests", "itk_things", "itk_filters", "itk_others"),
}
REGISTRIES = {"VTK", "ITK"}


@dataclass(frozen=True)
class Definition:
    """What one name means at the top level of a catalogue's module.

    Attributes:
        text: the source, without the decorator that registers it.
        needs: the names that it uses.
        expect: the source of the decorator's `expect`, where it has one.
        imported: it is an import.
    """

    text: str
    needs: frozenset[str]
    expect: str = ""
    imported: bool = False


def definitions(toolkit: str) -> tuple[dict[str, dict[str, Definition]], tuple[Definition, ...]]:
    """The names of each module of a toolkit's catalogue, and the statements that must run in any case."""
    modules: dict[str, dict[str, Definition]] = {}
    always: list[Definition] = []
    for name in FILES[toolkit]:
        text = (HERE / f"{name}.py").read_text()
        found = modules.setdefault(name, {})
        for node in ast.parse(text).body:
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
                always.append(Definition(_segment(text, node), _names(node)))
            for defined, definition in _defined(text, node):
                found[defined] = definition
    return modules, tuple(always)


def _defined(text: str, node: ast.stmt) -> Iterator[tuple[str, Definition]]:
    """The names that a statement defines."""
    if isinstance(node, ast.ImportFrom) and node.module != "__future__":
        for alias in node.names:
            yield alias.asname or alias.name, Definition(f"from {node.module} import {alias.name}", frozenset(), imported=True)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            written = f"import {alias.name} as {alias.asname}" if alias.asname else f"import {alias.name}"
            yield alias.asname or alias.name, Definition(written, frozenset(), imported=True)
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        expect = _expect(text, node)
        needs = frozenset().union(*(_names(child) for child in ast.iter_child_nodes(node) if child not in node.decorator_list))
        yield node.name, Definition(_segment(text, node), needs | (_names(ast.parse(expect)) if expect else frozenset()), expect)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            for name in ast.walk(target):
                if isinstance(name, ast.Name):
                    yield name.id, Definition(_segment(text, node), _names(node))


def _segment(text: str, node: ast.AST) -> str:
    return ast.get_source_segment(text, node) or ""


def _names(node: ast.AST) -> frozenset[str]:
    return frozenset(name.id for name in ast.walk(node) if isinstance(name, ast.Name))


def _expect(text: str, node: ast.FunctionDef | ast.ClassDef) -> str:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call):
            for keyword in decorator.keywords:
                if keyword.arg == "expect":
                    return _segment(text, keyword.value)
    return ""


class _Collected:
    """The definitions that a program needs, each once, in the order of the files."""

    def __init__(self, toolkit: str) -> None:
        self.modules, self.always = definitions(toolkit)
        self.imports: set[str] = set()
        self.kept: set[tuple[str, str]] = set()
        for statement in self.always:
            for name in statement.needs:
                self.need(self.home(name), name)

    def home(self, name: str) -> str:
        """The module that defines a name other than by importing it."""
        for module, names in self.modules.items():
            if name in names and not names[name].imported:
                return module
        return next((module for module, names in self.modules.items() if name in names), "")

    def need(self, module: str, name: str) -> None:
        """Keep a name of a module, and all that it needs."""
        definition = self.modules.get(module, {}).get(name)
        if definition is None or name in REGISTRIES or (module, name) in self.kept:
            return
        if definition.imported:
            if definition.text.startswith("from fuzz."):
                self.need(definition.text.split()[1].removeprefix("fuzz."), name)
            else:
                self.imports.add(definition.text)
            return
        self.kept.add((module, name))
        for needed in definition.needs:
            self.need(module, needed)

    def texts(self) -> Iterator[str]:
        """The kept definitions' source."""
        done = set()
        for module, names in self.modules.items():
            for name, definition in names.items():
                if (module, name) in self.kept and definition.text not in done:
                    done.add(definition.text)
                    yield definition.text


def standalone(program: Program, module: str | None = None) -> str:
    """The source of a program.

    Args:
        program: what to print.
        module: the module of a maker or operation that several modules define; found by name when None.

    Returns:
        Python source that prints each wrong result, and ends with exit code 1 if there was one.
    """
    collected = _Collected(program.toolkit)
    for name in (*(thing.maker for thing in program.things), *(step.operation for step in program.steps)):
        collected.need(module or collected.home(name), name)
    steps = {step.key: step for step in program.steps}
    numbers = {key: number for number, key in enumerate(steps)}
    parts = [
        f'"""Seed {program.seed} of gilgen\'s fuzzer ({program.toolkit}). Without the two lines after this one it runs the plain toolkit."""',
        f'import gilgen\ngilgen.activate("{program.toolkit}")',
        "\n".join(["import sys", "import threading", *sorted(collected.imports - {"import sys", "import threading"})]),
        "sys.setswitchinterval(1e-5)",
        "\n".join(statement.text for statement in collected.always),
        *collected.texts(),
        _world(program),
        _right(program, collected, steps),
        _threads(program, numbers),
        _main(program),
    ]
    return "\n\n\n".join(part for part in parts if part) + "\n"


def _call(function: str, arguments: dict[str, Argument], things: set[str], form: str) -> str:
    written = [f"{name}={form.format(value) if value in things else repr(value)}" for name, value in arguments.items()]
    return f"{function}({', '.join(written)})"


def _world(program: Program) -> str:
    lines = ["def world():", '    """The shared things, new and with cold caches."""']
    names = {thing.name for thing in program.things}
    lines += [f"    {thing.name} = {_call(thing.maker, thing.arguments, names, '{}')}" for thing in program.things]
    return "\n".join([*lines, "    return locals()"])


def _right(program: Program, collected: _Collected, steps: dict[str, Step]) -> str:
    names = {thing.name for thing in program.things}
    lines = ["it = world()", "RIGHT = ["]
    for step in steps.values():
        expect = collected.modules[collected.home(step.operation)][step.operation].expect
        call = _call(f"({expect})" if expect else step.operation, step.arguments, names, 'it["{}"]')
        lines.append(f"    {call}," if expect else f"    {{{call}}},")
    return "\n".join([*lines, "]", '"""What each call may return; these calls are made alone."""'])


def _threads(program: Program, numbers: dict[str, int]) -> str:
    names = {thing.name for thing in program.things}
    parts = ['wrong = []\n\n\ndef check(number, got):\n    if got not in RIGHT[number]:\n        wrong.append(got)\n        print("got", got, "\\nnot", RIGHT[number])']
    for number, thread in enumerate(program.threads):
        lines = [f"def thread_{number}(it, start):", "    start.wait()"]
        for step in thread:
            check = f"check({numbers[step.key]}, {_call(step.operation, step.arguments, names, 'it[{!r}]')})"
            lines += [f"    {check}"] if step.repeat == 1 else [f"    for _ in range({step.repeat}):", f"        {check}"]
        parts.append("\n".join(lines))
    return "\n\n\n".join(parts)


def _main(program: Program) -> str:
    targets = ", ".join(f"thread_{number}" for number in range(len(program.threads)))
    lines = [
        f"for _ in range({program.rounds}):",
        "    it = world()",
        f"    start = threading.Barrier({len(program.threads)})",
        f"    threads = [threading.Thread(target=target, args=(dict(it), start)) for target in ({targets},)]",
        "    for thread in threads:",
        "        thread.start()",
        *(["    it.clear()"] if program.drop else []),
        "    for thread in threads:",
        "        thread.join()",
        'print(len(wrong), "wrong")',
        "sys.exit(bool(wrong))",
    ]
    return "\n".join(lines)
