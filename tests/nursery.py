"""Processes of their own, each forked from one that has imported the toolkits: ITK's import alone takes ten seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import support

SERVE = """
import json, os, signal, sys, time

# ITK's bridge to NumPy imports Dask's `distributed` where it is installed: a thousand modules that no case is about, in each child.
sys.modules["distributed"] = None

def serve():
    # In the parent this ends with the input; each child comes back with the code that it is to run.
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            for number, path in enumerate((os.devnull, job["out"], job["err"])):
                file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
                os.dup2(file, number)
                os.close(file)
            return job
        end = time.monotonic() + job["deadline"]
        ended, status = os.waitpid(child, os.WNOHANG)
        while not ended and time.monotonic() < end:
            time.sleep(0.003)
            ended, status = os.waitpid(child, os.WNOHANG)
        if not ended:
            os.kill(child, signal.SIGABRT)  # it writes where each of its threads stands
            time.sleep(1)
        try:
            os.killpg(child, signal.SIGKILL)  # and whatever it started
        except ProcessLookupError:
            pass
        if not ended:
            status = os.waitpid(child, 0)[1]
        print(json.dumps([os.waitstatus_to_exitcode(status), not ended]), flush=True)
    os._exit(0)

"""

SAY = """
def say(answer):
    # The answer, and how many calls of each method came to a shim: those that released, those that the wheel had released, and those
    # that kept the GIL, because they were short or met a thread in a callback.
    methods = [method for found in gilgen.status().values() for method in found.methods]
    print(json.dumps([answer, {method.python: method.calls for method in methods if method.calls}]), flush=True)
"""


RUN = """
job = serve()
try:
    exec(compile(job["code"], "<case>", "exec"))
except Exception:
    if job["ends"]:
        raise
    sys.excepthook(*sys.exc_info())
    os._exit(1)
if not job["ends"]:
    # Taking two toolkits down takes seconds, and only some cases are about that.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
"""


class Nursery:
    """A process that has run some imports and forks one process for each case.

    Args:
        imports: what it runs first. It must start no thread.
        env: its environment, besides this process's own.
        folder: for what the cases write.
    """

    def __init__(self, imports: str, env: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.count = 0
        code = SERVE + support.PRELUDE + SAY + textwrap.dedent(imports) + RUN
        environment = (
            {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
            | {"OPENBLAS_NUM_THREADS": "1"}
            | env
        )
        with (folder / "nursery.err").open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-c", code],
                env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
            )  # fmt: skip

    def close(self) -> None:
        """End it; a case that is under way ends with it."""
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def run(self, code: str, deadline: float = 180.0, *, ends: bool = False) -> support.Ended:
        """Run one case; how it ended says all. `ends`: it shuts the interpreter down, as a program does."""
        self.count += 1
        out, err = (self.folder / f"{self.count}.{name}" for name in ("out", "err"))
        job = {
            "code": textwrap.dedent(code),
            "out": str(out),
            "err": str(err),
            "deadline": deadline,
            "ends": ends,
        }
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the nursery ended\n{(self.folder / 'nursery.err').read_text()}"
        status, timed_out = json.loads(answer)
        return support.Ended(
            status, out.read_text(errors="replace"), err.read_text(errors="replace"), timed_out
        )

    def plain(self, code: str, deadline: float = 180.0, *, ends: bool = False) -> support.Ended:
        """Run it as the wheels are."""
        return self.run(f"ACTIVE = False\n{textwrap.dedent(code)}", deadline, ends=ends)

    def active(self, code: str, deadline: float = 180.0, *, ends: bool = False) -> support.Ended:
        """Run it with the shims of both toolkits."""
        return self.run(
            f"ACTIVE = True; gilgen.activate('vtk', 'itk')\n{textwrap.dedent(code)}", deadline, ends=ends
        )

    def both(self, code: str, deadline: float = 180.0):
        """What it says plain and active, and how many calls of each method took part in the latter."""
        plain, _ = self.plain(code, deadline).answer
        active, released = self.active(code, deadline).answer
        return plain, active, released
