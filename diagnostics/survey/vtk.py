"""The survey's provider for VTK: which classes do work, what they are fed with, and the calls that let them work.

Of an algorithm two calls are measured. `Update` carries VTK's own hint and releases in plain VTK >= 9.4; `UpdatePiece`
does the same work and does not. Nothing here imports VTK before `load()` does.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.survey import vtk_files, vtk_kinds
from gilgen.diagnostics.survey.records import CannotFeedError, Fed, Feed, Target

from gilgen import plan, toolkits

START, LIMIT = 4096, 1_500_000
"""The ladder of sizes, in elements: a few hundred bytes each."""

MOST_KINDS = 4
"""So many kinds of data are tried on an input at most."""

MESSAGES = "messages.txt"
"""Where VTK's errors and warnings go, in the folder of the class."""


# --------------------------------------------------------------------------------------------- which classes


def targets() -> tuple[Target, ...]:
    """Every class of the installed VTK that does work, those that are left out with their reason."""
    kind = toolkits.get("vtk")
    exposed = {cls.name: cls for cls in plan.exposed(kind, kind.installation())}

    @functools.cache
    def ancestry(name: str) -> frozenset[str]:
        found = exposed.get(name)
        return frozenset({name}).union(*(ancestry(base) for base in found.bases)) if found is not None else frozenset({name})

    chosen = []
    for name in sorted(exposed):
        above = ancestry(name)
        if above.isdisjoint(vtk_kinds.WORKING):
            continue
        reasons = [why for base, why in vtk_kinds.LEFT_OUT.items() if base in above]
        chosen.append(Target("vtk", "", name, untested=reasons[0] if reasons else ""))
    return tuple(chosen)


# ------------------------------------------------------------------------------------------- in the process


@functools.cache
def _vtk() -> Any:
    return importlib.import_module("vtkmodules.all")


def _data() -> Any:
    """The modules that make data import VTK, so they are imported late."""
    return importlib.import_module("gilgen.diagnostics.survey.vtk_sized")


def _setup() -> Any:
    return importlib.import_module("gilgen.diagnostics.survey.vtk_setup")


def load() -> None:
    """Import VTK and all that feeds it."""
    _data()
    _setup()


def prepare() -> None:
    """One thread a call, a controller that knows of one process, and VTK's words into a file."""
    vtk = _vtk()
    vtk.vtkSMPTools.SetBackend("Sequential")
    vtk.vtkSMPTools.Initialize(1)
    vtk.vtkMultiThreader.SetGlobalMaximumNumberOfThreads(1)
    if hasattr(vtk, "vtkDummyController"):
        _kept.append(vtk.vtkDummyController())
        vtk.vtkMultiProcessController.SetGlobalController(_kept[-1])
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_OFF)
    words = vtk.vtkFileOutputWindow()
    words.SetFileName(MESSAGES)
    words.SetFlush(True)  # noqa: FBT003 - VTK's own signature
    vtk.vtkOutputWindow.SetInstance(words)


def quiet() -> None:
    """No more words: what is formatted and printed is no part of the call."""
    _vtk().vtkObject.GlobalWarningDisplayOff()


def module_of(target: Target) -> str:
    """VTK's module that has the class; raises CannotFeedError where this build lacks it."""
    cls = getattr(_vtk(), target.name, None)
    if cls is None:
        raise CannotFeedError("not part of vtkmodules.all")
    return str(_own(cls).__module__.rpartition(".")[2])


def _own(cls: Any) -> Any:
    """VTK's own class, where Python code of VTK stands before it."""
    return next((base for base in cls.__mro__ if base.__module__.startswith("vtkmodules.vtk")), cls)


_kept: list[Any] = []
"""What VTK only points at and would otherwise go away."""

_heard = [0]
"""Bytes of VTK's messages that count no more."""


def complaint() -> str:
    """The first error that VTK has reported since `_silence`; empty where there is none."""
    try:
        lines = Path(MESSAGES).read_bytes()[_heard[0] :].decode(errors="replace").splitlines()
    except OSError:
        return ""
    for index, line in enumerate(lines):
        if line.startswith("ERROR") or "ERR|" in line:
            words = lines[index + 1] if index + 1 < len(lines) else line
            return re.sub(r" ?\(0x[0-9a-f]+\)", "", words.partition("): ")[2] or words)
    return ""


def _silence() -> None:
    """Forget what VTK has said so far."""
    with contextlib.suppress(OSError):
        _heard[0] = Path(MESSAGES).stat().st_size


