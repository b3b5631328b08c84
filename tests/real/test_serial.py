"""Formats on top of C libraries without locks: four threads at once, which crash or fail where nothing keeps them apart."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.real

CASES = {
    "vtk": (
        "netcdf-writer", "netcdf-reader", "xdmf-writer", "xdmf-reader", "minc-reader", "minc-writer", "hdf-writer", "hdf-reader", "ply-writer", "ply-reader",
    ),
    "itk": ("hdf5-writer", "hdf5-reader", "minc-writer", "minc-reader", "mesh-gii-writer", "mesh-gii-reader", "transform-h5-writer", "transform-h5-reader"),
}
ROUNDS = 8

CODE = """
import importlib, tempfile
os.chdir(tempfile.mkdtemp())
cases = importlib.import_module("gilgen.diagnostics.cases.{toolkit}")
cases.load()
cases.single_threaded()
gilgen.activate({toolkit!r})
def once(work):
    work.reset()
    work.call()
    return bool(work.worked())
answers = {{}}
for name in {names}:
    print(name, flush=True)  # the last one where it crashes
    case = next(case for case in cases.CASES if case.name == name)
    works = [case.make(20_000) for _ in range(4)]
    alone = [once(work) for work in works]
    answers[name] = [alone, at_once(*(lambda work=work: [once(work) for _ in range({rounds})] for work in works))]
say([answers, sum(wait.count for wait in gilgen.status()[{toolkit!r}].waits if "not thread-safe" in wait.holder)])
"""


@pytest.mark.parametrize("toolkit", CASES)
def test_four_threads_at_once(nursery, toolkit):
    ended = nursery.run(CODE.format(toolkit=toolkit, names=CASES[toolkit], rounds=ROUNDS), deadline=120)
    answers, waited = ended.answer[0]
    assert answers == {name: [[True] * 4, [[True] * ROUNDS] * 4] for name in CASES[toolkit]}
    assert waited > ROUNDS
