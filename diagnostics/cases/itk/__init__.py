"""What is called in ITK: filters, segmentation, registration, files, plain images, and the ways into them.

All data are made on the spot from smooth noise with a fixed seed, which has structure at several scales.
"""

from __future__ import annotations

import functools

from gilgen.diagnostics.cases.itk import files, filters, registration, segmentation
from gilgen.diagnostics.cases.itk.data import library

NAMES = ("PyBuffer", *filters.NAMES, *segmentation.NAMES, *registration.NAMES, *files.NAMES)
"""ITK imports a module when one of its names is first used; these are the modules that the cases need."""

CASES = (*filters.CASES, *segmentation.CASES, *registration.CASES, *files.CASES)


def load() -> None:
    """Import the parts of ITK that the cases use."""
    for name in NAMES:
        getattr(library(), name)


@functools.cache
def _own_threads() -> int:
    """How many threads a filter takes by itself."""
    threads: int = library().MultiThreaderBase.GetGlobalDefaultNumberOfThreads()
    return threads


def single_threaded() -> None:
    """One thread a call, for filters made from now on."""
    _own_threads()
    library().MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)


def all_threads() -> None:
    """As many threads a call as ITK takes by itself, for filters made from now on."""
    library().MultiThreaderBase.SetGlobalDefaultNumberOfThreads(_own_threads())
