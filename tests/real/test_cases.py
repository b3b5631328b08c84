"""Every case on the real wheels, small and twice: it does its work, and again after a reset, and leaves its files in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import support
from gilgen.diagnostics.cases import cases_of
from gilgen.diagnostics.cases.record import nothing_missing

pytestmark = pytest.mark.real

SMALL = 50
"""A case is made this much smaller than where its calibration begins."""

RUN = """
import os, resource, signal, sys, time
import msgspec
from pathlib import Path
from gilgen.diagnostics import cases

toolkit, folder, small = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
module = cases.module(cases.find(toolkit))
module.load()
answers = {}

def life(case, place):
    os.chdir(place)
    log = os.open("../" + case.name + ".log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1), os.dup2(log, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module.single_threaded()
    reason = case.unavailable()
    worked = []
    if not reason:
        work = case.make(max(1, case.size // small))
        for _ in range(2):
            work.reset()
            work.call()
            worked.append(work.worked())
    return {"unavailable": reason, "worked": worked}

for case in module.CASES:
    place = folder / case.name
    place.mkdir()
    process = os.fork()
    if process == 0:
        signal.alarm(30)
        try:
            answer = life(case, place)
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        (folder / f"{case.name}.json").write_bytes(msgspec.json.encode(answer))
        os._exit(0)
    _, status = os.waitpid(process, 0)
    file = folder / f"{case.name}.json"
    answers[case.name] = msgspec.json.decode(file.read_bytes()) if file.exists() else {"error": f"ended with status {os.waitstatus_to_exitcode(status)}"}
    log = folder / f"{case.name}.log"
    answers[case.name]["log"] = log.read_text(errors="replace") if log.exists() else ""
print(msgspec.json.encode(answers).decode())
"""


@pytest.fixture(scope="module", params=["vtk", "itk"])
def made(request, tmp_path_factory) -> tuple[str, Mapping[str, dict], Path]:
    """A toolkit, what became of each of its cases, and where they ran."""
    place = tmp_path_factory.mktemp(request.param)
    for name in ("cases", "home", "temporary"):
        (place / name).mkdir()
    environment = {"HOME": str(place / "home"), "TMPDIR": str(place / "temporary")}
    arguments = (request.param, str(place / "cases"), str(SMALL))
    answers = support.run_python(RUN, deadline=300, env=environment, arguments=arguments, cwd=place).answer
    return request.param, answers, place


def test_every_case_does_its_work_twice(made):
    toolkit, answers, _ = made
    assert set(answers) == {case.name for case in cases_of(toolkit)}
    broken = {name: answer for name, answer in answers.items() if not answer.get("unavailable") and answer.get("worked") != [True, True]}
    assert not broken


def test_no_toolkit_complains(made):
    """VTK prints its errors and goes on: such a case would measure how long it takes to fail."""
    _, answers, _ = made
    assert not {name: answer["log"][-2000:] for name, answer in answers.items() if "ERR|" in answer["log"] or "Error" in answer["log"]}


def test_only_what_a_machine_may_lack_is_left_out_and_says_why(made):
    toolkit, answers, _ = made
    left_out = {name: answer["unavailable"] for name, answer in answers.items() if answer.get("unavailable")}
    assert set(left_out) <= {case.name for case in cases_of(toolkit) if case.needs is not nothing_missing}
    for reason in left_out.values():
        assert "OpenGL" in reason or "X display" in reason
    if os.environ.get("DISPLAY"):
        assert "event-loop" not in left_out


def test_files_stay_in_the_case_s_folder(made):
    toolkit, _, place = made
    names = {case.name for case in cases_of(toolkit)}
    assert {path.name.removesuffix(".json").removesuffix(".log") for path in (place / "cases").iterdir()} == names
    assert {path.name for path in place.iterdir()} == {"cases", "home", "temporary"}
    drivers = {".cache"}  # Mesa keeps its compiled shaders there
    assert {path.name for path in (place / "home").iterdir()} <= drivers
    assert not list((place / "temporary").iterdir())


THREADS = {
    "vtk": "[vtk.library().vtkSMPTools.GetEstimatedNumberOfThreads(), vtk.library().vtkMultiThreader.GetGlobalDefaultNumberOfThreads()]",
    "itk": "[itk.library().MultiThreaderBase.GetGlobalDefaultNumberOfThreads()]",
}


@pytest.mark.parametrize("toolkit", THREADS)
def test_one_thread_and_all_threads(toolkit):
    code = f"""
    import json
    from gilgen.diagnostics.cases import {toolkit}
    def threads(): return {THREADS[toolkit]}
    found = [threads()]
    for set_them in ({toolkit}.single_threaded, {toolkit}.all_threads, {toolkit}.single_threaded):
        set_them()
        found.append(threads())
    print(json.dumps(found))
    """
    before, one, every, again = support.run_python(code, deadline=120).answer
    assert set(one) == set(again) == {1}
    assert every == before
    assert max(every) == len(os.sched_getaffinity(0)) or "NUMBER_OF_THREADS" in json.dumps(dict(os.environ))
