"""Starts a user's program by Python itself, with gilgen's part done before it begins (`startup/sitecustomize.py`).

`gilgen run` and `gilgen profile` share it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import gilgen
from gilgen.activate import GUARDS, manifest_of
from gilgen.errors import GilgenError, UnsupportedError

STARTUP = Path(__file__).parent / "startup"

Kind = Literal["file", "module", "code"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program as Python's command line names it.

    Attributes:
        kind: a file, folder or zip file ("-" is standard input), a module as with -m, or code as with -c.
        name: which.
        arguments: what it finds in `sys.argv` behind its own name.
    """

    kind: Kind
    name: str
    arguments: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As people write it, without folders."""
        return {"file": Path(self.name).name, "module": f"-m {self.name}", "code": "-c"}[self.kind]

    @property
    def command(self) -> list[str]:
        """What starts it, with the options that this Python was started with."""
        return [sys.executable, *options(sys.orig_argv[1:]), *{"file": [], "module": ["-m"], "code": ["-c"]}[self.kind], self.name, *self.arguments]

    @property
    def folder(self) -> Path:
        """Where the program's own files are."""
        return Path(self.name).resolve().parent if self.kind == "file" and self.name != "-" else Path.cwd()


def options(words: list[str]) -> list[str]:
    """Python's own options at the head of a command line: what comes before a file, -m or -c."""
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in {"-W", "-X", "--check-hash-based-pycs"}:
            found += [word, next(rest, "")]
        elif word.startswith(("-W", "-X", "--")):
            found.append(word)
        elif not word.startswith("-") or word == "-":
            break
        else:
            letters = re.split("[mc]", word[1:], maxsplit=1)
            found += [f"-{letters[0]}"] if letters[0] else []
            if len(letters) > 1:
                break
    return found


def check(program: Program) -> None:
    """Refuse what cannot be started.

    Raises:
        GilgenError: there is no such file or folder.
        UnsupportedError: this Python was told not to look at its environment, through which a program is started.
    """
    if program.kind == "file" and program.name != "-" and not Path(program.name).exists():
        raise GilgenError(f"There is no program {program.name}.", "Name a Python file, a module with -m, or code with -c.")
    if sys.flags.ignore_environment or sys.flags.no_site:
        raise UnsupportedError("Python was started with -I, -E or -S, so nothing can be done before the program begins.", "Start gilgen without them.")


def environment(*, activate: dict[str, Any] | None = None, profile: Path | None = None) -> dict[str, str]:
    """The environment to start a program in.

    Args:
        activate: the toolkits whose shims are to be active (none: all that are installed) and the guard; None: no shims.
        profile: the folder that a profile is written to; None: no profile.
    """
    before = os.environ.get("PYTHONPATH")
    wish = {"path": before, "root": str(Path(gilgen.__file__).parents[1]), "activate": activate, "profile": str(profile) if profile else None}
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(STARTUP), before))), "GILGEN_STARTUP": json.dumps(wish)}


def run(program: Program, toolkits: str | None, guard: str) -> NoReturn:
    """Become the program, with shims active.

    Args:
        program: what to run.
        toolkits: whose shims, with commas between them; None: of all for which some are installed.
        guard: what a running call claims.

    Raises:
        GilgenError: there are no shims for a toolkit, or no such program.
        UnsupportedError: as `check` says.
    """
    chosen = toolkits.split(",") if toolkits else []
    for toolkit in chosen:
        manifest_of(toolkit)
    check(program)
    sys.stdout.flush()
    os.execve(  # noqa: S606 - without a shell, as it should be
        sys.executable, program.command, environment(activate={"toolkits": chosen, "guard": guard}))


def main(arguments: list[str]) -> int:
    """`gilgen run` with the standard library alone, for applications that ship gilgen with `pip install --no-deps`."""
    parser = argparse.ArgumentParser(prog="gilgen run", description="Run a program with the GIL released around blocking calls.")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("-m", dest="kind", action="store_const", const="module", default="file", help="PROGRAM is a module, as with python -m")
    kinds.add_argument("-c", dest="kind", action="store_const", const="code", help="PROGRAM is code, as with python -c")
    parser.add_argument("--toolkits", metavar="NAMES", help="which to activate, such as vtk,itk (default: all whose shim wheel is installed)")
    parser.add_argument("--guard", choices=GUARDS, default="closure", help="what a running call claims, so that no other meets it")
    parser.add_argument("program", metavar="PROGRAM")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGUMENTS")
    chosen = parser.parse_args(arguments)
    try:
        run(Program(chosen.kind, chosen.program, tuple(chosen.arguments)), chosen.toolkits, chosen.guard)
    except GilgenError as error:
        sys.stderr.write(f"gilgen: {error}\n")
        return error.exit_code
