"""Runs a user's program in this process as Python itself would: `gilgen run` and `gilgen profile` share it."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from gilgen.errors import GilgenError


def check(program: str) -> None:
    """Raise GilgenError where there is no such file or folder."""
    if not Path(program).exists():
        raise GilgenError(f"There is no program {program}.", "Name a Python file, or a module with -m.")


def run(program: str, arguments: tuple[str, ...], *, module: bool) -> None:
    """Run a program to its end; it may end by any exception, SystemExit among them.

    Args:
        program: a Python file, a folder or zip file with a `__main__.py`, or with `module` a module's name.
        arguments: what it finds in `sys.argv` behind its own name.
        module: run a module, as `python -m` does.
    """
    sys.argv = [program, *arguments]
    if module:
        sys.path[0] = str(Path.cwd())
        runpy.run_module(program, run_name="__main__", alter_sys=True)  # it puts the module's own path into sys.argv
        return
    check(program)
    path = Path(program)
    sys.path[0] = str(path.resolve() if path.is_dir() else path.resolve().parent)
    runpy.run_path(program, run_name="__main__")
