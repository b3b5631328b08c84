"""Fixtures that several test files share."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import support  # noqa: E402 - it lies beside this file

__all__ = ()


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
