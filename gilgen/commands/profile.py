"""`gilgen profile`: which calls of a program hold the GIL."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gilgen import launch
from gilgen.commands import common
from gilgen.diagnostics.profile import attach, outside, text
from gilgen.model import Profile


@click.command("profile", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@common.program_options
@click.option("--pid", type=click.IntRange(min=1), metavar="PID", help="Sample a process that runs already, instead.")
@click.option("--seconds", type=click.FloatRange(min=1.0), default=10.0, show_default=True, metavar="SECONDS", help="With --pid: for how long.")
@click.option("--with-shims", "shims", is_flag=True, help="Run it with the installed shims active: what is left?")
@click.option(
    "-o", "--json", "json_file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), metavar="FILE", callback=common.make_room,
    help="Write the profile to FILE, for `gilgen fix --profile FILE` (- for standard output).",
)  # fmt: skip
@click.argument("program", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(*, module: bool, code: bool, pid: int | None, seconds: float, shims: bool, json_file: Path | None, program: str | None, arguments: tuple[str, ...]) -> None:
    r"""Run PROGRAM with its ARGUMENTS, and list the calls that held the GIL.

    For each: how long it kept all other Python threads out, at worst and altogether, who waited for the GIL meanwhile,
    where it was called from, and which event loops it stalled. The program's own exit code is the command's.

    \b
    Examples:
      gilgen profile viewer.py scan.nrrd
      gilgen profile -o profile.json -m pytest tests
      gilgen profile --pid 4711 --seconds 20
      gilgen fix --profile profile.json
    """
    if (pid is None) == (program is None):
        raise click.UsageError("Name a program, or a process that runs with --pid PID.")
    if pid is not None and (shims or module or code):
        raise click.UsageError("--pid samples a process as it is: it goes with none of -m, -c and --with-shims.")
    if pid is not None:
        found = attach.profile(pid, seconds, common.say)
    else:
        started = launch.Program(common.kind_of_program(module=module, code=code), str(program), arguments)
        launch.check(started)
        found = outside.profile(started, shims=shims, notify=common.say)
    _show(found, json_file)
    ended = found.exit_code or 0
    sys.exit(128 - ended if ended < 0 else ended)


def _show(found: Profile, json_file: Path | None) -> None:
    common.remember(text.last_profile(), found)
    if str(json_file) != "-":
        common.output.print("\n" + text.as_text(found), soft_wrap=True, markup=False)
        file = json_file or text.last_profile()
        for line in text.advice(found, file):
            common.output.print(f"\n{line}", soft_wrap=True, markup=False)
    common.write_json(json_file, found)
