"""The fuzzer's controls on the real toolkit: it finds faults where there must be some, and none where there can be none."""

import importlib.util

import pytest

from fuzz.client import Client, Mode

pytestmark = pytest.mark.real

DEADLINE_SECONDS = 60.0
POSITIVE = range(40)
"""Seeds of which some must fail when nothing guards the released calls."""

NEGATIVE = range(1000, 1025)


@pytest.fixture(scope="module")
def vtk():
    if importlib.util.find_spec("vtkmodules") is None:
        pytest.skip("VTK is not installed")
    with Client("vtk") as client:
        yield client


def failed(client, seeds, mode):
    """The outcomes that are not right, by seed."""
    outcomes = {seed: client.run(client.draw(seed), mode) for seed in seeds}
    return {seed: (outcome.kind, outcome.detail) for seed, outcome in outcomes.items() if outcome.failed}


def test_controls_without_guard_find_faults(vtk):
    if importlib.util.find_spec("gilgen_shims_vtk") is None:
        pytest.skip("there are no shims for VTK")
    assert failed(vtk, POSITIVE, Mode("activated", "none", DEADLINE_SECONDS))


@pytest.mark.parametrize("mode", ["serial", "stepped"])
def test_controls_without_overlap_find_nothing(vtk, mode):
    assert failed(vtk, NEGATIVE, Mode(mode, "", DEADLINE_SECONDS)) == {}


def test_controls_two_runs_of_a_seed_are_one_program(vtk):
    with Client("vtk") as other:
        assert [vtk.draw(seed) for seed in range(20)] == [other.draw(seed) for seed in range(20)]
