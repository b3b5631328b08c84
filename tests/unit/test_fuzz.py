"""The fuzzer's own parts, on catalogues without a toolkit: drawing, running, judging, reducing, counting, printing."""

import itertools
import subprocess
import sys
import threading

import pytest
from fuzz import execute, server, source, table
from fuzz.catalogue import Catalogue
from fuzz.draw import draw
from fuzz.judge import Judged, confirm, fails_often
from fuzz.outcome import Outcome
from fuzz.program import Program, Step, Thing
from fuzz.reduce import minimal, reduced

RIGHT, WRONG, CRASH, HANG = (Outcome(kind) for kind in ("right", "wrong", "crash", "hang"))


def catalogue():
    """Counters that threads share, with one operation that is right in any order and one that is not."""
    made = Catalogue("pretend")

    @made.maker("counter", start=(1, 5))
    def counter(start):
        return {"value": start}

    @made.maker("pair", one="counter", other="counter")
    def pair(one, other):
        return [one, other]

    @made.operation("reading", counter="counter")
    def kept(counter):
        return str(counter["value"] * 0)

    @made.operation("writing", counter="counter")
    def raised(counter):
        counter["value"] += 1
        return str(counter["value"])

    @made.operation("writing", expect=lambda both, step: {str(step), "0"} if both is not None else set(), both="pair", step=(0, 1))
    def either(both, step):
        return str(step % (1 + len(both)))

    @made.operation("failing", counter="counter")
    def thrown(counter):
        if threading.current_thread() is not threading.main_thread():
            raise ValueError(counter)
        return "alone"

    return made


def step(name, **arguments):
    return Step(name, arguments)


def program(*threads, rounds=2):
    return Program("pretend", 7, (Thing("counter_0", "counter", {"start": 1}), Thing("unused", "counter", {"start": 5})), threads, rounds)


KEPT, RAISED, THROWN = (step(name, counter="counter_0") for name in ("kept", "raised", "thrown"))


# ------------------------------------------------------------------------------------------- drawing


def test_draw_same_seed_gives_same_program():
    assert draw(catalogue(), 42) == draw(catalogue(), 42)


def test_draw_seeds_give_different_programs():
    assert len({str(draw(catalogue(), seed).as_json()) for seed in range(30)}) > 20


def test_draw_does_not_depend_on_the_hash_seed():
    code = "import sys; sys.path.insert(0, sys.argv[1]); from unit.test_fuzz import *; print([draw(catalogue(), seed).as_json() for seed in range(20)])"
    outputs = {
        subprocess.run([sys.executable, "-c", code, str(source.HERE.parent)], env={"PYTHONHASHSEED": number}, capture_output=True, check=True).stdout
        for number in ("1", "2")
    }
    assert len(outputs) == 1


def test_draw_makes_2_to_8_threads_and_all_that_steps_need():
    counts = set()
    for seed in range(60):
        drawn = draw(catalogue(), seed)
        counts.add(len(drawn.threads))
        names = {thing.name for thing in drawn.things}
        assert {value for one in drawn.steps for value in one.arguments.values() if isinstance(value, str)} <= names
        assert execute.make(drawn, catalogue()).keys() == names
    assert min(counts) == 2
    assert max(counts) == 8


def test_draw_with_features_uses_only_their_operations():
    drawn = {one.operation for seed in range(30) for one in draw(catalogue(), seed, ["writing"]).steps}
    assert drawn == {"raised", "either"}


def test_program_survives_json():
    drawn = draw(catalogue(), 3)
    assert Program.from_json(drawn.as_json()) == drawn


# ------------------------------------------------------------------------------------------- running


def test_run_right_results_gives_no_finding():
    findings = execute.run(program((KEPT, KEPT), (KEPT,)), catalogue())
    assert (findings.calls, findings.wrong) == (6, 0)


@pytest.mark.parametrize("order", ["threads", "serial", "stepped"])
def test_run_result_that_depends_on_order_is_found(order):
    findings = execute.run(program((RAISED,), (RAISED,)), catalogue(), order)
    assert findings.wrong == 2  # of each round's two, one is second
    assert findings.samples[0]["expected"] == ["2"]
    assert findings.samples[0]["got"] == "3"


def test_run_exception_is_a_wrong_result():
    findings = execute.run(program((THROWN,)), catalogue())
    assert findings.wrong == 2
    assert "ValueError" in findings.samples[0]["got"]


