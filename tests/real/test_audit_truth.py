"""What the audit reads from machine code is what the calls do: the window proof, on methods of both kinds, with no exception.

The proof is made in processes of their own, of the plain wheels. Load can hide a release but not feign one, so a
call that was seen to hold where the audit says that it releases is asked once more before it counts.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import support
from fixtures.audit import making

from gilgen.audit import auditing, package

pytestmark = [pytest.mark.real, pytest.mark.slow]

DEADLINE = 1200.0
"""Seconds for one group of calls: ten times what it takes on a quiet machine."""

LEAST = {"own": 40, "vtk": 30, "itk": 10, "numpy": 10}
"""Calls of each group on which both must have said something definite. Busy machines decide fewer than quiet ones."""

GROUPS = ("own", "vtk", *(pytest.param(group, marks=pytest.mark.elsewhere) for group in ("itk", "numpy")))

BOTH = 60
"""Calls over all groups, on which the audit and the proof have to agree."""

SEEN = {"releases": "releases", "partly": "releases", "holds": "holds"}
"""What the window says -> what the audit has to say."""

MISSING = "not found"


@dataclass(frozen=True)
class Compared:
    """One call: what the audit says, and what the window says."""

    name: str
    audited: str
    seen: str
    because: str

    @property
    def decided(self) -> bool:
        return self.audited in {"releases", "holds"} and self.seen in SEEN

    @property
    def agrees(self) -> bool:
        return self.audited != MISSING and (not self.decided or SEEN[self.seen] == self.audited)


@cache
def audited(group: str, root: Path) -> tuple:
    target = package.of_files("audited", list(making.Extensions(root).files)) if group == "own" else package.installed(group)
    return auditing.audit(target).wrappers


def verdict(wrappers: Iterable, toolkit: str, call: str) -> str:
    """What the audit says of a call: "Class.method", with ":kind" where it is no method, with parameters where it is one overload."""
    text, _, kind = call.partition(":") if "(" not in call else (call, "", "")
    name, bracket, parameters = text.partition("(")
    owner, _, method = name.rpartition(".")
    kinds = {kind} if kind else {"method", "function"}
    found = {
        wrapper.verdict
        for wrapper in wrappers
        if (wrapper.owner, wrapper.method) == (owner, method)
        and wrapper.kind in kinds
        and toolkit in {"vtk", "itk", "numpy", wrapper.module.rpartition(".")[2]}
        and (not bracket or wrapper.overload.rpartition(" -> ")[0] == f"{method}({parameters}")
    }
    return found.pop() if len(found) == 1 else "mixed" if found else MISSING


def prove(group: str, root: Path, names: Iterable[str] = ()) -> dict[str, dict]:
    """What the window says of each call of a group."""
    folder = Path(making.__file__).parent
    paths = [str(folder), str(root), os.environ.get("PYTHONPATH", "")]
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-X", "faulthandler", str(folder / "proving.py"), f"calls_{group}", *names]
    ended = support.run(command, DEADLINE, environment)
    assert ended.ok, f"{'deadline' if ended.timed_out else ended.crashed or ended.code}\n{ended.out}\n{ended.err}"
    answers = [json.loads(line) for line in ended.out.splitlines() if line.startswith('{"name"')]
    return {answer["name"]: answer for answer in answers}


@cache
def compare(group: str, root: Path) -> tuple[Compared, ...]:
    """Every call of a group, asked once however many tests look at the answers."""
    if group in {"vtk", "itk"}:
        pytest.importorskip(group)
    wrappers = audited(group, root)
    seen = prove(group, root)
    said = {name: verdict(wrappers, answer["toolkit"], answer["call"]) for name, answer in seen.items()}
    hidden = [name for name, answer in seen.items() if said[name] == "releases" and answer["reading"] == "holds"]
    if hidden:
        seen |= prove(group, root, hidden)
    return tuple(Compared(name, said[name], answer["reading"], answer["because"]) for name, answer in seen.items())


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The extensions of our own, compiled as a compiler does by default."""
    return making.make(tmp_path_factory.mktemp("own"), making.WAYS["default"]).root


@pytest.mark.parametrize("group", GROUPS)
def test_no_call_does_other_than_the_audit_says(root, group):
    assert [each for each in compare(group, root) if not each.agrees] == []


@pytest.mark.parametrize("group", GROUPS)
def test_enough_calls_of_both_kinds_are_decided(root, group):
    decided = [each for each in compare(group, root) if each.decided]
    undecided = [each for each in compare(group, root) if not each.decided]
    assert len(decided) >= LEAST[group], undecided
    assert {each.audited for each in decided} == {"releases", "holds"}


@pytest.mark.elsewhere
def test_there_are_enough_in_all(root):
    assert sum(each.decided for group in LEAST for each in compare(group, root)) >= BOTH


@pytest.mark.parametrize(("method", "kind"), [("__matmul__", "slot"), ("__neg__", "slot"), ("__pow__", "slot"), ("clip", "method"), ("sum", "method")])
def test_what_goes_through_the_interpreter_is_not_said_to_hold_without_a_word(root, method, kind):
    """`array @ array` calls the object `numpy.matmul`, and that releases: the code of the wrapper alone cannot tell."""
    (wrapper,) = [each for each in audited("numpy", root) if (each.owner, each.method, each.kind) == ("ndarray", method, kind)]
    assert wrapper.verdict != "holds" or wrapper.may_call_python
