"""What users get wrong: each ends with a message that says what to do, the right exit code, and no traceback."""

import sys
from pathlib import Path

import pytest
import support

from gilgen import config, plan, store
from gilgen.errors import ArtefactError, StoreError
from gilgen.model import Api, Class, Headers, Method
from gilgen.toolkits.base import ExposedClass, ExposedMethod, Installation

GILGEN = (sys.executable, "-c", "from gilgen.commands import main; main()")


def gilgen(tmp_path, *arguments):
    return support.run([*GILGEN, *arguments], cwd=tmp_path, env={"GILGEN_CACHE_DIR": str(tmp_path / "cache")})


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["fix", "foo"], 10, "Name one or more of: vtk, itk"),
        (["plan", "foo"], 10, "knows no toolkit 'foo'"),
        (["scan", "foo"], 10, "knows no toolkit 'foo'"),
        (["headers", "foo"], 10, "knows no toolkit 'foo'"),
        (["fix"], 2, "Name one or more toolkits"),
        (["bogus"], 2, "No such command"),
        (["build"], 2, "Name one or more toolkits, or --sources DIR"),
        (["build", "--sources", "."], 14, "There is no manifest.json"),
        (["report", "nonsense.json"], 14, "is damaged"),
        (["run", "--toolkits", "foo", "nonsense.json"], 10, "No shims for 'foo'"),
    ],
)
def test_a_wrong_command_line(tmp_path, arguments, code, words):
    (tmp_path / "nonsense.json").write_text("nonsense")
    ended = gilgen(tmp_path, *arguments)
    assert (ended.code, "Traceback" in ended.err) == (code, False), ended.err
    assert words in ended.err


@pytest.mark.parametrize("module", ["click", "rich"])
def test_a_missing_dependency_is_named(tmp_path, module):
    code = f"import sys; sys.modules[{module!r}] = None; from gilgen.commands import main; main(['doctor'])"
    ended = support.run_python(code, cwd=tmp_path)
    assert (ended.code, "Traceback" in ended.err) == (1, False), ended.err
    assert f"needs {module}" in ended.err
    assert f"pip install {module}" in ended.err


def test_activation_needs_none_of_them(tmp_path):
    code = """
    import sys
    for name in ("click", "rich", "msgspec", "numpy", "elftools", "jinja2", "filelock", "platformdirs", "cxxfilt", "packaging"):
        sys.modules[name] = None
    import gilgen
    print(gilgen.activate.__name__)
    """
    assert support.run_python(code, cwd=tmp_path).out == "activate\n"


def test_nobody_is_told_to_delete_a_file_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path / "cache"))
    for folder, words in ((tmp_path, "Name a file that gilgen wrote"), (tmp_path / "cache", "Delete ")):
        folder.mkdir(exist_ok=True)
        (folder / "file.json").write_text("nonsense")
        with pytest.raises(ArtefactError) as caught:
            store.read(folder / "file.json", Headers)
        assert caught.value.advice.startswith(words)


def test_a_place_that_the_system_refuses():
    with pytest.raises(StoreError, match="Cannot write"):
        store.write(Path("/proc/nowhere.json"), ())


# ------------------------------------------------------------------------------ settings that name nothing


def notices(tmp_path, include=(), exclude=()):
    headers = Headers("vtk", "9.6.2", "9.6.2", str(tmp_path), (), "a test")
    method = Method("Compute", "_ZN8vtkThing7ComputeEv", "void", "void")
    api = Api("vtk", "9.6.2", headers, (Class("vtkThing", "vtkThing.h", 1, methods=(method,)),))
    exposed = (ExposedClass("vtkThing", "vtkThing", (), (ExposedMethod("vtkThing", "Compute"),)),)
    installation = Installation("vtk", "9.6.2", "vtkmodules", tmp_path, (), "key")
    return plan.plan(installation, api, exposed, config.Config(include, exclude, "gilgen.toml")).notices


def test_control_settings_that_name_something_are_quiet(tmp_path):
    assert notices(tmp_path, ("vtkThing.Compute",), ("vtkTh*.*", "*Nothing.*")) == ()


def test_a_pattern_of_the_other_toolkit_is_quiet(tmp_path):
    assert notices(tmp_path, ("itk.MedianImageFilter.Update",)) == ()


@pytest.mark.parametrize("field", ["include", "exclude"])
def test_a_pattern_that_names_no_method_is_said(tmp_path, field):
    (notice,) = notices(tmp_path, **{field: ("vtkThing.Comptue",)})
    assert all(word in notice for word in ("gilgen.toml", field, "vtkThing.Comptue", "vtk 9.6.2"))
