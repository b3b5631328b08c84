"""The pytest plugin, in projects of its own: calls that release and calls that hold, with and without workers, and off until used."""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib.metadata
import re
import signal
import sys
import time
from dataclasses import replace

import pytest
import support
from gilgen.diagnostics import controls, plugin, testing, window
from gilgen.diagnostics.testing import Measured, Proof

from gilgen import store
from gilgen.errors import ToolkitNotFoundError
from gilgen.model import CaseResult, Report, Window

PROJECT = """
import ctypes, functools, hashlib, time, unittest
import pytest

SLEEP = 60_000
released, held = ctypes.CDLL(None).usleep, ctypes.PyDLL(None).usleep
RELEASES = {
    "usleep": lambda: released(SLEEP),
    "sleep": lambda: time.sleep(0.06),
    "hash": functools.partial(hashlib.sha256, bytes(256 << 20)),
    "short": functools.partial(hashlib.sha256, bytes(1 << 20)),
}
def loop():
    for _ in range(15_000_000):
        pass
HOLDS = {"sum": lambda: sum(range(20_000_000)), "loop": loop, "short": functools.partial(sorted, list(range(200_000)))}

@pytest.mark.parametrize("name", RELEASES)
class TestRelease:
    def test_good(self, gil, name):
        gil.assert_releases(RELEASES[name])

    def test_bad(self, gil, name):
        gil.assert_holds(RELEASES[name])

@pytest.mark.parametrize("name", HOLDS)
class TestHold:
    def test_good(self, gil, name):
        gil.assert_holds(HOLDS[name])

    def test_bad(self, gil, name):
        gil.assert_releases(HOLDS[name])

def test_good_several(gil):
    gil.assert_releases(RELEASES["usleep"], RELEASES["sleep"])

def test_bad_one_of_several(gil):
    gil.assert_releases(RELEASES["usleep"], HOLDS["sum"], name="sum")

def test_bad_too_short(gil):
    gil.assert_releases(lambda: None)

def test_bad_raises(gil):
    gil.assert_releases(lambda: 1 / 0)

def test_good_stall(gil):
    assert gil.max_stall(lambda: held(10 * SLEEP)) > 0.001

@pytest.mark.gil(max_stall="1s")
def test_good_marked():
    held(SLEEP)

@pytest.mark.gil(max_stall=0.001)
def test_bad_marked():
    held(20 * SLEEP)

@pytest.mark.gil(max_stall="1min")
def test_bad_marked_fails_by_itself():
    assert "its own" == "reason"

@pytest.mark.gil(max_stall="0.5s")
def test_good_marked_does_not_count_what_gil_measures(gil):
    gil.assert_holds(lambda: (held(10 * SLEEP), sum(range(20_000_000))), once=True)

@pytest.mark.gil(max_stall="1min")
class TestMarkedClass(unittest.TestCase):
    def test_good_skips(self):
        self.skipTest("as always")

    def test_good_method(self):
        released(SLEEP)
"""

ARGUMENTS = ("-q", "-W", "error", "--strict-markers", "--strict-config", "-p", "no:cacheprovider")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project outside of this repository, with its own settings."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_calls.py").write_text(PROJECT)
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\ntestpaths = ['tests']\nminversion = '8'\n")
    return folder


@pytest.fixture(scope="module")
def with_workers(project):
    """The project's tests under pytest-xdist: how it ended."""
    return support.run([sys.executable, "-m", "pytest", *ARGUMENTS, "-n", "2", "--gil-report", "gil.json", "--junitxml", "junit.xml"], deadline=300, cwd=project)


def outcomes(text: str) -> dict[str, int]:
    return {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed|skipped|error)", text.splitlines()[-1])}


def failures(text: str) -> set[str]:
    return set(re.findall(r"^FAILED \S+::(\w+(?:\[\w+\])?)", text, re.MULTILINE))


# ----------------------------------------------------------------------------- a project of its own


def test_every_test_of_the_project_ends_as_its_name_says(with_workers):
    assert with_workers.code == 1, with_workers.out + with_workers.err
    assert outcomes(with_workers.out) == {"passed": 12, "failed": 12, "skipped": 1}, with_workers.out
    assert all(name.startswith("test_bad") for name in failures(with_workers.out)), with_workers.out


