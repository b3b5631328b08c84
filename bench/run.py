"""Measures what gilgen promises, and writes RESULTS.md: target, measured, met or not.

    python bench/run.py                       # everything, some ten minutes on two quiet processors
    python bench/run.py --only calls --quick  # a first look at one part; nothing is written

In an environment with VTK, ITK and gilgen; the shims are this checkout's, whatever is installed. Nothing here is a test:
figures depend on the machine and on what else it does.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import tempfile
import zipfile
from pathlib import Path

import calls
import click
import commands
import overlap
import overload
import rows
import stress
import surveying
import work
from rich.console import Console
from rich.table import Table

from gilgen import fix

RESULTS = Path(__file__).with_name("RESULTS.md")
PARTS = ("overlap", "calls", "work", "commands", "stress", "overload", "survey")


@click.command()
@click.option(
    "--only", multiple=True, type=click.Choice(PARTS), help="Measure this part; may be given several times."
)
@click.option("--quick", is_flag=True, help="Less data and fewer repetitions: a first look.")
@click.option(
    "--python",
    "pythons",
    multiple=True,
    metavar="PYTHON",
    help="Measure the cost of a shim on this interpreter, too.",
)
def main(only: tuple[str, ...], pythons: tuple[str, ...], *, quick: bool) -> None:
    """Measure what gilgen promises. A run of all parts writes RESULTS.md; with --only nothing is written."""
    console = Console(highlight=False)
    sections = []
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as site:
        _use_shims(Path(site))
        for part in only or PARTS:
            console.print(f"Measuring {part} ...")
            sections.append(_measure(part, pythons, quick=quick))
            _show(console, sections[-1])
    if not only:
        RESULTS.write_text(_markdown(sections, quick=quick), encoding="utf-8")
        console.print(f"Wrote {RESULTS.name}")


def _use_shims(site: Path) -> None:
    """Build what is not in gilgen's cache, and put it before all else on the path of the processes to come."""
    for toolkit in commands.TOOLKITS:
        with zipfile.ZipFile(fix.fix(toolkit, None, print).wheel) as wheel:
            wheel.extractall(site)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))


def _measure(part: str, pythons: tuple[str, ...], *, quick: bool) -> rows.Section:
    if part == "calls":
        return calls.measure(quick=quick, pythons=pythons)
    return {"overlap": overlap, "work": work, "commands": commands, "stress": stress, "overload": overload, "survey": surveying}[part].measure(quick=quick)


def _word(row: rows.Row) -> str:
    return "" if row.met is None else "met" if row.met else "not met"


def _show(console: Console, section: rows.Section) -> None:
    table = Table("", "target", "measured", "", title=section.title, box=None)
    for row in section.rows:
        table.add_row(row.name, row.target, row.measured, _word(row))
    console.print(table)


def _markdown(sections: list[rows.Section], *, quick: bool) -> str:
    lines = [
        "# Results",
        "",
        "Written by `python bench/run.py`; not edited by hand. Take a figure's shape, not its value: measure on your own machine.",
        "",
        f"- run: {'quick (less data, fewer repetitions)' if quick else 'full'}",
        *(f"- {name}: {value}" for name, value in _facts()),
        "",
        _count(sections),
    ]
    for section in sections:
        lines += ["", f"## {section.title}", "", "| | target | measured | |", "|---|---|---|---|"]
        lines += [
            f"| {row.name.strip()} | {row.target} | {row.measured} | {_word(row)} |" for row in section.rows
        ]
        lines += ["", *(f"- {note}" for note in section.notes)]
    return "\n".join(lines) + "\n"


def _count(sections: list[rows.Section]) -> str:
    judged = [row for section in sections for row in section.rows if row.met is not None]
    return f"{sum(bool(row.met) for row in judged)} of {len(judged)} targets met."


def _facts() -> list[tuple[str, str]]:
    versions = [f"{name} {importlib.metadata.version(name)}" for name in ("vtk", "itk", "gilgen")]
    return [
        ("date", dt.datetime.now(tz=dt.UTC).date().isoformat()),
        ("processors", f"{len(os.sched_getaffinity(0))}, {platform.machine()}"),
        ("system", platform.system()),
        ("Python", platform.python_version()),
        ("packages", ", ".join(versions)),
        (
            "load when the last part ended",
            f"{os.getloadavg()[0]:.1f} (of five minutes: {os.getloadavg()[1]:.1f})",
        ),
    ]


if __name__ == "__main__":
    main()
