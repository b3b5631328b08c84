"""Counts how often C++ itself calls each function of the plan, and writes the hot ones into gilgen's rules.

A shim costs a nanosecond on a call that passes straight through. That is nothing, unless C++ calls the
function by the million: then the toolkit's own work would slow down, for a method that Python hardly
calls. Such functions stay out of the plan. This command finds them: it builds shims that count, feeds
every filter of the toolkit that takes generic input, and rewrites `gilgen/rules/<toolkit>-hot.toml`.

    python bench/count_calls.py vtk        # some minutes; in an environment with VTK and gilgen
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from gilgen import build, generate, plan, rules

RULES = Path(rules.__file__).parent
HOT_PASSES = 1_000_000
"""Calls from C++ over the whole workload that make a function suspect."""
HOT_RATIO = 1_000
"""Calls from C++ for one from Python that make it hot."""
BATCH = 20
"""Filters in one process."""
SECONDS = 120
"""Deadline of one process."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("toolkit", choices=["vtk", "itk"])
    parser.add_argument("--keep", action="store_true", help="Merge with the counts on disk instead of replacing them.")
    arguments = parser.parse_args()
    toolkit = arguments.toolkit
    hot = rules.load(toolkit).hot
    hot_file = RULES / f"{toolkit}-hot.toml"
    if not arguments.keep:
        hot = {}
        hot_file.write_text("", encoding="utf-8")  # count everything that the rules name
    passes: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as scratch:
        counting_shims(toolkit, Path(scratch))
        names = workload(toolkit, Path(scratch), ["--list"], [])
        print(f"{len(names)} pieces of work")
        for start in range(0, len(names), BATCH):
            counts = workload(toolkit, Path(scratch), names[start : start + BATCH], {})
            for symbol, (from_python, from_cxx) in counts.items():
                calls[symbol] += from_python
                passes[symbol] += from_cxx
            print(f"{min(start + BATCH, len(names))}/{len(names)}: {sum(passes.values()):,} calls from C++, {sum(calls.values()):,} from Python", flush=True)
    found = {s: round(n / max(calls[s], 1)) for s, n in passes.items() if n >= HOT_PASSES and n >= HOT_RATIO * max(calls[s], 1)}
    hot |= found
    hot_file.write_text(toml(toolkit, hot), encoding="utf-8")
    print(f"{len(found)} functions are hot; {hot_file.name} names {len(hot)}")


def counting_shims(toolkit: str, scratch: Path) -> None:
    """Build shims that count into a folder that goes to the front of the workload's path."""
    planned = plan.ensure(toolkit, None, print)
    generated = generate.ensure(planned, toolkit, planned.version, os.uname().machine)
    wheel = build.build(generated.folder, scratch, build.find_compiler(), defines=("GILGEN_COUNT",))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch)


def workload(toolkit: str, scratch: Path, names: list[str], nothing: Any) -> Any:
    """Run pieces of work in a process of their own; a crash costs only what came after it."""
    script = Path(__file__).with_name(f"workload_{toolkit}.py")
    result = scratch / "result.json"
    result.unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": str(scratch)}
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(
            [sys.executable, str(script), str(result), *names], env=environment, cwd=scratch, timeout=SECONDS, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
    if not result.exists():
        print(f"  nothing counted for {', '.join(names[:3])} ...", flush=True)
        return nothing
    return json.loads(result.read_text())


def toml(toolkit: str, hot: dict[str, float]) -> str:
    lines = [
        f"# Functions that {toolkit.upper()}'s own C++ calls too often to be worth a shim. Counted by bench/count_calls.py;",
        "# `passes_per_call` is how often C++ called one for each call from Python.",
    ]
    for symbol, ratio in sorted(hot.items(), key=lambda item: (-item[1], item[0])):
        lines += ["", "[[hot]]", f'symbol = "{symbol}"', f"passes_per_call = {ratio}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
