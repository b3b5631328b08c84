"""Reports, surveys and profiles for tests: made up, but whole, so that each form of a report has everything to show."""

from __future__ import annotations

from dataclasses import replace

from gilgen.diagnostics import controls
from gilgen.diagnostics.report import Material

from gilgen.manifest import Coverage
from gilgen.model import (
    CaseResult,
    Environment,
    HeldCall,
    Lane,
    LoopStall,
    Overlap,
    Profile,
    Report,
    Span,
    Survey,
    Surveyed,
    Timeline,
    Waits,
    Window,
    Witness,
)

PLACE = Environment("0.1.0", "CPython 3.11.7", "x86_64", "Linux, glibc 2.36", 2, {"vtk": "9.6.2", "itk": "5.4.7"}, "2026-11-22")

HELD_LANES = (
    Lane("the calling thread", (Span(0.0, 0.24, "runs"), Span(0.01, 0.24, "call"), Span(0.24, 0.25, "sleeps"))),
    Lane("another thread", (Span(0.0, 0.01, "sleeps"), Span(0.01, 0.24, "waits"), Span(0.24, 0.25, "runs"))),
)
FREED_LANES = (
    Lane("the calling thread", (Span(0.0, 0.25, "runs"), Span(0.01, 0.24, "call"))),
    Lane(
        "another thread",
        tuple(Span(tick / 1000 + part, tick / 1000 + part + 0.0005, state) for tick in range(250) for part, state in ((0.0, "sleeps"), (0.0005, "runs"))),
    ),
)  # fmt: skip

HELD = CaseResult(
    "obb", "vtk", "vtkOBBTree.BuildLocator", shims=False, verdict="holds", because="no other thread ran during 0.250 s",
    window=Window(0.25, 0, 0.25, 0.0, 0.001, stall=0.24, processor=0.23), overlap=Overlap(0.5, 0.52, 0.96, 1.0, 1.0, 1.9),
    witness=Witness(50, 50), waits=Waits(60, 58), inside=1.0, timelines=(Timeline("one call", 0.25, HELD_LANES),),
)  # fmt: skip
FREED = CaseResult(
    "obb", "vtk", "vtkOBBTree.BuildLocator", shims=True, verdict="releases", because="others ran in 100% of 0.250 s",
    window=Window(0.25, 240, 0.004, 1.0, 0.001, stall=0.002, processor=0.24), overlap=Overlap(0.5, 0.26, 1.92, 1.9, 1.0, 1.9),
    witness=Witness(50, 0), waits=Waits(60, 0), inside=1.9, timelines=(Timeline("one call", 0.25, FREED_LANES),),
)  # fmt: skip

GOOD = tuple(CaseResult(case.name, "control", case.call, shims=False, verdict=controls.EXPECTED[case.name], because="as it must") for case in controls.CASES)
WRONG = (replace(GOOD[0], verdict="holds", because="for a test"), *GOOD[1:])

HOSTILE = "<script>document.title='broken'</script>\"'&"
"""A name that breaks a page which does not escape it."""


def of(*results: CaseResult, **changes) -> Report:
    return replace(Report(PLACE, valid=True, controls=GOOD, results=results), **changes)


def named(result: CaseResult, name: str, **changes) -> CaseResult:
    return replace(result, **{"case": name, "call": f"vtk{name}.Call", **changes})


def bare(verdict: str, name: str, *, shims: bool = True, **changes) -> CaseResult:
    """A result without any evidence: a crash leaves none."""
    return replace(CaseResult(name, "vtk", f"vtk{name}.Call", shims=shims, verdict=verdict, because=f"because {verdict}"), **changes)


def every_kind() -> Report:
    """A case for each outcome, with names and messages that break what does not escape them."""
    results = [HELD, FREED]
    results += [named(FREED, "Free", shims=False), named(FREED, "Free")]
    results += [named(HELD, "Stays", toolkit="itk"), named(HELD, "Stays", toolkit="itk", shims=True)]
    results += [named(HELD, "Half"), named(FREED, "Half", verdict="partly")]
    results += [named(FREED, "Worse", shims=False), named(HELD, "Worse", shims=True)]
    results += [named(HELD, "Crash"), bare("crash", "Crash", message="Fatal Python error: \x1b[31mSegmentation fault\x00\n" + "frame\n" * 2000)]
    results += [bare("error", "Error", shims=False, message=HOSTILE), bare("timeout", "Late")]
    results += [bare("unknown", "Busy"), bare("too short", "Short"), bare("untested", "Untried")]
    results += [named(HELD, HOSTILE, notes=(f"a note | {HOSTILE}",)), named(FREED, HOSTILE)]
    return of(*results, notices=(f"a notice {HOSTILE}",), coverage={"vtk": Coverage(61990, 997, 799, 95, {"inline": 45})})


def survey(count: int = 60) -> Survey:
    """`count` classes of two toolkits in modules of uneven size, with every outcome."""
    kinds = [("holds", "releases"), ("holds", "holds"), ("releases", "releases"), ("partly", "releases"), ("holds", "crash"), ("untested", "untested"),
             ("too short", "too short"), ("unknown", "unknown"), ("releases", "holds"), ("partly", "partly")]  # fmt: skip
    classes = []
    for number in range(count):
        before, after = kinds[0] if number % 3 else kinds[number // 3 % len(kinds)]
        toolkit = "itk" if number % 4 == 3 else "vtk"
        module = f"{toolkit}Module{int((number % 97) ** 0.6)}"
        held = 0.2 if before in {"holds", "partly"} else 0.0
        name = f"{toolkit}Class{number}"
        classes.append(Surveyed(toolkit, module, name, f"{name}.Update", before, after, f"because {HOSTILE if number == 1 else after}", held, 0.001 if held else 0.0, 4096 * (number == 7)))
    return Survey(PLACE, valid=True, seconds=812.5, scheduler="2 local processes", classes=tuple(classes), notices=("a notice of the survey",))


def profile() -> Profile:
    """A program with an event loop that its own thread and another stall."""
    calls = (
        HeldCall("vtkOBBTree.BuildLocator", "vtk", "viewer.py", 42, "pick", ("worker",), "", 3, 2.1, 2.0, 0.8, 1.9, {"MainThread": 1.9}),
        HeldCall("itk.MedianImageFilter.Update", "itk", "viewer.py", 77, HOSTILE, ("MainThread",), "asyncio", 2, 1.4, 0.9, 0.5, 0.0),
    )
    stalls = (
        LoopStall("asyncio", "MainThread", 1.0, 0.8, "vtkOBBTree.BuildLocator", "viewer.py", 42, own=False),
        LoopStall("asyncio", "MainThread", 1.2, 0.1, "vtkOBBTree.BuildLocator", "viewer.py", 42, own=False),
        LoopStall("asyncio", "MainThread", 3.0, 0.05, "itk.MedianImageFilter.Update", "viewer.py", 77, own=True),
    )
    return Profile(PLACE, "viewer.py", 9.5, "monitor", 0, calls, stalls, (Timeline(f"around a call of {HOSTILE}", 0.25, HELD_LANES),), ("a notice of the profile",))


def everything() -> Material:
    return Material(every_kind(), survey(), profile())
