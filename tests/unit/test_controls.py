"""The controls themselves, and what becomes of a run in which one fails."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from gilgen.diagnostics import controls, report, run, verdict, window
from gilgen.diagnostics.cases import cases_of

from gilgen import commands, store
from gilgen.errors import GilgenError, ToolkitNotFoundError, UnsupportedError
from gilgen.manifest import Coverage
from gilgen.model import CaseResult, Report


@pytest.mark.parametrize("control", controls.CONTROLS, ids=lambda control: control.case.name)
def test_a_control_never_reads_as_its_opposite(control):
    work = control.case.make(control.case.size)
    work.reset()
    reading, because = verdict.read_window(window.measure(work.call))
    opposite = {"holds": "releases", "releases": "holds"}[control.expected]
    assert reading != opposite, because


def test_both_answers_are_among_the_controls_and_so_are_those_that_the_issue_names():
    assert set(controls.EXPECTED.values()) == {"releases", "holds"}
    assert {"time.sleep", "hashlib.sha256", "qsort by ctypes.PyDLL"} <= {case.call for case in controls.CASES}
    assert len(controls.EXPECTED) == len(controls.CONTROLS)


def as_expected() -> tuple[CaseResult, ...]:
    return tuple(result_of(case, controls.EXPECTED[case.name]) for case in controls.CASES)


def result_of(case, found, *, shims=False) -> CaseResult:
    return CaseResult(case.name, case.toolkit, case.call, shims, found, "for a test")


def test_controls_as_expected_do_not_fail():
    assert controls.failed(as_expected()) == ()


@pytest.mark.parametrize(
    "wrong", ["releases", "holds", "partly", "too short", "unknown", "error", "crash", "timeout"]
)
def test_any_other_verdict_fails(wrong):
    for index, right in enumerate(as_expected()):
        if right.verdict != wrong:
            results = list(as_expected())
            results[index] = replace(right, verdict=wrong)
            assert [result.case for result in controls.failed(tuple(results))] == [right.case]


class FakeNursery:
    """Stands in for the measured processes. What it answers is looked up in `answers`, or is as expected."""

    answers: dict[str, list[str]] = {}  # noqa: RUF012 - each test sets its own
    ran: list[tuple[str, tuple[str, ...]]] = []  # noqa: RUF012
    refusal = ""

    def __init__(self, module):
        self.module = module

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def why_not(self, *_, **__):
        return self.refusal

    def run(self, case, *, activate, deadline, quick):
        del deadline, quick
        self.ran.append((case.name, activate))
        planned = self.answers.get(case.name)
        found = (
            planned.pop(0)
            if planned
            else controls.EXPECTED.get(case.name, "releases" if activate else "holds")
        )
        return result_of(case, found, shims=bool(activate))


COVERAGE = Coverage(wrapped=100, candidates=10, direct=7, through=2)


def manifest_of(toolkit):
    if toolkit != "vtk":
        raise ToolkitNotFoundError(f"no shims for {toolkit}")
    return SimpleNamespace(coverage=COVERAGE)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    monkeypatch.setattr(FakeNursery, "answers", {})
    monkeypatch.setattr(FakeNursery, "ran", [])
    monkeypatch.setattr(FakeNursery, "refusal", "")
    monkeypatch.setattr(run, "Nursery", FakeNursery)
    monkeypatch.setattr(run, "installed", lambda: ("vtk", "itk"))
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(run, "manifest_of", manifest_of)
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path / "cache"))
    return FakeNursery


def diagnose(**choice) -> Report:
    return run.diagnose(run.Choice(("vtk",), **choice), lambda _: None)


def test_a_run_with_good_controls_is_valid_and_measures_every_case_both_ways(fake):
    made = diagnose()
    assert made.valid
    assert len(made.results) == 2 * len(cases_of("vtk"))
    assert made.coverage == {"vtk": COVERAGE}
    assert ("obb-tree", ()) in fake.ran
    assert ("obb-tree", ("vtk",)) in fake.ran
    assert report.headline(made).startswith(f"{len(cases_of('vtk'))} of {len(cases_of('vtk'))} calls")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("sort-held", "releases"), ("loop", "releases"), ("sleep", "holds"), ("hash", "crash")],
)
def test_one_wrong_control_makes_the_run_invalid(fake, name, wrong):
    fake.answers[name] = [wrong]
    made = diagnose()
    assert not made.valid
    assert report.headline(made).startswith("INVALID")
    assert name in {result.case for result in controls.failed(made.controls)}


def test_a_control_that_load_hid_may_try_again_but_a_wrong_one_may_not(fake):
    fake.answers["sleep"] = ["unknown", "unknown"]
    assert diagnose().valid
    fake.answers["sleep"] = ["unknown"] * 3
    assert not diagnose().valid
    fake.answers["sleep"] = ["holds", "releases"]
    assert not diagnose().valid


@pytest.mark.usefixtures("fake")
def test_without_shims_only_before_is_measured_and_the_command_is_named(monkeypatch):
    monkeypatch.setattr(run, "installed", lambda: ())
    made = diagnose()
    assert not any(result.shims for result in made.results)
    assert len(made.results) == len(cases_of("vtk"))
    assert any("gilgen fix vtk" in notice for notice in made.notices)


def test_shims_that_cannot_be_activated_say_why(fake):
    fake.refusal = "They were made for another build.\nRun gilgen fix vtk."
    made = diagnose()
    assert not any(result.shims for result in made.results)
    assert any("another build" in notice for notice in made.notices)


def test_patterns_choose_by_name_and_by_call():
    assert [case.name for case in run.Choice(("vtk",), ("obb-*",)).cases("vtk")] == ["obb-tree"]
    assert [case.name for case in run.Choice(("vtk",), ("vtkOBBTree*",)).cases("vtk")] == ["obb-tree"]
    assert run.Choice(("vtk",), ("absent",)).cases("vtk") == ()


def test_quick_is_a_part_of_all():
    for toolkit in ("vtk", "itk"):
        quick = run.Choice((toolkit,), quick=True).cases(toolkit)
        assert 0 < len(quick) < len(run.Choice((toolkit,)).cases(toolkit))


@pytest.mark.parametrize(("toolkit", "least"), [("vtk", 12), ("itk", 8)])
def test_there_are_enough_cases_and_their_names_are_unique(toolkit, least):
    cases = cases_of(toolkit)
    assert len({case.name for case in cases}) == len(cases) >= least
    assert {case.toolkit for case in cases} == {toolkit}


def test_an_unknown_toolkit_is_refused():
    with pytest.raises(ToolkitNotFoundError, match="gilgen diagnose"):
        run.check(run.Choice(("opencv",)))


def test_a_toolkit_that_is_not_installed_is_refused(monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ToolkitNotFoundError, match="pip install vtk"):
        run.check(run.Choice(("vtk",)))


def test_a_pattern_that_matches_nothing_names_the_cases(monkeypatch):
    monkeypatch.setattr(run.importlib.util, "find_spec", lambda _: object())
    with pytest.raises(GilgenError, match="obb-tree"):
        run.check(run.Choice(("vtk",), ("absent",)))


def test_two_sources_with_a_case_of_one_name_are_refused(tmp_path):
    files = [tmp_path / folder / "my_cases.py" for folder in ("one", "other")]
    for file in files:
        file.parent.mkdir()
        file.write_text("def case_load():\n    return lambda: None\n")
    run.check(run.Choice((str(files[0]),)))
    with pytest.raises(GilgenError, match="load"):
        run.check(run.Choice(tuple(map(str, files))))


def test_a_python_without_a_gil_is_refused(monkeypatch):
    monkeypatch.setattr(run.sys, "_is_gil_enabled", lambda: False, raising=False)
    with pytest.raises(UnsupportedError):
        run.check(run.Choice(("vtk",)))


@pytest.mark.usefixtures("fake")
def test_the_command_prints_the_table_keeps_the_report_and_ends_well(tmp_path, capsys):
    file = tmp_path / "out.json"
    assert commands.invoke(["diagnose", "vtk", "--case", "obb-tree", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "vtkOBBTree.BuildLocator" in printed
    assert "1 of 1 calls that held the GIL now release it." in printed
    assert json.loads(file.read_text())["artefact"] == "Report"
    assert store.read(report.last_report(), Report) == store.read(file, Report)
    assert commands.invoke(["report"]) == 0
    assert capsys.readouterr().out == printed


def test_the_command_of_an_invalid_run_prints_all_and_ends_with_its_own_code(fake, capsys):
    fake.answers["sort-held"] = ["releases"]
    assert commands.invoke(["diagnose", "vtk", "--case", "obb-tree"]) == 20
    printed = capsys.readouterr()
    assert "vtkOBBTree.BuildLocator" in printed.out
    assert "INVALID" in printed.out
    assert "'holds' but reads 'releases'" in printed.out
    assert "control" in printed.err
    assert commands.invoke(["report"]) == 20


@pytest.mark.usefixtures("fake")
def test_json_to_standard_output_is_only_json(capsys):
    assert commands.invoke(["diagnose", "vtk", "--case", "obb-tree", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["data"]["valid"] is True


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(("only", "shims"), [("before", {False}), ("after", {True})])
def test_only_one_half(only, shims):
    assert commands.invoke(["diagnose", "vtk", "--case", "obb-tree", "--only", only]) == 0
    assert {result.shims for result in store.read(report.last_report(), Report).results} == shims


@pytest.mark.usefixtures("fake")
def test_a_report_before_any_diagnosis_says_what_to_do(capsys):
    assert commands.invoke(["report"]) == 14
    assert "gilgen diagnose" in capsys.readouterr().err


OWN_CASES = """
import functools, ctypes
def case_held(size=50_000):
    return functools.partial(ctypes.PyDLL(None).usleep, size)
def case_free(size=50_000):
    return functools.partial(ctypes.CDLL(None).usleep, size)
"""


def test_a_users_file_is_measured_with_the_controls_and_once_where_it_calls_no_toolkit(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN_CASES)
    made = run.diagnose(run.Choice((str(file),), quick=True), lambda _: None)
    assert made.coverage == {}
    found = {result.call: result.verdict for result in made.results}
    assert found["held"] in {"holds", "unknown"}
    assert found["free"] in {"releases", "unknown"}
    assert not any(result.shims for result in made.results)
