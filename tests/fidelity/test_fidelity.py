"""The plans' methods do the same activated as plain: a bounded form of `run.py`, and controls that prove that it would see a difference."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import support

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import compare  # noqa: E402 - it lies beside this file
import record  # noqa: E402
import run  # noqa: E402
from gilgen.diagnostics.survey import signatures  # noqa: E402

pytestmark = pytest.mark.slow

BOUNDED = {
    "vtk": (["--every", "8", "--few", "3"], 60),
    "itk": (["--only", "itkImageFileWriterI[FUS]*", "--only", "itkMeshFileReaderMF?.*"], 20),
}
"""For each toolkit which methods are compared here, and how many at least must have been."""


def answer(outcome="return", ran=("shim",), **parts):
    return {"outcome": outcome, "record": parts, "ran": list(ran)}


# ------------------------------------------------------------------------------------------- the real wheels


def compared(toolkit, folder, shims, *options):
    """A run of the script: what it has to say, as JSON."""
    command = [sys.executable, str(HERE / "run.py"), "--toolkit", toolkit, "--json", str(folder / "report.json"), *options]
    path = os.pathsep.join(str(each) for each in (shims, support.CHECKOUT, os.environ.get("PYTHONPATH", "")) if each)
    ended = support.run(command, deadline=900, env={"PYTHONPATH": path})
    assert ended.code in {0, run.DIFFERENT}, ended.err
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))[0], ended


@pytest.mark.real
@pytest.mark.parametrize("toolkit", ["vtk", "itk"])
def test_methods_do_the_same_activated(toolkit, tmp_path, real_shims):
    options, least = BOUNDED[toolkit]
    found, ended = compared(toolkit, tmp_path, real_shims, *options)
    assert not found["different"], ended.out
    assert found["compared"] >= least, ended.out
    assert found["cases"]["equal"] >= least


@pytest.mark.real
def test_a_process_that_computes_otherwise_is_seen(tmp_path, real_shims):
    """The control: one part of each activated record is doctored on its way, and every method is reported."""
    found, _ = compared("vtk", tmp_path, real_shims, "--only", "vtkAlgorithm.UpdateExtent", "--few", "2", "--doctor")
    assert [method["name"] for method in found["different"]] == ["vtkAlgorithm.UpdateExtent"]


# ---------------------------------------------------------------------------------------------- the comparison


def test_the_same_three_times_is_equal():
    verdict = compare.case("c", answer(outcome="1"), answer(outcome="1"), answer(outcome="1"), {"shim"})
    assert (verdict.state, verdict.left_out) == ("equal", ())


@pytest.mark.parametrize(
    "doctored",
    [
        {"value": "other"},
        {"outcome": "raise"},
        {"more": "a part that the plain runs have not"},
    ],
)
def test_whatever_is_doctored_is_seen(doctored):
    plain = {"value": "one"}
    kind = doctored.pop("outcome", "return")
    verdict = compare.case("c", answer(**plain), answer(**plain), answer(kind, **(plain | doctored)), {"shim"})
    assert verdict.state == "different"
    assert verdict.differences


def test_what_differs_between_plain_runs_is_left_out_and_named():
    verdict = compare.case("c", answer(a="1", b="1"), answer(a="2", b="1"), answer(a="3", b="1"), {"shim"})
    assert (verdict.state, verdict.left_out) == ("equal", ("a",))
    verdict = compare.case("c", answer(a="1", b="1"), answer(a="2", b="1"), answer(a="3", b="2"), {"shim"})
    assert (verdict.state, [part for part, _, _ in verdict.differences]) == ("different", ["b"])


def test_a_shim_that_never_ran_compares_nothing():
    verdict = compare.case("c", answer(ran=()), answer(ran=()), answer(ran=()), {"shim"})
    assert verdict.state == "not reached"
    verdict = compare.case("c", answer(ran=()), answer(ran=()), answer(ran=("another",)), {"shim"})
    assert verdict.state == "not reached"


def test_a_crash_counts_only_where_the_plain_wheel_does_not_crash():
    crash = {"crash": "SIGSEGV"}
    assert compare.case("c", crash, crash, crash).state == "plain fails"
    assert compare.case("c", crash, crash, answer()).state == "plain fails"
    assert compare.case("c", answer(), answer(), crash).state == "different"
    assert compare.case("c", answer(), answer(), {"crash": "deadline"}).state == "different"
    assert compare.case("c", answer(), answer(), None).state == "different"


@pytest.mark.parametrize(("second", "stands"), [({}, True), ({"plain": "another"}, False), ({"again": "another"}, False)])
def test_a_difference_stands_only_where_no_plain_run_shows_it_too(second, stands):
    verdict = compare.case("c", answer(x="1"), answer(x="1"), answer(x="2"), {"shim"})
    once = {mode: {("m", "c"): answer(x=second.get(mode, "1"))} for mode in ("plain", "again", "active")}
    assert (run.confirmed(verdict, "m", once).state == "different") is stands


@pytest.mark.parametrize(("second", "stands"), [({"crash": "SIGSEGV"}, True), (answer(), False)])
def test_a_crash_stands_only_where_it_happens_again(second, stands):
    verdict = compare.case("c", answer(), answer(), {"crash": "SIGSEGV"}, {"shim"})
    once = {mode: {("m", "c"): answer()} for mode in ("plain", "again")} | {"active": {("m", "c"): second}}
    assert (run.confirmed(verdict, "m", once).state == "different") is stands


def test_one_difference_decides_a_method():
    same = compare.case("a", answer(), answer(), answer(), {"shim"})
    other = compare.case("b", answer(x="1"), answer(x="1"), answer(x="2"), {"shim"})
    assert compare.method("m", own=True, cases=[same, other]).state == "different"
    assert compare.method("m", own=True, cases=[same]).state == "equal"
    assert not compare.method("m", own=True, cases=[]).compared


# -------------------------------------------------------------------------------------------------- the record


def written(value):
    writer = record.Writer(lambda *_: False)
    writer.value("v", value)
    return writer.record


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, 1.0), (1, True), (0.0, -0.0), ("a", b"a"), ([1, 2], (1, 2)), ([1, 2], [1, 3]), (None, 0), (ValueError("a"), TypeError("a")), (bytearray(b"ab"), bytearray(b"ac"))],
)
def test_what_differs_in_value_or_type_is_written_differently(one, other):
    assert written(one) != written(other)
    assert written(one) == written(one)


def test_addresses_and_times_are_masked_and_nothing_else():
    assert record.masked("vtkFoo (0x55d0c0ffee00): 12") == record.masked("vtkFoo (0x7f1234567890): 12")
    assert record.masked("(   1.234s) x") == record.masked("(  99.1s) x")
    assert record.masked("12 cells at 0.5") == "12 cells at 0.5"


def test_a_long_text_differs_by_its_digest():
    writer = record.Writer(lambda *_: False)
    writer.text("a", "x" * 5000)
    writer.text("b", "x" * 4999 + "y")
    assert writer.record["a"] != writer.record["b"]
    assert len(writer.record["a"]) < record.LONG


def test_files_that_were_written_are_in_the_record(tmp_path):
    (tmp_path / "old").write_text("as before")
    before = record.stamps(tmp_path)
    (tmp_path / "new").write_text("written")
    writer = record.Writer(lambda *_: False)
    writer.files("files", tmp_path, before)
    assert list(writer.record) == ["files.new"]


# ---------------------------------------------------------------------------------------------- the signatures


@pytest.mark.parametrize(
    ("declaration", "kinds"),
    [
        ("void Update() override", []),
        ("virtual int UpdateExtent(const int extents[6])", [("int", "*", 6)]),
        ("int f(const double p1[3], double &t, vtkIdList *ids=nullptr)", [("double", "*", 3), ("double", "&", 0), ("vtkIdList", "*", 0)]),
        ("static void f(std::vector<vtkSmartPointer<vtkDataObject> > &all, unsigned long n)", [("std::vector<vtkSmartPointer<vtkDataObject>>", "&", 0), ("unsigned long", "", 0)]),
        ("bool EffectSchema(vtkSQLDatabaseSchema *, bool dropIfExists=false)", [("vtkSQLDatabaseSchema", "*", 0), ("bool", "", 0)]),
        ("static double F(unsigned long a, double b)", [("unsigned long", "", 0), ("double", "", 0)]),
    ],
)
def test_parameters_are_read_from_the_documentation(declaration, kinds):
    parsed = signatures.parse(declaration)
    assert [(each.kind, each.mark, each.size) for each in parsed.parameters] == kinds
    assert parsed.static == declaration.startswith("static")
