"""The survey on pretend classes: each outcome, each reason, the journal, an interruption, a Dask cluster."""

from __future__ import annotations

import dataclasses
import functools
import os
import signal
import subprocess
import sys
import time

import pytest
from gilgen.diagnostics import agreement
from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.survey import itk, journal, leaks, pretend, run, summary, units
from gilgen.diagnostics.survey.records import Entry, Options, Target

from gilgen import errors, store
from gilgen.audit.records import Evidence, Wrapper
from gilgen.commands import invoke
from gilgen.model import CaseResult, Environment, Report, Survey, Surveyed

ONE = Options(6.0, ("before",))


@pytest.fixture(scope="module", autouse=True)
def _ended():
    yield
    units.close()


def surveyed(name):
    entry = units.survey(Target("control", "controls", name), ONE)
    (record,) = entry.found
    return record


# ---------------------------------------------------------------------------------------------------- one class


@pytest.mark.parametrize("name", ["sort-released", "usleep-held", "tiny-released", "tiny-held", "leak", "cache", "crash", "picky"])
def test_a_control_has_its_outcome(name):
    entry = units.survey(Target("control", "controls", name), ONE)
    assert not run.wrong_control(entry), entry


def test_a_hang_ends_at_the_deadline():
    record = dataclasses.replace(units.survey(Target("control", "controls", "hang"), Options(2.0, ("before",))).found[0])
    assert record.before == "timeout"
    assert "deadline" in record.because


def test_what_crashed_is_named():
    record = surveyed("abort")
    assert (record.before, "SIGABRT" in record.because) == ("crash", True)


def test_what_asks_for_too_much_memory_is_measured_on_less():
    record = surveyed("hungry")
    assert record.before == "releases"
    assert "too much memory" in record.because
    assert "4096 elements" in record.because


def test_a_leak_is_told_in_bytes_a_call():
    assert pretend.LEAK <= surveyed("leak").leaked <= pretend.LEAK + 64


def test_what_grows_less_and_less_is_no_leak():
    kept: list[bytearray] = []
    assert leaks.growth(Work(lambda: kept.append(bytearray(int(400_000 * 0.9 ** len(kept))))), seconds=5.0) == 0
    steady: list[bytearray] = []
    assert leaks.growth(Work(lambda: steady.append(bytearray(4000))), seconds=5.0) >= 4000


def test_a_wrong_control_is_told_apart():
    record = Surveyed("control", "controls", "sleep", "sleep", "holds", "untested", "no tick")
    assert "instead of 'releases'" in run.wrong_control(Entry("control", "sleep", (record,)))
    leaking = Surveyed("control", "controls", "cache", "cache", "too short", "untested", "", leaked=64)
    assert "was found to leak (64 bytes a call), and it does not" in run.wrong_control(Entry("control", "cache", (leaking,)))


def test_a_worker_with_other_versions_refuses():
    with pytest.raises(errors.UnsupportedError, match=r"the survey is of gilgen 0\.0"):
        units.survey(Target("control", "controls", "sleep"), Options(6.0, ("before",), {"control": "gilgen 0.0"}))


# ------------------------------------------------------------------------------------------------ a whole survey