def feeds(target: Target) -> Iterable[Feed]:
    """The ways to feed a class, the most likely first.

    Raises:
        CannotFeedError: there is none.
    """
    vtk = _vtk()
    cls = getattr(vtk, target.name)
    try:
        sample = cls()
    except (TypeError, NotImplementedError) as error:
        raise CannotFeedError("abstract") from error
    for base, kind in (
        ("vtkAlgorithm", _algorithms),
        ("vtkLocator", _locators),
        ("vtkDataObject", _copies),
        ("vtkAbstractTransform", _transforms),
        ("vtkImporter", _importers),
    ):
        if isinstance(sample, getattr(vtk, base)):
            return kind(target.name, sample)
    raise CannotFeedError("no generic input")


# ---------------------------------------------------------------------------------------------- algorithms


def _algorithms(name: str, sample: Any) -> Iterator[Feed]:
    if _reads_files(sample):
        yield from _readers(name, sample)
    elif not sample.GetNumberOfInputPorts():
        yield Feed("nothing", functools.partial(_algorithm, name, "", {}), START, LIMIT)
    else:
        yield from _filters(name, sample)


def _reads_files(sample: Any) -> bool:
    name = sample.GetClassName()
    return not sample.GetNumberOfInputPorts() and (hasattr(sample, "SetFileName") or hasattr(sample, "SetFileNames") or "Reader" in name)


def _filters(name: str, sample: Any) -> Iterator[Feed]:
    accepted = _setup().accepted(sample, 0)
    if not accepted and not _typed(sample):
        accepted = ["vtkImageData", "vtkPolyData"] if "Image" in name else ["vtkPolyData", "vtkImageData", "vtkUnstructuredGrid"]
    if not accepted:
        raise CannotFeedError("no generic input")
    for kind in accepted[:MOST_KINDS]:
        for title, make in _flavours(kind):
            yield Feed(title, functools.partial(_algorithm, name, kind, {kind: make}), START, LIMIT if _data().grows(kind) else START)


def _typed(algorithm: Any) -> bool:
    """Whether its first input says what it takes."""
    information = algorithm.GetInputPortInformation(0)
    return bool(information and information.Has(_vtk().vtkAlgorithm.INPUT_REQUIRED_DATA_TYPE()))


def _flavours(kind: str) -> list[tuple[str, Callable[[int], Any]]]:
    """Different data of one kind: what one filter has no use for, another wants."""
    data = _data()
    bare = (f"a bare {kind}", functools.partial(data.bare, kind))
    if kind == "vtkImageData":
        return [
            (kind, data.image),
            ("vtkImageData of bytes", data.byte_image),
            ("a flat vtkImageData", data.flat_image),
            ("a coloured vtkImageData", data.coloured_image),
            bare,
        ]
    if kind == "vtkPolyData":
        return [("vtkPolyData with triangles", data.surface), bare, ("vtkPolyData with lines", data.lines), ("vtkPolyData with points", data.loose_points)]
    if kind == "vtkMultiBlockDataSet":
        return [(kind, data.blocks), ("vtkMultiBlockDataSet of surfaces", data.nested), bare]
    return [(kind, functools.partial(data.made, kind)), bare]


def _algorithm(name: str, kind: str, makers: dict[str, Callable[[int], Any]], size: int) -> Fed:
    """An algorithm with all its inputs, and the calls that let it work."""
    data, setup = _data(), _setup()
    algorithm = getattr(_vtk(), name)()

    def make(wanted: str) -> Any:
        return makers[wanted](size) if wanted in makers else data.made(wanted, size)

    setup.connect(algorithm, kind, make)
    if kind and not _typed(algorithm):
        algorithm.SetInputDataObject(0, make(kind))
    setup.fill(algorithm, vtk_kinds.OBJECTS)
    setup.particular(algorithm)
    setup.scale(algorithm, size)
    _silence()
    return Fed(_works(name, algorithm), complaint)


def _works(name: str, algorithm: Any) -> dict[str, Work]:
    vtk = _vtk()
    writes = isinstance(algorithm, (vtk.vtkWriter, vtk.vtkImageWriter)) or (hasattr(algorithm, "Write") and not algorithm.GetNumberOfOutputPorts())
    if writes and hasattr(algorithm, "Write"):
        return {f"{name}.Write": Work(algorithm.Write, algorithm.Modified)}
    works = {f"{name}.Update": Work(algorithm.Update, algorithm.Modified)}
    if algorithm.GetNumberOfOutputPorts() and hasattr(algorithm, "UpdatePiece"):
        works[f"{name}.UpdatePiece"] = Work(functools.partial(algorithm.UpdatePiece, 0, 1, 0), algorithm.Modified)
    return works


