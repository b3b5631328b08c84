"""Recipes for VTK: for a method of the plan, objects of the classes that have it, and arguments for each overload."""

from __future__ import annotations

import ctypes
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import vtk_describe
import vtk_recipes
import vtkmodules.all as vtk
from gilgen.diagnostics.survey import signatures, vtk_arguments, vtk_data, vtk_pool, vtk_setup

describe = vtk_describe.describe

MANY = {"vtkAlgorithm.Update": 10_000, "vtkAlgorithm.UpdateInformation": 30, "vtkWriter.Write": 100, "vtkImageWriter.Write": 100}
"""Of how many classes a method is called; `FEW` for all others."""

FEW = 5

ORDINARY = {"vtkDoubleArray", "vtkIntArray", "vtkFloatArray", "vtkPolyDataReader", "vtkUnstructuredGridReader", "vtkStreamingDemandDrivenPipeline", "vtkCompositeDataPipeline",
    "vtkXMLPolyDataReader", "vtkTriangle", "vtkHexahedron", "vtkSphereSource", "vtkPolyDataWriter"}  # fmt: skip
"""Classes that come before others: what most programs use."""

TIMED = {"vtkVideoSource.Record", "vtkVideoSource.Play"}
"""Methods that leave a thread of C++ running, so that what is looked at afterwards depends on when."""

CLOSELY = 2
"""Of how many classes every overload is called on objects prepared in every way; of the others only the first."""


@dataclass
class Call:
    """A call that is ready to be made, and what is looked at after it."""

    function: Callable[..., Any]
    arguments: list[Any]
    watched: dict[str, Any] = field(default_factory=dict)


@dataclass
class Case:
    """One call of one overload on an object of one class, prepared in one way.

    Attributes:
        group: when a case has crashed, those of the same group are left out.
    """

    name: str
    make: Callable[[], Call]
    group: str = ""


_names: dict[str, list[str]] = {}
"""Every class that can be made and how; Python's own subclasses stand under the names of VTK's."""

_limit = [100_000]
"""Of how many classes at most a method is called in this run."""

_output: list[Any] = [None]


def load(job: dict[str, Any]) -> None:
    """Whatever could differ from run to run is pinned down."""
    vtk.vtkSMPTools.SetBackend("Sequential")
    vtk.vtkSMPTools.Initialize(1)
    vtk.vtkMultiThreader.SetGlobalMaximumNumberOfThreads(1)
    vtk_setup.POOL = job.get("pool", "")
    _limit[0] = job.get("few") or _limit[0]
    _names.update(job["survey"])


def survey() -> dict[str, list[str]]:
    """Every class that can be made and how it is prepared, which takes long enough to be found out only once."""
    vtk_pool.fill(Path.cwd())
    return {name: vtk_setup.variants(name) for name in sorted(dir(vtk)) if name.startswith("vtk") and vtk_setup.can_be_made(name)}


def reset() -> None:
    vtk.vtkMath.RandomSeed(17)
    random.seed(17)
    ctypes.CDLL(None).srand(17)
    messages()


def messages() -> str:
    """What VTK had to say since the last time."""
    text = _output[0].GetOutput() or "" if _output[0] else ""
    _output[0] = vtk.vtkStringOutputWindow()
    vtk.vtkOutputWindow.SetInstance(_output[0])
    return text


# ------------------------------------------------------------------------------------------- which classes


def classes_with(owner: str, method: str) -> list[str]:
    """The classes whose objects' `method` is the wrapper that `owner` has, those nearest to it first."""
    base = getattr(vtk, owner, None)
    if base is None:
        return []
    found = [name for name in _names if issubclass(getattr(vtk, name), base) and _definer(getattr(vtk, name), method) is base]
    found.sort(key=lambda name: (name != owner, name not in ORDINARY, name))
    few = min(MANY.get(f"{owner}.{method}", FEW), _limit[0])
    if len(found) <= few:
        return found
    first, rest, spread = found[:3], found[3:], max(0, few - 3)
    return [*first[:few], *(rest[int(index * len(rest) / spread)] for index in range(spread))]


def _definer(cls: type, method: str) -> type | None:
    return next((base for base in cls.__mro__ if method in vars(base) and base.__name__.startswith("vtk")), None)


# --------------------------------------------------------------------------------------------------- cases


def cases(target: dict[str, Any]) -> Iterator[Case]:
    """Every case of a method, in an order that is always the same."""
    owner, _, method = target["name"].rpartition(".")
    if target["name"] in TIMED:
        return
    overloads = [parsed for text in target["declarations"] if (parsed := signatures.parse(text))]
    if not overloads:
        overloads = [signatures.Signature(static=False, parameters=())]
    special = vtk_recipes.RECIPES.get(target["name"], [])
    for index, make in enumerate(special):
        yield Case(f"{target['name']} recipe {index}", partial(_special, make))
    statics = [number for number, signature in enumerate(overloads) if signature.static]
    for number in statics:
        for other in (0, 1):
            yield Case(f"{owner}::{method}#{number}.{other}", partial(_static, owner, method, overloads[number], other))
    bound = [(number, signature) for number, signature in enumerate(overloads) if not signature.static]
    bound.sort(key=lambda pair: len(pair[1].parameters))
    chosen = classes_with(owner, method)
    for bare in (False, True):
        for place, name in enumerate(chosen):
            ways = [way for way in _names[name] if (way == "bare") == bare]
            for number, signature in bound if place < CLOSELY else bound[:1]:
                for way in ways if place < CLOSELY else ways[: 0 if bare else 2]:
                    yield Case(f"{name}.{method}#{number} {way}", partial(_method, name, method, signature, way), name)


GIVEN = {"FunctionValue": {"input": lambda: vtk_data.points().GetData()}}
"""By method: what a parameter must be, by its name. An implicit function reads three numbers of each tuple, whatever its length."""


def _special(make: Callable[[], tuple[Any, ...]]) -> Call:
    function, given, *watched = make()
    return Call(function, list(given), {f"watched {index}": each for index, each in enumerate(watched)})


def _static(owner: str, method: str, signature: signatures.Signature, other: int) -> Call:
    given = next(vtk_arguments.arguments(signature, {}, other=other))
    return Call(getattr(getattr(vtk, owner), method), given)


def _method(name: str, method: str, signature: signatures.Signature, variant: str) -> Call:
    made, suggestions = vtk_setup.make(name, variant, method)
    given = next(vtk_arguments.arguments(signature, suggestions | GIVEN.get(method, {}), other=1 if variant == "bare" else 0))
    return Call(getattr(made, method), given, {"self": made})
