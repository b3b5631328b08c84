"""Fixtures that several test files share."""

import shutil
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support
from nursery import Nursery

__all__ = ()

pytest_plugins = ("pytester",)

# A shell's background job ignores interrupts, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Files that take minutes come first, those on the real wheels before all, so that none is left alone at the end of a run with several workers."""
    items.sort(key=lambda item: tuple(item.get_closest_marker(name) is None for name in ("slow", "real")))


@pytest.fixture(scope="session")
def objects(tmp_path_factory):
    """The pretend toolkit's object files."""
    if shutil.which("g++") is None:
        pytest.skip("the pretend toolkit is compiled with g++, which is not here")
    return support.compile_objects(tmp_path_factory.mktemp("objects"))


@pytest.fixture(scope="session")
def pretend(objects, tmp_path_factory):
    """The pretend toolkit, linked as a linker does by default. Never change it: copy it."""
    return support.PretendToolkit.link(objects, tmp_path_factory.mktemp("pretend"), support.VARIANTS["default"])


@pytest.fixture(scope="session")
def site(pretend, tmp_path_factory):
    """The pretend toolkit with shims for everything that a shim can serve. Never change it: copy it."""
    return support.Site(pretend, support.shims_for(pretend.plan(), tmp_path_factory.mktemp("shims")))


@pytest.fixture(scope="session")
def real_shims(tmp_path_factory):
    """Shims for the VTK and ITK that are installed, from the cache where it has them: a folder for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("real-shims")
    code = "from gilgen.commands import main; main()"
    ended = support.run([sys.executable, "-c", code, "build", "vtk", "itk", "-o", str(folder / "wheels")], deadline=1200)
    assert ended.ok, ended.err
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        support.unzipped(wheel, folder / "site")
    return folder / "site"


@pytest.fixture(scope="session")
def nursery(real_shims, tmp_path_factory):
    """Forks processes in which VTK and ITK are imported, and their shims can be activated."""
    imports = "import vtkmodules.all as vtk, itk, numpy\nitk.MedianImageFilter, itk.PyCommand, itk.ImageFileReader, itk.ImageFileWriter\nimport gc; gc.collect(); gc.freeze()"
    found = Nursery(imports, {"PYTHONPATH": f"{real_shims}:{support.CHECKOUT}"}, tmp_path_factory.mktemp("nursery"))
    yield found
    found.close()
