"""What happens in the process of one class: find a feed, find a size, prove each call, look for a leak."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

from gilgen.diagnostics import verdict, window
from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.survey import leaks
from gilgen.diagnostics.survey.records import (
    NOTHING_LEFT,
    CannotFeedError,
    Fed,
    Feed,
    Findings,
    Measured,
    Request,
)

from gilgen.model import Verdict, Window

TARGET = 0.06
"""Seconds that a call should take: sixty heartbeats, and a survey of a thousand classes stays a matter of minutes."""

ENOUGH, TOO_LONG = 0.035, 0.25
"""Seconds: a call between these needs no other size."""

IDLE = 0.0002
"""Seconds: what takes no longer on thousands of elements did not touch them; another feed may suit it better."""

ROUNDS = 6
"""Sizes tried at most."""

STEEPEST, DOWN = 12.0, 0.02
"""The next size is at most so many times the last one, and at least this share of it."""

FIRST_ONLY = 0.4
"""Seconds: a call of this length is not made twice to find its size."""

BRIEF = 0.004
"""Seconds of a known release beside a window, where the kernel tells what load adds: then it only shows that the heartbeat lives."""

BUSY = 3
"""How often a call is measured at most because the machine was too busy to tell."""

Save = Callable[[Findings], None]


def measure(provider: ModuleType, request: Request, save: Save) -> Findings:
    """Measure one class; what is known is saved before each step.

    Args:
        provider: knows how to feed the class: `feeds(target)`, `module_of(target)` and `quiet()`.
        request: what to do.
        save: keeps what was found so far, for the case that the process ends.

    Raises:
        CannotFeedError: none of its feeds lets it work.
    """
    if not math.isnan(_queued()):
        window.REFERENCE = BRIEF  # this process is this class's alone
    findings = Findings("feeding", module=provider.module_of(request.target))
    save(findings)
    feeds = list(provider.feeds(request.target))
    if request.feed >= 0:
        feed = feeds[request.feed]
        findings = replace(findings, feed=request.feed, title=feed.title)
    else:
        feed, findings = _choose(feeds, request, findings, save)
    if request.limit:
        feed = replace(feed, size=min(feed.size, request.limit), limit=min(feed.limit, request.limit))
    fed, findings = _size(feed, request, findings, save)
    provider.quiet()
    for call, work in fed.works.items():
        findings = replace(findings, step="measuring", call=call)
        save(findings)
        findings = replace(findings, measured=(*findings.measured, _prove(call, work)))
    findings = replace(findings, step="leak", call=next(iter(fed.works)))
    save(findings)
    smallest = feed.make(min(feed.size, findings.size))
    leaked = leaks.growth(next(iter(smallest.works.values())))
    return replace(findings, step="done", leaked=leaked)


def _choose(feeds: list[Feed], request: Request, findings: Findings, save: Save) -> tuple[Feed, Findings]:
    """The first feed that the class really works on; else the one that it works longest on, without complaints."""
    best: tuple[float, int] | None = None
    complaints: list[str] = []
    for index, feed in enumerate(feeds):
        if index in request.skip:
            continue
        save(replace(findings, feed=index, title=feed.title))
        try:
            fed = feed.make(min(feed.size, request.limit or feed.size))
            seconds = _seconds(_first(fed))
            complaint = fed.complaint()
        except CannotFeedError as error:
            complaint = str(error)
        except Exception as error:  # noqa: BLE001 - what a class says of its input
            complaint = f"{type(error).__name__}: {error}"
        if complaint:
            complaints.append(complaint)
        elif best is None or seconds > best[0]:
            best = seconds, index
            if seconds > IDLE:
                break
    if best is None:
        nothing = NOTHING_LEFT if request.skip else "no generic input"
        raise CannotFeedError(complaints[0] if complaints else nothing)
    index = best[1]
    return feeds[index], replace(findings, feed=index, title=feeds[index].title)


def _size(feed: Feed, request: Request, findings: Findings, save: Save) -> tuple[Fed, Findings]:
    """Climb the ladder of sizes until a call takes about `TARGET` seconds."""
    limit = feed.limit
    size = request.size or min(feed.size, limit)
    for round_ in range(ROUNDS):
        findings = replace(findings, step="sizing", size=size)
        save(findings)
        fed = feed.make(size)
        work = _first(fed)
        # The first call also sets up what the toolkit sets up once, so the shorter of two counts.
        seconds = _seconds(work)
        if seconds < FIRST_ONLY and not request.size:
            seconds = min(seconds, _seconds(work))
        findings = replace(findings, good=size)
        complaint = fed.complaint()
        if complaint:
            raise CannotFeedError(complaint)
        if request.size or ENOUGH <= seconds <= TOO_LONG or (seconds < ENOUGH and size >= limit) or round_ == ROUNDS - 1:
            break
        if seconds < IDLE and size > feed.size:
            break  # it does not heed the size
        factor = min(STEEPEST, max(DOWN, TARGET / max(seconds, 1e-6)))
        following = max(1, min(limit, int(size * factor)))
        if following == size:
            break
        size = following
    return fed, findings


def _first(fed: Fed) -> Work:
    return next(iter(fed.works.values()))


def _seconds(work: Work) -> float:
    """How long one call takes, without the time in which it was ready to run and the machine had no processor for it."""
    work.reset()
    queued = _queued()
    start, end = window.timed_call(work.call)
    queued = _queued() - queued
    return end - start if math.isnan(queued) else max(0.0, end - start - queued)


def _queued() -> float:
    """Seconds that this thread has waited for a processor so far; not a number where the kernel does not tell."""
    queue = window.QueueTime(threading.get_native_id())
    try:
        return queue.read()
    finally:
        queue.close()


def _prove(call: str, work: Work) -> Measured:
    for _ in range(BUSY):
        proof = window.prove(work, verdict.is_clear).window
        found = verdict.judge(proof)
        if found.verdict != "unknown":
            break
    return Measured(call, found.verdict, found.because, _held(proof, found.verdict))


def _held(proof: Window, found: Verdict) -> float:
    """Seconds for which one call kept others out at the longest."""
    if proof.calls > 1:  # a program can breathe between two of them
        return 0.0 if found == "releases" else proof.duration / proof.calls
    return window.own_seconds(proof) if proof.ticks == 0 else verdict.stall_of(proof)
