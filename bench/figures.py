"""Puts figures into the README: runs the examples, the diagnosis, the plans and the survey, and writes what they print.

    python bench/figures.py            # in an environment with VTK, ITK, gilgen and its shims; an hour or so

Every figure in the README stands between two marks, and this command writes all that stands there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def main() -> None:
    python = sys.executable
    gilgen = [python, "-c", "from gilgen.commands import main; main()"]
    text = README.read_text(encoding="utf-8")
    for name in ("two_pipelines", "steering"):
        text = put(text, name, block(call([python, str(ROOT / "examples" / f"{name}.py")])))
    call([*gilgen, "diagnose", "vtk", "itk", "--quick"])
    text = put(text, "diagnose", call([*gilgen, "report", "--markdown"]))
    text = put(text, "plan", block(without_tables(call([*gilgen, "plan", "vtk", "itk"]))))
    text = put(text, "survey", call([*gilgen, "survey", "vtk", "itk", "--markdown"]))
    README.write_text(text, encoding="utf-8")


def call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[-2:]} ended with {done.returncode}: {done.stderr}")
    return done.stdout.strip()


def without_tables(text: str) -> str:
    """The paragraphs that are not tables: a README says how much, the command itself says why."""
    return "\n\n".join(part for part in text.split("\n\n") if not part.startswith("reason"))


def block(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def put(text: str, name: str, figures: str) -> str:
    marked = re.compile(rf"<!-- {name} -->.*?<!-- end -->", re.DOTALL)
    if not marked.search(text):
        sys.exit(f"README.md has no mark for {name}")
    return marked.sub(lambda _: f"<!-- {name} -->\n\n{figures}\n\n<!-- end -->", text)


if __name__ == "__main__":
    main()
