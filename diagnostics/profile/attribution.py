"""What the process wrote down, and the looks at its threads from outside -> held calls, stalls of loops, timelines.

A hold counts for its length less what the machine's load adds to it: the time in which the heartbeat, or the holder,
waited for a processor. A thread that was seen waiting for the GIL is never taken for the one that has it.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
import linecache
import math
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gilgen.diagnostics import waits
from gilgen.diagnostics.profile.inside import HOLD

from gilgen.model import HeldCall, Lane, LoopStall, Span, State, Timeline

STALL = 0.02
"""Seconds that an event loop must stand still to be named: a picture of a film at fifty a second."""

FLOOR = 0.02
"""Seconds that a function of no toolkit must have held altogether to be listed: imports alone make dozens of short holds."""

STALLS = 100
"""At most so many stalls are kept, the longest."""

TIMELINES = 3
"""Timelines around so many of the longest holds, of different calls."""

MARGIN = 0.3
"""How much of a hold's length a timeline shows before and after it."""

KEPT = 4.0
"""Seconds of looks that are kept behind the last hold, for timelines."""

SOURCE = 60
"""Characters of a source line that stand for what has no name."""

MOSTLY = 0.5
"""The share of the looks that must find a thread in a state, for it to count as what the thread did: more often than not."""

UNSEEN = 0.05
"""Seconds without a look, while looks are due every few milliseconds, after which the machine stood still: a container's
limit of processor time, or a host that gave its processors to others. What lies in such a pause was held by no call."""

RUNPY = "<frozen runpy>"
"""What runs the program."""

Place = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a thread: when, what it did, and how long it had waited for a processor since it began."""

    at: float
    state: State
    delay: float


@dataclass(slots=True)
class Looks:
    """Looks at the threads of one process, by the kernel's number of the thread, in the order of time."""

    of: dict[int, list[Look]] = field(default_factory=lambda: defaultdict(list))

    def between(self, thread: int, start: float, end: float) -> list[Look]:
        """The looks at one thread from `start` to `end`."""
        looks = self.of.get(thread, [])
        first = bisect.bisect_left(looks, start, key=lambda look: look.at)
        return looks[first : bisect.bisect_right(looks, end, key=lambda look: look.at)]

    def around(self, thread: int, start: float, end: float) -> list[Look]:
        """As `between`, with the last look before and the first one after, where there are such."""
        looks = self.of.get(thread, [])
        first = bisect.bisect_right(looks, start, key=lambda look: look.at)
        return looks[max(0, first - 1) : bisect.bisect_left(looks, end, key=lambda look: look.at) + 1]

    def share(self, thread: int, start: float, end: float, state: State) -> float | None:
        """Which share of the looks found a thread in a state; None where there was no look."""
        looks = self.between(thread, start, end)
        return sum(look.state == state for look in looks) / len(looks) if looks else None

    def forget(self, before: float) -> None:
        """Forget what was earlier than a time."""
        for thread, looks in list(self.of.items()):
            first = bisect.bisect_left(looks, before, key=lambda look: look.at)
            if first > 1000 or first == len(looks):  # noqa: PLR2004 - deleting in front moves all others
                del looks[:first]
            if not looks:
                del self.of[thread]


@dataclass(slots=True)
class Sum:
    """A held call in the making."""

    threads: set[str] = field(default_factory=set)
    loop: str = ""
    calls: int = 0
    seconds: float = 0.0
    held: float = 0.0
    worst: float = 0.0
    waiters: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass(frozen=True, slots=True)
class Hold:
    """Nobody but the holder had the GIL from `start` to `end`; `candidates` as `inside` describes them.

    Attributes:
        began: the thread of the last sign before; 0 for the heartbeat.
        ended: the thread of the sign that ended it.
        loops: the kind of event loop for each thread that runs one, where the hold is long enough to stall it.
        limit: seconds beyond which threads in bytecode cannot explain it.
        suspects: the threads in bytecode.
        strangers: whether there are threads whose calls the interpreter does not tell: what `threading` did not start, on CPython 3.11.
    """

    start: float
    end: float
    began: int
    ended: int
    candidates: list[list[Any]]
    loops: dict[str, str]
    limit: float
    suspects: list[int]
    strangers: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """A hold that a timeline is to show."""

    seconds: float
    hold: Hold
    holder: int
    title: str


