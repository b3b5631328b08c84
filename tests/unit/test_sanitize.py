"""The native part under ThreadSanitizer: threads use a fixture toolkit through it, without CPython; nothing may race.

`tests/sanitize` holds the driver, the fixture toolkit and the pretend Python.
"""

from __future__ import annotations

import json

import pytest
from sanitize import program

pytestmark = pytest.mark.skipif(bool(program.missing()), reason=program.missing() or "not skipped")

THREADS, ITERATIONS = 6, 800
KNOWN_LIMITS = "nL"
"""Left out: callbacks that give the GIL up inside calls that kept it because another call visits Python; and what comes to
the library that is not thread-safe from a callback, or with objects that others wait for. `driver.cpp` has the reasons."""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    return program.build(tmp_path_factory.mktemp("sanitize") / "program")


def test_native_part_under_thread_sanitizer_has_no_reports(driver):
    ended = driver.run(THREADS, ITERATIONS, without=KNOWN_LIMITS)

    assert program.reports(ended.err) == []
    found = ended.answer
    assert found["overlaps"] == 0
    assert found["left"] == [0, 0, 0]
    idle = [name for name in ("works", "released", "guarded", "kept", "waits", "deferred") if not found[name]]
    assert idle == [], f"the driver did not come there: {found}"


def test_calls_that_claim_nothing_are_reported(driver):
    ended = driver.run(THREADS, ITERATIONS, guard="none", without=f"{KNOWN_LIMITS}b", first_report_ends=True)

    assert ended.code == program.REPORTED
    assert len(program.reports(ended.err)) == 1
    assert "data race" in program.reports(ended.err)[0]


@pytest.mark.parametrize(
    ("source", "old", "new", "where"),
    [
        pytest.param(
            "claims.cpp", "while (busy_.test_and_set(std::memory_order_acquire)) sched_yield();", "", "claims.cpp", id="list of claims without its lock"
        ),
    ],
)
def test_native_part_with_a_fault_is_reported(driver, tmp_path, source, old, new, where):
    faulty = driver.altered(tmp_path / "faulty", source, old, new)

    ended = faulty.run(THREADS, ITERATIONS, without=KNOWN_LIMITS, first_report_ends=True)

    assert ended.code == program.REPORTED
    assert where in program.reports(ended.err)[0]


def test_driver_prints_one_line_of_figures(driver):
    ended = driver.run(2, 20, without=f"{KNOWN_LIMITS}b")

    assert set(json.loads(ended.out)) >= {"overlaps", "released", "left"}
