"""The user's own word on what to release: `gilgen.toml`, or `[tool.gilgen]` in `pyproject.toml`.

    include = ["vtkMyFilter.Compute"]     # release these as well
    exclude = ["vtkRender*.*"]            # never release these

Globs of Python names; an ITK instantiation answers to "itkImageFileWriterIF3.Write" and to
"itk.ImageFileWriter.Write".
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gilgen.errors import ConfigError

FIELDS = ("include", "exclude")


@dataclass(frozen=True, slots=True)
class Config:
    """What the user asked for, and the file that says so (empty where there is none)."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    file: str = ""


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
    for name, value in table.items():
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{file}: {name} is not a list of strings.", f'Write it as {name} = ["vtkOBBTree.BuildLocator"].')
    return Config(tuple(table.get("include", ())), tuple(table.get("exclude", ())), str(file))
