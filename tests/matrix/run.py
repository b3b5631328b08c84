"""The rest of the matrix: other versions, other Pythons, a Linux distribution's VTK, and PyVista on top.

    python tests/matrix/run.py                      # every row
    python tests/matrix/run.py --only python3.13    # one
    python tests/matrix/run.py --keep DIR           # keep the environments there; a second run takes them up again

Each row gets an environment of its own, with this checkout's gilgen, and runs `gilgen fix` and the checks in it.
A row whose interpreter or system package is not on this machine is skipped, with what to install; `--install`
installs Debian packages itself. Exit code: 0 if nothing failed, 1 if a row did, 2 if no row could run at all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from rows import ROWS, Row

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGED = ("gilgen", "templates", "diagnostics", "pyproject.toml", "README.md", "LICENSE")
TEST_PACKAGES = ("pytest>=8", "hypothesis>=6")
INSTALL_SECONDS, FIX_SECONDS, CHECK_SECONDS, DOWNSTREAM_SECONDS = 1200.0, 900.0, 1200.0, 1800.0
OLDEST = (3, 11)

console = Console(soft_wrap=True)


@dataclass(frozen=True)
class Result:
    """What became of one row: "passed", "failed" or "skipped", and where or why."""

    row: str
    outcome: str
    what: str
    seconds: float


class SkippedError(Exception):
    """A row cannot run on this machine."""


class FailedError(Exception):
    """A step of a row failed."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only the rows whose name matches this glob; may be repeated")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the environments there and leave them")
    parser.add_argument("--install", action="store_true", help="install missing Debian packages with apt-get (needs root)")
    parser.add_argument("--source", type=Path, default=CHECKOUT, metavar="DIR", help="the checkout whose gilgen is installed (default: this one)")
    parser.add_argument("--list", action="store_true", help="say which rows there are, and end")
    options = parser.parse_args(arguments)
    rows = [row for row in ROWS if not options.only or any(fnmatch(row.name, glob) for glob in options.only)]
    if options.list or not rows:
        console.print("\n".join(row.name for row in ROWS))
        return 0 if options.list else 2
    with _folder(options.keep) as folder:
        wheel = _gilgen_wheel(options.source, folder)
        results = [_run(row, folder, wheel, install=options.install) for row in rows]
    _show(results)
    outcomes = {result.outcome for result in results}
    return 1 if "failed" in outcomes else 0 if "passed" in outcomes else 2


def _run(row: Row, folder: Path, wheel: Path, *, install: bool) -> Result:
    console.rule(row.name)
    began = time.monotonic()
    try:
        what = Environment(row, folder / row.name).check(wheel, install=install)
        outcome = "passed"
    except SkippedError as error:
        outcome, what = "skipped", str(error)
    except FailedError as error:
        outcome, what = "failed", str(error)
    console.print(f"{row.name}: {outcome}. {what}", markup=False)
    return Result(row.name, outcome, what, time.monotonic() - began)


