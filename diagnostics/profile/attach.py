"""A process that runs already: py-spy says who has the GIL, the kernel who waits for it.

Neither changes the process. py-spy's samples name Python lines, not C functions: what is called there is read from the
program's source. A sample cannot tell a call that holds from bytecode that would give the GIL up when asked.
"""

from __future__ import annotations

import ast
import contextlib
import json
import linecache
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from gilgen.diagnostics import waits
from gilgen.diagnostics.run import environment
from gilgen.diagnostics.witness import PySpy

from gilgen import naming
from gilgen.errors import GilgenError, UnsupportedError
from gilgen.model import HeldCall, Profile

RATE = 200
"""py-spy's samples a second."""

LOOK = 0.005
"""Seconds between looks at who waits."""

STARTING = 20.0
"""Seconds that py-spy may take on top, to find its way in the process and to write."""

_FRAME = re.compile(r"^(?P<function>.*?) \((?P<file>.*):(?P<line>\d+)\)$")
_THREAD = re.compile(r"^thread \((?P<id>[^)]*)\)(: (?P<name>.*))?$")
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python3")

CANNOT_TELL = (
    "Sampled from outside: how often a call was made, and how long a single hold was, cannot be told; nor whether a line holds the GIL in "
    "one call or runs bytecode, which gives it up when asked. The names are read from the source: `gilgen profile PROGRAM` tells all of it."
)


def profile(pid: int, seconds: float, notify: Callable[[str], None]) -> Profile:
    """Sample a process for some seconds.

    Raises:
        GilgenError: there is no such process, it is no CPython, or it ended at once.
        UnsupportedError: it may not be looked into, or py-spy is missing.
    """
    folder = _folder(pid)
    program, reason = PySpy.find()
    if not program:
        raise UnsupportedError(f"There is no py-spy: {reason}.", "Install it: pip install py-spy")
    runtime = waits.runtime_of(pid)
    watch = waits.Watch(pid, runtime)
    names = _names(program, pid)
    with tempfile.TemporaryDirectory(prefix="gilgen-attach-") as scratch:
        raw = Path(scratch) / "raw"
        command = [*program, "record", "--pid", str(pid), "--gil", "--nonblocking", "--threads", "--full-filenames"]
        command += ["--rate", str(RATE), "--duration", str(max(1, round(seconds))), "--format", "raw", "--output", str(raw)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started = time.perf_counter()
        before = signal.signal(signal.SIGTERM, _end)
        try:
            notify(f"Sampling process {pid} for {max(1, round(seconds))} s; an interrupt ends it sooner.")
            _watch(process, watch, started + seconds + STARTING)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # the terminal may have told it as well, which does no harm
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STARTING)
        finally:
            signal.signal(signal.SIGTERM, before)
            if process.poll() is None:
                process.kill()
                process.wait()
        said = process.communicate()[0]
        took = min(time.perf_counter() - started, max(1.0, seconds))
        if not raw.exists():
            raise _refusal(pid, said)
        text = raw.read_text(encoding="utf-8", errors="replace")
    calls = tuple(_calls(text, took, folder, _waited(watch, names, took), _toolkit(pid)))
    notices = [CANNOT_TELL]
    if runtime is None:
        notices.append("The kernel did not let gilgen look at the process's threads, so nothing is said of who waited.")
    if "Errors: 0" not in said and "rrors:" in said:
        notices.append("Some of py-spy's samples failed, so shares are rough.")
    exit_code = None
    found = sorted({call.toolkit for call in calls if call.toolkit})
    return Profile(environment(found), f"process {pid}", took, "py-spy", exit_code, calls, notices=tuple(notices))


def _folder(pid: int) -> Path:
    """The folder that the process works in."""
    process = Path(f"/proc/{pid}")
    if not process.exists():
        raise GilgenError(f"There is no process {pid}.", "`pgrep -af python` lists those that run.")
    try:
        return (process / "cwd").readlink()
    except OSError as error:
        raise _not_permitted(pid) from error


def _not_permitted(pid: int) -> UnsupportedError:
    return UnsupportedError(
        f"Process {pid} may not be looked into: it is another user's, or the kernel only lets a process's ancestors do so.",
        "Run gilgen as its user with `sudo`, or allow it until the next start: sudo sysctl kernel.yama.ptrace_scope=0. A container needs --cap-add SYS_PTRACE.",
    )


