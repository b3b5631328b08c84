"""mypy --strict over the package as it is installed: gilgen, with templates/ and diagnostics/ inside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Lay the sources out as the wheel does, and check them there."""
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch) / "gilgen"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "gilgen", package, ignore=ignore)
        shutil.copytree(ROOT / "templates", package / "templates", ignore=ignore)
        shutil.copytree(ROOT / "diagnostics", package / "diagnostics", ignore=ignore)
        command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-incremental", "-p", "gilgen"]
        return subprocess.run(command, cwd=scratch, env=os.environ | {"MYPYPATH": scratch}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
