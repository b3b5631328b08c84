"""A report as JUnit's XML, which CI servers read: a suite for each toolkit, a test case for each case.

A case passes when it releases in the last half that was measured, which is the one with the shims where there
are any. It fails when it holds or lets others run in a part only; a crash, an error and a missed deadline are errors;
what could not be judged is skipped. The controls are a suite of their own: where one of them fails, nothing else counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gilgen.diagnostics.report.evidence import evidence
from gilgen.diagnostics.report.material import FAILED, HOLDING, Material, kept_out, pairs
from gilgen.diagnostics.report.words import INVALID, expected, seconds
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from gilgen.model import CaseResult, Survey, Surveyed

CONTROLS = "controls"

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 does not allow in a document (section 2.2), and what a crashed program may have printed."""


def render(material: Material) -> str:
    """The XML document as text."""
    report = material.report
    document = JUnitXml("gilgen")
    if report.controls:
        document.add_testsuite(_suite(CONTROLS, (_control(result) for result in report.controls)))
    toolkits: dict[str, list[TestCase]] = {}
    for before, after in pairs(report):
        last = after or before
        if last is not None:
            toolkits.setdefault(last.toolkit, []).append(_case(before, after, last))
    for toolkit, cases in toolkits.items():
        document.add_testsuite(_suite(toolkit, cases if material.valid else map(_discounted, cases)))
    if material.survey is not None:
        for suite in _survey(material.survey):
            document.add_testsuite(suite)
    return str(document.tostring().decode("utf-8")) + "\n"  # type: ignore[no-untyped-call]


def _suite(name: str, cases: Iterable[TestCase]) -> TestSuite:
    suite = TestSuite(name)
    suite.add_testcases(list(cases))
    return suite


def _control(result: CaseResult) -> TestCase:
    case = _named(result.call, f"gilgen.{CONTROLS}", result)
    if result.verdict != expected(result):
        case.result = [Failure(_clean(f"must read {expected(result)!r} but reads {result.verdict!r}: {result.because}"), INVALID)]
    case.system_out = _clean("\n".join(evidence(result)))
    return case


def _case(before: CaseResult | None, after: CaseResult | None, last: CaseResult) -> TestCase:
    case = _named(f"{last.call} [{last.case}]", f"gilgen.{last.toolkit}", last)
    words = _clean(f"{last.verdict}: {last.because}")
    if last.verdict in FAILED:
        case.result = [_with_text(Error(words, last.verdict), last.message)]
    elif last.verdict in HOLDING:
        time = kept_out(last)
        kept = "" if time is None else f", kept others out for {seconds(time)}"
        case.result = [Failure(_clean(f"{last.verdict}{kept}: {last.because}"), last.verdict)]
    elif last.verdict != "releases":
        case.result = [Skipped(words, last.verdict)]
    halves = [(name, result) for name, result in (("before", before), ("after", after)) if result is not None]
    case.system_out = _clean("\n\n".join("\n".join([f"{name}:", *evidence(result)]) for name, result in halves))
    return case


def _named(name: str, group: str, result: CaseResult) -> TestCase:
    return TestCase(_clean(name), group, round(result.window.duration, 6) if result.window else 0.0)


def _with_text(error: Error, text: str) -> Error:
    error.text = _clean(text)
    return error


def _discounted(case: TestCase) -> TestCase:
    """A case of an invalid run: it neither passes nor fails."""
    case.result = [Skipped(INVALID, "invalid")]
    return case


def _survey(survey: Survey) -> Iterable[TestSuite]:
    for toolkit in dict.fromkeys(one.toolkit for one in survey.classes):
        cases = (_class(one) for one in survey.classes if one.toolkit == toolkit)
        yield _suite(f"{toolkit} survey", cases if survey.valid else map(_discounted, cases))


def _class(one: Surveyed) -> TestCase:
    case = TestCase(_clean(one.call), _clean(f"gilgen.{one.toolkit}.{one.module}"), 0.0)
    last = one.before if one.after == "untested" else one.after
    words = _clean(f"{last}: {one.because}")
    if last in FAILED:
        case.result = [Error(words, last)]
    elif last in HOLDING:
        case.result = [Failure(words, last)]
    elif last != "releases":
        case.result = [Skipped(words, last)]
    return case


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
