"""Which families of methods block, as data: `vtk.toml`, `itk.toml`, and the counts behind what is hot."""

from __future__ import annotations

import functools
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from typing import Any

from gilgen.errors import ConfigError
from gilgen.manifest import Guard


@dataclass(frozen=True, slots=True)
class Family:
    """Methods that block for one reason. The fields are explained at the head of `vtk.toml`."""

    name: str
    why: str
    classes: frozenset[str]
    methods: tuple[str, ...]
    behind: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    signature: tuple[str, ...] = ()
    guard: Guard = "closure"
    contained: bool = False
    serial: bool = False
    sized: bool = False

    def covers(self, ancestry: frozenset[str], method: str, parameters: str) -> bool:
        """Whether this family names a method, given its class with all ancestors and its parameters as text."""
        return (
            bool(self.classes & ancestry)
            and (matches(method, self.methods) or method in self.behind)
            and not self._excludes(ancestry, method)
            and (not self.signature or matches(parameters.replace(" ", ""), self.signature))
        )

    def _excludes(self, ancestry: frozenset[str], method: str) -> bool:
        parts = (pattern.rpartition(".") for pattern in self.excluded)
        return any(fnmatchcase(method, name) and (not owner or owner in ancestry) for owner, _, name in parts)


@dataclass(frozen=True, slots=True)
class Keep:
    """Methods that stay as they are, whatever family names them; `hazard` where releasing them would not be safe."""

    name: str
    why: str
    methods: tuple[str, ...]
    classes: frozenset[str] = frozenset()
    hazard: bool = False

    @property
    def reason(self) -> str:
        """The name of the reason in the plan."""
        return f"{'hazard' if self.hazard else 'keep'}:{self.name}"

    def covers(self, ancestry: frozenset[str], method: str) -> bool:
        """Whether this rule keeps a method."""
        return (not self.classes or bool(self.classes & ancestry)) and matches(method, self.methods)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a toolkit, and the functions that C++ calls too often: symbol -> calls from C++ for one from Python."""

    families: tuple[Family, ...]
    keeps: tuple[Keep, ...]
    hot: dict[str, float]


@functools.lru_cache(maxsize=1 << 18)
def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the globs matches `name`."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def text(toolkit: str) -> bytes:
    """The rules of a toolkit as they stand on disk, for keys of what was made from them."""
    folder = resources.files(__name__)
    return b"".join((folder / name).read_bytes() for name in (f"{toolkit}.toml", f"{toolkit}-hot.toml"))


def load(toolkit: str) -> Rules:
    """The rules of a toolkit.

    Raises:
        ConfigError: a rule lacks a field or has one that is unknown.
    """
    folder = resources.files(__name__)
    rules = tomllib.loads((folder / f"{toolkit}.toml").read_text(encoding="utf-8"))
    hot = tomllib.loads((folder / f"{toolkit}-hot.toml").read_text(encoding="utf-8"))
    try:
        return Rules(
            families=tuple(_family(entry) for entry in rules["family"]),
            keeps=tuple(
                Keep(e["name"], e["why"], tuple(e["methods"]), frozenset(e.get("classes", ())), e.get("hazard", False)) for e in rules["keep"]
            ),
            hot={entry["symbol"]: entry["passes_per_call"] for entry in hot.get("hot", ())},
        )
    except (KeyError, TypeError) as error:
        raise ConfigError(f"The rules for {toolkit} are damaged: {error}.", "Reinstall gilgen.") from error


def _family(entry: dict[str, Any]) -> Family:
    return Family(
        name=entry["name"],
        why=entry["why"],
        classes=frozenset(entry["classes"]),
        methods=tuple(entry["methods"]),
        behind=tuple(entry.get("behind", ())),
        excluded=tuple(entry.get("except", ())),
        signature=tuple(entry.get("signature", ())),
        guard=entry.get("guard", "closure"),
        contained=entry.get("contained", False),
        serial=entry.get("serial", False),
        sized=entry.get("sized", False),
    )
