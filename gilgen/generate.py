"""Plan -> C++ sources: one readable file of shims for each library, the table, the shared C++, a CMakeLists.

What is written depends on the plan and on nothing else, so the same plan gives the same bytes.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2

from gilgen import consistent, store
from gilgen._version import __version__
from gilgen.errors import ArtefactError, NothingToReleaseError
from gilgen.manifest import Manifest, Shim
from gilgen.model import Decision, Plan

FLAGS = ("-O2", "-fPIC", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-rtti", "-fno-plt", "-Wall", "-Wextra")
"""Compiler flags of every shim library; the CMakeLists and `build.py` use the same."""

NATIVE = (
    "gilgen.hpp", "gate.hpp", "objects.hpp", "closure.hpp", "claims.hpp", "expected.hpp", "rebind.hpp", "visits.hpp",
    "gate.cpp", "objects.cpp", "closure.cpp", "claims.cpp", "expected.cpp", "release.cpp", "visits.cpp", "rebind.cpp", "interface.cpp",
    "exports.txt",
)
"""The shared C++; the toolkit's own `upstream_*.cpp` comes on top."""

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class ShimSource:
    """One shim as the templates see it."""

    index: int
    first: int
    name: str
    python: str
    declaration: str
    why_lines: tuple[str, ...]
    symbol: str
    guard: str
    followed: bool
    sized: bool
    copies: int
    serializes: bool
    static: bool
    result: str
    parameters: str
    types: str
    arguments: str


def ensure(plan_made: store.Made, toolkit: str, version: str, machine: str, notify: Callable[[str], None] = lambda _: None) -> store.Made:
    """Generate the sources for a plan unless they are there."""
    key = store.key_of(plan_made.key, machine, *ingredients())

    def make(folder: Path) -> None:
        plan = store.read(plan_made.folder / "plan.json", Plan)
        refuse_empty(plan)
        consistent.refuse_undefined(plan)
        write(plan, folder, machine)

    return store.ensure("generate", toolkit, version, key, make, notify)


def refuse_empty(plan: Plan) -> None:
    """Refuse to make shims that release nothing.

    Raises:
        NothingToReleaseError: no decision releases; it says what keeps the most.
    """
    if any(decision.action == "release" for decision in plan.decisions):
        return
    sentences = {decision.reason: decision.why for decision in reversed(plan.decisions) if decision.action == "keep"}
    reason, count = next(iter(plan.coverage.kept.items()), ("", 0))
    most = f" {count} are kept for {reason}: {sentences.get(reason, '')}" if reason else ""
    notices = "".join(f"\n  {notice}" for notice in filter(None, (plan.headers.notice, *plan.notices)))
    raise NothingToReleaseError(
        f"None of the {plan.coverage.candidates} Python methods of {plan.toolkit} {plan.version} that are known to block can be released.{most}{notices}",
        f"See why: gilgen plan {plan.toolkit} --kept",
    )


def ingredients() -> list[str]:
    """Everything besides the plan that the sources are made from."""
    folders = (resources.files("gilgen.templates"), resources.files("gilgen.native"))
    files = sorted((entry for folder in folders for entry in folder.iterdir() if entry.is_file()), key=lambda entry: entry.name)
    return [entry.read_text(encoding="utf-8") for entry in files if not entry.name.endswith(".py")]


def released(plan: Plan) -> list[Decision]:
    """The decisions that get a shim, in a fixed order."""
    return sorted((decision for decision in plan.decisions if decision.action != "keep"), key=lambda d: (d.library, d.python, d.symbol))


def manifest_of(plan: Plan, machine: str) -> Manifest:
    """What the shim library of `plan` serves; it is read at activation."""
    shims = tuple(
        Shim(
            index, decision.symbol, decision.python, decision.reason, decision.guard, decision.definitions,
            guard_chosen=decision.guard_chosen, serializes=decision.action == "serialize",
        )
        for index, decision in enumerate(released(plan))
    )
    return Manifest(
        toolkit=plan.toolkit,
        version=plan.version,
        gilgen=__version__,
        package=plan.package,
        distribution_key=plan.distribution_key,
        machine=machine,
        libraries=plan.libraries,
        shims=shims,
        distributions=plan.distributions,
        coverage=plan.coverage,
        prepares=tuple(sorted({name.rpartition(".")[2] for decision in released(plan) for name in (decision.python, *decision.served)})),
    )


