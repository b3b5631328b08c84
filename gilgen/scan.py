"""Headers -> Api: what a toolkit's C++ headers declare, read with libclang.

All headers are read in a few big translation units, because what they share (and they share nearly all)
is then parsed once; function bodies are skipped. A header that has errors there, because another one
came before it, is read again alone. Each unit has a process to itself: libclang's memory goes back to the
system at the end, and its crash is an error message.
"""

from __future__ import annotations

import dataclasses
import json
import math
import mmap
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gilgen import store
from gilgen.errors import ArtefactError, ScanError
from gilgen.headers import identity
from gilgen.model import Api, Class, DroppedHeader, Headers
from gilgen.toolkits.base import Installation, Toolkit

UNIT_SIZE = 2000
"""Headers in one translation unit, at most: what a process reads in about nine seconds and half a gigabyte.

Smaller units would share less of the parsing, larger ones leave a processor idle at the end."""

ALONE_LIMIT = 24
"""Headers of one toolkit that are read again alone, at most: one costs a second or two."""

RESOURCE = Path(__file__).parent / "resource"
"""Stand-ins for the compiler's own headers, which libclang's Python package lacks."""

FLAGS = [
    "-x", "c++", "-std=c++17", "-w", "-ferror-limit=0", "-nobuiltininc", "-isystem", str(RESOURCE),
    # Without these, headers choose their hand-written vector code, which needs the compiler's intrinsics.
    "-U__MMX__", "-U__SSE__", "-U__SSE2__", "-U__ARM_NEON",
]  # fmt: skip

OLD_STRINGS = ["-D_GLIBCXX_USE_CXX11_ABI=0"]
"""What makes `std::string` libstdc++'s older one (GCC's manual of libstdc++, Dual ABI)."""

_slots = threading.BoundedSemaphore(len(os.sched_getaffinity(0)) + 1)
"""Workers that run at once, over all the toolkits that this process scans: one more than there are
processors, so that none is idle while the last unit is read."""

_STANDARD_HEADER = re.compile(
    r"'[a-z_]+' file not found|'(?:stdio|stdlib|string|math|wchar)\.h' file not found"
)
"""Only the C++ standard library's headers have no suffix and no folder."""

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', re.MULTILINE)

_SUMMARY = "summary.json"

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ScanSummary:
    """What a scan found, in figures; kept beside the Api so that nobody decodes that to print these.

    Attributes:
        seconds: how long the scan took when it was made.
        memory: the largest worker's peak, in MB.
        cached: nothing had to be read this time.
    """

    toolkit: str
    version: str
    source: str
    headers: int
    classes: int
    templates: int
    methods: int
    dropped: tuple[DroppedHeader, ...]
    seconds: float
    memory: int
    api: str
    notice: str = ""
    cached: bool = False


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one worker read: encoded classes by name, errors by file, files that lack an include."""

    classes: dict[str, Any]
    counts: dict[str, tuple[bool, int]]
    headers: dict[str, str]
    errors: dict[str, list[str]]
    incomplete: set[str]
    memory: int


def scan(toolkit: Toolkit, installation: Installation | None, headers: Headers, notify: Notify, *, old_strings: bool = False) -> Api:
    """The Api that `headers` declare, from the cache where nothing has changed.

    Args:
        toolkit: whose headers they are.
        installation: names methods as its libraries do; None where no installed package is meant.
        headers: what to read.
        notify: is told what takes time.
        old_strings: without an installation: name methods with libstdc++'s older `std::string`.

    Raises:
        ScanError: libclang or the C++ standard library is missing, or a worker failed.
        StoreError: the cache cannot be written.
    """
    summary = ensure(toolkit, installation, headers, notify, old_strings=old_strings)
    try:
        found = store.read(Path(summary.api), Api)
    except ArtefactError:
        # Damaged on the disk: what a summary stands beside is remade like what has none.
        Path(summary.api).with_name(_SUMMARY).unlink(missing_ok=True)
        summary = ensure(toolkit, installation, headers, notify, old_strings=old_strings)
        found = store.read(Path(summary.api), Api)
    return dataclasses.replace(found, headers=headers)  # whoever had it read first may have got them from elsewhere


def ensure(toolkit: Toolkit, installation: Installation | None, headers: Headers, notify: Notify, *, old_strings: bool = False) -> ScanSummary:
    """Make the scan's artefact unless it is there, and say what it holds; takes and raises what `scan` does."""
    names = toolkit.header_files(Path(headers.root))
    if not names:
        raise ScanError(f"No headers to read in {headers.root}.", f"Run: gilgen headers {toolkit.name}")
    strings = string_flags(installation) if installation else OLD_STRINGS * old_strings
    flags = [*FLAGS, *strings, *toolkit.clang_flags(headers)]
    key = store.key_of(
        store.key_of_files([Path(headers.root) / name for name in names]),
        *flags,
        identity(headers),
    )
    folder = store.artefact_dir("scan", toolkit.name, headers.version, key)
    with store.lock(f"scan-{toolkit.name}-{key}"):
        known = _known(folder)
        if known is not None:
            return dataclasses.replace(known, source=headers.source)
        notify(f"Reading {len(names)} headers of {toolkit.name} {headers.version}")
        return _make(folder, headers, names, flags)


