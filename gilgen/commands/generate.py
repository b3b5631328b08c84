"""`gilgen generate`: the shims as readable C++."""

from __future__ import annotations

import functools
import platform
import shutil
from pathlib import Path

import click

from gilgen import generate, plan, store
from gilgen.commands import common


def generated(
    toolkit: str, headers_dir: Path | None, notify: plan.Notify, *, held: dict[str, tuple[str, ...]] | None = None
) -> tuple[str, store.Made]:
    """One toolkit's sources; a function of a module so that it can run in a process of its own."""
    planned = plan.ensure(toolkit, headers_dir, notify, held[toolkit] if held else None)
    return toolkit, generate.ensure(planned, toolkit, planned.version, platform.machine(), notify)


@click.command("generate")
@common.optional_toolkits_argument
@common.headers_option
@common.profile_options
@click.option("-o", "--output", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Put the sources into DIR (DIR/TOOLKIT for several).")
@common.json_option
def command(toolkits: tuple[str, ...], headers_dir: Path | None, profile_file: Path | None, over: float, folder: Path | None, json_file: Path | None) -> None:
    """Write the shims as C++ that needs neither the toolkit's headers nor Python's.

    The folder has its own CMakeLists.txt; each shim stands beside its Python name, its C++ declaration
    and the reason for the release.
    """
    toolkits, held = common.held_in(profile_file, over, toolkits)
    results = common.each(toolkits, functools.partial(generated, held=held), headers_dir)
    places = {}
    for toolkit, made in results:
        target = made.folder
        if folder is not None:
            target = folder / toolkit if len(results) > 1 else folder
            _copy(made.folder, target)
        places[toolkit] = str(target)
        files = sum(1 for path in target.rglob("*") if path.is_file())
        common.output.print(f"{toolkit}: {files} files in {target} ({'from the cache' if made.cached else f'{made.seconds:.1f} s'})", soft_wrap=True)
    common.write_json(json_file, places)


def _copy(source: Path, target: Path) -> None:
    """Put generated sources where the user wants them, but never over something else."""
    generate.refuse_foreign(target)
    with store.new_folder(target) as draft:
        shutil.copytree(source, draft, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
