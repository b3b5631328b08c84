"""The examples for CI: they can be read by what reads them, and every command and option in them exists."""

from __future__ import annotations

import json
import shlex
import stat
import sys
from fnmatch import fnmatchcase

import click
import pytest
import support
import yaml
from gilgen.diagnostics import gate
from gilgen.diagnostics.cases import cases_of

from gilgen import commands

FOLDER = support.CHECKOUT / "examples" / "ci"
WORKFLOW, SCRIPT = FOLDER / "github-actions.yml", FOLDER / "gate.sh"

RECORDER = """#!{python}
import json, os, sys
with open(os.environ["RECORD"], "a") as record:
    record.write(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]) + "\\n")
sys.exit(int(os.environ.get("FAIL_" + "_".join([os.path.basename(sys.argv[0]), *sys.argv[1:2]]).upper(), "0")))
"""


def steps() -> list[dict]:
    workflow = yaml.safe_load(WORKFLOW.read_text())
    assert workflow[True] == ["push", "pull_request"]  # YAML 1.1 takes the key "on" for a truth
    return workflow["jobs"]["gil"]["steps"]


def lines(text: str) -> list[list[str]]:
    """The commands of a script that are gilgen's or pytest's."""
    whole = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in whole if line.split()[:1] in (["gilgen"], ["pytest"])]


def commands_of(name: str) -> list[list[str]]:
    if name == "script":
        return lines(SCRIPT.read_text())
    return lines("\n".join(step["run"] for step in steps() if "run" in step))


@pytest.fixture(params=["workflow", "script"])
def example(request):
    return commands_of(request.param)


def test_every_command_and_option_exists(example, pytestconfig):
    for program, *arguments in example:
        options = [argument for argument in arguments if argument.startswith("--")]
        if program == "pytest":
            assert {option.removeprefix("--").replace("-", "_") for option in options} <= vars(pytestconfig.option).keys()
            continue
        command = commands.cli.get_command(click.Context(commands.cli), arguments[0])
        assert command is not None, arguments
        assert set(options) <= {name for parameter in command.params for name in parameter.opts}
        context = command.make_context("gilgen", arguments[1:], resilient_parsing=True)
        assert context.args == []


def test_both_do_the_same_in_the_order_that_matters(example):
    verbs = [" ".join(part[:2]) if part[0] == "gilgen" else part[0] for part in example]
    assert verbs == ["gilgen fix", "pytest", "gilgen diagnose", "gilgen report", "gilgen check"]


def test_the_gates_arguments_are_understood(example):
    arguments = example[-1]
    assert gate.stall_limit(arguments[arguments.index("--max-stall") + 1]).seconds == 0.05
    wanted = gate.requirement(arguments[arguments.index("--require") + 1])
    assert wanted.verdict == "releases"
    assert any(fnmatchcase(case.call, wanted.pattern) for case in cases_of("vtk") if case.quick)


def test_the_report_is_published_before_the_gate_can_stop_the_job():
    order = [step.get("uses", step.get("run", "")).partition("@")[0] for step in steps()]
    assert order.index("actions/upload-artifact") < next(index for index, run in enumerate(order) if run.startswith("gilgen check"))


def test_a_shell_can_read_the_script():
    assert support.run(["bash", "-n", str(SCRIPT)]).ok


@pytest.mark.parametrize(("failing", "code", "ran"), [({}, 0, 5), ({"FAIL_GILGEN_CHECK": "1"}, 1, 5), ({"FAIL_GILGEN_FIX": "15"}, 15, 1), ({"FAIL_GILGEN_DIAGNOSE": "20"}, 20, 3)])
def test_the_script_ends_with_the_code_of_the_step_that_failed(tmp_path, failing, code, ran):
    """The commands' names lead to a program that writes down how it was called."""
    for name in ("gilgen", "pytest"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(RECORDER.format(python=sys.executable))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    record = tmp_path / "record"
    environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "RECORD": str(record)} | failing
    assert support.run(["bash", str(SCRIPT), "base.json", "out"], env=environment, cwd=tmp_path).code == code
    calls = [json.loads(line) for line in record.read_text().splitlines()]
    assert len(calls) == ran
    assert (tmp_path / "out").is_dir()
    if ran == 5:
        assert calls[-1][:5] == ["gilgen", "check", "out/report.json", "--baseline", "base.json"]
