"""Compares the methods of the plans, activated with plain: `python tests/fidelity/run.py --help`.

Every case runs three times, in processes of their own: twice plain, once activated. What differs between the plain
runs is left out; all else must be the same activated, bit for bit. A method counts as compared only where a shim
ran in its call.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import compare
import targets
from rich.console import Console
from rich.progress import Progress

HERE = Path(__file__).resolve().parent

DEADLINE = 10.0
"""Processor seconds for one case, and seconds that it may be asleep."""

SHARD = 35
"""Methods for one process."""

LONG = {"vtkAlgorithm.Update", "itkProcessObject.Update"}
"""Methods of very many classes, each in a process of its own, first."""

WIDE = ("itkProcessObject.", "itkDataObject.", "itkImageIOBase.", "itkMeshIOBase.", "itkOptimizer.", "itkSingleValued", "itkMultipleValued", "itkStreaming", "itkTransformIOBase")
"""Bases whose classes lie in so many of ITK's modules that all of them are loaded."""

MODES = ("plain", "again", "active")

PERTURB = {"plain": "165", "again": "90", "active": "165"}
"""What glibc fills fresh and freed memory with: whatever VTK and ITK make of memory that nobody wrote then differs
between the plain runs. No thread keeps freed memory to itself, because glibc does not fill that."""

DIFFERENT = 3
"""The exit code where a method differs; 1 is Python's own for a script that breaks."""

OTHERWISE = {"plain": "0", "again": "7", "active": "165"}
"""The same for a second look at what differs."""

Notify = Callable[[int], None]


