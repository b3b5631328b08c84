"""The toolkits that gilgen knows, by name."""

from __future__ import annotations

import importlib
from typing import cast

from gilgen.errors import ToolkitNotFoundError
from gilgen.toolkits.base import Toolkit

NAMES = ("vtk", "itk")
"""Each is a module of this package with a `TOOLKIT`."""


def get(name: str) -> Toolkit:
    """The toolkit of that name.

    Raises:
        ToolkitNotFoundError: gilgen knows none of that name.
    """
    if name not in NAMES:
        known = ", ".join(NAMES)
        raise ToolkitNotFoundError(f"gilgen knows no toolkit {name!r}.", f"Name one or more of: {known}.")
    module = importlib.import_module(f"gilgen.toolkits.{name}")
    return cast("Toolkit", module.TOOLKIT)
