"""What MkDocs does beside rendering pages: it fills in what the code says by itself, and follows links out of docs/.

- `<!-- generated: NAME -->` on a page becomes what the function of that name below makes from the code.
- A link to a file of the repository outside of docs/ works on a checkout as it stands; in the site it leads to a page
  that shows that file.
- The API pages read a copy of the package as it is installed, because diagnostics/ and templates/ lie beside it here.

Nothing that is made here is written into docs/.
"""

from __future__ import annotations

import copy
import json
import posixpath
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from inspect import cleandoc
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import msgspec
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from gilgen import commands, doctor, errors, explain, fix, manifest, model, scan, store
from gilgen.audit import compare, records

ROOT = Path(__file__).parents[1]

PACKAGE = {"gilgen": "gilgen", "diagnostics": "gilgen/diagnostics", "templates": "gilgen/templates"}
"""Folders of the repository, and where they are in the package."""

LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml", ".cpp": "cpp", ".hpp": "cpp", ".sh": "bash", ".jinja": "jinja"}

LINK = re.compile(r"(\[[^\]]*\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(\))")
MARK = re.compile(r"^<!-- generated: ([\w-]+) -->$", re.MULTILINE)

ARTEFACTS: dict[type[Any], tuple[str, bool]] = {
    model.Report: ("gilgen diagnose vtk itk --json FILE", False),
    model.Profile: ("gilgen profile --json FILE program.py", False),
    model.Survey: ("gilgen survey vtk itk --json FILE", False),
    model.Check: ("gilgen check --baseline BASE.json --json FILE", False),
    records.Audit: ("gilgen audit vtk itk --json FILE", True),
    compare.Comparison: ("gilgen audit --compare OLD.whl NEW.whl --json FILE", False),
    model.Plan: ("gilgen plan vtk itk --json FILE", True),
    model.Headers: ("gilgen headers vtk itk --json FILE", True),
    fix.Fixed: ("gilgen fix vtk itk --json FILE", True),
    explain.Explanation: ("gilgen explain vtkOBBTree.BuildLocator --json FILE", True),
    scan.ScanSummary: ("gilgen scan vtk itk --json FILE", True),
    doctor.Checkup: ("gilgen doctor --json FILE", False),
    manifest.Manifest: ("gilgen build vtk, as manifest.json of the shim wheel", False),
}
"""Records that stand in a file by themselves: what writes that file, and whether it holds an array of them."""

WORDS: dict[type[Any], str] = {
    msgspec.inspect.StrType: "string",
    msgspec.inspect.IntType: "integer",
    msgspec.inspect.FloatType: "number",
    msgspec.inspect.BoolType: "true or false",
    msgspec.inspect.NoneType: "null",
}
"""JSON's types."""

SHOWN = "gilgen_shown"
"""The module that mkdocs-click reads: the commands under the names that users type, with help as Markdown."""

_copied = tempfile.TemporaryDirectory(prefix="gilgen-docs-")


# ------------------------------------------------------------------------------------------- events


