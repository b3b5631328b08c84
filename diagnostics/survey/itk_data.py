"""Small ITK objects with something in them, and what a proxy's documentation says of arguments."""

from __future__ import annotations

import contextlib
import importlib
import math
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import itk
import numpy as np

POOL = ""
"""A folder of files that ITK's own writers wrote, for readers to read."""

_SURVEY: dict[str, Any] = {}

SIDE, COUNT = 6, 5
"""Pixels along an image's first edge, and points of a mesh, where `sized` says nothing else."""

_size = [SIDE, COUNT]


@contextlib.contextmanager
def sized(side: int, count: int) -> Iterator[None]:
    """Make images with edges of `side` pixels, and meshes of about `count` points, within the block."""
    _size[:] = side, count
    try:
        yield
    finally:
        _size[:] = SIDE, COUNT


def know(survey: dict[str, Any]) -> None:
    """Where proxy classes are: name -> (module, bases)."""
    _SURVEY.update(survey)


@cache
def _templates() -> list[str]:
    return sorted((name for name in dir(itk) if name[:1].isupper()), key=len, reverse=True)


def proxy(name: str, survey: dict[str, Any] | None = None) -> Any:
    """A proxy class by its name; None where it cannot be loaded."""
    if survey:
        _SURVEY.update(survey) if not _SURVEY else None
    module = _SURVEY.get(name, ("", []))[0]
    if not module:
        return None
    if module not in sys.modules:
        short = name.removeprefix("itk")
        template = next((each for each in _templates() if short.startswith(each)), None)
        if template:
            getattr(itk, template)
        if module not in sys.modules:
            importlib.import_module(module)
    return getattr(sys.modules[module], name, None)


def prepare() -> None:
    """Load what every recipe uses, before any fork."""
    for name in ("Image", "PyBuffer", "ImageFileReader", "ImageFileWriter", "MersenneTwisterRandomVariateGenerator", "Mesh", "TranslationTransform", "VectorImage"):
        getattr(itk, name)


def values(shape: tuple[int, ...]) -> Any:
    """Numbers in this shape, with a pattern that repeats nothing at once."""
    count = int(np.prod(shape))
    return (np.abs(np.sin(np.arange(count) * 0.7) * 60 + (np.arange(count) % 17)).reshape(shape)).astype(np.float64)


def image(cls: Any, *, side: int = 0, shift: int = 0) -> Any:
    """An image of this class with a pattern in it."""
    grown = not side and _size[0] != SIDE
    side = side or _size[0]
    made = cls.New()
    dimension = made.GetImageDimension()
    # Fourier transforms want sizes without large factors.
    size = [smooth(side)] * dimension if grown else [side + index for index in range(dimension)]
    made.SetRegions(size)
    if hasattr(made, "SetVectorLength"):
        made.SetVectorLength(2)
    made.Allocate(True)  # noqa: FBT003 - ITK's own signature
    try:
        view = itk.array_view_from_image(made)
        view[...] = np.roll(values(view.shape), shift).astype(view.dtype)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
        return made
    return made


def smooth(side: int) -> int:
    """The next even number from `side` on that has no other factors than 2, 3 and 5."""
    while True:
        rest = side
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1 and side % 2 == 0:
            return side
        side += 1


