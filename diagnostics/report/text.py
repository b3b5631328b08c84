"""A report for a terminal or a plain file."""

from __future__ import annotations

from collections.abc import Sequence

from gilgen.diagnostics.report.material import Material
from gilgen.diagnostics.report.words import (
    HEADINGS,
    about,
    details,
    gone,
    headline,
    loud,
    rows,
    survey_headline,
    survey_rows,
)

from gilgen.model import Profile, Report, Survey


def render(material: Material) -> str:
    """All that was measured. An invalid report says so first and last."""
    parts = [_diagnosis(material)]
    if material.survey is not None:
        parts.append(_survey(material.survey))
    if material.profile is not None:
        parts.append(_profile(material.profile))
    if loud(material) and material.report.valid:
        parts = [loud(material), *parts, loud(material)]
    return "\n\n".join(part for part in parts if part)


def as_text(report: Report) -> str:
    """A diagnosis alone."""
    return _diagnosis(Material(report))


def _diagnosis(material: Material) -> str:
    report = material.report
    if not report.results and not report.controls and (material.survey or material.profile):
        return ""
    first = [] if report.valid else [headline(report), ""]
    table = aligned([HEADINGS, *rows(report)])
    last = [line for line in (headline(report), gone(report)) if line]
    return "\n".join([*first, about(report), "", *table, "", *details(report), "", *last])


def _survey(survey: Survey) -> str:
    return "\n".join(["Survey", "", *aligned(survey_rows(survey)), "", *survey.notices, survey_headline(survey)])


def _profile(profile: Profile) -> str:
    from gilgen.diagnostics.profile.text import as_text as said  # noqa: PLC0415 - which itself aligns its columns here

    return "\n".join(["Profile", "", said(profile)])


def aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns of equal width, the first row underlined."""
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]
