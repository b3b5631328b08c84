"""Evidence -> verdict, case by case."""

from __future__ import annotations

import math

import pytest
from gilgen.diagnostics import verdict
from hypothesis import given
from hypothesis import strategies as st

from gilgen.model import Overlap, Waits, Window, Witness

HOLDS = Window(0.3, 0, 0.3, 0.0, 0.001)
RELEASES = Window(0.3, 280, 0.002, 1.0, 0.001)
PARTLY = Window(0.3, 100, 0.15, 0.5, 0.001)

AT_ONCE = Overlap(0.6, 0.32, 1.9, simultaneous=1.85, busy=1.0, reference=1.9)
IN_TURN = Overlap(0.6, 0.6, 1.0, simultaneous=1.0, busy=1.0, reference=1.9)

SEEN_HOLDING = Witness(60, 58)
SEEN_FREE = Witness(60, 1)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (HOLDS, "holds"),
        (RELEASES, "releases"),
        (PARTLY, "partly"),
        # one tick, from a message printed on the way
        (Window(0.3, 1, 0.299, 0.0, 0.001), "holds"),
        # a release with a converted argument at the front
        (Window(0.3, 270, 0.02, 1.0, 0.001), "releases"),
        # a stall of half the time is no release, however many ticks there are
        (Window(2.0, 1000, 1.0, 0.5, 0.001), "partly"),
        (Window(0.01, 0, 0.01, 0.0, 0.001), "too short"),
        (Window(0.01, 9, 0.001, 1.0, 0.001), "too short"),
        # the heartbeat was not alive beside the call, or starved
        (Window(0.3, 0, 0.3, 0.0, math.inf), "unknown"),
        (Window(0.3, 0, 0.3, 0.0, 0.2), "unknown"),
        # gaps, but no longer ones than load makes by itself
        (Window(0.3, 40, 0.12, 0.6, 0.05), "unknown"),
    ],
)
def test_the_window_alone(window, expected):
    assert verdict.judge(window).verdict == expected


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        # the kernel tells what load did: gaps are long, the stall is not
        (Window(1.6, 40, 0.12, 1.0, 0.3, stall=0.003, seen=0.1), "releases"),
        (Window(1.6, 0, 1.6, 0.0, 0.3, stall=0.2, seen=0.95), "holds"),
        # a call of a few milliseconds, which load stopped before it could release
        (Window(0.05, 0, 0.05, 0.0, 0.001, stall=0.002, seen=0.95, processor=0.004), "unknown"),
        (Window(0.4, 0, 0.4, 0.0, 0.001, stall=0.002, seen=0.95, processor=0.2), "holds"),
        # no tick, but the heartbeat had no processor either
        (Window(1.6, 0, 1.6, 0.0, 0.3, stall=0.0, seen=0.2), "unknown"),
        (Window(1.6, 40, 0.8, 0.5, 0.3, stall=0.4, seen=0.9), "partly"),
        (Window(1.6, 2, 0.8, 0.02, 0.3, stall=0.8, seen=0.9), "holds"),
        # short calls in a row
        (Window(0.08, 60, 0.002, 1.0, 0.001, stall=0.002, seen=0.99, calls=80), "releases"),
    ],
)
def test_the_window_where_the_kernel_tells_what_load_did(window, expected):
    assert verdict.judge(window).verdict == expected


@pytest.mark.parametrize(("waits", "expected"), [(Waits(50, 49), "holds"), (Waits(50, 1), "releases"), (Waits(50, 20), "partly"), (Waits(5, 5), "")])
def test_what_was_seen_from_outside_alone(waits, expected):
    assert verdict.read_waits(waits)[0] == expected


def test_what_was_seen_from_outside_supports_or_contradicts():
    agreeing = verdict.judge(HOLDS, waits=Waits(50, 49))
    assert agreeing.verdict == "holds"
    assert "49 of 50 looks" in agreeing.because
    against = verdict.judge(RELEASES, waits=Waits(50, 49))
    assert against.verdict == "unknown"
    assert "disagree" in against.because


