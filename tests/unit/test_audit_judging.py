"""What the audit makes of what it read: names, overloads, comparisons, and the state with shims."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from gilgen import store
from gilgen.audit import active, auditing, compare, overloads, package
from gilgen.audit.records import Audit, Evidence, Wrapper
from gilgen.audit.tables import Entry
from gilgen.commands import audit as verb
from gilgen.commands import invoke
from gilgen.errors import ArtefactError, ToolkitNotFoundError
from gilgen.manifest import Coverage
from gilgen.model import Decision, Headers, Plan

UPDATE = """Update(self, port:int) -> None
C++: virtual void Update(int port)
Update(self) -> None
C++: virtual void Update()
Update(self, port:int,
    requests:vtkInformationVector) -> int
C++: virtual vtkTypeBool Update(int port,
    vtkInformationVector *requests)

Update(self) is told about here.
"""


def wrapper(name, verdict, *, overload="", kind="method"):
    owner, _, method = name.rpartition(".")
    return Wrapper("vtkmodules.vtkX", owner, method, kind, overload, verdict, "because", may_call_python=False, evidence=Evidence("x.so", "0x10"))


def audit(*wrappers, version="1"):
    counts = {"methods": len(wrappers)}
    for found in wrappers:
        counts[found.verdict] = counts.get(found.verdict, 0) + 1
    return Audit("vtk", version, "x86_64", counts, (), tuple(wrappers))


# --------------------------------------------------------------------------------------------- overloads


def test_overloads_are_read_from_the_docstring_of_vtk():
    found = overloads.vtk_signatures(Entry("vtkAlgorithm", "Update", "method", 16, UPDATE))
    assert [signature for signature, _ in found] == [
        "Update(self, port:int) -> None",
        "Update(self) -> None",
        "Update(self, port:int, requests:vtkInformationVector) -> int",
    ]
    assert found[2][1] == "virtual vtkTypeBool Update(int port, vtkInformationVector *requests)"


@pytest.mark.parametrize(
    ("declaration", "symbol"),
    [
        ("virtual void Update()", "vtkAlgorithm::Update()"),
        ("virtual vtkTypeBool Update(int port, vtkInformationVector *requests)", "vtkAlgorithm::Update(int, vtkInformationVector*)"),
        ("void Set(const double a[3], unsigned char b=3)", "X::Set(double const*, unsigned char)"),
        ("void Insert(vtkIdType id, const std::string &name)", "X::Insert(long long, std::string const&)"),
    ],
)
def test_a_declaration_and_a_demangled_symbol_agree_on_their_parameters(declaration, symbol):
    assert overloads._parameters(declaration) == overloads._parameters(symbol)


@pytest.mark.parametrize("other", ["X::Update(int)", "X::Update(vtkInformation*)", "X::Update(int, vtkInformation*)", "X::Update(int, vtkInformationVector**)"])
def test_other_parameters_are_told_apart(other):
    assert overloads._parameters(other) != overloads._parameters("virtual vtkTypeBool Update(int port, vtkInformationVector *requests)")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("itkImageF3_Allocate", ("itkImageF3", "Allocate")),
        ("itkImageF3_Pointer_Get", ("itkImageF3_Pointer", "Get")),
        ("itkImageF3___getitem__", ("itkImageF3", "__getitem__")),
        ("itkImageF3___New_orig__", ("itkImageF3", "__New_orig__")),
        ("new_itkImageF3", ("itkImageF3", "__init__")),
        ("delete_itkImageF3", ("itkImageF3", "__del__")),
        ("some_function", ("", "some_function")),
    ],
)
def test_flat_names_of_swig_are_taken_apart(name, expected):
    assert overloads._swig_name(name, frozenset({"itkImageF3", "itkImageF3_Pointer"})) == expected


# ------------------------------------------------------------------------------------------- comparisons


def test_what_began_and_what_stopped():
    before = audit(wrapper("A.f", "holds"), wrapper("A.g", "releases"), wrapper("A.h", "holds"), wrapper("A.old", "releases"))
    after = audit(wrapper("A.f", "releases"), wrapper("A.g", "holds"), wrapper("A.h", "holds"), wrapper("A.new", "releases"), version="2")
    found = {(change.method, change.change) for change in compare.compare(before, after).changes}
    assert found == {("f", "began"), ("g", "stopped"), ("old", "gone"), ("new", "new")}


def test_overloads_count_together():
    one = audit(wrapper("A.f", "releases", overload="f(a)"), wrapper("A.f", "holds", overload="f(a, b)"))
    all_ = audit(wrapper("A.f", "releases", overload="f(a)"), wrapper("A.f", "releases", overload="f(a, b)"))
    (change,) = compare.compare(one, all_).changes
    assert (change.change, change.before, change.after) == ("began", "mixed", "releases")
    (change,) = compare.compare(all_, one).changes
    assert (change.change, change.before, change.after) == ("stopped", "releases", "mixed")


def test_nothing_changed_is_no_change():
    one = audit(wrapper("A.f", "releases"), wrapper("A.g", "holds"))
    assert compare.compare(one, one).changes == ()


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [(None, 1), ("stopped", 1), ("began", 0), ("any", 1), ("never", 0)],
)
def test_a_comparison_can_fail_a_job(tmp_path, fail_on, code):
    for name, verdict in (("old", "releases"), ("new", "holds")):
        store.write(tmp_path / f"{name}.json", [audit(wrapper("A.f", verdict), version=name)])
    options = ["--fail-on", fail_on] if fail_on else []
    result = tmp_path / "changes.json"
    arguments = ["audit", "--compare", str(tmp_path / "old.json"), str(tmp_path / "new.json"), "--json", str(result), *options]
    assert invoke(arguments) == code
    (change,) = json.loads(result.read_text())["data"]["changes"]
    assert (change["class"], change["method"], change["change"]) == ("A", "f", "stopped")


def test_the_record_reads_back_as_it_was_written(tmp_path):
    one = audit(wrapper("A.f", "releases"))
    store.write(tmp_path / "a.json", [one])
    assert store.read_many(tmp_path / "a.json", Audit) == [one]


def test_the_schema_names_what_a_record_holds():
    done = CliRunner().invoke(verb.command, ["--schema"])
    fields = json.loads(done.output)["$defs"]["Wrapper"]["properties"]
    assert {"class", "method", "verdict", "evidence", "overload", "module"} <= fields.keys()


# -------------------------------------------------------------------------------------------- with shims


def planned(*decisions):
    return Plan("vtk", "1", "vtkmodules", "", Headers("vtk", "1", "1", "", (), ""), (), decisions, Coverage(0, 0, 0, 0))


def decision(python, action, served=()):
    return Decision(python, f"void {python}()", "_Z", action, "rule:x", "Because.", served=served)


def test_the_state_with_shims():
    plan = planned(decision("A.f", "release", ("A.f", "A.ends")), decision("A.g", "release"), decision("A.h", "keep"), decision("A.m", "release"), decision("A.m", "keep"))
    now = {
        found.name: found
        for found in active.with_shims(
            audit(wrapper("A.f", "holds"), wrapper("A.g", "releases"), wrapper("A.h", "holds"), wrapper("A.ends", "holds"), wrapper("A.m", "holds")), plan
        ).wrappers
    }
    assert {name: found.verdict for name, found in now.items()} == {"A.f": "releases", "A.g": "releases", "A.h": "holds", "A.ends": "releases", "A.m": "mixed"}
    assert "adds the claim" in now["A.g"].reason
    assert "A.f" in now["A.ends"].reason


# -------------------------------------------------------------------------------------- what can be named


def test_what_is_not_installed_is_said(capsys):
    assert invoke(["audit", "no-such-package"]) == ToolkitNotFoundError.exit_code
    assert "pip install no-such-package" in capsys.readouterr().err


def test_a_package_without_compiled_modules_is_said():
    with pytest.raises(ArtefactError, match="no compiled modules"):
        package.installed("click")


@pytest.mark.parametrize("name", ["x.whl", "x-1.0.whl"])
def test_a_file_that_is_not_named_like_a_wheel_is_said(tmp_path, name):
    zipfile.ZipFile(tmp_path / name, "w").close()
    with pytest.raises(ArtefactError, match="not the name of a wheel"), package.opened(str(tmp_path / name)):
        pass


@pytest.mark.parametrize(
    ("relative", "module"),
    [
        ("vtkmodules/vtkCommonCore.cpython-311-x86_64-linux-gnu.so", "vtkmodules.vtkCommonCore"),
        ("itk/_ITKCommonPython.abi3.so", "itk._ITKCommonPython"),
        ("plain.so", "plain"),
    ],
)
def test_modules_are_named_as_python_imports_them(relative, module):
    assert package.module_name(relative) == module


def test_one_file_that_cannot_be_read_is_a_notice_and_not_the_end(tmp_path):
    good = next(Path(importlib.util.find_spec("msgspec").submodule_search_locations[0]).glob("_core*.so"))
    bad = tmp_path / "libscript.so"
    bad.write_text("INPUT(libother.so)")
    found = auditing.audit(package.of_files("two", [good, bad]))
    assert found.wrappers
    assert len(found.notices) == 1
    assert "libscript.so" in found.notices[0]
    with pytest.raises(ArtefactError, match="libscript"):
        auditing.audit(package.of_files("one", [bad]))
