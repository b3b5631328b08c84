"""Runs the cases of many methods, each method's in a fork of a process that has imported the toolkit.

A process of its own for each method: what one leaves behind meets no other, and a crash or a hang is a result.
The job is a JSON file; every line of the answer is one case, a JSON object. A job that says neither plain nor
activated asks for the toolkit's survey: what every process would otherwise have to find out again.
"""

from __future__ import annotations

import contextlib
import faulthandler
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

import record

CRASHES = 6
"""After as many crashes the rest of a method's cases are given up, but for one more in four of its cases."""

HANGS = 3
"""The same for cases that do not end, which cost far more time."""

MEMORY = 8 << 30
"""Bytes of address space, so that an absurd size is an error and not the end of the machine."""


class Shims:
    """How often each shim ran by itself: not inside another's call."""

    def __init__(self, toolkit: str, guard: str) -> None:
        import gilgen  # noqa: PLC0415 - a plain process does without

        gilgen.activate(toolkit, guard=guard)
        self._status = lambda: gilgen.status(toolkit)[toolkit].methods

    def counts(self) -> dict[str, int]:
        return {method.symbol: method.calls for method in self._status()}


class Captured:
    """Whatever goes to the standard streams, from C++ as well."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        for stream in (1, 2):
            os.dup2(self._file.fileno(), stream)

    def take(self) -> str:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        size = os.fstat(self._file.fileno()).st_size
        text = os.pread(self._file.fileno(), min(size, 200_000), 0).decode("utf-8", "replace")
        os.ftruncate(self._file.fileno(), 0)
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        return text


def perform(cases: Any, case: Any, captured: Captured, shims: Shims | None, folder: Path, *, full: bool) -> dict[str, Any]:
    """One case: prepare it, call, and look at what it left."""
    cases.reset()
    captured.take()
    writer = record.Writer(cases.describe, full=full)
    try:
        call = case.make()
    except Exception as error:  # noqa: BLE001 - a recipe that fails is an answer
        return {"unmade": f"{type(error).__name__}: {record.masked(str(error))[:200]}"}
    captured.take()
    stamps = record.stamps(folder)
    before = shims.counts() if shims else {}
    try:
        result = call.function(*call.arguments)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the outcome
        outcome = "raise"
        writer.value("outcome", error)
    else:
        outcome = "return"
    ran = [symbol for symbol, count in shims.counts().items() if count != before.get(symbol, 0)] if shims else []
    writer.text("messages", captured.take() + cases.messages())
    seen = {"outcome": result} if outcome == "return" else {}
    seen |= {f"arguments.{index}": argument for index, argument in enumerate(call.arguments)} | call.watched
    for name, value in seen.items():
        try:
            writer.value(name, value)
        except Exception as error:  # noqa: BLE001 - what cannot be looked at is the same on both sides
            writer.text(f"{name} (not to be looked at)", f"{type(error).__name__}: {error}")
    writer.text("later messages", captured.take() + cases.messages())
    writer.files("files", folder, stamps)
    return {"outcome": outcome, "record": writer.record, "ran": ran}


def run_all(job: dict[str, Any], cases: Any, target: dict[str, Any], done: set[str], spoiled: set[str], pipe: int, shims: Shims | None) -> None:
    """In the fork: every case of a method that was not done yet."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    faulthandler.disable()
    captured = Captured()

    def say(line: dict[str, Any]) -> None:
        data = (json.dumps(line) + "\n").encode()
        while data:
            data = data[os.write(pipe, data) :]

    home = tempfile.mkdtemp(prefix="gilgen-fidelity-")
    try:
        for number, case in enumerate(cases.cases(target)):
            if case.name in done or (case.group and case.group in spoiled):
                continue
            folder = Path(home) / str(number)
            folder.mkdir()
            os.chdir(folder)
            say({"begin": case.name, "group": case.group})
            answer = perform(cases, case, captured, shims, folder, full=job.get("full", False))
            if job.get("doctored") and answer.get("record"):
                part = max(answer["record"])
                answer["record"][part] += " doctored"
            say({"case": case.name, **answer})
            os.chdir(home)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.chdir("/")
        shutil.rmtree(home, ignore_errors=True)
    say({"end": True})


