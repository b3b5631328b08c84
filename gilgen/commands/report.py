"""`gilgen report`: show what was measured, in the form that its reader needs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from gilgen import store
from gilgen.commands.common import Function, console, json_option, output, write_json
from gilgen.diagnostics import report as reporting
from gilgen.diagnostics.report.material import without_diagnosis
from gilgen.diagnostics.report.schema import schema as json_schema
from gilgen.errors import ArtefactError, InvalidRunError
from gilgen.model import Profile, Report, Survey


def _file_option(name: str, help_text: str) -> Callable[[Function], Function]:
    return click.option(name, f"{name.removeprefix('--')}_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help=help_text)


@click.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@_file_option("--html", "Write one page that holds everything: drawings, tables, the evidence behind each verdict.")
@click.option("--markdown", is_flag=True, help="As Markdown, for a CI summary.")
@json_option
@_file_option("--junit", "Write JUnit's XML, a test case for each case.")
@_file_option("--trace", "Write the threads' timelines as a trace that opens in Perfetto.")
@_file_option("--survey", "Show this survey, too; `gilgen survey` writes it with --json.")
@_file_option("--profile", "Show this profile, too; `gilgen profile` writes it with --json.")
@click.option("--schema", is_flag=True, help="Print the JSON schema of what --json writes, and end.")
def command(
    file: Path | None,
    html_file: Path | None,
    json_file: Path | None,
    junit_file: Path | None,
    trace_file: Path | None,
    survey_file: Path | None,
    profile_file: Path | None,
    *,
    markdown: bool,
    schema: bool,
) -> None:
    """Show the report of the last `gilgen diagnose`, or of FILE that its --json wrote.

    Where a control failed in what is shown, every form of it says so first and the exit code is 20.
    """
    if schema:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n")
        return
    material = _material(file, survey_file, profile_file)
    forms: tuple[tuple[reporting.Form, Path | None], ...] = (("html", html_file), ("junit", junit_file), ("trace", trace_file))
    for form, path in forms:
        if path is not None:
            store.write_bytes(path, reporting.reporter(form).render(material).encode())
            console.print(f"Wrote {path}")
    if str(json_file) != "-":
        output.print(reporting.reporter("markdown" if markdown else "text").render(material), soft_wrap=True, markup=False)
    write_json(json_file, material.report)
    if not material.valid:
        raise InvalidRunError(
            "A control failed in this run: nothing in this report counts.",
            "Measure again: gilgen diagnose vtk itk",
        )


def _material(file: Path | None, survey_file: Path | None, profile_file: Path | None) -> reporting.Material:
    """Read what is to be shown. A survey or a profile needs no diagnosis beside it."""
    survey = store.read(survey_file, Survey) if survey_file else None
    profile = store.read(profile_file, Profile) if profile_file else None
    path = file or reporting.last_report()
    if path.exists():
        return reporting.Material(store.read(path, Report), survey, profile)
    if file is None and (survey or profile):
        return reporting.Material(without_diagnosis(survey, profile), survey, profile)
    what = f"There is no {file}." if file else "Nothing has been diagnosed yet."
    raise ArtefactError(what, "Measure first: gilgen diagnose vtk itk")
