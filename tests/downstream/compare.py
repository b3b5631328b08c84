"""Runs code that nobody here wrote, plain and with gilgen's shims active, and compares outcomes test by test.

    python tests/downstream/compare.py TARGET [options]

TARGET is a pytest suite (a file, a folder, or the name of an installed package) or a folder of scripts. A crash
or a hang is the outcome of the test that was running, and the tests after it still run. What differs is run
again, both ways, to tell a difference from a test that is never the same twice.

Examples:
    python tests/downstream/compare.py pyvista.core --doctest-modules
    python tests/downstream/compare.py ../some-project/tests --python ../venv/bin/python
    python tests/downstream/compare.py ../some-project/examples --match 'basic/*' --prelude quiet.py

The environment (`--python`) must hold gilgen, the shim wheels and, for a suite, pytest. Without `--online`, what
reaches for the network counts as skipped.

Exit codes: 0 nothing differs; 1 something does; 3 no shim ever ran, so the comparison proves nothing; 4 the
target cannot be run.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path

from rich.console import Console
from rich.markup import escape

sys.path.insert(0, str(Path(__file__).parent))

from judge import MISSING, Judged, Outcome, differing, judge
from run import CannotRunError, Run, Settings, folder_for, runner

EQUAL, DIFFERS, PROVES_NOTHING, CANNOT_RUN = 0, 1, 3, 4
TEST_FILES = ("test_*.py", "*_test.py", "conftest.py")
SHOWN = 1_500
"""Characters of a detail in the report; `--json` has all of it."""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    console = Console(soft_wrap=True)
    try:
        settings = settings_from(options)
        with folder_for(options.keep) as folder:
            judged, runs = compare(settings, folder, options.reruns, console)
    except CannotRunError as error:
        console.print(f"Cannot compare: {error}", markup=False)
        return CANNOT_RUN
    code = verdict(judged, runs["active"])
    if options.json:
        Path(options.json).write_text(json.dumps(record(settings, judged, runs, code), indent=1) + "\n", encoding="utf-8")
    report(console, judged, runs["active"], code)
    return code


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a pytest suite, an installed package, a folder of scripts, or one script")
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the environment to run in (default: this one)")
    parser.add_argument("--pytest-args", default="", metavar="ARGS", help="more arguments for pytest, as one string")
    parser.add_argument("--doctest-modules", action="store_true", help="collect the doctests of modules")
    parser.add_argument("--scripts", action="store_true", help="run every .py file by itself, even those that look like tests")
    parser.add_argument("--match", action="append", default=[], metavar="GLOB", help="only the scripts whose path below TARGET matches; may be repeated")
    parser.add_argument("--deadline", type=float, default=120.0, metavar="S", help="seconds that one test, or the collection of one file, may take (default: 120)")
    parser.add_argument("--reruns", type=int, default=3, metavar="N", help="how often to run again what differs, both ways (default: 3)")
    parser.add_argument("--toolkits", default="", metavar="NAMES", help="what to activate, such as vtk,itk (default: all whose shim wheel is installed)")
    parser.add_argument("--guard", default="", help="the guard's level (default: gilgen's own)")
    parser.add_argument("--online", action="store_true", help="let the tests use the network")
    parser.add_argument("--prelude", default="", metavar="FILE", help="Python to run in each process before anything else")
    parser.add_argument("--keep", metavar="DIR", help="keep what the processes wrote there")
    parser.add_argument("--json", metavar="FILE", help="write every outcome there")
    return parser


def settings_from(options: argparse.Namespace) -> Settings:
    target = locate(options.target, options.python)
    looks_like_tests = options.doctest_modules or any(_below(target, TEST_FILES))
    scripts = () if looks_like_tests and not options.scripts else _scripts(target, options.match)
    if not scripts and not looks_like_tests:
        raise CannotRunError(f"{target} has neither tests nor scripts.")
    return Settings(
        target=target,
        python=os.path.abspath(options.python) if os.sep in options.python else options.python,  # noqa: PTH100 - a venv's python is a link that must not be resolved
        deadline=options.deadline,
        toolkits=tuple(filter(None, options.toolkits.split(","))),
        guard=options.guard,
        online=options.online,
        prelude=str(Path(options.prelude).resolve()) if options.prelude else "",
        doctest_modules=options.doctest_modules,
        pytest_args=tuple(shlex.split(options.pytest_args)),
        scripts=scripts,
    )


def locate(target: str, python: str) -> Path:
    """The path of a target that is a path, or a package of the environment."""
    if Path(target).exists():
        return Path(target).resolve()
    code = "import importlib.util, sys; s = importlib.util.find_spec(sys.argv[1]); print((s.submodule_search_locations or [s.origin])[0])"
    found = subprocess.run([python, "-c", code, target], capture_output=True, text=True, check=False)
    if found.returncode != 0 or not found.stdout.strip():
        raise CannotRunError(f"There is no file, folder or installed package {target}.")
    return Path(found.stdout.splitlines()[-1]).absolute()


def _below(target: Path, patterns: tuple[str, ...]) -> list[Path]:
    files = sorted(target.rglob("*.py")) if target.is_dir() else [target]
    return [path for path in files if any(fnmatch(path.name, pattern) for pattern in patterns)]


def _scripts(target: Path, globs: list[str]) -> tuple[Path, ...]:
    base = target if target.is_dir() else target.parent
    found = [path for path in _below(target, ("*.py",)) if path.name != "__init__.py"]
    return tuple(path for path in found if not globs or any(fnmatch(str(path.relative_to(base)), glob) for glob in globs))


# ---------------------------------------------------------------------------------- the comparison


def compare(settings: Settings, folder: Path, reruns: int, console: Console) -> tuple[tuple[Judged, ...], dict[str, Run]]:
    """Run everything plain, then activated, then what differs again; judge every test."""
    run = runner(settings)
    runs = {}
    for name in ("plain", "active"):
        runs[name] = run(folder / name, active=name == "active")
        console.print(f"{name}: {len(runs[name].outcomes)} outcomes in {runs[name].seconds:.0f} s, {runs[name].processes} processes")
    if not runs["plain"].outcomes:
        raise CannotRunError("The target has no tests.")
    seen = {name: {test: [outcome] for test, outcome in found.outcomes.items()} for name, found in runs.items()}
    again = differing(runs["plain"].outcomes, runs["active"].outcomes)
    for turn in range(reruns if again else 0):
        console.print(f"again, {turn + 1} of {reruns}: {len(again)} that differ")
        for name in runs:
            found = run(folder / f"{name}-{turn + 1}", active=name == "active", only=again).outcomes
            for test in again:
                seen[name].setdefault(test, [MISSING]).append(found.get(test, MISSING))
    tests = sorted(seen["plain"].keys() | seen["active"].keys())
    return tuple(judge(test, seen["plain"].get(test, [MISSING]), seen["active"].get(test, [MISSING])) for test in tests), runs


def verdict(judged: tuple[Judged, ...], active: Run) -> int:
    if any(test.verdict == "differs" for test in judged):
        return DIFFERS
    return EQUAL if active.released + active.guarded else PROVES_NOTHING


# ---------------------------------------------------------------------------------------- reporting


def record(settings: Settings, judged: tuple[Judged, ...], runs: dict[str, Run], code: int) -> dict[str, object]:
    return {
        "target": str(settings.target),
        "code": code,
        "verdicts": dict(Counter(test.verdict for test in judged)),
        "toolkits": runs["active"].toolkits,
        "released": runs["active"].released,
        "guarded": runs["active"].guarded,
        "seconds": {name: round(run.seconds, 1) for name, run in runs.items()},
        "tests": [asdict(test) for test in judged],
    }


def report(console: Console, judged: tuple[Judged, ...], active: Run, code: int) -> None:
    for test in judged:
        if test.verdict != "equal":
            plain, activated = test.seen
            console.print(f"\n[bold]{escape(test.verdict)}[/bold] {escape(test.test)}\n  plain:     {plain}\n  activated: {activated}")
        if test.verdict == "differs":
            _show(console, "plain", test.plain, test.active)
            _show(console, "activated", test.active, test.plain)
    kinds = Counter(test.plain[0].kind for test in judged if test.verdict == "equal")
    verdicts = Counter(test.verdict for test in judged)
    touched = sum(any(outcome.calls for outcome in test.active) for test in judged)
    console.print(f"\nequal {verdicts['equal']} ({', '.join(f'{kind} {count}' for kind, count in sorted(kinds.items()))}), flaky {verdicts['flaky']}, differs {verdicts['differs']}")
    console.print(f"calls that released the GIL: {active.released}; that only took the guard: {active.guarded}; tests that made any: {touched}; active: {', '.join(active.toolkits)}")
    if code == PROVES_NOTHING:
        console.print("No shim ever ran: this comparison proves nothing.")


def _show(console: Console, name: str, outcomes: tuple[Outcome, ...], others: tuple[Outcome, ...]) -> None:
    """What only this sort of run showed."""
    for outcome in dict.fromkeys(outcome for outcome in outcomes if outcome not in others):
        text = f"{outcome.kind}: {outcome.detail}\n{outcome.trace if outcome.kind in {'crash', 'timeout'} else ''}".strip()
        console.print(f"  -- {name}", text[:SHOWN], markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