def string_flags(installation: Installation) -> list[str]:
    """What makes std::string mangle as it does in the installed libraries.

    libstdc++ has two of them; portable wheels are often built with the older. The first library that
    names either tells which.
    """
    new, old = b"St7__cxx11", b"_ZNSs"
    for name in installation.libraries:
        path = installation.root / name
        try:
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if data.find(new) >= 0:
                    return []
                if data.find(old) >= 0:
                    return OLD_STRINGS
        except (OSError, ValueError):
            continue  # an empty or unreadable file tells nothing
    return []


def _known(folder: Path) -> ScanSummary | None:
    """The summary of an artefact that is complete; None where there is none, or a damaged one."""
    summary, api = folder / _SUMMARY, folder / "api.json"
    if not (summary.exists() and api.exists()):
        return None
    try:
        found = store.read(summary, ScanSummary)
    except ArtefactError:
        return None
    return dataclasses.replace(found, cached=True, api=str(api))


def _make(folder: Path, headers: Headers, names: list[str], flags: list[str]) -> ScanSummary:
    started = time.monotonic()
    first = _read_all(headers.root, _parts(names), names, flags)
    _refuse_without_library(first)
    classes: dict[str, Any] = {}
    counts: dict[str, tuple[bool, int]] = {}
    where: dict[str, str] = {}
    for reading in first:
        classes = reading.classes | classes
        counts = reading.counts | counts
        where = reading.headers | where
    errors = {name: found for reading in reversed(first) for name, found in reading.errors.items()}
    incomplete = set().union(*(reading.incomplete for reading in first))
    candidates = _worth_reading_alone(headers.root, sorted(set(errors) & set(names)), incomplete)
    alone = dict(zip(candidates, _read_each(headers.root, candidates, flags), strict=True))
    clean = {name for name, reading in alone.items() if name not in reading.errors}
    for name in sorted(clean):
        # What the big unit read of this header is not to be trusted; what it alone gives is.
        for stale in [known for known, header in where.items() if header == name]:
            del classes[stale], counts[stale], where[stale]
        classes |= alone[name].classes
        counts |= alone[name].counts
        where |= alone[name].headers
    dropped = tuple(DroppedHeader(name, errors[name][0], name in clean) for name in sorted(errors))
    with store.new_folder(folder) as draft:
        # The classes are already encoded: they go from the workers to the file as they are.
        encoded = cast("tuple[Class, ...]", tuple(classes[name] for name in sorted(classes)))
        store.write(draft / "api.json", Api(headers.toolkit, headers.version, headers, encoded, dropped))
        summary = ScanSummary(
            toolkit=headers.toolkit,
            version=headers.version,
            source=headers.source,
            headers=len(names),
            classes=sum(not template for template, _ in counts.values()),
            templates=sum(template for template, _ in counts.values()),
            methods=sum(methods for _, methods in counts.values()),
            dropped=dropped,
            seconds=round(time.monotonic() - started, 2),
            memory=max(reading.memory for reading in [*first, *alone.values()]),
            api=str(folder / "api.json"),
            notice=headers.notice,
        )
        store.write(draft / _SUMMARY, summary)
    return summary


