"""The command line: one thin file a verb, loaded only when that verb is used."""

from __future__ import annotations

import importlib
import sys
from typing import cast

try:
    import click
except ModuleNotFoundError as missing:
    if sys.argv[1:2] == ["run"]:  # an application ships gilgen and its shims without what the tool needs
        from gilgen import launch

        sys.exit(launch.main(sys.argv[2:]))
    from gilgen.errors import install

    sys.exit(f"gilgen: the command line needs {missing.name}, which is not installed.\n{install(missing.name)}")

from gilgen._version import __version__
from gilgen.errors import GilgenError, install

VERBS = (
    "fix",
    "run",
    "profile",
    "diagnose",
    "survey",
    "report",
    "check",
    "audit",
    "explain",
    "doctor",
    "headers",
    "scan",
    "plan",
    "generate",
    "build",
)
"""In the order in which a newcomer meets them. Each is a module of this package with a `command`."""


class Verbs(click.Group):
    """A group that imports a verb's module only when that verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All verbs, in the order of `VERBS`."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The click command of one verb, or None where there is none of that name."""
        del ctx
        if cmd_name not in VERBS:
            return None
        try:
            module = importlib.import_module(f"gilgen.commands.{cmd_name}")
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == "gilgen":
                raise
            raise GilgenError(f"`gilgen {cmd_name}` needs {error.name}, which is not installed.", install(error.name)) from error
        return _kept_as_written(cast("click.Command", module.command))


def _kept_as_written(command: click.Command) -> click.Command:
    r"""Let click see its mark for lines that stay as they are, a backspace: a raw docstring has it as `\b`."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    return command


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gilgen")
def cli() -> None:
    r"""Find the VTK and ITK calls that hold Python's GIL, fix them, and prove it.

    A wrapped C++ call that holds the GIL freezes every other Python thread: windows, servers, event
    loops. gilgen builds shims that release it around blocking calls of the installed, unmodified
    wheels, and measures which calls really let others run.

    \b
    Begin here:
      gilgen fix vtk itk          find, build and install the shims
      gilgen diagnose vtk itk     measure real calls, before and after
      gilgen run program.py       run a program with the shims active
    """


_kept_as_written(cli)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with the exit code of what happened."""
    sys.exit(invoke(arguments))


def invoke(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code. An expected error prints its message, never a traceback."""
    try:
        result = cli.main(arguments, prog_name="gilgen", standalone_mode=False)
    except GilgenError as error:
        click.echo(f"gilgen: {error}", err=True)
        return error.exit_code
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("gilgen: interrupted. What was complete is kept; nothing is half written.", err=True)
        return 130
    return result if isinstance(result, int) else 0
