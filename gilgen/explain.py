"""One Python method, from its name to the slots that its call goes through, and what becomes of the GIL there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from gilgen import claims, demangle, plan, rules, toolkits
from gilgen.audit import elf
from gilgen.errors import UnknownMethodError
from gilgen.model import Decision
from gilgen.toolkits.base import ExposedClass, ExposedMethod, Installation

Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of one library that name a symbol: vtable slots and other stored addresses, and call slots."""

    library: str
    vtable: int
    got: int


@dataclass(frozen=True, slots=True)
class Step:
    """One C++ function behind the method: its decision, and where its slots are."""

    decision: Decision
    slots: tuple[Slots, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain of one Python method.

    Attributes:
        owner: the Python class whose wrapper is called: the class itself, or the base that defines the method.
        declarations: C++ declarations that the wheel's own documentation gives.
        steps: the C++ functions that the plan knows behind it.
        through: released functions that a call ends in, where the method has none of its own.
        why: what is to be said where the plan has no decision.
        claims: what is particular about what its calls claim, with the reasons.
    """

    toolkit: str
    version: str
    python: str
    owner: str
    declarations: tuple[str, ...]
    steps: tuple[Step, ...]
    through: tuple[str, ...] = ()
    why: str = ""
    claims: tuple[str, ...] = ()


PARTICULAR = {
    "passes": "It never waits.",
    "loops": "An event loop: it has claims only while it works.",
    "reads-arguments": "Its arguments are only read: others may read them meanwhile.",
    "fills-arguments": "Its arguments may be read by others meanwhile, when their bounds and ranges are there.",
    "reads-first-argument": "Its first argument is only read: others may read it meanwhile.",
    "reads": "The data that it reads may be read by others at once, when bounds and cells are there.",
    "reads-images": "Images that it reads may be read by others at once.",
    "changes-inputs": "Its input is claimed as if it were changed.",
    "unpredictable": "It releases however short it is: nothing tells beforehand how long it takes.",
    "whole": "Its calls claim the whole toolkit.",
}
"""What is said of a fact in `claims/*.toml`; the others only say how objects are followed."""


def explain(toolkit: str, name: str, headers_dir: Path | None, notify: Notify) -> Explanation:
    """Explain "Class.Method" of a toolkit.

    Raises:
        UnknownMethodError: no class of the toolkit has such a method; the nearest names are given.
    """
    installation = toolkits.get(toolkit).installation()
    classes = {cls.name: cls for cls in plan.exposed(toolkits.get(toolkit), installation)}
    start, cls, method = _find(toolkit, name, classes)
    made = plan.ensure(toolkit, headers_dir, notify)
    record = plan.read(made)
    asked = name.removeprefix("itk.").rpartition(".")[0]
    names = {f"{cls.name}.{method.name}", f"{asked}.{method.name}"}
    behind = [decision for decision in record.decisions if decision.python in names]
    through = sorted({d.python for d in record.decisions if d.served and f"{cls.name}.{method.name}" in d.served} - names)
    steps = tuple(Step(decision, _slots(installation, decision.symbol) if decision.action == "release" else ()) for decision in behind)
    return Explanation(
        toolkit=toolkit,
        version=installation.version,
        python=f"{asked}.{method.name}",
        owner=cls.name,
        declarations=method.declarations,
        steps=steps,
        through=tuple(through),
        why="" if steps or through else _undecided(toolkit, cls, method),
        claims=_particular(toolkit, [ancestor.cxx for ancestor in _ancestors(start, classes)], method.name),
    )


def _particular(toolkit: str, classes: list[str], method: str) -> tuple[str, ...]:
    """What the claims' data say of a method and of the C++ classes of its object."""
    plain = {demangle.normal(name).partition("<")[0] for name in classes}
    found = {
        f"{PARTICULAR[fact.what]} {' '.join(fact.why.split())}": None
        for fact in claims.facts(toolkit)
        if fact.what in PARTICULAR and (fact.of in plain if fact.of else fnmatchcase(method, fact.name))
    }
    return tuple(found)


def toolkit_of(name: str) -> str:
    """Which toolkit a Python name belongs to: VTK's classes begin with "vtk", ITK's with "itk"."""
    return "itk" if name.startswith("itk") else "vtk"


def _find(toolkit: str, name: str, classes: dict[str, ExposedClass]) -> tuple[ExposedClass, ExposedClass, ExposedMethod]:
    """The class that is named, the one of its bases (or itself) that has the method, and the method."""
    owner, _, method = name.removeprefix("itk.").rpartition(".")
    if not owner or not method:
        raise UnknownMethodError(f"{name!r} names no method.", "Write it as vtkOBBTree.BuildLocator or itk.ImageFileWriter.Write.")
    start = _class(toolkit, owner, classes)
    for cls in _ancestors(start, classes):
        for candidate in cls.methods:
            if candidate.name == method:
                return start, cls, candidate
    known = sorted({m.name for cls in _ancestors(start, classes) for m in cls.methods if method and m.name.lower().startswith(method[:4].lower())})
    raise UnknownMethodError(f"{start.name} has no method {method!r}.", f"It has {', '.join(known[:8])}." if known else "Check the spelling; Python's dir() lists them.")


def _class(toolkit: str, owner: str, classes: dict[str, ExposedClass]) -> ExposedClass:
    if owner in classes:
        return classes[owner]
    template = f"itk::{owner}"  # itk.ImageFileWriter.Write means any instantiation: the first
    for cls in classes.values():
        if demangle.normal(cls.cxx).partition("<")[0] == template:
            return cls
    near = sorted(candidate for candidate in classes if owner and candidate.lower().startswith(owner.lower()[:8]))
    raise UnknownMethodError(
        f"{toolkit} exposes no class {owner!r} to Python.",
        f"Did you mean {', '.join(near[:5])}?" if near else "Write it as vtkOBBTree.BuildLocator or itkImageFileWriterIF3.Write.",
    )


def _ancestors(cls: ExposedClass, classes: dict[str, ExposedClass]) -> list[ExposedClass]:
    """The class and its bases, nearest first."""
    found, queue = [], [cls.name]
    while queue:
        name = queue.pop(0)
        if name in classes and classes[name] not in found:
            found.append(classes[name])
            queue.extend(classes[name].bases)
    return found


def _undecided(toolkit: str, cls: ExposedClass, method: ExposedMethod) -> str:
    """Why a method is no candidate at all."""
    for keep in rules.load(toolkit).keeps:
        if not keep.classes and any(fnmatchcase(method.name, pattern) for pattern in keep.methods):
            return f"Kept: {keep.why}"
    return (
        f"Kept: no rule, profile or setting says that {cls.name}.{method.name} blocks. "
        f'If it does, add include = ["{cls.name}.{method.name}"] to gilgen.toml.'
    )


def _slots(installation: Installation, symbol: str) -> tuple[Slots, ...]:
    """Where the installed libraries name a symbol."""

    def of(path: str) -> Slots | None:
        with elf.Library(installation.root / path) as library:
            counts = library.slots(symbol)
        vtable, got = counts.get(elf.ADDRESS, 0), counts.get(elf.GOT, 0) + counts.get(elf.PLT, 0)
        return Slots(path, vtable, got) if vtable or got else None

    with ThreadPoolExecutor() as pool:
        return tuple(found for found in pool.map(of, installation.libraries) if found)