def watch(job: dict[str, Any], cases: Any, target: dict[str, Any], answer: Any, shims: Shims | None) -> None:
    """Fork until every case of a method is done or has ended its process."""
    done: set[str] = set()
    spoiled: set[str] = set()
    crashes = hangs = 0
    while crashes < CRASHES + len(done) // 4 and hangs < HANGS + len(done) // 100:
        crashes += 1
        reading, writing = os.pipe()
        process = os.fork()
        if process == 0:
            os.close(reading)
            os.setsid()
            status = 0
            try:
                run_all(job, cases, target, done, spoiled, writing, shims)
            except BaseException:  # noqa: BLE001 - a fork never returns
                status = 3
                import traceback  # noqa: PLC0415

                os.write(writing, (json.dumps({"broken": traceback.format_exc()}) + "\n").encode())
            os._exit(status)
        os.close(writing)
        ended, begun, group, why = _listen(job, reading, process, target, done, answer)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        if ended:
            return
        if not why:
            why = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
        name = begun or "(none)"
        answer({"target": target["name"], "case": name, "crash": why})
        if name in done or not begun or status >> 8 == 3:
            return
        done.add(name)
        spoiled.add(group)
        hangs += why == "deadline"


class Patience:
    """Whether a case has had its time: in processor seconds, or asleep all the while, so that load ends no case.

    Args:
        process: the fork that runs it.
        seconds: how much it gets of either.
    """

    def __init__(self, process: int, seconds: float) -> None:
        self.process, self.seconds = process, seconds
        self.renew()

    def renew(self) -> None:
        self.used, _ = self._look()
        self.awake = time.monotonic()

    def _look(self) -> tuple[float, bool]:
        """Processor seconds so far, and whether the process wants to run."""
        words = Path(f"/proc/{self.process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK"), words[0] == "R"

    def over(self) -> bool:
        used, wants = self._look()
        if wants:
            self.awake = time.monotonic()
        return used - self.used > self.seconds or time.monotonic() - self.awake > self.seconds


def _listen(job: dict[str, Any], reading: int, process: int, target: dict[str, Any], done: set[str], answer: Any) -> tuple[bool, str, str, str]:
    """What the fork says: (it came to its end, the case that had begun, its group, why it was given up)."""
    buffer, begun, group = b"", "", ""
    patience = Patience(process, job["deadline"])
    try:
        while True:
            ready, _, _ = select.select([reading], [], [], 0.5)
            if not ready and patience.over():
                return False, begun, group, "deadline"
            if not ready:
                continue
            data = os.read(reading, 1 << 16)
            if not data:
                return False, begun, group, ""
            buffer += data
            *lines, buffer = buffer.split(b"\n")
            patience.renew()
            for line in map(json.loads, lines):
                if "begin" in line:
                    begun, group = line["begin"], line["group"]
                elif "case" in line:
                    done.add(line["case"])
                    answer({"target": target["name"], **line})
                    begun = ""
                elif "broken" in line:
                    answer({"target": target["name"], "case": begun or "(none)", "broken": line["broken"]})
                else:
                    return True, "", "", ""
    finally:
        os.close(reading)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    cases = importlib.import_module(f"{job['toolkit']}_cases")
    if job["active"] is None:
        Path(job["answer"]).write_text(json.dumps(cases.survey()), encoding="utf-8")
        return
    cases.load(job)
    shims = Shims(job["toolkit"], job.get("guard", "pipeline")) if job["active"] else None
    with Path(job["answer"]).open("w", encoding="utf-8") as file:

        def answer(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        for target in job["targets"]:
            watch(job, cases, target, answer, shims)
            answer({"target": target["name"], "finished": True})


if __name__ == "__main__":
    main()
