"""Objects made ready for a call: inputs connected, files named, whatever a method needs set before it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import vtkmodules.all as vtk
from gilgen.diagnostics.survey import signatures, vtk_arguments, vtk_data

POOL = ""
"""A folder of files that VTK's own writers wrote, for readers to read."""

NEVER = ("SetExecutive", "SetInformation", "SetController", "SetRenderWindow", "SetInteractor", "SetOutput", "SetEventTranslator", "SetDebug", "SetCurrentRenderer",
    "SetDefaultRenderer", "SetParent", "SetCommand", "SetProgressObserver", "SetReaderErrorObserver", "SetParserErrorObserver")  # fmt: skip
"""Setters that a generic preparation leaves alone."""


FRAIL = (vtk.vtkCommunicator, vtk.vtkMultiProcessController)
"""Classes whose bare objects crash in whatever they are asked."""


def can_be_made(name: str) -> bool:
    """Whether this is a class whose objects Python can make."""
    cls = getattr(vtk, name, None)
    if not isinstance(cls, type) or not issubclass(cls, vtk.vtkObjectBase):
        return False
    try:
        cls()
    except (TypeError, NotImplementedError):
        return False
    return True


def variants(name: str) -> list[str]:
    """The ways in which an object of a class is prepared."""
    cls = getattr(vtk, name)
    if issubclass(cls, vtk.vtkAlgorithm):
        return ["ready", *(f"with {kind}" for kind in _further_inputs(cls())), "bare"]
    return ["ready", *(["bare"] if not issubclass(cls, FRAIL) else [])]


def make(name: str, variant: str, method: str) -> tuple[Any, dict[str, Any]]:
    """An object of a class, prepared; and values that suit its parameters."""
    cls = getattr(vtk, name)
    if variant == "bare":
        return cls(), {}
    made = vtk_data.populated(name)
    if issubclass(cls, vtk.vtkExecutive):
        made = executive(cls)
    elif made is None:
        made = cls()
        if isinstance(made, vtk.vtkAlgorithm):
            connect(made, variant.removeprefix("with ") if variant.startswith("with ") else "")
        fill(made)
        if isinstance(made, vtk.vtkLocator) and not method.startswith(("Build", "ForceBuild", "Free")):
            quietly(made.BuildLocator)
    return made, {**_by_method(method), "vtkDataObject *": lambda: vtk_arguments.instance(_own_kind(made)), **_suggestions(made)}


KEPT: list[Any] = []
"""What VTK only points at and would otherwise go away."""


def executive(cls: type) -> Any:
    """An executive with an algorithm."""
    made, algorithm = cls(), vtk.vtkElevationFilter()
    algorithm.SetInputDataObject(vtk_data.poly_data())
    algorithm.SetExecutive(made)
    KEPT.append(algorithm)
    algorithm.SetInputDataObject(vtk_data.poly_data())
    return made


def _by_method(method: str) -> dict[str, Any]:
    """What a method's name says of its arguments."""
    kinds = {"UnstructuredGrid": "vtkUnstructuredGrid", "Structured": "vtkStructuredGrid", "PolyData": "vtkPolyData", "DataSet": "vtkUnstructuredGrid"}
    for start, kind in kinds.items():
        if method == f"{start}Execute":
            return {"vtkDataSet *": vtk_data.MAKERS[kind]}
    return {}


def _own_kind(made: Any) -> str:
    return made.GetClassName() if isinstance(made, vtk.vtkDataObject) else "vtkPolyData"


def _suggestions(made: Any) -> dict[str, Any]:
    """An object that is copied from is best of the same class."""
    if isinstance(made, vtk.vtkDataSet):
        return {"vtkDataSet *": lambda: vtk_arguments.instance(made.GetClassName())}
    if isinstance(made, vtk.vtkCompositeDataSet):
        return {"vtkCompositeDataSet *": lambda: vtk_arguments.instance(made.GetClassName())}
    return {}


# ------------------------------------------------------------------------------------------------- inputs


def accepted(algorithm: Any, port: int) -> list[str]:
    """The kinds of data that an input takes, those that are made here first."""
    information = algorithm.GetInputPortInformation(port)
    key = vtk.vtkAlgorithm.INPUT_REQUIRED_DATA_TYPE()
    count = information.Length(key) if information and information.Has(key) else 0
    wanted = [information.Get(key, index) if count > 1 else information.Get(key) for index in range(count)]
    found = []
    for kind in vtk_data.DATA:
        cls = getattr(vtk, kind)
        if any(want in vtk_data.MAKERS or hasattr(vtk, want) for want in wanted) and any(
            hasattr(vtk, want) and issubclass(cls, getattr(vtk, want)) for want in wanted
        ):
            found.append(kind)
    exact = [want for want in wanted if want in vtk_data.MAKERS and want not in found]
    return [*[kind for kind in found if kind in wanted], *[kind for kind in found if kind not in wanted], *exact]


