"""Recipes for ITK: for a method of the plan, objects of the classes that have it, and arguments for it."""

from __future__ import annotations

import importlib
import random
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import itk
import itk_describe
import itk_recipes
from gilgen.diagnostics.survey import itk_data

describe = itk_describe.describe

MANY = {"itkProcessObject.Update": 2000, "itkProcessObject.UpdateLargestPossibleRegion": 60, "itkImageIOBase": 100, "itkMeshIOBase": 100}
"""Of how many classes a method is called; `FEW` for all others."""

FEW = 6

EVERYTHING = {"itkProcessObject", "itkDataObject", "itkImageIOBase", "itkMeshIOBase", "itkOptimizer", "itkSingleValuedCostFunction", "itkMultipleValuedCostFunction",
    "itkStreamingProcessObject", "itkTransformIOBaseTemplateD", "itkTransformIOBaseTemplateF"}  # fmt: skip
"""Bases whose classes are spread over many modules."""


@dataclass
class Call:
    """A call that is ready to be made, and what is looked at after it."""

    function: Callable[..., Any]
    arguments: list[Any]
    watched: dict[str, Any] = field(default_factory=dict)


@dataclass
class Case:
    """One call on an object of one class, prepared in one way."""

    name: str
    make: Callable[[], Call]
    group: str = ""


_job: dict[str, Any] = {}


def survey() -> dict[str, Any]:
    """The module and the bases of every proxy class, read from their files; and files for readers."""
    found = {}
    for path in sorted(Path(itk.__file__).parent.glob("*Python.py")):
        for name, bases in re.findall(r"^class (itk\w+)\(([^)]*)\):", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[name] = (f"itk.{path.stem}", [base.rpartition(".")[2] for base in bases.split(",")])
    quiet()
    itk_data.write_pool(Path.cwd())
    return found


def quiet() -> None:
    itk.MultiThreaderBase.SetGlobalDefaultThreader(itk.MultiThreaderBaseEnums.Threader_Platform)
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)


def load(job: dict[str, Any]) -> None:
    """Load the modules that this job's methods need, before any fork."""
    _job.update(job)
    quiet()
    itk_data.POOL = job["pool"]
    owners = {target["name"].rpartition(".")[0] for target in job["targets"]}
    itk_data.prepare()
    if owners & EVERYTHING:
        itk.force_load()
    for owner in sorted(owners):
        proxy(owner)
    itk_recipes.prepare(owners)


def reset() -> None:
    random.seed(17)
    generator = itk.MersenneTwisterRandomVariateGenerator.GetInstance()
    generator.SetSeed(17)


def messages() -> str:
    return ""


def proxy(name: str) -> Any:
    """A proxy class by its own name; its template is loaded as ITK's lazy loader would."""
    return itk_data.proxy(name, _job["survey"])


def _bases(name: str) -> set[str]:
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _job["survey"].get(one, ("", []))[1]
    return found


def classes_with(owner: str, method: str) -> list[str]:
    """Classes that inherit a method from its owner: of each template the instantiation that is easiest to feed."""
    families: dict[str, list[str]] = defaultdict(list)
    for name in _job["survey"]:
        if name.startswith("itk") and (name == owner or (owner in EVERYTHING and owner in _bases(name))):
            families[re.sub(r"(I?[A-Z]{1,4}\d+)+\w*$", "", name)].append(name)
    chosen = [owner] if owner in _job["survey"] else []
    for names in families.values():
        best = min(names, key=_ease)
        if best != owner:
            chosen.append(best)
    few = min(MANY.get(f"{owner}.{method}", MANY.get(owner, FEW)), _job.get("few") or 100_000)
    if len(chosen) > few:
        step = len(chosen) / few
        chosen = [chosen[int(index * step)] for index in range(few)]
    return chosen


def _ease(name: str) -> tuple[int, int, str]:
    for place, ending in enumerate(("IF2IF2", "IF2", "IUC2IUC2", "IUC2", "F2", "2")):
        if name.endswith(ending):
            return place, len(name), name
    return 9, len(name), name


def cases(target: dict[str, Any]) -> Iterator[Case]:
    """Every case of a method, in an order that is always the same."""
    owner, _, method = target["name"].rpartition(".")
    for index, make in enumerate(itk_recipes.recipes(owner, method)):
        yield Case(f"{target['name']} recipe {index}", partial(_recipe, make))
    for name in classes_with(owner, method):
        if name in _job["survey"] and _definer(name, method) == owner:
            for variant in ("ready", "bare"):
                yield Case(f"{name}.{method} {variant}", partial(_method, name, method, variant), name)


def _definer(name: str, method: str) -> str:
    cls = proxy(name)
    if cls is None or not (hasattr(cls, "New") or hasattr(cls, "__New_orig__") or name.startswith("itk")):
        return ""
    return next((base.__name__ for base in cls.__mro__ if method in vars(base)), "")


def _recipe(make: Callable[[], tuple[Any, ...]]) -> Call:
    function, given, *watched = make()
    return Call(function, list(given), {f"watched {index}": each for index, each in enumerate(watched)})


def _method(name: str, method: str, variant: str) -> Call:
    cls = proxy(name)
    made = cls.New() if hasattr(cls, "New") else cls()
    if variant == "ready":
        itk_data.fill(made, name)
    function = getattr(made, method)
    return Call(function, itk_data.arguments(function), {"self": made})


__all__ = ["cases", "describe", "importlib", "load", "messages", "reset", "survey", "sys"]
