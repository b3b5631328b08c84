"""`gilgen doctor`: what is there, what is missing, and what mends it."""

from __future__ import annotations

from pathlib import Path

import click
from rich.table import Table

from gilgen import doctor
from gilgen.commands import common


@click.command("doctor")
@common.json_option
def command(json_file: Path | None) -> int:
    """Say what gilgen needs, what of it is there, and how to get the rest.

    The exit code is 0 when `gilgen fix` could run, else 1.
    """
    found = doctor.examine()
    common.write_json(json_file, found)
    table = Table(box=None, show_header=False, pad_edge=False)
    for item in found.findings:
        table.add_row(item.state, item.name, f"{item.detail}\n{item.advice}" if item.advice else item.detail)
    common.output.print(table)
    common.output.print("Ready: gilgen fix can run." if found.ready else "Not ready: see above.")
    return 0 if found.ready else 1
