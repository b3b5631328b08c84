"""The user's own word on what to release: `gilgen.toml`, or `[tool.gilgen]` in `pyproject.toml`.

    include = ["vtkMyFilter.Compute"]     # release these as well
    exclude = ["vtkRender*.*"]            # never release these

    [guard]                               # how far a running call keeps others away; the first that matches counts
    "vtkMyFilter" = "data"
    "itk.ImageFileWriter.*" = "object"

Globs of Python names, of methods or of whole classes; an ITK instantiation answers to "itkImageFileWriterIF3.Write"
and to "itk.ImageFileWriter.Write".
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from gilgen.errors import ConfigError
from gilgen.manifest import Guard

FIELDS = ("include", "exclude", "guard")
GUARDS = get_args(Guard)


@dataclass(frozen=True, slots=True)
class Config:
    """What the user asked for, and the file that says so (empty where there is none).

    `guard` pairs a glob with a level, in the file's order.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    file: str = ""
    guard: tuple[tuple[str, Guard], ...] = ()


def load(start: Path | None = None) -> Config:
    """The configuration of the nearest folder, from `start` (default: here) upwards, that has one.

    Raises:
        ConfigError: a file is not TOML, or holds a field that gilgen does not know.
    """
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (file := folder / "gilgen.toml").is_file():
            return _config(_table(file), file)
        if (file := folder / "pyproject.toml").is_file():
            tool = _table(file).get("tool", {})
            section = tool.get("gilgen") if isinstance(tool, dict) else tool
            return _config(section, file) if section is not None else Config()
    return Config()


def _table(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}.", "Mend it; an example stands in the README.") from error


def _config(table: Any, file: Path) -> Config:
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: gilgen's section is not a table.", "Write it below the heading [tool.gilgen].")
    unknown = sorted(set(table) - set(FIELDS))
    if unknown:
        raise ConfigError(f"{file} has a field that gilgen does not know: {unknown[0]}.", f"Known are: {', '.join(FIELDS)}.")
    guard = table.get("guard", {})
    if not isinstance(guard, dict) or not all(isinstance(level, str) and level in GUARDS for level in guard.values()):
        raise ConfigError(f"{file}: guard does not give each name one of {', '.join(GUARDS)}.", 'Write below [guard], for example, "vtkMyFilter" = "object".')
    for name, value in table.items():
        if name == "guard":
            continue
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{file}: {name} is not a list of strings.", f'Write it as {name} = ["vtkOBBTree.BuildLocator"].')
    return Config(tuple(table.get("include", ())), tuple(table.get("exclude", ())), str(file), tuple(guard.items()))
