"""Files for VTK's readers: each written by the writer of the same name, or a text that is easily made up."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gilgen.diagnostics.survey import vtk_kinds
from gilgen.diagnostics.survey.records import CannotFeedError

NEEDS_FILE = "needs a file of its own kind, which nothing here writes"


def sources(name: str, vtk: Any, written: Callable[[str, Path, int], None]) -> Iterator[tuple[str, Callable[[int], Path]]]:
    """Where a reader's file can come from: what it is, in words, and what writes one of a size.

    Args:
        name: the reader's class.
        vtk: the module that has all of VTK's classes.
        written: lets a writer write a file of a size.

    Raises:
        CannotFeedError: nothing here makes such files.
    """
    found = False
    if name in TEXTS:
        ending, text = TEXTS[name]
        found = True
        yield f"a file ({ending})", functools.partial(_text, ending, text)
    stem = name.removesuffix("Importer").removesuffix("Reader")
    writer = vtk_kinds.WRITTEN_BY.get(name, f"{stem}Writer")
    if writer and hasattr(vtk, writer):
        found = True
        ending = vtk_kinds.ENDINGS.get(name, "") or _ending(getattr(vtk, name), getattr(vtk, writer))
        yield f"a file that {writer} wrote", functools.partial(_write, written, writer, ending)
    if not found:
        raise CannotFeedError(NEEDS_FILE)


def _write(written: Callable[[str, Path, int], None], writer: str, ending: str, size: int) -> Path:
    path = Path(f"written-{size}{ending}").absolute()
    if not path.exists():
        written(writer, path, size)
    return path


def _text(ending: str, text: Callable[[int], str], size: int) -> Path:
    path = Path(f"made-{size}{ending}").absolute()
    path.write_text(text(size), encoding="utf-8")
    return path


def _ending(reader: Any, writer: Any) -> str:
    """How the names of its files end: as the writer says, else as the reader does."""
    for cls, method in ((writer, "GetDefaultFileExtension"), (writer, "GetFileExtensions"), (reader, "GetFileExtensions")):
        if hasattr(cls, method):
            try:
                words = (getattr(cls(), method)() or "").split()
            except TypeError:
                continue
            if words:
                return words[0] if words[0].startswith(".") else f".{words[0]}"
    return ".vtk"


# --------------------------------------------------------------------------------------------------- texts


def _xyz(size: int) -> str:
    count = max(2, size // 4)
    lines = "".join(f"C {math.cos(index):.4f} {math.sin(index):.4f} {index * 0.5:.4f}\n" for index in range(count))
    return f"{count}\nmade up\n{lines}"


def _pdb(size: int) -> str:
    count = min(99_998, max(2, size // 4))
    lines = (
        f"ATOM  {index % 99999 + 1:5d}  CA  ALA A{index % 9999 + 1:4d}    {math.cos(index) * 9:8.3f}{math.sin(index) * 9:8.3f}{index % 500 * 0.5:8.3f}  1.00  0.00           C\n"
        for index in range(count)
    )
    return "".join(lines) + "END\n"


def _obj(size: int) -> str:
    count = max(3, size // 2)
    places = "".join(f"v {math.cos(index):.4f} {math.sin(index):.4f} {index * 0.01:.4f}\n" for index in range(count))
    return places + "".join(f"f {index} {index + 1} {index + 2}\n" for index in range(1, count - 1))


def _numbers(size: int) -> str:
    return "".join(f"{math.cos(index):.4f} {math.sin(index):.4f} {index * 0.01:.4f}\n" for index in range(max(8, size // 3)))


def _csv(size: int) -> str:
    return "a,b,c\n" + "".join(f"{index},{math.sin(index):.5f},w{index % 7}\n" for index in range(max(8, size // 3)))


def _newick(size: int) -> str:
    tree = "a:1.0"
    for index in range(min(2000, max(2, size // 8))):
        tree = f"({tree},n{index}:0.5):1.0"
    return f"{tree};"


TEXTS: dict[str, tuple[str, Callable[[int], str]]] = {
    "vtkXYZMolReader": (".xyz", _xyz),
    "vtkXYZMolReader2": (".xyz", _xyz),
    "vtkPDBReader": (".pdb", _pdb),
    "vtkOBJReader": (".obj", _obj),
    "vtkSimplePointsReader": (".xyz", _numbers),
    "vtkPTSReader": (".pts", lambda size: f"{max(8, size // 3)}\n{_numbers(size)}"),
    "vtkParticleReader": (".txt", lambda size: "".join(f"{line} 1.0\n" for line in _numbers(size).splitlines())),
    "vtkDelimitedTextReader": (".csv", _csv),
    "vtkNewickTreeReader": (".tre", _newick),
    "vtkFixedWidthTextReader": (".txt", _numbers),
    "vtkGeoJSONReader": (
        ".geojson",
        lambda size: '{"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": ['
        + ", ".join(f"[{index % 180}, {index % 90}]" for index in range(max(8, size // 3)))
        + "]}}",
    ),
}
"""Readers whose files are text that is easily made up: how the name ends, and the text for a size."""