@event_priority(100)
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay the package out as it is installed, and let the API pages read it there."""
    site = Path(_copied.name)
    for folder, place in PACKAGE.items():
        shutil.copytree(ROOT / folder, site / place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    config.plugins["mkdocstrings"].config.handlers.setdefault("python", {})["paths"] = [str(site)]
    sys.modules[SHOWN] = module = ModuleType(SHOWN)
    module.__dict__.update(_shown_commands())
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the JSON schemas, and a page for each file of the repository that a page links to."""
    for kind in ARTEFACTS:
        files.append(File.generated(config, f"reference/schemas/{kind.__name__}.json", content=schema(kind)))
    waiting = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    while waiting:
        page, text = waiting.pop()
        for target in _outside(page, text):
            shown = _shown(target)
            if files.get_file_from_path(shown) is None:
                content = _page_of(target)
                files.append(File.generated(config, shown, content=content, inclusion=InclusionLevel.NOT_IN_NAV))
                waiting.append((shown, content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what is generated, and turn links out of docs/ to the pages made for them."""
    del config, files
    here = posixpath.dirname(page.file.src_uri)

    def turned(link: re.Match[str]) -> str:
        target = _repository_path(page.file.src_uri, link[2])
        return f"{link[1]}{posixpath.relpath(_shown(target), here or '.')}{link[3] or ''}{link[4]}" if target else link[0]

    return LINK.sub(turned, MARK.sub(lambda mark: GENERATED[mark[1]](), markdown))


def on_shutdown() -> None:
    """Remove the copy of the package."""
    _copied.cleanup()


# --------------------------------------------------------------------------------- links out of docs/


def _outside(page: str, text: str) -> set[str]:
    """The files of the repository outside of docs/ that a page links to, relative to the repository."""
    return {target for link in LINK.finditer(text) if (target := _repository_path(page, link[2]))}


def _repository_path(page: str, link: str) -> str:
    """Where a link of a page leads, relative to the repository; empty where it stays in docs/ or leads to no file."""
    source = page.removeprefix("repository/").removesuffix(".md") if page.startswith("repository/") else f"docs/{page}"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    if target.startswith("docs/") and not page.startswith("repository/"):
        return ""
    return target if (ROOT / target).is_file() and not target.startswith("..") else ""


def _shown(target: str) -> str:
    """The page that shows a file of the repository."""
    return target.removeprefix("docs/") if target.startswith("docs/") and target.endswith(".md") else f"repository/{target}.md"


def _page_of(target: str) -> str:
    """A file of the repository as a page."""
    text = (ROOT / target).read_text(encoding="utf-8")
    if target.endswith(".md"):
        return text
    language = LANGUAGES.get(Path(target).suffix, "text")
    return f"# {target}\n\n````{language}\n{text}````\n"


# ------------------------------------------------------------------------------- made from the code


def exit_codes() -> str:
    """A table of the errors by exit code."""
    kinds = sorted(errors.GilgenError.__subclasses__(), key=lambda kind: kind.exit_code)
    rows = [f"| {kind.exit_code} | [`{kind.__name__}`](python.md#gilgen.errors.{kind.__name__}) | {_first(kind)} |" for kind in kinds]
    return "\n".join(["| code | error | meaning |", "|---|---|---|", *rows])


def formats() -> str:
    """A section for each artefact and each record within: fields, types and their meaning."""
    within = sorted(_within(ARTEFACTS), key=lambda kind: (kind.__name__, kind.__module__))
    return "\n\n".join([*map(_artefact, ARTEFACTS), "## Records within", *map(_record, within)])


def schema(kind: type[Any]) -> str:
    """The JSON schema of the file that an artefact stands in."""
    made = store.json_schema(kind)
    record = {"$ref": f"#/$defs/{kind.__name__}"}
    properties = {
        "artefact": {"const": _name(kind)},
        "schema": {"const": store.SCHEMA},
        "gilgen": {"type": "string", "description": "The version that wrote the file."},
        "data": {"type": "array", "items": record} if ARTEFACTS[kind][1] else record,
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": _name(kind), "type": "object"}
    return json.dumps(head | {"properties": properties, "required": list(properties), "$defs": made["$defs"]}, indent=2) + "\n"


def command_line() -> str:
    """A list of the commands, in the order in which a newcomer meets them, and a section for each."""
    shown = _shown_commands()
    rows = [f"| [`gilgen {verb}`](#gilgen-{verb}) | {_first_paragraph(command.help or '')} |" for verb, command in shown.items()]
    options = {"module": SHOWN, "depth": 1}
    sections = [
        "\n".join(["::: mkdocs-click", *(f"    :{key}: {value}" for key, value in (options | {"command": verb, "prog_name": f"gilgen {verb}"}).items())])
        for verb in shown
    ]
    return "\n\n".join(["\n".join(["| command | what it does |", "|---|---|", *rows]), *sections])


def measured() -> str:
    """What the pictures were measured on; docs/pictures.py writes it down."""
    file = ROOT / "docs" / "pictures" / "measured.json"
    return f"*{json.loads(file.read_text(encoding='utf-8'))['on']}.*"


GENERATED: dict[str, Callable[[], str]] = {"commands": command_line, "exit-codes": exit_codes, "formats": formats, "measured": measured}


def _shown_commands() -> dict[str, click.Command]:
    """A copy of each command, under its verb, with its help as Markdown."""
    context = click.Context(commands.cli)
    shown = {}
    for verb in commands.cli.list_commands(context):
        found = commands.cli.get_command(context, verb)
        if found is not None:
            shown[verb] = command = copy.copy(found)
            command.name = verb
            command.help = _as_markdown(found.help or "")
    return shown


def _as_markdown(text: str) -> str:
    """A command's help: what click keeps as it stands (paragraphs that begin with backspace) is a code block."""
    paragraphs = cleandoc(text).split("\n\n")
    return "\n\n".join(f"```text\n{cleandoc(part[2:])}\n```" if part.startswith("\b\n") else part.replace("*", "\\*") for part in paragraphs)


def _first_paragraph(text: str) -> str:
    """On one line."""
    return " ".join(text.split("\n\n", 1)[0].split())


def _name(kind: type[Any]) -> str:
    """As the envelope has it."""
    return f"{kind.__name__}[]" if ARTEFACTS[kind][1] else kind.__name__


def _artefact(kind: type[Any]) -> str:
    schema = f"[{kind.__name__}.json](schemas/{kind.__name__}.json)"
    return f"{_record(kind, level=2)}\n\nArtefact `{_name(kind)}`, written by `{ARTEFACTS[kind][0]}`. JSON schema: {schema}."


def _record(kind: type[Any], level: int = 3) -> str:
    """A heading, the first paragraph of the record's docstring, and a table of its fields."""
    meanings = _meanings(kind)
    rows = [f"| `{name}` | {_type(annotation)} | {meanings.get(name, '')} |" for name, annotation in _fields(kind)]
    table = "\n".join(["| field | type | meaning |", "|---|---|---|", *rows])
    return f"{'#' * level} {kind.__name__} {{ #{_anchor(kind)} }}\n\n{_first(kind)}\n\n{table}"


def _anchor(kind: type[Any]) -> str:
    """Two modules may have a record of one name."""
    return kind.__name__.lower() if kind.__module__ in {model.__name__, manifest.__name__} else f"{kind.__module__.rpartition('.')[2]}-{kind.__name__}".lower()


def _fields(kind: type[Any]) -> list[tuple[str, Any]]:
    found: Any = msgspec.inspect.type_info(kind)
    return [(field.name, field.type) for field in found.fields]


def _type(info: Any) -> str:
    """A type in words, with links to other records."""
    inspect = msgspec.inspect
    match info:
        case inspect.DataclassType() | inspect.StructType():
            return f"[{info.cls.__name__}](#{_anchor(info.cls)})"
        case inspect.VarTupleType() | inspect.ListType():
            return f"array of {_type(info.item_type)}"
        case inspect.DictType():
            return f"object: {_type(info.key_type)} to {_type(info.value_type)}"
        case inspect.UnionType():
            return " or ".join(map(_type, info.types))
        case inspect.LiteralType():
            return " or ".join(f'`"{value}"`' for value in info.values)
        case _:
            return WORDS[type(info)]


def _within(kinds: Any) -> set[type[Any]]:
    """Records that stand in the fields of `kinds`, at any depth, and are not artefacts themselves."""
    found: set[type[Any]] = set()
    waiting = list(kinds)
    while waiting:
        for _, info in _fields(waiting.pop()):
            for kind in _records_in(info):
                if kind not in found and kind not in ARTEFACTS:
                    found.add(kind)
                    waiting.append(kind)
    return found


def _records_in(info: Any) -> list[type[Any]]:
    if hasattr(info, "cls"):
        return [info.cls]
    parts = [getattr(info, name) for name in ("item_type", "key_type", "value_type") if hasattr(info, name)]
    return [kind for part in (*parts, *getattr(info, "types", ())) for kind in _records_in(part)]


def _first(kind: type[Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    return _first_paragraph(cleandoc(kind.__doc__ or ""))


def _meanings(kind: type[Any]) -> dict[str, str]:
    """What the docstring's section "Attributes" says of each field, on one line each."""
    text = cleandoc(kind.__doc__ or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip():
            break
        if start := re.match(r"    (\w+): (.*)", line):
            name = start[1]
            found[name] = start[2]
        elif name:
            found[name] += " " + line.strip()
    return {name: meaning.replace("|", "\\|") for name, meaning in found.items()}