class Runner:
    """Runs the cases of one toolkit's methods."""

    def __init__(self, toolkit: str, folder: Path, jobs: int, guard: str, deadline: float, *, few: int | None = None, doctored: bool = False) -> None:
        self.few, self.doctored = few, doctored
        self.toolkit, self.folder, self.jobs, self.guard, self.deadline = toolkit, folder, jobs, guard, deadline
        self.pool = folder / "pool"
        self.survey: Any = None
        self._count = 0
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Find out once what every process needs to know."""
        self.pool.mkdir(exist_ok=True)
        job = {"toolkit": self.toolkit, "active": None, "answer": str(self.folder / "survey.answer"), "pool": str(self.pool)}
        (self.folder / "survey.json").write_text(json.dumps(job), encoding="utf-8")
        with (self.folder / "survey.log").open("w", encoding="utf-8") as log:
            subprocess.run([sys.executable, HERE / "nursery.py", self.folder / "survey.json"], stdout=log, stderr=log, cwd=self.pool, check=True, timeout=600)
        self.survey = json.loads((self.folder / "survey.answer").read_text(encoding="utf-8"))

    def run(self, chosen: list[targets.Target], modes: tuple[str, ...] = MODES, notify: Notify | None = None, perturb: dict[str, str] = PERTURB, *, full: bool = False) -> dict[str, compare.Answers]:
        """All cases of the methods, once for each mode."""
        shards = split(chosen)
        answers: dict[str, compare.Answers] = {mode: {} for mode in modes}
        with ThreadPoolExecutor(self.jobs) as workers:
            waiting = [(mode, workers.submit(self._shard, mode, shard, perturb[mode], full, notify)) for shard in shards for mode in modes]
            for mode, one in waiting:
                answers[mode].update(one.result())
        return answers

    def _shard(self, mode: str, shard: list[targets.Target], perturb: str, full: bool, notify: Notify | None) -> compare.Answers:  # noqa: FBT001
        with self._lock:
            self._count += 1
            name = f"{self.toolkit}-{self._count}-{mode}"
        job, answer = self.folder / f"{name}.json", self.folder / f"{name}.answers"
        record = {
            "toolkit": self.toolkit, "active": mode == "active", "deadline": self.deadline, "answer": str(answer), "pool": str(self.pool),
            "survey": self.survey, "few": self.few, "doctored": self.doctored and mode == "active", "guard": self.guard, "full": full, "targets": [asdict(target) for target in shard],
        }  # fmt: skip
        job.write_text(json.dumps(record), encoding="utf-8")
        env = os.environ | {"GLIBC_TUNABLES": f"glibc.malloc.perturb={perturb}:glibc.malloc.tcache_count=0", "PYTHONHASHSEED": "0", "VTK_SMP_BACKEND_IN_USE": "Sequential", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
            "OMP_NUM_THREADS": "1"}  # fmt: skip
        env.pop("DISPLAY", None)
        with (self.folder / f"{name}.log").open("w", encoding="utf-8") as log:
            subprocess.run([sys.executable, "-X", "faulthandler", HERE / "nursery.py", job], stdout=log, stderr=log, env=env, cwd=self.folder, check=False)
        if notify:
            notify(len(shard))
        return read(answer)


def split(chosen: list[targets.Target]) -> list[list[targets.Target]]:
    """What one process each does: methods of very many classes come first, those of bases that need all modules together."""
    alone = [target for target in chosen if target.name in LONG]
    wide = [target for target in chosen if target.name not in LONG and target.name.startswith(WIDE)]
    others = [target for target in chosen if target not in wide and target.name not in LONG]
    shards = [*([target] for target in alone), *(others[begin : begin + SHARD] for begin in range(0, len(others), SHARD))]
    return [wide, *shards] if wide else shards


def read(path: Path) -> compare.Answers:
    found: compare.Answers = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        answer = json.loads(line)
        if "case" in answer:
            found[answer["target"], answer["case"]] = answer
    return found


def judge(planned: targets.Planned, chosen: list[targets.Target], answers: dict[str, compare.Answers]) -> compare.Summary:
    """The verdict on every method, from the answers of the three runs."""
    plain, again, active = (answers[mode] for mode in MODES)
    summary = compare.Summary(planned.toolkit, planned.version, [], len(planned.symbols))
    names: dict[str, dict[str, None]] = {}
    for target, case in [*plain, *active]:
        names.setdefault(target, {})[case] = None
    same_name: dict[str, set[str]] = {}
    for symbol, python in planned.symbols.items():
        same_name.setdefault(python.rpartition(".")[2], set()).add(symbol)
    for target in chosen:
        wanted = same_name.get(target.name.rpartition(".")[2], set()).union(target.symbols) if target.own else set(planned.symbols)
        found = [
            compare.case(case, plain.get((target.name, case)), again.get((target.name, case)), active.get((target.name, case)), wanted)
            for case in names.get(target.name, ())
        ]
        verdict = compare.method(target.name, target.own, found)
        summary.methods.append(verdict)
        summary.ran.update(symbol for case in verdict.cases if case.state in {"equal", "different"} for symbol in case.ran)
    return summary


def confirm(runner: Runner, chosen: list[targets.Target], summary: compare.Summary) -> compare.Summary:
    """Look again at what differs: with other contents of fresh memory, a plain run may differ from itself as well."""
    doubtful = [target for target in chosen if any(method.name == target.name for method in summary.different)]
    if not doubtful:
        return summary
    once = runner.run(doubtful, perturb=OTHERWISE)
    looked = []
    for target in doubtful:
        found = next(method for method in summary.different if method.name == target.name).cases
        cases = [confirmed(case, target.name, once) if case.state == "different" else case for case in found]
        looked.append(compare.method(target.name, target.own, cases))
    by_name = {method.name: method for method in looked}
    summary.methods = [by_name.get(method.name, method) for method in summary.methods]
    return summary


def confirmed(case: compare.CaseVerdict, target: str, once: dict[str, compare.Answers]) -> compare.CaseVerdict:
    """A difference stands where every plain run agrees, whatever memory holds; a crash or a hang where it happens again."""
    key = (target, case.name)
    plains = [once[mode].get(key) for mode in ("plain", "again")]

    def stands(part: str, plain: str) -> bool:
        if part == compare.ENDED:
            again = once["active"].get(key)
            fails = again is None or bool(compare.failure(again))
            return fails and not any(answer is None or compare.failure(answer) for answer in plains)
        return {_part(answer, part) for answer in plains} == {plain}

    steady = [difference for difference in case.differences if stands(*difference[:2])]
    if steady:
        return replace(case, differences=tuple(steady))
    return replace(case, state="not deterministic", why="not deterministic", differences=(), left_out=(*case.left_out, *(part for part, _, _ in case.differences)))


def _part(answer: compare.Answer | None, part: str) -> str:
    if answer is None:
        return "-"
    if compare.failure(answer):
        return compare.failure(answer)
    if part == "outcome kind":
        return str(answer.get("outcome"))
    return str(answer.get("record", {}).get(part, answer.get("unmade", "-")))


# ---------------------------------------------------------------------------------------------- what is said


def text(summary: compare.Summary, *, listed: bool) -> str:
    total, compared = len(summary.methods), len(summary.compared)
    lines = [
        f"{summary.toolkit} {summary.version}: {compared} of {total} methods compared, {compared - len(summary.different)} equal, {len(summary.different)} different.",
        f"  {sum(summary.cases.values())} cases: " + ", ".join(f"{count} {state}" for state, count in summary.cases.most_common()) + ".",
        f"  {len(summary.ran)} of {summary.shims} shims were entered in a compared call.",
    ]
    lines += [f"  not compared, {reason}: {count}" for reason, count in summary.reasons.most_common()]
    for method in summary.different:
        lines.append(f"  DIFFERENT {method.name}")
        for case in method.cases:
            if case.state == "different":
                lines += [f"    {case.name}: {part}: plain {plain[:120]!r}, activated {active[:120]!r}" for part, plain, active in case.differences[:4]]
    if listed:
        lines += [f"  {method.name}: {method.why}" for method in summary.methods if not method.compared]
    return "\n".join(lines)


def markdown(summaries: list[compare.Summary]) -> str:
    lines = ["| toolkit | methods served | compared | equal | different | cases compared | shims entered |", "|---|---|---|---|---|---|---|"]
    for summary in summaries:
        cases = summary.cases
        lines.append(
            f"| {summary.toolkit} {summary.version} | {len(summary.methods)} | {len(summary.compared)} | {len(summary.compared) - len(summary.different)} "
            f"| {len(summary.different)} | {cases['equal'] + cases['different']:,} | {len(summary.ran)} of {summary.shims} |"
        )
    lines += ["", "| not compared | methods |", "|---|---|"]
    for summary in summaries:
        lines += [f"| {summary.toolkit}: {reason} | {count} |" for reason, count in summary.reasons.most_common()]
    return "\n".join(lines)


def as_json(summaries: list[compare.Summary]) -> list[dict[str, Any]]:
    return [
        {
            "toolkit": summary.toolkit, "version": summary.version, "methods": len(summary.methods), "compared": len(summary.compared),
            "different": [asdict(method) for method in summary.different], "reasons": dict(summary.reasons), "cases": dict(summary.cases),
            "shims": summary.shims, "shims_entered": len(summary.ran),
            "each": {method.name: method.why for method in summary.methods},
        }
        for summary in summaries
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--toolkit", action="append", choices=["vtk", "itk"], help="one toolkit; both without it")
    parser.add_argument("--only", action="append", metavar="GLOB", help="only methods of this name")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth method of each kind")
    parser.add_argument("--few", type=int, metavar="N", help="call each method of at most N classes")
    parser.add_argument("--guard", default="closure", choices=["none", "object", "pipeline", "closure"])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--doctor", action="store_true", help="doctor the activated runs, to prove that a difference is seen")
    parser.add_argument("--deadline", type=float, default=DEADLINE, help="seconds for one case")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--list", action="store_true", help="name each method that was not compared")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep the answers there")
    options = parser.parse_args()
    summaries = []
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="gilgen-fidelity-run-") as scratch:
        for toolkit in options.toolkit or ["vtk", "itk"]:
            folder = (options.keep or Path(scratch)) / toolkit
            folder.mkdir(parents=True, exist_ok=True)
            planned = targets.planned(toolkit)
            chosen = [target for target in planned.targets if not options.only or any(fnmatchcase(target.name, glob) for glob in options.only)][:: options.every]
            runner = Runner(toolkit, folder.resolve(), options.jobs, options.guard, options.deadline, few=options.few, doctored=options.doctor)
            runner.prepare()
            with Progress(console=console, disable=not console.is_terminal) as progress:
                task = progress.add_task(f"{toolkit} {planned.version}", total=len(chosen) * len(MODES))
                answers = runner.run(chosen, notify=partial(progress.advance, task))
                summary = confirm(runner, chosen, judge(planned, chosen, answers))
            summaries.append(summary)
            if not options.markdown:
                Console(soft_wrap=True, markup=False, highlight=False).print(text(summary, listed=options.list))
    if options.markdown:
        Console(soft_wrap=True, markup=False, highlight=False).print(markdown(summaries))
    if options.json:
        options.json.write_text(json.dumps(as_json(summaries), indent=1), encoding="utf-8")
    return DIFFERENT if any(summary.different for summary in summaries) else 0


if __name__ == "__main__":
    sys.exit(main())
