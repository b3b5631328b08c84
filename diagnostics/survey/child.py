"""Runs inside the measured processes: `python -m gilgen.diagnostics.survey.child PROVIDER[@TOOLKIT]`.

The process imports the toolkit once, activates the shims of TOOLKIT where one is named, and then forks a process for
each class that is asked for on its standard input.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import IO

import msgspec
from gilgen.diagnostics import child
from gilgen.diagnostics.records import Ending
from gilgen.diagnostics.survey import measuring
from gilgen.diagnostics.survey.records import CannotFeedError, Findings, Request

import gilgen

MEMORY = 6 << 30
"""Bytes of address space beyond what the toolkit itself takes: what asks for more ends by itself, not the machine."""


def survey_class(provider: ModuleType, request: Request) -> None:
    """The life of a class's process, from fork to exit."""
    file = Path(request.folder, "findings.json")
    last = Findings()

    def save(findings: Findings) -> None:
        nonlocal last
        last = findings
        draft = file.with_suffix(".draft")
        draft.write_bytes(msgspec.json.encode(findings))
        draft.replace(file)

    try:
        _limit_memory()
        provider.prepare()
        findings = measuring.measure(provider, request, save)
    except CannotFeedError as error:
        findings = replace(last, step="done", untested=str(error) or "no generic input")
    except MemoryError:
        findings = replace(last, memory=True)
    except Exception as error:  # noqa: BLE001 - what the toolkit says of a call is a result
        findings = replace(last, step="done", untested=f"{type(error).__name__}: {error}")
    save(findings)


def _limit_memory() -> None:
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(ValueError, OSError):  # the machine's own limit is lower
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def serve(provider: ModuleType, activate: str, requests: IO[bytes], replies: IO[bytes]) -> None:
    """Answer requests, a line of JSON each, until their stream ends. The first reply says that all is loaded."""

    def reply(ending: Ending) -> None:
        replies.write(msgspec.json.encode(ending) + b"\n")
        replies.flush()

    provider.load()
    gilgen.deactivate()
    if activate:
        gilgen.activate(activate)
    # What was imported stays, so no collection in a class's process has to look at it, or copies its pages.
    gc.collect()
    gc.freeze()
    if threading.active_count() > 1:
        raise RuntimeError(f"{provider.__name__} starts Python threads when it is imported; its classes cannot be forked")
    reply(Ending("exit"))
    for line in requests:
        request = msgspec.json.decode(line, type=Request)
        reply(child.fork(lambda request=request: survey_class(provider, request), request.folder, request.deadline, watched=False))  # type: ignore[misc]


def main() -> None:
    """Serve the provider named on the command line. Replies go where standard output went; prints do not."""
    child.die_with_parent()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    name, _, activate = sys.argv[1].partition("@")
    serve(importlib.import_module(name), activate, sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
