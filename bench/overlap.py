"""Whether two calls really run at once, and how long others wait while one runs.

Each toolkit has a process of its own. Plain and activated alternate, so that load which comes and goes
meets both alike.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from typing import Any

import rows
from gilgen.diagnostics import cases, overlap, window

import gilgen

CASES = {"vtk": ("obb-tree", 150_000), "itk": ("median", 1_200_000)}
"""For each toolkit a call that holds the GIL in the plain wheel, and its size: some seconds of work."""

EVERYDAY = 0.005
"""Python's own switch interval in seconds."""


def measure(*, quick: bool) -> rows.Section:
    found = []
    for toolkit, (name, _) in CASES.items():
        answer = rows.child("overlap.py", toolkit, "quick" if quick else "full")
        call = next(case.call for case in cases.cases_of(toolkit) if case.name == name)
        plain, active = answer["plain"], answer["active"]
        found += [
            rows.at_least(
                f"two `{call}` in two threads, serial / parallel", active["ratio"], 1.9, "{:.2f} times"
            ),
            rows.shown("  the same in the plain wheel", f"{plain['ratio']:.2f} times"),
            rows.shown(
                "  two calls of hashlib beside it",
                f"{answer['reference']:.2f} times: what this machine gave at the same time",
            ),
            rows.shown(
                "  both threads' processor time in a second",
                f"{active['simultaneous']:.2f} s; plain {plain['simultaneous']:.2f} s",
            ),
            rows.at_most(
                f"longest gap of a 1 ms heartbeat during `{call}`", answer["gap"] * 1000, 10.0, "{:.1f} ms"
            ),
            rows.shown(
                "  the same in the plain wheel, and in `time.sleep`",
                f"{answer['plain gap'] * 1000:.0f} ms; {answer['sleep gap'] * 1000:.1f} ms",
            ),
        ]
    return rows.Section(
        "Two threads on two processors",
        tuple(found),
        (
            (
                "Independent data, the toolkit's own threads limited to one a call. Serial and parallel, plain and activated "
                "alternate; the ratio of medians."
            ),
            (
                "Heartbeat: a Python thread that sleeps 1 ms and notes the time, under Python's everyday switch interval; the "
                "longest gap over all calls measured. `time.sleep` of the same length shows what the machine itself adds."
            ),
        ),
    )


def _measure(toolkit: str, *, quick: bool) -> dict[str, Any]:
    """In the child: one toolkit's figures."""
    module = __import__(cases.MODULES[toolkit], fromlist=["load"])
    module.load()
    module.single_threaded()
    name, size = CASES[toolkit]
    case = next(case for case in module.CASES if case.name == name)
    works = case.make(size // 4 if quick else size), case.make(size // 4 if quick else size)
    for work in works:
        work.call()
    repetitions = 3 if quick else 7
    measured: dict[bool, list[Any]] = {False: [], True: []}
    gaps: dict[bool, list[float]] = {False: [], True: []}
    sleeps = []
    for _ in range(repetitions):
        for active in (False, True):
            if active:
                gilgen.activate(toolkit)
            measured[active].append(overlap.measure(*works, repetitions=1)[0])
            works[0].reset()
            beaten = window.measure(works[0].call, switch_interval=EVERYDAY)
            gaps[active].append(beaten.longest_gap)
            if active:
                sleeps.append(
                    window.measure(
                        lambda length=beaten.duration: time.sleep(length), switch_interval=EVERYDAY
                    ).longest_gap
                )
                gilgen.deactivate(toolkit)

    def summary(runs: list[Any]) -> dict[str, float]:
        serial, parallel = (
            statistics.median(getattr(run, name) for run in runs) for name in ("serial", "parallel")
        )
        return {
            "ratio": serial / parallel,
            "simultaneous": statistics.median(run.simultaneous for run in runs),
        }

    return {
        "plain": summary(measured[False]),
        "active": summary(measured[True]),
        "reference": statistics.median(run.reference for run in measured[True]),
        "gap": max(gaps[True]),
        "plain gap": max(gaps[False]),
        "sleep gap": max(sleeps),
    }


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], quick=sys.argv[2] == "quick")), flush=True)