def _further_inputs(algorithm: Any) -> list[str]:
    """Other kinds than the first that the first input takes."""
    if not algorithm.GetNumberOfInputPorts():
        return []
    return accepted(algorithm, 0)[1:3]


def small(kind: str) -> Any:
    """A small data object of this kind."""
    return vtk_data.MAKERS[kind]()


def connect(algorithm: Any, kind: str, make: Callable[[str], Any] = small) -> None:
    """Data on every input that must have some, of `kind` where an input takes that; `make` prepares them."""
    for port in range(algorithm.GetNumberOfInputPorts()):
        kinds = accepted(algorithm, port)
        information = algorithm.GetInputPortInformation(port)
        optional = bool(information.Get(vtk.vtkAlgorithm.INPUT_IS_OPTIONAL())) if information else True
        if not kinds or (port and optional):
            continue
        chosen = kind if kind in kinds else kinds[0]
        algorithm.SetInputDataObject(port, make(chosen))
        repeatable = information.Get(vtk.vtkAlgorithm.INPUT_IS_REPEATABLE())
        if repeatable:
            algorithm.AddInputDataObject(port, make(chosen))
    if isinstance(algorithm, vtk.vtkAlgorithm):
        try:
            algorithm.SetInputArrayToProcess(0, 0, 0, vtk.vtkDataObject.FIELD_ASSOCIATION_POINTS, "scalars")
        except (TypeError, AttributeError):
            return


# ------------------------------------------------------------------------------------------------ settings


def fill(made: Any, further: tuple[str, ...] = ()) -> None:
    """Set what is a file's name or an object and is not set yet; `further` kinds of object as well."""
    for name in ("SetFileName", "SetFilePrefix", "SetDirectoryName", "SetCaseFileName"):
        if hasattr(made, name):
            setting = _file(made) if name != "SetDirectoryName" else "."
            quietly(getattr(made, name), setting)
    _particular(made)
    for name in dir(made):
        if not name.startswith("Set") or name in NEVER or name.startswith("SetInput") or not hasattr(made, "G" + name[1:]):
            continue
        kind = _object_parameter(made, name, further)
        if kind is None:
            continue
        try:
            if getattr(made, "G" + name[1:])() is not None:
                continue
            getattr(made, name)(vtk_arguments.instance(kind))
        except (TypeError, vtk_arguments.CannotMakeError, AttributeError, RuntimeError):
            continue


def _particular(made: Any) -> None:
    """What only some kinds of object need."""
    if hasattr(made, "SetGraph"):
        treelike = any(word in made.GetClassName() for word in ("Tree", "Cone", "Cosmic", "Box", "Area", "Dice", "Squarify", "Stacked"))
        made.SetGraph(vtk_data.tree() if treelike else vtk_data.graph())
    if hasattr(made, "SetHTG"):
        made.SetHTG(vtk_data.hyper_tree_grid())
    if isinstance(made, vtk.vtkAlgorithm) and hasattr(made, "SetValue") and hasattr(made, "GetNumberOfContours"):
        quietly(made.SetValue, 0, 0.5)


def _planes() -> Any:
    planes = vtk.vtkPlaneCollection()
    planes.AddItem(vtk.vtkPlane())
    return planes


PARTICULAR: tuple[tuple[str, Callable[[], tuple[Any, ...]]], ...] = (
    ("SetPlanes", lambda: (_planes(),)),
    ("SetClippingPlanes", lambda: (_planes(),)),
    ("SetTransform", lambda: (vtk.vtkTransform(),)),
    ("SetGeometryFileName", lambda: ("out.g",)),
    ("AddColumnPair", lambda: ("x", "y")),
    ("SetColumnStatus", lambda: ("x", 1)),
    ("SetColumnStatus", lambda: ("y", 1)),
    ("SetColumnStatus", lambda: ("z", 1)),
    ("RequestSelectedColumns", tuple),
)
"""What else some filters cannot do without: setters, and what they are given."""


def particular(algorithm: Any) -> None:
    """Set what else some filters cannot do without."""
    for name, make in PARTICULAR:
        if hasattr(algorithm, name):
            quietly(getattr(algorithm, name), *make())


_LENGTH, _FLAT, _CUBE = 1.0, 1 / 2, 1 / 3

