"""The user's own word: where it is found, and what is wrong with it."""

from __future__ import annotations

import pytest

from gilgen import config
from gilgen.config import Config
from gilgen.errors import ConfigError


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_file_nothing_is_asked(tmp_path):
    assert config.load(tmp_path) == Config()


def test_the_nearest_folder_counts(tmp_path):
    write(tmp_path / "gilgen.toml", 'include = ["far.*"]')
    near = write(tmp_path / "a" / "b" / "gilgen.toml", 'include = ["near.*"]\nexclude = ["x.y"]')
    assert config.load(tmp_path / "a" / "b" / "c") == Config(("near.*",), ("x.y",), str(near))
    assert config.load(tmp_path / "a").include == ("far.*",)


def test_levels_of_the_guard_stay_in_the_file_s_order(tmp_path):
    file = write(tmp_path / "gilgen.toml", '[guard]\n"vtkThing.Slow*" = "pipeline"\n"vtkThing" = "object"')
    assert config.load(tmp_path) == Config(file=str(file), guard=(("vtkThing.Slow*", "pipeline"), ("vtkThing", "object")))


def test_pyproject(tmp_path):
    file = write(tmp_path / "pyproject.toml", '[tool.gilgen]\nexclude = ["vtkRender*.*"]')
    assert config.load(tmp_path) == Config((), ("vtkRender*.*",), str(file))
    own = write(tmp_path / "gilgen.toml", "")
    assert config.load(tmp_path) == Config(file=str(own))


def test_a_project_without_a_section_ends_the_search(tmp_path):
    write(tmp_path / "gilgen.toml", 'include = ["a.b"]')
    write(tmp_path / "project" / "pyproject.toml", "[project]\nname = 'x'")
    assert config.load(tmp_path / "project" / "src") == Config()


def test_from_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path / "gilgen.toml", 'include = ["a.b"]')
    monkeypatch.chdir(tmp_path)
    assert config.load().include == ("a.b",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("include = [", "is not TOML"),
        ("includes = []", "does not know: includes"),
        ('include = "vtkOBBTree.BuildLocator"', "include is not a list of strings"),
        ("exclude = [1]", "exclude is not a list of strings"),
        ("exclude = true", "exclude is not a list of strings"),
        ("[include]\na = 1", "include is not a list of strings"),
        ('guard = "data"', "guard does not give each name one of none, object, pipeline, closure"),
        ('[guard]\n"vtkThing" = "much"', "guard does not give each name one of"),
        ('[guard]\n"vtkThing" = ["object"]', "guard does not give each name one of"),
    ],
)
@pytest.mark.parametrize("name", ["gilgen.toml", "pyproject.toml"])
def test_what_is_wrong_is_said(tmp_path, text, says, name):
    if name == "pyproject.toml":
        text = "[tool.gilgen]\n" + text.replace("[include]", "[tool.gilgen.include]").replace("[guard]", "[tool.gilgen.guard]")
    file = write(tmp_path / name, text)
    with pytest.raises(ConfigError, match=says) as caught:
        config.load(tmp_path)
    assert str(file) in str(caught.value)
    assert caught.value.exit_code == 13
    assert caught.value.advice


@pytest.mark.parametrize("text", ["tool = 3", "[tool]\ngilgen = 3", "[tool]\ngilgen = ['a']"])
def test_a_section_that_is_no_table(tmp_path, text):
    write(tmp_path / "pyproject.toml", text)
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        config.load(tmp_path)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "gilgen.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        config.load(tmp_path)
