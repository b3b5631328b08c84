"""The survey's provider for ITK: one instantiation of every process object's template, and what it is fed with.

ITK wraps thousands of instantiations of the same code, so one or a few stand for all: float images in three dimensions
where a template has them, else what comes nearest. Nothing here imports ITK before `load()` does.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.survey.records import CannotFeedError, Fed, Feed, Target

from gilgen import plan, toolkits

START, LIMIT = 4096, 4_000_000
"""The ladder of sizes, in pixels."""

MESH_LIMIT = 60_000
"""The same in points of a mesh, which ITK's wrapping takes one by one."""

MOST_WAYS = 4
"""So many instantiations of a template are tried at most."""

BASE = "itkProcessObject"

FIRST = re.compile(r"^Set(Input|Input1|Image|Kernel|Transform|Interpolator)$")
ALL = re.compile(r"^Set(Input\w*|\w*Input|\w*Image|\w*Transform|\w*Histogram|\w*Mesh|\w*PointSet|Interpolator|\w*Kernel)$")
"""Setters of inputs, and of `FIRST` those that a filter cannot do without; others, such as a mask, may leave it nothing to do."""

LEFT_OUT: dict[str, str] = {
    "PyImageFilter": "does nothing by itself: it runs code that the user supplies",
    "VTKImageImport": "needs another program's callbacks",
    "VTKImageExport": "hands out callbacks and does no work",
    "VTKImageExportBase": "hands out callbacks and does no work",
}
"""Templates that are not tried, and why."""

EASE = (r"(IF3)+", r"(IF3)+.*", r"(IUC3)+", r"(IUC3)+.*", r"(ISS3|IUS3|IUL3)+.*", r"(IF2)+", r"(IUC2)+", r".*F3.*", r".*3.*", r".*F2.*", r".*2.*", r".*")
"""Instantiations, by what follows the template's name, the easiest to feed first."""


# --------------------------------------------------------------------------------------------- which classes


def targets() -> tuple[Target, ...]:
    """Every template of process objects in the installed ITK, with the instantiations that stand for it."""
    kind = toolkits.get("itk")
    installation = kind.installation()
    exposed = {cls.name: cls for cls in plan.exposed(kind, installation)}

    @functools.cache
    def ancestry(name: str) -> frozenset[str]:
        found = exposed.get(name)
        return frozenset({name}).union(*(ancestry(base) for base in found.bases)) if found is not None else frozenset({name})

    families: dict[str, list[str]] = defaultdict(list)
    for name, cls in exposed.items():
        if cls.cxx.startswith("itk::") and "_Superclass" not in name and BASE in ancestry(name):
            families[cls.cxx.partition("<")[0].strip().rpartition("::")[2]].append(name)
    modules = _modules(installation.root / installation.package / "Configuration")
    return tuple(
        Target("itk", modules.get(ways[0], ""), family, representatives(family, ways), LEFT_OUT.get(family, "")) for family, ways in sorted(families.items())
    )


def representatives(family: str, names: list[str]) -> tuple[str, ...]:
    """Of a template's instantiations a few that differ in kind, the easiest to feed first."""
    chosen: dict[int, str] = {}
    for name in sorted(names, key=lambda name: (len(name), name)):
        ending = name.removeprefix(f"itk{family}")
        chosen.setdefault(next(place for place, pattern in enumerate(EASE) if re.fullmatch(pattern, ending)), name)
    return tuple(chosen[place] for place in sorted(chosen))[:MOST_WAYS]


def _modules(folder: Path) -> dict[str, str]:
    """The ITK module of each Python class, from the tables of the wrapping."""
    return {
        name: path.stem.removesuffix("Config")
        for path in sorted(folder.glob("*Config.py"))
        for name in re.findall(r"'(itk\w+)'", path.read_text(encoding="utf-8", errors="replace"))
    }


# ------------------------------------------------------------------------------------------- in the process


@functools.cache
def _itk() -> Any:
    return importlib.import_module("itk")


def _data() -> Any:
    """What makes ITK's data; it imports ITK, so it is imported late."""
    return importlib.import_module("gilgen.diagnostics.survey.itk_data")


@functools.cache
def _classes() -> dict[str, Any]:
    """Every proxy class that is loaded, by its name."""
    found = {}
    for name, module in tuple(sys.modules.items()):
        if name.startswith("itk.") and name.endswith("Python"):
            found.update({key: value for key, value in vars(module).items() if key.startswith("itk") and isinstance(value, type)})
    return found


