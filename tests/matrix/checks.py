"""What must hold in each environment of the matrix; `run.py` runs it there, with the row's facts in GILGEN_MATRIX.

The shims are those that `gilgen fix` installed in that environment, and gilgen is the one installed there.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import support

from gilgen import rules

FACTS = json.loads(os.environ["GILGEN_MATRIX"])
TOOLKITS = FACTS["toolkits"]

_spec = importlib.util.spec_from_file_location("real_activate", Path(__file__).parents[1] / "real" / "test_activate.py")
real = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(real)


CALLS = real.CALLS | {
    # Much work on little data: what it allocates may release, for a moment.
    "vtkAlgorithm.Update": """
        from vtkmodules import vtkCommonDataModel, vtkImagingGeneral
        image = vtkCommonDataModel.vtkImageData()
        image.SetDimensions(40, 40, 40)
        image.AllocateScalars(10, 1)
        image.GetPointData().GetScalars().Fill(1)
        def call():
            median = vtkImagingGeneral.vtkImageMedian3D()
            median.SetKernelSize(9, 9, 9)
            median.SetNumberOfThreads(1)
            median.SetInputData(image)
            median.Update()
    """
}
# Only pages that the linker protects: in the others the toolkits keep data that changes by itself.
PROTECTED = """
def protected(paths):
    found = {}
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb") as memory:
        for line in maps:
            addresses, protection, offset, _, _, *path = line.split()
            if path and path[0] in paths and protection.startswith("r--"):
                begin, end = (int(address, 16) for address in addresses.split("-"))
                memory.seek(begin)
                try:
                    found[path[0], begin] = protection, hash(memory.read(end - begin))
                except OSError:  # beyond the end of the file
                    pass
    return found
def differing(one, other):
    return sorted({path for path, begin in one.keys() | other.keys() if one.get((path, begin)) != other.get((path, begin))})
