"""Steer a pipeline while it runs: the main thread keeps a 60 Hz loop, as a window would.

A worker thread contours a volume. The main thread meanwhile "draws" a frame every 17 ms, and twice a second
it changes the contour's values, aborts what runs and starts it again. What counts is the worst frame: the
longest time between two turns of the loop. A window that does not turn for a quarter of a second is felt;
one that does not turn for two seconds looks dead.

    python examples/steering.py            plain, then with gilgen
    python examples/steering.py --plain    plain only
"""

from __future__ import annotations

import argparse
import threading
import time
from dataclasses import dataclass
from typing import Any

from vtkmodules.vtkFiltersCore import vtkContourFilter
from vtkmodules.vtkImagingCore import vtkRTAnalyticSource

import gilgen

FRAME = 1 / 60
SECONDS = 4.0
STEER_EVERY = 0.5
"""Seconds between changes of the parameter: shorter than a run, so that a change aborts it."""


@dataclass
class Outcome:
    """What the loop noted: the worst frame in seconds; how many frames, finished and aborted runs there were."""

    worst_frame: float = 0.0
    frames: int = 0
    finished: int = 0
    aborted: int = 0


class Pipeline:
    """Twelve contours of a volume, which take a second or two, run by a worker thread."""

    def __init__(self) -> None:
        source = vtkRTAnalyticSource()
        source.SetWholeExtent(-100, 100, -100, 100, -100, 100)
        source.Update()
        self.contour: Any = vtkContourFilter()
        self.contour.SetInputData(source.GetOutput())
        self.thread: threading.Thread | None = None

    def start(self, lowest: float) -> None:
        """Set the contour values, from `lowest` upwards, and run in a thread."""
        self.contour.SetAbortExecute(0)
        self.contour.GenerateValues(12, lowest, lowest + 120.0)
        self.thread = threading.Thread(target=self.contour.UpdatePiece, args=(0, 1, 0))
        self.thread.start()

    def running(self) -> bool:
        """Whether the worker thread is still at it."""
        return self.thread is not None and self.thread.is_alive()

    def abort(self) -> None:
        """Ask the filter to stop, and wait for it: it looks at this flag every few milliseconds."""
        if self.thread is not None:
            self.contour.SetAbortExecute(1)
            self.thread.join()


def steer() -> Outcome:
    """Run the loop for `SECONDS`, steering the pipeline as it goes."""
    outcome = Outcome()
    pipeline = Pipeline()
    value = 60.0
    pipeline.start(value)
    begin = last_frame = last_change = time.perf_counter()
    while last_frame - begin < SECONDS:
        time.sleep(FRAME)  # a real program draws and handles events here
        now = time.perf_counter()
        outcome.worst_frame = max(outcome.worst_frame, now - last_frame)
        outcome.frames += 1
        last_frame = now
        if now - last_change > STEER_EVERY or not pipeline.running():
            if pipeline.running():
                outcome.aborted += 1
            else:
                outcome.finished += 1
            pipeline.abort()
            value = 60.0 + (value - 50.0) % 40.0
            pipeline.start(value)
            last_change = now
    pipeline.abort()
    return outcome


def show(what: str, outcome: Outcome) -> None:
    """Print a line of the table."""
    rate = outcome.frames / SECONDS
    print(
        f"{what:7} {outcome.worst_frame:10.3f} s {rate:12.0f} {outcome.finished:9} {outcome.aborted:8}",
        flush=True,
    )


def main() -> None:
    """Steer with the plain library, then with gilgen."""
    parser = argparse.ArgumentParser(
        description="Steer a VTK pipeline while it runs, with and without gilgen."
    )
    parser.add_argument("--plain", action="store_true", help="only the plain library")
    plain_only = parser.parse_args().plain

    print(f"{'shims':7} {'worst frame':>12} {'frames/s':>12} {'finished':>9} {'aborted':>8}")
    show("plain", steer())
    if plain_only:
        return
    try:
        gilgen.activate("vtk")
    except gilgen.GilgenError as error:
        print(f"with gilgen: {error}")
        return
    show("gilgen", steer())
    gilgen.deactivate()


if __name__ == "__main__":
    main()
