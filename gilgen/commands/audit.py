"""`gilgen audit`: what every wrapper of a package does about the GIL, by its machine code."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

import click
import msgspec
from rich.table import Table

from gilgen import store
from gilgen.activate import installed
from gilgen.audit import active, auditing, compare
from gilgen.audit.records import Audit, State, Wrapper
from gilgen.commands import common
from gilgen.errors import ArtefactError, GilgenError

FAIL_ON = ("stopped", "began", "any", "never")

SHOWN = 40
"""Wrappers that are listed without being asked for: those that do not simply hold."""


@click.command("audit")
@click.argument("targets", nargs=-1, metavar="TARGET...")
@click.option("--only", metavar="GLOB", help="Wrappers whose name matches, such as 'vtk*Writer.Write'.")
@click.option("--module", metavar="GLOB", help="Modules whose name matches, such as 'vtkmodules.vtkIO*'.")
@click.option("--verdict", type=click.Choice(get_args(State)), help="Wrappers with this verdict.")
@click.option("--active", "with_shims", is_flag=True, help="As they are once the installed shims are active (vtk, itk).")
@click.option("--compare", "comparing", is_flag=True, help="Compare two TARGETs, older first: which methods began or stopped releasing.")
@click.option(
    "--fail-on", type=click.Choice(FAIL_ON), default="stopped", show_default=True, help="With --compare: the change that ends in exit code 1."
)
@click.option("--schema", is_flag=True, help="Print the JSON schema of what --json writes, and end.")
@common.json_option
def command(
    targets: tuple[str, ...], only: str | None, module: str | None, verdict: str | None, with_shims: bool, comparing: bool, fail_on: str, schema: bool,
    json_file: Path | None,
) -> int:
    r"""Decide for every wrapped method whether it can release the GIL, from the binaries alone.

    TARGET is an installed package (vtk, itk, numpy ...), a .whl file of any Python version for x86-64
    or aarch64, a .so file, or a JSON file that this command wrote. Nothing is imported, nothing is
    called, no header is needed.

    A wrapper "releases", "holds", is "mixed" (on some of its ways), or "undecidable". "Holds" means that
    neither it nor the library code that it directly reaches releases; virtual calls are not followed.

    \b
      gilgen audit vtk itk --json audit.json
      gilgen audit vtk --only 'vtk*Writer.Write'
      gilgen audit --compare vtk-9.3.0-cp311-cp311-manylinux_2_17_x86_64.whl vtk
    """
    if schema:
        kind = compare.Comparison if comparing else Audit
        click.echo(json.dumps(msgspec.json.schema(kind), indent=2))
        return 0
    if not targets:
        raise click.UsageError("Name what to audit: gilgen audit vtk itk")
    if comparing and len(targets) != 2:  # noqa: PLR2004
        raise click.UsageError("--compare takes two: gilgen audit --compare OLD.whl NEW.whl")
    audits = [audit for target in targets for audit in _audits(target, with_shims)]
    if comparing:
        if len(audits) != 2:  # noqa: PLR2004
            raise GilgenError("A file with several audits cannot be compared.", "Write each package's audit into a file of its own.")
        return _compare(audits[0], audits[1], fail_on, json_file)
    chosen = [_filtered(audit, only, module, verdict) for audit in audits]
    for audit, part in zip(audits, chosen, strict=True):
        _show(audit)
        _list(part, everything=bool(only or module or verdict))
    common.write_json(json_file, chosen)
    return 0


def _audits(target: str, with_shims: bool) -> Iterator[Audit]:
    if target.endswith(".json"):
        yield from store.read_many(Path(target), Audit)
        return
    with common.step(f"Reading the wrappers of {Path(target).name}"):
        audit = auditing.audit_path(target)
    if with_shims:
        from gilgen import plan  # noqa: PLC0415 - the planner takes longer to load than a small audit

        if target not in installed():
            raise ArtefactError(f"No shims for {target} are installed.", f"Build and install them: gilgen fix {target}")
        audit = active.with_shims(audit, plan.read(plan.ensure(target, None, common.say)))
    yield audit


def _filtered(audit: Audit, only: str | None, module: str | None, verdict: str | None) -> Audit:
    def wanted(wrapper: Wrapper) -> bool:
        return (
            (only is None or fnmatchcase(wrapper.name, only))
            and (module is None or fnmatchcase(wrapper.module, module))
            and (verdict is None or wrapper.verdict == verdict)
        )

    if only is None and module is None and verdict is None:
        return audit
    return msgspec.structs.replace(audit, wrappers=tuple(wrapper for wrapper in audit.wrappers if wanted(wrapper)))


def _show(audit: Audit) -> None:
    print_ = common.output.print
    records = sum(count for name, count in audit.counts.items() if name != "methods")
    print_(f"[bold]{audit.package} {audit.version}[/bold] ({audit.machine}): {audit.counts['methods']} wrapped methods in {len(audit.modules)} modules")
    for notice in audit.notices:
        print_(notice, markup=False, soft_wrap=True)
    releasing = {wrapper.name for wrapper in audit.wrappers if wrapper.verdict in {"releases", "mixed"} and wrapper.kind in {"method", "function"}}
    print_(f"{len(releasing)} of them can release the GIL.\n")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("verdict")
    table.add_column("wrappers and overloads", justify="right")
    table.add_column("may call Python", justify="right")
    calling = Counter(wrapper.verdict for wrapper in audit.wrappers if wrapper.may_call_python)
    for state in get_args(State):
        if audit.counts.get(state):
            table.add_row(state, str(audit.counts[state]), str(calling[state] or ""))
    table.add_row("in all", str(records), str(calling.total() or ""))
    print_(table)
    for found in audit.modules:
        if found.verdict == "undecidable":
            print_(f"\n{found.module} ({found.family}): undecidable. {found.reason}", soft_wrap=True, markup=False)
    print_()


def _list(audit: Audit, *, everything: bool) -> None:
    wrappers = [wrapper for wrapper in audit.wrappers if everything or wrapper.verdict != "holds"]
    shown = wrappers if everything else wrappers[:SHOWN]
    if not shown:
        common.output.print("None matches." if everything else "Every wrapper holds the GIL.")
        common.output.print()
        return
    for wrapper in shown:
        text = wrapper.overload.replace("(self, ", "(").replace("(self)", "()")
        name = f"{wrapper.owner}.{text}" if text and wrapper.owner else text or wrapper.name
        kind = "" if wrapper.kind in {"method", "function"} else f" [{wrapper.kind}]"
        common.output.print(f"{wrapper.verdict:12}{name}{kind}: {wrapper.reason} ({_where(wrapper)})", soft_wrap=True, markup=False)
    if len(wrappers) > len(shown):
        common.output.print(f"... and {len(wrappers) - len(shown)} more: add --verdict, --module or --only, or --json FILE.")
    common.output.print()


def _where(wrapper: Wrapper) -> str:
    evidence = wrapper.evidence
    places = [Path(evidence.library).name, evidence.function]
    if evidence.site:
        places.append(f"releases at {evidence.site}" if wrapper.verdict != "holds" else f"another overload releases at {evidence.site}")
    if evidence.held:
        places.append(f"holds at {evidence.held}")
    if len(evidence.through) > 1:
        places.append("through " + " > ".join(evidence.through))
    return ", ".join(place for place in places if place)


def _compare(before: Audit, after: Audit, fail_on: str, json_file: Path | None) -> int:
    found = compare.compare(before, after)
    common.output.print(f"[bold]{found.package}[/bold]: {found.before or 'first'} -> {found.after or 'second'}; {found.methods} methods in both.\n")
    _changes("began", "Began to release", found.changes)
    _changes("stopped", "Stopped releasing", found.changes)
    _changes("new", "New, and releases", found.changes)
    _changes("gone", "Released, and is gone", found.changes)
    if not found.changes:
        common.output.print("No method began or stopped releasing.")
    common.write_json(json_file, found)
    kinds = {change.change for change in found.changes}
    failing = {"never": set(), "any": {"began", "stopped", "new", "gone"}}.get(fail_on, {fail_on})
    return int(bool(kinds & failing))


def _changes(kind: str, title: str, changes: Iterable[compare.Changed]) -> None:
    found = [change for change in changes if change.change == kind]
    if not found:
        return
    common.output.print(f"[bold]{title}: {len(found)}[/bold]")
    for change in found:
        name = f"{change.owner}.{change.method}" if change.owner else change.method
        common.output.print(f"  {name}: {change.before or '-'} -> {change.after or '-'}", markup=False, soft_wrap=True)
    common.output.print()
