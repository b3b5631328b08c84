"""What a test did, and whether it did anything else with the shims active."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "crash", "timeout", "missing"]
Verdict = Literal["equal", "flaky", "differs"]

LONGEST = 20_000
"""Of a detail, in characters; a test that prints more than this is compared by its beginning."""

# What differs from run to run whatever a program does. The order counts: a log's time stamp holds numbers.
NOISE = tuple(
    (re.compile(pattern, flags), text)
    for pattern, flags, text in (
        (r"\x1b\[[0-9;]*m", 0, ""),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)? \( *[\d.]+s\) \[ *[^\]]*\]", 0, "<log>"),
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", 0, "<time>"),
        (r"\b0x[0-9a-fA-F]{4,}\b", 0, "<address>"),
        (r"_[0-9a-f]{8,16}_p_\w+", 0, "<address>"),
        (r"\((?=[0-9a-f]*[a-f])[0-9a-f]{9,16}\)", 0, "(<address>)"),
        (r"/tmp/[^\s'\",;:)\]]+", 0, "<scratch>"),  # noqa: S108
        (r"\b\d+(\.\d+)?(e-?\d+)? ?(s|ms|us|µs|sec|secs|seconds|minutes)\b", 0, "<duration>"),
        (r"^Traceback \(most recent call last\):\n(?:[ \t]+.*\n)+", re.MULTILINE, "Traceback\n"),
    )
)


def normalised(text: str) -> str:
    """A text without addresses, times, scratch folders, and the frames of a traceback."""
    for pattern, replacement in NOISE:
        text = pattern.sub(replacement, text)
    return text.strip()[:LONGEST]


@dataclass(frozen=True)
class Outcome:
    """How one test ended; `trace` is for the reader and is never compared."""

    kind: Kind
    detail: str = ""
    trace: str = field(default="", compare=False)
    calls: int = field(default=0, compare=False)


MISSING = Outcome("missing", "It is not among the tests of this run.")


@dataclass(frozen=True)
class Judged:
    """One test, as it ended in every run of either sort."""

    test: str
    verdict: Verdict
    plain: tuple[Outcome, ...]
    active: tuple[Outcome, ...]

    @property
    def seen(self) -> tuple[str, str]:
        """How often it ended how: "passed 3, crash 1", for either sort."""
        return tally(self.plain), tally(self.active)


def tally(outcomes: Iterable[Outcome]) -> str:
    return ", ".join(f"{kind} {count}" for kind, count in sorted(Counter(outcome.kind for outcome in outcomes).items()))


def judge(test: str, plain: Sequence[Outcome], active: Sequence[Outcome]) -> Judged:
    """Whether the activated runs showed anything that the plain ones did not.

    A test that fails or crashes only now and then is no less broken for that, so one outcome that no plain run
    had is enough. Only where the plain runs disagree among themselves in what a test says is that test's word
    worth nothing; the kind of its end still counts.
    """
    before, after = set(plain), set(active)
    if before == after and len(before) == 1:
        return Judged(test, "equal", tuple(plain), tuple(active))
    new_kind = {outcome.kind for outcome in after} - {outcome.kind for outcome in before}
    new_detail = len(before) == 1 and not after <= before
    return Judged(test, "differs" if new_kind or new_detail else "flaky", tuple(plain), tuple(active))


def differing(plain: Mapping[str, Outcome], active: Mapping[str, Outcome]) -> tuple[str, ...]:
    """The tests that ended in two ways, or that only one of the runs has."""
    return tuple(test for test in sorted(plain.keys() | active.keys()) if plain.get(test, MISSING) != active.get(test, MISSING))
