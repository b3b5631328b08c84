"""Profile -> which methods a plan is to release: just those that held the GIL in the user's own program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from gilgen import store
from gilgen.errors import GilgenError
from gilgen.model import Profile
from gilgen.toolkits.base import ExposedClass

OVER = 0.02
"""Seconds that a method must have held altogether: below, a release is not worth the shim."""

HELD = "profile:held"
NOT_HELD = "profile:not-held"
NOT_HELD_WHY = "The profile does not say that it held the GIL. It keeps it, and waits for calls on the same objects that were released."


def held(file: Path, over: float = OVER) -> dict[str, tuple[str, ...]]:
    """For each toolkit the Python names of the methods that held, sorted; "*.Update" where the profile knows no class.

    Args:
        file: a profile that `gilgen profile -o` wrote.
        over: seconds; what held less, in all places together, is left out.

    Raises:
        ArtefactError: there is no such file, or it is no profile.
        GilgenError: nothing in it held for so long.
    """
    profile = store.read(file, Profile)
    seconds: dict[tuple[str, str], float] = {}
    for call in profile.calls:
        if call.toolkit:
            seconds[call.toolkit, call.python] = seconds.get((call.toolkit, call.python), 0.0) + call.held
    found: dict[str, tuple[str, ...]] = {}
    for toolkit, python in sorted(key for key, total in seconds.items() if total > over):
        found[toolkit] = (*found.get(toolkit, ()), python)
    if not found:
        raise GilgenError(
            f"In {file} no call of a toolkit held the GIL for longer than {over * 1000:.0f} ms.",
            "There is nothing to release for this program. `--over 5ms` sets another limit; without --profile, everything that is known to block is released.",
        )
    return found


@dataclass(frozen=True, slots=True)
class Method:
    """A method that a profile names.

    Attributes:
        python: as the profile has it: of the object's own class.
        owner: the Python class whose wrapper was called: that class, or the base that defines the method; empty where
            the toolkit exposes no such method.
        name: the method's own name.
    """

    python: str
    owner: str
    name: str

    @property
    def names(self) -> frozenset[str]:
        """The Python names that mean it."""
        return frozenset({self.python, f"{self.owner}.{self.name}"})


def resolve(names: Iterable[str], exposed: Mapping[str, ExposedClass]) -> list[Method]:
    """What a profile's names mean in the installed toolkit; a name with a "*" may mean several methods."""
    found: dict[str, Method] = {}
    for python in names:
        cls, _, method = python.rpartition(".")
        if "*" in cls:
            for one in exposed.values():
                if fnmatchcase(one.name, cls) and any(own.name == method for own in one.methods):
                    found[f"{one.name}.{method}"] = Method(f"{one.name}.{method}", one.name, method)
        else:
            found[python] = Method(python, _owner(cls, method, exposed), method)
    return list(found.values())


def _owner(cls: str, method: str, exposed: Mapping[str, ExposedClass]) -> str:
    """The nearest class, from `cls` upwards, that defines a method."""
    queue, seen = [cls], set()
    while queue:
        name = queue.pop(0)
        if name in exposed and name not in seen:
            seen.add(name)
            if any(own.name == method for own in exposed[name].methods):
                return name
            queue.extend(exposed[name].bases)
    return ""
