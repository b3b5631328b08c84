"""What goes wrong around a real fix: an interruption, a damaged cache, a full disk, no compiler, an upgrade."""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import support

from gilgen import store

GILGEN = (sys.executable, "-c", "from gilgen.commands import main; main()")

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.skipif(importlib.util.find_spec("vtkmodules") is None, reason="vtk is not installed")]


@pytest.fixture(scope="module")
def include():
    """The folder of VTK's headers."""
    return support.with_headers("vtk")[2].root


def drafts(cache):
    return [path.name for path in cache.rglob(".*") if path.name != ".contents.sha256"]


@pytest.mark.parametrize("seconds", [0.5, 4, 12])
def test_an_interruption_leaves_nothing_half_made(tmp_path, include, seconds):
    command = [*GILGEN, "fix", "vtk", "--no-install", "--headers", include]
    environment = os.environ | {"GILGEN_CACHE_DIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    begun = time.monotonic()
    while not any(tmp_path.iterdir()) and time.monotonic() < begun + 60:  # Python itself takes a while to start
        time.sleep(0.05)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert (process.returncode, "Traceback" in err) == (130, False), err
    assert "nothing is half written" in err
    assert drafts(tmp_path) == []


@pytest.mark.elsewhere
def test_a_damaged_cache_heals_and_says_so(tmp_path, include):
    for stage in ("scan", "exposed"):
        if (store.cache_dir() / stage).exists():
            shutil.copytree(store.cache_dir() / stage, tmp_path / "cache" / stage, ignore=lambda _, names: [name for name in names if name.startswith("itk")])

    def planned():
        return support.run([*GILGEN, "plan", "vtk", "--headers", include], deadline=600, cwd=tmp_path, env={"GILGEN_CACHE_DIR": str(tmp_path / "cache")})

    first = planned()
    assert first.ok, first.err
    damaged = [path for name in ("plan.json", "exposed.json") for path in (tmp_path / "cache").rglob(name)]
    assert {path.name for path in damaged} == {"plan.json", "exposed.json"}
    for path in damaged:
        os.truncate(path, 100)
    again = planned()
    assert again.ok, again.err
    assert "is damaged: it is made again" in again.err
    assert again.out == first.out


def test_without_a_compiler_it_says_what_to_install(tmp_path, include):
    if importlib.util.find_spec("ziglang"):
        pytest.skip("ziglang is a compiler")
    ended = support.run([*GILGEN, "fix", "vtk", "--no-install", "--headers", include], deadline=600, cwd=tmp_path, env={"PATH": str(tmp_path), "CXX": "", "GILGEN_CACHE_DIR": str(tmp_path)})
    assert (ended.code, "Traceback" in ended.err) == (15, False), ended.err
    assert "pip install ziglang" in ended.err


def test_no_headers_and_no_archive_are_needed(tmp_path):
    """Nothing on PATH, so no apt; an empty cache, so nothing that was fetched before."""
    ended = support.run([*GILGEN, "plan", "vtk"], deadline=600, cwd=tmp_path, env={"PATH": str(tmp_path), "GILGEN_CACHE_DIR": str(tmp_path / "cache")})
    assert ended.ok, ended.err
    assert "(shipped with gilgen)" in ended.out
    asked = support.run([*GILGEN, "headers", "vtk"], deadline=120, cwd=tmp_path, env={"PATH": str(tmp_path), "GILGEN_CACHE_DIR": str(tmp_path / "cache")})
    if any(Path("/usr/include").glob("vtk-9*")):
        assert asked.ok, asked.err
    else:
        assert (asked.code, "Traceback" in asked.err) == (11, False), asked.err
        assert "--headers DIR" in asked.err


def test_shims_of_another_version_are_refused_with_the_command(tmp_path):
    shims = tmp_path / "gilgen_shims_vtk"
    shims.mkdir()
    (shims / "__init__.py").touch()
    manifest = {
        "toolkit": "vtk", "version": "9.0.0", "gilgen": "0", "package": "vtkmodules", "distribution_key": "", "machine": os.uname().machine,
        "libraries": [], "shims": [], "distributions": ["vtk"], "coverage": {"wrapped": 0, "candidates": 0, "direct": 0, "through": 0}, "prepares": [],
    }  # fmt: skip
    (shims / "manifest.json").write_bytes(store.encode(manifest))
    (tmp_path / "program.py").write_text("print('it ran')")
    ended = support.run([*GILGEN, "run", "--toolkits", "vtk", "program.py"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert (ended.code, "Traceback" in ended.err) == (17, False), ended.err
    assert f"made for vtk 9.0.0, but vtk {importlib.metadata.version('vtk')} is installed" in ended.err
    assert "gilgen fix vtk" in ended.err
