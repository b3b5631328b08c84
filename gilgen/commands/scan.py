"""`gilgen scan`: read a toolkit's headers."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from gilgen import facts, headers, scan, store
from gilgen.commands import common
from gilgen.errors import ConfigError
from gilgen.model import Headers
from gilgen.toolkits import get
from gilgen.toolkits.base import Installation, Toolkit


@click.command("scan")
@common.toolkits_argument
@common.headers_option
@click.option(
    "-o",
    "--output",
    "api_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write all that the headers declare to FILE (one toolkit only; some 40 MB).",
)
@click.option(
    "--facts",
    "facts_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Make of the headers in --headers DIR what gilgen ships of a release, in FILE, whose name says which: vtk-9.7.2.json.xz.",
)
@click.option("--base", default="", metavar="RELEASE", help="With --facts: hold only what differs from this release, whose file lies beside FILE.")
@common.json_option
def command(
    toolkits: tuple[str, ...], headers_dir: Path | None, api_file: Path | None, facts_file: Path | None, base: str, json_file: Path | None
) -> None:
    """Read the headers: classes, methods, symbols, and how each parameter is passed.

    What was read is kept in the cache; a second scan of the same headers takes no time.
    """
    if facts_file is not None:
        _write_facts(toolkits, headers_dir, facts_file, base)
        return
    if api_file is not None and len(toolkits) > 1:
        raise ConfigError(
            "One file holds one toolkit's declarations.", "Run: gilgen scan TOOLKIT -o FILE for each."
        )
    # Finding headers takes apt's lock; reading them is shared out over all processors at once.
    prepared = [_prepare(name, headers_dir) for name in dict.fromkeys(toolkits)]
    with ThreadPoolExecutor(len(prepared)) as pool:
        summaries = list(pool.map(_scan, prepared))
    for summary in summaries:
        _show(summary)
        if api_file is not None:
            with store.explained(api_file):
                shutil.copyfile(summary.api, api_file)
    common.write_json(json_file, summaries)


def _write_facts(toolkits: tuple[str, ...], headers_dir: Path | None, file: Path, base: str) -> None:
    """Make a release's file: its headers are read once for each `std::string`."""
    name, _, release = file.name.removesuffix(facts.SUFFIX).partition("-")
    if headers_dir is None or toolkits != (name,) or not release:
        raise ConfigError(
            "--facts needs --headers DIR, and a file that bears the toolkit's name and the release's.",
            f"Run: gilgen scan {toolkits[0]} --headers DIR --facts {toolkits[0]}-RELEASE{facts.SUFFIX}",
        )
    toolkit = get(name)
    found = headers.read_version(toolkit, headers_dir, release)
    new, old = (scan.scan(toolkit, None, found, common.console.print, old_strings=old) for old in (False, True))
    written = facts.write(new, old, file.parent, base)
    common.output.print(f"{written.name}: {len(new.classes)} classes, {written.stat().st_size / 1000:.0f} kB", soft_wrap=True, markup=False)


def _scan(job: tuple[Toolkit, Installation, Headers]) -> scan.ScanSummary:
    return scan.ensure(*job, common.console.print)


def _prepare(name: str, headers_dir: Path | None) -> tuple[Toolkit, Installation, Headers]:
    toolkit = get(name)
    installation = toolkit.installation()
    return toolkit, installation, headers.find(toolkit, installation, headers_dir, common.console.print)


def _show(found: scan.ScanSummary) -> None:
    took = "from the cache" if found.cached else f"{found.seconds:.1f} s, {found.memory} MB a process at most"
    counts = f"{found.headers} headers, {found.classes} classes, {found.templates} class templates, {found.methods} methods"
    lines = [f"{found.toolkit} {found.version}: {counts} ({took})"]
    if found.notice:
        lines.append(f"  {found.notice}")
    if found.dropped:
        alone = sum(item.alone for item in found.dropped)
        lines.append(f"  {len(found.dropped)} headers had errors; {alone} of them could be read alone:")
        lines.extend(
            f"    {item.header}{' (read alone)' if item.alone else ''}: {item.error}"
            for item in found.dropped
        )
    common.output.print("\n".join(lines), soft_wrap=True, markup=False)