def test_a_failure_explains_itself(with_workers):
    text = with_workers.out
    assert "lambda in test_calls.py:16 holds the GIL, and this test asserts that it releases the GIL." in text
    assert "ticks of another thread inside: 0" in text
    assert "and this test asserts that it holds the GIL." in text
    assert "sum holds the GIL" in text
    assert "is too short to tell" in text
    assert "Give it more work: at least 30.0 ms." in text
    assert "ZeroDivisionError: division by zero" in text
    assert "This test keeps other Python threads out for longer than max_stall=0.001" in text
    assert "assert 'its own' == 'reason'" in text


def test_what_the_workers_measured_comes_together_in_one_report(with_workers, project):
    assert "gilgen: " in with_workers.out
    assert "Written to gil.json" in with_workers.out
    report = store.read(project / "gil.json", Report)
    assert report.valid
    assert {control.case for control in report.controls} == set(testing.CONTROLS)
    found = {result.case.partition("::")[2]: result for result in report.results}
    wanted = {"TestRelease::test_good[hash]": "releases", "test_bad_too_short": "too short"}
    assert {name: found[name].verdict for name in wanted} == wanted
    assert found["test_bad_one_of_several #2"].call == "sum"
    assert found["TestHold::test_good[short]"].window.calls > 1
    assert {result.toolkit for result in report.results} == {"python"}
    assert not any(result.shims for result in report.results)
    assert sum("others were kept out for up to" in line for line in report.notices) == 6
    assert len(report.results) == 20


def test_other_reports_of_pytest_are_as_ever(with_workers, project):
    assert with_workers.code == 1
    junit = (project / "junit.xml").read_text()
    assert "gilgen" not in re.sub(r"(?s)<failure.*?</failure>", "", junit)


def test_the_entry_point_is_this_plugin():
    found = [entry for entry in importlib.metadata.entry_points(group="pytest11") if entry.name == "gilgen"]
    assert {entry.value for entry in found} == {"gilgen.diagnostics.plugin"}


# ------------------------------------------------------------------------------------- off until used


def test_importing_the_plugin_imports_nothing_heavy():
    code = """
    import json, sys
    import pytest
    before = set(sys.modules)
    import gilgen.diagnostics.plugin
    print(json.dumps(sorted(set(sys.modules) - before)))
    """
    new = {name for name in support.run_python(code).answer if name.partition(".")[0] not in sys.stdlib_module_names}
    own = {"gilgen", "gilgen._version", "gilgen.activate", "gilgen.claims", "gilgen.errors", "gilgen.garbage", "gilgen.manifest", "gilgen.match"}
    assert new == own | {"gilgen.diagnostics", "gilgen.diagnostics.plugin"}


def test_a_project_that_does_not_use_it_sees_no_difference(pytester):
    pytester.makepyfile("""
        import gc, sys, threading
        def test_nothing_is_there():
            assert [thread.name for thread in threading.enumerate() if "gilgen" in thread.name] == []
            assert (sys.getswitchinterval(), gc.isenabled()) == (0.005, True)
    """)
    code = "import pytest, sys; code = pytest.main(['-q', '-p', 'no:cacheprovider']); assert not {'gilgen.diagnostics.testing', 'msgspec'} & set(sys.modules); sys.exit(code)"
    assert support.run([sys.executable, "-c", code], cwd=pytester.path).ok
    used, unused = pytester.runpytest(), pytester.runpytest("-p", "no:gilgen")
    unused.assert_outcomes(passed=1)
    assert [line for line in used.outlines if "gilgen" in line and not line.startswith("plugins: ")] == []
    assert len(used.outlines) == len(unused.outlines)


def test_it_can_be_switched_off(pytester):
    pytester.makepyfile("def test_one(gil): pass")
    pytester.runpytest("-p", "no:gilgen").assert_outcomes(errors=1)


def test_the_marker_is_known(pytester):
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.gil(max_stall)*"])
    pytester.runpytest("--fixtures").stdout.fnmatch_lines(["gil -- *", "*assert_releases*"])


