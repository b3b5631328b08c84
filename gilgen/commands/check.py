"""`gilgen check`: a gate for CI. Fails when calls got worse than an earlier report, or than a limit."""

from __future__ import annotations

import math
from pathlib import Path

import click

from gilgen import store
from gilgen.commands.common import json_option, output, write_json
from gilgen.diagnostics import gate
from gilgen.diagnostics import report as reporting
from gilgen.errors import ArtefactError, GilgenError, InvalidRunError
from gilgen.model import Report


@click.command("check")
@click.argument("file", required=False, metavar="[REPORT]", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--baseline", type=click.Path(dir_okay=False, path_type=Path), metavar="BASE.json", help="The earlier report, as `gilgen diagnose --json` wrote it.")
@click.option(
    "--max-stall", "stalls", multiple=True, metavar="[GLOB=]TIME",
    help="With the shims, no call may keep others out for longer: 20ms, or 'vtk*Writer.Write=0.2s'. May be repeated; the last that matches counts.",
)
@click.option(
    "--max-growth", type=click.FloatRange(min=1.0), default=gate.GROWTH, show_default=True, metavar="FACTOR",
    help=f"A stall beyond {gate.FLOOR * 1000:.0f} ms may not have grown to more than so many times the baseline's.",
)
@click.option("--require", "required", multiple=True, metavar="GLOB=VERDICT", help="The verdict that calls must have: 'vtk*Locator.BuildLocator=releases'. May be repeated.")
@click.option("--strict", is_flag=True, help="Fail also for what could not be proven because the machine was too busy.")
@click.option("--markdown", "markdown_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Append the outcome as Markdown to FILE: a CI's summary.")
@json_option
def command(
    file: Path | None, baseline: Path | None, stalls: tuple[str, ...], max_growth: float, required: tuple[str, ...], strict: bool,
    markdown_file: Path | None, json_file: Path | None,
) -> int:
    r"""Hold REPORT (default: that of the last `gilgen diagnose`) against a baseline and limits.

    Exit code 1, and only then 1, when a call that released now holds or breaks, when a stall grew past
    its limit, when a measured call or part of the shims' coverage is gone, or when a required verdict is
    not there. Only what load on the machine cannot cause fails; what could not be proven is a warning.

    \b
    Examples:
      gilgen diagnose vtk itk --json baseline.json       once; keep the file with the sources
      gilgen check --baseline baseline.json              after each later `gilgen diagnose vtk itk`
      gilgen check --max-stall 20ms --require 'vtk*Locator.BuildLocator=releases'
    """  # fmt: skip
    if baseline is None and not stalls and not required:
        raise click.UsageError("Nothing to check against: give --baseline, --max-stall or --require.")
    try:
        if math.isnan(max_growth):
            raise click.BadParameter("it must be a number", param_hint="--max-growth")
        limits = gate.Limits(tuple(map(gate.stall_limit, stalls)), max_growth, tuple(map(gate.requirement, required)), strict)
    except GilgenError as error:
        raise click.UsageError(str(error)) from error
    found = gate.check(_read(file), _read(baseline) if baseline else None, limits)
    write_json(json_file, found)
    if markdown_file is not None:
        with store.explained(markdown_file), markdown_file.open("a", encoding="utf-8") as summary:
            summary.write(gate.as_markdown(found))
    output.print(gate.as_text(found), soft_wrap=True, markup=False)
    return 0 if found.passed else 1


def _read(file: Path | None) -> Report:
    """A report that may be compared: one whose controls were as they must be."""
    path = file or reporting.last_report()
    if not path.exists():
        raise ArtefactError(f"There is no {file}." if file else "Nothing has been diagnosed yet.", "Measure first: gilgen diagnose vtk itk")
    report = store.read(path, Report)
    if not report.valid:
        raise InvalidRunError(f"A control failed in the run of {path.name}: nothing in it counts.", "Measure again: gilgen diagnose vtk itk")
    if not report.results:
        raise InvalidRunError(f"Nothing was measured in the run of {path.name}, so there is nothing to check.", "Measure first: gilgen diagnose vtk itk")
    return report
