"""Recipes by hand, for methods of VTK that no generic preparation makes ready.

Each gives the bound method, its arguments, and what is looked at after the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RECIPES: dict[str, list[Callable[[], tuple[Any, ...]]]] = {}