FEW = ("picky", "tiny-released", "tiny-held", "crash")


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A toolkit of a few pretend classes, and as few controls."""
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(run, "_controls", lambda _pool, progress: progress("control") or [])
    targets = tuple(Target("control", "controls", name) for name in FEW)
    options = Options(6.0, ("before",), {"control": units.identity("control")})

    def make():
        kept = journal.Journal("control", "test")
        return [run.Work("control", targets, options, kept, kept.read(), "")]

    monkeypatch.setattr(run.run, "environment", lambda _: Environment("0", "CPython", "x86_64", "Linux", 2, {"control": "1"}))
    return make


def test_a_survey_goes_through_all_and_keeps_a_journal(few):
    said: list[str] = []
    found = run.survey(run.Choice(("control",), jobs=2), few(), said.append)
    outcome = {record.name: record.before for record in found.classes}
    assert outcome == {"picky": "untested", "tiny-released": "releases", "tiny-held": "holds", "crash": "crash"}
    assert found.valid
    assert sorted(said) == sorted(["control", *(f"control {name}" for name in FEW)])
    again = run.survey(run.Choice(("control",), jobs=2), few(), said.append)
    assert again.classes == found.classes
    assert "4 classes of control were taken over" in " ".join(again.notices)


def test_a_failed_control_makes_it_invalid(few, monkeypatch):
    monkeypatch.setattr(run, "_controls", lambda _pool, _progress: ["The control sleep reads 'holds'."])
    found = run.survey(run.Choice(("control",)), few(), lambda _: None)
    assert not found.valid
    assert "sleep" in " ".join(found.notices)


def test_a_line_that_was_cut_off_counts_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path))
    kept = journal.Journal("vtk", "a")
    kept.add(Entry("vtk", "one", ()))
    with kept.path.open("ab") as file:
        file.write(b'{"toolkit": "vtk", "na')
    kept.add(Entry("vtk", "two", ()))
    assert set(kept.read()) == {"one", "two"}
    assert journal.Journal("vtk", "b").read() == {}
    kept.add(Entry("vtk", "three", (Surveyed("vtk", "", "three", "three.Update", "unknown", "releases", "busy"),)))
    assert set(kept.read()) == {"one", "two"}, "what a busy machine left open is tried again"
    kept.forget()
    assert kept.read() == {}


PROGRAM = """
import sys
from gilgen.diagnostics.survey import journal, run, units
from gilgen.diagnostics.survey.records import Options, Target