def generate(plan: Plan, folder: Path, machine: str) -> list[Path]:
    """Write the sources of a shim library for `plan` into `folder`, which appears whole or not at all.

    Args:
        plan: what to release.
        folder: where the sources go; one that holds anything but generated sources is refused.
        machine: the processor to generate for, "x86_64" or "aarch64".

    Returns:
        The files written, relative to `folder`, sorted.

    Raises:
        ArtefactError: `folder` holds something else, or the plan contradicts itself.
        StoreError: it cannot be written.
    """
    refuse_foreign(folder)
    with store.new_folder(folder) as draft:
        write(plan, draft, machine)
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def refuse_foreign(folder: Path) -> None:
    """Raise ArtefactError where `folder` holds anything but generated sources."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not (folder / MANIFEST).exists():
        raise ArtefactError(f"{folder} is not empty and was not made by gilgen.", "Name an empty or a new folder with -o.")


def write(plan: Plan, folder: Path, machine: str) -> None:
    """Fill `folder`, which exists, with the sources and the manifest; a plan that contradicts itself is refused."""
    consistent.refuse_inconsistent(plan)
    with store.explained(folder):
        for name, text in sources(plan, machine).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (folder / MANIFEST).write_bytes(store.encode(manifest_of(plan, machine)))


def sources(plan: Plan, machine: str) -> dict[str, str]:
    """The generated files: name -> text."""
    shims = _shim_sources(plan, machine)
    by_library: dict[str, list[ShimSource]] = defaultdict(list)
    for decision, shim in shims:
        by_library[PurePosixPath(decision.library).name.split(".")[0]].append(shim)
    filling = environment(toolkit=plan.toolkit, version=plan.version, gilgen=__version__)
    files = {f"shims/{library}.cpp": filling.get_template("shims.cpp.jinja").render(library=library, shims=group) for library, group in sorted(by_library.items())}
    every = [shim for _, shim in shims]
    files["shims/table.cpp"] = filling.get_template("table.cpp.jinja").render(shims=every, entry_count=sum(shim.copies for shim in every))
    native = resources.files("gilgen.native")
    for name in (*NATIVE, f"upstream_{plan.toolkit}.cpp"):
        files[f"native/{name}"] = (native / name).read_text(encoding="utf-8")
    files["CMakeLists.txt"] = filling.get_template("CMakeLists.txt.jinja").render(
        sources=sorted(name for name in files if name.endswith(".cpp")), flags=FLAGS,
    )
    return files


def environment(**values: Any) -> jinja2.Environment:
    """What fills the templates; `values` are known to all of them."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gilgen.templates", ""),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - the output is C++, not HTML
    )
    environment.globals.update(values)
    return environment


def _shim_sources(plan: Plan, machine: str) -> list[tuple[Decision, ShimSource]]:
    result = []
    first = 0
    for index, decision in enumerate(released(plan)):
        result.append((decision, _shim_source(decision, index, first, machine)))
        first += decision.copies
    return result


def _shim_source(decision: Decision, index: int, first: int, machine: str) -> ShimSource:
    types = ["void*"] * (not decision.static) + [_argument_type(carrier) for carrier in decision.carriers[1:]]
    names = ["self"] * (not decision.static) + [f"a{number}" for number in range(1, len(decision.carriers))]
    return ShimSource(
        index=index,
        first=first,
        name=f"{_identifier(decision.python)}_{index}",
        python=decision.python,
        declaration=_comment(decision.declaration),
        why_lines=tuple(textwrap.wrap(f"{decision.why} [{decision.reason}]", 96)),
        symbol=decision.symbol,
        guard=decision.guard,
        followed=decision.followed,
        sized=decision.sized,
        copies=decision.copies,
        serializes=decision.action == "serialize",
        static=decision.static,
        result=result_type(decision.carriers[0], machine),
        parameters=", ".join(f"{kind} {name}" for kind, name in zip(types, names, strict=True)),
        types=", ".join(types),
        arguments=", ".join(names),
    )


def result_type(carrier: str, machine: str) -> str:
    """The type in `gilgen.hpp` of a shim's result."""
    if carrier == "Hidden":
        return "HiddenResult"
    if carrier in {"float", "double"}:
        return "Real" if machine == "aarch64" else "Scalar"
    return "Scalar"


def _argument_type(carrier: str) -> str:
    return "HiddenArgument" if carrier == "Hidden" else carrier


def _identifier(python: str) -> str:
    return re.sub(r"\W+", "_", python)


def _comment(text: str) -> str:
    return " ".join(text.split()).replace("\\", "/")
