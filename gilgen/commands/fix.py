"""`gilgen fix`: everything, in one command."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from gilgen import build, fix
from gilgen.commands import common


@click.command("fix")
@common.optional_toolkits_argument
@common.headers_option
@common.profile_options
@common.check_option
@click.option("--no-install", is_flag=True, help="Build the shim wheels, but do not install them.")
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Copy the shim wheels to DIR as well.")
@common.json_option
def command(
    toolkits: tuple[str, ...],
    headers_dir: Path | None,
    profile_file: Path | None,
    over: float,
    check: bool,
    no_install: bool,
    folder: Path | None,
    json_file: Path | None,
) -> None:
    """Find what holds the GIL, build shims that release it, and install them into this environment.

    Afterwards, release it in a program with `import gilgen; gilgen.activate("vtk", "itk")`, or run a
    program that must not be edited with `gilgen run program.py`.

    With --profile just those calls are released that held the GIL in your own program; toolkits need not be named then.

    The toolkits' own files stay as they are. What was made is kept in the cache, so a second run takes
    a moment. `pip uninstall gilgen-shims-vtk` takes the shims away again.
    """
    toolkits, held = common.held_in(profile_file, over, toolkits)
    results = common.each(toolkits, functools.partial(fix.fix, check=check, held=held), headers_dir)
    for result in results:
        _show(result)
    wheels = [Path(result.wheel) for result in results]
    if folder is not None:
        wheels = [build.copy(wheel, folder) for wheel in wheels]
    if no_install:
        for wheel in wheels:
            common.output.print(str(wheel), soft_wrap=True)
    else:
        with common.step("Installing the shim wheels"):
            build.install(wheels)
        names = ", ".join(f'"{result.toolkit}"' for result in results)
        common.output.print(f"\nDone. In a program: import gilgen; gilgen.activate({names})")
        common.output.print("Or without editing it: gilgen run program.py")
        common.output.print(f"See what changed: gilgen diagnose {' '.join(result.toolkit for result in results)}")
    common.write_json(json_file, results)


def _show(result: fix.Fixed) -> None:
    coverage = result.coverage
    times = ", ".join(f"{stage} {f'{seconds:.1f} s' if seconds else 'cached'}" for stage, seconds in result.seconds.items())
    common.output.print(
        f"[bold]{result.toolkit} {result.version}[/bold]: shims for {result.functions} C++ functions. Of {coverage.candidates} Python methods "
        f"that are known to block, {coverage.direct} are released, {coverage.through} more end in what is; `gilgen plan {result.toolkit} --kept` "
        f"says why the others stay.\n  declarations of {result.headers}; {times}",
        soft_wrap=True,
    )
    if result.notice:
        common.output.print(f"  {result.notice}", soft_wrap=True)
