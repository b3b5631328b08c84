"""`gilgen scan`: read a toolkit's headers."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import click

from gilgen import headers, scan, store
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
@common.json_option
def command(toolkits: tuple[str, ...], headers_dir: Path | None, api_file: Path | None, json_file: Path | None) -> None:
    """Read the headers: classes, methods, symbols, and how each parameter is passed.

    What was read is kept in the cache; a second scan of the same headers takes no time.
    """
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
