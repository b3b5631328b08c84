"""A report as Markdown, for the summary of a CI run or a README."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gilgen.diagnostics.report.material import Material
from gilgen.diagnostics.report.words import (
    HEADINGS,
    HELD_HEADINGS,
    about,
    details,
    gone,
    headline,
    held_rows,
    loud,
    place,
    profile_headline,
    rows,
    survey_headline,
    survey_rows,
)

from gilgen.model import Profile, Report, Survey

MOST_CALLS = 20
"""A summary is short; the HTML page and the JSON file hold every call of a profile."""


def render(material: Material) -> str:
    """All that was measured, a headline and a table each."""
    report = material.report
    alone = not report.results and not report.controls and (material.survey or material.profile)
    parts = [] if alone else [as_markdown(report)]
    if material.survey is not None:
        parts.append(_survey(material.survey))
    if material.profile is not None:
        parts.append(_profile(material.profile))
    if loud(material) and (alone or report.valid):
        parts.insert(0, f"**{loud(material)}**")
    return "\n\n".join(parts)


def as_markdown(report: Report) -> str:
    """A diagnosis alone."""
    lost = gone(report)
    return "\n".join(
        [
            f"**{headline(report)}**{f' {_plain(lost)}' if lost else ''}",
            "",
            about(report),
            "",
            *_table([HEADINGS, *rows(report)]),
            "",
            *(f"- {_plain(line)}" for line in details(report)),
        ]
    )


def _survey(survey: Survey) -> str:
    notices = ("", *(f"- {_plain(line)}" for line in survey.notices)) if survey.notices else ()
    return "\n".join([f"**{survey_headline(survey)}**", "", place(survey.environment), "", *_table(survey_rows(survey)), *notices])


def _profile(profile: Profile) -> str:
    shown = held_rows(profile)[:MOST_CALLS]
    more = [f"- and {len(profile.calls) - MOST_CALLS} more calls"] if len(profile.calls) > MOST_CALLS else []
    notes = [*more, *(f"- {_plain(line)}" for line in profile.notices)]
    return "\n".join([f"**{_plain(profile_headline(profile))}**", "", *_table([HELD_HEADINGS, *shown]), *([""] if notes else []), *notes])


def _table(cells: Sequence[Sequence[str]]) -> Iterable[str]:
    lines = [cells[0], tuple("---" for _ in cells[0]), *cells[1:]]
    return ["| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in row) + " |" for row in lines]


def _plain(text: str) -> str:
    """One line without markup: an error's message may hold several lines and angle brackets."""
    return " ".join(text.split()).replace("<", "&lt;")
