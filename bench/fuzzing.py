"""Random programs of 2 to 8 threads on shared objects, plain and activated: `tests/fuzz/run.py`, counted."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import rows

PROGRAMS = {"vtk": 2000, "itk": 2000}
QUICK = 50
REPEAT = 20
SEED = 1_000_000


def measure(*, quick: bool) -> rows.Section:
    found = []
    for toolkit, programs in PROGRAMS.items():
        counts = _run(toolkit, QUICK if quick else programs)
        found += [
            rows.Row(
                f"{toolkit}: of {counts['programs']} programs, wrong or crashed activated, right plain",
                "none", str(counts["only_activated"]), met=counts["only_activated"] == 0,
            ),
            rows.shown("  wrong or crashed plain, right activated", str(counts["only_plain"])),
            rows.shown("  both", str(counts["plain_failed"] - counts["only_plain"])),
        ]  # fmt: skip
    return rows.Section(
        "Random programs",
        tuple(found),
        (
            "Each program runs plain and activated in processes of its own; each result is compared with what the same call gives alone.",
            f"One that fails activated is repeated up to {REPEAT} times each way, one that fails plain only a few times. Seeds from {SEED:,} on.",
        ),
    )


def _run(toolkit: str, programs: int) -> dict[str, Any]:
    """The counts of one toolkit."""
    with tempfile.TemporaryDirectory(prefix="gilgen-bench-") as folder:
        report = Path(folder) / "report.json"
        script = rows.CHECKOUT / "tests" / "fuzz" / "run.py"
        command = [sys.executable, script, "--toolkit", toolkit, "--programs", str(programs), "--seed", str(SEED)]
        subprocess.run([*command, "--plain-too", "--no-reduce", "--repeat", str(REPEAT), "--json", report], check=False)
        counts: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))[toolkit]["counts"]
        return counts
