"""What a report says, and that it says the same after a trip through a file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gilgen.diagnostics import report
from gilgen.diagnostics.report import words
from gilgen.diagnostics.report.markdown import MOST_CALLS
from gilgen.diagnostics.report.material import held, outcome
from gilgen.diagnostics.report.readings import readings
from reports import FREED, GOOD, HELD, bare, every_kind, everything, named, of, profile, survey

from gilgen import store
from gilgen.model import CaseResult, Overlap, Report


def test_before_and_after_share_a_row_whatever_their_order():
    assert report.pairs(of(HELD, FREED)) == report.pairs(of(FREED, HELD)) == [(HELD, FREED)]
    assert len(report.rows(of(HELD, FREED))) == 1


def test_equal_names_in_two_toolkits_stay_apart():
    assert len(report.pairs(of(HELD, replace(FREED, toolkit="itk")))) == 2


def test_a_row_tells_both_sides():
    row = report.rows(of(HELD, FREED))[0]
    assert row == (
        "vtkOBBTree.BuildLocator",
        "holds",
        "0.240 of 0.250 s",
        "releases",
        "0.002 of 0.250 s",
        "0.96 -> 1.92",
        "100% -> 0%",
    )


def test_a_row_without_shims_or_evidence_has_gaps():
    result = CaseResult("x", "vtk", "vtkX.Y", shims=False, verdict="crash", because="SIGSEGV")
    assert report.rows(of(result))[0] == ("vtkX.Y", "crash", "-", "-", "-", "-", "-")


def test_an_overlap_measured_without_two_free_cores_is_marked():
    busy = replace(HELD, overlap=replace(HELD.overlap, reference=1.0))
    assert report.rows(of(busy))[0][5] == "0.96?"
    assert any("two free cores" in line for line in report.details(of(busy)))
    assert not any("two free cores" in line for line in report.details(of(HELD)))


@pytest.mark.parametrize(
    ("results", "line"),
    [
        ((HELD, FREED), "1 of 1 calls that held the GIL now release it."),
        (
            (HELD, FREED, named(HELD, "B"), named(HELD, "B", shims=True)),
            "1 of 2 calls that held the GIL now release it.",
        ),
        # one that crashes with shims is not freed; one that never held does not count
        ((HELD, replace(FREED, verdict="crash")), "0 of 1 calls that held the GIL now release it."),
        ((replace(FREED, shims=False), FREED), "No call that was measured both ways held the GIL."),
        ((HELD,), "1 of 1 calls hold the GIL."),
        ((FREED,), "0 of 1 calls hold the GIL with the shims active."),
        ((replace(HELD, verdict="partly"), FREED), "1 of 1 calls that held the GIL now release it."),
        ((), "0 of 0 calls hold the GIL."),
    ],
)
def test_headline(results, line):
    assert report.headline(of(*results)) == line


def test_an_invalid_report_says_so_before_anything_else():
    bad = of(
        HELD,
        FREED,
        valid=False,
        controls=(replace(GOOD[0], verdict="holds", because="for a test"), *GOOD[1:]),
    )
    assert report.headline(bad) == "INVALID: a control failed, so nothing in this report counts."
    text = report.as_text(bad)
    assert text.startswith("INVALID")
    assert "time.sleep must read 'releases' but reads 'holds' (for a test)" in text
    assert report.as_markdown(bad).startswith("**INVALID")


def test_what_could_not_be_proven_is_explained_and_what_could_is_not():
    text = report.as_text(of(HELD, replace(FREED, verdict="unknown", because="the machine was too busy")))
    assert "vtkOBBTree.BuildLocator (after): unknown: the machine was too busy" in text
    assert "(before)" not in text


def test_a_reason_for_missing_evidence_appears_once():
    note = "no py-spy: not permitted"
    text = report.as_text(of(replace(HELD, notes=(note,)), replace(FREED, notes=(note,))))
    assert text.count(note) == 1


def test_the_text_names_what_was_measured_on():
    text = report.as_text(of(HELD, FREED))
    for fact in ("vtk 9.6.2", "CPython 3.11.7", "glibc 2.36", "2 processors", "2026-11-22"):
        assert fact in text


def test_columns_line_up():
    lines = report.aligned([("a", "b"), ("long", "x"), ("s", "y")])
    assert lines == ["a     b", "----  -", "long  x", "s     y"]


def test_markdown_is_a_table():
    lines = report.as_markdown(of(HELD, FREED)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    assert {line.count("|") for line in table} == {len(report.HEADINGS) + 1}


def test_a_report_survives_a_trip_through_a_file(tmp_path):
    made = of(HELD, FREED, notices=("n",))
    store.write(tmp_path / "report.json", made)
    assert store.read(tmp_path / "report.json", Report) == made


# ----------------------------------------------------------------------------- how much held time is gone


def test_the_time_that_is_gone_is_summed_over_what_held():
    total = held(report.pairs(of(HELD, FREED, named(HELD, "B"), named(HELD, "B", shims=True))))
    assert (total.cases, total.before, total.after) == (2, pytest.approx(0.48), pytest.approx(0.242))
    assert total.gone == pytest.approx(1 - 0.242 / 0.48)


def test_what_never_held_says_nothing_about_held_time():
    assert held(report.pairs(of(named(FREED, "A", shims=False), named(FREED, "A")))).cases == 0
    assert report.gone(of(named(FREED, "A", shims=False), named(FREED, "A"))) == ""


def test_a_call_that_holds_only_with_shims_counts_as_a_loss():
    line = report.gone(of(named(FREED, "A", shims=False), named(HELD, "A", shims=True)))
    assert line.startswith("Others are kept out for longer than before")


@pytest.mark.parametrize("verdict", ["crash", "unknown", "timeout", "error"])
def test_what_has_no_proof_afterwards_gained_nothing(verdict):
    total = held(report.pairs(of(HELD, replace(FREED, verdict=verdict))))
    assert (total.before, total.after) == (0.24, 0.24)


def test_the_line_stands_in_text_and_markdown_but_not_in_what_does_not_count():
    line = "99.2 % of the time in which other threads were kept out is gone: others waited 0.240 s before and 2.0 ms after, over 1 call."
    assert report.as_text(of(HELD, FREED)).endswith(line)
    assert line in report.as_markdown(of(HELD, FREED)).splitlines()[0]
    assert "is gone" not in report.as_text(of(HELD, FREED, valid=False))


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("holds", "releases", "released"), ("partly", "releases", "released"), ("releases", "releases", "already"), (None, "releases", "already"),
        ("holds", None, "holds"), ("holds", "holds", "holds"), ("holds", "partly", "partly"), ("releases", "holds", "worse"), ("releases", "partly", "worse"),
        ("holds", "crash", "failed"), ("error", None, "failed"), ("releases", "timeout", "failed"), ("holds", "unknown", "unknown"),
        ("too short", "too short", "short"), (None, None, "untested"), ("untested", "untested", "untested"), ("holds", "untested", "holds"),
    ],
)  # fmt: skip
def test_what_became_of_a_call(before, after, key):
    assert outcome(before, after).key == key


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0 ms"), (0.00004, "40 µs"), (0.00123, "1.2 ms"), (0.0994, "99.4 ms"), (0.0996, "0.100 s"), (0.25, "0.250 s"), (0.9999, "1.00 s"), (12.345, "12.3 s"), (812.4, "812 s"), (7200.0, "7,200 s")]
)
def test_times_have_a_unit(value, text):
    assert words.seconds(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0, "0 %"), (0.5, "50 %"), (0.123, "12.3 %"), (0.99996, "99.9 %"), (1.0, "100 %")])
def test_only_the_whole_is_a_hundred_percent(value, text):
    assert words.share(value) == text


# -------------------------------------------------------------------- three things that are easily confused


def test_released_faster_and_parallel_inside_are_told_apart():
    """A call may be any of them without the others."""
    alone = replace(FREED, overlap=Overlap(0.5, 0.49, 1.02, 1.9, 1.0, 1.9), inside=1.0)
    assert [one.answer for one in readings(alone)] == ["yes", "no", "no"]
    assert "something else than the GIL" in readings(alone)[1].figures
    assert [one.answer for one in readings(replace(HELD, inside=1.9))] == ["no", "no", "yes"]
    assert [one.answer for one in readings(bare("unknown", "X"))] == ["cannot tell", "not measured", "not measured"]
    busy = replace(FREED, overlap=Overlap(0.5, 0.49, 1.02, 0.9, 1.0, 1.1))
    assert readings(busy)[1].answer == "cannot tell"


# --------------------------------------------------------------------------------- surveys and profiles


def test_text_and_markdown_show_a_survey_and_a_profile_too():
    made = everything()
    for form in ("text", "markdown"):
        shown = report.reporter(form).render(made)
        assert words.survey_headline(made.survey) in shown
        assert "viewer.py:42" in shown
    assert "at worst 0.800 s at once, in vtkOBBTree.BuildLocator" in report.reporter("markdown").render(made)
    assert "Event loops that stood still" in report.reporter("text").render(made)


def test_a_survey_counts_classes_and_calls():
    line = words.survey_headline(survey(60))
    table = words.survey_rows(survey(60))
    assert line.endswith("calls that held the GIL now release it.")
    assert [row[0] for row in table] == ["toolkit", "vtk", "itk"]
    assert sum(int(row[1]) for row in table[1:]) == 60


def test_a_survey_or_a_profile_alone_is_shown_alone():
    for made in (report.Material(of(controls=()), survey()), report.Material(of(controls=()), None, profile())):
        shown = report.reporter("text").render(made)
        assert "overlap" not in shown
        assert "Controls" not in shown


def test_an_invalid_survey_makes_all_of_it_invalid():
    made = report.Material(of(HELD, FREED), replace(survey(), valid=False))
    for form in ("text", "markdown"):
        assert report.reporter(form).render(made).lstrip("*").startswith("INVALID")


def test_a_summary_shows_the_first_calls_of_a_long_profile():
    long = replace(profile(), calls=tuple(replace(profile().calls[0], line=number) for number in range(MOST_CALLS + 5)))
    shown = report.reporter("markdown").render(report.Material(of(HELD), None, long))
    assert "and 5 more calls" in shown
    assert "viewer.py:0 " in shown
    assert f"viewer.py:{MOST_CALLS} " not in shown


def test_markdown_holds_whatever_a_name_holds_in_its_cell():
    lines = report.as_markdown(every_kind()).splitlines()
    assert not any("<script" in line for line in lines)
    assert any("&lt;script" in line for line in lines)
    table = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in table} == {len(report.HEADINGS) + 1}
    assert not any(line.startswith("frame") for line in lines)


def test_an_empty_report_is_a_report():
    for form in ("text", "markdown", "junit", "trace", "html"):
        assert report.reporter(form).render(report.Material(of(controls=())))


def test_a_control_that_this_gilgen_does_not_know_is_no_fault():
    foreign = replace(GOOD[0], case="from-a-later-version")
    assert words.control_line(of(controls=(*GOOD, foreign))).startswith("Controls: all")


def test_of_a_call_that_held_throughout_its_processor_time_counts_whatever_load_left_of_the_gap():
    loaded = replace(HELD, window=replace(HELD.window, stall=0.0, processor=0.03))
    assert report.rows(of(loaded))[0][2] == "0.030 of 0.250 s"
    assert held(report.pairs(of(loaded, FREED))).before == pytest.approx(0.03)
    entered = replace(loaded, verdict="partly", window=replace(loaded.window, ticks=40))
    assert report.rows(of(entered))[0][2] == "0.000 of 0.250 s"