def histogram(cls: Any) -> Any:
    """A histogram with something in each of its bins."""
    made = cls.New()
    made.SetMeasurementVectorSize(1)
    size, low, high = itk.Array[itk.UL](1), itk.Array[itk.D](1), itk.Array[itk.D](1)
    count = max(16, _size[1] // 8)
    size.Fill(count)
    low.Fill(0.0)
    high.Fill(255.0)
    made.Initialize(size, low, high)
    for index in range(count):
        made.SetFrequency(index, 1 + (index * 7) % 11)
    return made


def surface(cls: Any, count: int) -> Any:
    """A closed surface of any class of meshes, from a file that this writes."""
    rows = max(3, round(count**0.5))
    places = [(math.cos(a) * math.sin(b), math.sin(a) * math.sin(b), math.cos(b)) for b in (math.pi * (row + 0.5) / rows for row in range(rows)) for a in (2 * math.pi * column / rows for column in range(rows))]
    lines = ["OFF", f"{len(places)} {2 * rows * (rows - 1)} 0", *("{:.6f} {:.6f} {:.6f}".format(*place) for place in places)]
    for row in range(rows - 1):
        for column in range(rows):
            a, b = row * rows + column, row * rows + (column + 1) % rows
            lines += [f"3 {a} {b} {b + rows}", f"3 {a} {b + rows} {a + rows}"]
    path = Path(f"surface-{count}.off").absolute()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    reader = itk.MeshFileReader[cls].New()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def mesh(cls: Any) -> Any:
    """A tetrahedron's points and a triangle or two, where the class takes them."""
    made = cls.New()
    dimension = made.GetPointDimension() if hasattr(made, "GetPointDimension") else 3
    if _size[1] > COUNT and dimension == 3:  # noqa: PLR2004 - a sphere has three
        for make in (sphere, surface):
            with contextlib.suppress(TypeError, KeyError, RuntimeError):
                return make(cls, _size[1])
    for index in range(_size[1]):
        point = itk.Point[itk.F, dimension]()
        for axis in range(dimension):
            point[axis] = float((index * (axis + 1)) % 3) + 0.25 * index
        made.SetPoint(index, point)
    return made


def sphere(cls: Any, count: int) -> Any:
    """A closed surface of triangles with about so many points."""
    source = itk.RegularSphereMeshSource[cls].New()
    source.SetResolution(max(1, min(7, round(math.log(count / 6, 4)))))
    source.Update()
    return source.GetOutput()


def write_pool(folder: Path) -> None:
    """Images and meshes in the formats that ITK writes itself, for its readers."""
    for dimension in (2, 3, 4):
        made = image(itk.Image[itk.F, dimension])
        itk.imwrite(made, str(folder / f"image{dimension}.mha"))
        itk.imwrite(made, str(folder / f"image{dimension}.nrrd"))
    small = image(itk.Image[itk.UC, 2])
    for ending in ("png", "bmp", "jpg", "tif", "vtk", "nii", "gipl", "hdf5", "mrc", "mha", "nrrd", "pic", "lsm", "mnc", "dcm", "spr", "jp2", "hdr"):
        try:
            itk.imwrite(small, str(folder / f"small.{ending}"))
        except (RuntimeError, TypeError):
            continue
    points = "ASCII\nDATASET POLYDATA\nPOINTS 4 float\n0 0 0 1 0 0 0 1 0 0 0 1\nPOLYGONS 2 8\n3 0 1 2\n3 0 1 3\n"
    data = "CELL_DATA 2\nSCALARS c float 1\nLOOKUP_TABLE default\n1 2\nPOINT_DATA 4\nSCALARS s float 1\nLOOKUP_TABLE default\n1 2 3 4\n"
    (folder / "mesh.vtk").write_text(f"# vtk DataFile Version 2.0\nmesh\n{points}{data}", encoding="utf-8")
    (folder / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n", encoding="utf-8")
    (folder / "mesh.off").write_text("OFF\n4 2 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 1 3\n", encoding="utf-8")
    (folder / "mesh.byu").write_text("1 4 2 6\n1 2\n0 0 0 1 0 0\n0 1 0 0 0 1\n1 2 -3\n1 2 -4\n", encoding="utf-8")
    transform = itk.TranslationTransform[itk.D, 2].New()
    itk.transformwrite([transform], str(folder / "transform.txt"))
    itk.transformwrite([transform], str(folder / "transform.h5"))
    itk.transformwrite([transform], str(folder / "transform.mat"))


def pool(name: str) -> str:
    """The path of one of the pool's files."""
    return str(Path(POOL) / name)


# ----------------------------------------------------------------------------------------------- arguments


def documented(function: Any) -> list[str]:
    """The types of a method's parameters, as its proxy's documentation has them; of the first overload."""
    text = function.__doc__ or ""
    blocks = re.split(r"(?m)^\s*\w+\(self.*$", text)
    for block in blocks[1:2]:
        return re.findall(r"(?m)^\s*\w+: (.+)$", block)
    return []


def arguments(function: Any) -> list[Any]:
    """Values for all parameters of a method, by its documentation."""
    return [value(kind) for kind in documented(function)]


def value(kind: str) -> Any:
    """A value for a type as SWIG spells it."""
    bare = re.sub(r"\b(const)\b|[*&]", " ", kind).split()
    name = bare[0] if bare else ""
    if name == "std::string" or (name == "char" and "*" in kind):
        return pool("small.png")
    if name == "bool":
        return True
    if name in {"unsigned", "int", "long", "short", "size_t", "itk::SizeValueType"}:
        return 1
    if name in {"double", "float"}:
        return 0.5
    return thing(name)


def thing(name: str) -> Any:
    """An object of a proxy class."""
    name = name.removesuffix("_Pointer")
    cls = proxy(name)
    if cls is None:
        raise TypeError(f"nothing is known of {name}")
    if name.startswith(("itkImage", "itkVectorImage")) and hasattr(cls, "SetRegions"):
        return image(cls)
    if name.startswith(("itkMesh", "itkPointSet", "itkQuadEdgeMesh")) and hasattr(cls, "SetPoint"):
        return mesh(cls)
    if name.startswith("itkHistogram") and _size[0] != SIDE and hasattr(cls, "SetFrequency"):
        return histogram(cls)
    if name.startswith("itkFlatStructuringElement") and _size[0] != SIDE:
        return cls.Ball([1] * int(name[-1]))
    if hasattr(cls, "New"):
        return cls.New()
    return cls()


INPUTS = re.compile(r"^Set(Input\w*|\w*Image|\w*Transform|\w*Histogram|\w*Mesh|\w*PointSet|Interpolator|\w*Kernel)$")


def fill(made: Any, name: str, wanted: re.Pattern[str] = INPUTS) -> None:
    """Give a filter the inputs that its setters are documented to take; only setters that are `wanted`."""
    for setter in sorted(dir(made)):
        if not wanted.match(setter) or setter in {"SetInputNames", "SetInputDirectory"}:
            continue
        kinds = documented(getattr(made, setter))
        if len(kinds) != 1 or not kinds[0].startswith("itk"):
            continue
        try:
            getattr(made, setter)(value(kinds[0]))
        except (TypeError, RuntimeError, AttributeError, KeyError):
            continue
    if hasattr(made, "SetFileName"):
        made.SetFileName("out.mha" if "Writer" in name or "Image" not in name else pool("image2.mha"))
    if hasattr(made, "SetSize") and "Source" in name:
        quietly(made.SetSize, [6, 7])


def quietly(function: Any, *given: Any) -> None:
    """Call a setter that may not take such arguments."""
    try:
        function(*given)
    except (TypeError, RuntimeError):
        return
