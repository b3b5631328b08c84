"""Reports for machines: JUnit, the trace, the JSON and its schema, and the command that writes them."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import junitparser
import msgspec
import pytest
from gilgen.diagnostics import report
from gilgen.diagnostics.report import Material, junit, trace
from gilgen.diagnostics.report.schema import schema
from reports import FREED, HELD, HOSTILE, WRONG, bare, every_kind, everything, of, profile, survey

from gilgen import commands, store
from gilgen.errors import GilgenError
from gilgen.model import Lane, Profile, Report, Span, Survey, Timeline

# ------------------------------------------------------------------------------------------------ JUnit


def suites(material: Material) -> dict[str, junitparser.TestSuite]:
    return {suite.name: suite for suite in junitparser.JUnitXml.fromstring(junit.render(material).encode())}


def kinds(suite) -> dict[str, str]:
    return {case.name: type(case.result[0]).__name__ if case.result else "passed" for case in suite}


def test_junit_has_a_suite_for_each_toolkit_and_one_for_the_controls():
    found = suites(Material(every_kind()))
    assert list(found) == ["controls", "vtk", "itk"]
    assert set(kinds(found["controls"]).values()) == {"passed"}
    assert kinds(found["itk"]) == {"vtkStays.Call [Stays]": "Failure"}


def test_what_fails_what_is_an_error_and_what_is_skipped():
    read = {name.partition("[")[2].rstrip("]"): kind for name, kind in kinds(suites(Material(every_kind()))["vtk"]).items()}
    read.pop(HOSTILE)
    assert read == {
        "obb": "passed", "Free": "passed", "Half": "Failure", "Worse": "Failure", "Crash": "Error", "Error": "Error", "Late": "Error",
        "Busy": "Skipped", "Short": "Skipped", "Untried": "Skipped",
    }  # fmt: skip


def test_junit_counts_what_it_holds():
    suite = suites(Material(every_kind()))["vtk"]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (11, 2, 3, 3)


def test_junit_tells_the_evidence_of_both_halves():
    case = next(iter(suites(Material(of(HELD, FREED)))["vtk"]))
    assert case.classname == "gilgen.vtk"
    assert case.time == pytest.approx(0.25)
    for words in ("before:", "after:", "holds: no other thread ran", "Faster in parallel", "58 of 60", "py-spy"):
        assert words in case.system_out


def test_junit_survives_what_a_crashed_program_prints():
    text = junit.render(Material(every_kind()))
    assert "Segmentation fault" in text
    assert "\x1b" not in text
    assert "\x00" not in text


def test_in_an_invalid_run_the_control_fails_and_nothing_else_counts():
    found = suites(Material(of(HELD, FREED, valid=False, controls=WRONG), survey()))
    failed = [name for name, kind in kinds(found["controls"]).items() if kind == "Failure"]
    assert failed == ["time.sleep"]
    assert set(kinds(found["vtk"]).values()) == {"Skipped"}
    assert set(kinds(found["vtk survey"]).values()) <= {"passed", "Failure", "Error", "Skipped"}


def test_a_survey_is_a_suite_for_each_toolkit():
    found = suites(Material(of(), survey(200)))
    assert {"vtk survey", "itk survey"} <= set(found)
    assert set(kinds(found["vtk survey"]).values()) == {"passed", "Failure", "Error", "Skipped"}
    assert sum(suite.tests for name, suite in found.items() if "survey" in name) == 200
    invalid = suites(Material(of(), replace(survey(), valid=False)))
    assert set(kinds(invalid["vtk survey"]).values()) == {"Skipped"}


def test_without_a_second_half_the_first_is_what_counts():
    assert list(kinds(suites(Material(of(HELD)))["vtk"]).values()) == ["Failure"]


def test_only_what_was_measured_is_in_a_case():
    case = next(iter(suites(Material(of(bare("crash", "X", message="boom"))))["vtk"]))
    assert "before:" not in case.system_out
    assert case.result[0].text == "boom"


# ------------------------------------------------------------------------------------------------ trace


def events(material: Material) -> list[dict]:
    return json.loads(trace.render(material))["traceEvents"]


def test_every_event_of_the_trace_has_what_the_format_asks_for():
    found = events(everything())
    assert {event["ph"] for event in found} == {"M", "X", "C"}
    for event in found:
        assert isinstance(event["pid"], int)
        assert event["name"]
        if event["ph"] == "X":
            assert event["ts"] >= 0
            assert event["dur"] >= 0
            assert isinstance(event["tid"], int)
        if event["ph"] == "C":
            assert event["args"]["waiting"] >= 0


def test_every_process_and_thread_of_the_trace_has_a_name():
    found = events(everything())
    processes = {event["pid"] for event in found if event["name"] == "process_name"}
    threads = {(event["pid"], event["tid"]) for event in found if event["name"] == "thread_name"}
    assert {event["pid"] for event in found} == processes
    assert {(event["pid"], event["tid"]) for event in found if event["ph"] == "X"} <= threads
    names = [event["args"]["name"] for event in found if event["name"] == "process_name"]
    assert "vtkOBBTree.BuildLocator, plain (holds): one call" in names
    assert "viewer.py: event loops" in names


def test_events_of_a_thread_lie_within_each_other_or_apart():
    lanes: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for event in events(everything()):
        if event["ph"] == "X":
            lanes.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
    assert lanes
    for spans in lanes.values():
        open_ends: list[float] = []
        for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_ends and open_ends[-1] <= start + 0.002:
                open_ends.pop()
            assert not open_ends or end <= open_ends[-1] + 0.002, "two events overlap in part"
            open_ends.append(end)


def test_a_span_that_crosses_the_call_is_cut_where_the_call_begins_and_ends():
    lane = Lane("x", (Span(0.0, 3.0, "runs"), Span(1.0, 2.0, "call")))
    assert trace.nested(lane) == [Span(0.0, 1.0, "runs"), Span(1.0, 2.0, "call"), Span(1.0, 2.0, "runs"), Span(2.0, 3.0, "runs")]


def test_the_counter_says_how_many_wait_and_ends_with_none():
    lanes = (Lane("a", (Span(0.0, 2.0, "waits"),)), Lane("b", (Span(1.0, 2.0, "waits"), Span(2.0, 3.0, "runs"))), Lane("c", (Span(2.0, 3.0, "waits"),)))
    assert trace.waiting_over_time(lanes) == [(0.0, 1), (1.0, 2), (2.0, 1), (3.0, 0)]


def test_times_of_the_trace_are_microseconds():
    made = replace(HELD, timelines=(Timeline("t", 1.0, (Lane("a", (Span(0.5, 0.75, "runs"),)),)),))
    spans = [event for event in events(Material(of(made, controls=()))) if event["ph"] == "X"]
    assert [(event["ts"], event["dur"]) for event in spans] == [(500_000, 250_000)]


def test_an_invalid_run_says_so_in_its_trace():
    assert "warning" in json.loads(trace.render(Material(of(HELD, valid=False))))["otherData"]


# --------------------------------------------------------------------------------------- JSON and schema


@pytest.mark.parametrize("record", [every_kind(), of(controls=()), survey(30), profile()], ids=["report", "empty", "survey", "profile"])
def test_what_is_written_is_what_the_schema_says(record):
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(store.encode(record)), schema())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data["data"].pop("results"),
        lambda data: data.update(artefact="Survey"),
        lambda data: data["data"]["results"][0].update(verdict="perhaps"),
        lambda data: data.update(schema=1),
    ],
)
def test_the_schema_refuses_what_is_not_a_report(spoil):
    data = json.loads(store.encode(of(HELD)))
    spoil(data)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema())


# ------------------------------------------------------------------------------------------- the command


@pytest.fixture
def files(tmp_path):
    store.write(tmp_path / "report.json", every_kind())
    store.write(tmp_path / "survey.json", survey())
    store.write(tmp_path / "profile.json", profile())
    return tmp_path


def test_the_command_writes_every_form_at_once(files, capsys):
    given = [str(files / "report.json"), "--survey", str(files / "survey.json"), "--profile", str(files / "profile.json")]
    wanted = [f"{option}={files / name}" for option, name in (("--html", "o.html"), ("--junit", "o.xml"), ("--trace", "trace.json"), ("--json", "o.json"))]
    assert commands.invoke(["report", *given, *wanted]) == 0
    assert (files / "o.html").read_text().startswith("<!DOCTYPE html>")
    assert junitparser.JUnitXml.fromfile(str(files / "o.xml")).tests > 60
    assert json.loads((files / "trace.json").read_text())["traceEvents"]
    assert store.read(files / "o.json", Report) == every_kind()
    assert [line.rpartition("/")[2] for line in capsys.readouterr().err.splitlines()] == ["o.html", "o.xml", "trace.json", "o.json"]


def test_the_command_shows_a_survey_or_a_profile_without_a_diagnosis(files, monkeypatch, capsys):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(files / "empty"))
    assert commands.invoke(["report", "--survey", str(files / "survey.json"), "--html", str(files / "s.html")]) == 0
    assert "algorithm classes were exercised" in capsys.readouterr().out
    assert commands.invoke(["report", "--profile", str(files / "profile.json")]) == 0
    assert "vtkOBBTree.BuildLocator" in capsys.readouterr().out


def test_the_command_says_what_a_wrong_file_is(files, capsys):
    assert commands.invoke(["report", str(files / "report.json"), "--survey", str(files / "profile.json")]) == 14
    assert "holds a Profile, not a Survey" in capsys.readouterr().err
    assert commands.invoke(["report", str(files / "none.json")]) == 14
    assert commands.invoke(["report", str(files / "report.json"), "--profile", str(files / "none.json")]) == 14


@pytest.mark.parametrize("form", ["--html", "--junit", "--trace"])
def test_the_command_writes_an_invalid_report_and_ends_with_its_own_code(form, files):
    store.write(files / "bad.json", of(HELD, FREED, valid=False, controls=WRONG))
    assert commands.invoke(["report", str(files / "bad.json"), form, str(files / "out")]) == 20
    assert "INVALID" in (files / "out").read_text()


def test_the_command_prints_the_schema(capsys):
    assert commands.invoke(["report", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(msgspec.json.encode(schema()))


def test_json_to_standard_output_is_only_json(files, capsys):
    assert commands.invoke(["report", str(files / "report.json"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["artefact"] == "Report"


@pytest.mark.parametrize(("form", "package", "advice"), [("junit", "junitparser", "pip install junitparser"), ("html", "vl_convert", "pip install vl-convert-python")])
def test_a_form_whose_package_is_missing_says_what_to_install(form, package, advice, monkeypatch):
    def refuse(_name):
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    monkeypatch.setattr(report.importlib, "import_module", refuse)
    with pytest.raises(GilgenError, match=f"{advice}$") as caught:
        report.reporter(form)
    assert package in str(caught.value)


def test_a_fault_of_gilgens_own_is_not_taken_for_a_missing_package(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name="gilgen.diagnostics.report.html")

    monkeypatch.setattr(report.importlib, "import_module", refuse)
    with pytest.raises(ModuleNotFoundError):
        report.reporter("html")


def test_a_report_of_before_the_new_evidence_is_still_read():
    """Evidence that an older gilgen did not take has a default, so its absence is no damage."""
    old = json.loads(msgspec.json.encode(of(HELD, FREED)))
    for result in (*old["results"], *old["controls"]):
        for name in ("waits", "inside", "timelines"):
            result.pop(name)
        for name in ("stall", "processor", "calls"):
            if result["window"]:
                result["window"].pop(name)
    old.pop("coverage")
    read = msgspec.convert(old, Report)
    assert report.rows(read)[0][2] == "0.250 of 0.250 s"
    for form in ("text", "markdown", "html", "junit", "trace"):
        assert report.reporter(form).render(Material(read))


def test_the_records_of_the_schema_are_those_that_the_command_reads():
    assert {one["properties"]["artefact"]["const"] for one in schema()["oneOf"]} == {kind.__name__ for kind in (Report, Survey, Profile)}
