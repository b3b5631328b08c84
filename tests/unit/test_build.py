"""Shim wheels: what they hold, and what happens where the compiler, the disk or the user stops the work."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
import zipfile
from email.parser import Parser

import pytest
import support
from packaging.utils import parse_wheel_filename

from gilgen import build, generate, store
from gilgen._version import __version__
from gilgen.errors import ArtefactError, CompileError, InstallError, NoCompilerError, StoreError
from gilgen.manifest import Coverage, Library
from gilgen.model import Headers, Plan

pytestmark = pytest.mark.slow

MACHINE = platform.machine()


@pytest.fixture
def sources(tmp_path):
    """The smallest shim library there is: one without shims would have empty tables."""
    decision = support.Decision("vtkThing.Work", "void vtkThing::Work()", "_ZN8vtkThing4WorkEv", "release", "rule:x", "Why.", carriers=("void",), library="v/libvtkThing.so", copies=1)
    plan = Plan("vtk", "9.6.2", "vtkmodules", "key", Headers("vtk", "9.6.2", "9.6.2", "/h", (), "a test"), (Library("v/libvtkThing.so", 1, "", defines=True),), (decision,), Coverage(0, 0, 0, 0))
    generate.generate(plan, tmp_path / "sources", MACHINE)
    return tmp_path / "sources"


@pytest.fixture
def cache(request, tmp_path):
    """A cache of the test's own that has nothing but the shared native part, which `site` has compiled already."""
    request.getfixturevalue("site")
    shutil.copytree(store.cache_dir() / "native", tmp_path / "cache" / "native")
    return tmp_path / "cache"


@pytest.fixture
def fake_compiler(tmp_path):
    """Makes a program that stands in for a compiler: {name} runs `script`, with the output file as $out."""

    def make(script):
        path = tmp_path / "bin" / "fake-c++"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"""#!/bin/sh
if [ "$1" = --version ]; then echo "fake 1.0"; exit 0; fi
while [ $# -gt 0 ]; do if [ "$1" = -o ]; then out=$2; fi; shift; done
{script}
""")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return build.Compiler((str(path),), "fake 1.0")

    return make


# ------------------------------------------------------------------------------------------- the wheel


def test_the_wheel_is_what_installers_expect(site):
    wheel = next((site.shims.parent / "wheels").glob("*.whl"))
    name, version, number, tags = parse_wheel_filename(wheel.name)
    assert (name, str(version), number) == ("gilgen-shims-vtk", f"1.2.3+gilgen.{__version__}", ())
    assert {str(tag) for tag in tags} == {f"py3-none-linux_{MACHINE}"}
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        information = f"gilgen_shims_vtk-{version}.dist-info"
        metadata = Parser().parsestr(archive.read(f"{information}/METADATA").decode())
        wheel_file = Parser().parsestr(archive.read(f"{information}/WHEEL").decode())
        record = archive.read(f"{information}/RECORD").decode()
        assert "of vtk 1.2.3" in archive.read("gilgen_shims_vtk/__init__.py").decode()
    assert {"gilgen_shims_vtk/__init__.py", "gilgen_shims_vtk/manifest.json", "gilgen_shims_vtk/libgilgen_shims_vtk.so"} < names
    assert all(entry in record for entry in names)
    assert (metadata["Name"], metadata["Version"], metadata["Requires-Python"]) == ("gilgen-shims-vtk", str(version), ">=3.11")
    assert metadata["Requires-Dist"].startswith("gilgen")
    assert wheel_file["Root-Is-Purelib"] == "false"
    assert wheel_file["Tag"] == f"py3-none-linux_{MACHINE}"


def test_the_library_needs_no_python_and_exports_only_its_interface(site):
    with support.elf.Library(site.package / "libgilgen_shims_vtk.so") as library:
        assert not library.imports([b"Py", b"_Py", b"_ZN3vtk"])
        exported = library.defined(lambda _: True)
    assert set(exported) == {
        "gilgen_start", "gilgen_set_guards", "gilgen_bind", "gilgen_unbind", "gilgen_refusal", "gilgen_counts", "gilgen_method_count",
        "gilgen_definition_count", "gilgen_drain", "gilgen_running", "gilgen_claimed_elsewhere", "gilgen_waiting",
        "gilgen_know", "gilgen_know_type", "gilgen_gate", "gilgen_gate_again", "gilgen_ungate", "gilgen_gated", "gilgen_held_elsewhere",
        "gilgen_who_has", "gilgen_raise_busy", "gilgen_pairs", "gilgen_waits",
    }  # fmt: skip


def test_a_wheel_can_be_copied(site, tmp_path):
    wheel = next((site.shims.parent / "wheels").glob("*.whl"))
    assert build.copy(wheel, tmp_path / "new").read_bytes() == wheel.read_bytes()


# ----------------------------------------------------------------------------------------- the compiler


