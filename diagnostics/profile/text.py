"""The profile on the terminal: what held longest, which loops stood still, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gilgen.diagnostics.isolate import signal_name
from gilgen.diagnostics.profile.inside import COLLECTION, IMPORT
from gilgen.diagnostics.report.text import aligned

from gilgen import store
from gilgen.model import HeldCall, LoopStall, Profile

ROWS = 20
"""Calls that are listed; the record has them all."""

STALLS = 8
"""Places of stalls that are listed."""

PYTHONS = (COLLECTION, IMPORT)
"""What Python does itself."""

WORTH = 0.02
"""Seconds: what held less altogether is not worth a release."""

HEADINGS = ("call", "from", "calls", "held", "worst", "others waited", "threads", "loop")


def last_profile() -> Path:
    """Where the last profile is kept."""
    return store.cache_dir() / "profile" / "profile.json"


def as_text(profile: Profile) -> str:
    """The whole profile."""
    held = [call for call in profile.calls if call.held > 0]
    lines = [_headline(profile, held), ""]
    if held:
        lines += aligned([HEADINGS, *(_row(call) for call in held[:ROWS])])
    if len(held) > ROWS:
        lines.append(f"... and {len(held) - ROWS} more in the record")
    released = [call for call in profile.calls if call.toolkit and not call.held and call.seconds > WORTH]
    if released:
        lines += ["", f"Of the toolkits' calls, {len(released)} took {_time(sum(call.seconds for call in released))} and let others run."]
    lines += _stalls(profile.stalls)
    lines += ["", *profile.notices] if profile.notices else []
    return "\n".join(lines)


def advice(profile: Profile, file: Path) -> list[str]:
    """What to do next, each with a command where there is one; `file` holds the profile."""
    said = []
    toolkits = sorted({call.toolkit for call in profile.calls if call.toolkit and call.held > WORTH})
    if toolkits:
        said.append(f"Release just these: gilgen fix --profile {file}")
        said.append(f"See it: gilgen report --profile {file} --html profile.html")
    if any(stall.own for stall in profile.stalls):
        said.append(
            "Calls inside a loop's own callback stall that loop whether they release or not: make them in another thread, "
            "with asyncio `await asyncio.to_thread(call)`, in a GUI in a worker thread. What they hold must be released as well, or the loop stalls all the same."
        )
    others = [call.python for call in profile.calls if not call.toolkit and call.held > WORTH and call.python not in PYTHONS and not call.python.startswith("(")]
    if others:
        said.append(f"{_some(others)}: of no toolkit that gilgen serves. Where they matter, run them in another process.")
    return said


def _headline(profile: Profile, held: Sequence[HeldCall]) -> str:
    if profile.how == "py-spy":
        total = sum(call.held for call in held)
        return f"{profile.program}: sampled for {_time(profile.seconds)}; the GIL was held in {_time(total)} of it."
    code = profile.exit_code or 0
    how = f", exit code {code}" if code > 0 else f", ended by {signal_name(-code)}" if code else ""
    if not held:
        return f"{profile.program}: {_time(profile.seconds)}{how}. No call held the GIL for longer than a few milliseconds."
    worst = max(call.worst for call in held)
    return f"{profile.program}: {_time(profile.seconds)}{how}; calls held the GIL for {_time(sum(call.held for call in held))}, at worst {_time(worst)} at a time."


def _row(call: HeldCall) -> tuple[str, ...]:
    waiters = [f"{_time(seconds)} {name}" for name, seconds in call.waiters.items() if seconds >= 0.001]  # noqa: PLR2004 - not worth a word
    waited = waiters[0] + (f" and {len(waiters) - 1} more: {_time(call.waited)}" if len(waiters) > 1 else "") if waiters else "-"
    return (
        call.python,
        f"{call.file}:{call.line} in {call.function}",
        str(call.calls) if call.calls else "-",
        _time(call.held),
        _time(call.worst) if call.worst else "-",
        waited,
        _some(call.threads, 2),
        call.loop or "-",
    )


def _stalls(stalls: Sequence[LoopStall]) -> list[str]:
    places: dict[tuple[str, str, str, int, bool, str], list[LoopStall]] = {}
    for stall in stalls:
        places.setdefault((stall.loop, stall.python, stall.file, stall.line, stall.own, stall.thread), []).append(stall)
    if not places:
        return []
    lines = ["", "Event loops that stood still:"]
    ordered = sorted(places.items(), key=lambda item: -max(stall.seconds for stall in item[1]))
    for (loop, python, file, line, own, thread), group in ordered[:STALLS]:
        times = "once" if len(group) == 1 else f"{len(group)} times"
        task = f", in {group[0].task}" if group[0].task else ""
        why = f"made in the loop's own callback{task}" if own else "made in another thread, which kept this one out"
        lines.append(f"  {loop} in {thread}, {times}, at worst {_time(max(stall.seconds for stall in group))}: {python} at {file}:{line}, {why}")
    if len(places) > STALLS:
        lines.append(f"  ... and {len(places) - STALLS} more places in the record")
    return lines


def _some(names: Sequence[str], most: int = 3) -> str:
    shown = list(dict.fromkeys(names))
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "")


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
