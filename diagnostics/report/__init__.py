"""A run's report, in every form in which a person or a machine reads one.

`words`, `readings` and `evidence` say what all forms say. Each form is a module with one function, `render`: `text` for
terminals, `markdown` for a CI summary, `html` for looking (with `charts` and `drawing`), `junit` for CI servers, `trace` for
Perfetto. `schema` describes the JSON that `store` writes.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Literal, Protocol, cast

from gilgen.diagnostics.report.markdown import as_markdown
from gilgen.diagnostics.report.material import Material, Pair, pairs
from gilgen.diagnostics.report.text import aligned, as_text
from gilgen.diagnostics.report.words import HEADINGS, about, details, gone, headline, is_busy, rows

from gilgen import store
from gilgen.errors import GilgenError, install

__all__ = (
    "HEADINGS", "Form", "Material", "Pair", "Reporter", "about", "aligned", "as_markdown", "as_text", "details", "gone", "headline", "is_busy", "last_report",
    "pairs", "reporter", "rows",
)  # fmt: skip

Form = Literal["text", "markdown", "html", "junit", "trace"]


class Reporter(Protocol):
    """What each form's module offers."""

    def render(self, material: Material) -> str:
        """The whole report in this form."""


def reporter(form: Form) -> Reporter:
    """The module that makes one form of a report; loaded only when asked for.

    Raises:
        GilgenError: the form needs a package that is not installed.
    """
    try:
        return cast("Reporter", importlib.import_module(f"{__name__}.{form}"))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "gilgen":
            raise
        raise GilgenError(f"A report as {form} needs {error.name}, which is not installed.", install(error.name)) from error


def last_report() -> Path:
    """Where the last run's report is kept."""
    return store.cache_dir() / "report" / "report.json"
