"""A report against a baseline and limits: what fails, what only warns, and that load can cause neither."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from gilgen.diagnostics import durations, gate
from gilgen.diagnostics.gate import Limits, Requirement, StallLimit
from hypothesis import given, settings
from hypothesis import strategies as st

from gilgen import store
from gilgen.commands import invoke
from gilgen.errors import GilgenError, InvalidRunError
from gilgen.manifest import Coverage
from gilgen.model import CaseResult, Check, Environment, Report, Window

PLACE = Environment("0.2.0", "CPython 3.11.7", "x86_64", "Linux, glibc 2.36", 2, {"vtk": "9.6.2"}, "2026-11-25")
FREE = Window(0.2, 190, 0.002, 1.0, 0.001, stall=0.001)
HELD = Window(0.2, 0, 0.2, 0.0, 0.001, stall=0.2)
SERVED = {"vtk": Coverage(60000, 900, 800, 95)}


def result(name="OBBTree", verdict="releases", window=FREE, *, shims=True, toolkit="vtk", **changes) -> CaseResult:
    because = f"the evidence for {verdict}"
    return CaseResult(name.lower(), toolkit, f"vtk{name}.Call", shims=shims, verdict=verdict, because=because, window=window, **changes)


def report(*results, **changes) -> Report:
    return replace(Report(PLACE, valid=True, controls=(), results=results, coverage=SERVED), **changes)


def check(new, old=None, **limits) -> Check:
    return gate.check(new, old, Limits(**limits))


def kinds(found: Check) -> list[tuple[str, bool]]:
    return [(finding.kind, finding.fails) for finding in found.findings]


GOOD = report(result(), result("Plain", "holds", HELD, shims=False))


# ------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize("verdict", ["holds", "partly"])
@pytest.mark.parametrize("shims", [True, False])
def test_a_call_that_released_and_no_longer_does_fails(verdict, shims):
    found = check(report(result(verdict=verdict, window=HELD, shims=shims)), report(result(shims=shims)))
    assert kinds(found) == [("held", True)]
    assert not found.passed
    finding = found.findings[0]
    assert (finding.before, finding.after, finding.because) == ("releases", verdict, f"the evidence for {verdict}")
    assert finding.commands[-1] == "gilgen diagnose vtk --case obbtree"
    assert ("gilgen explain vtkOBBTree.Call" in finding.commands) == shims


@pytest.mark.parametrize("verdict", ["crash", "timeout", "error"])
@pytest.mark.parametrize("before", ["releases", "holds", "partly", "unknown", "too short"])
def test_a_call_that_no_longer_returns_fails_whatever_it_was(verdict, before):
    found = check(report(result(verdict=verdict, window=None)), report(result(verdict=before)))
    assert kinds(found) == [("broken", True)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("holds", "releases"), ("partly", "releases"), ("unknown", "releases"), ("crash", "releases"), ("holds", "partly"),
        ("crash", "holds"), ("crash", "timeout"),
        ("unknown", "holds"),  # it may have held then
        ("partly", "holds"),  # load can hide the few moments in which others ran
        ("holds", "unknown"),
    ],
)  # fmt: skip
def test_what_got_better_or_was_never_good_passes(before, after):
    windows = {"releases": FREE, "partly": replace(HELD, ticks=90, covered=0.4, stall=0.1)}
    found = check(report(result(verdict=after, window=windows.get(after, HELD))), report(result(verdict=before, window=HELD)))
    assert found.passed
    assert found.findings == ()
    assert found.compared == 1


def test_a_report_passes_against_itself():
    found = check(GOOD, GOOD)
    assert (found.passed, found.compared, found.findings, found.notices) == (True, 2, (), ())


def test_each_half_is_compared_with_its_own():
    """The plain library holds: that is no reason to let the shims hold."""
    old = report(result(verdict="holds", window=HELD, shims=False), result())
    new = report(result(verdict="holds", window=HELD, shims=False), result(verdict="holds", window=HELD))
    assert [finding.shims for finding in check(new, old).findings] == [True]


@pytest.mark.parametrize("verdict", ["unknown", "too short"])
def test_what_a_busy_machine_could_not_prove_warns_and_strict_makes_it_fail(verdict):
    new = report(result(verdict=verdict))
    found = check(new, GOOD.__class__(PLACE, valid=True, controls=(), results=(result(),), coverage=SERVED))
    assert found.passed
    assert kinds(found) == [("unproven", False)]
    assert "could not be proven" in gate.headline(found)
    assert kinds(check(new, report(result()), strict=True)) == [("unproven", True)]
    assert kinds(check(new, report(result()), required=(Requirement("vtkOBB*", "releases"),))) == [("required", True)]


# -------------------------------------------------------------------------------------------- required


def test_a_requirement_that_is_met():
    assert check(GOOD, required=(Requirement("vtkOBBTree.*", "releases"), Requirement("plain", "holds"))).passed


def test_a_requirement_that_nothing_matches_fails():
    found = check(GOOD, required=(Requirement("vtkOBTree.*", "releases"),))
    assert kinds(found) == [("required", True)]
    assert found.findings[0].because == "no measured call matches vtkOBTree.*; like it are vtkOBBTree.Call"


def test_a_requirement_is_for_the_shims_where_both_were_measured():
    both = report(result(verdict="holds", window=HELD, shims=False), result())
    assert check(both, required=(Requirement("*", "releases"),)).passed
    assert not check(both, required=(Requirement("*", "holds"),)).passed


def test_what_fails_a_requirement_is_told_once():
    new = report(result(verdict="holds", window=HELD))
    assert kinds(check(new, report(result()), required=(Requirement("*", "releases"),))) == [("required", True)]


# -------------------------------------------------------------------------------------------- stalls


def stalled(seconds, **changes) -> CaseResult:
    return result(window=replace(FREE, longest_gap=max(seconds, FREE.longest_gap), stall=seconds, **changes))


@pytest.mark.parametrize(
    ("before", "after", "fails"),
    [
        (0.001, 0.003, False),  # three times as long, and nobody notices
        (0.001, gate.FLOOR, False),
        (0.001, 0.026, True),
        (0.020, 0.039, False),
        (0.030, 0.059, False),
        (0.030, 0.061, True),
        (0.061, 0.030, False),
    ],
)
def test_a_stall_may_grow_to_the_floor_or_by_the_factor(before, after, fails):
    found = check(report(stalled(after)), report(stalled(before)))
    assert found.passed != fails
    assert kinds(found) == ([("stall", True)] if fails else [])


def test_growth_is_a_setting():
    assert check(report(stalled(0.1)), report(stalled(0.03)), growth=4.0).passed
    assert not check(report(stalled(0.1)), report(stalled(0.03)), growth=3.0).passed


def test_a_call_that_was_given_more_work_has_not_grown():
    """Half of 0.2 s and half of 0.5 s: calibration chose another size."""
    partly = {"verdict": "partly"}
    old = result(window=Window(0.2, 90, 0.1, 0.5, 0.001, stall=0.1), **partly)
    new = result(window=Window(0.5, 200, 0.25, 0.5, 0.001, stall=0.25), **partly)
    assert check(report(new), report(old)).passed
    assert not check(report(replace(new, window=Window(0.5, 20, 0.46, 0.08, 0.001, stall=0.46))), report(replace(old, window=replace(old.window, stall=0.04)))).passed


def test_a_call_that_holds_in_both_is_judged_by_the_absolute_limit_only():
    old, new = report(result(verdict="holds", window=HELD)), report(result(verdict="holds", window=replace(HELD, duration=0.6, stall=0.6)))
    assert check(new, old).passed
    assert kinds(check(new, old, stalls=(StallLimit("*", 0.5),))) == [("stall", True)]


def test_load_adds_to_the_gap_and_not_to_the_stall():
    loaded = report(result(window=replace(FREE, longest_gap=0.19, stall=0.002)))
    assert check(loaded, report(result()), stalls=(StallLimit("*", 0.02),)) == Check(passed=True, compared=1)


def test_load_does_not_hide_the_stall_of_a_call_that_holds():
    """Both threads waited for a processor almost all the time. While the call had one, others were kept out."""
    hidden = replace(HELD, duration=0.9, longest_gap=0.9, stall=0.003, processor=0.2)
    found = check(report(result(verdict="holds", window=hidden)), stalls=(StallLimit("*", 0.02),))
    assert kinds(found) == [("stall", True)]
    assert found.findings[0].after == "0.200 s"
    assert check(report(result(window=hidden)), stalls=(StallLimit("*", 0.02),)).passed


def test_load_may_hide_the_stall_of_a_call_that_holds_partly_so_it_is_not_proven():
    hidden = Window(0.9, 90, 0.4, 0.5, 0.001, stall=0.003, processor=0.2)
    new = report(result(verdict="partly", window=hidden))
    assert kinds(check(new, stalls=(StallLimit("*", 0.02),))) == [("unproven", False)]
    assert check(new, stalls=(StallLimit("*", 0.5),)).findings == ()


def test_where_the_kernel_does_not_tell_a_gap_counts_only_beyond_what_load_did_beside_it():
    def gap(seconds, load):
        return report(result(window=replace(FREE, longest_gap=seconds, stall=None, reference_gap=load)))

    limit = (StallLimit("*", 0.02),)
    assert check(gap(0.019, 0.1), stalls=limit).findings == ()
    assert kinds(check(gap(0.1, 0.03), stalls=limit)) == [("unproven", False)]
    assert kinds(check(gap(0.1, 0.03), stalls=limit, strict=True)) == [("unproven", True)]
    assert kinds(check(gap(0.1, 0.02), stalls=limit)) == [("stall", True)]
    assert kinds(check(gap(0.1, 0.03), report(result()))) == [("unproven", False)]
    assert "nothing is proven" in check(gap(0.1, 0.03), stalls=limit).findings[0].because


def test_the_limit_is_for_calls_with_the_shims_active():
    assert check(report(result(verdict="holds", window=HELD, shims=False), result()), stalls=(StallLimit("*", 0.02),)).passed
    assert not check(report(result(verdict="holds", window=HELD)), stalls=(StallLimit("*", 0.02),)).passed


def test_of_several_limits_the_last_that_matches_counts():
    new = report(stalled(0.1), result("Other"))
    assert not check(new, stalls=(StallLimit("*", 0.02),)).passed
    assert check(new, stalls=(StallLimit("*", 0.02), StallLimit("vtkOBB*", 0.2))).passed
    assert not check(new, stalls=(StallLimit("vtkOBB*", 0.2), StallLimit("*", 0.02))).passed


def test_of_calls_in_a_row_none_stalls_for_longer_than_it_takes():
    row = replace(HELD, duration=0.08, stall=0.08, longest_gap=0.08, calls=80)
    assert check(report(result(verdict="holds", window=row)), stalls=(StallLimit("*", 0.02),)).passed
    assert not check(report(result(verdict="holds", window=replace(row, calls=2))), stalls=(StallLimit("*", 0.02),)).passed


@pytest.mark.parametrize(("verdict", "window"), [("unknown", FREE), ("unknown", None)])
def test_a_limit_on_what_could_not_be_seen_is_unproven(verdict, window):
    new = report(result(verdict=verdict, window=window))
    assert kinds(check(new, stalls=(StallLimit("*", 0.02),))) == [("unproven", False)]
    assert kinds(check(new, stalls=(StallLimit("*", 0.02),), strict=True)) == [("unproven", True)]


@pytest.mark.parametrize("pattern", ["vtkOBTree.*", "*.call"])
def test_a_limit_for_no_call_fails(pattern):
    found = check(GOOD, stalls=(StallLimit("*", 0.5), StallLimit(pattern, 0.02)))
    assert kinds(found) == [("required", True)]
    assert "with the shims" in found.findings[0].because
    assert kinds(check(report(result(shims=False)), stalls=(StallLimit("*", 0.5),))) == [("required", True)]


@pytest.mark.parametrize("window", [FREE, None])
@pytest.mark.parametrize("verdict", ["crash", "timeout", "error"])
def test_what_breaks_with_the_shims_only_fails_without_a_baseline_too(verdict, window):
    broken = result(verdict=verdict, window=window)
    limits = {"stalls": (StallLimit("*", 0.02),)}
    assert kinds(check(report(result(verdict="holds", window=HELD, shims=False), broken), **limits)) == [("broken", True)]
    assert kinds(check(report(broken), GOOD)) == [("broken", True), ("missing", True)]
    assert check(report(result(verdict=verdict, window=None, shims=False), broken)).passed  # so it is in the plain wheel
    assert check(report(broken), report(broken)).passed


def test_two_results_that_cannot_be_told_apart_are_refused():
    with pytest.raises(InvalidRunError, match="obbtree"):
        check(report(result(), result(verdict="holds", window=HELD)))
    with pytest.raises(InvalidRunError, match="obbtree"):
        check(report(result()), report(result(), result()))


def test_a_limit_may_have_spaces():
    assert gate.stall_limit("vtk*Writer.Write = 20 ms") == StallLimit("vtk*Writer.Write", 0.02)


def test_a_file_without_results_is_no_report_to_check(tmp_path):
    file = tmp_path / "report.json"
    store.write(file, report())
    assert invoke(["check", str(file), "--max-stall", "20ms"]) == 20


# ---------------------------------------------------------------------------------------- what is gone


def test_a_case_that_is_gone_fails():
    found = check(report(result()), GOOD)
    assert kinds(found) == [("missing", True)]
    assert (found.findings[0].subject, found.findings[0].shims) == ("vtkPlain.Call", False)


@pytest.mark.parametrize(
    ("toolkit", "case", "command"),
    [
        ("vtk", "obb-tree", "gilgen diagnose vtk --case obb-tree"),
        ("vtk+itk", "mine", "gilgen diagnose --cases FILE --case mine"),
        ("", "my case", "gilgen diagnose --cases FILE --case 'my case'"),
        ("python", "tests/test_a.py::test_one[2 x] #2", "pytest 'tests/test_a.py::test_one[2 x]'"),
    ],
)
def test_what_measures_it_again(toolkit, case, command):
    found = check(report(replace(result(verdict="holds", window=HELD), toolkit=toolkit, case=case)), required=(Requirement("*", "releases"),))
    assert found.findings[0].commands[-1] == command


def test_a_half_that_is_gone_is_one_finding_and_says_what_makes_it():
    old = report(result("A"), result("B"), result("A", shims=False))
    found = check(report(result("A", shims=False)), old)
    assert kinds(found) == [("missing", True)]
    assert found.findings[0].commands == ("gilgen fix vtk", "gilgen diagnose vtk")
    assert found.findings[0].before == "2 calls measured"


@pytest.mark.parametrize(
    ("coverage", "passed"),
    [
        ({"vtk": Coverage(60000, 900, 800, 95)}, True),
        ({"vtk": Coverage(60000, 900, 795, 100)}, True),
        ({"vtk": Coverage(60000, 900, 800, 94)}, False),
        ({"vtk": Coverage(70000, 999, 799, 95)}, False),
        ({}, False),
    ],
)
def test_coverage_may_not_fall(coverage, passed):
    found = check(replace(GOOD, coverage=coverage), GOOD)
    assert found.passed == passed
    assert kinds(found) == ([] if passed else [("coverage", True)])
    if not passed:
        assert found.findings[0].before == "895 methods served"


def test_what_is_new_is_told_and_does_not_fail():
    found = check(report(*GOOD.results, result("New", "holds", HELD)), GOOD)
    assert found.passed
    assert any("1 results have no like in the baseline" in line for line in found.notices)


def test_two_versions_are_said():
    newer = replace(GOOD, environment=replace(PLACE, toolkits={"vtk": "9.7.2"}, python="CPython 3.12.1"), coverage={"vtk": Coverage(1, 1, 1, 0)})
    found = check(newer, GOOD)
    assert "Two versions are compared: vtk 9.6.2 in the baseline, 9.7.2 now." in found.notices
    assert any("CPython 3.11.7 in the baseline" in line for line in found.notices)
    assert "(vtk 9.6.2 in the baseline, 9.7.2 now)" in found.findings[0].because


# -------------------------------------------------------------------------------------------- as a whole

windows = st.none() | st.builds(
    lambda duration, share, known, load, calls: Window(
        duration, round(duration * 1000 * (1 - share)), duration * share, 1 - share, load, stall=duration * share / 2 if known else None, calls=calls
    ),
    st.floats(0.001, 2.0), st.floats(0, 1), st.booleans(), st.floats(0, 1), st.integers(1, 50),
)  # fmt: skip
verdicts = st.sampled_from(["releases", "holds", "partly", "too short", "unknown", "error", "crash", "timeout"])
results = st.builds(lambda name, verdict, window, shims: result(name, verdict, window, shims=shims), st.sampled_from("ABC"), verdicts, windows, st.booleans())
coverages = st.dictionaries(st.just("vtk"), st.builds(Coverage, st.just(10), st.just(10), st.integers(0, 5), st.integers(0, 5)))
reports = st.builds(lambda found, coverage: report(*found, coverage=coverage), st.lists(results, max_size=8, unique_by=gate.key_of), coverages)
limits = st.builds(
    Limits,
    st.lists(st.builds(StallLimit, st.sampled_from(["*", "vtkA*"]), st.floats(0, 1)), max_size=2).map(tuple),
    st.floats(1, 5),
    st.lists(st.builds(Requirement, st.sampled_from(["*", "vtkB*"]), verdicts), max_size=2).map(tuple),
    st.booleans(),
)


@settings(max_examples=30, deadline=None)
@given(reports, reports, limits)
def test_one_answer_whatever_the_order_of_results_and_what_fails_comes_first(new, old, wanted):
    found = gate.check(new, old, wanted)
    again = gate.check(replace(new, results=new.results[::-1]), replace(old, results=old.results[::-1]), wanted)
    assert found.passed == again.passed == (not any(finding.fails for finding in found.findings))
    assert set(found.findings) == set(again.findings)
    assert all(earlier.fails or not later.fails for earlier, later in pairwise(found.findings))
    for finding in found.findings:
        assert finding.because
        assert finding.commands
        assert finding.kind != "unproven" or finding.fails == wanted.strict
        assert gate.title(finding) in gate.as_text(found)


@settings(max_examples=30, deadline=None)
@given(reports)
def test_every_report_passes_against_itself(any_report):
    assert gate.check(any_report, any_report, Limits()).findings == ()


@settings(max_examples=30, deadline=None)
@given(reports, reports, limits)
def test_strict_and_a_requirement_only_ever_add_failures(new, old, wanted):
    lax = gate.check(new, old, replace(wanted, strict=False, required=()))
    severe = gate.check(new, old, replace(wanted, strict=True, required=(*wanted.required, Requirement("*", "releases"))))
    assert lax.passed or not severe.passed


@settings(max_examples=30, deadline=None)
@given(reports, reports, st.floats(0, 1))
def test_load_makes_no_failure(new, old, load):
    """A busier machine: longer gaps and a longer reference, the stall as it was, and verdicts no longer proven."""

    def loaded(one):
        if one.window is None or one.window.stall is None:
            return one
        window = replace(one.window, longest_gap=one.window.longest_gap + load, reference_gap=one.window.reference_gap + load)
        return replace(one, window=window, verdict="unknown" if one.verdict == "releases" and load > 0.5 else one.verdict)

    calm, busy = gate.check(new, old, Limits()), gate.check(replace(new, results=tuple(map(loaded, new.results))), old, Limits())
    assert busy.passed == calm.passed


# ------------------------------------------------------------------------------------------ durations


@pytest.mark.parametrize(
    ("text", "value"), [("20ms", 0.02), ("0.02s", 0.02), ("1.5 s", 1.5), ("500us", 0.0005), ("2min", 120), (".5s", 0.5), (0.25, 0.25), (3, 3.0), ("0ms", 0)]
)
def test_lengths_of_time(text, value):
    assert durations.seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["20", "ms", "", "-5ms", "5 hours", "1e3ms", "nan s", "20ms2s", -1.0, float("nan"), float("inf"), True, None])
def test_what_is_no_length_of_time(text):
    with pytest.raises(GilgenError, match="no length of time"):
        durations.seconds(text)


@given(st.floats(0, 1e4))
def test_a_length_of_time_that_was_said_is_understood(length):
    assert durations.seconds(durations.say(length)) == pytest.approx(length, rel=0.01, abs=0.0006)


@pytest.mark.parametrize("text", ["releases", "=releases", "vtk*=", "vtk*=free", "vtk*"])
def test_what_is_no_requirement(text):
    with pytest.raises(GilgenError, match="no requirement"):
        gate.requirement(text)


def test_requirements_and_limits_are_read():
    assert gate.requirement("vtk*Locator.BuildLocator=releases") == Requirement("vtk*Locator.BuildLocator", "releases")
    assert gate.requirement("a=b=too short") == Requirement("a=b", "too short")
    assert gate.stall_limit("20ms") == StallLimit("*", 0.02)
    assert gate.stall_limit("vtk*Writer.Write=0.2s") == StallLimit("vtk*Writer.Write", 0.2)


# ------------------------------------------------------------------------------------------- the command


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path / "cache"))
    store.write(tmp_path / "good.json", GOOD)
    store.write(tmp_path / "bad.json", report(result(verdict="holds", window=HELD), *GOOD.results[1:]))
    store.write(tmp_path / "unproven.json", report(result(verdict="unknown"), *GOOD.results[1:]))
    store.write(tmp_path / "invalid.json", replace(GOOD, valid=False))
    return tmp_path


def test_the_command_fails_with_1_and_says_why_and_what_to_do(files, capsys):
    assert invoke(["check", str(files / "bad.json"), "--baseline", str(files / "good.json")]) == 1
    text = capsys.readouterr().out
    assert text.startswith("FAILED held: vtkOBBTree.Call (with shims): releases -> holds\n    the evidence for holds\n    next: gilgen explain vtkOBBTree.Call\n")
    assert text.endswith("FAILED: 1 thing is worse than allowed; 2 results compared with the baseline.\n")


def test_the_command_passes_with_0(files, capsys):
    assert invoke(["check", str(files / "good.json"), "--baseline", str(files / "good.json"), "--max-stall", "20ms", "--require", "vtkOBB*=releases"]) == 0
    assert capsys.readouterr().out == "Passed; 2 results compared with the baseline.\n"


def test_without_a_file_it_reads_the_last_report(files, capsys):
    assert invoke(["check", "--max-stall", "20ms"]) == 14
    assert "gilgen diagnose vtk itk" in capsys.readouterr().err
    store.write(files / "cache" / "report" / "report.json", GOOD)
    assert invoke(["check", "--max-stall", "20ms"]) == 0
    assert invoke(["check", "--max-stall", "0.5ms"]) == 1


def test_strict_is_a_flag(files):
    arguments = ["check", str(files / "unproven.json"), "--baseline", str(files / "good.json")]
    assert invoke(arguments) == 0
    assert invoke([*arguments, "--strict"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good.json"], 2),
        (["good.json", "--max-stall", "20"], 2),
        (["good.json", "--require", "vtk*=free"], 2),
        (["good.json", "--baseline", "no-such.json"], 14),
        (["no-such.json", "--baseline", "good.json"], 14),
        (["good.json", "--baseline", "broken.json"], 14),
        (["invalid.json", "--baseline", "good.json"], 20),
        (["good.json", "--baseline", "invalid.json"], 20),
    ],
)
def test_all_else_that_goes_wrong_has_another_code_than_1(files, monkeypatch, capsys, arguments, code):
    monkeypatch.chdir(files)
    (files / "broken.json").write_text("{}")
    assert invoke(["check", *arguments]) == code
    assert capsys.readouterr().err


def test_json_and_a_summary_that_is_appended_to(files, capsys):
    summary = files / "summary.md"
    summary.write_text("# Before\n")
    arguments = ["check", str(files / "bad.json"), "--baseline", str(files / "good.json"), "--markdown", str(summary)]
    assert invoke([*arguments, "--json", "-"]) == 1
    written = json.loads(capsys.readouterr().out)
    assert (written["artefact"], written["data"]["passed"], written["data"]["findings"][0]["kind"]) == ("Check", False, "held")
    assert invoke([*arguments, "--json", str(files / "check.json")]) == 1
    assert store.read(files / "check.json", Check).findings[0].subject == "vtkOBBTree.Call"
    lines = summary.read_text().splitlines()
    assert lines[:2] == ["# Before", "**FAILED: 1 thing is worse than allowed; 2 results compared with the baseline.**"]
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {7}
    assert "`vtkOBBTree.Call` (with shims)" in table[2]
