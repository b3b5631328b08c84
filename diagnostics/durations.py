"""Lengths of time as people write them: "20ms", "1.5 s", "500us"."""

from __future__ import annotations

import math
import re

from gilgen.errors import GilgenError

UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
"""Each unit in seconds."""

_FORM = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-zµ]+)\s*")

READABLE = 0.1
"""Seconds below which a length of time is told in milliseconds."""


def seconds(text: str | float) -> float:
    """What a length of time is in seconds. A number without a unit is taken only as a number, not as text.

    Raises:
        GilgenError: it is none.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        if math.isfinite(text) and text >= 0:
            return float(text)
    elif isinstance(text, str) and (found := _FORM.fullmatch(text)) and found[2] in UNITS:
        return float(found[1]) * UNITS[found[2]]
    raise GilgenError(f"{text!r} is no length of time.", "Write it with its unit: 20ms, 1.5s or 500us.")


def say(length: float) -> str:
    """A length of time in seconds, for people."""
    return f"{length * 1000:.1f} ms" if length < READABLE else f"{length:.3f} s"