def test_a_compiler_is_found(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    compiler = build.find_compiler()
    assert compiler.version
    monkeypatch.setenv("CXX", "g++ -fno-plt")
    assert build.find_compiler().command == ("g++", "-fno-plt")


@pytest.mark.parametrize("chosen", ["/nowhere/c++", "false", "sh -c 'exit 3'"])
def test_cxx_that_does_not_run_is_named(monkeypatch, chosen):
    monkeypatch.setenv("CXX", chosen)
    with pytest.raises(NoCompilerError, match="CXX is") as caught:
        build.find_compiler()
    assert caught.value.exit_code == 15


def test_without_any_compiler_it_says_how_to_get_one(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(NoCompilerError, match="pip install ziglang"):
        build.find_compiler()


def test_a_compile_error_shows_the_command_and_the_compiler_s_own_words(sources, tmp_path):
    (sources / "shims" / "libvtkThing.cpp").write_text("int broken( { return nonsense; }\n")
    with pytest.raises(CompileError) as caught:
        build.build(sources, tmp_path / "out", build.find_compiler())
    message = str(caught.value)
    assert caught.value.exit_code == 16
    assert " -c " in message
    assert "libvtkThing.cpp" in message
    assert "error:" in message
    assert not (tmp_path / "out").exists()


def test_a_link_error_is_one_too(sources, tmp_path):
    path = sources / "shims" / "libvtkThing.cpp"
    path.write_text(path.read_text().replace("namespace gilgen {", "extern int missing();\nnamespace gilgen {\nint used = missing();", 1))
    with pytest.raises(CompileError, match="missing"):
        build.build(sources, tmp_path / "out", build.find_compiler())


def test_a_compiler_that_is_killed(sources, tmp_path, fake_compiler):
    with pytest.raises(CompileError, match="ended with -9"):
        build.build(sources, tmp_path / "out", fake_compiler("kill -9 $$"))


def test_a_folder_that_generate_did_not_write(tmp_path):
    with pytest.raises(ArtefactError):
        build.build(tmp_path, tmp_path / "out", build.find_compiler())


# -------------------------------------------------------------------------------- interruptions, the disk


def in_cache(tmp_path):
    return sorted(str(path.relative_to(tmp_path / "cache")) for path in (tmp_path / "cache" / "build").rglob("*") if path.is_file() and not path.name.startswith("."))


def made(sources):
    return store.Made(sources, "9.6.2", "key", cached=False, seconds=0.0)


def test_a_failed_build_leaves_nothing_and_the_next_one_works(sources, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(cache))
    monkeypatch.setattr(build.store, "write_bytes", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(StoreError, match="disk is full") as caught:
        build.ensure(made(sources), "vtk", "9.6.2")
    assert caught.value.exit_code == 19
    assert list((cache / "build").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(cache))
    first, wheel = build.ensure(made(sources), "vtk", "9.6.2")
    again, same = build.ensure(made(sources), "vtk", "9.6.2")
    assert (first.cached, again.cached) == (False, True)
    assert wheel == same
    assert in_cache(tmp_path) == [str(wheel.relative_to(cache))]


ENSURE = """
import sys
from pathlib import Path
from gilgen import build, store
print("begin", flush=True)
made, wheel = build.ensure(store.Made(Path(sys.argv[1]), "9.6.2", "key", cached=False, seconds=0.0), "vtk", "9.6.2")
print("cached" if made.cached else "built", wheel, flush=True)
"""


def start(sources, tmp_path, **env):
    environment = os.environ | {"GILGEN_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(support.CHECKOUT), "TMPDIR": str(tmp_path)} | env
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(ENSURE), str(sources)], env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("cache")
def test_a_build_that_was_killed_leaves_nothing_under_its_name(sources, tmp_path, fake_compiler, how):
    started = tmp_path / "started"
    slow = fake_compiler(f"touch {started}; exec sleep 60")
    process = start(sources, tmp_path, CXX=slow.command[0])
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert in_cache(tmp_path) == []
    second = start(sources, tmp_path)
    assert second.communicate(timeout=120)[0].split()[1] == "built"


@pytest.mark.usefixtures("cache")
def test_two_processes_at_once_build_once(sources, tmp_path):
    both = [start(sources, tmp_path) for _ in range(2)]
    words = [process.communicate(timeout=120)[0].split() for process in both]
    assert sorted(word[1] for word in words) == ["built", "cached"]
    assert words[0][2] == words[1][2]
    assert len(in_cache(tmp_path)) == 1


# -------------------------------------------------------------------------------------------- installing


def test_an_installer_that_refuses_is_quoted(tmp_path):
    broken = tmp_path / "gilgen_shims_vtk-1-py3-none-any.whl"
    broken.write_bytes(b"no zip")
    with pytest.raises(InstallError, match="could not be installed") as caught:
        build.install([broken])
    assert caught.value.exit_code == 21


def test_without_an_installer_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(build.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(InstallError, match=r"a\.whl"):
        build.install([tmp_path / "a.whl"])
