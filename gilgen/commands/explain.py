"""`gilgen explain`: why a method is released, or kept."""

from __future__ import annotations

from pathlib import Path

import click

from gilgen import explain
from gilgen.commands import common

LISTED = 6
"""Libraries named before the rest is only counted."""


@click.command("explain")
@click.argument("methods", nargs=-1, required=True, metavar="CLASS.METHOD...")
@common.headers_option
@common.json_option
def command(methods: tuple[str, ...], headers_dir: Path | None, json_file: Path | None) -> None:
    """Print the chain from a Python method to the C++ symbol and its slots, and what the plan does there.

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
    say = lambda text: common.output.print(text, soft_wrap=True, markup=False)  # noqa: E731 - one word for one print
    say(f"{found.python}   ({found.toolkit} {found.version})")
    if found.owner != found.python.partition(".")[0]:
        say(f"  wrapped by     {found.owner}")
    for declaration in found.declarations:
        say(f"  overload       {' '.join(declaration.split())}")
    for step in found.steps:
        decision = step.decision
        say("")
        say(f"  C++            {decision.declaration}")
        if decision.symbol:
            say(f"  symbol         {decision.symbol}")
        if decision.library:
            copies = f", and {decision.copies - 1} more copies" if decision.copies > 1 else ""
            say(f"  defined in     {decision.library}{copies}")
        if step.slots:
            vtable, got = sum(slots.vtable for slots in step.slots), sum(slots.got for slots in step.slots)
            say(f"  slots          {vtable} in vtables, {got} for calls, in {len(step.slots)} libraries")
            for slots in sorted(step.slots, key=lambda slots: -slots.vtable - slots.got)[:LISTED]:
                say(f"                 {slots.library}: {slots.vtable} + {slots.got}")
        what = "release the GIL" if decision.action == "release" else "keep it"
        say(f"  decision       {what}: {decision.reason}")
        say(f"                 {decision.why}")
        if decision.action == "release":
            say(f"  guard          {decision.guard}" + (f" (what is upstream of this {decision.walker} too)" if decision.walker else ""))
    if found.why:
        say(f"  {found.why}")
    say("")
