"""A report held against limits and an earlier report. Pure functions on records: the same files always give the same answer.

Only what load on the machine cannot cause may fail a check: a verdict that is proven, a crash, a stall without what load
added to it, a result or a shim that is not there. What a busy machine could not prove is a warning, unless `Limits.strict`
asks for proof of everything or a requirement names the call: then it fails, too. It is never passed over.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Literal, get_args

from gilgen.diagnostics import durations
from gilgen.diagnostics.verdict import LOAD_FACTOR, stall_of
from gilgen.diagnostics.window import STALL

from gilgen.errors import GilgenError, InvalidRunError
from gilgen.manifest import Coverage
from gilgen.model import CaseResult, Check, Finding, Report, Verdict, Window
from gilgen.toolkits import NAMES

BROKEN = frozenset({"crash", "timeout", "error"})
"""Verdicts of a call that did not return as it should."""

UNPROVEN = frozenset({"unknown", "too short"})
"""Verdicts that say only that this run could not tell."""

GROWTH = 2.0
"""A stall may grow to so many times what it was in the baseline."""

FLOOR = STALL
"""Seconds up to which a stall may grow in any case: from 1 ms to 3 ms is no failure."""

NEAR = 3
"""Names offered where a pattern matches none."""

ORDER = ("broken", "held", "required", "stall", "missing", "coverage", "unproven")
"""Kinds of finding, the gravest first."""

Key = tuple[str, str, bool]
"""Toolkit, case, and whether the shims were active: what makes two results each other's like."""


@dataclass(frozen=True, slots=True)
class StallLimit:
    """Calls whose name matches `pattern` may keep others out for at most so many seconds."""

    pattern: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Requirement:
    """Every call or case whose name matches `pattern` must have this verdict, and there must be one."""

    pattern: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """What a report has to keep to.

    Attributes:
        stalls: for calls with the shims active; of those that match a call the last one counts.
        growth: a stall may grow to so many times what it was, or to `FLOOR`.
        required: verdicts, each for the calls that match; with the shims active where that was measured.
        strict: what could not be proven fails as well.
    """

    stalls: tuple[StallLimit, ...] = ()
    growth: float = GROWTH
    required: tuple[Requirement, ...] = ()
    strict: bool = False


def stall_limit(text: str) -> StallLimit:
    """Read "20ms", or "vtk*Writer.Write=200ms" for some calls only.

    Raises:
        GilgenError: what should be a length of time is none.
    """
    pattern, _, length = (part.strip() for part in text.rpartition("="))
    return StallLimit(pattern or "*", durations.seconds(length))


def requirement(text: str) -> Requirement:
    """Read "vtk*Locator.BuildLocator=releases".

    Raises:
        GilgenError: it has no pattern, or no verdict that there is.
    """
    pattern, _, wanted = (part.strip() for part in text.rpartition("="))
    for verdict in get_args(Verdict):
        if pattern and wanted == verdict:
            return Requirement(pattern, verdict)
    raise GilgenError(f"{text!r} is no requirement.", f"Write it as 'vtk*Locator.BuildLocator=releases'; the verdicts are {', '.join(get_args(Verdict))}.")


def check(report: Report, baseline: Report | None, limits: Limits) -> Check:
    """Hold a report against limits and, where there is one, an earlier report. Both must be valid.

    Raises:
        InvalidRunError: a report has two results that cannot be told apart.
    """
    for one in (report, *([baseline] if baseline else [])):
        _unambiguous(one)
    old = {key_of(result): result for result in baseline.results} if baseline else {}
    new = {key_of(result): result for result in report.results}
    found = list(_required(new, limits))
    named = {(finding.toolkit, finding.case, finding.shims) for finding in found}
    found += [finding for finding in _verdicts(old, new, limits) if (finding.toolkit, finding.case, finding.shims) not in named]
    found += _stalls(old, new, limits)
    if baseline:
        found += [*_missing(old, new), *_coverage(report, baseline)]
    found = _once(found)
    found.sort(key=lambda finding: (not finding.fails, ORDER.index(finding.kind)))
    return Check(
        passed=not any(finding.fails for finding in found),
        compared=len(old.keys() & new.keys()),
        findings=tuple(found),
        notices=tuple(_notices(report, baseline, old, new)),
    )


def key_of(result: CaseResult) -> Key:
    """What makes a result the like of another one."""
    return result.toolkit, result.case, result.shims


