"""Asks servers to run programs, and starts one anew if it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fuzz.outcome import Outcome
from fuzz.program import Program

SERVER = Path(__file__).with_name("server.py")


@dataclass(frozen=True)
class Mode:
    """How to run a program: "plain", "activated", "serial" or "stepped"; with which guard, and for how many seconds at most."""

    name: str
    guard: str = ""
    deadline: float = 30.0


class CannotActivateError(Exception):
    """The shims are missing, or they were made for another toolkit or gilgen."""


class Client:
    """A plain server and one for each guard, as they are needed; it runs one program at a time. A context manager that ends them."""

    def __init__(self, toolkit: str) -> None:
        self.toolkit = toolkit
        self.features: tuple[str, ...] = ()
        self._processes: dict[tuple[str, ...], subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def run(self, program: Program, mode: Mode) -> Outcome:
        """Run a program once, in a process of its own.

        Args:
            program: of this client's toolkit.
            mode: how to run it.

        Returns:
            How it ended.

        Raises:
            CannotActivateError: gilgen refused to activate, so nothing can be said about any program.
        """
        request = {"program": program.as_json(), "mode": mode.name, "deadline": mode.deadline}
        return Outcome.of(self._ask(request, (mode.guard,) if mode.name == "activated" else ()))

    def draw(self, seed: int, features: Collection[str] = ()) -> Program:
        """The program of a seed, of some features or of all.

        Args:
            seed: any integer.
            features: groups of operations; all when empty.

        Raises:
            ValueError: the toolkit's catalogue has no such feature.
        """
        self._running(())
        if unknown := set(features) - set(self.features):
            raise ValueError(f"There is no feature {', '.join(sorted(unknown))}; choose from {', '.join(self.features)}.")
        return Program.from_json(self._ask({"seed": seed, "features": list(features)}, ()))

    def _ask(self, request: dict[str, Any], guards: tuple[str, ...]) -> dict[str, Any]:
        process = self._running(guards)
        assert process.stdin is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return self._read(process)

    def _running(self, guards: tuple[str, ...]) -> subprocess.Popen[str]:
        found = self._processes.get(guards)
        if found is None or found.poll() is not None:
            command = [sys.executable, str(SERVER), self.toolkit, *guards]
            found = self._processes[guards] = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment())
            ready = self._read(found)
            if ready["refused"]:
                raise CannotActivateError(ready["refused"])
            self.features = tuple(ready["features"])
        return found

    @staticmethod
    def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"The server ended with {process.wait()}; its standard error has the reason.")
        data: dict[str, Any] = json.loads(line)
        return data

    def close(self) -> None:
        """End the servers."""
        for process in self._processes.values():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.close()
            process.wait()
            process.stdout.close()
        self._processes.clear()


def _environment() -> dict[str, str]:
    """This process's environment, with what makes a program reproducible."""
    return {**os.environ, "PYTHONHASHSEED": "0"}
