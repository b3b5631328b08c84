"""`gilgen survey`: every class of a toolkit that does work, plain and with shims."""

from __future__ import annotations

from pathlib import Path

import click

from gilgen.commands.common import (
    console,
    counted,
    json_option,
    output,
    remember,
    toolkits_argument,
    write_json,
)
from gilgen.diagnostics import agreement
from gilgen.diagnostics.survey import run as surveying
from gilgen.diagnostics.survey import summary
from gilgen.diagnostics.survey.journal import last_survey
from gilgen.errors import InvalidRunError
from gilgen.model import Survey


@click.command()
@toolkits_argument
@click.option("--only", "patterns", multiple=True, metavar="GLOB", help="Only classes whose name matches; may be repeated.")
@click.option("--limit", type=click.IntRange(min=0), default=0, metavar="N", help="Of each toolkit at most N classes, spread over all.")
@click.option("--deadline", type=click.FloatRange(min=2.0), default=surveying.DEADLINE, show_default=True, metavar="SECONDS", help="For each process of a class.")
@click.option("--jobs", type=click.IntRange(min=0), default=0, metavar="N", help="How many classes at once; half of the processors if not given.")
@click.option("--scheduler", default="", metavar="ADDRESS", help="Let the workers of a Dask cluster measure, tcp://host:8786 (pip install distributed).")
@click.option("--fresh", is_flag=True, help="Start over instead of going on where an earlier survey stopped.")
@click.option("--against-audit", is_flag=True, help="Compare each verdict with the audit's and the plan's, and list where they differ.")
@click.option("--markdown", is_flag=True, help="Print the table as Markdown.")
@json_option
def command(
    toolkits: tuple[str, ...],
    patterns: tuple[str, ...],
    limit: int,
    deadline: float,
    jobs: int,
    scheduler: str,
    json_file: Path | None,
    *,
    fresh: bool,
    against_audit: bool,
    markdown: bool,
) -> None:
    """Try every class of a toolkit that can be fed, before and after.

    Each class runs in its own process with a deadline, fed from generic inputs in a size that makes the call
    last long enough: a crash, a hang and a leak are results. What is done is kept; an interrupted survey goes on
    where it stopped. `gilgen report --survey FILE` draws the map of what --json FILE wrote.
    """
    choice = surveying.Choice(tuple(dict.fromkeys(toolkits)), patterns, limit, deadline, jobs, scheduler, fresh)
    works = surveying.prepare(choice)
    try:
        with counted("Surveying", surveying.count(works)) as advance:
            survey = surveying.survey(choice, works, advance)
    except KeyboardInterrupt:
        console.print(f"Interrupted. What was surveyed is kept; the same command goes on: gilgen survey {' '.join(choice.toolkits)}")
        raise click.exceptions.Exit(130) from None
    remember(last_survey(), survey)
    if str(json_file) != "-":
        show(survey, markdown=markdown, against_audit=against_audit)
    write_json(json_file, survey)
    if not survey.valid:
        raise InvalidRunError(
            "A control of the survey failed: nothing that was measured in this run counts.",
            f"Measure again on a quieter machine: gilgen survey --fresh {' '.join(choice.toolkits)}",
        )


def show(survey: Survey, *, markdown: bool, against_audit: bool) -> None:
    """Print a survey."""
    text = summary.as_markdown(survey) if markdown else summary.as_text(survey)
    output.print(text, soft_wrap=True, markup=False)
    if against_audit:
        output.print(agreement.as_text(agreement.compare(survey.classes)), soft_wrap=True, markup=False)
