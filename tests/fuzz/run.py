"""Runs random programs on shared objects, plain and with the shims, and counts those that only the shims get wrong.

    python tests/fuzz/run.py --toolkit both --minutes 5 --plain-too --json report.json
    python tests/fuzz/run.py --toolkit vtk --program 4711 --mode activated
    python tests/fuzz/run.py --toolkit vtk --show 4711

A program that fails is repeated with nothing else running, both ways, and reduced to its smallest form. The exit code
is 1 where a program fails with the shims that the plain toolkit gets right.

Controls: `--mode serial` (one thread) and `--mode stepped` (threads that change places at line ends) must find nothing,
and `--guard none` must find much.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import source, table
from fuzz.client import CannotActivateError, Client, Mode
from fuzz.judge import Judged, confirm, fails_often
from fuzz.outcome import Outcome
from fuzz.program import Program
from fuzz.reduce import reduced

REDUCE_TRIES = 8
"""Runs of each smaller program; two of them must fail."""


@dataclass(frozen=True)
class Settings:
    """What the command line asked for."""

    seed: int
    programs: int | None
    minutes: float
    jobs: int
    plain_too: bool
    mode: Mode
    plain: Mode
    features: tuple[str, ...]
    repeat: int
    reduce_most: int


@dataclass
class Progress:
    """What ran so far; threads of `--jobs` share it."""

    ran: int = 0
    doubtful: list[Judged] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    shown: bool = field(default_factory=sys.stderr.isatty)

    def add(self, judged: Judged) -> None:
        """Note one program, and show where we are on a terminal."""
        with self.lock:
            self.ran += 1
            if judged.worst:
                self.doubtful.append(judged)
            if self.shown:
                click.echo(f"\r{self.ran} programs, {len(self.doubtful)} failed", nl=False, err=True)

    def end(self) -> None:
        """Leave the progress line."""
        if self.shown:
            click.echo("\r\033[K", nl=False, err=True)


def seeds(settings: Settings) -> Iterator[int]:
    """From the first one on, as many as were asked for or as fit the time."""
    end = time.monotonic() + 60 * settings.minutes
    for number in itertools.count():
        if number >= settings.programs if settings.programs is not None else time.monotonic() > end:
            return
        yield settings.seed + number


def first_runs(toolkit: str, settings: Settings, clients: list[Client]) -> Progress:
    """Each program once, or once both ways."""
    progress, waiting, lock = Progress(), seeds(settings), threading.Lock()
    errors: list[BaseException] = []

    def work(client: Client) -> None:
        try:
            while True:
                with lock:
                    seed = next(waiting, None)
                if seed is None or errors:
                    return
                program = client.draw(seed, settings.features)
                judged = Judged(program, [client.run(program, settings.mode)])
                if settings.plain_too:
                    judged.plain.append(client.run(program, settings.plain))
                progress.add(judged)
        except BaseException as error:  # noqa: BLE001 - raised below, in the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(client,), name=f"{toolkit} {number}") for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.end()
    if errors:
        raise errors[0]
    return progress


def smallest(judged: Judged, client: Client, settings: Settings) -> Judged:
    """The reduced form of a program that fails with the shims, and how it does in the plain toolkit."""
    small = Judged(reduced(judged.program, fails_often(lambda program: client.run(program, settings.mode), REDUCE_TRIES)))
    confirm(small, lambda program: client.run(program, settings.mode), lambda program: client.run(program, settings.plain), settings.repeat)
    return small


def fuzz(toolkit: str, settings: Settings) -> tuple[table.Counts, dict[str, Any]]:
    """All programs of one toolkit: run, confirmed, reduced and counted."""
    begin = time.monotonic()
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(toolkit)) for _ in range(settings.jobs)]
        progress = first_runs(toolkit, settings, clients)
        alone = clients[0]
        controls = settings.mode.name != "activated"
        for judged in progress.doubtful:
            if not controls:
                confirm(judged, lambda program: alone.run(program, settings.mode), lambda program: alone.run(program, settings.plain), settings.repeat)
            click.echo(f"{toolkit} {judged.describe()}")
            if judged.verdict == "activated only" and judged.worst:
                click.echo(judged.worst.text)
        found = [judged for judged in progress.doubtful if judged.verdict in {"activated only", "both"}]
        found.sort(key=lambda judged: judged.verdict)
        small = [smallest(judged, alone, settings) for judged in found[: 0 if controls else settings.reduce_most]]
    for judged in small:
        if judged.worst:
            click.echo(f"\n# {'-' * 20} reduced, {toolkit} {judged.describe()}\n{judged.worst.text}\n{source.standalone(judged.program)}")
    counted = table.counts(toolkit, progress.ran, progress.doubtful, time.monotonic() - begin)
    report = {"counts": asdict(counted), "failed": [judged.as_json() for judged in progress.doubtful], "reduced": [judged.as_json() for judged in small]}
    return counted, report


def one(toolkit: str, seed: int, settings: Settings) -> Outcome:
    """The program of one seed, run once."""
    with Client(toolkit) as client:
        outcome = client.run(client.draw(seed, settings.features), settings.mode)
    click.echo(json.dumps({"seed": seed, "mode": settings.mode.name, **asdict(outcome)}, indent=1))
    return outcome


def shown(toolkit: str, seed: int, features: tuple[str, ...]) -> Program:
    """Print the source of one program."""
    with Client(toolkit) as client:
        program = client.draw(seed, features)
    click.echo(source.standalone(program))
    return program


@click.command(context_settings={"show_default": True})
@click.option("--toolkit", type=click.Choice(["vtk", "itk", "both"]), default="vtk", help="What to run programs of.")
@click.option("--minutes", type=float, default=1.0, help="How long to start programs, for each toolkit.")
@click.option("--programs", type=int, help="How many programs to run, instead of --minutes.")
@click.option("--seed", type=int, default=0, help="Seed of the first program; the next one's is greater by one.")
@click.option("--jobs", type=int, default=2, help="Programs at once; those that fail are repeated alone.")
@click.option("--plain-too", is_flag=True, help="Run each program in the plain toolkit, too, not only those that fail.")
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write a report to this file.")
@click.option("--reduce/--no-reduce", default=True, help="Reduce programs that fail to their smallest form.")
@click.option("--reduce-most", type=int, default=5, help="How many to reduce.")
@click.option("--repeat", type=int, default=20, help="How often to repeat a program that fails, at most.")
@click.option("--features", default="", help="Draw only these groups of operations, separated by commas.")
@click.option("--deadline", type=float, default=60.0, help="Seconds after which a program hangs.")
@click.option("--guard", default="", help="The guard to activate with; the default of gilgen.activate when empty.")
@click.option("--mode", type=click.Choice(["plain", "activated", "serial", "stepped"]), default="activated", help="How to run programs.")
@click.option("--program", "program_seed", type=int, help="Run only the program of this seed.")
@click.option("--show", "show_seed", type=int, help="Print the program of this seed as Python source.")
def main(
    *, toolkit: str, minutes: float, programs: int | None, seed: int, jobs: int, plain_too: bool, json_path: Path | None, reduce: bool, reduce_most: int,
    repeat: int, features: str, deadline: float, guard: str, mode: str, program_seed: int | None, show_seed: int | None,
) -> None:  # fmt: skip
    """Run random programs of threads that share objects."""
    wanted = tuple(feature.strip() for feature in features.split(",") if feature.strip())
    settings = Settings(
        seed, programs, minutes, jobs, plain_too, Mode(mode, guard, deadline), Mode("plain", "", deadline), wanted, repeat, reduce_most if reduce else 0
    )
    toolkits = ("vtk", "itk") if toolkit == "both" else (toolkit,)
    if show_seed is not None:
        shown(toolkits[0], show_seed, wanted)
        return
    if program_seed is not None:
        sys.exit(one(toolkits[0], program_seed, settings).failed)
    try:
        results = [fuzz(name, settings) for name in toolkits]
    except (CannotActivateError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    rows = [counted for counted, _ in results]
    click.echo(table.text(rows))
    if json_path:
        json_path.write_text(json.dumps({counted.toolkit: report for counted, report in results}, indent=1))
    sys.exit(not all(counted.met for counted in rows))


if __name__ == "__main__":
    main()
