"""`gilgen run`: a program with the shims active, without editing it."""

from __future__ import annotations

import click

from gilgen.activate import GUARDS, activate
from gilgen.manifest import Guard
from gilgen.program import run


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-m", "module", is_flag=True, help="Run a module, as `python -m` does.")
@click.option("--toolkits", metavar="NAMES", help="Which to activate, such as vtk,itk (default: all whose shim wheel is installed).")
@click.option("--guard", type=click.Choice(GUARDS), default="closure", show_default=True, help="What a running call claims, so that no other meets it.")
@click.argument("program")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(module: bool, toolkits: str | None, guard: Guard, program: str, arguments: tuple[str, ...]) -> None:
    r"""Run PROGRAM with its ARGUMENTS as Python would, with the GIL released around blocking calls.

    \b
    Examples:
      gilgen run viewer.py scan.nrrd
      gilgen run -m pytest tests
    """
    activate(*(toolkits.split(",") if toolkits else ()), guard=guard)
    run(program, arguments, module=module)
