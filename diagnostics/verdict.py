"""Evidence -> verdict. Pure functions on records: the same evidence always reads the same way.

The window is the proof; timing, a sampler and what the kernel shows from outside are further witnesses. Each may abstain. A clear contradiction
gives "unknown" with both sides shown; a machine too busy to tell gives "unknown" as well, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gilgen.diagnostics.window import ASKED, STALL, TOO_SHORT, own_seconds

from gilgen.model import Overlap, Verdict, Waits, Window, Witness

Reading = Literal["releases", "holds", "partly", "too short", "unknown", ""]
"""What one witness says; "" abstains."""

BUSY_SHARE = 0.25
"""If load alone opens gaps of this share of the call's length, an absent tick proves nothing. Only where the kernel does
not tell how long threads waited for a processor."""

SEEN_ENOUGH = 0.5
"""Where no tick fell into the window, the heartbeat must have slept for this share of it: then it slept for the GIL."""

LEAST_OWN = 0.015
"""Seconds that a call must have computed or kept others out by itself, in a window that nobody entered, to be said to hold: half
of `TOO_SHORT`. The rest may be a busy machine's, which stopped the call while it held the GIL for a moment."""

HOLDS_COVERED = 0.05
"""A call that lets others run in less than this share holds: a message printed on the way is no release."""

PARTLY_COVERED = 0.9
"""A release leaves at least this share of the call to others; converting arguments takes little."""

LOAD_FACTOR = 4.0
"""A gap counts as the call's own only when it is so many times what load opens beside it."""

SIMULTANEOUS = 1.2
"""Processor seconds in a second. One thread at a time gives at most 1; a fifth is beyond any clock's error."""

IN_TURN_RATIO = 1.15
"""Serial / parallel of calls that run one after the other, with what timing scatters."""

IN_TURN_PROCESSOR = 1.08
"""Processor seconds in a second of calls that run one after the other, with what waiting costs."""

FREE_CORES = 1.6
"""The ratio that calls known to release must reach before timing may say "holds"."""

FASTER_RATIO = 1.3
"""Serial / parallel from which two calls at once count as faster: well beyond what timing scatters."""

COMPUTES = 0.85
"""Processor seconds in a second below which a call waits by itself (disk), and timing says nothing."""

FEW_SAMPLES = 10
"""Fewer samples than this say nothing."""

MOSTLY, HARDLY = 0.6, 0.2
"""Shares of samples: above the first a witness saw the GIL held throughout, below the second hardly ever. How
many samples there are is itself measured over 0.2 s and scatters, so the first stands well below 1."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the reading of the evidence in a sentence."""

    verdict: Verdict
    because: str


def stall_of(window: Window) -> float:
    """The longest time in seconds that the call kept others out: without what load added, where the kernel tells that."""
    return window.longest_gap if window.stall is None else window.stall


def faster(overlap: Overlap | None) -> bool | None:
    """Whether two calls at once took less time than two in turn; None where the machine had no two free cores to show it."""
    if overlap is None or overlap.reference < FREE_CORES:
        return None
    return overlap.ratio > FASTER_RATIO


def parallel_inside(inside: float | None) -> bool | None:
    """Whether one call computes on several processors by itself; None where that was not measured."""
    return None if inside is None else inside >= SIMULTANEOUS


def read_window(window: Window) -> tuple[Reading, str]:
    """What the window says, and why."""
    if window.duration < TOO_SHORT:
        return (
            "too short",
            f"the call took {window.duration:.3f} s; below {TOO_SHORT} s ticks are too few to judge",
        )
    told = window.seen is not None
    if not told and window.reference_gap > BUSY_SHARE * window.duration:
        gap = f"{window.reference_gap:.3f} s"
        return (
            "unknown",
            f"the machine was too busy: even beside a call known to release nobody ran for {gap}",
        )
    if window.ticks == 0:
        asked = window.calls > 1 and window.seen is not None and window.seen * window.duration >= ASKED
        if window.seen is not None and window.seen < SEEN_ENOUGH and not asked:
            return "unknown", f"the machine was too busy: the heartbeat had no processor for {1 - window.seen:.0%} of {window.duration:.3f} s"
        if window.calls == 1 and own_seconds(window) < LEAST_OWN:
            return "unknown", f"the machine was too busy: of {window.duration:.3f} s that nobody else ran in, the call had a processor for {window.processor:.3f} s"
        return "holds", f"no other thread ran during {window.duration:.3f} s{_row(window)}"
    return _read_ticks(window)