def writable(name: str) -> str:
    """A file's name as text that can be written: bytes that are no UTF-8 become question marks."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _between(looks: list[Look], at: float) -> float:
    """How long a thread had waited for a processor at a time between two looks."""
    first, last = looks[0], looks[-1]
    share = (at - first.at) / (last.at - first.at) if last.at > first.at else 0.0
    return first.delay + (last.delay - first.delay) * min(1.0, max(0.0, share))


class Attribution:
    """Takes the records in the order in which they were written; `looks` is filled by whoever looks."""

    def __init__(self, folder: Path) -> None:
        self.looks = Looks()
        self.folder = folder
        self.path: tuple[str, ...] = ()
        self.pid = 0
        self.heart = 0
        self.names: dict[int, str] = {}
        self.started: float | None = None
        self.ended: float | None = None
        self.complete = True
        self.errors = 0
        self.stopped: list[tuple[float, float]] = []
        self.sums: dict[tuple[str, str, Place], Sum] = defaultdict(Sum)
        self.unclear = 0.0
        self.stalls: list[tuple[float, int, LoopStall]] = []
        self.stalled = 0
        self._coming: deque[list[Any]] = deque()
        self._holds: list[Hold] = []
        self._moments: list[Moment] = []
        self._calls: list[tuple[int, float, float]] = []

    # ----------------------------------------------------------------------------------------- records

    def take(self, records: Iterable[list[Any]], seen: float = math.inf) -> None:
        """Read what the process wrote; what happened after `seen`, the time of the last look, waits for the looks to come."""
        self._coming.extend(records)
        while self._coming and not (self._coming[0][0] == "gap" and self._coming[0][2] >= seen):
            kind, *values = self._coming.popleft()
            if kind == "hold":
                self._holds.append(Hold(*values))
            elif kind == "gap":
                self._settle(*values)
            elif kind == "call":
                self._call(*values)
            elif kind == "thread":
                self.names[values[0]] = values[1] or f"thread {values[0]}"
            elif kind == "heart":
                self.heart = values[0]
            elif kind == "begin":
                self.started, self.pid, path = values
                self.path = tuple(sorted((entry for entry in path if entry), key=len, reverse=True))
            elif kind == "end":
                self.ended, self.complete, self.errors = values

    def name(self, thread: int) -> str:
        """A thread's name."""
        return self.names.get(thread, f"thread {thread}")

    def _settle(self, start: float, end: float, delay: float, runs: int) -> None:
        """The heartbeat was not heard from `start` to `end`; of that it waited `delay` for a processor, and `runs` times it got one.

        A thread that waits for the GIL wakes up each switch interval. Whenever the heartbeat ran and did not tick, the GIL
        was held; so only what it waited before the first such time, and after the last, may be load and no hold.
        """
        holds, self._holds = self._holds, []
        doubtful = delay * min(1.0, 2 / max(1, runs - 1))
        for hold in holds:
            self._hold(hold, doubtful if hold.end > start else 0.0)
        if end - start > KEPT or len(self.looks.of.get(self.heart, ())) > 10_000:  # noqa: PLR2004 - some megabytes
            self.looks.forget(start - KEPT)

    def finish(self) -> None:
        """Nothing more will come."""
        self.take(())
        for hold in self._holds:
            self._hold(hold, 0.0)
        self._holds = []

    def hung(self, thread: str, file: str, line: int, function: str, seconds: float) -> None:
        """A hold that never ended, of which only the place is known."""
        total = self.sums[self._source(file, line), "", (file, line, function)]
        total.threads.add(thread)
        total.held += seconds
        total.worst = max(total.worst, seconds)

    def _hold(self, hold: Hold, delay: float) -> None:
        """Add a hold to the call that held. `delay` is what the heartbeat's own waiting for a processor may have added to it."""
        if not hold.candidates or any(hold.start < end and start < hold.end for start, end in self.stopped):
            return
        chosen = self._choose(hold)
        if chosen is None or not self._certain(hold, chosen):
            self.unclear += hold.end - hold.start if chosen is None else 0.0
            return
        thread, name, toolkit, file, line, function, loop, inside = chosen
        seconds = hold.end - hold.start - max(0.0, delay) - max(self._delay(thread, hold), self._unseen(hold))  # a pause is both
        if seconds < HOLD or file == RUNPY or self._heard(hold):
            return
        name = name if inside else self._source(file, line)
        total = self.sums[name, toolkit, (file, line, function)]
        total.held += seconds
        total.worst = max(total.worst, seconds)
        total.loop = loop or total.loop
        total.threads.add(self.name(thread))
        stall = LoopStall("", self.name(thread), hold.start - (self.started or 0.0), seconds, name, self._short(file), line, own=True)
        if not inside and str(thread) in hold.loops and seconds > STALL:
            self._stall(replace(stall, loop=hold.loops[str(thread)]))
        for other, waited in self._waited(hold, thread, seconds).items():
            total.waiters[self.name(other)] += waited
            if str(other) in hold.loops and waited > STALL:
                self._stall(replace(stall, loop=hold.loops[str(other)], thread=self.name(other), seconds=waited, own=False))
        if seconds > STALL:
            self._remember(Moment(seconds, hold, thread, f"{name} at {self._short(file)}:{line}"))

    def _heard(self, hold: Hold) -> bool:
        """Whether the heartbeat was late, and not for the GIL."""
        beats = self.looks.between(self.heart, hold.start, hold.end)
        return len(beats) > 1 and not any(look.state == "waits" for look in beats)

    def _waited(self, hold: Hold, holder: int, seconds: float) -> dict[int, float]:
        """For how long each other thread waited for the GIL meanwhile."""
        others = [thread for thread in self.looks.of if thread not in {holder, self.heart}]
        shares = {thread: self.looks.share(thread, hold.start, hold.end, "waits") for thread in others}
        return {thread: share * seconds for thread, share in shares.items() if share}

    def _choose(self, hold: Hold) -> list[Any] | None:
        """Who held. Where the last sign is a thread's own, it was that thread; else whoever was in C and did not wait for the GIL."""

        def waiting(candidate: list[Any]) -> bool:
            return (self.looks.share(candidate[0], hold.start, hold.end, "waits") or 0.0) > MOSTLY

        def running(candidate: list[Any]) -> float:
            return self.looks.share(candidate[0], hold.start, hold.end, "runs") or 0.0

        if len(hold.candidates) == 1:
            (only,) = hold.candidates
            return None if waiting(only) or (hold.strangers and running(only) < MOSTLY) else only
        rest = [candidate for candidate in hold.candidates if candidate[7] and not waiting(candidate)]
        return max(rest, key=lambda candidate: (running(candidate), candidate[0] == hold.ended), default=None)

    def _unseen(self, hold: Hold) -> float:
        """For how long nobody looked who should have."""
        beats = self.looks.around(self.heart, hold.start, hold.end)
        if not beats:
            return 0.0  # looking is not allowed
        times = [hold.start, *(look.at for look in beats if hold.start < look.at < hold.end), hold.end]
        return sum(later - earlier for earlier, later in itertools.pairwise(times) if later - earlier > UNSEEN)

    def _certain(self, hold: Hold, chosen: list[Any]) -> bool:
        """Whether no bytecode of other threads can be behind it, not even of threads that had the GIL and no processor.

        Who waits for the GIL does not have it. Whether a thread that was seen running had it or wanted to ask for it,
        and whether it had a processor, only its length tells: asking takes no time but that for a processor.
        """
        length = hold.end - hold.start
        others = [suspect for suspect in hold.suspects if suspect != chosen[0]]
        delays = [self._delay(suspect, hold) for suspect in others]
        if length - sum(delays) <= hold.limit:
            shares = [self.looks.share(suspect, hold.start, hold.end, "runs") for suspect in others]
            return len(others) == len(hold.suspects) and all(share == 0 for share in shares)
        if not self.looks.of.get(self.heart):
            return True  # looking is not allowed
        return sum(self._ran(suspect, hold) for suspect in others) < (length - max(delays, default=0.0)) / 2

    def _ran(self, thread: int, hold: Hold) -> float:
        """How long a thread ran meanwhile, without what it waited for a processor; all the time where nobody looked."""
        looks = self.looks.around(thread, hold.start, hold.end)
        if len(looks) < 2:  # noqa: PLR2004 - one before and one after
            return hold.end - hold.start
        ran = 0.0
        for earlier, later in itertools.pairwise(looks):
            if earlier.state == "runs":
                overlap = min(later.at, hold.end) - max(earlier.at, hold.start)
                ran += overlap * (1.0 - (later.delay - earlier.delay) / (later.at - earlier.at))
        return max(0.0, ran)

    def _delay(self, thread: int, hold: Hold) -> float:
        """How long a thread waited for a processor meanwhile; without a look in between, as long as from the last look before to the next."""
        around = self.looks.around(thread, hold.start, hold.end)
        if not around:
            return 0.0
        if not self.looks.between(thread, hold.start, hold.end):
            return around[-1].delay - around[0].delay
        return _between(around[-2:], hold.end) - _between(around[:2], hold.start)

    def _call(
        self, thread: int, start: float, end: float, name: str, toolkit: str, file: str, line: int, function: str, loop: str, task: str, runs: str
    ) -> None:
        """A call of a C function that took longer than a millisecond."""
        total = self.sums[name, toolkit, (file, line, function)]
        total.calls += 1
        total.seconds += end - start
        total.loop = loop or total.loop
        total.threads.add(self.name(thread))
        if toolkit or end - start > STALL:
            self._calls.append((thread, start, end))
            if len(self._calls) > 20_000:  # noqa: PLR2004 - some megabytes
                del self._calls[:10_000]
        # While it waited for the GIL, another call stalled the loop.
        seconds = (end - start) * (1.0 - (self.looks.share(thread, start, end, "waits") or 0.0))
        if loop and not runs and seconds > STALL:
            at = start - (self.started or 0.0)
            self._stall(LoopStall(loop, self.name(thread), at, seconds, name, self._short(file), line, own=True, task=task))

    def _stall(self, stall: LoopStall) -> None:
        self.stalled += 1
        entry = (stall.seconds, -self.stalled, stall)
        if len(self.stalls) < STALLS:
            heapq.heappush(self.stalls, entry)
        else:
            heapq.heappushpop(self.stalls, entry)

    # ----------------------------------------------------------------------------------------- results

    def calls(self) -> tuple[HeldCall, ...]:
        """What held longest first, then what a toolkit's calls took that did not hold."""
        found = [
            HeldCall(
                name, toolkit, self._short(file), line, function, tuple(sorted(total.threads)), total.loop, total.calls, total.seconds, total.held,
                total.worst, sum(total.waiters.values()), dict(sorted(total.waiters.items(), key=lambda item: -item[1])),
            )
            for (name, toolkit, (file, line, function)), total in self.sums.items()
            if total.held > FLOOR or toolkit
        ]  # fmt: skip
        return tuple(sorted(found, key=lambda call: (-call.held, -call.seconds, call.python)))

    def longest_stalls(self) -> tuple[LoopStall, ...]:
        """Longest first."""
        return tuple(entry[2] for entry in sorted(self.stalls, reverse=True))

    def timelines(self) -> tuple[Timeline, ...]:
        """Of all threads that were seen, around the longest holds."""
        return tuple(self._timeline(moment) for moment in sorted(self._moments, key=lambda moment: -moment.seconds))

    def _remember(self, moment: Moment) -> None:
        same = next((one for one in self._moments if one.title == moment.title), None)
        if same is not None:
            if same.seconds >= moment.seconds:
                return
            self._moments.remove(same)
        self._moments.append(moment)
        if len(self._moments) > TIMELINES:
            self._moments.remove(min(self._moments, key=lambda one: one.seconds))

    def _timeline(self, moment: Moment) -> Timeline:
        margin = MARGIN * (moment.hold.end - moment.hold.start)
        start, end = max(moment.hold.start - margin, self.started or 0.0), moment.hold.end + margin
        lanes = []
        for thread, name in self.names.items():
            if thread == self.heart:
                continue
            looks = [(look.at, look.state) for look in self.looks.between(thread, start, end)]
            spans = list(waits.spans_of(looks, start, end))
            spans += [
                Span(max(begin, start) - start, min(finish, end) - start, "call")
                for caller, begin, finish in self._calls
                if caller == thread and begin < end and finish > start
            ]
            if spans:
                lanes.append(Lane(name, tuple(spans)))
        return Timeline(moment.title, end - start, tuple(lanes))

    def _short(self, file: str) -> str:
        """A file's name below the program's folder, or below the folder that it was imported from."""
        for folder in (str(self.folder), *self.path):
            prefix = folder.rstrip("/") + "/"
            if file.startswith(prefix):
                return writable(file.removeprefix(prefix))
        return writable(Path(file).name if file.startswith("/") else file)

    def _source(self, file: str, line: int) -> str:
        """What stands for a hold outside every call that was seen: the line of the program where it ended."""
        text = " ".join(linecache.getline(file, line).split())
        text = text if len(text) <= SOURCE else f"{text[: SOURCE - 3]}..."
        return f"(no call) {text}" if text else "(no call)"