def load() -> None:
    """Import ITK with all its modules."""
    _itk().force_load()
    data = _data()
    data.prepare()
    data.know({name: (cls.__module__, []) for name, cls in _classes().items()})


def prepare() -> None:
    """One thread a call."""
    itk = _itk()
    itk.MultiThreaderBase.SetGlobalDefaultThreader(itk.MultiThreaderBaseEnums.Threader_Platform)
    itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)
    itk.ProcessObject.GlobalWarningDisplayOff()


def quiet() -> None:
    """Nothing here says anything."""


def module_of(target: Target) -> str:
    """The parent has read it from the tables of the wrapping."""
    return target.module


def feeds(target: Target) -> Iterable[Feed]:
    """The ways to feed a template: its instantiations, and data of their types.

    Raises:
        CannotFeedError: none of them can be made.
    """
    found = False
    for name in target.ways:
        cls = _classes().get(name)
        if cls is None or not hasattr(cls, "New"):
            continue
        try:
            cls.New()
        except (RuntimeError, TypeError):
            continue
        found = True
        limit = MESH_LIMIT if re.search("Mesh|PointSet", name) else LIMIT
        yield Feed(name, functools.partial(_object, target.name, name, ALL), START, limit)
        yield Feed(f"{name} with its first input only", functools.partial(_object, target.name, name, FIRST), START, limit)
    if not found:
        raise CannotFeedError("abstract")


def _object(family: str, name: str, wanted: re.Pattern[str], size: int) -> Fed:
    """A process object with its inputs: all, or those whose setters are wanted."""
    cls = _classes()[name]
    made, data = cls.New(), _data()
    dimension = _dimension(name)
    side = max(4, round(size ** (1 / dimension)))
    with data.sized(side, size):
        if "Writer" in family:
            _write(made, data)
        elif "Reader" in family:
            _read(made, family, data)
        else:
            data.fill(made, name, wanted)
    for setter in ("SetSize", "SetOutputSize"):
        if hasattr(made, setter) and "Source" in family:
            data.quietly(getattr(made, setter), [side] * dimension)
    method = "Write" if "Writer" in family and hasattr(made, "Write") else "Update"
    if not hasattr(made, method):
        raise CannotFeedError("abstract")
    return Fed({f"{family}.{method}": Work(bound(made, method), bound(made, "Modified"))})


def _dimension(name: str) -> int:
    found = re.search(r"[A-Z](2|3|4)(?!\d)", name.removeprefix("itk"))
    return int(found[1]) if found else 3


def bound(made: Any, method: str) -> Callable[[], Any]:
    """A method without SWIG's Python function around it, so that calls in a row run no bytecode between them."""
    for cls in type(made).__mro__:
        function = vars(cls).get(method)
        if function is not None:
            extension = getattr(function, "__globals__", {}).get(f"_{cls.__module__.rpartition('.')[2]}")
            wrapper = getattr(extension, f"{cls.__name__}_{method}", None)
            if wrapper is not None:
                return functools.partial(wrapper, made)
            break
    found: Callable[[], Any] = getattr(made, method)
    return found


def _write(made: Any, data: Any) -> None:
    kinds = data.documented(made.SetInput) if hasattr(made, "SetInput") else []
    if not kinds:
        raise CannotFeedError("no generic input")
    made.SetInput(data.thing(kinds[0].split()[0]))
    name = "out.vtk" if "Mesh" in type(made).__name__ else "out.mha"
    if not hasattr(made, "SetFileName"):
        raise CannotFeedError("needs a file of its own kind, which nothing here writes")
    made.SetFileName(name)


def _read(made: Any, family: str, data: Any) -> None:
    itk = _itk()
    output = type(made.GetOutput()).__name__ if hasattr(made, "GetOutput") else ""
    path = Path("in.vtk" if "Mesh" in family else "in.mha").absolute()
    if family == "ImageFileReader":
        itk.imwrite(data.thing(output), str(path))
    elif family == "ImageSeriesReader":
        itk.imwrite(data.thing(output), str(path))
        made.SetFileNames([str(path)])
        return
    elif family == "MeshFileReader":
        itk.meshwrite(data.thing(output), str(path))
    else:
        raise CannotFeedError("needs a file of its own kind, which nothing here writes")
    made.SetFileName(str(path))


def ways_of(name: str) -> Iterator[str]:
    """For the comparison with the audit: the wrapped classes whose wrapper a call of this template can be."""
    for target in targets():
        if target.name == name:
            yield from target.ways
