"""Lists what VTK's wrappers expose, as JSON on standard output: a program of its own, not a module to import.

It imports every extension module of VTK, which the tool's own process must not. Each class is
[name, C++ name, bases, {method: [C++ declarations]}].
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import re
import sys
from typing import Any

_QUALIFIERS = re.compile(r"(?:\s*\b(?:const|override|final|noexcept)\b)*")


def declarations(text: str) -> list[str]:
    """The C++ declarations in a wrapper's docstring, each on one line."""
    return [
        declaration(part.partition("\n\n")[0])
        for part in re.split(r"^C\+\+:\s+", text, flags=re.MULTILINE)[1:]
    ]


def declaration(text: str) -> str:
    """What stands up to the end of the declaration, which may wrap and may lack its semicolon."""
    line = re.sub(r"\(\s+", "(", " ".join(text.split()))
    depth = 0
    for place, letter in enumerate(line):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == ";" or (letter == ")" and depth == 0 and not line[place + 1 :].startswith("(")):
            tail = _QUALIFIERS.match(line, place + 1)
            return line[:place] if letter == ";" or tail is None else line[: tail.end()]
    return line


def own_methods(kind: type) -> dict[str, list[str]]:
    """The methods that a wrapped class defines itself."""
    methods = {}
    for name, value in vars(kind).items():
        target = getattr(value, "__func__", value)
        if callable(target) and not isinstance(target, type) and not name.startswith("__"):
            methods[name] = declarations(getattr(target, "__doc__", None) or "")
    return methods


def classes(folder: str) -> list[Any]:
    """Every wrapped class of every module below `folder`/vtkmodules."""
    sys.path.insert(0, folder)
    package = importlib.import_module("vtkmodules")
    importlib.import_module("vtkmodules.all")
    found: dict[str, type] = {}
    for module in sorted(
        info.name for info in pkgutil.iter_modules(package.__path__) if info.name.startswith("vtk")
    ):
        # A module may need what this machine lacks (Java, MPI, a browser's runtime): it then exposes nothing here.
        with contextlib.suppress(Exception):
            for value in vars(importlib.import_module(f"vtkmodules.{module}")).values():
                if isinstance(value, type) and value.__module__.startswith("vtkmodules."):
                    found.setdefault(value.__name__, value)
    return [
        [
            name,
            getattr(kind, "__vtkname__", name),
            [base.__name__ for base in kind.__bases__ if base is not object],
            own_methods(kind),
        ]
        for name, kind in sorted(found.items())
    ]


if __name__ == "__main__":
    listed = json.dumps(classes(sys.argv[1]))
    sys.stdout.write(listed)
    sys.stdout.flush()
    os._exit(0)  # VTK's own teardown takes time and has nothing to add
