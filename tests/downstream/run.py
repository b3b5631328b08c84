"""Runs a suite or scripts in processes of their own, and comes back with an outcome for every test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from judge import Kind, Outcome, normalised

HERE = Path(__file__).parent
COLLECTING = "(collecting)"
EXIT = "(exit)"
"""Names of what is no test but can crash or hang like one."""

GRACE = 5.0
"""Seconds that a process gets to write its stacks before it is killed, and to end once its tests are done, ten times over."""

TRACE_LINES = 60
MOST_RESTARTS = 200
BROKE_OFF = (2, 3, 4)
"""pytest's exit codes for an interruption, an error of its own, and a wrong command line."""


class CannotRunError(Exception):
    """The target cannot be run at all."""


@dataclass(frozen=True)
class Settings:
    """How to run a target, apart from whether the shims are active."""

    target: Path
    python: str
    deadline: float = 120.0
    toolkits: tuple[str, ...] = ()
    guard: str = ""
    online: bool = False
    prelude: str = ""
    doctest_modules: bool = False
    pytest_args: tuple[str, ...] = ()
    scripts: tuple[Path, ...] = ()


@dataclass
class Run:
    """What one run of all or some tests showed."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    released: int = 0
    guarded: int = 0
    toolkits: tuple[str, ...] = ()
    processes: int = 0
    seconds: float = 0.0


# -------------------------------------------------------------------------------------- one process


@contextlib.contextmanager
def display() -> Iterator[dict[str, str]]:
    """The environment of a child that can draw: this one's display, else a virtual one where there is a server for it."""
    if os.environ.get("DISPLAY") or shutil.which("Xvfb") is None:
        yield {}
        return
    # Not every program closes its windows, and each is a client. When the last one leaves, a server that resets refuses the next.
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp", "-maxclients", "2048", "-noreset"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    assert server.stdout is not None
    try:
        number = server.stdout.readline().strip()
        yield {"DISPLAY": f":{number}"} if number else {}
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


@dataclass
class Ended:
    """How a process ended, and what it wrote."""

    code: int
    timed_out: bool
    events: list[dict[str, Any]]
    out: str
    err: str

    @property
    def crash(self) -> str:
        return signal.Signals(-self.code).name if self.code < 0 and not self.timed_out else ""

    @property
    def trace(self) -> str:
        """The end of what it wrote, where a stack stands if there is one."""
        lines = (self.out + "\n" + self.err).splitlines()
        starts = [index for index, line in enumerate(lines) if line.startswith(("Fatal Python error", "Current thread", "Thread 0x"))]
        return "\n".join(lines[starts[0] :][:TRACE_LINES] if starts else lines[-TRACE_LINES:])


