"""`gilgen report`: show what the last diagnosis found."""

from __future__ import annotations

from pathlib import Path

import click

from gilgen import store
from gilgen.commands.common import json_option, output, write_json
from gilgen.diagnostics import report as reporting
from gilgen.errors import ArtefactError, InvalidRunError
from gilgen.model import Report


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--markdown", is_flag=True, help="As Markdown.")
@json_option
def command(file: Path | None, json_file: Path | None, *, markdown: bool) -> None:
    """Show the report of the last `gilgen diagnose`, or of FILE that its --json wrote."""
    path = file or reporting.last_report()
    if not path.exists():
        what = f"There is no {file}." if file else "Nothing has been diagnosed yet."
        raise ArtefactError(what, "Measure first: gilgen diagnose vtk itk")
    report = store.read(path, Report)
    if str(json_file) != "-":
        text = reporting.as_markdown(report) if markdown else reporting.as_text(report)
        output.print(text, soft_wrap=True, markup=False)
    write_json(json_file, report)
    if not report.valid:
        raise InvalidRunError(
            "A control failed in this run: nothing in this report counts.",
            "Measure again: gilgen diagnose vtk itk",
        )
