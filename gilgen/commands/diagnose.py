"""`gilgen diagnose`: measure which calls let other threads run, plain and with shims."""

from __future__ import annotations

from pathlib import Path

import click

from gilgen.commands.common import counted, json_option, output, remember, write_json
from gilgen.diagnostics import agreement
from gilgen.diagnostics import report as reporting
from gilgen.diagnostics.isolate import DEADLINE
from gilgen.diagnostics.run import HALVES, Choice, diagnose
from gilgen.errors import InvalidRunError


@click.command()
@click.argument("toolkits", nargs=-1, metavar="[TOOLKIT]...")
@click.option(
    "--cases",
    "files",
    multiple=True,
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="A Python file with cases of your own; may be repeated.",
)
@click.option(
    "--case",
    "patterns",
    multiple=True,
    metavar="GLOB",
    help="Only cases whose name or call matches; may be repeated.",
)
@click.option(
    "--only",
    type=click.Choice(["before", "after"]),
    help="Measure only the plain library, or only with shims.",
)
@click.option("--quick", is_flag=True, help="A few telling cases, each once, without py-spy: about a minute.")
@click.option(
    "--deadline",
    type=click.FloatRange(min=1.0),
    default=DEADLINE,
    show_default=True,
    metavar="SECONDS",
    help="For each case.",
)
@click.option("--against-audit", is_flag=True, help="Compare each verdict with the audit's and the plan's, and list where they differ.")
@json_option
def command(
    toolkits: tuple[str, ...],
    files: tuple[str, ...],
    patterns: tuple[str, ...],
    only: str | None,
    deadline: float,
    json_file: Path | None,
    *,
    quick: bool,
    against_audit: bool,
) -> None:
    r"""Measure real calls, before and after.

    Each case runs in its own process with a deadline, first as the wheel has it, then with the shims.
    Four witnesses look at it: ticks of another thread inside the call, two calls at once against two
    in turn, py-spy, and the kernel, which shows who waits for the GIL. Calls whose answer is known are
    part of every run; if one of them reads wrong, the run is invalid (exit code 20).

    \b
      gilgen diagnose vtk itk --quick
      gilgen diagnose vtk --case 'vtk*Locator.BuildLocator'
      gilgen diagnose --cases my_cases.py      a file with functions such as
                                               def case_smooth(size=1000): ... return lambda: smooth(data)

    TOOLKIT may also be the name under which an installed package brings cases (entry point group
    "gilgen.cases").
    """
    sources = tuple(dict.fromkeys((*toolkits, *(path if path.endswith(".py") else str(Path(path).absolute()) for path in files))))
    if not sources:
        raise click.UsageError("Name what to measure: gilgen diagnose vtk itk, or --cases FILE")
    halves = tuple(half for half in HALVES if only in {None, half})
    choice = Choice(sources, patterns, halves, deadline, quick)
    with counted("Measuring", choice.count()) as advance:
        report = diagnose(choice, advance)
    remember(reporting.last_report(), report)
    if str(json_file) != "-":
        output.print(reporting.as_text(report), soft_wrap=True, markup=False)
        if against_audit:
            output.print(agreement.as_text(agreement.compare(agreement.measured(report))), soft_wrap=True, markup=False)
    write_json(json_file, report)
    if not report.results:
        raise InvalidRunError("Nothing was measured.", f"Without shims there is nothing to measure after: gilgen fix {' '.join(choice.toolkits)}")
    if not report.valid:
        raise InvalidRunError(
            "A control of the harness failed: nothing that was measured in this run counts.",
            "Run `gilgen diagnose` again on a quieter machine; the report says which control failed.",
        )
