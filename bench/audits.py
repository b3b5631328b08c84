"""Audits the wheels of several versions, and writes what was found into the README.

    python bench/audits.py DIR         # wheels go to DIR and stay there (1.5 GB); with wheels in DIR, a minute

The wheels come from the package registry through pip; nothing is installed and nothing is imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import figures

from gilgen.audit import auditing
from gilgen.audit.records import Audit

ITK_PARTS = ("itk-core", "itk-filtering", "itk-io", "itk-numerics", "itk-registration", "itk-segmentation")

VERSIONS = (
    ("vtk", "9.3.0", ("vtk",)),
    ("vtk", "9.4.2", ("vtk",)),
    ("vtk", "9.6.2", ("vtk",)),
    ("vtk", "9.7.2", ("vtk",)),
    ("itk", "5.4.3", ITK_PARTS),
    ("itk", "5.4.7", ITK_PARTS),
    ("itk", "6.0b2", ITK_PARTS),
)
"""Toolkit, version, and the distributions that hold its compiled modules."""


def main(folder: Path) -> None:
    lines = [
        "| wheel | wrapped methods | can release | of these the toolkit's own | in their wrapper | in a library that they call |",
        "|---|---|---|---|---|---|",
    ]
    for toolkit, version, parts in VERSIONS:
        audits = [auditing.audit_path(str(wheel(folder, part, version))) for part in parts]
        lines.append(row(toolkit, version, audits))
        print(lines[-1], flush=True)
    text = figures.README.read_text(encoding="utf-8")
    figures.README.write_text(figures.put(text, "audit", "\n".join(lines)), encoding="utf-8")


def row(toolkit: str, version: str, audits: list[Audit]) -> str:
    releasing = [
        wrapper
        for audit in audits
        for wrapper in audit.wrappers
        if wrapper.verdict in {"releases", "mixed"} and wrapper.kind in {"method", "function"}
    ]
    own = [wrapper for wrapper in releasing if wrapper.owner.startswith(toolkit)]
    direct = {wrapper.name for wrapper in own if wrapper.evidence.through[-1:] == ("PyEval_SaveThread",)}
    through = {wrapper.name for wrapper in own} - direct
    methods = sum(audit.counts["methods"] for audit in audits)
    names = {wrapper.name for wrapper in releasing}
    return f"| {toolkit} {version} | {methods:,} | {len(names):,} | {len(direct) + len(through)} | {len(direct)} | {len(through)} |"


def wheel(folder: Path, part: str, version: str) -> Path:
    """The wheel of one distribution, fetched unless it is there."""
    name = part.replace("-", "_")
    found = sorted(folder.glob(f"{name}-{version}-*.whl"))
    if not found:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
        subprocess.run([*command, f"{part}=={version}"], check=True)
        found = sorted(folder.glob(f"{name}-{version}-*.whl"))
    return found[0]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