def test_released_faster_and_parallel_inside_are_said_apart():
    assert verdict.faster(AT_ONCE)
    assert verdict.faster(IN_TURN) is False
    assert verdict.faster(Overlap(0.6, 0.6, 1.0, reference=1.0)) is None
    assert verdict.faster(None) is None
    assert verdict.parallel_inside(1.9)
    assert verdict.parallel_inside(1.0) is False
    assert verdict.parallel_inside(None) is None


def test_the_stall_is_what_load_did_not_add():
    assert verdict.stall_of(Window(1.0, 9, 0.5, 0.5)) == 0.5
    assert verdict.stall_of(Window(1.0, 9, 0.5, 0.5, stall=0.1)) == 0.1


def test_without_a_window_nothing_is_known():
    assert verdict.judge(None, AT_ONCE, SEEN_FREE).verdict == "unknown"


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        (AT_ONCE, "releases"),
        (IN_TURN, "holds"),
        # wall time halved by chance, but one thread at a time computed: load, not overlap
        (Overlap(0.9, 0.3, 3.0, simultaneous=0.99, busy=0.6, reference=0.7), ""),
        # known releases did not overlap either
        (Overlap(0.6, 0.6, 1.0, simultaneous=1.0, busy=1.0, reference=1.1), ""),
        # waits for a disk
        (Overlap(0.6, 0.6, 1.0, simultaneous=0.5, busy=0.4, reference=1.9), ""),
        # both computed at once although the machine was loaded
        (Overlap(0.6, 0.7, 0.86, simultaneous=1.5, busy=1.0, reference=0.9), "releases"),
        (Overlap(0.6, 0.5, 1.2, simultaneous=1.1, busy=1.0, reference=1.9), ""),
    ],
)
def test_overlap_alone(overlap, expected):
    assert verdict.read_overlap(overlap)[0] == expected


@pytest.mark.parametrize(
    ("witness", "expected"),
    [
        (SEEN_HOLDING, "holds"),
        (SEEN_FREE, "releases"),
        (Witness(60, 25), "partly"),
        (Witness(4, 4), ""),
        (Witness(4, 0), ""),
    ],
)
def test_witness_alone(witness, expected):
    assert verdict.read_witness(witness)[0] == expected


@pytest.mark.parametrize(
    ("window", "overlap", "witness", "expected"),
    [
        (HOLDS, IN_TURN, SEEN_HOLDING, "holds"),
        (RELEASES, AT_ONCE, SEEN_FREE, "releases"),
        (HOLDS, AT_ONCE, SEEN_HOLDING, "unknown"),
        (HOLDS, IN_TURN, SEEN_FREE, "unknown"),
        (RELEASES, IN_TURN, SEEN_FREE, "unknown"),
        (RELEASES, AT_ONCE, SEEN_HOLDING, "unknown"),
        # "partly" is near both
        (PARTLY, AT_ONCE, SEEN_HOLDING, "partly"),
        (RELEASES, None, Witness(60, 25), "releases"),
        (HOLDS, None, None, "holds"),
    ],
)
def test_all_together(window, overlap, witness, expected):
    assert verdict.judge(window, overlap, witness).verdict == expected


def test_a_disagreement_shows_both_sides():
    because = verdict.judge(HOLDS, AT_ONCE, SEEN_FREE).because
    assert "no other thread ran" in because
    assert "two at once took 0.320 s" in because
    assert "1 of 60 samples" in because


def test_a_hold_is_asked_twice_and_a_release_once():
    assert verdict.is_clear(RELEASES, 1)
    assert not verdict.is_clear(HOLDS, 1)
    assert verdict.is_clear(HOLDS, 2)
    assert not verdict.is_clear(PARTLY, 2)


times = st.floats(min_value=0, max_value=100)


@given(times, st.integers(0, 10_000), times, st.floats(0, 1), st.one_of(times, st.just(math.inf)))
def test_only_a_window_without_or_with_few_ticks_holds_and_only_one_with_ticks_releases(
    duration, ticks, gap, covered, reference
):
    found = verdict.judge(Window(duration, ticks, gap, covered, reference)).verdict
    if found == "holds":
        assert ticks == 0 or covered < verdict.HOLDS_COVERED
    if found in {"releases", "partly"}:
        assert ticks > 0
    if duration < verdict.TOO_SHORT:
        assert found == "too short"
    elif reference > verdict.BUSY_SHARE * duration:
        assert found == "unknown"
