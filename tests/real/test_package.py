"""The wheel of gilgen itself, in an empty environment away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import support

from gilgen import toolkits

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600

pytestmark = [pytest.mark.real, pytest.mark.slow]


def call(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=SECONDS, check=False, env=plain | environment, cwd=environment["HOME"]
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT, HOME=str(folder))
    assert done.returncode == 0, done.stderr
    return next(folder.glob("gilgen-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and VTK, and nothing of the checkout."""
    home = tmp_path_factory.mktemp("elsewhere")
    for command in ((sys.executable, "-m", "venv", home / "env"), (home / "env/bin/python", "-m", "pip", "install", "--quiet", wheel)):
        done = call(*command, HOME=str(home))
        assert done.returncode == 0, done.stderr
    (site,) = (home / "env" / "lib").glob("python3*/site-packages")
    root = toolkits.get("vtk").installation().root
    for path in [*root.glob("vtk.py"), *root.glob("vtk*.dist-info"), *root.glob("vtkmodules*")]:
        (site / path.name).symlink_to(path)
    return home


def test_wheel_holds_every_part(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for source in ("gilgen", "templates", "diagnostics"):
        for path in (ROOT / source).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                inside = path.relative_to(ROOT) if source == "gilgen" else Path("gilgen") / path.relative_to(ROOT)
                assert str(inside) in names
    assert not [name for name in names if name.startswith(("tests", "bench", "templates", "diagnostics"))]


def test_help_and_doctor(installed: Path) -> None:
    gilgen = installed / "env/bin/gilgen"
    shown = call(gilgen, "--help", HOME=str(installed))
    assert shown.returncode == 0
    assert "gilgen fix vtk itk" in shown.stdout
    examined = call(gilgen, "doctor", HOME=str(installed))
    assert examined.returncode in {0, 1}, examined.stderr
    assert "vtk" in examined.stdout


def test_real_scan(installed: Path) -> None:
    _, _, found = support.with_headers("vtk")
    scanned = call(
        installed / "env/bin/gilgen", "scan", "vtk", "--headers", found.root, "-o", installed / "api.json",
        HOME=str(installed), GILGEN_CACHE_DIR=str(installed / "cache"),
    )
    assert scanned.returncode == 0, scanned.stderr
    classes = {cls["name"] for cls in json.loads((installed / "api.json").read_bytes())["data"]["classes"]}
    assert {"vtkAlgorithm", "vtkOBBTree", "vtkImageData"} <= classes
    assert len(classes) > 3_000
