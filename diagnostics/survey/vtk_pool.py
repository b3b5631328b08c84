"""Files for VTK's readers, each written by the writer of the same name."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path
from typing import Any

import vtkmodules.all as vtk
from gilgen.diagnostics.survey import vtk_setup


def fill(folder: Path) -> None:
    """Let every writer write one small file; one that crashes or hangs leaves none."""
    for name in sorted(dir(vtk)):
        cls = getattr(vtk, name)
        if name.endswith("Writer") and isinstance(cls, type) and issubclass(cls, vtk.vtkAlgorithm) and hasattr(cls, "SetFileName"):
            _in_a_fork(name, folder)
    (folder / "DelimitedText.csv").write_text("a,b\n1,2.5\n3,x\n", encoding="utf-8")
    (folder / "XYZMol.xyz").write_text("2\nwater\nO 0 0 0\nH 0.9 0 0\n", encoding="utf-8")
    (folder / "PDB.pdb").write_text("ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00  0.00           N\nEND\n", encoding="utf-8")
    (folder / "OBJ.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", encoding="utf-8")
    (folder / "GeoJSON.geojson").write_text('{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}}', encoding="utf-8")


def _in_a_fork(name: str, folder: Path) -> None:
    process = os.fork()
    if process == 0:
        signal.alarm(10)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            _write(name, folder)
        except (TypeError, NotImplementedError, ValueError, RuntimeError, AttributeError):
            os._exit(1)
        os._exit(0)
    os.waitpid(process, 0)


def _write(name: str, folder: Path) -> None:
    writer: Any = getattr(vtk, name)()
    vtk_setup.connect(writer, "")
    endings = vtk_setup.endings(writer)
    path = folder / f"{name.removeprefix('vtk')}{endings[0] if endings else '.dat'}"
    writer.SetFileName(str(path))
    writer.Write()
