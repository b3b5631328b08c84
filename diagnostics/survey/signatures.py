"""What a wrapper's documentation says of a C++ method: its parameters, as far as arguments can be made from it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPEN, _CLOSE = "(<[{", ")>]}"


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type without const, what stands behind it, and its name.

    Attributes:
        kind: "double", "vtkIdList", "std::vector<int>" ...
        mark: "", "*", "&", "**" ...
        size: of an array, `double x[3]`; 0 where it has none that is known.
    """

    kind: str
    mark: str
    size: int
    name: str
    default: bool
    const: bool


@dataclass(frozen=True)
class Signature:
    """One overload."""

    static: bool
    parameters: tuple[Parameter, ...]


def parse(declaration: str) -> Signature | None:
    """The signature in a declaration such as `void Fill(double value) override`."""
    text = " ".join(declaration.split())
    begin = text.find("(")
    if begin < 0:
        return None
    inside = text[begin + 1 : _closing(text, begin)].strip()
    parameters = [] if inside in {"", "void"} else [_parameter(part) for part in split(inside)]
    return Signature("static" in text[:begin].split(), tuple(parameters))


def split(text: str) -> list[str]:
    """The parts between commas that no bracket encloses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _closing(text: str, begin: int) -> int:
    depth = 0
    for at in range(begin, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth == 0:
            return at
    return len(text)


_FUNDAMENTAL = {"int", "long", "short", "char", "unsigned", "signed", "float", "double", "bool", "size_t"}


def _parameter(text: str) -> Parameter:
    text, assigned, _ = text.partition("=")
    sizes = [int(size) if size else 0 for size in re.findall(r"\[(\d*)\]", text)]
    size = 1 if sizes else 0
    for each in sizes:
        size *= each
    text = re.sub(r"\[\d*\]", "", text)
    const = bool(re.search(r"\bconst\b", text))
    text = re.sub(r"\b(const|struct|class|enum|volatile)\b", " ", text)
    mark = "".join(re.findall(r"[*&]", text)) + ("*" if sizes else "")
    words = re.sub(r"[*&]", " ", text).split() if "<" not in text else [*text[: text.rfind(">") + 1].split(), *text[text.rfind(">") + 1 :].strip(" &*").split()]
    if "<" in text:
        kind, name = "".join(text[: text.rfind(">") + 1].split()), text[text.rfind(">") + 1 :].strip(" &*")
    elif len(words) > 1 and words[-1] not in _FUNDAMENTAL:
        kind, name = " ".join(words[:-1]), words[-1]
    else:
        kind, name = " ".join(words), ""
    return Parameter(kind, mark, size, name, bool(assigned), const)
