"""What several verbs share: the toolkit argument, `--json`, progress and words on the terminal."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gilgen import launch, profiled, store
from gilgen.diagnostics import durations
from gilgen.errors import GilgenError, StoreError
from gilgen.toolkits import get

Result = TypeVar("Result")
Function = TypeVar("Function", bound=Callable[..., Any])

console = Console(stderr=True, highlight=False, soft_wrap=True)
"""For progress and remarks. Results go to standard output, so that they can be piped."""

output = Console(highlight=False)
"""For results: tables and text. Plain when not on a terminal."""


def toolkits_argument(function: Function) -> Function:
    """One or more toolkits as the command's arguments."""
    return click.argument("toolkits", nargs=-1, required=True, metavar="TOOLKIT...")(function)


def optional_toolkits_argument(function: Function) -> Function:
    """The same where a profile may name them."""
    return click.argument("toolkits", nargs=-1, metavar="[TOOLKIT...]")(function)


def json_option(function: Function) -> Function:
    """`--json FILE`: the result as a record that a machine may read; `-` is standard output."""
    return click.option(
        "--json",
        "json_file",
        type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
        metavar="FILE",
        callback=make_room,
        help="Write the result as JSON to FILE (- for standard output).",
    )(function)


def make_room(_context: click.Context, _parameter: click.Parameter, file: Path | None) -> Path | None:
    """Where JSON goes to standard output, everything else goes to standard error."""
    output.file = sys.stderr if str(file) == "-" else sys.stdout
    return file


def program_options(function: Function) -> Function:
    """`-m` and `-c`, as Python has them."""
    module = click.option("-m", "module", is_flag=True, help="PROGRAM is a module, as with `python -m`.")
    code = click.option("-c", "code", is_flag=True, help="PROGRAM is code, as with `python -c`.")
    return module(code(function))


def kind_of_program(*, module: bool, code: bool) -> launch.Kind:
    """What PROGRAM is."""
    if module and code:
        raise click.UsageError("A program is a module (-m) or code (-c), not both.")
    return "module" if module else "code" if code else "file"


def headers_option(function: Function) -> Function:
    """`--headers DIR`: use these headers instead of looking for some."""
    return click.option(
        "--headers",
        "headers_dir",
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIR",
        help="Use the headers below DIR (for VTK the folder that holds vtkVersion*.h, or its parent).",
    )(function)


def check_option(function: Function) -> Function:
    """`--check`: let the compiler compare the plan with the headers."""
    return click.option(
        "--check",
        is_flag=True,
        help="First let the compiler confirm, from headers of the wheel's own version, the type of every method that gets a shim.",
    )(function)


def profile_options(function: Function) -> Function:
    """`--profile FILE` and `--over TIME`: release just what held the GIL in the user's own program."""
    file = click.option(
        "--profile",
        "profile_file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Release just the calls that held the GIL in FILE, which `gilgen profile -o FILE` wrote.",
    )
    over = click.option(
        "--over",
        default=f"{profiled.OVER * 1000:.0f}ms",
        show_default=True,
        callback=lambda _context, _parameter, text: durations.seconds(text),
        metavar="TIME",
        help="With --profile: leave out what held for less altogether, such as 20ms or 0.5s.",
    )
    return file(over(function))


def held_in(profile: Path | None, over: float, toolkits: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]] | None]:
    """The toolkits to work on, and for each the methods that a profile names; None where there is no profile.

    Without toolkits on the command line, they are those that the profile names.
    """
    if profile is None:
        if not toolkits:
            raise click.UsageError("Name one or more toolkits, or a profile with --profile FILE.")
        return toolkits, None
    held = profiled.held(profile, over)
    for name in toolkits:
        if name not in held:
            raise GilgenError(f"In {profile} no call of {name} held the GIL for longer than {over * 1000:g} ms.", f"Name what is in it: {' '.join(held)}.")
    return toolkits or tuple(held), held


def write_json(file: Path | None, record: Any) -> None:
    """Write `record` to `file` where one was named."""
    if file is None:
        return
    if str(file) == "-":
        sys.stdout.write(store.encode(record).decode() + "\n")
    else:
        store.write(file, record)
        console.print(f"Wrote {file}")


def remember(path: Path, record: Any) -> None:
    """Keep a copy of a result for the commands that show the last one. Where it cannot be kept the result itself is not lost."""
    try:
        store.write(path, record)
    except StoreError as error:
        console.print(f"No copy of this was kept for later: {error}")


def each(toolkits: tuple[str, ...], work: Callable[..., Result], *arguments: Any) -> list[Result]:
    """Call `work(toolkit, *arguments, notify)` for every toolkit, each in a process of its own where there are several.

    Reading headers and symbols is work for the processor, so two toolkits take as long as the longer one.
    """
    names = tuple(dict.fromkeys(toolkits))
    for name in names:
        get(name).installation()  # what is not installed is said before anything takes time
    if len(names) == 1:
        return [work(names[0], *arguments, say)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(names), os.cpu_count() or 1), mp_context=context) as pool:
        futures = [pool.submit(work, name, *arguments, say) for name in names]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def say(text: str) -> None:
    """A remark on what is under way."""
    console.print(text)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    """Show that something is under way, then how long it took."""
    started = time.monotonic()
    if console.is_terminal:
        with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True) as bar:
            bar.add_task(text, total=None)
            yield
    else:
        yield
    console.print(f"{text}: {time.monotonic() - started:.1f} s")


@contextlib.contextmanager
def counted(text: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar over `total` items; call what is yielded with each finished item's name."""
    if not console.is_terminal:

        def say(name: str) -> None:
            console.print(f"{text}: {name}")

        yield say
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total} {task.fields[name]}"),
        TimeElapsedColumn(), console=console, transient=True,
    ) as bar:
        task = bar.add_task(text, total=total, name="")

        def advance(name: str) -> None:
            bar.update(task, advance=1, name=name)

        yield advance