targets = tuple(Target("control", "controls", name) for name in ("picky", "tiny-released", "hang", "crash"))
options = Options(60.0, ("before",), {"control": units.identity("control")})
run._controls = lambda pool, progress: []
kept = journal.Journal("control", "killed")
work = run.Work("control", targets, options, kept, kept.read(), "")
run.survey(run.Choice(("control",), jobs=1), [work], lambda name: print(name, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_an_ended_survey_found_is_kept(number, tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        os.kill(process.pid, number)
        started = time.monotonic()
        process.communicate(timeout=30)
        assert time.monotonic() - started < 15
    assert sorted(line.strip() for line in lines) == ["control picky", "control tiny-released"]
    assert set(journal.Journal("control", "killed").read()) == {"picky", "tiny-released"}


def test_the_command_says_how_to_go_on_after_an_interruption(few, monkeypatch, capsys):
    monkeypatch.setattr(run, "prepare", lambda _: few())

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "survey", interrupted)
    assert invoke(["survey", "vtk"]) == 130
    assert "gilgen survey vtk" in capsys.readouterr().err


def test_an_invalid_survey_has_its_exit_code(few, monkeypatch):
    monkeypatch.setattr(run, "prepare", lambda _: few())
    monkeypatch.setattr(run, "_controls", lambda _pool, _progress: ["The control sleep reads 'holds'."])
    assert invoke(["survey", "vtk"]) == errors.InvalidRunError.exit_code
    assert not store.read(journal.last_survey(), Survey).valid


@pytest.mark.parametrize("arguments", [["survey", "vtk", "--only", "NoSuchClass"], ["survey", "nothing"], ["survey"]])
def test_what_cannot_be_surveyed_is_refused(arguments, capsys):
    assert invoke(arguments) != 0
    assert "Traceback" not in capsys.readouterr().err


# ------------------------------------------------------------------------------------------------------- Dask


def test_dask_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(errors.GilgenError, match="pip install distributed"), run.executor(run.Choice(("vtk",), scheduler="tcp://127.0.0.1:1")):
        pass


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(run, "CONNECTING", 0.5)
    with pytest.raises(errors.GilgenError, match="does not answer"), run.executor(run.Choice(("vtk",), scheduler="tcp://127.0.0.1:1")):
        pass


@pytest.mark.filterwarnings("default")  # what distributed warns of is its own affair
def test_a_dask_cluster_does_the_same_work(few):
    distributed = pytest.importorskip("distributed")
    cluster = functools.partial(distributed.LocalCluster, host="127.0.0.1", n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster() as running:
        found = run.survey(run.Choice(("control",), scheduler=running.scheduler_address), few(), lambda _: None)
    assert {record.name: record.before for record in found.classes} == {"picky": "untested", "tiny-released": "releases", "tiny-held": "holds", "crash": "crash"}
    assert found.scheduler == "dask"


# --------------------------------------------------------------------------------------------------- the numbers


def record(name, before, after, because="", call="Update", leaked=0, module="m"):
    return Surveyed("vtk", module, name, f"{name}.{call}", before, after, because, leaked=leaked)


RECORDS = (
    record("vtkA", "releases", "releases"),
    record("vtkA", "holds", "releases", call="UpdatePiece"),
    record("vtkB", "holds", "holds", leaked=64),
    record("vtkC", "crash", "crash"),
    record("vtkD", "timeout", "timeout"),
    record("vtkE", "untested", "untested", "needs a file of its own kind, which nothing here writes"),
    record("vtkF", "untested", "untested", "abstract"),
    record("vtkG", "too short", "too short"),
    record("vtkH", "releases", "holds"),
    record("vtkI", "holds", "crash"),
    record("vtkJ", "untested", "untested", "each of its feeds ended the process"),
    record("vtkK", "untested", "untested", "A wild complaint"),
)


def sample():
    return Survey(Environment("0.2", "CPython 3.11", "x86_64", "Linux", 2, {"vtk": "9.6.2"}, "2026-11-25"), valid=True, seconds=120.0, scheduler="local", classes=RECORDS)


def test_the_numbers():
    (found,) = summary.summary(sample())
    assert (found.classes, found.tried, found.calls) == (11, 7, 8)
    assert (found.held_before, found.released_before, found.released_after, found.hold_after) == (3, 2, 1, 1)
    assert (found.worse, found.lost, found.crashed, found.hung, found.leaks, found.short) == (1, 1, 2, 1, 1, 1)
    assert found.untested == {"needs a file of its own kind": 1, "abstract": 1, "ends its process": 1, summary.OTHER: 1}
    assert found.modules["m"] == {"tried": 8, "held": 3, "released": 1}


def test_the_tables_say_the_same():
    text, table = summary.as_text(sample()), summary.as_markdown(sample())
    assert "vtk 9.6.2" in text
    assert "| held before | 3 |" in table
    assert "| untested: abstract | 1 |" in table
    assert all(len(line.split("|")) == 4 for line in table.splitlines() if line.startswith("|"))
    assert "2 minutes in local processes on 2 processors" in table


# --------------------------------------------------------------------------------------------------- agreement


def test_differences_are_told_with_their_reason():
    unexplained = agreement.Difference("vtkA.Update", "audit", "releases", "holds", "", "no tick")
    known = agreement.Difference("vtkB.Update", "plan", "releases", "partly", agreement.MAY_CALL_PYTHON, "some ticks")
    text = agreement.as_text(agreement.Agreement(5, 4, (known, unexplained)))
    assert "5 calls; with the plan: 4 calls. 2 differ, 1 of them with a known reason" in text
    assert text.index("vtkA.Update") < text.index("vtkB.Update")
    assert "may call Python" in text


def wrapper(name, verdict, overload="", *, may_call=False):
    owner, _, method = name.rpartition(".")
    return Wrapper("vtkmodules.x", owner, method, "method", overload, verdict, "", may_call, Evidence("x.so"))


@pytest.fixture
def facts(monkeypatch):
    """An algorithm and a filter of its kind: the audit and the plan know what their methods do."""
    found = agreement.Known(
        bases={"vtkA": ("vtkAlgorithm",), "vtkAlgorithm": ()},
        methods={"vtkAlgorithm": {"Update", "UpdatePiece"}, "vtkA": set()},
        wrappers=(
            wrapper("vtkAlgorithm.Update", "releases", "Update(self) -> None"),
            wrapper("vtkAlgorithm.Update", "holds", "Update(self, port:int) -> None"),
            wrapper("vtkAlgorithm.UpdatePiece", "holds", may_call=True),
        ),
        released={"vtkAlgorithm.UpdatePiece"},
        ways={},
    )
    monkeypatch.setattr(agreement, "known", lambda _: found)


@pytest.mark.parametrize(
    ("call", "before", "after", "expected"),
    [
        ("Update", "releases", "releases", []),
        ("UpdatePiece", "holds", "releases", []),
        ("Update", "holds", "releases", [("audit", "releases", "holds", "")]),
        ("UpdatePiece", "releases", "releases", [("audit", "holds", "releases", "")]),
        ("UpdatePiece", "partly", "releases", [("audit", "holds", "partly", agreement.MAY_CALL_PYTHON)]),
        ("UpdatePiece", "holds", "holds", [("plan", "releases", "holds", "")]),
        ("Update", "too short", "unknown", []),
    ],
)
@pytest.mark.usefixtures("facts")
def test_verdicts_are_held_against_audit_and_plan(call, before, after, expected):
    found = agreement.compare([record("vtkA", before, after, call=call)])
    assert [(one.side, one.expected, one.measured, one.explained) for one in found.differences] == expected


@pytest.mark.usefixtures("facts")
def test_a_diagnosis_is_held_against_audit_and_plan_too():
    def result(case, toolkit, call, verdict, *, shims=False):
        return CaseResult(case, toolkit, call, shims, verdict, "seen")

    results = (
        result("a", "vtk", "vtkA.UpdatePiece", "holds"),
        result("a", "vtk", "vtkA.UpdatePiece", "releases", shims=True),
        result("b", "vtk", "vtkA.Update", "holds"),
        result("c", "mine.py", "compute", "holds"),
    )
    environment = Environment("0", "CPython", "x86_64", "Linux", 2, {"vtk": "1"})
    records = agreement.measured(Report(environment, valid=True, controls=(), results=results))
    assert [(one.name, one.call, one.before, one.after) for one in records] == [
        ("vtkA", "vtkA.UpdatePiece", "holds", "releases"), ("vtkA", "vtkA.Update", "holds", "untested")]  # fmt: skip
    found = agreement.compare(records)
    assert (found.audited, found.planned) == (2, 1)
    assert [one.because for one in found.differences] == ["b: seen"]


# ------------------------------------------------------------------------------------------------- which classes


def test_the_easiest_instantiations_stand_for_a_template():
    names = [f"itkMedianImageFilter{ending}" for ending in ("ID4ID4", "IF2IF2", "IF3IF3", "ISS3ISS3", "IUC3IUC3", "IUC2IUC2")]
    assert itk.representatives("MedianImageFilter", names)[:2] == ("itkMedianImageFilterIF3IF3", "itkMedianImageFilterIUC3IUC3")
    assert itk.representatives("OtsuThresholdCalculator", ["itkOtsuThresholdCalculatorHDD"]) == ("itkOtsuThresholdCalculatorHDD",)


def test_reasons_name_no_folder_and_no_address():
    text = "RuntimeError: /somewhere/ITK/itkProcessObject.cxx:1339:\nITK ERROR: CleanFilter(0x55d9d30b2e30): Input Primary is required"
    assert units.plain(text) == "CleanFilter: Input Primary is required"


@pytest.mark.parametrize(
    ("because", "group"),
    [
        ("needs a file, and vtkPNGWriter did not write one", "needs a file of its own kind"),
        ("needs a render window", "needs a render window"),
        ("part of a view, which needs a render window", "needs a render window"),
        ("Algorithm vtkDirectedGraphAlgorithm returned failure for request: vtkInformation", "abstract"),
        ("runs code that the user supplies", "runs the user's own code"),
        ("No input histograms.", summary.OTHER),
    ],
)
def test_reasons_are_counted_in_groups(because, group):
    assert summary.reason_of(record("vtkA", "untested", "untested", because)) == group
