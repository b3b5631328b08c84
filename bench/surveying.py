"""How long a survey takes: some classes of each toolkit, spread over all, one at a time and as many at once as there are processors.

    python bench/surveying.py --limit 40
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import rows

from gilgen import store

LIMIT, QUICK = 60, 8
"""Classes of each toolkit."""


def survey(toolkit: str, limit: int, jobs: int) -> tuple[float, float, dict[str, Any]]:
    """Survey so many classes from nothing: wall and processor seconds, all processes together, and the record."""
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as folder:
        exposed = store.cache_dir() / "exposed"
        exposed.mkdir(parents=True, exist_ok=True)
        Path(folder, "exposed").symlink_to(exposed)
        file = Path(folder, "survey.json")
        words = ["survey", toolkit, "--limit", str(limit), "--jobs", str(jobs), "--json", str(file)]
        command = [sys.executable, "-c", "from gilgen.commands import main; main()", *words]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.monotonic()
        subprocess.run(command, env=os.environ | {"GILGEN_CACHE_DIR": folder}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        seconds = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        record: dict[str, Any] = json.loads(file.read_bytes())["data"]
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, record


def measure(*, quick: bool = False, limit: int = 0) -> rows.Section:
    limit = limit or (QUICK if quick else LIMIT)
    found = []
    many = len(os.sched_getaffinity(0))
    for toolkit in ("vtk", "itk"):
        for jobs in dict.fromkeys((1, many)):
            seconds, processor, record = survey(toolkit, limit, jobs)
            tried = len({one["name"] for one in record["classes"] if one["before"] != "untested"})
            found.append(rows.shown(f"`gilgen survey {toolkit} --limit {limit} --jobs {jobs}`", f"{seconds:.0f} s, {seconds / max(1, tried):.2f} s for each of {tried} classes tried"))
            if jobs == 1 and processor:
                found.append(rows.shown("of which", f"{processor:.0f} s of processor time"))
    notes = (
        "From nothing, controls and the toolkit's import included; classes spread evenly over all, those that need no trying among them.",
        "Processor time is that of the processes that ended by themselves.",
    )
    return rows.Section("Survey", tuple(found), notes)


@click.command()
@click.option("--limit", type=click.IntRange(min=1), default=LIMIT, show_default=True, help="Classes of each toolkit.")
def main(limit: int) -> None:
    """Measure how long a survey takes."""
    for row in measure(limit=limit).rows:
        click.echo(f"{row.name}: {row.measured}")


if __name__ == "__main__":
    main()
