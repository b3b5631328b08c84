"""Artefacts on disk: where they live, how they are written whole or not at all, and how they are read.

Everything that gilgen makes stands below one folder (`GILGEN_CACHE_DIR`, else the platform's cache
folder). An artefact's folder carries a key made from all that the artefact was made from, so nothing
stale is ever used and nothing unchanged is made twice. Two gilgen processes share the folder safely:
files appear under their final name only when complete, and one process at a time makes an artefact.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from gilgen._version import __version__
from gilgen.errors import ArtefactError, StoreError

Record = TypeVar("Record")

SCHEMA = 5
"""Raised whenever a record of `model.py` or `manifest.py` changes its shape, so that older artefacts are refused."""


def cache_dir() -> Path:
    """The folder that holds all artefacts: `GILGEN_CACHE_DIR` or the platform's cache folder."""
    chosen = os.environ.get("GILGEN_CACHE_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs  # noqa: PLC0415 - a tool's dependency; a shipped application never comes here

    return Path(platformdirs.user_cache_dir("gilgen"))


def key_of(*parts: object) -> str:
    """A short key that changes when any of `parts`, or gilgen itself, changes."""
    digest = hashlib.sha256(f"{__version__}/{SCHEMA}".encode())
    for part in parts:
        digest.update(b"\0")
        digest.update(str(part).encode())
    return digest.hexdigest()[:16]


def key_of_files(paths: Iterable[Path]) -> str:
    """A key of files by name, size and time of change: cheap for thousands of headers."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        status = path.stat()
        digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def artefact_dir(stage: str, toolkit: str, version: str, key: str) -> Path:
    """The folder of one artefact, for example `<cache>/scan/vtk-9.6.2-<key>`. It may not exist yet."""
    return cache_dir() / stage / f"{toolkit}-{version}-{key}"


@dataclass(frozen=True, slots=True)
class Made:
    """An artefact that is there: its folder and key, whether it was there already, and the seconds it took.

    `version` is the toolkit's.
    """

    folder: Path
    version: str
    key: str
    cached: bool
    seconds: float


def ensure(stage: str, toolkit: str, version: str, key: str, make: Callable[[Path], None], notify: Callable[[str], None] = lambda _: None) -> Made:
    """Find an artefact in the cache, or let `make` fill its folder: once, whole or not at all, whoever else asks.

    An artefact whose files are not what they were when it was made is made again, and `notify` is told.
    """
    folder = artefact_dir(stage, toolkit, version, key)
    if _intact(folder):
        return Made(folder, version, key, cached=True, seconds=0.0)
    started = time.monotonic()
    with lock(folder.name + "-" + stage):
        if _intact(folder):
            return Made(folder, version, key, cached=True, seconds=0.0)
        if folder.exists():
            notify(f"{folder} is damaged: it is made again.")
        with new_folder(folder) as draft:
            make(draft)
            with explained(draft):
                (draft / _CONTENTS).write_text(_digest(draft), encoding="utf-8")
    return Made(folder, version, key, cached=False, seconds=time.monotonic() - started)


_CONTENTS = ".contents.sha256"
"""In each artefact's folder: what `_digest` said of it when it was complete."""


def _intact(folder: Path) -> bool:
    """Whether an artefact is there with every file as it was made."""
    try:
        return (folder / _CONTENTS).read_text(encoding="utf-8") == _digest(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _digest(folder: Path) -> str:
    """One line a file, sorted by name: the SHA-256 sum of its contents and its name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _CONTENTS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in files)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write below `path` into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            reason, advice = "the disk is full", "Free some space, or point GILGEN_CACHE_DIR to another disk."
        elif error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
            reason, advice = "it may not be written", "Point GILGEN_CACHE_DIR to a folder that you may write to."
        elif error.errno in {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}:
            reason, advice = "a file stands where a folder is needed, or the reverse", "Move it away, or name another place."
        elif error.errno in {errno.ENOENT, errno.EINVAL, errno.ENAMETOOLONG, errno.ELOOP}:
            reason, advice = f"the system says {error.strerror!r} of {error.filename or path}", "Name another place, or point GILGEN_CACHE_DIR to another disk."
        else:
            raise
        raise StoreError(f"Cannot write {path}: {reason}. What was already made is untouched.", advice) from error


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one gilgen process at a time make the artefact `name`; another waits for it."""
    from filelock import FileLock  # noqa: PLC0415 - see cache_dir

    folder = cache_dir() / "locks"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(folder / f"{name}.lock")
        held.acquire()
    try:
        yield
    finally:
        held.release()


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        StoreError: the disk is full or the folder may not be written.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Make a folder so that it is there whole or not at all: fill the one yielded; it is renamed at the end.

    Where `path` already exists it is replaced, but only after the new one is complete.
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        try:
            yield draft
            draft.chmod(0o755)
            if path.exists():
                old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
                path.replace(old / "old")
                draft.replace(path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                draft.replace(path)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise


def write(path: Path, record: Any) -> None:
    """Write a record as JSON with its kind, schema and gilgen's version beside it."""
    write_bytes(path, encode(record))


def encode(record: Any) -> bytes:
    """The JSON text of a record: `{"artefact": "Api", "schema": 1, "gilgen": "0.1.0", "data": {...}}`."""
    import msgspec  # noqa: PLC0415 - see cache_dir

    many = isinstance(record, list | tuple) and len(record) > 0
    name = f"{type(record[0]).__name__}[]" if many else type(record).__name__
    envelope = {"artefact": name, "schema": SCHEMA, "gilgen": __version__, "data": record}
    return msgspec.json.encode(envelope)


def read(path: Path, kind: type[Record]) -> Record:
    """Read a record that `write` wrote.

    Raises:
        ArtefactError: it is missing, damaged, of another kind or of another schema.
    """
    return cast("Record", _read(path, kind.__name__, kind))


def read_many(path: Path, kind: type[Record]) -> list[Record]:
    """Read a list of records that `write` wrote; raises as `read` does."""
    return cast("list[Record]", _read(path, f"{kind.__name__}[]", list[kind]))  # type: ignore[valid-type]


def _read(path: Path, wanted: str, kind: Any) -> Any:
    import msgspec  # noqa: PLC0415 - see cache_dir

    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ArtefactError(f"There is no {path}.", "Run the stage that makes it; `gilgen fix` runs them all.") from error
    except OSError as error:
        raise ArtefactError(f"Cannot read {path}: {error.strerror}.", "Check the path and its permissions.") from error
    remake = f"Delete {path} and run the stage again; `gilgen fix` remakes what is missing."
    if not path.absolute().is_relative_to(cache_dir()):
        remake = "Name a file that gilgen wrote, or let the command that wrote it write it again."
    try:
        envelope = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        name = msgspec.json.decode(envelope["artefact"], type=str)
        schema = msgspec.json.decode(envelope["schema"], type=int)
        if name != wanted:
            raise ArtefactError(f"{path} holds a {name}, not a {wanted}.", "Name a file that the right stage wrote.")
        if schema != SCHEMA:
            raise ArtefactError(f"{path} was written by another gilgen (schema {schema}, this one reads {SCHEMA}).", remake)
        return msgspec.json.decode(envelope["data"], type=kind)
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError) as error:
        raise ArtefactError(f"{path} is damaged: {error}.", remake) from error


def json_schema(kind: type[Any]) -> dict[str, Any]:
    """The JSON schema of a record, made from its class."""
    import msgspec  # noqa: PLC0415 - see cache_dir

    return msgspec.json.schema(kind)