def test_a_program_that_is_run_by_gilgen_can_be_pytest(tmp_path, pytester):
    """pytest warns of packages with plugins that are imported before it. The package is listed here as an installed one is."""
    record = tmp_path / "other-1.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (record / "RECORD").write_text("gilgen/__init__.py,,\n")
    (record / "entry_points.txt").write_text("[pytest11]\nother = gilgen.garbage\n")
    pytester.makepyfile("def test_one(): pass")
    code = "import gilgen, pytest, sys; sys.exit(pytest.main(['-q', '-W', 'error', '-p', 'no:cacheprovider']))"
    assert support.run([sys.executable, "-c", code], env={"PYTHONPATH": f"{tmp_path}:{support.CHECKOUT}"}, cwd=pytester.path).ok


# -------------------------------------------------------------------------------------------- options


def test_where_gilgen_is_installed_without_its_tools_the_fixture_says_what_is_missing(pytester, monkeypatch):
    monkeypatch.setitem(sys.modules, "gilgen.diagnostics.testing", None)
    pytester.makepyfile("def test_one(gil): pass")
    ended = pytester.runpytest()
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines(["*which is not installed. Install it: pip install gilgen"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gil-report", "out.pdf"], "told by the suffix, one of .html, .md, .xml, .json, .txt"),
        (["--gil-shims", "opencv"], "gilgen fix opencv"),
    ],
)
def test_a_wrong_option_is_a_usage_error(pytester, arguments, words):
    pytester.makepyfile("def test_one(): pass")
    ended = pytester.runpytest(*arguments)
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    assert words in ended.stderr.str()


def test_a_missing_shim_wheel_names_the_command_that_makes_it(pytester, monkeypatch):
    def refuse(*_):
        raise ToolkitNotFoundError("No shims for 'vtk' are installed.", "Build and install them with `gilgen fix vtk`.")

    monkeypatch.setattr("gilgen.activate", refuse)
    pytester.makepyfile("def test_one(): pass")
    ended = pytester.runpytest("--gil-shims", "vtk")
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    assert "gilgen fix vtk" in ended.stderr.str()


def test_a_marker_that_says_nothing_sensible_fails_its_test(pytester):
    marks = ("gil", "gil()", "gil('20ms')", "gil(max_stall='20')", "gil(max_stall='20ms', more=1)", "gil(max_stall=-1)")
    pytester.makepyfile("import pytest\n" + "".join(f"@pytest.mark.{mark}\ndef test_{index}(): pass\n" for index, mark in enumerate(marks)))
    ended = pytester.runpytest("-q")
    ended.assert_outcomes(failed=len(marks))
    told = [line for line in ended.stdout.lines if line.startswith("The marker gil takes one argument")]
    assert told == ['The marker gil takes one argument by name: @pytest.mark.gil(max_stall="20ms")'] * 4
    assert ended.stdout.str().count("no length of time") >= 2


SHIMS = """
import gilgen, pytest
from pretend import wrapper

@pytest.mark.parametrize("part", [1, 2])
def test_sleep(gil, part):
    work = wrapper.make_work()
    gil.assert_releases(lambda: wrapper.sleep(work, 0.06))
    assert gilgen.status()["vtk"].active
"""


def test_shims_are_active_for_a_whole_run_in_every_worker(site, tmp_path):
    (tmp_path / "test_shims.py").write_text(SHIMS)
    command = [sys.executable, "-m", "pytest", *ARGUMENTS]
    with_shims = support.run([*command, "-n", "2", "--gil-shims", "vtk", "--gil-report", "gil.md"], env=site.env, cwd=tmp_path)
    assert with_shims.ok, with_shims.out
    assert (tmp_path / "gil.md").read_text().count("| releases |") == 2
    plain = support.run(command, env=site.env, cwd=tmp_path)
    assert outcomes(plain.out) == {"failed": 2}
    assert "holds the GIL, and this test asserts that it releases the GIL" in plain.out


def test_shims_are_taken_out_again(site):
    code = """
    import pytest, tempfile, pathlib
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "test_one.py").write_text("import gilgen\\ndef test_one(): assert gilgen.status()['vtk'].active")
    codes = [pytest.main(["-q", "-p", "no:cacheprovider", "--gil-shims", "vtk", str(folder)]), gilgen.status()["vtk"].active]
    gilgen.activate("vtk")
    codes += [pytest.main(["-q", "-p", "no:cacheprovider", "--gil-shims", "vtk", str(folder)]), gilgen.status()["vtk"].active]
    say(codes)
    """
    assert site.run(code).answer == [0, False, 0, True]


