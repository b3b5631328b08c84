"""The examples run, as a newcomer would run them, and print what they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str) -> str:
    return output_of(sys.executable, str(EXAMPLES / name), *arguments)


def output_of(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows(text: str, shims: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if shims in line.split()[:2]]


def test_two_pipelines_measures_both_or_says_what_is_missing():
    text = run("two_pipelines.py")
    assert [row[0] for row in rows(text, "plain")] == [
        "vtkContourFilter.UpdatePiece",
        "vtkOBBTree.BuildLocator",
        "itk.MedianImageFilter.Update",
    ]
    assert len(rows(text, "gilgen")) == 3 or "gilgen fix" in text


def test_steering_plain():
    text = run("steering.py", "--plain")
    row = rows(text, "plain")[0]
    # Plain, the loop cannot abort anything: it does not turn while a run lasts.
    assert int(row[-1]) == 0
    assert not rows(text, "gilgen")


def test_steering_with_gilgen_aborts_runs_or_says_what_is_missing():
    text = run("steering.py")
    shimmed = rows(text, "gilgen")
    assert shimmed or "gilgen fix" in text
    if shimmed:
        assert int(shimmed[0][-1]) > 0


def test_the_window_of_the_tutorial_freezes_and_with_gilgen_it_does_not():
    plain = longest_frame(run("frozen.py"))
    shimmed = longest_frame(output_of(sys.executable, "-c", "from gilgen.commands import main; main()", "run", str(EXAMPLES / "frozen.py")))
    assert plain > 0.1
    assert shimmed < plain / 2


def longest_frame(text: str) -> float:
    return float(text.rpartition("longest took ")[2].removesuffix(" s\n"))