def _readers(name: str, sample: Any) -> Iterator[Feed]:
    del sample
    for title, write in vtk_files.sources(name, _vtk(), written):
        yield Feed(title, functools.partial(_reader, name, write), START, LIMIT)


def _reader(name: str, write: Callable[[int], Path], size: int) -> Fed:
    path = write(size)
    reader = getattr(_vtk(), name)()
    _name(reader, path)
    _silence()
    return Fed(_works(name, reader), complaint)


def _name(made: Any, path: Path) -> None:
    setter = next((name for name in vtk_kinds.FILE_SETTERS if hasattr(made, name)), "")
    if not setter:
        raise CannotFeedError(vtk_files.NEEDS_FILE)
    getattr(made, setter)(str(path))


def written(writer: str, path: Path, size: int) -> None:
    """Let a writer write a file of about so many elements.

    Raises:
        CannotFeedError: it cannot.
    """
    wanted = vtk_kinds.WRITERS_FED.get(writer, "")
    for feed in feeds(Target("vtk", "", writer)):
        if wanted not in {"", feed.title}:
            continue
        fed = feed.make(size)
        call = next(iter(fed.works.values())).call
        _name(call.__self__, path)  # type: ignore[attr-defined]
        call()
        if not complaint() and path.exists() and path.stat().st_size:
            return
    raise CannotFeedError(f"needs a file, and {writer} did not write one")


def _importers(name: str, sample: Any) -> Iterator[Feed]:
    del sample
    for title, write in vtk_files.sources(name, _vtk(), written):

        def make(size: int, write: Callable[[int], Path] = write) -> Fed:
            path = write(size)
            importer = getattr(_vtk(), name)()
            _name(importer, path)
            _silence()
            return Fed({f"{name}.Update": Work(importer.Update, importer.Modified)}, complaint)

        yield Feed(title, make, START, LIMIT)


# -------------------------------------------------------------------------------------- what is no algorithm


def _locators(name: str, sample: Any) -> Iterator[Feed]:
    del sample
    data = _data()
    for title, make in (("vtkPolyData with triangles", data.surface), ("vtkUnstructuredGrid", data.unstructured), ("vtkHyperTreeGrid", data.hyper_tree_grid)):

        def build(size: int, make: Callable[[int], Any] = make) -> Fed:
            locator, built = getattr(_vtk(), name)(), make(size)
            setter = getattr(locator, "SetDataSet", None) or getattr(locator, "SetHTG", None)
            if setter is None:
                raise CannotFeedError("no generic input")
            try:
                setter(built)
            except TypeError as error:
                raise CannotFeedError("no generic input") from error
            if hasattr(locator, "SetLazyEvaluation"):
                locator.SetLazyEvaluation(0)
            _silence()
            return Fed({f"{name}.BuildLocator": Work(locator.BuildLocator, locator.Modified)}, complaint)

        yield Feed(title, build, START, LIMIT)


def _copies(name: str, sample: Any) -> Iterator[Feed]:
    data = _data()
    kinds = [name] if name in {*data.SIZED, *_makers()} else [kind for kind in data.SIZED if issubclass(type(sample), getattr(_vtk(), kind, ()))]

    def copy(size: int, kind: str = "") -> Fed:
        original, copied = data.made(kind, size), getattr(_vtk(), name)()
        _silence()
        return Fed({f"{name}.DeepCopy": Work(functools.partial(copied.DeepCopy, original), copied.Initialize)}, complaint)

    if not kinds:
        raise CannotFeedError("no generic input")
    for kind in kinds:
        yield Feed(kind, functools.partial(copy, kind=kind), START, LIMIT if data.grows(kind) else START)


def _makers() -> Any:
    return importlib.import_module("gilgen.diagnostics.survey.vtk_data").MAKERS


def _transforms(name: str, sample: Any) -> Iterator[Feed]:
    del sample

    def move(size: int) -> Fed:
        data, setup = _data(), _setup()
        transform = getattr(_vtk(), name)()
        setup.fill(transform)
        for setter, cloud in (("SetSource", data.loose_points), ("SetTarget", data.loose_points)):
            if hasattr(transform, setter):
                setup.quietly(getattr(transform, setter), cloud(64))
        transform.Update()
        points, moved = data.loose_points(size).GetPoints(), _vtk().vtkPoints()
        _silence()
        return Fed({f"{name}.TransformPoints": Work(functools.partial(transform.TransformPoints, points, moved), moved.Reset)}, complaint)

    yield Feed("vtkPoints", move, START, LIMIT)