def test_the_report_in_every_form(pytester):
    pytester.makepyfile("import time\ndef test_one(gil): gil.assert_releases(lambda: time.sleep(0.06))")
    forms = {"gil.md": "| releases |", "gil.xml": "<testsuite", "gil.txt": "Controls: all 2", "gil.html": "<html", "gil.json": '"artefact":"Report"'}
    pytester.runpytest(*(f"--gil-report={name}" for name in forms)).assert_outcomes(passed=1)
    for name, words in forms.items():
        text = (pytester.path / name).read_text()
        assert words in text
        assert "lambda in" in text


def test_a_run_that_measured_nothing_leaves_an_empty_report(pytester):
    pytester.makepyfile("def test_one(): pass")
    pytester.runpytest("--gil-report", "gil.json").assert_outcomes(passed=1)
    assert store.read(pytester.path / "gil.json", Report).results == ()


@pytest.mark.parametrize("arguments", [["--collect-only"], ["there_is_no_such_test.py"]])
def test_a_run_without_tests_leaves_an_earlier_report_as_it_is(pytester, arguments):
    pytester.makepyfile("def test_one(): pass")
    file = pytester.path / "gil.json"
    file.write_text("an earlier report")
    ended = pytester.runpytest("--gil-report", "gil.json", *arguments)
    assert file.read_text() == "an earlier report"
    assert "Written to" not in ended.stdout.str()


def test_a_report_that_cannot_be_written_hides_no_failure(pytester):
    pytester.makepyfile("def test_one(): assert 1 == 2")
    pytester.makefile(".txt", blocks="a file where a folder should be")
    ended = pytester.runpytest("--gil-report", "blocks.txt/gil.json")
    ended.assert_outcomes(failed=1)
    ended.stdout.fnmatch_lines(["*assert 1 == 2*", "*The report is not written:*"])
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
    pytester.makepyfile("def test_one(): pass")
    assert pytester.runpytest("--gil-report", "blocks.txt/gil.json").ret == pytest.ExitCode.USAGE_ERROR


# -------------------------------------------------------------------------- what else a program does


def test_a_call_that_never_returns_leaves_nothing_behind(pytester):
    pytester.makepyfile("""
        import gc, sys, threading, time
        from gilgen.diagnostics import testing
        begun, never = threading.Event(), threading.Event()
        def hang():
            begun.set()
            never.wait()
        def test_hangs(gil):
            threading.Thread(target=gil.measure, args=(hang,), daemon=True).start()
            assert begun.wait(60)
            assert (sys.getswitchinterval(), gc.isenabled()) == (testing.INTERVAL, False)
        def test_all_is_as_it_was():
            assert (sys.getswitchinterval(), gc.isenabled()) == (0.005, True)
        def test_the_next_one_measures(gil):
            gil.assert_releases(lambda: time.sleep(0.06))
    """)
    pytester.runpytest_subprocess("-W", "error", timeout=120).assert_outcomes(passed=3)


def test_a_thread_of_the_program_that_waits_changes_nothing(pytester):
    pytester.makepyfile("""
        import ctypes, threading, time
        def test_idle(gil):
            done = threading.Event()
            thread = threading.Thread(target=done.wait, name="idle")
            thread.start()
            try:
                gil.assert_releases(lambda: time.sleep(0.06))
                gil.assert_holds(lambda: sum(range(20_000_000)))
            finally:
                done.set()
                thread.join()
    """)
    pytester.runpytest("-W", "error").assert_outcomes(passed=1)


def test_a_thread_of_the_program_that_computes_may_have_had_the_gil(pytester):
    pytester.makepyfile("""
        import ctypes, threading, time
        import pytest
        from gilgen.diagnostics import testing
        def test_busy(gil, monkeypatch):
            gil.measure(time.time)  # the controls run once, and here before the other thread begins
            monkeypatch.setattr(testing, "INTERVAL", 0.1)
            stopped = []
            def spin():
                while not stopped:
                    pass
            thread = threading.Thread(target=spin, name="spinner")
            thread.start()
            try:
                with pytest.raises(AssertionError, match="spinner"):
                    gil.assert_holds(lambda: ctypes.PyDLL(None).usleep(60_000))
            finally:
                stopped.append(True)
                thread.join()
    """)
    pytester.runpytest("-W", "error").assert_outcomes(passed=1)


