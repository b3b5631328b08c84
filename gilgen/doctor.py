"""What gilgen needs and what of it is there: found out in seconds, changing nothing and fetching nothing."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gilgen import build, declared, libclang, match, toolkits
from gilgen.activate import read_manifest
from gilgen.errors import GilgenError, UnsupportedError
from gilgen.toolkits.base import Installation

State = Literal["ok", "missing", "absent"]

MACHINES = ("x86_64", "aarch64")
PYTHONS = ((3, 11), (3, 15))
"""The first that serves, and the first that does not."""

_PTRACE = Path("/proc/sys/kernel/yama/ptrace_scope")
_PTRACE_CHILDREN = 1
"""Up to this value of ptrace_scope a process may look into its own children, which is all that py-spy needs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: what.
        state: "ok"; "missing", so that no fix can run; or "absent", which a fix can do without.
        detail: what was found, or what is wrong.
        advice: the command that mends it; empty where nothing needs mending.
    """

    name: str
    state: State
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Checkup:
    """All findings; `ready` means that `gilgen fix` can run."""

    ready: bool
    findings: tuple[Finding, ...]


def check_machine() -> None:
    """Refuse a system that shims cannot serve.

    Raises:
        UnsupportedError: it is not Linux on x86-64 or aarch64.
    """
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in MACHINES:
        raise UnsupportedError(
            f"gilgen builds shims for Linux on x86-64 and aarch64; this is {sys.platform} on {machine}.",
            "Run gilgen in a Linux container or virtual machine: docker run -it python:3.13",
        )


def examine() -> Checkup:
    """Look for everything."""
    findings = [_python(), _machine()]
    installed: list[Installation] = []
    findings += [_toolkit(name, installed) for name in toolkits.NAMES]
    findings += [_compiler(), _libclang()]
    for installation in installed:
        findings += [_declarations(installation), _shims(installation.toolkit)]
    findings.append(_ptrace())
    ready = bool(installed) and all(item.state != "missing" for item in findings)
    return Checkup(ready, tuple(findings))


def _python() -> Finding:
    first, beyond = PYTHONS
    words = f"{sys.implementation.name} {platform.python_version()}"
    fits = sys.implementation.name == "cpython" and first <= sys.version_info[:2] < beyond
    if fits:
        return Finding("Python", "ok", words)
    return Finding("Python", "missing", words, "Install CPython 3.11 to 3.14: apt-get install python3")


def _machine() -> Finding:
    words = f"{platform.system()} on {platform.machine()}"
    try:
        check_machine()
    except UnsupportedError as error:
        return Finding("machine", "missing", words, error.advice)
    return Finding("machine", "ok", words)


def _toolkit(name: str, installed: list[Installation]) -> Finding:
    """One toolkit; added to `installed` where it is."""
    try:
        found = toolkits.get(name).installation()
    except GilgenError as error:
        return Finding(name, "absent", error.args[0], error.advice)
    installed.append(found)
    return Finding(name, "ok", f"{found.version}, {len(found.libraries)} libraries")


def _libclang() -> Finding:
    try:
        return Finding("libclang", "ok", libclang.version())
    except GilgenError as error:
        return Finding("libclang", "absent", f"{error.args[0]} Only --headers needs it.", error.advice)


def _compiler() -> Finding:
    try:
        compiler = build.find_compiler()
    except GilgenError as error:
        return Finding("C++ compiler", "missing", error.args[0], error.advice)
    return Finding("C++ compiler", "ok", compiler.version)


def _declarations(installation: Installation) -> Finding:
    """What `gilgen fix` would make the plan from."""
    toolkit = toolkits.get(installation.toolkit)
    name = f"{toolkit.name} declarations"
    try:
        found = declared.choose(toolkit, installation, None, lambda _: None)
    except GilgenError as error:
        return Finding(name, "missing", f"none of {toolkit.name} {installation.version}", error.advice)
    return Finding(name, "ok", f"{found.version}, {found.source}")


def _shims(toolkit: str) -> Finding:
    name = f"{toolkit} shims"
    advice = f"Run: gilgen fix {toolkit}"
    spec = importlib.util.find_spec(f"gilgen_shims_{toolkit}")
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return Finding(name, "absent", "not built yet", advice)
    try:
        manifest = read_manifest(Path(places[0]))
        match.check(manifest, match.toolkit_root(manifest))
    except GilgenError as error:
        return Finding(name, "absent", error.args[0], advice)
    return Finding(name, "ok", f"{len(manifest.shims)} shims for {toolkit} {manifest.version}")


def _ptrace() -> Finding:
    name = "ptrace for py-spy"
    try:
        scope = int(_PTRACE.read_text())
    except (OSError, ValueError):
        scope = 0
    if scope > _PTRACE_CHILDREN:
        return Finding(
            name, "absent", f"ptrace_scope is {scope}", "Run: sudo sysctl kernel.yama.ptrace_scope=1"
        )
    if (
        shutil.which("py-spy", path=str(Path(sys.executable).parent)) is None
        and shutil.which("py-spy") is None
    ):
        return Finding(name, "absent", "there is no py-spy", "Run: pip install py-spy")
    return Finding(name, "ok", "allowed, as far as the system says")
