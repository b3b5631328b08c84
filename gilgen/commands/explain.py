"""`gilgen explain`: why a method is released, or kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gilgen import explain
from gilgen.commands import common

LISTED = 4
"""Names given before the rest is only counted."""

CLAIMS = {
    "none": "nothing: other calls on the same objects go on meanwhile",
    "object": "its object",
    "pipeline": "its object and the filters upstream of it",
    "closure": "its object, its arguments, and all that these lead to: filters upstream, data, arrays, locators, functions",
}
"""What a call claims at each level of the guard."""


@click.command("explain")
@click.argument("methods", nargs=-1, required=True, metavar="CLASS.METHOD...")
@common.headers_option
@common.json_option
def command(methods: tuple[str, ...], headers_dir: Path | None, json_file: Path | None) -> None:
    r"""Print the chain from a Python method to the C++ symbol and its slots, and what the plan does there.

    \b
    Examples:
      gilgen explain vtkOBBTree.BuildLocator
      gilgen explain itk.ImageFileWriter.Write
    """
    found = [explain.explain(explain.toolkit_of(name), name, headers_dir, common.say) for name in methods]
    for explanation in found:
        _show(explanation)
    common.write_json(json_file, found)


def _show(found: explain.Explanation) -> None:
    _say(f"{found.python}   ({found.toolkit} {found.version})")
    if found.owner != found.python.rpartition(".")[0]:
        _say(f"  wrapped by     {found.owner}")
    for declaration in found.declarations:
        _say(f"  overload       {' '.join(declaration.split())}")
    for step in found.steps:
        _show_step(step)
    for number, text in enumerate(found.claims):
        _say(f"  {'' if number else 'about claims':<14} {text}")
    if found.through:
        _say("")
        _say(f"  ends in        {len(found.through)} released functions: {_some(found.through)}")
    if found.why:
        _say(f"  {found.why}")
    _say("")


def _show_step(step: explain.Step) -> None:
    decision = step.decision
    _say("")
    _say(f"  C++            {decision.declaration}")
    if decision.symbol:
        _say(f"  symbol         {decision.symbol}")
    if decision.library:
        copies = f", and {decision.copies - 1} more copies" if decision.copies > 1 else ""
        _say(f"  defined in     {decision.library}{copies}")
    if step.slots:
        vtable, got = sum(slots.vtable for slots in step.slots), sum(slots.got for slots in step.slots)
        _say(f"  slots          {vtable} in vtables, {got} for calls, in {len(step.slots)} libraries:")
        most = sorted(step.slots, key=lambda slots: -slots.vtable - slots.got)
        _say(f"                 {_some([f'{slots.library} {slots.vtable} + {slots.got}' for slots in most])}")
    what = {
        "release": "release the GIL",
        "serialize": "release the GIL, and claim the library that is not thread-safe",
        "keep": "keep it",
    }[decision.action]
    _say(f"  decision       {what} ({decision.reason})")
    _say(f"                 {decision.why}")
    if decision.action != "keep":
        _say(f"  claims         {CLAIMS[decision.guard]}")


def _some(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f", and {rest} more" if rest > 0 else "")


def _say(text: str) -> None:
    common.output.print(text, soft_wrap=True, markup=False)