def test_a_harness_that_reads_a_control_wrong_proves_nothing(pytester, monkeypatch):
    monkeypatch.setitem(controls.EXPECTED, "sort-held", "releases")
    pytester.makepyfile("import time\ndef test_one(gil): gil.assert_releases(lambda: time.sleep(0.06))")
    ended = pytester.runpytest("--gil-report", "gil.json")
    ended.assert_outcomes(failed=1)
    assert "cannot be trusted now: qsort by ctypes.PyDLL must read 'releases' but reads 'holds'" in ended.stdout.str()
    assert not store.read(pytester.path / "gil.json", Report).valid


def test_measuring_inside_of_what_is_measured_is_refused():
    gil = testing.Gil(testing.Session(), "test")
    with pytest.raises(RuntimeError, match="one after the other"):
        gil.measure(lambda: gil.measure(time.time))
    assert sys.getswitchinterval() == 0.005


# ------------------------------------------------------------------------------------- its own parts


def library_call():
    return None


class Wrapped:
    def __init__(self):
        self.count = 0

    def Modified(self):  # noqa: N802 - as the toolkits call it
        self.count += 1

    def Update(self):  # noqa: N802
        return self.count


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (library_call, "library_call"),
        (Wrapped().Update, "Wrapped.Update"),
        (functools.partial(hashlib.sha256, b""), "openssl_sha256"),
        (time.sleep, "sleep"),
        ([].sort, "list.sort"),
        (dict.fromkeys, "dict.fromkeys"),
        (Wrapped, "Wrapped"),
    ],
)
def test_what_a_call_is_called(call, name):
    assert testing.name_of(call) == name


def test_a_nameless_call_is_called_by_its_place():
    assert re.fullmatch(r"lambda in test_plugin\.py:\d+", testing.name_of(lambda: None))


@pytest.mark.parametrize(("module", "toolkit"), [("vtkmodules.vtkFiltersCore", "vtk"), ("itk.itkMedianImageFilterPython", "itk"), ("numpy", "python")])
def test_a_calls_toolkit_is_that_of_its_object(module, toolkit):
    kind = type("Filter", (Wrapped,), {"__module__": module})
    assert testing.toolkit_of(kind().Update) == toolkit
    assert testing.toolkit_of(functools.partial(kind().Update)) == toolkit


def test_an_object_that_can_is_made_to_do_its_work_again():
    thing = Wrapped()
    testing.Gil(testing.Session(), "test").measure(thing.Update)
    assert thing.count > 0
    alone = Wrapped()
    found = testing.Gil(testing.Session(), "test").measure(alone.Update, once=True)
    assert (alone.count, found.verdict, found.window.calls) == (0, "too short", 1)


def good_control() -> CaseResult:
    name = testing.CONTROLS[0]
    return CaseResult(name, "control", name, shims=False, verdict=controls.EXPECTED[name], because="")


def held(toolkit, *, shims=False, verdict="holds") -> CaseResult:
    return CaseResult("test", toolkit, "vtkOBBTree.BuildLocator", shims=shims, verdict=verdict, because="no other thread ran", window=Window(0.2, 0, 0.2, 0.0, 0.001))


def test_advice_fits_what_is_missing():
    text = testing.explain(held("vtk"), "releases")
    assert "pytest --gil-shims vtk" in text
    assert "gilgen explain vtkOBBTree.BuildLocator" in text
    assert "--gil-shims" not in testing.explain(held("vtk", shims=True), "releases")
    assert "gilgen explain" not in testing.explain(replace(held("itk"), call="median_image_filter"), "releases")
    assert "gilgen explain" in testing.explain(replace(held("itk"), call="itkMedianImageFilterIF3IF3.Update"), "releases")
    assert "gilgen audit" in testing.explain(held("python"), "releases")
    assert "quieter" in testing.explain(held("vtk", verdict="unknown"), "releases")
    assert "Without --gil-shims" in testing.explain(held("vtk", shims=True, verdict="releases"), "holds")


