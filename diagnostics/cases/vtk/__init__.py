"""What is called in VTK: filters, files, locators, copies, rendering, and the ways into them.

Some of these release in plain VTK >= 9.4 (`vtkAlgorithm.Update()` has the upstream hint) and are here so that
a shim cannot make them worse. All data are made on the spot: VTK's wavelet and surfaces cut from it.
"""

from __future__ import annotations

import importlib
from typing import Any

from gilgen.diagnostics.cases.vtk import copies, filters, locators, readers, rendering, writers
from gilgen.diagnostics.cases.vtk.data import library, numpy_support

CASES = (
    *locators.CASES,
    *copies.CASES,
    *filters.CASES,
    *writers.CASES,
    *readers.CASES,
    *rendering.CASES,
)


def load() -> None:
    """Import VTK and its bridge to NumPy."""
    library()
    numpy_support()


def _core() -> Any:
    return importlib.import_module("vtkmodules.vtkCommonCore")


def single_threaded() -> None:
    """One thread a call, for SMP filters and for threaded image filters, made from now on."""
    _core().vtkSMPTools.Initialize(1)
    _core().vtkMultiThreader.SetGlobalDefaultNumberOfThreads(1)


def all_threads() -> None:
    """As many threads a call as VTK takes by itself, for filters made from now on."""
    _core().vtkSMPTools.Initialize(0)
    _core().vtkMultiThreader.SetGlobalDefaultNumberOfThreads(0)