"""


def run(code, deadline=300.0):
    return support.run_python(support.PRELUDE + textwrap.dedent(code), deadline, {"PYTHONPATH": ""}, cwd=os.environ["GILGEN_MATRIX_FOLDER"])


@pytest.fixture(scope="module")
def plans():
    """The plans as `gilgen plan` gives them, by toolkit."""
    path = Path(os.environ["GILGEN_MATRIX_FOLDER"], "plans.json")
    command = [sys.executable, "-c", "from gilgen.commands import main; main()", "plan", *TOOLKITS, "--json", str(path)]
    ended = support.run(command, 600.0, {"PYTHONPATH": ""}, os.environ["GILGEN_MATRIX_FOLDER"])
    assert ended.ok, ended.out + ended.err
    return {record["toolkit"]: record for record in _records(json.loads(path.read_text()))}


def _records(answer):
    """The plans, in whatever envelope they came."""
    data = answer.get("data", answer) if isinstance(answer, dict) else answer
    return data if isinstance(data, list) else [data]


def released(plan):
    return [decision for decision in plan["decisions"] if decision["action"] == "release"]


def test_the_plan_comes_from_the_headers_expected_and_releases_enough(plans):
    for toolkit, version, least in zip(TOOLKITS, FACTS["headers"], FACTS["least"], strict=True):
        assert not version or plans[toolkit]["headers"]["version"] == version
        assert len(released(plans[toolkit])) >= least


def test_nothing_that_can_reach_an_observer_is_released_without_thread_safe_wrappers(plans):
    if "vtk" not in plans:
        pytest.skip("no VTK here")
    families = tomllib.loads((Path(rules.__file__).parent / "vtk.toml").read_text())["family"]
    contained = {f"rule:{family['name']}" for family in families if family.get("contained")}
    reasons = {decision["reason"] for decision in released(plans["vtk"])}
    held = {decision["reason"] for decision in plans["vtk"]["decisions"] if decision["action"] == "keep"}
    if FACTS["contained"]:
        assert reasons
        assert reasons <= contained
        assert "hazard:wrappers-not-thread-safe" in held
    else:
        assert reasons - contained, "the control: elsewhere others are released, too"
        assert "hazard:wrappers-not-thread-safe" not in held


def test_the_shims_fit_this_python_and_another_version_of_the_toolkit_is_refused():
    for toolkit in TOOLKITS:
        answer = run(
            f"""
            import importlib.util, pathlib, shutil, tempfile
            gilgen.activate({toolkit!r})
            found = gilgen.status()[{toolkit!r}]
            spec = importlib.util.find_spec("gilgen_shims_{toolkit}")
            folder = pathlib.Path(tempfile.mkdtemp()) / "gilgen_shims_{toolkit}"
            shutil.copytree(spec.submodule_search_locations[0], folder)
            manifest = json.loads((folder / "manifest.json").read_text())
            for library in manifest["data"]["libraries"]:
                library["size"] += 1
                library["build_id"] = "00" + library["build_id"][2:] if library["build_id"] else ""
            (folder / "manifest.json").write_text(json.dumps(manifest))
            import subprocess
            code = "import gilgen\\ntry: gilgen.activate({toolkit!r})\\nexcept Exception as error: print(type(error).__name__)"
            done = subprocess.run([sys.executable, "-c", code], env=os.environ | {{"PYTHONPATH": str(folder.parent)}}, capture_output=True, text=True)
            say([found.active, found.refused, done.stdout.split()])
            """
        ).answer
        assert answer == [True, 0, ["StaleShimsError"]]


def ticks(name):
    """Ticks of another thread inside the call: plain, with the shims, and after deactivation."""
    toolkit = "itk" if name.startswith("itk") else "vtk"
    code = f"""
    call()
    sys.setswitchinterval(1000)
    answers = [inside(call)]
    gilgen.activate({toolkit!r})
    answers.append(inside(call))
    gilgen.deactivate()
    answers.append(inside(call))
    say(answers)
    os._exit(0)  # the heartbeat never ends
    """
    return run(real.INSIDE + textwrap.dedent(CALLS[name]) + textwrap.dedent(code)).answer


@pytest.mark.parametrize("name", FACTS["releases"])
def test_a_call_that_holds_releases_while_active_and_only_then(name):
    before, during, after = ticks(name)
    assert during > 20
    assert during > 5 * max(before, after)


@pytest.mark.parametrize("name", FACTS["holds"] or [pytest.param("", marks=pytest.mark.skip("nothing must hold here"))])
def test_a_call_that_must_hold_holds(name):
    assert max(ticks(name)) <= 3


def test_results_are_the_same_with_shims_and_without():
    if "vtk" not in TOOLKITS:
        pytest.skip("the filters are VTK's")
    plain = run(real.FILTERS + "say(answers())").answer
    active, calls = run("gilgen.activate('vtk')\n" + real.FILTERS + "say([answers(), gilgen.status()['vtk'].claimed])").answer
    assert active == plain
    assert len(set(plain.values())) > 10
    assert calls > 0


def test_deactivation_puts_back_every_byte_of_the_toolkits():
    imports = {"vtk": "import vtkmodules.all", "itk": "import itk; itk.MedianImageFilter, itk.ImageFileReader"}
    code = """
    import importlib.util, pathlib
    from gilgen import match
    known = set()
    gilgen.activate(*TOOLKITS)
    for name in TOOLKITS:
        folder = importlib.util.find_spec("gilgen_shims_" + name).submodule_search_locations[0]
        manifest = sys.modules["gilgen.activate"].read_manifest(pathlib.Path(folder))
        root = match.toolkit_root(manifest)
        known |= {str((root / library.path).resolve()) for library in manifest.libraries}
    during = protected(known)
    found = gilgen.status()
    gilgen.deactivate()
    before = protected(known)
    gilgen.activate(*TOOLKITS)
    again = protected(known)
    gilgen.deactivate()
    say([[[one.vtable_slots + one.got_slots, one.refused] for one in found.values()], len(differing(before, during)), len(differing(before, again)), differing(before, protected(known))])
    """
    prelude = "\n".join(imports[name] for name in TOOLKITS) + f"\nTOOLKITS = {tuple(TOOLKITS)!r}\n"
    slots, changed, again, left = run(prelude + PROTECTED + textwrap.dedent(code)).answer
    assert left == []
    assert changed > 10
    assert again == changed
    assert all(bound > 100 and refused == 0 for bound, refused in slots)


def test_python_observers_and_exceptions_behave_as_ever():
    if "vtk" not in TOOLKITS:
        pytest.skip("the observers are VTK's")
    code = """
    from vtkmodules import vtkFiltersGeneral, vtkFiltersSources
    gilgen.activate("vtk")
    seen = []
    source = vtkFiltersSources.vtkSphereSource()
    for event in ("StartEvent", "EndEvent"):
        source.AddObserver(event, lambda caller, name: seen.append(name))
    source.Update()
    try:
        vtkFiltersGeneral.vtkOBBTree().BuildLocator(1, 2)
    except TypeError as problem:
        seen.append(type(problem).__name__)
    say(seen)
    """
    assert run(code).answer == ["StartEvent", "EndEvent", "TypeError"]


def test_the_environment_is_the_one_that_the_row_describes():
    for requirement in FACTS["requires"]:
        name, _, version = requirement.partition("==")
        assert not version or importlib.metadata.version(name) == version
    wanted = FACTS["python"].removeprefix("python")
    if wanted.startswith("3."):
        assert f"{sys.version_info.major}.{sys.version_info.minor}" == wanted


ONE_FILTER = """
from vtkmodules import vtkImagingCore, vtkImagingGeneral
source = vtkImagingCore.vtkRTAnalyticSource()
source.SetWholeExtent(0, 60, 0, 60, 0, 60)
smooth = vtkImagingGeneral.vtkImageGaussianSmooth()
smooth.SetNumberOfThreads(1)
smooth.SetInputConnection(source.GetOutputPort())
def update():
    for _ in range(30):
        smooth.Modified()
        smooth.Update()
at_once(update, update)
say(True)
"""


def test_two_threads_that_update_one_filter_wait_for_each_other():
    # VTK says so itself when a second request enters a pipeline that is in the middle of the first. From 9.4 on plain
    # wheels crash here: Update releases the GIL, and nothing but a shim's guard keeps the threads apart.
    if "vtk" not in TOOLKITS:
        pytest.skip("the filter is VTK's")
    refused = "invoked during another request"
    if FACTS["contained"]:
        plain = run(ONE_FILTER)
        assert plain.answer
        assert refused not in plain.err + plain.out, "the control: there the GIL kept them apart"
    active = run("gilgen.activate('vtk')\n" + ONE_FILTER)
    assert active.answer
    assert refused not in active.err + active.out
