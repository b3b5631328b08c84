"""The profile of a program with the real wheels, and a plan made from it."""

from __future__ import annotations

import json
import sys

import pytest
import support

from gilgen import store
from gilgen.model import Profile

pytestmark = pytest.mark.real

GILGEN = [sys.executable, "-c", "from gilgen.commands import main; main()"]

PROGRAM = """
import asyncio, threading, time
import itk, numpy
import vtkmodules.all as vtk

def wanting():
    while not over: time.sleep(0.001)

over = False
thread = threading.Thread(target=wanting, name="wants")
thread.start()
image = vtk.vtkImageData()
image.SetDimensions(220, 220, 220)
image.AllocateScalars(vtk.VTK_FLOAT, 1)
copy = vtk.vtkImageData()
def copying():
    for _ in range(5): copy.DeepCopy(image)
copying()

smooth = vtk.vtkImageGaussianSmooth()
smooth.SetInputData(image)
smooth.SetStandardDeviation(2)
smooth.SetNumberOfThreads(1)
smooth.Update()

pixels = itk.image_from_array(numpy.random.default_rng(1).random((300, 300)).astype("float32"))
median = itk.MedianImageFilter.New(pixels, Radius=6)
async def handle():
    median.Update()
asyncio.run(handle())
over = True
"""


@pytest.fixture(scope="module")
def profiled(tmp_path_factory):
    """(What `gilgen profile` printed, its file.)"""
    folder = tmp_path_factory.mktemp("profile")
    (folder / "program.py").write_text(PROGRAM)
    file = folder / "profile.json"
    ended = support.run([*GILGEN, "profile", "-o", str(file), str(folder / "program.py")], 300)
    assert ended.ok, ended.err
    return ended, file


def test_wrapped_calls_that_hold_are_named_and_those_that_release_are_not(profiled):
    ended, file = profiled
    profile = store.read(file, Profile)
    calls = {call.python: call for call in profile.calls if call.toolkit}
    copies = calls["vtkImageData.DeepCopy"]
    assert (copies.toolkit, copies.file, copies.function, copies.calls) == ("vtk", "program.py", "copying", 5)
    assert copies.held > 0
    assert copies.waiters["wants"] > 0
    median = next(call for name, call in calls.items() if name.startswith("itkMedianImageFilter") and name.endswith(".Update"))
    assert (median.toolkit, median.loop, median.function) == ("itk", "asyncio", "handle")
    assert median.held > 0
    assert any(stall.own and stall.python == median.python for stall in profile.stalls)
    released = calls["vtkImageGaussianSmooth.Update"]
    assert released.held < released.seconds / 4
    assert profile.environment.toolkits.keys() == {"vtk", "itk"}
    assert f"gilgen fix --profile {file}" in ended.out


def test_a_plan_from_it_releases_just_these(profiled, tmp_path):
    _, file = profiled
    ended = support.run([*GILGEN, "plan", "--profile", str(file), "--json", str(tmp_path / "plans.json")], 600)
    assert ended.ok, ended.err
    plans = {plan["toolkit"]: plan for plan in json.loads((tmp_path / "plans.json").read_text())["data"]}
    released = {name: {decision["python"] for decision in plan["decisions"] if decision["action"] == "release"} for name, plan in plans.items()}
    assert "vtkImageData.DeepCopy" in released["vtk"]
    assert "vtkOBBTree.BuildLocator" not in released["vtk"]
    assert "itkProcessObject.Update" in released["itk"]


def test_a_profile_without_what_is_asked_for_is_refused(profiled):
    _, file = profiled
    ended = support.run([*GILGEN, "plan", "--profile", str(file), "--over", "1000s"], 60)
    assert ended.code == 1
    assert "no call of a toolkit held the GIL for longer" in ended.err
