"""What the headers of each release of VTK and ITK declare, made from them once and shipped with gilgen, so that no user needs headers.

A release's file holds the classes that differ from another release's, its base, and the names of those that are
gone. `gilgen scan TOOLKIT --headers DIR --facts FOLDER` makes such a file.
"""

from __future__ import annotations

import dataclasses
import functools
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from packaging.version import Version

from gilgen import store
from gilgen.errors import ArtefactError
from gilgen.model import Api, Class, Headers, Method

FOLDER = Path(str(resources.files(__name__)))

SUFFIX = ".json.xz"

SOURCE = "shipped with gilgen"
"""Where such declarations came from, in words."""


@dataclass(frozen=True, slots=True)
class Release:
    """One file.

    Attributes:
        base: the release that this one is told by its differences from; empty where it stands alone.
        classes: those that the base lacks or has otherwise, without what no plan reads.
        gone: names of classes that only the base has.
        old: mangled name -> the same with libstdc++'s older `std::string`, where they differ; of all classes.
    """

    toolkit: str
    version: str
    base: str
    classes: tuple[Class, ...]
    gone: tuple[str, ...] = ()
    old: dict[str, str] = dataclasses.field(default_factory=dict)


def releases(toolkit: str, folder: Path = FOLDER) -> tuple[str, ...]:
    """The releases of a toolkit that gilgen knows, oldest first."""
    names = (path.name.removeprefix(f"{toolkit}-").removesuffix(SUFFIX) for path in folder.glob(f"{toolkit}-*{SUFFIX}"))
    return tuple(sorted(names, key=Version))


def nearest(toolkit: str, version: str, folder: Path = FOLDER) -> str | None:
    """The release of the same major version that is least far from `version`, the later one of two; None where there is none."""
    wanted = Version(version)
    same = [known for known in releases(toolkit, folder) if Version(known).major == wanted.major]
    return min(reversed(same), key=lambda known: (not same_release(version, known), _distance(wanted, Version(known))), default=None)


def same_release(version: str, another: str) -> bool:
    """Whether two versions are one release, however often it was packaged: 5.4.2.post1 is 5.4.2, and 5.4.2rc1 is not."""
    one, other = Version(version), Version(another)
    return (*one.release, 0)[:3] == (*other.release, 0)[:3] and one.pre == other.pre


def _distance(one: Version, other: Version) -> tuple[int, int]:
    return abs(one.minor - other.minor), abs(one.micro - other.micro)


def read(toolkit: str, version: str, wheel_version: str, *, old_strings: bool = False, folder: Path = FOLDER) -> Api:
    """What a release declares.

    Args:
        toolkit: "vtk" or "itk".
        version: one of `releases`.
        wheel_version: the version of the installed package.
        old_strings: name methods as libraries do that were built with libstdc++'s older `std::string`.
        folder: where the files are.

    Raises:
        ArtefactError: a file is missing or damaged.
    """
    classes, old = _classes(toolkit, version, folder)
    if not old_strings:
        old = {}
    found = tuple(_renamed(classes[name], old) for name in sorted(classes))
    return Api(toolkit, version, headers(toolkit, version, wheel_version), found)


def key(toolkit: str, version: str, folder: Path = FOLDER) -> str:
    """Changes when what is shipped of a release does."""
    return store.key_of_files(sorted(folder.glob(f"{toolkit}-*{SUFFIX}"))) + version


def headers(toolkit: str, version: str, wheel_version: str) -> Headers:
    """The record that says where such declarations came from."""
    notice = ""
    if not same_release(version, wheel_version):
        notice = (
            f"gilgen has no declarations of {toolkit} {wheel_version}; those of {version} serve. Methods that came between them are missed; "
            "every shim is still confirmed by the installed libraries' own symbols."
        )
    return Headers(toolkit, version, wheel_version, "", (), SOURCE, notice)


def write(api: Api, old: Api, folder: Path = FOLDER, base: str = "") -> Path:
    """Write a release's file.

    Args:
        api: what the release's headers declare.
        old: the same, read with libstdc++'s older `std::string`.
        folder: where the file goes, and where the base's is.
        base: a release that is there; the file then holds what differs from it.
    """
    import msgspec  # noqa: PLC0415 - as below

    known = _classes(api.toolkit, base, folder)[0] if base else {}
    classes = {cls.name: _reduced(cls) for cls in api.classes}
    spelling = {}
    for one, other in zip(api.classes, old.classes, strict=True):
        for method, again in zip(one.methods, other.methods, strict=True):
            if method.symbol != again.symbol and method.kind == "method":
                spelling[method.symbol] = again.symbol
    release = Release(
        api.toolkit, api.version, base,
        tuple(cls for name, cls in sorted(classes.items()) if known.get(name) != cls),
        tuple(sorted(known.keys() - classes.keys())), spelling,
    )  # fmt: skip
    path = folder / f"{api.toolkit}-{api.version}{SUFFIX}"
    store.write_bytes(path, lzma.compress(msgspec.json.encode(_without_defaults(release)), preset=9 | lzma.PRESET_EXTREME))
    return path


@functools.cache
def _classes(toolkit: str, version: str, folder: Path) -> tuple[Mapping[str, Class], dict[str, str]]:
    """A release's classes by name, and its names with the older string; read once, and not to be changed."""
    import msgspec  # noqa: PLC0415 - a plan from the cache needs none of it

    path = folder / f"{toolkit}-{version}{SUFFIX}"
    try:
        release = msgspec.json.decode(lzma.decompress(path.read_bytes()), type=Release)
    except (OSError, lzma.LZMAError, msgspec.MsgspecError) as error:
        raise ArtefactError(f"Cannot read {path.name}: {error}.", "Install gilgen again.") from error
    classes = dict(_classes(toolkit, release.base, folder)[0]) if release.base else {}
    for name in release.gone:
        del classes[name]
    classes.update((cls.name, cls) for cls in release.classes)
    return classes, release.old


def _reduced(cls: Class) -> Class:
    """A class without what no plan reads: lines, hints, constructors, templates of methods."""
    return dataclasses.replace(cls, line=0, hints=(), deprecated=False, methods=tuple(map(_reduced_method, _plain(cls.methods))))


def _plain(methods: Iterable[Method]) -> Iterable[Method]:
    return (method for method in methods if method.kind == "method" and not method.deleted)


def _reduced_method(method: Method) -> Method:
    return dataclasses.replace(method, line=0, hints=(), deprecated=False)


def _renamed(cls: Class, symbols: dict[str, str]) -> Class:
    if not any(method.symbol in symbols for method in cls.methods):
        return cls
    return dataclasses.replace(cls, methods=tuple(dataclasses.replace(method, symbol=symbols.get(method.symbol, method.symbol)) for method in cls.methods))


def _without_defaults(record: Any) -> Any:
    """A record as JSON can hold it, without the fields that have their default."""
    if dataclasses.is_dataclass(record):
        values = ((field, getattr(record, field.name)) for field in dataclasses.fields(record))
        return {field.name: _without_defaults(value) for field, value in values if not _is_default(field, value)}
    if isinstance(record, tuple):
        return [_without_defaults(one) for one in record]
    return record


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    default = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
    return default is not dataclasses.MISSING and bool(value == default)
