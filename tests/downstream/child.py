"""Runs inside the process that is compared: as a pytest plugin (`-p child`) or before a script.

It writes what happens, as it happens, to a journal that survives a crash of the process. It must import
nothing that the environment under comparison might lack, and nothing of the toolkits.
"""
# ruff: noqa: PLC0415 - what may be lacking is imported where it is used

from __future__ import annotations

import atexit
import json
import os
import runpy
import socket
import sys
import threading
from collections import Counter
from pathlib import Path

INSTRUCTIONS = json.loads(os.environ["GILGEN_COMPARE"])
"""What the parent wants: journal, active, toolkits, guard, online, prelude; for a suite also only, done, ignore."""

_journal = os.open(INSTRUCTIONS["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_owner = os.getpid()  # a forked child must not write into it


def note(event, **facts):
    if os.getpid() == _owner:
        os.write(_journal, json.dumps({"event": event, **facts}).encode() + b"\n")


# --------------------------------------------------------------------------------------- activation


def activate():
    if INSTRUCTIONS["active"]:
        import gilgen

        gilgen.activate(*INSTRUCTIONS["toolkits"], **({"guard": INSTRUCTIONS["guard"]} if INSTRUCTIONS["guard"] else {}))
        note("active", toolkits=sorted(gilgen.status()))


def calls():
    """How many calls from Python went through a shim so far: those that released, and those that only added the guard."""
    if not INSTRUCTIONS["active"]:
        return {"released": 0, "guarded": 0}
    import gilgen

    methods = [method for status in gilgen.status().values() for method in status.methods]
    return {name: sum(getattr(method, name) for method in methods) for name in ("released", "guarded")}


# ------------------------------------------------------------------------------------------ network


class NeedsNetworkError(SystemExit):
    """A script wants the network. No `except Exception` in a retry loop catches it."""


def refuse():
    reason = "needs the network"
    if threading.current_thread() is not threading.main_thread():
        raise OSError(reason)
    if "_pytest" in sys.modules:
        import pytest

        pytest.skip(reason, allow_module_level=True)
    note("skipped", reason=reason)
    raise NeedsNetworkError(reason)


def stay_offline():
    """End a test that reaches for the network at once: downloads retry for half a minute each before they give up."""
    connect, getaddrinfo = socket.socket.connect, socket.getaddrinfo

    def local(host):
        return host in {None, "", b"", "localhost", "::1"} or str(host).startswith("127.")

    def connect_locally(self, address):
        return connect(self, address) if self.family == getattr(socket, "AF_UNIX", None) or local(address[0]) else refuse()

    def look_up_locally(host, *arguments, **options):
        return getaddrinfo(host, *arguments, **options) if local(host) else refuse()

    socket.socket.connect, socket.getaddrinfo = connect_locally, look_up_locally


def begin():
    activate()
    if not INSTRUCTIONS["online"]:
        stay_offline()
    if INSTRUCTIONS["prelude"]:
        runpy.run_path(INSTRUCTIONS["prelude"])


# ------------------------------------------------------------------------------------ a pytest suite


class Recorder:
    """Notes the begin and the end of everything, and leaves out what the parent has seen already."""

    def __init__(self, pytest):
        self.pytest = pytest
        self.names = {}
        self.parts = []
        self.ignored = set(INSTRUCTIONS["ignore"])
        self.before = calls()

    def pytest_ignore_collect(self, collection_path):
        return True if str(collection_path) in self.ignored else None

    def pytest_collectstart(self, collector):
        if getattr(collector, "path", None) is not None and collector.path.is_file():
            note("collecting", path=str(collector.path))

    def pytest_collectreport(self, report):
        if report.failed:
            note("end", test=f"(collecting) {report.nodeid}", kind="error", detail=last_line(report.longreprtext))
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            note("end", test=f"(collecting) {report.nodeid}", kind="skipped", detail=reason)

    def pytest_collection_modifyitems(self, config, items):
        seen = Counter()
        for item in items:
            seen[item.nodeid] += 1
            self.names[item] = item.nodeid if seen[item.nodeid] == 1 else f"{item.nodeid} (again: {seen[item.nodeid]})"
        only, done = INSTRUCTIONS["only"], set(INSTRUCTIONS["done"])
        wanted = [item for item in items if self.names[item] not in done and (only is None or self.names[item] in only)]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(wanted)])
        items[:] = wanted

    def pytest_collection_finish(self, session):
        note("collected", tests=[self.names.get(item, item.nodeid) for item in session.items])

    def pytest_runtest_logstart(self):
        self.parts = []

    def pytest_runtest_makereport(self, call):
        outcome = yield
        report = outcome.get_result()
        self.parts.append((report, describe(call.excinfo) if call.excinfo is not None else ""))

    def pytest_runtest_protocol(self, item):
        note("start", test=self.names.get(item, item.nodeid))
        self.before = calls()
        self.parts = []
        yield
        after = calls()
        made = {name: after[name] - self.before[name] for name in after}
        kind, detail = combined(self.parts)
        note("end", test=self.names.get(item, item.nodeid), kind=kind, detail=detail, **made)

    def pytest_sessionfinish(self, exitstatus):
        note("finish", code=int(exitstatus), **calls())


def combined(parts):
    """One outcome from the reports of set-up, call and tear-down."""
    for report, detail in parts:
        if report.failed:
            return ("failed" if report.when == "call" else "error"), detail or str(report.longrepr)
    for report, detail in parts:
        if hasattr(report, "wasxfail"):
            return ("xfailed" if report.skipped else "xpassed"), detail
        if report.skipped:
            return "skipped", detail
    return "passed", ""


def describe(excinfo):
    """An exception's type and text; of a doctest, what it printed instead."""
    lines = []
    for failure in getattr(excinfo.value, "failures", None) or [excinfo.value]:
        example = getattr(failure, "example", None)
        if example is None:
            lines.append(f"{type(failure).__name__}: {failure}")
        elif hasattr(failure, "got"):
            lines.append(f">>> {example.source}{failure.got}")
        else:
            kind, value, _ = failure.exc_info
            lines.append(f">>> {example.source}{kind.__name__}: {value}")
    return "\n".join(lines)


def last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def pytest_configure(config):
    import pytest

    # Hook wrappers are marked here, so that this module can be imported where there is no pytest.
    for name in ("pytest_runtest_makereport", "pytest_runtest_protocol"):
        setattr(Recorder, name, pytest.hookimpl(hookwrapper=True, tryfirst=True)(getattr(Recorder, name)))
    Recorder.pytest_collection_modifyitems = pytest.hookimpl(trylast=True)(Recorder.pytest_collection_modifyitems)
    config.pluginmanager.register(Recorder(pytest), "gilgen-recorder")


# ------------------------------------------------------------------------------------------ a script


def run_script(path):
    atexit.register(lambda: note("finish", code=0, **calls()))  # after activation: runs before gilgen's own, which empties the counts
    if INSTRUCTIONS["active"]:
        try:
            from gilgen.commands import main
        except SystemExit:  # an application that ships gilgen alone has no command line
            pass
        else:
            sys.argv = ["gilgen", "run", path]
            main()
            return
    sys.argv = [path]
    sys.path[0] = str(Path(path).resolve().parent)
    runpy.run_path(path, run_name="__main__")


begin()
if __name__ == "__main__":
    run_script(sys.argv[1])
