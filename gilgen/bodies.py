"""What the bodies in a toolkit's headers call, by name: libclang passes bodies over, and to parse them would cost minutes.

Only the capital letter that VTK's and ITK's methods begin with tells a call from a keyword, which is enough for
what the plan asks: whether a method that has no symbol of its own ends in one that has.
"""

from __future__ import annotations

import re
from pathlib import Path

_INSIDE = re.compile(r"\b([A-Z]\w*)\s*\([^;{}]*\)[^;{}]*\{")
"""A definition within its class: the method's name, its parameters, what stands before the brace."""

_OUTSIDE = re.compile(r"\b(\w+)\s*<(?:[^<>;{}()]|<[^<>;{}()]*>)*>::([A-Z]\w*)\s*\([^;{}]*\)[^;{}]*\{")
"""A definition of a class template's member: the class's name, the method's."""

_CALL = re.compile(r"(->|\b)([A-Z]\w+)\s*\(")


class Bodies:
    """The bodies in one folder of headers; what was read is kept."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, dict[str, tuple[str, ...]]] = {}

    def calls(self, header: str, cls: str) -> dict[str, tuple[str, ...]]:
        """What each method of a class calls whose body the class's header holds, or the file of its template's definitions.

        Args:
            header: the class's header, relative to the folder.
            cls: the class, with its namespaces.

        Returns:
            By method: names of what it calls, sorted, with "->" before those that it calls through a pointer.
        """
        inside = self._read(header, _INSIDE)
        outside = self._read(str(Path(header).with_suffix(".hxx")), _OUTSIDE)
        short = cls.rpartition("::")[2] + "::"
        return inside | {name.removeprefix(short): found for name, found in outside.items() if name.startswith(short)}

    def _read(self, name: str, pattern: re.Pattern[str]) -> dict[str, tuple[str, ...]]:
        """By method, after its class and "::" where the pattern has both: what the first body of that name calls."""
        if name not in self._files:
            path = self._root / name
            text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
            found: dict[str, tuple[str, ...]] = {}
            for match in pattern.finditer(text):
                body = text[match.end() : _closing(text, match.end())]
                found.setdefault("::".join(match.groups()), tuple(sorted({f"{'->' if arrow == '->' else ''}{callee}" for arrow, callee in _CALL.findall(body)})))
            self._files[name] = found
        return self._files[name]


def _closing(text: str, start: int) -> int:
    """Where the brace that was opened just before `start` closes."""
    depth = 1
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(text)


_BRACE = re.compile(r"[{}]")
