"""Measures what gilgen promises, and writes RESULTS.md: target, measured, met or not.

    python bench/run.py                       # everything, some hours on two quiet processors
    python bench/run.py --only calls          # one part anew; the others' results stay, with their own date
    python bench/run.py --only calls --quick  # a first look at one part; nothing is written

In an environment with VTK, ITK and gilgen; the shims are this checkout's, whatever is installed. Nothing here is a test:
figures depend on the machine and on what else it does.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import re
import tempfile
import zipfile
from pathlib import Path

import calls
import click
import commands
import fuzzing
import overlap
import overload
import profiling
import readers
import rows
import short
import stress
import surveying
import work
from rich.console import Console
from rich.table import Table

from gilgen import __version__, fix

RESULTS = Path(__file__).with_name("RESULTS.md")
MEASURES = {
    "overlap": overlap.measure,
    "readers": readers.measure,
    "short": short.measure,
    "calls": calls.measure,
    "work": work.measure,
    "commands": commands.measure,
    "profile": profiling.measure,
    "survey": surveying.measure,
    "stress": stress.measure,
    "overload": overload.measure,
    "fuzz": fuzzing.measure,
}

PARTS = tuple(MEASURES)


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
    """Measure what gilgen promises, and write it into RESULTS.md; a quick run of some parts writes nothing."""
    console = Console(highlight=False)
    texts = {} if not only else _sections(RESULTS.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as site:
        _use_shims(Path(site))
        for part in only or PARTS:
            console.print(f"Measuring {part} ...")
            section = _measure(part, pythons, quick=quick)
            _show(console, section)
            texts[section.title] = _section(section, quick=quick)
            if not (only and quick):  # what was measured is kept, whatever comes next
                RESULTS.write_text(_markdown(texts), encoding="utf-8")
    if not (only and quick):
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
    return MEASURES[part](quick=quick)


def _word(row: rows.Row) -> str:
    return "" if row.met is None else "met" if row.met else "not met"


def _show(console: Console, section: rows.Section) -> None:
    table = Table("", "target", "measured", "", title=section.title, box=None)
    for row in section.rows:
        table.add_row(row.name, row.target, row.measured, _word(row))
    console.print(table)


def _markdown(texts: dict[str, str]) -> str:
    words = re.findall(r"\| (met|not met) \|$", "\n".join(texts.values()), re.MULTILINE)
    head = f"""# Results

Written by `python bench/run.py`; not edited by hand. Take a figure's shape, not its value: measure on your own machine.

{words.count("met")} of {len(words)} targets met.
"""
    return "\n".join([head, *(f"## {title}\n\n{text}\n" for title, text in texts.items())])


def _sections(text: str) -> dict[str, str]:
    """The results' sections by their titles, as they stand."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    pairs = (part.split("\n", 1) for part in parts)
    return {title: body.strip() for title, body in pairs}


def _section(section: rows.Section, *, quick: bool) -> str:
    lines = ["| | target | measured | |", "|---|---|---|---|"]
    lines += [f"| {row.name.strip()} | {row.target} | {row.measured} | {_word(row)} |" for row in section.rows]
    return "\n".join([*lines, "", *(f"- {note}" for note in section.notes), f"- {_facts(quick=quick)}"])


def _facts(*, quick: bool) -> str:
    """Where and when a section was measured."""
    versions = ", ".join([*(f"{name} {importlib.metadata.version(name)}" for name in ("vtk", "itk")), f"gilgen {__version__}"])
    return (
        f"Measured {dt.datetime.now(tz=dt.UTC).date().isoformat()}{', quick' if quick else ''}: {versions}; Python {platform.python_version()}; "
        f"{platform.system()}, {len(os.sched_getaffinity(0))} processors, {platform.machine()}; load of the last minute {os.getloadavg()[0]:.1f}."
    )


if __name__ == "__main__":
    main()
