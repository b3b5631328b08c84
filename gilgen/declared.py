"""What a plan is made from: what gilgen ships of a release, or headers.

Headers that the user names come first. What is shipped of just the installed release comes before headers that are
at hand, because anybody's plan is the same then; for a release that gilgen does not know, headers of just that
release come before what is shipped of its nearest.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gilgen import facts, headers, scan, store
from gilgen.errors import HeadersNotFoundError
from gilgen.model import Api, Headers
from gilgen.toolkits.base import Installation, Toolkit

Notify = Callable[[str], None]


def choose(toolkit: Toolkit, installation: Installation, headers_dir: Path | None, notify: Notify) -> Headers:
    """Where the declarations of an installed toolkit are to come from. Nothing is fetched.

    Args:
        toolkit: whose declarations.
        installation: what they should match.
        headers_dir: headers that the user named, if any.
        notify: is told what takes time.

    Raises:
        HeadersNotFoundError: there is nothing of the same major version; it lists what was looked at.
    """
    if headers_dir is not None:
        return headers.find(toolkit, installation, headers_dir, notify)
    version = facts.nearest(toolkit.name, installation.version)
    shipped = facts.headers(toolkit.name, version, installation.version) if version else None
    if shipped and not shipped.notice:
        return shipped
    try:
        found = headers.find(toolkit, installation, None, notify, fetch=False)
    except HeadersNotFoundError:
        if shipped is None:
            raise
        return shipped
    return shipped if shipped and found.notice else found


def key(toolkit: Toolkit, found: Headers) -> str:
    """Changes when the declarations do."""
    if not found.root:
        return store.key_of(found.toolkit, found.version, found.wheel_version, facts.key(found.toolkit, found.version))
    root = Path(found.root)
    return store.key_of(headers.identity(found), store.key_of_files([root / file for file in toolkit.header_files(root)]))


def read(toolkit: Toolkit, installation: Installation, found: Headers, notify: Notify) -> Api:
    """The declarations.

    Raises:
        ArtefactError: what gilgen ships is damaged.
        ScanError, StoreError: as `scan.scan` does.
    """
    if found.root:
        return scan.scan(toolkit, installation, found, notify)
    return facts.read(found.toolkit, found.version, found.wheel_version, old_strings=bool(scan.string_flags(installation)))
