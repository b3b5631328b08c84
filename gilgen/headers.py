"""Finds headers of a wheel's version, or of the nearest: wheels carry none.

Looked at in this order: the folder that the user names, the toolkit's SDK package, the environment's and
the system's include folders, what was fetched before, and Debian's -dev packages. An exact match anywhere
comes before a near one of the same major version.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gilgen import debian, store
from gilgen.errors import HeadersNotFoundError
from gilgen.model import Headers
from gilgen.toolkits.base import Installation, Toolkit

SYSTEM_PREFIXES = (Path("/usr/include"), Path("/usr/local/include"))

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Headers that were found: their version, their folder, the include prefix it is in, and how to call that."""

    version: str
    root: Path
    prefix: Path
    source: str


def find(
    toolkit: Toolkit,
    installation: Installation,
    headers_dir: Path | None = None,
    notify: Notify = lambda _: None,
    *,
    fetch: bool = False,
) -> Headers:
    """Headers for an installed toolkit.

    Args:
        toolkit: whose headers.
        installation: what they should match.
        headers_dir: use the headers here and look nowhere else.
        notify: is told what takes time.
        fetch: whether to ask Debian's archive too. Nothing is asked unless the user said so.

    Raises:
        HeadersNotFoundError: there are none of the same major version; it lists what was looked at.
        StoreError: the cache cannot be written.
    """
    if headers_dir is not None:
        return _named(toolkit, installation, headers_dir)
    wanted = installation.version
    looked: list[str] = []
    near: list[_Candidate] = []
    for source, prefix in _prefixes(toolkit):
        found = _below(toolkit, prefix, source)
        exact = [candidate for candidate in found if candidate.version == _release(wanted)]
        if exact:
            return _headers(toolkit, installation, exact[0])
        looked.append(f"{source} ({prefix}): {', '.join(item.version for item in found) or 'no headers'}")
        near.extend(found)
    if fetch:
        with store.lock("headers"):
            offer = _best_offer(toolkit, wanted, near, looked, notify)
            if offer is not None:
                near = [_fetched(toolkit, offer, notify, looked)]
    best = _nearest(wanted, near)
    if best is None:
        raise _not_found(toolkit, wanted, looked)
    return _headers(toolkit, installation, best)


def identity(found: Headers) -> Headers:
    """What a cache's key is made of: all but the words on where they came from, which are others once they were fetched."""
    return replace(found, source="")


def read_version(toolkit: Toolkit, folder: Path, version: str) -> Headers:
    """The headers in a folder, or directly below it, taken for those of a release, whatever is installed.

    Raises:
        HeadersNotFoundError: there are none.
    """
    for prefix in (folder, folder / "include"):
        for found in _below(toolkit, prefix.absolute(), "--headers"):
            return Headers(toolkit.name, version, version, str(found.root), _companions(toolkit, found), found.source)
    raise HeadersNotFoundError(f"There are no {toolkit.name} headers in {folder}.", "Name with --headers DIR the folder that holds them.")


def _named(toolkit: Toolkit, installation: Installation, folder: Path) -> Headers:
    """The headers in the folder that the user named, or directly below it."""
    for prefix in (folder, folder / "include"):
        found = _below(toolkit, prefix.absolute(), "--headers")
        best = _nearest(installation.version, found)
        if best is not None:
            return _headers(toolkit, installation, best)
        if found:
            raise HeadersNotFoundError(
                f"The headers in {found[0].root} are of {toolkit.name} {found[0].version}; "
                f"{installation.version} is installed.",
                "Name headers of the same major version with --headers DIR, or leave the option out.",
            )
    raise HeadersNotFoundError(
        f"There are no {toolkit.name} headers in {folder}.",
        "Name with --headers DIR the folder that holds them, or leave the option out and gilgen looks itself.",
    )


def _prefixes(toolkit: Toolkit) -> Iterator[tuple[str, Path]]:
    """(what it is, include prefix), in the order in which they count."""
    spec = importlib.util.find_spec(toolkit.sdk) if toolkit.sdk else None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield f"the package {toolkit.sdk}", Path(place) / "content" / "include"
    yield "this environment", Path(sys.prefix) / "include"
    for prefix in SYSTEM_PREFIXES:
        yield "the system", prefix
    for folder in sorted((store.cache_dir() / "headers").glob(f"{toolkit.name}-*")):
        yield f"Debian's {toolkit.debian.development}, fetched before", folder / "usr" / "include"


def _below(toolkit: Toolkit, prefix: Path, source: str) -> list[_Candidate]:
    """Every version of the toolkit's headers that an include prefix holds."""
    found = []
    for pattern in toolkit.header_dirs:
        for root in sorted(prefix.glob(pattern)) if pattern else [prefix]:
            version = toolkit.header_version(root)
            if version is not None:
                found.append(_Candidate(version, root, prefix if pattern else prefix.parent, source))
    return found


