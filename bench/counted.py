"""What both workloads of `count_calls.py` do: count, and leave what they counted where it survives a crash."""

from __future__ import annotations

import json
import os

import gilgen


def counts(toolkit: str) -> dict[str, tuple[int, int]]:
    """Calls of each function since the process began, by symbol: (from Python, from C++)."""
    return {method.symbol: (method.released + method.guarded, method.passed) for method in gilgen.status()[toolkit].methods}


def write(path: str, value: object) -> None:
    with open(f"{path}.new", "w") as file:
        json.dump(value, file)
    os.replace(f"{path}.new", path)


def since(start: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    return {key: (now[key][0] - start.get(key, (0, 0))[0], now[key][1] - start.get(key, (0, 0))[1]) for key in now}
