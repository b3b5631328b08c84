"""Cases: gilgen's own follow its conventions; a user's, from a file or an entry point, run like them or say what is wrong."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

import pytest
import support
from gilgen.diagnostics import cases
from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.cases.record import nothing_missing
from gilgen.diagnostics.cases.vtk import rendering
from gilgen.diagnostics.isolate import Nursery

from gilgen.errors import CaseError, ToolkitNotFoundError

OWN = """
import ctypes
from gilgen.diagnostics.cases import Work, case

@case("libc.usleep", size=200_000, limit=400_000)
def held(size):
    library = ctypes.PyDLL(None)
    return lambda: library.usleep(size)

def case_let_go(size=200_000):
    library = ctypes.CDLL(None)
    return Work(lambda: library.usleep(size))

def case_no_size():
    return sorted

def helper(size):
    raise AssertionError("this is no case")
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str, name: str = "my_cases.py") -> Path:
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


# ------------------------------------------------------------------------------------------ a user's file


def test_a_file_s_functions_are_cases(write):
    module = cases.load_file(write(OWN))
    held, let_go, no_size = module.CASES
    assert (held.name, held.call, held.size, held.limit, held.toolkit) == ("held", "libc.usleep", 200_000, 400_000, "")
    assert (let_go.name, let_go.call, let_go.size, let_go.limit) == ("let-go", "let_go", 200_000, 64 * 200_000)
    assert (no_size.size, no_size.limit) == (1, 1)
    assert isinstance(held.make(1), Work)
    assert no_size.make(1).call is sorted
    assert held.toolkits == ()
    assert held.unavailable() == ""


def test_a_file_s_cases_are_measured_like_all_others(write):
    found = cases.cases_of(str(write(OWN)))
    with Nursery(cases.find(str(write(OWN)))) as nursery:
        verdicts = {case.name: nursery.run(case, deadline=120.0, quick=True).verdict for case in found[:2]}
    assert verdicts == {"held": "holds", "let-go": "releases"}


def test_what_lies_beside_the_file_can_be_imported_but_hides_nothing(write, monkeypatch):
    monkeypatch.setattr(cases.user.sys, "path", list(cases.user.sys.path))
    write("def work(): return None", "beside_my_cases.py")
    write("raise AssertionError", "json.py")
    module = cases.load_file(write("import json, beside_my_cases\ndef case_it(): return beside_my_cases.work"))
    assert module.CASES[0].make(1).call() is None
    assert json_is_the_library(module)


def json_is_the_library(module) -> bool:
    return module.json.loads("[1]") == [1]


def test_a_file_may_have_whole_records(write):
    text = "from gilgen.diagnostics.cases import Case, Work\nIT = Case('it', 'vtk', 'a.b', lambda size: Work(min), 3, 4, alone=True)"
    module = cases.load_file(write(text))
    assert module.CASES == (module.IT,)
    assert module.IT.alone
    assert module.IT.toolkits == ("vtk",)


def test_a_file_may_bring_all_that_a_case_module_has(write):
    text = "CASES = ()\nsaid = []\ndef load(): said.append('load')\ndef single_threaded(): said.append('one')"
    module = cases.load_file(write(text))
    module.load()
    module.single_threaded()
    module.all_threads()  # added, since it was missing
    assert module.said == ["load", "one"]


@pytest.mark.parametrize(
    ("text", "toolkit"),
    [
        ("import vtk", "vtk"),
        ("from vtkmodules.vtkCommonCore import vtkObject", "vtk"),
        ("    # none\n", ""),
        ("import numpy, itkwasm", ""),
        ("def f():\n    import itk", "itk"),
        ("def f():\n    import vtkmodules.all, itk", "vtk+itk"),
        ("TOOLKITS = 'itk'", "itk"),
        ("TOOLKITS = ('vtk', 'itk')\n", "vtk+itk"),
        ("TOOLKITS = ()\ndef f():\n    import vtk", ""),
    ],
)
def test_the_toolkit_is_what_the_file_imports_or_says(write, monkeypatch, text, toolkit):
    monkeypatch.setitem(cases.user.sys.modules, "vtk", os)  # importing it takes seconds
    monkeypatch.setitem(cases.user.sys.modules, "vtkmodules", os)
    monkeypatch.setitem(cases.user.sys.modules, "vtkmodules.vtkCommonCore", type("Fake", (), {"vtkObject": 1}))
    if "itkwasm" in text:
        monkeypatch.setitem(cases.user.sys.modules, "itkwasm", os)
    (case,) = cases.load_file(write(f"{text}\ndef case_it(): return min")).CASES
    assert case.toolkit == toolkit
    assert case.toolkits == tuple(filter(None, toolkit.split("+")))


def test_the_decorator_says_it_for_one_case(write):
    text = "from gilgen.diagnostics.cases import case\nTOOLKITS = ('vtk', 'itk')\n@case('a', toolkit='itk', alone=True, needs=lambda: 'no luck')\ndef it(): return min"
    (case,) = cases.load_file(write(text)).CASES
    assert (case.toolkit, case.alone, case.unavailable()) == ("itk", True, "no luck")


