"""The process that has imported a toolkit, and forks a child for each program: importing and activating take much longer than a program.

It reads one JSON request a line from its standard input and writes one JSON answer a line to its standard output.
It starts no thread and calls nothing of the toolkit; its children are activated because it is.
"""

from __future__ import annotations

import faulthandler
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import execute
from fuzz.catalogue import Catalogue
from fuzz.draw import draw
from fuzz.program import Program

ORDERS = {"plain": "threads", "activated": "threads", "serial": "serial", "stepped": "stepped"}
"""The modes, and how each runs the threads. All but "activated" run the plain toolkit."""

GRACE_SECONDS = 5.0
"""What a child gets to write its stacks before it is killed."""

MOST_DEADLINES = 10
"""After as many a program that computes without end hangs, too."""

IDLE = 0.01
"""A program that computed for less than this part of a deadline does not go on any more."""

MOST_TEXT = 6000
"""Characters of a child's standard error that an answer keeps."""


def load(toolkit: str) -> Catalogue:
    """The catalogue of a toolkit, which imports the toolkit."""
    catalogue: Catalogue = importlib.import_module(f"fuzz.{toolkit}_catalogue").CATALOGUE
    return catalogue


def main(toolkit: str, *guards: str) -> None:
    """Answer requests until there are no more; activated, if a guard was named ("" is the default one)."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a toolkit prints is no answer
    gilgen = importlib.import_module("gilgen")
    catalogue = load(toolkit)
    refused = ""
    for guard in guards:
        try:
            gilgen.activate(toolkit, **({"guard": guard} if guard else {}))
        except gilgen.GilgenError as error:
            refused = str(error)
    gc.collect()
    gc.freeze()  # or each child's first collection would copy all pages that it shares with this process
    print(json.dumps({"ready": toolkit, "features": catalogue.features, "refused": refused}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        result = drawn(request, catalogue) if "seed" in request else answer(request, catalogue)
        print(json.dumps(result), file=answers, flush=True)


def drawn(request: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """The program of a seed."""
    return draw(catalogue, request["seed"], request["features"]).as_json()


def answer(request: dict[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Run one program in a child, and say how it ended."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    begin = time.perf_counter()
    try:
        child = os.fork()
        if child == 0:
            work(request, catalogue, folder)
        hung = wait(child, request["deadline"])
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        result = folder / "result.json"
        ended: dict[str, Any] = json.loads(result.read_text()) if result.exists() else {}
        ended |= {"hung": hung, "code": code, "seconds": time.perf_counter() - begin}
        ended["text"] = (folder / "err.txt").read_text(errors="replace")[-MOST_TEXT:] if code or hung else ""
        return ended
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait(child: int, deadline: float) -> bool:
    """Wait for a child to end; one that hangs writes its stacks and is killed. Returns whether it was.

    On a busy machine a program may take long. So at the deadline one that has computed since the last one gets another, `MOST_DEADLINES` in all.
    """
    handle = os.pidfd_open(child)
    try:
        computed = 0.0
        for _ in range(MOST_DEADLINES):
            if select.select([handle], [], [], deadline)[0]:
                return False
            before, computed = computed, processor_seconds(child)
            if computed - before < IDLE * deadline:
                break
        os.kill(child, signal.SIGUSR1)
        if not select.select([handle], [], [], GRACE_SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        return True
    finally:
        os.close(handle)


def processor_seconds(process: int) -> float:
    """How long a process has computed, with all its threads (`man 5 proc_pid_stat`)."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def work(request: dict[str, Any], catalogue: Catalogue, folder: Path) -> None:
    """What the child does; it does not return."""
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        out = os.open(folder / "err.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        os.environ["FUZZ_FILES"] = str(folder)
        faulthandler.enable(out)
        faulthandler.register(signal.SIGUSR1, out, all_threads=True)
        execute.prepare()
        findings = execute.run(Program.from_json(request["program"]), catalogue, ORDERS[request["mode"]])
        partial = folder / "partial.json"
        partial.write_text(json.dumps({"calls": findings.calls, "wrong": findings.wrong, "samples": findings.samples}))
        partial.rename(folder / "result.json")
        code = 0
    except BaseException:  # noqa: BLE001 - the child of a fork must not return into the server's loop
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
