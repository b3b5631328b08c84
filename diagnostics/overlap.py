"""Serial against parallel: do two independent calls in two Python threads really run at once?

Wall time alone can be fooled: on a loaded machine two cores look like one. So beside each repetition runs
a pair of calls that are known to release, and the processor time of both calling threads is taken: more
than one second of it in a second of wall time is possible only when both ran at once. The toolkits'
own threads are limited to one a call (see `single_threaded` in the cases), or a single call could
use both cores and leave nothing to gain.
"""

from __future__ import annotations

import hashlib
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gilgen.diagnostics.cases import Work
from gilgen.diagnostics.records import Scene

from gilgen.model import Overlap

REPETITIONS = 3
"""Interleaved, so that load which comes and goes meets serial and parallel alike; medians are kept."""

REFERENCE_BYTES = 32 << 20
"""Hashed by each thread of the reference pair: some twenty milliseconds."""


@dataclass(slots=True)
class Span:
    """When one call began and ended and the processor time of its thread, in seconds; the kernel's number of the thread."""

    start: float = 0.0
    end: float = 0.0
    processor: float = 0.0
    error: BaseException | None = None
    thread: int = 0


def _span(call: Callable[[], object]) -> Span:
    span = Span(thread=threading.get_native_id())
    processor = time.thread_time()
    span.start = time.perf_counter()
    try:
        call()
    except BaseException as error:  # noqa: BLE001 - carried out of the thread and raised there
        span.error = error
    span.end = time.perf_counter()
    span.processor = time.thread_time() - processor
    return span


def in_turn(calls: tuple[Callable[[], object], ...]) -> tuple[float, float]:
    """Run one after the other; wall and processor time in seconds."""
    return _totals([_span(call) for call in calls])[:2]


def at_once(calls: tuple[Callable[[], object], ...]) -> tuple[float, float, list[Span]]:
    """Run each in its own thread, all at once; wall time and the callers' processor time in seconds, and the calls."""
    spans: list[Span] = []
    gate = threading.Barrier(len(calls))

    def wait_and_run(call: Callable[[], object]) -> None:
        gate.wait()
        spans.append(_span(call))

    threads = [threading.Thread(target=wait_and_run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _totals(spans)


def _totals(spans: list[Span]) -> tuple[float, float, list[Span]]:
    for span in spans:
        if span.error is not None:
            raise span.error
    wall = max(span.end for span in spans) - min(span.start for span in spans)
    return wall, sum(span.processor for span in spans), spans


def measure(first: Work, second: Work, repetitions: int = REPETITIONS) -> tuple[Overlap, Scene]:
    """Measure two independent pieces of work; the figures, and what to look for in what was seen from outside.

    Both must have run once before, alone: first uses race.
    """
    buffers = bytes(REFERENCE_BYTES), bytes(REFERENCE_BYTES)
    reference_calls = tuple(lambda buffer=buffer: hashlib.sha256(buffer).digest() for buffer in buffers)
    calls = first.call, second.call
    serial: list[tuple[float, float]] = []
    parallel: list[tuple[float, float]] = []
    references: list[float] = []
    for _ in range(repetitions):
        references.append(in_turn(reference_calls)[0] / at_once(reference_calls)[0])
        _reset(first, second)
        serial.append(in_turn(calls))
        _reset(first, second)
        wall, processor, spans = at_once(calls)
        parallel.append((wall, processor))
    references.append(in_turn(reference_calls)[0] / at_once(reference_calls)[0])
    serial_wall = statistics.median(wall for wall, _ in serial)
    parallel_wall = statistics.median(wall for wall, _ in parallel)
    overlap = Overlap(
        serial=serial_wall,
        parallel=parallel_wall,
        ratio=serial_wall / parallel_wall,
        simultaneous=statistics.median(processor / wall for wall, processor in parallel),
        busy=statistics.median(processor / wall for wall, processor in serial),
        # The worst one: a "holds" from timing needs a machine that had two free cores all along.
        reference=min(references),
    )
    names = {span.thread: f"thread {number}" for number, span in enumerate(spans, 1)}
    calls_made = tuple((span.thread, span.start, span.end) for span in spans)
    return overlap, Scene("two calls at once", min(span.start for span in spans), max(span.end for span in spans), names, calls_made)


def _reset(*works: Work) -> None:
    for work in works:
        work.reset()
