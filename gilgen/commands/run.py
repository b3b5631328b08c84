"""`gilgen run`: a program with the shims active, without editing it."""

from __future__ import annotations

import click

from gilgen import launch
from gilgen.activate import GUARDS
from gilgen.commands import common
from gilgen.manifest import Guard


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@common.program_options
@click.option("--toolkits", metavar="NAMES", help="Which to activate, such as vtk,itk (default: all whose shim wheel is installed).")
@click.option("--guard", type=click.Choice(GUARDS), default="closure", show_default=True, help="What a running call claims, so that no other meets it.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(*, module: bool, code: bool, toolkits: str | None, guard: Guard, program: str, arguments: tuple[str, ...]) -> None:
    r"""Run PROGRAM with its ARGUMENTS, with the GIL released around blocking calls.

    Python itself runs it: what the program finds and how it ends is as with `python PROGRAM`.

    \b
    Examples:
      gilgen run viewer.py scan.nrrd
      gilgen run -m pytest tests
      gilgen run -c "import itk; itk.imread('scan.nrrd')"
      gilgen run - < viewer.py
    """
    launch.run(launch.Program(common.kind_of_program(module=module, code=code), program, arguments), toolkits, guard)
