"""One row of the results, and Python in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Row:
    """What was asked for and what was measured.

    Attributes:
        name: what was measured.
        target: the most (or least) that was asked for, in words; empty for a figure that only explains others.
        measured: in words.
        met: None where there is no target.
    """

    name: str
    target: str
    measured: str
    met: bool | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The rows of one benchmark and how they were measured."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]


def at_most(name: str, value: float, limit: float, form: str) -> Row:
    """A row whose measure may not be larger than its target; `form` shows both: "{:.1f} s"."""
    return Row(name, f"at most {form.format(limit)}", form.format(value), met=value <= limit)


def at_least(name: str, value: float, limit: float, form: str) -> Row:
    return Row(name, f"at least {form.format(limit)}", form.format(value), met=value >= limit)


def shown(name: str, text: str) -> Row:
    return Row(name, "", text)


def child(script: str, *arguments: str, python: str = sys.executable, path: tuple[Path, ...] = ()) -> Any:
    """Run one of these scripts by itself; what it prints last is its answer, as JSON."""
    environment = os.environ | ({"PYTHONPATH": os.pathsep.join(map(str, path))} if path else {})
    command = [python, str(Path(__file__).with_name(script)), *arguments]
    answer = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])
