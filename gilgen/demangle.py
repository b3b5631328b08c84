"""Mangled names of template members, taken apart: which class template, arguments, method, parameters.

The demangling itself is the C++ run-time library's (Itanium C++ ABI, 3.4), through cxxfilt.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

import cxxfilt

BUILT_IN = frozenset(
    """bool|char|signed char|unsigned char|short|unsigned short|int|unsigned int|long|unsigned long|long long
    |unsigned long long|float|double|wchar_t|char16_t|char32_t""".replace("\n", "").replace("    ", "").split("|")
)
"""Types that a demangled name spells as they are, and that travel as themselves."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member function as its mangled name tells it.

    Attributes:
        scope: the class with its template arguments ("itk::ImageFileWriter<itk::Image<float, 3u> >").
        template: the class without them ("itk::ImageFileWriter").
        parameters: types as the demangler spells them.
    """

    scope: str
    template: str
    name: str
    parameters: tuple[str, ...]
    const: bool


def member(symbol: str) -> Member | None:
    """The member function behind `symbol`; None where it is none that gilgen can take apart."""
    try:
        text: str = cxxfilt.demangle(symbol)
    except cxxfilt.InvalidName:
        return None
    text = re.sub(r"\[abi:\w+\]", "", text)
    const = text.endswith(" const")
    text = text.removesuffix(" const")
    if not text.endswith(")"):
        return None
    opening = _opening(text)
    path, parameters = text[:opening], text[opening + 1 : -1]
    parts = split(path, "::")
    if len(parts) < 2 or " " in parts[-1] or "<" in parts[-1]:  # noqa: PLR2004 - a class and a method
        return None
    scope = "::".join(parts[:-1])
    template = "::".join(part.partition("<")[0] for part in parts[:-1])
    return Member(scope, template, parts[-1], tuple(split(parameters, ",")) if parameters else (), const)


def carrier(type_name: str) -> str:
    """The built-in type that carries a parameter of this demangled type; empty where the name cannot tell."""
    if type_name.endswith(("*", "&")):
        return "void*"
    return type_name if type_name in BUILT_IN else ""


@functools.lru_cache(maxsize=1 << 17)
def normal(type_name: str) -> str:
    """One spelling for a type, whoever wrote it, so that the wrapping's tables and demangled names compare."""
    text = re.sub(r"\bsigned (?=int|short|long)", "", type_name)
    text = re.sub(r"(?<=\d)u?l*\b", "", text)
    return re.sub(r"\s+", "", text)


def split(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside all brackets."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        if text[at] in "<([":
            depth += 1
        elif text[at] in ">)]":
            depth -= 1
        elif depth == 0 and text.startswith(separator, at):
            parts.append(text[start:at].strip())
            at += len(separator)
            start = at
            continue
        at += 1
    parts.append(text[start:].strip())
    return parts


def _opening(text: str) -> int:
    """Where the parameter list that ends `text` begins."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        if text[at] == ")":
            depth += 1
        elif text[at] == "(":
            depth -= 1
            if depth == 0:
                return at
    return 0
