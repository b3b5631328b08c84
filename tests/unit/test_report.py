"""What a report says, and that it says the same after a trip through a file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gilgen.diagnostics import controls, report

from gilgen import store
from gilgen.model import CaseResult, Environment, Overlap, Report, Window, Witness

PLACE = Environment(
    "0.1.0", "CPython 3.11.7", "x86_64", "Linux, glibc 2.36", 2, {"vtk": "9.6.2"}, "2026-11-22"
)
HELD = CaseResult(
    "obb",
    "vtk",
    "vtkOBBTree.BuildLocator",
    shims=False,
    verdict="holds",
    because="no other thread ran",
    window=Window(0.25, 0, 0.25, 0.0, 0.001),
    overlap=Overlap(0.5, 0.52, 0.96, 1.0, 1.0, 1.9),
    witness=Witness(50, 50),
)
FREED = CaseResult(
    "obb",
    "vtk",
    "vtkOBBTree.BuildLocator",
    shims=True,
    verdict="releases",
    because="others ran",
    window=Window(0.25, 240, 0.002, 1.0, 0.001),
    overlap=Overlap(0.5, 0.26, 1.92, 1.9, 1.0, 1.9),
    witness=Witness(50, 0),
)
GOOD = tuple(
    CaseResult(case.name, "control", case.call, shims=False, verdict=controls.EXPECTED[case.name], because="")
    for case in controls.CASES
)


def of(*results: CaseResult, **changes) -> Report:
    return replace(Report(PLACE, valid=True, controls=GOOD, results=results), **changes)


def named(result: CaseResult, name: str, **changes) -> CaseResult:
    return replace(result, case=name, call=f"vtk{name}.Call", **changes)


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
        "0.250 of 0.250 s",
        "releases",
        "0.002 of 0.250 s",
        "0.96 -> 1.92",
        "100% -> 0%",
    )


def test_a_row_without_shims_or_evidence_has_gaps():
    bare = CaseResult("x", "vtk", "vtkX.Y", shims=False, verdict="crash", because="SIGSEGV")
    assert report.rows(of(bare))[0] == ("vtkX.Y", "crash", "-", "-", "-", "-", "-")


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
