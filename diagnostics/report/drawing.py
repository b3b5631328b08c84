"""Draws a Vega specification of `templates/report/*.json` as SVG that is a part of the page.

Vega draws; what is done to its SVG here gives it names that are unique in the page, links that point into it, and leaves
out what only a drawing of its own needs.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from typing import Any
from xml.etree import ElementTree as ET

import vl_convert
from markupsafe import Markup


@functools.cache
def _spec(name: str) -> str:
    return resources.files("gilgen.templates").joinpath("report", f"{name}.json").read_text(encoding="utf-8")


def draw(name: str, prefix: str, title: str, description: str, data: dict[str, list[dict[str, Any]]], *, role: str = "img", **signals: Any) -> Markup:
    """Draw a specification with these data; the SVG is ready to stand in the page, its names begin with `prefix`.

    `role` is "img", or "group" for a drawing that has links. `width` and `height` are the drawing's; every other of `signals`
    must be one of the specification's.
    """
    spec = json.loads(_spec(name))
    for source in spec["data"]:
        if source["name"] in data:
            source["values"] = data[source["name"]]
    for signal, value in signals.items():
        if signal in {"width", "height"}:
            spec[signal] = value
        else:
            declared = next(one for one in spec["signals"] if one["name"] == signal)
            declared.pop("update", None)
            declared["value"] = value
    return _tidy(vl_convert.vega_to_svg(spec), prefix, title, description, role)


_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_REDUNDANT = {"aria-hidden", "aria-roledescription", "class", "role", "pointer-events", "stroke-miterlimit", "version", "font-family"}
_PLACES = {"d", "transform", "x", "y", "x2", "y2", "width", "height"}
_DEFAULTS = {"opacity": "1", "stroke-width": "1", "fill-opacity": "1", "transform": "translate(0,0)"}


def _tidy(text: str, prefix: str, title: str, description: str, role: str) -> Markup:
    """Vega's SVG as a part of the page."""
    root = ET.fromstring(text)  # noqa: S314 - see the import
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        _tidy_attributes(element, prefix)
    _drop_empty(root)
    _join(root)
    root.attrib = {"class": "chart", "role": role, "viewBox": root.attrib["viewBox"], "aria-labelledby": f"{prefix}-t {prefix}-d"}
    for position, (tag, words) in enumerate((("title", title), ("desc", description))):
        child = ET.Element(tag, {"id": f"{prefix}-{tag[0]}"})
        child.text = words
        root.insert(position, child)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - serialised, so every text is escaped


def _tidy_attributes(element: ET.Element, prefix: str) -> None:
    attributes = element.attrib
    link = attributes.pop("{http://www.w3.org/1999/xlink}href", None)
    label = attributes.pop("aria-label", "")
    for name in [name for name, value in attributes.items() if name in _REDUNDANT or _DEFAULTS.get(name) == value]:
        del attributes[name]
    if link is not None:  # Vega resolves it against an address of its own, and labels what is inside
        attributes["href"] = "#" + link.rpartition("#")[2]
        label = next((child.attrib["aria-label"] for child in element if "aria-label" in child.attrib), "")
        if label:
            attributes["aria-label"] = label
    if "id" in attributes:
        attributes["id"] = f"{prefix}-{attributes['id']}"
    for name, value in attributes.items():
        if name == "clip-path":
            attributes[name] = value.replace("url(#", f"url(#{prefix}-")
        elif name in _PLACES:
            attributes[name] = _NUMBER.sub(lambda found: f"{float(found[0]):.1f}".removesuffix(".0"), value)


def _drop_empty(element: ET.Element) -> None:
    """Leave out what draws nothing: Vega's backgrounds and foregrounds, and groups around nothing."""
    for child in list(element):
        _drop_empty(child)
        empty_path = child.tag == "path" and ("fill" not in child.attrib and "stroke" not in child.attrib)
        if empty_path or (child.tag == "g" and len(child) == 0):
            element.remove(child)


def _join(element: ET.Element) -> None:
    """Make one path of neighbours that differ in nothing but their place."""
    for child in element:
        _join(child)
    joined: list[ET.Element] = []
    for child in list(element):
        last = joined[-1] if joined else None
        alike = last is not None and child.tag == last.tag == "path" and _but_place(child) == _but_place(last)
        if alike and last is not None and "transform" not in child.attrib:
            last.attrib["d"] += child.attrib["d"]
            element.remove(child)
        else:
            joined.append(child)


def _but_place(element: ET.Element) -> dict[str, str]:
    return {name: value for name, value in element.attrib.items() if name != "d"}
