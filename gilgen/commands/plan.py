"""`gilgen plan`: what would be released, what would be kept, and why."""

from __future__ import annotations

import functools
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import click
from rich.table import Table

from gilgen import plan
from gilgen.commands import common
from gilgen.model import Plan


def planned(toolkit: str, headers_dir: Path | None, notify: plan.Notify, *, held: dict[str, tuple[str, ...]] | None = None) -> Plan:
    """One toolkit's plan; a function of a module so that it can run in a process of its own."""
    return plan.read(plan.ensure(toolkit, headers_dir, notify, held[toolkit] if held else None))


@click.command("plan")
@common.optional_toolkits_argument
@common.headers_option
@common.profile_options
@click.option("--only", metavar="GLOB", help="List the decisions whose Python name matches, such as 'vtk*Locator.*'.")
@click.option("--kept", is_flag=True, help="List every candidate that is kept, with its reason.")
@common.json_option
def command(
    toolkits: tuple[str, ...],
    headers_dir: Path | None,
    profile_file: Path | None,
    over: float,
    only: str | None,
    kept: bool,
    json_file: Path | None,
) -> None:
    """Decide method by method: release the GIL, or keep it, each with its reason.

    `gilgen explain CLASS.METHOD` says more of one method. Settings in gilgen.toml or [tool.gilgen]:
    include = [...] and exclude = [...], lists of globs such as "vtkOBBTree.*".
    """
    toolkits, held = common.held_in(profile_file, over, toolkits)
    plans = common.each(toolkits, functools.partial(planned, held=held), headers_dir)
    for record in plans:
        _show(record)
        if only or kept:
            _list(record, only or "*", "keep" if kept else None)
    common.write_json(json_file, plans)


def _show(record: Plan) -> None:
    coverage = record.coverage
    released = [decision for decision in record.decisions if decision.action == "release"]
    common.output.print(f"[bold]{record.toolkit} {record.version}[/bold], declarations of {record.headers.version} ({record.headers.source})")
    common.output.print(
        f"{coverage.wrapped} wrapped methods; {coverage.candidates} of them are of a kind known to block: {coverage.direct} get a shim, "
        f"{coverage.through} end in one, {coverage.candidates - coverage.direct - coverage.through} are kept."
    )
    common.output.print(f"{len(released)} C++ functions are released, in {sum(decision.copies for decision in released)} definitions.")
    serialized = sum(decision.action == "serialize" for decision in record.decisions)
    common.output.print(f"{serialized} more run one at a time, in libraries that are not thread-safe.\n")
    for notice in filter(None, (record.headers.notice, *record.notices)):
        common.output.print(f"{notice}\n", soft_wrap=True, markup=False)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("reason")
    table.add_column("C++ functions", justify="right")
    table.add_column("what it means", overflow="fold")
    examples = {decision.reason: decision.why for decision in record.decisions}
    counts = Counter((decision.action, decision.reason) for decision in record.decisions)
    for (action, reason), count in sorted(counts.items(), key=lambda item: (item[0][0] != "release", -item[1])):
        table.add_row(f"{action} {reason}", str(count), examples[reason])
    common.output.print(table)
    if coverage.kept:
        reasons = ", ".join(f"{reason} {count}" for reason, count in coverage.kept.items())
        common.output.print(f"\nPython methods kept, by reason: {reasons}")
    common.output.print()


def _list(record: Plan, pattern: str, action: str | None) -> None:
    for decision in record.decisions:
        if fnmatchcase(decision.python, pattern) and action in {None, decision.action}:
            common.output.print(f"{decision.action:8}{decision.python}  [{decision.reason}]  {decision.declaration}", soft_wrap=True, markup=False)