def _best_offer(
    toolkit: Toolkit, wanted: str, near: list[_Candidate], looked: list[str], notify: Notify
) -> debian.Offer | None:
    """What Debian has that is better than `near`; the first suite with the exact version ends the search."""
    package = toolkit.debian.development
    try:
        debian.mirror()
    except debian.AptError as error:
        looked.append(f"Debian's {package}: {error}")
        return None
    offers: list[debian.Offer] = []
    for suite in debian.suites():
        try:
            found = debian.offers(suite, package, notify)
        except debian.AptError as error:
            looked.append(f"Debian {suite}: {error}")
            continue
        looked.append(
            f"Debian {suite}, {package}: {', '.join(item.package_version for item in found) or 'none'}"
        )
        for offer in found:
            if offer.version == _release(wanted):
                return offer
        offers.extend(found)
    local = _nearest(wanted, near)
    eligible = [offer for offer in offers if _distance(wanted, offer.version) is not None]
    if not eligible:
        return None
    best = min(eligible, key=lambda offer: _distance(wanted, offer.version) or (0, 0))
    if local is not None and (_distance(wanted, local.version) or (0, 0)) <= (
        _distance(wanted, best.version) or (0, 0)
    ):
        return None
    return best


def _fetched(toolkit: Toolkit, offer: debian.Offer, notify: Notify, looked: list[str]) -> _Candidate:
    """Download what Debian offers."""
    folder = store.cache_dir() / "headers" / f"{toolkit.name}-{offer.version}"
    try:
        debian.fetch(toolkit.debian, offer, folder, notify)
    except debian.AptError as error:
        looked.append(f"Debian {offer.suite}: {error}")
        raise _not_found(toolkit, offer.version, looked) from error
    source = f"Debian's {toolkit.debian.development} {offer.package_version} ({offer.suite})"
    found = _below(toolkit, folder / "usr" / "include", source)
    if not found:
        looked.append(f"{source}: holds no headers that gilgen recognises")
        raise _not_found(toolkit, offer.version, looked)
    return found[0]


def _release(version: str) -> str:
    """The numbers of a version: "9.6.2rc1" is 9.6.2."""
    return ".".join(re.findall(r"\d+", version)[:3])


def _distance(wanted: str, version: str) -> tuple[int, int] | None:
    """How far two versions are apart in minor and patch numbers; None where the major number differs."""
    first, second = ([*map(int, re.findall(r"\d+", text)), 0, 0][:3] for text in (wanted, version))
    if first[0] != second[0]:
        return None
    return abs(first[1] - second[1]), abs(first[2] - second[2])


def _nearest(wanted: str, candidates: list[_Candidate]) -> _Candidate | None:
    """The candidate of the same major version that is least far; the first of equals."""
    same = [item for item in candidates if _distance(wanted, item.version) is not None]
    return min(same, key=lambda item: _distance(wanted, item.version) or (0, 0), default=None)


def _headers(toolkit: Toolkit, installation: Installation, found: _Candidate) -> Headers:
    """The record of what was found, with a word on what a difference means."""
    notice = ""
    if found.version != _release(installation.version):
        notice = (
            f"These are headers of {toolkit.name} {found.version}; {installation.version} is installed. Methods that "
            "came between them are missed and result types may differ; every shim is still confirmed by the "
            "installed libraries' own symbols."
        )
    return Headers(
        toolkit.name, found.version, installation.version, str(found.root), _companions(toolkit, found), found.source, notice
    )


def _companions(toolkit: Toolkit, found: _Candidate) -> tuple[str, ...]:
    """The folders beside the headers of what they include of others."""
    folders = [found.prefix / name for name in toolkit.debian.includes]
    return tuple(str(folder) for folder in folders if folder.is_dir())


def _not_found(toolkit: Toolkit, wanted: str, looked: list[str]) -> HeadersNotFoundError:
    """The error that lists everything that was looked at."""
    places = "\n".join(f"  - {line}" for line in looked)
    sdk = (
        f"\n  - or install the SDK: pip install {toolkit.sdk.replace('_', '-')}=={wanted}"
        if toolkit.sdk
        else ""
    )
    return HeadersNotFoundError(
        f"No headers of {toolkit.name} {wanted} were found. Looked at:\n{places}",
        "What helps:\n  - name a folder: --headers DIR\n"
        f"  - or fetch Debian's into the cache, on Debian: gilgen headers {toolkit.name} --fetch\n"
        f"  - or install Debian's: apt-get install {toolkit.debian.development}{sdk}",
    )