def start(settings: Settings, command: Sequence[str], instructions: dict[str, Any], folder: Path, cwd: Path | None = None) -> Ended:
    """Run one process; it is stopped when nothing was noted in its journal for the deadline."""
    folder.mkdir(parents=True)
    journal = folder / "journal"
    journal.touch()
    instructions = {
        "journal": str(journal), "toolkits": settings.toolkits, "guard": settings.guard, "online": settings.online, "prelude": settings.prelude,
        "only": None, "done": [], "ignore": [], **instructions,
    }  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}}
    path = os.pathsep.join(filter(None, (str(HERE), kept.get("PYTHONPATH"))))
    quiet = {"PYTHONHASHSEED": "0", "PYTHONFAULTHANDLER": "1", "PYVISTA_OFF_SCREEN": "true", "MPLBACKEND": "Agg", "QT_QPA_PLATFORM": "offscreen", "PYTHONDONTWRITEBYTECODE": "1"}
    scratch = folder / "tmp"
    scratch.mkdir()
    with display() as screen, (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        environment = kept | quiet | screen | {"GILGEN_COMPARE": json.dumps(instructions), "PYTHONPATH": path, "TMPDIR": str(scratch)}
        process = subprocess.Popen(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True)
        try:
            timed_out = watch(process, journal, settings.deadline)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever it started ends with it
            process.wait()
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    shutil.rmtree(scratch, ignore_errors=True)
    return Ended(process.returncode, timed_out, events, *((folder / name).read_text(errors="replace") for name in ("out", "err")))


def watch(process: subprocess.Popen[bytes], journal: Path, deadline: float) -> bool:
    """Wait for a process; whether it had to be stopped."""
    size, since = 0, time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
            return False
        if journal.stat().st_size != size:
            size, since = journal.stat().st_size, time.monotonic()
        if time.monotonic() - since > deadline:
            process.send_signal(signal.SIGABRT)  # the fault handler writes every thread's stack, GIL or no GIL
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
            return True


# ------------------------------------------------------------------------------------------- a suite


def run_suite(settings: Settings, folder: Path, *, active: bool, only: Collection[str] | None = None) -> Run:
    """Run a pytest suite; after a crash or a hang, go on with the tests that are left."""
    run, began = Run(), time.monotonic()
    ignore: list[str] = []
    while run.processes < MOST_RESTARTS:
        run.processes += 1
        instructions = {"active": active, "only": None if only is None else sorted(only), "done": list(run.outcomes), "ignore": ignore}
        ended = start(settings, pytest_command(settings), instructions, folder / str(run.processes))
        left = take(run, ended)
        _calls(run, ended)
        if active and not run.toolkits:
            raise CannotRunError(f"The shims could not be activated:\n{ended.trace}")
        if left is None:
            break
        if left.startswith("/"):
            ignore.append(left)
    run.seconds = time.monotonic() - began
    return run


def pytest_command(settings: Settings) -> list[str]:
    command = [settings.python, "-m", "pytest", "-p", "child", "-q", "--continue-on-collection-errors"]
    for plugin in ("cacheprovider", "xdist", "randomly", "rerunfailures"):
        command += ["-p", f"no:{plugin}"]
    if "site-packages" in settings.target.parts:  # no configuration of a project that the environment happens to stand in
        command += ["-c", os.devnull, "--rootdir", str(Path(*settings.target.parts[: settings.target.parts.index("site-packages") + 1]))]
    if settings.doctest_modules:
        command.append("--doctest-modules")
    return [*command, *settings.pytest_args, str(settings.target)]


def take(run: Run, ended: Ended) -> str | None:
    """Add what a process showed. None if all is done; else the file that ended it, or "" if it was something else."""
    last = {event["event"]: event for event in ended.events}
    for event in ended.events:
        if event["event"] == "end":
            calls = event.get("released", 0) + event.get("guarded", 0)
            run.outcomes[event["test"]] = Outcome(event["kind"], normalised(event["detail"]), event["detail"], calls)
    kind: Kind = "timeout" if ended.timed_out else "crash"
    lost = Outcome(kind, ended.crash or ("" if ended.timed_out else f"the process ended with code {ended.code}"), ended.trace)
    running = last["start"]["test"] if "start" in last else ""
    if running and running not in run.outcomes:
        run.outcomes[running] = lost
        return ""
    if "collected" not in last and "finish" not in last:
        file = last["collecting"]["path"] if "collecting" in last else ""
        if not file or (ended.code >= 0 and not ended.timed_out):
            raise CannotRunError(f"pytest collected nothing and ended with code {ended.code}:\n{ended.trace}")
        run.outcomes[f"{COLLECTING} {file}"] = lost
        return file
    if "finish" not in last or ended.code < 0:
        run.outcomes[EXIT] = lost
    elif last["finish"]["code"] in BROKE_OFF:
        if "start" not in last:
            raise CannotRunError(f"pytest ran no test and ended with code {ended.code}:\n{ended.trace}")
        run.outcomes[EXIT] = Outcome("error", f"pytest broke off with code {ended.code}", ended.trace)
    return "" if "finish" not in last and "end" in last else None


def _calls(run: Run, ended: Ended) -> None:
    """Add what went through the shims: as counted at the end, or test by test where there was none."""
    final = [event for event in ended.events if event["event"] == "finish"]
    if final:
        run.released += final[0].get("released", 0)
        run.guarded += final[0].get("guarded", 0)
    else:
        run.released += sum(event.get("released", 0) for event in ended.events if event["event"] == "end")
        run.guarded += sum(event.get("guarded", 0) for event in ended.events if event["event"] == "end")
    run.toolkits = run.toolkits or tuple(name for event in ended.events if event["event"] == "active" for name in event["toolkits"])


# ------------------------------------------------------------------------------------------- scripts


def run_scripts(settings: Settings, folder: Path, *, active: bool, only: Collection[str] | None = None) -> Run:
    """Run every script by itself, in the folder that it stands in."""
    run, began = Run(), time.monotonic()
    base = settings.target if settings.target.is_dir() else settings.target.parent
    for script in settings.scripts:
        name = str(script.relative_to(base))
        if only is not None and name not in only:
            continue
        run.processes += 1
        command = [settings.python, str(HERE / "child.py"), str(script)]
        ended = start(settings, command, {"active": active}, folder / str(run.processes), script.parent)
        before = run.released + run.guarded
        _calls(run, ended)
        if active and not run.toolkits:
            raise CannotRunError(f"The shims could not be activated:\n{ended.trace}")
        run.outcomes[name] = replace(script_outcome(ended), calls=run.released + run.guarded - before)
    run.seconds = time.monotonic() - began
    return run


def script_outcome(ended: Ended) -> Outcome:
    skipped = [event["reason"] for event in ended.events if event["event"] == "skipped"]
    if skipped:
        return Outcome("skipped", skipped[0])
    if ended.timed_out:
        return Outcome("timeout", "", ended.trace)
    if ended.crash:
        return Outcome("crash", ended.crash, ended.trace)
    detail = f"exit code {ended.code}\n{normalised(ended.out)}\n{normalised(ended.err)}"
    return Outcome("passed" if ended.code == 0 else "failed", detail, ended.trace)


# ---------------------------------------------------------------------------------------- both of it


def runner(settings: Settings) -> Callable[..., Run]:
    """What runs this target: `(folder, active=..., only=...)`."""

    def run(folder: Path, *, active: bool, only: Collection[str] | None = None) -> Run:
        return (run_scripts if settings.scripts else run_suite)(settings, folder, active=active, only=only)

    return run


@contextlib.contextmanager
def folder_for(keep: str | None) -> Iterator[Path]:
    """Where the processes' output goes: a folder to keep, or one that is removed."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="gilgen-compare-", ignore_cleanup_errors=True) as scratch:
            yield Path(scratch).resolve()
    else:
        kept = Path(keep).resolve()
        kept.mkdir(parents=True, exist_ok=True)
        yield Path(tempfile.mkdtemp(prefix="run-", dir=kept))