def test_run_several_right_results_accepts_each_and_no_other():
    things = (Thing("counter_0", "counter", {"start": 1}), Thing("pair_0", "pair", {"one": "counter_0", "other": "counter_0"}))
    both = tuple(step("either", both="pair_0", step=number) for number in (0, 1))
    assert execute.run(Program("pretend", 1, things, (both,), 1), catalogue()).wrong == 0
    assert catalogue().operations["either"].expected({"both": [], "step": 1}) == {"0", "1"}
    far = step("either", both="pair_0", step=5)  # returns 2
    assert execute.run(Program("pretend", 1, things, ((far,),), 1), catalogue()).wrong == 1


def test_stepped_threads_change_places_at_line_ends():
    order = []
    made = Catalogue("pretend")

    @made.operation("any", number=(0, 1))
    def steps(number):
        for _ in range(50):
            order.append(number)  # noqa: PERF401 - each line may end a turn
        return ""

    assert "fuzz" in steps.__code__.co_filename
    execute.run(Program("pretend", 1, (), ((step("steps", number=0),), (step("steps", number=1),)), 1), made, "stepped")
    threaded = order[100:]  # the first hundred were made alone
    assert len(threaded) == 100
    assert sum(one != other for one, other in itertools.pairwise(threaded)) > 5


# ------------------------------------------------------------------------------------------- judging


@pytest.mark.parametrize(
    ("activated", "plain", "verdict"),
    [([RIGHT], [], "right"), ([RIGHT, CRASH], [RIGHT], "activated only"), ([RIGHT], [WRONG], "plain only"), ([HANG], [RIGHT, WRONG], "both")],
)
def test_verdict_counts_any_failure(activated, plain, verdict):
    assert Judged(program((KEPT,)), activated, plain).verdict == verdict


def test_confirm_repeats_a_doubtful_program_in_both_modes():
    judged = Judged(program((KEPT,)), [WRONG])
    confirm(judged, lambda _: RIGHT, lambda _: RIGHT, 20)
    assert (len(judged.activated), len(judged.plain)) == (21, 20)
    assert judged.verdict == "activated only"


def test_confirm_repeats_what_fails_without_shims_a_few_times():
    judged = Judged(program((KEPT,)), [RIGHT], [WRONG])
    confirm(judged, lambda _: RIGHT, lambda _: RIGHT, 20)
    assert (len(judged.activated), len(judged.plain)) == (3, 1)
    assert judged.verdict == "plain only"


def test_confirm_stops_when_plain_fails_too():
    judged = Judged(program((KEPT,)), [WRONG])
    plain = iter([RIGHT, CRASH])
    confirm(judged, lambda _: WRONG, lambda _: next(plain), 20)
    assert (len(judged.activated), len(judged.plain)) == (2, 2)
    assert judged.verdict == "both"


@pytest.mark.parametrize(("outcomes", "fails"), [([WRONG, RIGHT, CRASH], True), ([WRONG, RIGHT, RIGHT, RIGHT], False), ([RIGHT] * 4, False)])
def test_fails_often_needs_two_failures(outcomes, fails):
    left = iter(outcomes)
    assert fails_often(lambda _: next(left), 4)(program((KEPT,))) is fails


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        ({"hung": True, "code": -9}, "hang", "deadline"),
        ({"hung": False, "code": -11}, "crash", "SIGSEGV"),
        ({"hung": False, "code": 1}, "wrong", "ValueError: no"),
        ({"hung": False, "code": 0, "wrong": 0, "calls": 3, "samples": []}, "right", ""),
        ({"hung": False, "code": 0, "wrong": 1, "calls": 3, "samples": [{"operation": "kept(x=1)"}]}, "wrong", "1 of 3 results: kept"),
    ],
)
def test_outcome_of_an_answer_names_its_kind(answer, kind, detail):
    outcome = Outcome.of({"text": "Traceback\nValueError: no\n", "seconds": 1.0, **answer})
    assert outcome.kind == kind
    assert detail in outcome.detail


