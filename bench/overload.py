"""Every control, many times, on a machine that is overloaded many times over: load must never turn a verdict round.

    python bench/overload.py --runs 200 --fold 8

So many harnesses measure at once that, with some processes that only compute, eight threads want each processor. What
is counted are wrong verdicts: a call that releases and does not read so, or one that holds and does not. "unknown" is not
wrong, only no answer. As a control of this bench itself, a harness that believes the heartbeat's raw gaps is fooled by
the same windows: it counts what load looks like without the time that the kernel says threads had no processor.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import click
import rows
from gilgen.diagnostics import controls, verdict
from gilgen.diagnostics.isolate import Nursery

from gilgen.model import CaseResult, Window

FOLD = 8
"""How many threads want each processor."""

RUNS = 200
"""Of each control."""

SPIN = "while True: pass"


@dataclass(slots=True)
class Found:
    """What one control read, and what it would have read from raw gaps alone."""

    read: Counter[str] = field(default_factory=Counter)
    raw: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def measure(*, quick: bool) -> rows.Section:
    """All controls under overload, in a process of its own: it starts many threads."""
    answer = rows.child("overload.py", "--runs", str(3 if quick else RUNS), "--json")
    wrong = sum(len(one["wrong"]) for one in answer["controls"].values())
    total = sum(sum(one["read"].values()) for one in answer["controls"].values())
    found = [rows.Row("wrong verdicts", "0", f"{wrong} of {total}, at {answer['fold']:.1f} threads a processor (median)", met=wrong == 0)]
    for call, one in answer["controls"].items():
        unknown = one["read"].get("unknown", 0)
        text = f"{sum(one['read'].values()) - unknown - len(one['wrong'])} as they must be, {unknown} unknown, {len(one['wrong'])} wrong"
        raw = one["raw"]
        found.append(rows.shown(f"{call}, which {one['expected']}", f"{text}; from raw gaps alone: {', '.join(f'{count} {name}' for name, count in sorted(raw.items()))}"))
    return rows.Section(
        f"Verdicts under {FOLD}-fold overload",
        tuple(found),
        ("Each run is a process of its own with the window proof, two calls at once, and what the kernel shows from outside; without py-spy.",),
    )


def overload(runs: int, fold: int) -> dict[str, object]:
    """Measure every control so many times; see the module's text."""
    processors = len(os.sched_getaffinity(0))
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(fold * processors // 2)]
    found = {control.case.call: Found() for control in controls.CONTROLS}
    loads: list[float] = []
    done = threading.Event()
    watcher = threading.Thread(target=_watch_load, args=(loads, done))
    watcher.start()
    tasks = [control for _ in range(runs) for control in controls.CONTROLS]
    lock = threading.Lock()

    def work() -> None:
        with Nursery(controls.__name__) as nursery:
            while True:
                with lock:
                    if not tasks:
                        return
                    control = tasks.pop()
                result = nursery.run(control.case, deadline=1200.0, quick=True)
                with lock:
                    _count(found[control.case.call], control, result)

    try:
        with ThreadPoolExecutor(fold * processors) as pool:
            for future in [pool.submit(work) for _ in range(fold * processors)]:
                future.result()
    finally:
        done.set()
        watcher.join()
        for process in spinning:
            process.kill()
            process.wait()
    return {
        "fold": statistics.median(loads) / processors,
        "controls": {
            call: {"expected": controls.EXPECTED[case.name], "read": one.read, "raw": one.raw, "wrong": one.wrong}
            for (call, one), case in zip(found.items(), controls.CASES, strict=True)
        },
    }


def _count(found: Found, control: controls.Control, result: CaseResult) -> None:
    found.read[result.verdict] += 1
    if result.verdict not in {control.expected, "unknown"}:
        found.wrong.append(f"{result.verdict}: {result.because} {result.message}")
    if result.window is not None:
        bare = replace(result.window, stall=None, seen=None, covered=_raw_covered(result.window), reference_gap=0.0)
        found.raw[verdict.read_window(bare)[0]] += 1


def _raw_covered(window: Window) -> float:
    """The share of the call without its longest gap: what a harness sees that does not ask the kernel."""
    return 1.0 - window.longest_gap / window.duration if window.duration else 0.0


def _watch_load(loads: list[float], done: threading.Event) -> None:
    """Note each second how many threads of the machine are running or ready to."""
    while not done.wait(1.0):
        loads.append(float(Path("/proc/loadavg").read_text(encoding="utf-8").split()[3].partition("/")[0]) - 1)


@click.command()
@click.option("--runs", default=RUNS, show_default=True, help="Of each control.")
@click.option("--fold", default=FOLD, show_default=True, help="How many threads want each processor.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as a line of JSON.")
def main(runs: int, fold: int, *, as_json: bool) -> None:
    """Measure every control under overload; exit code 1 when a verdict was wrong."""
    started = time.monotonic()
    answer = overload(runs, fold)
    print(json.dumps(answer) if as_json else f"{json.dumps(answer, indent=2)}\n{time.monotonic() - started:.0f} s")
    if not as_json:
        sys.exit(any(one["wrong"] for one in answer["controls"].values()))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
