"""The audit of the installed wheels, against what other sources say of them."""

from __future__ import annotations

import json
import re

import pytest
import support
from click.testing import CliRunner

from gilgen import plan, scan, toolkits
from gilgen.audit import active, auditing, compare, package
from gilgen.commands import audit as verb

pytestmark = pytest.mark.real

TEMPLATES = {"vtkGenericDataArray", "vtkSOADataArrayTemplate", "vtkScaledSOADataArrayTemplate", "method", "tuple", "string", "number", "reference"}

OWN = ("PyEval_SaveThread",)


@pytest.fixture(scope="module")
def vtk():
    return auditing.audit(package.installed("vtk"))


@pytest.fixture(scope="module")
def itk():
    return auditing.audit(package.installed("itk"))


def releasing(audit):
    return {wrapper.name for wrapper in audit.wrappers if wrapper.verdict == "releases"}


def test_vtk_releases_where_its_headers_say_so_and_nowhere_else(vtk):
    api = scan.scan(*support.with_headers("vtk"), lambda _: None)
    hinted = {f"{cls.name}.{method.name}" for cls in api.classes for method in cls.methods if "vtk::unblockthreads" in method.hints and method.access == "public"}
    own = {wrapper.name for wrapper in vtk.wrappers if wrapper.verdict == "releases" and wrapper.evidence.through == OWN}
    assert len(hinted) > 15
    assert hinted <= own
    declared = {cls.name for cls in api.classes}
    # Debian's headers lack a few classes of the wheel's; the audit needs no header.
    assert {name for name in own - hinted if name.partition(".")[0] in declared} == set()
    assert own - hinted == {"vtkVRRenderWindow.Render"}


def test_a_library_that_a_wrapper_calls_counts(vtk):
    (found,) = {wrapper.evidence.through for wrapper in vtk.wrappers if wrapper.name == "vtkWebUtilities.ProcessRMIs"}
    assert found == ("_ZN15vtkWebUtilities11ProcessRMIsEv",)
    assert {name for name in releasing(vtk) if name not in {w.name for w in vtk.wrappers if w.evidence.through == OWN}} == {"vtkWebUtilities.ProcessRMIs"}


@pytest.mark.parametrize(
    ("overload", "verdict"),
    [
        ("Update(self) -> None", "releases"),
        ("Update(self, port:int) -> None", "releases"),
        ("Update(self, port:int, requests:vtkInformationVector) -> int", "holds"),
        ("Update(self, requests:vtkInformation) -> int", "holds"),
    ],
)
def test_each_overload_is_judged_by_itself(vtk, overload, verdict):
    (found,) = [wrapper for wrapper in vtk.wrappers if wrapper.name == "vtkAlgorithm.Update" and wrapper.overload == overload]
    assert found.verdict == verdict


@pytest.mark.parametrize("name", ["vtkAlgorithm.UpdatePiece", "vtkExecutive.Update", "vtkOBBTree.BuildLocator", "vtkWriter.Write", "vtkAlgorithm.__call__"])
def test_names_prove_nothing(vtk, name):
    assert {wrapper.verdict for wrapper in vtk.wrappers if wrapper.name == name} == {"holds"}


def test_every_method_that_python_sees_is_there(vtk):
    toolkit = toolkits.get("vtk")
    seen = {f"{cls.name}.{method.name}" for cls in plan.exposed(toolkit, toolkit.installation()) for method in cls.methods}
    audited = {wrapper.name for wrapper in vtk.wrappers if wrapper.kind in {"method", "function"}}
    assert len(seen) > 60_000
    # Added at run time, out of a table that belongs to no class.
    assert seen - audited == {"vtkObjectBase.override"}
    # What it adds are class templates that others inherit from, which no module names.
    assert {re.split(r"[._]", name)[0] for name in audited - seen if not name.startswith("?")} <= TEMPLATES


def test_properties_are_those_of_their_class(vtk):
    algorithm = pytest.importorskip("vtkmodules.vtkCommonExecutionModel").vtkAlgorithm
    found = {wrapper.method for wrapper in vtk.wrappers if wrapper.owner == "vtkAlgorithm" and wrapper.kind in {"getter", "setter"}}
    real = {name for name, value in vars(algorithm).items() if type(value).__name__ == "getset_descriptor" and not name.startswith("__")}
    assert found == real


def test_what_has_observers_may_call_python(vtk, itk):
    calls = {wrapper.name: wrapper.may_call_python for wrapper in (*vtk.wrappers, *itk.wrappers)}
    assert calls["vtkOBBTree.BuildLocator"]
    assert calls["itkImageBase3.Allocate"]
    assert calls["itkMedianProjectionImageFilterID2ID2_Superclass.SetProjectionDimension"]
    assert not calls["vtkVariant.IsValid"]
    assert not calls["itkSize3.Fill"]


def test_none_of_itks_own_wrappers_releases(itk):
    assert itk.counts["methods"] > 200_000
    assert {name for name in releasing(itk) if name.startswith("itk")} == set()
    assert len(releasing(itk)) > 2000  # containers of C++'s standard library: the detector is awake
    assert {wrapper.module for wrapper in itk.wrappers if wrapper.verdict == "releases"} == {"itk._ITKPyBasePython"}


def test_with_shims_the_audit_shows_what_the_plan_does(vtk):
    planned = plan.read(plan.ensure("vtk", None, lambda _: None))
    after = active.with_shims(vtk, planned)
    before = {wrapper.name: wrapper.verdict for wrapper in vtk.wrappers}
    now = {wrapper.name: wrapper for wrapper in after.wrappers}
    assert (before["vtkOBBTree.BuildLocator"], now["vtkOBBTree.BuildLocator"].verdict) == ("holds", "releases")
    assert now["vtkOBBTree.BuildLocator"].reason == "its shim releases"
    assert "adds the claim" in now["vtkAlgorithm.UpdateInformation"].reason
    assert now["vtkVariant.IsValid"].verdict == "holds"
    found = compare.compare(vtk, after)
    assert len([change for change in found.changes if change.change == "began"]) > 700
    assert not [change for change in found.changes if change.change == "stopped"]


def test_the_command_writes_one_record_a_wrapper_and_overload(tmp_path):
    file = tmp_path / "audit.json"
    done = CliRunner().invoke(verb.command, ["vtk", "--only", "vtkAlgorithm.Update", "--json", str(file)])
    assert done.exit_code == 0, done.output
    (record,) = json.loads(file.read_text())["data"]
    assert [(wrapper["class"], wrapper["method"], wrapper["verdict"]) for wrapper in record["wrappers"]] == [
        ("vtkAlgorithm", "Update", "releases"),
        ("vtkAlgorithm", "Update", "releases"),
        ("vtkAlgorithm", "Update", "holds"),
        ("vtkAlgorithm", "Update", "holds"),
    ]
    assert all(wrapper["evidence"]["library"].startswith("vtkmodules/") for wrapper in record["wrappers"])