def _unambiguous(report: Report) -> None:
    """Refuse a report in which one result would hide another."""
    twice = [key for key, count in Counter(map(key_of, report.results)).items() if count > 1]
    if twice:
        raise InvalidRunError(f"Two cases in one report are called {twice[0][1]}, so neither can be compared.", "Give each case a name of its own, and measure again.")


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Of what could not be proven of a result one finding is enough, and none where it fails for another reason."""
    kept: list[Finding] = []
    told: set[tuple[str, str, bool | None]] = set()
    for finding in sorted(findings, key=lambda finding: finding.kind == "unproven"):
        place = (finding.toolkit, finding.case, finding.shims)
        if finding.kind != "unproven" or place not in told:
            kept.append(finding)
        told.add(place)
    return kept


# ------------------------------------------------------------------------------------------ verdicts


def _verdicts(old: dict[Key, CaseResult], new: dict[Key, CaseResult], limits: Limits) -> Iterator[Finding]:
    """Calls that released and no longer do, and calls that no longer return, or that do not with the shims only."""
    for key, active in new.items():
        plain = new.get((*key[:2], False))
        if active.shims and active.verdict in BROKEN and key not in old and (plain is None or plain.verdict not in BROKEN):
            yield _of(active, "broken", f"{plain.verdict} without shims" if plain else "returns")
    for key, before in old.items():
        after = new.get(key)
        if after is None or after.verdict == before.verdict:
            continue
        if after.verdict in BROKEN:
            if before.verdict not in BROKEN:
                yield _of(after, "broken", before.verdict)
        elif before.verdict == "releases":
            unproven = after.verdict in UNPROVEN
            yield _of(after, "unproven" if unproven else "held", before.verdict, fails=not unproven or limits.strict)


def _required(new: dict[Key, CaseResult], limits: Limits) -> Iterator[Finding]:
    """Requirements that nothing matches, and calls whose verdict is another one than was asked for."""
    for wanted in limits.required:
        matching = [result for result in new.values() if matches(wanted.pattern, result) and not _outdone(result, new)]
        if not matching:
            yield _unmatched(wanted.pattern, wanted.verdict, new)
        for result in matching:
            if result.verdict != wanted.verdict:
                yield _of(result, "required", f"{wanted.verdict} (required)")


def _unmatched(pattern: str, wanted: str, results: dict[Key, CaseResult], half: str = "") -> Finding:
    """A requirement or a limit that says nothing, because no result is meant by it."""
    near = get_close_matches(pattern, sorted({result.call for result in results.values()}), NEAR)
    why = "; like it are ".join([f"no measured call{half} matches {pattern}", *([", ".join(near)] if near else [])])
    return _gone("required", pattern, wanted, "not measured", why, ("gilgen report",))


def matches(pattern: str, result: CaseResult) -> bool:
    """Whether a shell pattern matches a result's call or its case."""
    return fnmatchcase(result.call, pattern) or fnmatchcase(result.case, pattern)


def _outdone(result: CaseResult, results: dict[Key, CaseResult]) -> bool:
    """Whether a result of the plain library has one with the shims beside it."""
    return not result.shims and (result.toolkit, result.case, True) in results


# -------------------------------------------------------------------------------------------- stalls


@dataclass(frozen=True, slots=True)
class Stall:
    """How long one call kept others out, in seconds; what share of the call that is; whether load can have made it longer."""

    seconds: float
    share: float
    proven: bool


def stall_in(window: Window, verdict: Verdict = "unknown") -> Stall:
    """The longest stall of one call. Of many calls in a row, none can have kept others out for longer than it took.

    Load can hide a stall: all time in which a thread waited for a processor is left out. A call that is proven to hold kept
    others out at the least while it had a processor itself, and that no load changes.
    """
    count = max(1, window.calls)
    alone = window.duration / count
    length = min(max(stall_of(window), window.processor if verdict == "holds" else 0.0), alone)
    proven = window.stall is not None or length > LOAD_FACTOR * window.reference_gap
    return Stall(length, length / alone if alone > 0 else 0.0, proven)


def _stalls(old: dict[Key, CaseResult], new: dict[Key, CaseResult], limits: Limits) -> Iterator[Finding]:
    for limit in limits.stalls:
        if not any(result.shims and matches(limit.pattern, result) for result in new.values()):
            yield _unmatched(limit.pattern, f"at most {durations.say(limit.seconds)}", {key: result for key, result in new.items() if result.shims}, " with the shims")
    for key, after in new.items():
        yield from _over_limit(after, limits)
        before = old.get(key)
        if before is not None:
            yield from _grown(before, after, limits)


def _over_limit(result: CaseResult, limits: Limits) -> Iterator[Finding]:
    """A stall that is longer than allowed for calls with the shims active."""
    allowed = next((limit for limit in reversed(limits.stalls) if matches(limit.pattern, result)), None)
    if allowed is None or not result.shims:
        return
    most = f"at most {durations.say(allowed.seconds)}"
    if result.window is None or result.verdict in BROKEN:
        yield _of(result, "unproven", most, after=f"not measured ({result.verdict})", fails=limits.strict)
        return
    stall = stall_in(result.window, result.verdict)
    told = durations.say(stall.seconds)
    if stall.seconds > allowed.seconds:
        kind: Literal["stall", "unproven"] = "stall" if stall.proven else "unproven"
        yield _of(result, kind, most, after=told, fails=stall.proven or limits.strict, because=_kept_out(result.window, result.verdict))
    elif result.verdict == "unknown" or (result.verdict == "partly" and result.window.longest_gap > allowed.seconds):
        yield _of(result, "unproven", most, after=f"{told}, as far as could be seen", fails=limits.strict)


