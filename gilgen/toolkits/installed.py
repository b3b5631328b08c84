"""What is installed, read from the distributions' own records: no toolkit is imported for it."""

from __future__ import annotations

import csv
import hashlib
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from gilgen.errors import ToolkitNotFoundError
from gilgen.toolkits.base import Installation

ASKING = 60.0
"""Seconds that a toolkit may take to be imported and to say its version."""

_LIBRARY = re.compile(r"\.so(\.\d+)*$")


def from_records(toolkit: str, package: str, names: Iterable[str]) -> Installation | None:
    """The installation that the distributions `names` record; None where they keep no record.

    Args:
        toolkit: the toolkit's name.
        package: its import package; libraries elsewhere (bundled third-party ones) do not count.
        names: the distributions; the first one's version is the toolkit's.
    """
    digest = hashlib.sha256()
    libraries: list[str] = []
    recording: list[str] = []
    version, root = "", None
    for name in names:
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        version = version or distribution.version
        record = distribution.read_text("RECORD")
        if record is None:
            continue
        for path, checksum, *_ in csv.reader(record.splitlines()):
            if path.startswith(f"{package}/") and _LIBRARY.search(path):
                root = root or Path(str(distribution.locate_file("")))
                libraries.append(path)
                if name not in recording:
                    recording.append(name)
                digest.update(f"{path}\0{checksum}\n".encode())
    if root is None:
        return None
    digest.update(version.encode())
    return Installation(
        toolkit, version, package, root.resolve(), tuple(sorted(libraries)), digest.hexdigest()[:16], tuple(recording)
    )


def from_files(toolkit: str, package: str, distribution: str, pattern: str, question: str) -> Installation | None:
    """An installation without a record (a Debian package): the package folder's libraries and those beside.

    Args:
        toolkit: the toolkit's name.
        package: its import package.
        distribution: the distribution that may know the version.
        pattern: glob of the C++ libraries in the system's library folder, version suffix included.
        question: Python code that prints the version, for a package that no distribution's metadata tells of.

    Raises:
        ToolkitNotFoundError: nothing tells the version.
    """
    found = importlib.util.find_spec(package)
    folders = list(found.submodule_search_locations or ()) if found else []
    if not folders:
        return None
    folder = Path(folders[0]).resolve()
    root = folder.parent
    modules = [path for path in folder.rglob("*") if _LIBRARY.search(path.name)]
    beside = Path("/usr/lib") / (sysconfig.get_config_var("MULTIARCH") or "")
    shared = (
        [path for path in beside.glob(pattern) if not path.is_symlink()]
        if root.is_relative_to("/usr")
        else []
    )
    if not modules:
        return None
    digest = hashlib.sha256()
    for path in sorted({*modules, *shared}):
        status = path.stat()
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    names = [str(path.relative_to(root)) for path in modules] + [str(path) for path in shared]
    return Installation(
        toolkit, _version(toolkit, distribution, question), package, root, tuple(sorted(names)), digest.hexdigest()[:16]
    )


def _version(toolkit: str, distribution: str, question: str) -> str:
    """The version from the distribution's metadata, else from the toolkit's own mouth."""
    try:
        return importlib.metadata.version(distribution).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        pass
    try:
        asked = subprocess.run([sys.executable, "-P", "-c", question], capture_output=True, text=True, timeout=ASKING, check=False)
        answer, words = asked.stdout, asked.stderr.strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired:
        answer, words = "", "no answer"
    found = re.search(r"\d+(\.\d+)+", answer)
    if found is None:
        raise ToolkitNotFoundError(f"{toolkit} is installed, but nothing tells its version ({words or 'no answer'}).", f"Try it: {sys.executable} -c '{question}'")
    return found[0]


def missing(toolkit: str) -> ToolkitNotFoundError:
    """The error for a toolkit that is not installed here."""
    return ToolkitNotFoundError(
        f"{toolkit} is not installed in this environment.", f"Install it: pip install {toolkit}"
    )
