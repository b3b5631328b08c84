"""One process of a scan: parse one translation unit, walk it, leave the result in a file.

Run by `gilgen.scan` as `python -m gilgen.scan_worker` with its job as JSON on standard input.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import resource
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from gilgen import libclang
from gilgen.bodies import Bodies
from gilgen.declarations import Walker
from gilgen.libclang import KEEP_GOING, SKIP_FUNCTION_BODIES
from gilgen.model import Class


def read(job: dict[str, Any]) -> dict[str, Any]:
    """Read `job["headers"]` in one unit; classes by name, errors by header, headers with a missing include."""
    root = job["root"].rstrip("/") + "/"
    source = "".join(f'#include "{root}{name}"\n' for name in job["headers"])
    with libclang.Unit(source, job["flags"], SKIP_FUNCTION_BODIES | KEEP_GOING) as unit:
        messages: dict[str, list[str]] = defaultdict(list)
        lines: dict[str, set[int]] = defaultdict(set)
        missing: set[str] = set()
        for file, line, message in unit.errors():
            name = file.removeprefix(root)
            messages[name].append(f"line {line}: {message}")
            lines[name].add(line)
            if message.endswith("file not found"):
                missing.add(name)
        walker = Walker(root, job["elsewhere"], lines, job["only"])
        walker.walk(unit.cursor)
    bodies = Bodies(Path(root))
    classes = {name: _with_calls(found, bodies) for name, found in walker.classes.items()}
    return {
        "classes": classes,
        "counts": {name: (bool(found.template), len(found.methods)) for name, found in classes.items()},
        "headers": {name: found.header for name, found in classes.items()},
        "errors": messages,
        "incomplete": sorted(missing),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _with_calls(cls: Class, bodies: Bodies) -> Class:
    """A class, with what the bodies of its methods call."""
    names = {method.name for method in cls.methods if cls.template or method.body == "inline"}
    if not names:
        return cls
    calls = {name: called for name, called in bodies.calls(cls.header, cls.name).items() if called and name in names}
    return dataclasses.replace(cls, calls=calls) if calls else cls


def main() -> None:
    """Do the job on standard input."""
    gc.disable()  # millions of small objects that live to the end: collecting only costs time
    job = json.load(sys.stdin)
    Path(job["result"]).write_bytes(msgspec.json.encode(read(job)))
    sys.stdout.flush()
    os._exit(0)  # freeing what is left, object by object, would take another second


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