def _grown(before: CaseResult, after: CaseResult, limits: Limits) -> Iterator[Finding]:
    """A stall of a call that lets others run, much longer than it was, also as a share of the call.

    A call that holds keeps others out for its whole length, and how long that is only says how much work it was given.
    """
    if before.window is None or after.window is None or before.verdict not in {"releases", "partly"} or after.verdict not in {before.verdict, "unknown"}:
        return
    then, now = stall_in(before.window, before.verdict), stall_in(after.window, after.verdict)
    if now.seconds <= max(FLOOR, limits.growth * then.seconds) or now.share <= limits.growth * then.share:
        return
    kind: Literal["stall", "unproven"] = "stall" if now.proven else "unproven"
    told = f"{durations.say(then.seconds)} of {durations.say(before.window.duration)}"
    yield _of(
        after, kind, told, after=f"{durations.say(now.seconds)} of {durations.say(after.window.duration)}", fails=now.proven or limits.strict,
        because=_kept_out(after.window, after.verdict),
    )  # fmt: skip


def _kept_out(window: Window, verdict: Verdict) -> str:
    """The evidence for a stall, in a sentence."""
    stall = stall_in(window, verdict)
    text = f"others ran {window.ticks} times in {durations.say(window.duration)} and were kept out for up to {durations.say(stall.seconds)}"
    if window.stall is not None:
        return f"{text}, without what load on the machine added"
    return f"{text}; load alone kept them out for {durations.say(window.reference_gap)}" + ("" if stall.proven else ", so nothing is proven")


# ---------------------------------------------------------------------------------------- what is gone


def _missing(old: dict[Key, CaseResult], new: dict[Key, CaseResult]) -> Iterator[Finding]:
    """Results of the baseline that have no like now: one finding a case, or one for all of a toolkit's half."""
    for toolkit, shims in dict.fromkeys((toolkit, shims) for toolkit, _, shims in old):
        lost = [result for key, result in old.items() if key[0] == toolkit and key[2] == shims and key not in new]
        if len(lost) > 1 and not any(key[0] == toolkit and key[2] == shims for key in new):
            names = toolkit.split("+")
            install = (f"gilgen fix {' '.join(names)}",) if shims and set(names) <= set(NAMES) else ()
            why = "nothing of this toolkit was measured with the shims active" if shims else "nothing of this toolkit was measured without shims"
            commands = (*install, f"gilgen diagnose {' '.join(names)}") if toolkit in NAMES else (*install, _diagnose(lost[0]))
            yield _gone("missing", toolkit, f"{len(lost)} calls measured", "none", why, commands, toolkit=toolkit, shims=shims)
            continue
        for result in lost:
            why = "the baseline has this case, and this run did not measure it"
            yield _gone("missing", result.call, result.verdict, "not measured", why, (_diagnose(result),), case=result.case, toolkit=toolkit, shims=shims)


def _coverage(report: Report, baseline: Report) -> Iterator[Finding]:
    """Toolkits whose shims serve fewer methods than they did."""
    for toolkit, before in baseline.coverage.items():
        after = report.coverage.get(toolkit)
        if after is not None and served(after) >= served(before):
            continue
        now = _served(after) if after else "no shims"
        because = "the shims serve fewer of the methods that Python sees" if after else "no shims were installed for this run"
        versions = _versions(report, baseline, toolkit)
        why = f"{because} ({versions})" if versions else because
        yield _gone("coverage", toolkit, _served(before), now, why, (f"gilgen plan {toolkit}" if after else f"gilgen fix {toolkit}",), toolkit=toolkit)


def served(coverage: Coverage) -> int:
    """How many methods that Python sees end in a shim, directly or through what they call."""
    return coverage.direct + coverage.through


def _served(coverage: Coverage) -> str:
    return f"{served(coverage)} methods served"


def _gone(
    kind: Literal["required", "missing", "coverage"], subject: str, before: str, after: str, because: str, commands: tuple[str, ...], *,
    case: str = "", toolkit: str = "", shims: bool | None = None,
) -> Finding:  # fmt: skip
    """A finding about something that should be there and is not."""
    return Finding(
        kind=kind, fails=True, subject=subject, case=case, toolkit=toolkit, shims=shims, before=before, after=after, because=because, commands=commands
    )


# ----------------------------------------------------------------------------------------------- words