@pytest.mark.parametrize(
    ("code", "hung"),
    [
        ("import time; time.sleep(60)", True),
        ("while True: pass", True),
        ("import time\nwhile time.process_time() < 0.8: pass", False),
    ],
)
def test_a_program_hangs_where_it_does_not_go_on(code, hung, monkeypatch):
    """A deadline that comes while it computes is no hang, or a busy machine would make one; to compute for ever is."""
    monkeypatch.setattr(server, "MOST_DEADLINES", 4 if hung else 100)
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        assert server.wait(child.pid, 0.5) is hung
        child.kill()


# ------------------------------------------------------------------------------------------ reducing


@pytest.mark.parametrize("needed", [{3}, {0, 9}, {2, 3, 8}, set(range(10))])
def test_minimal_leaves_exactly_what_is_needed(needed):
    assert set(minimal(tuple(range(10)), lambda part: needed <= set(part))) == needed


def test_reduced_leaves_the_two_steps_that_collide():
    first, second = step("either", both="pair_0", step=0), step("either", both="pair_0", step=1)
    things = (*program().things, Thing("pair_0", "pair", {"one": "counter_0", "other": "counter_0"}))
    threads = ((KEPT, RAISED), (KEPT, Step(first.operation, first.arguments, 3), KEPT), (RAISED,), (KEPT, second), (RAISED, KEPT))
    asked = []

    def fails(candidate):
        asked.append(candidate)
        keys = [{one.key for one in thread} for thread in candidate.threads]
        return any(first.key in one and second.key in other for one in keys for other in keys if one is not other) and candidate.rounds >= 2

    small = reduced(Program("pretend", 7, things, threads, 6, drop=True), fails)
    assert small.threads == ((first,), (second,))
    assert [thing.name for thing in small.things] == ["counter_0", "pair_0"]
    assert (small.rounds < 6, small.drop) == (True, False)
    assert len(asked) < 100


def test_reduced_program_that_only_fails_whole_stays():
    whole = program((KEPT, RAISED), (KEPT,))
    assert reduced(whole, lambda candidate: candidate == whole) == whole


def test_smaller_program_gets_more_rounds():
    whole = program((KEPT, KEPT, KEPT), (KEPT,), rounds=3)
    assert whole.with_threads(((KEPT,),)).rounds == 12
    assert program((KEPT,) * 100, rounds=3).with_threads(((KEPT,),)).rounds == 60


# ------------------------------------------------------------------------------------------ counting


def test_counts_sort_programs_by_where_they_failed():
    one = program((KEPT,))
    judged = [
        Judged(one, [CRASH, RIGHT], [RIGHT]),
        Judged(one, [HANG, WRONG], [WRONG]),
        Judged(one, [RIGHT], [WRONG]),
        Judged(one, [WRONG], [RIGHT]),
    ]
    counted = table.counts("vtk", 50, judged, 12.34)
    assert counted == table.Counts("vtk", 50, 2, 3, 2, 1, 1, 1, 12.3)
    assert not counted.met
    assert table.counts("vtk", 50, judged[1:3], 1.0).met


def test_table_has_a_line_for_each_toolkit():
    lines = table.text([table.counts(name, 5, [], 1.0) for name in ("vtk", "itk")]).splitlines()
    assert len(lines) == 3
    assert lines[2].split() == ["itk", "5", "0", "0", "0", "0", "0", "0", "1.0"]


# ------------------------------------------------------------------------------------------ printing


def test_standalone_source_has_what_it_uses_and_no_more():
    locator = step("cell_locator", mesh="mesh_0", kind="vtkOBBTree", number=1)
    made = Program("vtk", 9, (Thing("mesh_0", "sphere", {"size": 12}),), ((locator,), (Step(locator.operation, locator.arguments, 3),)), 4)
    text = source.standalone(made)
    compile(text, "program", "exec")
    assert "Seed 9" in text
    assert "def cell_locator(" in text
    assert "ALL_CELL_LOCATORS = " in text
    assert "CELL_LOCATORS = {" in text
    assert "for _ in range(3):" in text
    assert "for _ in range(4):" in text
    assert "@VTK" not in text
    assert "def mesh_filtered" not in text
    assert "fuzz." not in text


def test_standalone_source_prints_sets_of_right_results():
    taken = step("taken_deep", board="mesh_board_0")
    text = source.standalone(Program("vtk", 9, (Thing("mesh_board_0", "mesh_board", {"size": 6}),), ((taken,),), 1))
    compile(text, "program", "exec")
    assert '(any_version)(board=it["mesh_board_0"])' in text
    assert "class Board" in text