def test_beside_a_busy_thread_only_a_release_is_proven():
    free, kept = Window(0.2, 190, 0.002, 1.0, 0.001, stall=0.001, seen=1.0), Window(0.2, 0, 0.2, 0.0, 0.001, stall=0.2, seen=1.0)
    assert testing.judge(Proof(free, ("other",))).verdict == "releases"
    assert testing.judge(Proof(kept)).verdict == "holds"
    assert testing.judge(Proof(free, (), forced=True)).verdict == "unknown"
    assert testing.judge(Proof(kept, (), forced=True)).verdict == "holds"
    found = testing.judge(Proof(kept, ("other",)))
    assert found.verdict == "unknown"
    assert "(other)" in found.because


def test_a_busy_machine_gets_more_chances(monkeypatch):
    unseen = Window(0.2, 0, 0.2, 0.0, 0.001, stall=0.001, seen=0.01)
    kept = Window(0.2, 0, 0.2, 0.0, 0.001, stall=0.2, seen=1.0)
    left = iter([unseen] * 5 + [kept] * 5)
    monkeypatch.setattr(window, "watch", lambda *_, **__: (next(left), None))
    assert testing.prove(controls.Work(library_call)).window == kept
    assert next(left) == kept
    monkeypatch.setattr(window, "watch", lambda *_, **__: (unseen, None))
    assert testing.judge(testing.prove(controls.Work(library_call))).verdict == "unknown"


FIRST, NOTHING_LEFT = Window(0.2, 0, 0.2, 0.0, 0.001, stall=0.2, seen=1.0, processor=0.2), Window(0.001, 1, 0.001, 1.0, 0.001, stall=0.0, seen=1.0)


@pytest.mark.parametrize("first", [FIRST, replace(FIRST, stall=0.0, seen=0.01)])
def test_the_second_time_a_call_may_have_nothing_left_to_do(monkeypatch, first):
    left = iter([first, NOTHING_LEFT])
    monkeypatch.setattr(window, "watch", lambda *_, **__: (next(left), None))
    assert testing.prove(controls.Work(library_call)).window == first


def test_a_short_call_that_load_made_long_is_made_in_a_row(monkeypatch):
    """Its processor time tells that it had no more to do the first time."""
    loaded = replace(FIRST, stall=0.0, seen=0.0, processor=0.0007)
    short, row, longer = replace(NOTHING_LEFT, duration=0.001), replace(FIRST, duration=0.02, calls=80), replace(FIRST, calls=320)
    left = iter([loaded, short, row, longer, longer])
    counts = []

    def watch(*_, calls):
        counts.append(calls)
        return next(left), None

    monkeypatch.setattr(window, "watch", watch)
    assert testing.prove(controls.Work(functools.partial(sorted, []))).window == longer
    assert counts == [1, 1, 80, 320, 320]


def test_a_timeout_that_raises_leaves_nothing_behind(monkeypatch):
    def late(*_):
        raise TimeoutError("as some plugins do")

    gil = testing.Gil(testing.Session(), "test")
    monkeypatch.setattr(gil._session, "controls", (good_control(),))
    before = signal.signal(signal.SIGALRM, late)
    try:
        for after in (0.002, 0.02, 0.2):
            with pytest.raises((TimeoutError, KeyError)):  # noqa: PT012 - at any time; of Thread.start, CPython makes a KeyError
                signal.setitimer(signal.ITIMER_REAL, after)
                gil.measure(lambda: time.sleep(60))
            assert (sys.getswitchinterval(), gc.isenabled()) == (0.005, True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_tests_that_measured_make_one_report():
    good = tuple(CaseResult(name, "control", name, shims=False, verdict=controls.EXPECTED[name], because="") for name in testing.CONTROLS)
    bad = (good[0], replace(good[1], verdict="unknown"))
    one, again = Measured((held("vtk"),), ("a remark",), good), Measured((held("vtk", verdict="releases"),), (), good)
    report = testing.report_of([one, again])
    assert report.valid
    assert [result.verdict for result in report.results] == ["releases"], "a test that was run again counts once"
    assert report.notices[-1] == "a remark"
    assert report.environment.toolkits.keys() == {"vtk"}
    assert testing.report_of([]).valid
    worse = testing.report_of([one, Measured((), (), bad), again])
    assert not worse.valid
    assert worse.controls == bad


def test_the_forms_are_those_that_the_help_names(pytester):
    text = " ".join(pytester.runpytest("--help").stdout.str().split())
    for suffix in plugin.FORMS:
        assert suffix in text
