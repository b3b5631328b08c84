"""Debian's -dev packages as a source of headers: read with apt, unpacked with dpkg-deb, never installed.

Any user may do this. apt works on a state of its own below the cache, so that the system's lists and
packages stay as they are; it finds the mirror that the machine is configured for, and verifies the
archive's signature and every file's hash as ever.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gilgen import store
from gilgen.toolkits.base import DebianPackages

LIST_SECONDS = 24 * 3600
"""For how long an archive's list of packages is used again."""

PROGRAMS = ("apt-get", "apt-cache", "dpkg-deb")
_SUITES = ("oldstable", "stable", "testing", "unstable")
_KEYRINGS = [Path("/usr/share/keyrings") / f"debian-archive-keyring.{suffix}" for suffix in ("gpg", "pgp")]
_RELEASE_FILE = Path("/etc/os-release")
_TIMEOUT = 600

Notify = Callable[[str], None]


class AptError(Exception):
    """Why Debian's archive cannot serve here, in one line."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a -dev package in one of the archive's suites."""

    suite: str
    package_version: str

    @property
    def version(self) -> str:
        """The upstream part: "9.6.2+ds-4" is 9.6.2."""
        return upstream(self.package_version)


def upstream(package_version: str) -> str:
    """The upstream version behind a Debian version, without epoch, repacking suffix and revision."""
    return re.split(r"[-+~]", package_version.rpartition(":")[2], maxsplit=1)[0]


def suites() -> list[str]:
    """Where to look, the machine's own release first."""
    own = _release().get("VERSION_CODENAME", "")
    return [*([own] if own else []), *_SUITES]


def mirror() -> str:
    """The address that the machine itself reads its release's main archive from.

    Raises:
        AptError: apt is missing, or knows no such archive.
    """
    _require()
    own = _release().get("VERSION_CODENAME", "")
    template = "$(SITE)|$(RELEASE)|$(COMPONENT)"
    printed = _run(["apt-get", "indextargets", "--format", template, "Created-By: Packages"], Path("/"))
    entries = [line.split("|") for line in printed.splitlines() if line.count("|") == 2]  # noqa: PLR2004
    mains = [(site, release) for site, release, component in entries if component == "main"]
    # A machine may name its release by codename or by symbol; security and updates are other releases.
    for wanted in ([own] if own else []) + list(_SUITES):
        for site, release in mains:
            if release == wanted:
                return site
    raise AptError("apt knows no archive of this machine's own release with the component main")


def offers(suite: str, package: str, notify: Notify) -> list[Offer]:
    """The versions of a package in a suite.

    Raises:
        AptError: apt is missing, knows no mirror, or could not read the suite.
    """
    folder = _state(suite)
    known = folder / f"{package}.json"
    if known.exists() and time.time() - known.stat().st_mtime < LIST_SECONDS:
        return [Offer(suite, version) for version in json.loads(known.read_text())]
    fresh = folder / "fresh"
    if not (fresh.exists() and time.time() - fresh.stat().st_mtime < LIST_SECONDS):
        notify(f"Reading the list of packages of {suite}")
        _prepare(folder, mirror(), suite)
        _apt("apt-get", folder, "update", "--error-on=any")
        fresh.touch()
    printed = _apt("apt-cache", folder, "madison", package)
    rows = [line.split("|") for line in printed.splitlines() if line.count("|") > 1]
    versions = sorted({version.strip() for _, version, *_ in rows})
    store.write_bytes(known, json.dumps(versions).encode())
    return [Offer(suite, version) for version in versions]


def fetch(packages: DebianPackages, offer: Offer, folder: Path, notify: Notify) -> None:
    """Download and unpack a -dev package and its companions into `folder`; it appears whole or not at all.

    Raises:
        AptError: a download or an unpacking failed.
        StoreError: the cache cannot be written.
    """
    _require()
    state = _state(offer.suite)
    with store.new_folder(folder) as draft:
        wanted = [f"{packages.development}={offer.package_version}", *packages.companions]
        notify(f"Downloading {', '.join(wanted)} from {offer.suite}")
        _apt("apt-get", state, "download", *wanted, where=draft)
        archives = sorted(draft.glob("*.deb"))
        if len(archives) != len(wanted):
            raise AptError(f"apt-get download left {len(archives)} packages of {len(wanted)}")
        for archive in archives:
            _run(["dpkg-deb", "-x", str(archive), str(draft)], draft)
            archive.unlink()


def _require() -> None:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            raise AptError(f"there is no {program} on this machine")


def _release() -> dict[str, str]:
    """What the system says of itself."""
    try:
        lines = _RELEASE_FILE.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name: value.strip("\"'") for name, _, value in pairs}


def _state(suite: str) -> Path:
    return store.cache_dir() / "headers" / "apt" / suite


def _prepare(folder: Path, address: str, suite: str) -> None:
    """Lay out apt's private state for one suite."""
    with store.explained(folder):
        for part in ("lists/partial", "state", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        source = f"Types: deb\nURIs: {address}\nSuites: {suite}\nComponents: main\n"
        keyring = next((path for path in _KEYRINGS if path.exists()), None)
        if keyring is not None:
            source += f"Signed-By: {keyring}\n"
        (folder / "archive.sources").write_text(source)


def _apt(program: str, folder: Path, *arguments: str, where: Path | None = None) -> str:
    """Run apt on the private state in `folder`."""
    options = {
        "Dir::Etc::SourceList": folder / "archive.sources",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": folder / "state",
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": "2",
        "APT::Get::List-Cleanup": "false",
    }
    flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
    return _run([program, "-q", *flags, *arguments], where or folder)


def _run(command: list[str], where: Path) -> str:
    """Run a command; what it printed.

    Raises:
        AptError: it failed; the message is its own first complaint.
    """
    environment = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, cwd=where, env=environment, capture_output=True, text=True, check=True, timeout=_TIMEOUT
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.startswith(("E:", "Err"))]
        said = (lines or error.stderr.strip().splitlines() or ["no message"])[0]
        raise AptError(f"{command[0]} failed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AptError(f"{command[0]} could not run: {error}") from error
    return done.stdout