@pytest.mark.parametrize(
    ("text", "problem", "advice"),
    [
        ("def case_it(:", r"my_cases.py, line 1", "python .*my_cases.py"),
        ("\nimport no_such_module", r"ModuleNotFoundError: No module named 'no_such_module' \(line 2\)", "python .*my_cases.py"),
        ("raise SystemExit(3)", "SystemExit: 3", "python .*my_cases.py"),
        ("def smooth(size): return min", "There is no case in my_cases.py", r"def case_smooth\(size"),
        ("def case_it(size): return min", "does not say at which size", r"def case_it\(size=1000\)"),
        ("def case_it(size, more): return min", "takes 2 parameters", "one, the size, or none"),
        ("def case_it(size=0): return min", "begins at size 0", "1 or more"),
        ("from gilgen.diagnostics.cases import case\n@case('a', size=9, limit=3)\ndef it(size): return min", "ends at 3", "no smaller"),
        ("TOOLKITS = ('qt',)\ndef case_it(): return min", "'qt', a toolkit that gilgen does not know", '"vtk" and "itk"'),
        ("from gilgen.diagnostics.cases import case\ndef case_it(): return min\n@case('a')\ndef it(): return min", "two cases named it", "another name"),
    ],
)
def test_a_bad_file_says_what_to_do(write, text, problem, advice):
    with pytest.raises(CaseError, match=problem) as caught:
        cases.load_file(write(text))
    assert caught.match(advice)


def test_a_file_that_is_not_there(tmp_path):
    for call in (cases.find, cases.load_file):
        with pytest.raises(CaseError, match=r"There is no file .*absent\.py") as caught:
            call(str(tmp_path / "absent.py"))
        assert caught.match("gilgen diagnose --cases")


def test_a_case_that_returns_nothing_to_call_is_an_error_with_its_reason(write):
    file = write("def case_it(size=5): sorted([size])")
    (case,) = cases.cases_of(str(file))
    with pytest.raises(CaseError, match=r"my_cases\.py: case_it returned None"):
        case.make(5)
    with Nursery(cases.find(str(file))) as nursery:
        result = nursery.run(case, deadline=120.0, quick=True)
    assert result.verdict == "error"
    assert "return lambda: smooth(data)" in result.message


# ------------------------------------------------------------------------------------------- entry points


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package with cases."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(text: str, name: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[gilgen.cases]\n{name.replace('_', '-')} = {name}\n")

    return install


def test_an_entry_point_s_cases(package):
    package("def case_it(size=7): return min", "pretend_lungs")
    assert cases.installed()["pretend-lungs"] == "pretend_lungs"
    assert cases.find("pretend-lungs") == "pretend_lungs"
    (case,) = cases.cases_of("pretend-lungs")
    assert (case.name, case.size, case.toolkit) == ("it", 7, "")


def test_a_broken_entry_point_names_its_module(package):
    package("1 / 0", "pretend_broken")
    with pytest.raises(CaseError, match=r"pretend_broken cannot be imported: ZeroDivisionError") as caught:
        cases.cases_of("pretend-broken")
    assert caught.match("python -c 'import pretend_broken'")


def test_an_entry_point_does_not_stand_in_for_a_toolkit(package):
    package("def case_it(size=7): return min", "vtk")
    assert cases.find("vtk") == cases.MODULES["vtk"]


def test_an_unknown_name_lists_what_is_known():
    with pytest.raises(ToolkitNotFoundError, match="no cases for 'opencv'") as caught:
        cases.cases_of("opencv")
    assert caught.match("vtk and itk")
    assert caught.match("--cases my_cases.py")


# ------------------------------------------------------------------------------------------ gilgen's own


@pytest.mark.parametrize(("toolkit", "least"), [("vtk", 60), ("itk", 35)])
def test_conventions(toolkit, least):
    found = cases.cases_of(toolkit)
    assert len({case.name for case in found}) == len(found) >= least
    for case in found:
        assert case.name == case.name.lower().replace("_", "-").replace(" ", "-")
        assert case.toolkit == toolkit
        assert case.call.startswith(toolkit + ("." if toolkit == "itk" else ""))
        assert 1 <= case.size <= case.limit
    assert sum(case.quick for case in found) <= 8


NOT_THREAD_SAFE = {f"{name}-reader" for name in ("minc", "netcdf", "hdf", "ioss", "exodus", "xdmf")} | {"minc-writer"}
"""In plain VTK they release in libraries that two threads must not use at once; the shims take the GIL back there."""


def test_rendering_and_what_races_in_the_plain_wheel_run_alone():
    found = (*cases.cases_of("vtk"), *cases.cases_of("itk"))
    expected = {(case.toolkit, case.name) for case in rendering.CASES} | {("vtk", name) for name in NOT_THREAD_SAFE}
    assert {(case.toolkit, case.name) for case in found if case.alone} == expected


def test_only_rendering_needs_what_a_machine_may_lack():
    found = (*cases.cases_of("vtk"), *cases.cases_of("itk"))
    assert {case.name for case in found if case.needs is not nothing_missing} == {case.name for case in rendering.CASES}


def test_reading_the_cases_imports_no_toolkit():
    code = """
    import sys, json
    from gilgen.diagnostics.cases import cases_of
    cases_of("vtk"), cases_of("itk")
    print(json.dumps(sorted({"vtk", "vtkmodules", "itk"} & set(sys.modules))))
    """
    assert support.run_python(code).answer == []


def test_a_window_without_a_display_says_what_to_do(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "xvfb-run gilgen diagnose vtk" in rendering.no_display()


@pytest.mark.parametrize(
    ("attempt", "works"),
    [
        (lambda: True, True),
        (lambda: False, False),
        (lambda: 1 / 0, False),
        (lambda: ctypes.string_at(0), False),
        (lambda: time.sleep(1000), False),
    ],
)
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_what_a_driver_may_do_when_it_is_tried(attempt, works):
    assert rendering._tried(attempt, patience=0.5 if not works else 20.0) is works