class Environment:
    """The environment of one row."""

    def __init__(self, row: Row, folder: Path) -> None:
        self.row = row
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.logs = folder / "logs"

    def check(self, wheel: Path, *, install: bool) -> str:
        """Make it and run everything in it; what was found, in a line."""
        self._make(wheel, install=install)
        self._step("fix", FIX_SECONDS, "-c", "from gilgen.commands import main; main()", "fix", *self.row.toolkits)
        found = [self._tests("checks", Path(__file__).parent / "checks.py")]
        if self.row.suite:
            found.append(self._tests("tests/real/test_activate.py", CHECKOUT / "tests" / "real" / "test_activate.py"))
        if self.row.downstream:
            found.append(self._downstream())
        return "; ".join(found)

    def _make(self, wheel: Path, *, install: bool) -> None:
        interpreter = _interpreter(self.row, install=install)
        if not self.python.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            system = ["--system-site-packages"] if self.row.system else []
            _call([interpreter, "-m", "venv", *system, str(self.folder)], INSTALL_SECONDS, None, "venv")
        self.logs.mkdir(exist_ok=True)
        packages = [str(wheel), *TEST_PACKAGES, *self.row.requires]
        self._step("install", INSTALL_SECONDS, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
        self._step("reinstall gilgen", INSTALL_SECONDS, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--force-reinstall", str(wheel))

    def _step(self, name: str, seconds: float, *arguments: str, env: dict[str, str] | None = None) -> str:
        log = self.logs / f"{name.replace('/', '-').replace(' ', '-')}.log"
        began = time.monotonic()
        text = _call([str(self.python), *arguments], seconds, log, name, env, self.folder)
        console.print(f"   {name}: {time.monotonic() - began:.0f} s", markup=False)
        return text

    def _tests(self, name: str, file: Path) -> str:
        facts = {"GILGEN_MATRIX": json.dumps(self.row.facts()), "GILGEN_MATRIX_FOLDER": str(self.folder)}
        options = ("-q", "-p", "no:cacheprovider", "-c", str(CHECKOUT / "pyproject.toml"), "--rootdir", str(CHECKOUT))
        text = self._step(name, CHECK_SECONDS, "-m", "pytest", *options, str(file), env=facts)
        return f"{name}: {text.strip().splitlines()[-1].strip('= ')}"

    def _downstream(self) -> str:
        compare = CHECKOUT / "tests" / "downstream" / "compare.py"
        text = self._step("downstream", DOWNSTREAM_SECONDS, str(compare), self.row.downstream, "--doctest-modules")
        return f"{self.row.downstream}: {text.strip().splitlines()[-2]}"


# ------------------------------------------------------------------------------------- interpreters


def _interpreter(row: Row, *, install: bool) -> str:
    """The interpreter that a row wants.

    Raises:
        SkippedError: it, or a system package, is not on this machine.
    """
    missing = [package for package in row.system if not _has_package(package)]
    if missing and install:
        _call(["apt-get", "install", "-y", "--no-install-recommends", *missing], INSTALL_SECONDS, None, "apt-get install")
    elif missing:
        raise SkippedError(f"{', '.join(missing)} is not installed. Install it: apt-get install --no-install-recommends {' '.join(missing)} (or run with --install)")
    name = row.python or sys.executable
    found = _works(name)
    if found is None:
        raise SkippedError(f"There is no {name} that can make environments. Install it, with its venv module, and have it on PATH.")
    return found


def _has_package(package: str) -> bool:
    with contextlib.suppress(OSError):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True, check=False)
        return done.stdout.endswith(" installed")
    return False


def _works(name: str) -> str | None:
    """Where an interpreter of that name lies that starts and can make environments; a manager's shim may do neither."""
    code = "import ensurepip, sys, venv; print(sys.executable if sys.version_info >= (3, 11) else '')"
    for place in filter(None, (shutil.which(name), *_managed(name))):
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run([place, "-c", code], capture_output=True, text=True, timeout=60, check=False)
            if done.returncode == 0 and done.stdout.strip():
                return done.stdout.strip()
    return None


def _managed(name: str) -> Iterator[str]:
    """The same interpreter where pyenv or uv keep theirs, if either is used."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob(f"versions/*/bin/{name}"), reverse=True))
    yield from map(str, sorted((Path.home() / ".local/share/uv/python").glob(f"*/bin/{name}"), reverse=True))


# ------------------------------------------------------------------------------------------ helpers


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="gilgen-matrix-", ignore_cleanup_errors=True) as scratch:
        yield Path(scratch).resolve()


def _gilgen_wheel(source: Path, folder: Path) -> Path:
    """The checkout's gilgen as a wheel, built from a copy so that the checkout stays as it is."""
    copy, wheels = folder / "source", folder / "wheels"
    for place in (copy, wheels):
        shutil.rmtree(place, ignore_errors=True)
    copy.mkdir()
    for name in PACKAGED:
        item = source / name
        if item.is_dir():
            shutil.copytree(item, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(item, copy / name)
    _call([sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps", "-w", str(wheels), str(copy)], INSTALL_SECONDS, None, "wheel")
    return next(wheels.glob("gilgen-*.whl"))


def _call(command: list[str], seconds: float, log: Path | None, name: str, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command with a deadline and return what it wrote.

    Raises:
        FailedError: it failed, or took too long; with the end of what it wrote.
    """
    kept = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"} and not key.startswith("PYTEST_")}
    process = subprocess.Popen(
        command, env=kept | (env or {}), cwd=cwd, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        text, _ = process.communicate(timeout=seconds)
        problem = f"code {process.returncode}" if process.returncode else ""
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
        problem = f"not done after {seconds:.0f} s"
    if log is not None:
        log.write_text(text)
    if problem:
        console.print(text[-6000:], markup=False, highlight=False)
        raise FailedError(f"{name}: {problem}: {' | '.join(text.strip().splitlines()[-1:])}")
    return text


def _show(results: list[Result]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("row", "outcome", "seconds", "what"):
        table.add_column(column, overflow="fold", justify="right" if column == "seconds" else "left")
    for result in results:
        table.add_row(result.row, result.outcome, f"{result.seconds:.0f}", result.what)
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
