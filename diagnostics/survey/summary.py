"""The map in numbers: how much of each toolkit holds, how much releases, and how much is untested and why."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from gilgen.model import Survey, Surveyed, Verdict

REASONS: tuple[tuple[str, str], ...] = (
    (r"render window|RenderWindow|OpenGL", "needs a render window"),
    (r"^abstract|is not implemented|did not create output|[Ss]ubclass|^Algorithm vtk\w*Algorithm returned failure", "abstract"),
    (r"supplies|callbacks", "runs the user's own code"),
    (r"needs several processes|[Cc]ontroller|MPI|[Ss]ocket", "needs several processes"),
    (r"needs a device|needs a database|SQL|[Dd]atabase", "needs a device or a database"),
    (r"needs a? ?files?|[Ff]ile ?name|could not open|[Cc]annot open|[Ff]ailed to open|[Uu]nable to open|did not write|open file", "needs a file of its own kind"),
    (r"deadline|ended by|too much memory|ended the process", "ends its process"),
    (r"no generic input|not part of", "no generic input"),
    (r"NotImplementedError|TypeError|AttributeError|[Nn]ot (supported|implemented)", "refuses the input"),
)
"""What the reason of an untested class says -> the group that it is counted in; the first that matches counts."""

OTHER = "refuses the input"

HELD: frozenset[Verdict] = frozenset({"holds", "partly"})
DECIDED: frozenset[Verdict] = frozenset({"releases", "holds", "partly"})
ENDED: frozenset[Verdict] = frozenset({"crash"})


@dataclass(frozen=True, slots=True)
class Summary:
    """One toolkit's survey in numbers.

    Attributes:
        toolkit: "vtk" or "itk"; `version` is its version.
        classes: that do work, as far as Python sees them.
        tried: of these, classes of which at least one call ended in a verdict, a crash or at its deadline.
        calls: that were made.
        held_before: calls that held the GIL in the plain wheel, throughout or partly.
        released_before: calls that released it there already.
        released_after: of those that held, calls that release with the shims.
        hold_after: of those that held, calls that still do.
        worse: calls that released in the plain wheel and do not any more; none is the promise.
        lost: calls that crash or hang with the shims and did not in the plain wheel.
        crashed: classes that end the process, by themselves or with the shims.
        hung: classes that do not end before the deadline.
        leaks: classes that lose memory with each call.
        short: calls that are over too soon to be judged, plain.
        unknown: calls that the machine was too busy to judge, plain or with the shims.
        untested: reason -> classes.
        modules: module -> the same counts, "tried", "held" and "released".
    """

    toolkit: str
    version: str
    classes: int
    tried: int
    calls: int
    held_before: int
    released_before: int
    released_after: int
    hold_after: int
    worse: int
    lost: int
    crashed: int
    hung: int
    leaks: int
    short: int
    unknown: int
    untested: dict[str, int] = field(default_factory=dict)
    modules: dict[str, dict[str, int]] = field(default_factory=dict)


def summary(survey: Survey) -> tuple[Summary, ...]:
    """The survey in numbers, a record for each toolkit."""
    by_toolkit: dict[str, list[Surveyed]] = defaultdict(list)
    for record in survey.classes:
        by_toolkit[record.toolkit].append(record)
    return tuple(_summary(toolkit, survey.environment.toolkits.get(toolkit, ""), records) for toolkit, records in by_toolkit.items())


def _summary(toolkit: str, version: str, records: list[Surveyed]) -> Summary:
    tried = [record for record in records if record.before != "untested"]
    held = [record for record in tried if record.before in HELD]
    return Summary(
        toolkit=toolkit,
        version=version,
        classes=_classes(records),
        tried=_classes(tried),
        calls=len(tried),
        held_before=len(held),
        released_before=sum(record.before == "releases" for record in tried),
        released_after=sum(record.after == "releases" for record in held),
        hold_after=sum(record.after in HELD for record in held),
        worse=sum(record.before == "releases" and record.after in HELD for record in tried),
        lost=sum(record.before in DECIDED and record.after in {"crash", "timeout"} for record in tried),
        crashed=_classes(record for record in records if "crash" in {record.before, record.after}),
        hung=_classes(record for record in records if "timeout" in {record.before, record.after}),
        leaks=_classes(record for record in records if record.leaked),
        short=sum(record.before == "too short" for record in tried),
        unknown=sum("unknown" in {record.before, record.after} for record in tried),
        untested=dict(Counter(reason_of(record) for record in records if record.before == "untested").most_common()),
        modules=_modules(tried),
    )


def _classes(records: Iterable[Surveyed]) -> int:
    return len({record.name for record in records})


def _modules(tried: list[Surveyed]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for record in tried:
        found[record.module].update({"tried": 1, "held": record.before in HELD, "released": record.before in HELD and record.after == "releases"})
    return {module: dict(found[module]) for module in sorted(found)}


def reason_of(record: Surveyed) -> str:
    """The group that the reason of an untested class belongs to."""
    return next((group for pattern, group in REASONS if re.search(pattern, record.because)), OTHER)


# ---------------------------------------------------------------------------------------------- for people

ROWS: tuple[tuple[str, str], ...] = (
    ("classes", "classes that do work"),
    ("tried", "tried"),
    ("calls", "calls measured"),
    ("released_before", "released in the plain wheel"),
    ("held_before", "held before"),
    ("released_after", "released after"),
    ("hold_after", "still hold"),
    ("worse", "released before, hold after"),
    ("lost", "crash or hang only with the shims"),
    ("crashed", "classes that crash"),
    ("hung", "classes that hang"),
    ("leaks", "classes that leak"),
    ("short", "calls too short to judge"),
    ("unknown", "calls that a busy machine left open"),
)
"""What is shown of a summary: the field, and its words."""


def as_markdown(survey: Survey) -> str:
    """The table for a README."""
    found = summary(survey)
    names = [f"{each.toolkit} {each.version}" for each in found]
    lines = ["| | " + " | ".join(names) + " |", "|---|" + "---:|" * len(found)]
    lines += [f"| {words} | " + " | ".join(f"{getattr(each, row):,}" for each in found) + " |" for row, words in ROWS]
    reasons = Counter[str]()
    for each in found:
        reasons.update(each.untested)
    lines += [f"| untested: {reason} | " + " | ".join(f"{each.untested.get(reason, 0):,}" for each in found) + " |" for reason, _ in reasons.most_common()]
    return "\n".join([*lines, "", _how(survey)])


def _how(survey: Survey) -> str:
    environment = survey.environment
    where = "a Dask cluster" if survey.scheduler != "local" else "local processes"
    return f"{survey.seconds / 60:.0f} minutes in {where} on {environment.processors} processors, {environment.python}, {environment.machine}; gilgen {environment.gilgen}, {environment.date}."


def as_text(survey: Survey) -> str:
    """A short table for the terminal."""
    found = summary(survey)
    width = max(len(words) for _, words in ROWS) + 2
    lines = [" " * width + "".join(f"{f'{each.toolkit} {each.version}':>14}" for each in found)]
    lines += [f"{words:<{width}}" + "".join(f"{getattr(each, row):>14,}" for each in found) for row, words in ROWS]
    reasons = Counter[str]()
    for each in found:
        reasons.update(each.untested)
    lines += [f"{'untested: ' + reason:<{width}}" + "".join(f"{each.untested.get(reason, 0):>14,}" for each in found) for reason, _ in reasons.most_common()]
    lines += ["", _how(survey), *survey.notices]
    return "\n".join(lines)