SCALES: tuple[tuple[str, float, int, bool], ...] = (
    ("SetSampleDimensions", _CUBE, 3, True),
    ("SetOutputDimensions", _CUBE, 3, True),
    ("SetNumberOfSamplePoints", _LENGTH, 1, True),
    ("SetThetaResolution", _FLAT, 1, False),
    ("SetPhiResolution", _FLAT, 1, False),
    ("SetLatLongResolution", _FLAT, 1, False),
    ("SetXResolution", _FLAT, 1, False),
    ("SetYResolution", _FLAT, 1, False),
    ("SetUResolution", _FLAT, 1, False),
    ("SetVResolution", _FLAT, 1, False),
    ("SetWResolution", _CUBE, 1, False),
    ("SetResolution", _LENGTH, 1, False),
    ("SetTipResolution", _LENGTH, 1, False),
    ("SetShaftResolution", _LENGTH, 1, False),
    ("SetCircumferentialResolution", _FLAT, 1, False),
    ("SetRadialResolution", _FLAT, 1, False),
    ("SetNumberOfPoints", _LENGTH, 1, False),
    ("SetNumberOfSides", _LENGTH, 1, False),
    ("SetNumberOfVertices", _LENGTH, 1, False),
    ("SetNumberOfEdges", _LENGTH, 1, False),
    ("SetBlocksDimensions", _CUBE, 3, False),
    ("SetDimensions", _CUBE, 3, False),
)
"""Settings of a source that say how much it makes: the power of the size, how many numbers, and whether filters have it too."""


def scale(algorithm: Any, size: int) -> None:
    """Let a source make about `size` elements, as far as it has a setting for that."""
    source = not algorithm.GetNumberOfInputPorts()
    for name, power, count, filters in SCALES:
        if (source or filters) and hasattr(algorithm, name):
            quietly(getattr(algorithm, name), *[max(3, round(size**power))] * count)
    if source and hasattr(algorithm, "SetWholeExtent"):
        side = max(4, round(size**_CUBE))
        quietly(algorithm.SetWholeExtent, 0, side - 1, 0, side - 1, 0, side - 1)


def quietly(function: Callable[..., Any], *arguments: Any) -> None:
    """Call a setter that may not take such arguments."""
    try:
        function(*arguments)
    except (TypeError, ValueError, AttributeError):
        return


def _object_parameter(made: Any, name: str, further: tuple[str, ...]) -> str | None:
    """The kind of object that a setter takes, where it takes one and nothing else."""
    text = getattr(made, name).__doc__ or ""
    _, found, after = text.partition("C++:")
    if not found:
        return None
    declaration = after.split("\n\n")[0].split(f"{name}(self")[0]
    parsed = signatures.parse(declaration)
    if parsed is None or len(parsed.parameters) != 1:
        return None
    (parameter,) = parsed.parameters
    wanted = ("vtkDataSet", "vtkPoint", "vtkPoly", "vtkImageData", "vtkImplicit", "vtkScalarsToColors", "vtkGraph", "vtkPiecewise", "vtkColorTransfer",
        "vtkTransform", "vtkAbstractTransform", "vtkMatrix", "vtkPlane", "vtkCamera", "vtkTable", "vtkLocator", "vtkSpline", "vtkAbstractArray", "vtkDataArray",
        "vtkCutter", "vtkParametricFunction", "vtkDataObject", "vtkUnstructuredGrid", "vtkSelection", "vtkLookupTable", "vtkAbstractPointLocator",
        "vtkIncrementalPointLocator", "vtkInitialValueProblemSolver", "vtkFunctionSet", "vtkStringArray", "vtkIdTypeArray", "vtkIdList", "vtkTextProperty",
        "vtkMapper", "vtkActor", "vtkVolumeProperty", "vtkProperty", "vtkTree", "vtkAnnotation", "vtkGenericCell", "vtkCell", "vtkMolecule", "vtkRenderer",
        "vtkHyperTreeGrid", "vtkContourGrid", "vtkWindow", "vtkProp")  # fmt: skip
    return parameter.kind if parameter.mark == "*" and parameter.kind.startswith((*wanted, *further)) else None


def _file(made: Any) -> str:
    """A file for a reader: one that fits, or a name for a writer."""
    if POOL and ("Reader" in made.GetClassName() or "Importer" in made.GetClassName()):
        for path in candidates(made.GetClassName()):
            return path
    return "out" + [*endings(made), ".dat"][0]


def endings(made: Any) -> list[str]:
    """How the names of an object's files may end; nothing where it does not say."""
    for name in ("GetFileExtensions", "GetDefaultFileExtension"):
        if hasattr(made, name):
            try:
                text = getattr(made, name)() or ""
            except TypeError:
                continue
            return [ending if ending.startswith(".") else f".{ending}" for ending in text.split()]
    return []


def candidates(kind: str) -> list[str]:
    """Files of the pool that suit a reader's class, the most likely first."""
    if not POOL or not Path(POOL).is_dir():
        return []
    stem = kind.removeprefix("vtk").replace("Reader", "").replace("Importer", "")
    starts = (f"{stem}Writer.", f"{stem}Exporter.", f"{stem}.")
    return sorted(str(path) for path in Path(POOL).iterdir() if path.name.startswith(starts))

