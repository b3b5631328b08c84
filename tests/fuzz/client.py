"""Asks a server to run programs, and starts it anew if it ends."""

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
    """One server, which runs one program at a time; a context manager that ends it."""

    def __init__(self, toolkit: str) -> None:
        self.toolkit = toolkit
        self.features: tuple[str, ...] = ()
        self._process: subprocess.Popen[str] | None = None

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
        request = {"program": program.as_json(), "mode": mode.name, "guard": mode.guard, "deadline": mode.deadline}
        outcome = Outcome.of(self._ask(request))
        if outcome.kind == "error":
            raise CannotActivateError(outcome.text)
        return outcome

    def draw(self, seed: int, features: Collection[str] = ()) -> Program:
        """The program of a seed, of some features or of all.

        Args:
            seed: any integer.
            features: groups of operations; all when empty.

        Raises:
            ValueError: the toolkit's catalogue has no such feature.
        """
        self._running()
        if unknown := set(features) - set(self.features):
            raise ValueError(f"There is no feature {', '.join(sorted(unknown))}; choose from {', '.join(self.features)}.")
        return Program.from_json(self._ask({"seed": seed, "features": list(features)}))

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return self._read(process)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), self.toolkit], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment()
            )
            self.features = tuple(self._read(self._process)["features"])
        return self._process

    @staticmethod
    def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"The server ended with {process.wait()}; its standard error has the reason.")
        data: dict[str, Any] = json.loads(line)
        return data

    def close(self) -> None:
        """End the server."""
        if self._process is not None:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


def _environment() -> dict[str, str]:
    """This process's environment, with what makes a program reproducible."""
    return {**os.environ, "PYTHONHASHSEED": "0"}