def _worth_reading_alone(root: str, names: list[str], incomplete: set[str]) -> list[str]:
    """Those of `names` that do not include, however far down, a header whose own includes are missing.

    The others would fail alone just as they failed in company. Includes that a condition leaves out
    count too: that costs a second reading at most, never a wrong one.
    """
    doubtful = including(root, names, incomplete)
    return [name for name in names if name not in doubtful][:ALONE_LIMIT]


def including(root: str, names: Iterable[str], those: set[str]) -> set[str]:
    """Which of `names` are among `those` or include one of them, however far down."""
    included: dict[str, set[str]] = {}

    def directly(name: str) -> set[str]:
        if name not in included:
            path = Path(root) / name
            text = path.read_text(errors="replace") if path.is_file() else ""
            included[name] = set(_INCLUDE.findall(text))
        return included[name]

    def closure(name: str) -> set[str]:
        found, waiting = {name}, [name]
        while waiting:
            fresh = directly(waiting.pop()) - found
            found |= fresh
            waiting.extend(fresh)
        return found

    return {name for name in names if closure(name) & those}


def _parts(names: list[str]) -> list[list[str]]:
    """Headers in alphabetical pieces of nearly equal size, none longer than UNIT_SIZE."""
    count = math.ceil(len(names) / UNIT_SIZE)
    size = math.ceil(len(names) / count)
    return [names[start : start + size] for start in range(0, len(names), size)]


def _read_all(root: str, parts: list[list[str]], names: list[str], flags: list[str]) -> list[_Reading]:
    """Read each part in a process of its own."""
    jobs = [
        {
            "root": root,
            "flags": flags,
            "headers": part,
            "elsewhere": sorted(set(names) - set(part)),
            "only": "",
        }
        for part in parts
    ]
    return _run(jobs)


def _read_each(root: str, names: list[str], flags: list[str]) -> list[_Reading]:
    """Read each header alone."""
    jobs = [
        {"root": root, "flags": flags, "headers": [name], "elsewhere": [], "only": name} for name in names
    ]
    return _run(jobs)


def _run(jobs: list[dict[str, Any]]) -> list[_Reading]:
    """Run workers, a few at once; none outlives this call."""
    if not jobs:
        return []
    running: list[subprocess.Popen[bytes]] = []
    with ThreadPoolExecutor(len(jobs)) as pool:
        futures = [pool.submit(_work, job, running) for job in jobs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            for process in running:
                process.kill()
            raise


def _work(job: dict[str, Any], running: list[subprocess.Popen[bytes]]) -> _Reading:
    """Run one worker to its end and take in what it left."""
    import msgspec  # noqa: PLC0415 - the workers' parent imports it late, so that --help stays quick

    command = [sys.executable, "-P", "-m", "gilgen.scan_worker"]
    with _slots, tempfile.TemporaryDirectory(prefix="gilgen-scan-") as folder:
        result = Path(folder) / "result.json"
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        running.append(process)
        _, words = process.communicate(json.dumps({**job, "result": str(result)}).encode())
        if process.returncode != 0 or not result.exists():
            last = words.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            what = f"{len(job['headers'])} headers from {job['headers'][0]} on"
            raise ScanError(
                f"Reading {what} failed (exit code {process.returncode}): {last[0]}",
                "Run `gilgen doctor`; the C++ library's headers come with: apt-get install g++",
            )
        data = msgspec.json.decode(result.read_bytes(), type=dict[str, msgspec.Raw])
    classes = msgspec.json.decode(data["classes"], type=dict[str, msgspec.Raw])
    rest = {
        name: msgspec.json.decode(data[name])
        for name in ("counts", "headers", "errors", "incomplete", "memory")
    }
    return _Reading(
        classes,
        {name: (template, methods) for name, (template, methods) in rest["counts"].items()},
        rest["headers"],
        rest["errors"],
        set(rest["incomplete"]),
        rest["memory"],
    )


def _refuse_without_library(readings: Iterable[_Reading]) -> None:
    """Say so at once where the C++ standard library's headers are not installed."""
    counted: dict[str, int] = defaultdict(int)
    for reading in readings:
        for messages in reading.errors.values():
            for message in messages:
                if _STANDARD_HEADER.search(message):
                    counted[message] += 1
    if counted:
        raise ScanError(
            f"The C++ standard library's headers are not on this machine ({min(counted)}).",
            "Install a compiler with them: apt-get install g++",
        )
