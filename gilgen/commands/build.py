"""`gilgen build`: the shim wheels."""

from __future__ import annotations

import functools
from pathlib import Path

import click

from gilgen import build, checks, generate, plan
from gilgen.commands import common
from gilgen.commands.generate import generated
from gilgen.manifest import Manifest
from gilgen.plan import Notify
from gilgen.store import read


def built(toolkit: str, headers_dir: Path | None, notify: Notify, *, check: bool, held: dict[str, tuple[str, ...]] | None = None) -> tuple[str, Path, bool, float]:
    """One toolkit's wheel; a function of a module so that it can run in a process of its own."""
    if check:
        planned = plan.ensure(toolkit, headers_dir, notify, held[toolkit] if held else None)
        notify(str(checks.ensure(planned, plan.read(planned), notify)))
    _, sources = generated(toolkit, headers_dir, notify, held=held)
    made, wheel = build.ensure(sources, toolkit, sources.version)
    return toolkit, wheel, made.cached, made.seconds


@click.command("build")
@click.argument("toolkits", nargs=-1, metavar="TOOLKIT...")
@common.headers_option
@common.profile_options
@click.option("--sources", type=click.Path(file_okay=False, exists=True, path_type=Path), metavar="DIR", help="Build the sources in DIR, which `gilgen generate -o DIR` wrote, instead.")
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Put the wheels into DIR.")
@common.check_option
@click.option("--install", is_flag=True, help="Install the wheels into this environment.")
@common.json_option
def command(
    toolkits: tuple[str, ...],
    headers_dir: Path | None,
    profile_file: Path | None,
    over: float,
    sources: Path | None,
    folder: Path | None,
    check: bool,
    install: bool,
    json_file: Path | None,
) -> None:
    """Compile the shims and pack one wheel a toolkit, with this machine's C++ compiler or PyPI's ziglang.

    A wheel serves every CPython from 3.11 on and installs where there is neither compiler nor header.
    """
    if bool(toolkits or profile_file) == (sources is not None):
        raise click.UsageError("Name one or more toolkits, or --sources DIR.")
    if check and sources is not None:
        raise click.UsageError("--check needs a plan, which --sources DIR does not have.")
    if sources is not None:
        manifest = read(sources / generate.MANIFEST, Manifest)
        with common.step(f"Compiling {sources}"):
            wheels = {manifest.toolkit: build.build(sources, folder or Path.cwd(), build.find_compiler())}
    else:
        wheels = {}
        toolkits, held = common.held_in(profile_file, over, toolkits)
        for toolkit, wheel, cached, seconds in common.each(toolkits, functools.partial(built, check=check, held=held), headers_dir):
            wheels[toolkit] = build.copy(wheel, folder) if folder is not None else wheel
            common.console.print(f"{toolkit}: {'from the cache' if cached else f'compiled in {seconds:.1f} s'}")
    for wheel in wheels.values():
        common.output.print(str(wheel), soft_wrap=True)
    if install:
        with common.step("Installing the shim wheels"):
            build.install(list(wheels.values()))
    common.write_json(json_file, {toolkit: str(wheel) for toolkit, wheel in wheels.items()})
