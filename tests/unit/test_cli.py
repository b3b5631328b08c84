import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gilgen import _version, commands, doctor, headers, scan
from gilgen.commands import invoke
from gilgen.errors import HeadersNotFoundError, UnsupportedError
from gilgen.model import DroppedHeader, Headers
from gilgen.scan import ScanSummary
from gilgen.toolkits.base import Installation

FOUND = Headers("vtk", "9.6.2", "9.7.2", "/include/vtk-9.6", (), "the system", "A notice.")
INSTALLED = Installation("vtk", "9.7.2", "vtkmodules", Path("/site"), (), "key")


@pytest.fixture
def vtk(monkeypatch):
    """VTK as installed, with headers; nothing real is touched."""
    monkeypatch.setattr("gilgen.toolkits.vtk.Vtk.installation", lambda _: INSTALLED)
    monkeypatch.setattr(headers, "find", lambda *_, **__: FOUND)


def test_version(capsys):
    assert invoke(["--version"]) == 0
    assert _version.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("verb", commands.VERBS)
def test_every_verb_explains_itself(verb, capsys):
    assert invoke([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"gilgen {verb}" in text
    assert len(text.splitlines()) > 5


def test_an_unknown_verb_is_a_wrong_command_line(capsys):
    assert invoke(["frobnicate"]) == 2
    assert "No such command" in capsys.readouterr().err


def test_an_unknown_toolkit(capsys):
    assert invoke(["headers", "opencv"]) == 10
    error = capsys.readouterr().err
    assert error.startswith("gilgen: gilgen knows no toolkit 'opencv'")
    assert "Traceback" not in error


def test_an_expected_error_ends_with_its_code(capsys, vtk, monkeypatch):
    del vtk

    def none(*_, **__):
        raise HeadersNotFoundError("There are none.", "Name some.")

    monkeypatch.setattr(headers, "find", none)
    assert invoke(["scan", "vtk"]) == 11
    assert capsys.readouterr().err == "gilgen: There are none.\nName some.\n"


def test_an_interrupt_is_not_a_traceback(capsys, vtk, monkeypatch):
    del vtk

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(headers, "find", stop)
    assert invoke(["headers", "vtk"]) == 130
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.usefixtures("vtk")
def test_headers_prints_version_source_and_folder(capsys):
    assert invoke(["headers", "vtk"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["vtk 9.7.2: headers 9.6.2 from the system", "  /include/vtk-9.6", "  A notice."]


@pytest.mark.usefixtures("vtk")
def test_headers_as_json(capsys, tmp_path):
    assert invoke(["headers", "vtk", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][0]["version"] == "9.6.2"
    assert invoke(["headers", "vtk", "--json", str(tmp_path / "headers.json")]) == 0
    assert json.loads((tmp_path / "headers.json").read_text())["artefact"] == "Headers[]"


@pytest.mark.usefixtures("vtk")
def test_scan_prints_a_summary_and_writes_the_api(capsys, tmp_path, monkeypatch):
    api = tmp_path / "api.json"
    api.write_text("the api")
    dropped = (
        DroppedHeader("vtkA.h", "line 3: unknown", alone=True),
        DroppedHeader("vtkB.h", "line 4: [bad]", alone=False),
    )
    summary = ScanSummary("vtk", "9.6.2", "", 30, 20, 4, 500, dropped, 1.25, 300, str(api), "A notice.")
    monkeypatch.setattr(scan, "ensure", lambda *_: summary)
    out, summaries = tmp_path / "out.json", tmp_path / "summaries.json"
    assert invoke(["scan", "vtk", "-o", str(out), "--json", str(summaries)]) == 0
    text = capsys.readouterr().out
    assert "30 headers, 20 classes, 4 class templates, 500 methods (1.2 s, 300 MB" in text
    assert "2 headers had errors; 1 of them could be read alone" in text
    assert "vtkA.h (read alone): line 3: unknown" in text
    assert "vtkB.h: line 4: [bad]" in text
    assert "A notice." in text
    assert out.read_text() == "the api"
    assert json.loads(summaries.read_text())["data"][0]["methods"] == 500


def test_scan_refuses_one_file_for_two_toolkits(capsys, tmp_path):
    assert invoke(["scan", "vtk", "itk", "-o", str(tmp_path / "out.json")]) == 13
    assert "One file" in capsys.readouterr().err


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("missing", 1)])
def test_doctor_says_what_mends_it(capsys, monkeypatch, state, code):
    findings = (doctor.Finding("libclang", state, "what it says", "Install it: pip install libclang"),)
    monkeypatch.setattr(doctor, "examine", lambda: doctor.Checkup(state == "ok", findings))
    assert invoke(["doctor"]) == code
    text = capsys.readouterr().out
    assert "pip install libclang" in text
    assert ("Not ready" in text) == (state != "ok")


def test_doctor_names_every_thing_it_needs(monkeypatch, tmp_path):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path))
    names = [finding.name for finding in doctor.examine().findings]
    assert {"Python", "machine", "vtk", "itk", "libclang", "C++ compiler", "ptrace for py-spy"} <= set(names)


def test_doctor_without_a_compiler_is_not_ready(monkeypatch, tmp_path):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("CXX", "/no/such/compiler")
    found = doctor.examine()
    broken = {finding.name: finding for finding in found.findings}["C++ compiler"]
    assert broken.state == "missing"
    assert broken.advice
    assert not found.ready


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "arm64"), ("linux", "riscv64"), ("win32", "AMD64")]
)
def test_other_machines_are_refused(monkeypatch, system, machine):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    with pytest.raises(UnsupportedError, match=machine):
        doctor.check_machine()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_these_machines_are_served(monkeypatch, machine):
    monkeypatch.setattr("platform.machine", lambda: machine)
    doctor.check_machine()


def test_help_is_quick_and_imports_no_stage():
    code = "import sys; from gilgen.commands import cli; assert not {'msgspec', 'numpy', 'gilgen.scan'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_verbs_are_click_commands():
    context = click.Context(commands.cli)
    for verb in commands.VERBS:
        assert isinstance(commands.cli.get_command(context, verb), click.Command)