def _notices(report: Report, baseline: Report | None, old: dict[Key, CaseResult], new: dict[Key, CaseResult]) -> Iterator[str]:
    """What a reader should know of the comparison itself."""
    if baseline is None:
        return
    for toolkit in baseline.environment.toolkits:
        if versions := _versions(report, baseline, toolkit):
            yield f"Two versions are compared: {versions}."
    for what, then, now in (
        ("Pythons", baseline.environment.python, report.environment.python),
        ("versions of gilgen", baseline.environment.gilgen, report.environment.gilgen),
    ):
        if then != now:
            yield f"Two {what} are compared: {then} in the baseline, {now} now."
    if fresh := [key for key in new if key not in old]:
        yield f"{len(fresh)} results have no like in the baseline, so nothing guards them yet. Make a new baseline to guard them."


def _versions(report: Report, baseline: Report, toolkit: str) -> str:
    """A toolkit's two versions in words; empty where they are one, or where one is not known."""
    then, now = baseline.environment.toolkits.get(toolkit, ""), report.environment.toolkits.get(toolkit, "")
    return f"{toolkit} {then} in the baseline, {now} now" if then and now and then != now else ""


def _of(
    result: CaseResult, kind: Literal["broken", "held", "required", "stall", "unproven"], before: str, *, after: str = "", fails: bool = True, because: str = ""
) -> Finding:
    """A finding about one result, with the commands that tell more."""
    return Finding(
        kind=kind,
        fails=fails,
        subject=result.call,
        case=result.case,
        toolkit=result.toolkit,
        shims=result.shims,
        before=before,
        after=after or result.verdict,
        because=because or result.because,
        commands=(*_explain(result), _diagnose(result)),
    )


_EXPLAINED = re.compile(r"vtk\w+\.\w+|itk\.[A-Z]\w*\.\w+|itk[A-Z]\w*\.\w+")


def can_explain(call: str) -> bool:
    """Whether `gilgen explain` knows a call by this name: methods of classes."""
    return _EXPLAINED.fullmatch(call) is not None


def _explain(result: CaseResult) -> tuple[str, ...]:
    return (f"gilgen explain {result.call}",) if result.shims and can_explain(result.call) else ()


def _diagnose(result: CaseResult) -> str:
    """What measures a result again: a case of a toolkit, a case of the user's own, or a test."""
    case = shlex.quote(result.case)
    if "::" in result.case:
        return f"pytest {shlex.quote(result.case.partition(' #')[0])}"
    source = result.toolkit if result.toolkit in NAMES else "--cases FILE"
    return f"gilgen diagnose {source} --case {case}"


RENEW = "If that is as it should be, make a new baseline: gilgen diagnose TOOLKIT... --json BASE.json"
"""What helps where a difference is meant."""


def headline(found: Check) -> str:
    """The outcome in a line."""
    failing = sum(finding.fails for finding in found.findings)
    open_ = len(found.findings) - failing
    unproven = f" {open_} could not be proven (--strict makes that fail)." if open_ else ""
    compared = f"{found.compared} results compared with the baseline" if found.compared else "nothing compared with a baseline"
    if failing:
        return f"FAILED: {failing} {'thing is' if failing == 1 else 'things are'} worse than allowed; {compared}.{unproven}"
    return f"Passed; {compared}.{unproven}"


def title(finding: Finding) -> str:
    """What a finding is about, and how it changed."""
    half = "" if finding.shims is None else " (with shims)" if finding.shims else " (plain)"
    return f"{finding.kind}: {finding.subject}{half}: {finding.before} -> {finding.after}"


def as_text(found: Check) -> str:
    """The whole check for a terminal or a log: what failed first, the outcome last."""
    lines: list[str] = []
    for finding in found.findings:
        lines += [f"{'FAILED ' if finding.fails else 'warning '}{title(finding)}", f"    {finding.because}"]
        lines += [f"    {'next:' if index == 0 else '     '} {command}" for index, command in enumerate(finding.commands)]
    lines += found.notices
    if not found.passed and found.compared:
        lines.append(RENEW)
    return "\n".join([*lines, headline(found)])


def as_markdown(found: Check) -> str:
    """The whole check as Markdown, for a CI summary: the outcome first, then a table."""
    lines = [f"**{headline(found)}**", ""]
    if found.findings:
        lines += ["| | what | before | after | evidence | next |", "| --- | --- | --- | --- | --- | --- |"]
    for finding in found.findings:
        half = "" if finding.shims is None else " (with shims)" if finding.shims else " (plain)"
        cells = (
            f"**{finding.kind}**" if finding.fails else finding.kind, f"`{finding.subject}`{half}", finding.before, finding.after, finding.because,
            "<br>".join(f"`{command}`" for command in finding.commands),
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join([*lines, "", *(f"- {line}" for line in found.notices)]).rstrip() + "\n"