def _row(window: Window) -> str:
    return f", in {window.calls} calls in a row" if window.calls > 1 else ""


def _read_ticks(window: Window) -> tuple[Reading, str]:
    """The reading of a window that others ran in."""
    figures = f"others ran in {window.covered:.0%} of {window.duration:.3f} s{_row(window)} and waited up to {stall_of(window):.3f} s"
    if window.covered < HOLDS_COVERED:
        return "holds", figures
    if window.stall is not None:  # what is left of each gap is not load's
        return ("releases" if window.covered >= PARTLY_COVERED else "partly"), figures
    if window.covered >= PARTLY_COVERED and window.longest_gap <= max(STALL, BUSY_SHARE * window.duration):
        return "releases", figures
    if window.longest_gap < LOAD_FACTOR * window.reference_gap:
        return "unknown", f"{figures}, but load alone made them wait {window.reference_gap:.3f} s"
    return "partly", figures


def is_clear(window: Window, windows: int) -> bool:
    """Whether a case needs no further window: a release needs one; a hold is asked twice."""
    reading, _ = read_window(window)
    return reading in {"releases", "too short"} or (reading == "holds" and windows > 1)


def read_overlap(overlap: Overlap) -> tuple[Reading, str]:
    """What serial against parallel says, and why."""
    figures = f"two at once took {overlap.parallel:.3f} s, in turn {overlap.serial:.3f} s"
    if overlap.simultaneous >= SIMULTANEOUS:
        return "releases", f"{figures} ({overlap.simultaneous:.1f} processor seconds a second)"
    if overlap.busy < COMPUTES or overlap.reference < FREE_CORES:
        return "", f"{figures}, on a machine or for a call where that says nothing"
    if overlap.ratio <= IN_TURN_RATIO and overlap.simultaneous <= IN_TURN_PROCESSOR:
        return "holds", figures
    return "", figures


def read_witness(witness: Witness) -> tuple[Reading, str]:
    """What the sampler says, and why."""
    figures = f"{witness.sampler} saw the GIL held in {witness.holding} of {witness.samples} samples"
    return _read_share(witness.holding, witness.samples), figures


def read_waits(waits: Waits) -> tuple[Reading, str]:
    """What was seen from outside says, and why."""
    figures = f"from outside, another thread was seen waiting for the GIL in {waits.waiting} of {waits.samples} looks"
    return _read_share(waits.waiting, waits.samples), figures


def _read_share(held: int, samples: int) -> Reading:
    """The reading of samples of which so many found the GIL held."""
    if samples < FEW_SAMPLES:
        return ""
    share = held / samples
    if share >= MOSTLY:
        return "holds"
    return "releases" if share <= HARDLY else "partly"


def judge(
    window: Window | None, overlap: Overlap | None = None, witness: Witness | None = None, waits: Waits | None = None
) -> Judgement:
    """Combine all evidence. Without a window there is no proof, so the verdict is "unknown"."""
    if window is None:
        return Judgement("unknown", "the window was not measured")
    reading, because = read_window(window)
    if reading in {"too short", "unknown", ""}:
        return Judgement("too short" if reading == "too short" else "unknown", because)
    others = []
    if overlap is not None:
        others.append(read_overlap(overlap))
    if witness is not None:
        others.append(read_witness(witness))
    if waits is not None:
        others.append(read_waits(waits))
    against = [figures for other, figures in others if _contradicts(reading, other)]
    if against:
        return Judgement(
            "unknown",
            f"the witnesses disagree: by the window it {reading} ({because}), but {'; '.join(against)}",
        )
    agreeing = [figures for other, figures in others if other == reading]
    return Judgement(_verdict(reading), "; ".join([because, *agreeing]))


def _contradicts(window: Reading, other: Reading) -> bool:
    """Only opposites contradict: "partly" is near both, and who abstains says nothing."""
    return {window, other} == {"releases", "holds"}


def _verdict(reading: Reading) -> Verdict:
    if reading == "releases":
        return "releases"
    return "holds" if reading == "holds" else "partly"