def _refusal(pid: int, said: str) -> GilgenError:
    """What py-spy's words mean."""
    if "ermission denied" in said or "not permitted" in said:
        return _not_permitted(pid)
    if not Path(f"/proc/{pid}").exists():
        return GilgenError(f"Process {pid} ended before there was a sample.", "Profile it from its start: gilgen profile PROGRAM")
    words = next((line.strip() for line in said.splitlines() if line.strip() and not line.startswith("py-spy>")), "it said nothing")
    return GilgenError(f"Process {pid} is no CPython that py-spy can read: {words}", "Name the process of the Python program itself; `pgrep -af python` lists them.")


def _end(number: int, _frame: object) -> None:
    """A signal that ends this process, as an exception: what was started ends, too."""
    raise SystemExit(128 + number)


def _watch(process: subprocess.Popen[str], watch: waits.Watch, deadline: float) -> None:
    while process.poll() is None and time.perf_counter() < deadline:
        watch.look()
        time.sleep(LOOK)


def _toolkit(pid: int) -> str:
    """The one toolkit that the process has loaded; empty where it has none or both."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    found = {toolkit for package, toolkit in naming.PACKAGES.items() if re.search(rf"/{package}/[^\n]*\.so", maps)}
    return found.pop() if len(found) == 1 else ""


def _samples(text: str) -> Counter[tuple[str, tuple[str, int, str]]]:
    """How often a thread was found with the GIL at a place: (thread, (file, line, function)) -> samples."""
    found: Counter[tuple[str, tuple[str, int, str]]] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        first, *frames = stack.split(";")
        thread = _THREAD.match(first)
        places = [(match["file"], int(match["line"]), match["function"]) for frame in frames if (match := _FRAME.match(frame))]
        if not places or not count.isdigit():
            continue
        own = [place for place in places if not any(library in place[0] for library in _LIBRARIES)]
        found[thread["name"] or thread["id"] if thread else "", own[-1] if own else places[-1]] += int(count)
    return found


def _names(program: list[str], pid: int) -> dict[int, str]:
    """The names of a process's threads; none where py-spy cannot tell, which the sampling will explain."""
    command = [*program, "dump", "--pid", str(pid), "--nonblocking", "--json"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=STARTING).stdout
        return {thread["os_thread_id"]: thread["thread_name"] for thread in json.loads(said) if thread.get("os_thread_id") and thread.get("thread_name")}
    except (subprocess.SubprocessError, OSError, ValueError, KeyError, TypeError):
        return {}


def _waited(watch: waits.Watch, names: dict[int, str], took: float) -> dict[str, float]:
    """Thread name -> seconds for which it waited for the GIL."""
    found: dict[str, float] = defaultdict(float)
    for thread, looks in watch.looks.items():
        waiting = sum(state == "waits" for _, state in looks)
        if waiting:
            found[names.get(thread, f"thread {thread}")] += waiting / len(looks) * took
    return dict(found)


def _calls(text: str, took: float, folder: Path, waited: dict[str, float], toolkit: str) -> list[HeldCall]:
    samples = _samples(text)
    places: dict[tuple[str, int, str], Counter[str]] = defaultdict(Counter)
    for (thread, place), count in samples.items():
        places[place][thread] += count
    found = []
    for (file, line, function), threads in places.items():
        seconds = min(took, sum(threads.values()) / RATE)
        waiters = {}
        for name, total in waited.items():
            by_others = sum(count for (thread, _), count in samples.items() if thread != name)
            here = sum(count for thread, count in threads.items() if thread != name)
            if here:
                waiters[name] = total * here / by_others
        python = _called(file, line)
        method = python.startswith("*.") and python[2:3].isupper()
        short = file.removeprefix(f"{folder}/")
        short = short if not short.startswith("/") else re.sub(r"^.*/(?:site-packages|dist-packages|python3[^/]*)/", "", short)
        found.append(
            HeldCall(
                python, toolkit if method else "", Path(short).name if short.startswith("/") else short, line, function, tuple(sorted(threads)), "", 0,
                seconds, seconds, 0.0, sum(waiters.values()), dict(sorted(waiters.items(), key=lambda item: -item[1])),
            )
        )  # fmt: skip
    return sorted(found, key=lambda call: -call.held)


def _called(file: str, line: int) -> str:
    """What is called on a line: "*.BuildLocator" for `tree.BuildLocator()`; the line itself where that is not plain."""
    text = linecache.getline(file, line).strip()
    try:
        tree = ast.parse(text.rstrip(":") + ": pass" if re.match(r"(if|while|for|with|elif)\b.*:$", text) else text)
    except SyntaxError:
        tree = ast.Module([], [])
    names = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    if names and isinstance(names[0], ast.Attribute):
        return f"*.{names[0].attr}"
    if names and isinstance(names[0], ast.Name):
        return names[0].id
    return f"(no call) {text}" if text else "(no call)"
