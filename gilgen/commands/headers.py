"""`gilgen headers`: where the headers of a toolkit come from."""

from __future__ import annotations

from pathlib import Path

import click

from gilgen import headers
from gilgen.commands import common
from gilgen.model import Headers
from gilgen.toolkits import get


@click.command("headers")
@common.toolkits_argument
@common.headers_option
@click.option("--fetch", is_flag=True, help="Ask Debian's archive, too, if no headers of just the installed version are here.")
@common.json_option
def command(toolkits: tuple[str, ...], headers_dir: Path | None, *, fetch: bool, json_file: Path | None) -> None:
    """Find, or fetch, headers that match the installed toolkits.

    No fix needs them: gilgen ships what the headers of each release declare. They serve builds of your own
    (gilgen fix --headers DIR) and gilgen fix --check.

    Nothing is installed: Debian's packages are unpacked into gilgen's cache.
    """
    found = tuple(_find(name, headers_dir, fetch=fetch) for name in toolkits)
    common.write_json(json_file, found)
    for item in found:
        words = [
            f"{item.toolkit} {item.wheel_version}: headers {item.version} from {item.source}",
            f"  {item.root}",
        ]
        common.output.print(
            "\n".join([*words, *([f"  {item.notice}"] if item.notice else [])]), soft_wrap=True
        )


def _find(name: str, headers_dir: Path | None, *, fetch: bool) -> Headers:
    toolkit = get(name)
    return headers.find(toolkit, toolkit.installation(), headers_dir, common.console.print, fetch=fetch)
