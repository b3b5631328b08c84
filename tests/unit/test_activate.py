"""Activation from Python's side: what it refuses, what it imports, and the three ways to ask for it."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys

import pytest
import support

from gilgen import generate
from gilgen.errors import ArtefactError, GilgenError, UnsupportedError

activate = importlib.import_module("gilgen.activate")
"""The module; the package gives its function the same name."""

ATTEMPT = """
from gilgen.errors import GilgenError
try:
    gilgen.activate({arguments})
    say(["activated", "", 0])
except GilgenError as error:
    say([type(error).__name__, str(error), error.exit_code])
"""


def attempt(site, arguments="'vtk'"):
    return site.run(ATTEMPT.format(arguments=arguments)).answer


def change_manifest(site, **changes):
    path = site.package / generate.MANIFEST
    envelope = json.loads(path.read_bytes())
    envelope["data"] |= changes.pop("data", {})
    path.write_text(json.dumps(envelope | changes))


# ------------------------------------------------------------------------------------------- refusals


def test_control_what_fits_is_activated(site):
    assert attempt(site) == ["activated", "", 0]


def test_a_library_of_another_build_is_named(site, tmp_path):
    other = site.copy_to(tmp_path)
    rebuild(other.toolkit.root / "pretend" / "libderived.so")
    kind, message, code = attempt(other)
    assert (kind, code) == ("StaleShimsError", 17)
    assert "pretend/libderived.so is another build" in message
    assert "gilgen fix vtk" in message


def test_without_a_record_a_wrapper_of_another_size_is_named(site, tmp_path):
    other = site.copy_to(tmp_path)
    with (other.toolkit.root / "pretend" / "wrapper.so").open("ab") as file:
        file.write(b"\0")
    kind, message, _ = attempt(other)
    assert kind == "StaleShimsError"
    assert "pretend/wrapper.so has" in message


def test_a_missing_library_is_named(site, tmp_path):
    other = site.copy_to(tmp_path)
    (other.toolkit.root / "pretend" / "libsecond.so").unlink()
    kind, message, _ = attempt(other)
    assert kind == "StaleShimsError"
    assert "pretend/libsecond.so is missing" in message


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "ArtefactError"),
        (lambda path: path.write_bytes(b""), "ArtefactError"),
        (lambda path: path.write_bytes(b"\xff\xfe\0"), "ArtefactError"),
        (lambda path: path.write_text("[]"), "ArtefactError"),
        (lambda path: path.write_text('{"schema": 1, "data": {"libraries": [], "shims": []}}'), "ArtefactError"),
        (lambda path: path.write_text('{"schema": 1, "data": {"libraries": [1], "shims": []}}'), "ArtefactError"),
        (lambda path: path.write_text('{"schema": 1, "data": []}'), "ArtefactError"),
        (lambda path: path.write_text('{"schema": 1, "data": null}'), "ArtefactError"),
        (lambda path: path.unlink(), "ArtefactError"),
    ],
    ids=["truncated", "empty", "no text", "a list", "fields missing", "wrong records", "data is a list", "no data", "missing"],
)
def test_a_damaged_manifest_is_refused(site, tmp_path, damage, kind):
    other = site.copy_to(tmp_path)
    damage(other.package / generate.MANIFEST)
    found, message, code = attempt(other)
    assert (found, code) == (kind, 14)
    assert "manifest.json" in message
    assert "gilgen fix" in message


def test_a_manifest_of_another_gilgen_is_refused(site, tmp_path):
    other = site.copy_to(tmp_path)
    change_manifest(other, schema=99)
    kind, message, _ = attempt(other)
    assert kind == "ArtefactError"
    assert "schema 99" in message


def test_shims_for_another_processor_are_refused(site, tmp_path):
    other = site.copy_to(tmp_path)
    change_manifest(other, data={"machine": "s390x"})
    kind, message, code = attempt(other)
    assert (kind, code) == ("UnsupportedError", 18)
    assert "s390x" in message


def test_a_manifest_that_lists_other_shims_than_the_library_is_refused(site, tmp_path):
    other = site.copy_to(tmp_path)
    shims = json.loads((other.package / generate.MANIFEST).read_bytes())["data"]["shims"]
    change_manifest(other, data={"shims": shims[:-1]})
    kind, message, _ = attempt(other)
    assert kind == "ArtefactError"
    assert "do not belong together" in message


def test_a_damaged_shim_library_is_refused(site, tmp_path):
    other = site.copy_to(tmp_path)
    library = other.package / "libgilgen_shims_vtk.so"
    content = library.read_bytes()
    library.unlink()
    library.write_bytes(content[:100])
    kind, message, _ = attempt(other)
    assert kind == "ArtefactError"
    assert "cannot be loaded" in message


def test_what_is_not_installed_is_named(site, tmp_path):
    assert attempt(site, "'nonesuch'")[0] == "ToolkitNotFoundError"
    assert attempt(site, "'../vtk'")[0] == "ToolkitNotFoundError"
    other = site.copy_to(tmp_path)
    shutil.rmtree(other.toolkit.root / "pretend")
    kind, message, code = attempt(other)
    assert (kind, code) == ("ToolkitNotFoundError", 10)
    assert "pip install vtk==1.2.3" in message


def test_after_a_refusal_nothing_is_bound_and_a_good_toolkit_still_works(site, tmp_path):
    other = site.copy_to(tmp_path)
    kind, message, _ = other.run("gilgen.activate('vtk', guard='none')" + ATTEMPT.format(arguments="'vtk', 'nonesuch'")).answer
    assert kind == "ToolkitNotFoundError"
    assert "nonesuch" in message
    (other.package / generate.MANIFEST).unlink()
    code = ATTEMPT.format(arguments="'vtk'") + "from pretend import wrapper\nwrapper.spin(wrapper.make_work(), 0)\nsay([gilgen.status(), wrapper.held()])"
    assert other.run(code).answer == [{}, 1]


def test_an_unknown_guard_is_refused_before_anything_else():
    with pytest.raises(GilgenError, match=r"no guard 'everything'"):
        activate.activate("vtk", guard="everything")


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [("sys", "platform", "darwin"), ("platform", "machine", lambda: "riscv64"), ("sysconfig", "get_config_var", lambda _: 1)],
)
def test_platforms_that_shims_do_not_serve(monkeypatch, module, name, value):
    monkeypatch.setattr(getattr(activate, module), name, value)
    with pytest.raises(UnsupportedError):
        activate.activate("vtk")
    assert activate.status("nothing") == {}


def test_the_manifest_reads_back_what_was_written(site, pretend):
    assert activate.read_manifest(site.package) == generate.manifest_of(pretend.plan(), support.platform.machine())
    with pytest.raises(ArtefactError):
        activate.read_manifest(site.package.parent)


def test_the_loader_of_extension_modules_is_given_back(site):
    code = """
    from importlib.machinery import ExtensionFileLoader as loader
    before = loader.create_module, loader.exec_module
    gilgen.activate("vtk")
    during = loader.create_module, loader.exec_module
    gilgen.activate("vtk")
    gilgen.deactivate()
    say([before == during, during[0].__doc__ == before[0].__doc__, before == (loader.create_module, loader.exec_module)])
    """
    assert site.run(code).answer == [False, True, True]


def test_an_import_that_fails_fails_as_ever(site, tmp_path):
    (tmp_path / "broken.so").write_bytes(b"no library")
    code = f"""
    sys.path.insert(0, {str(tmp_path)!r})
    gilgen.activate("vtk")
    try:
        import broken
    except ImportError as error:
        say(str(error))
    """
    assert "broken.so" in site.run(code).answer


# ------------------------------------------------------------------- an installation that keeps a record


@pytest.fixture
def recorded(site, tmp_path):
    """The pretend toolkit as an installer leaves it, with a record of its files."""
    other = site.copy_to(tmp_path)
    information = other.toolkit.root / "pretend_toolkit-1.2.3.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: pretend-toolkit\nVersion: 1.2.3\n")
    (information / "RECORD").write_text("".join(f"{path},,\n" for path in (*support.LIBRARIES, "elsewhere/liba.so", "pretend/__init__.py")))
    other.rewrite_manifest(other.toolkit, ("pretend-toolkit",))
    return other


def rebuild(path):
    """Change a library as another build would: another build id, and nothing else."""
    with support.elf.Library(path) as library:
        build_id = bytes.fromhex(library.build_id)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content.replace(build_id, bytes(reversed(build_id))))


HELD = """
gilgen.activate("vtk")
from pretend import wrapper
wrapper.spin(wrapper.make_work(), 0)
direct = wrapper.held()
wrapper.sleep(wrapper.make_work(), 0)
say([direct, wrapper.held(), gilgen.status()["vtk"].refused])
"""


def test_a_recorded_installation_is_served(recorded):
    assert recorded.run(HELD).answer == [0, 0, 0]


def test_the_wrappers_of_another_python_are_served_as_callers(recorded):
    rebuild(recorded.toolkit.root / "pretend" / "wrapper.so")
    assert recorded.run(HELD).answer == [0, 0, 0]


def test_a_library_that_the_record_does_not_list_is_left_alone(recorded):
    record = recorded.toolkit.root / "pretend_toolkit-1.2.3.dist-info" / "RECORD"
    record.write_text(record.read_text().replace("pretend/wrapper.so,,\n", ""))
    assert recorded.run(HELD).answer == [1, 1, 0]


def test_another_build_of_a_defining_library_is_refused(recorded):
    rebuild(recorded.toolkit.root / "pretend" / "libpretend.so")
    kind, message, _ = attempt(recorded)
    assert kind == "StaleShimsError"
    assert "pretend/libpretend.so is another build" in message


def test_another_version_is_refused(recorded):
    metadata = recorded.toolkit.root / "pretend_toolkit-1.2.3.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2.3", "1.2.4"))
    kind, message, _ = attempt(recorded)
    assert kind == "StaleShimsError"
    assert "pretend-toolkit 1.2.4 is installed" in message


def test_a_record_that_is_gone(recorded):
    shutil.rmtree(recorded.toolkit.root / "pretend_toolkit-1.2.3.dist-info")
    kind, message, _ = attempt(recorded)
    assert kind == "StaleShimsError"
    assert "pretend-toolkit is not installed" in message


# -------------------------------------------------------------------------------- a shipped application


def test_only_the_standard_library_is_imported(site):
    code = """
    import sys
    before = set(sys.modules)
    import gilgen
    gilgen.activate("vtk")
    from pretend import wrapper
    gilgen.status(); gilgen.deactivate()
    import json
    print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before if "_sysconfigdata" not in name and name != "__mp_main__"} - set(sys.stdlib_module_names))))
    """
    assert support.run_python(code, env=site.env).answer == ["gilgen", "pretend"]


def test_it_runs_where_nothing_else_is_installed(site, tmp_path):
    """As after `pip install --no-deps`: no site-packages at all, only gilgen, the shims and the toolkit."""
    place = tmp_path / "application"
    shutil.copytree(support.CHECKOUT / "gilgen", place / "gilgen", ignore=shutil.ignore_patterns("__pycache__"))
    code = f"""
    import json, sys
    sys.path[:0] = {[str(place), str(site.toolkit.root), str(site.shims)]!r}
    import gilgen
    gilgen.activate("vtk")
    from pretend import wrapper
    wrapper.spin(wrapper.make_work(), 0)
    print(json.dumps([wrapper.held(), gilgen.__file__]))
    """
    held, file = support.run_python(code, options=("-I", "-S")).answer
    assert held == 0
    assert file.startswith(str(place))


# ------------------------------------------------------------------------------ gilgen run, gilgen.auto

def test_auto_activates_what_is_installed(site):
    code = """
    sys.path[:] = [path for path in sys.path if "site-packages" not in path]
    import gilgen.auto
    from pretend import wrapper
    wrapper.spin(wrapper.make_work(), 0)
    say([wrapper.held(), sorted(gilgen.status())])
    """
    assert site.run(code).answer == [0, ["vtk"]]


def test_installed_names_the_shim_wheels_that_are_there(site, tmp_path):
    code = "sys.path[:] = [path for path in sys.path if 'site-packages' not in path]\nfrom gilgen.activate import installed\nsay(installed())"
    assert site.run(code).answer == ["vtk"]
    bare = support.Site(site.toolkit, tmp_path)
    assert bare.run(code).answer == []


def test_the_wheel_installs_with_pip_into_an_empty_place(site, tmp_path):
    wheel = next((site.shims.parent / "wheels").glob("*.whl"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target", str(tmp_path), str(wheel)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert support.Site(site.toolkit, tmp_path).run("gilgen.activate('vtk'); say(True)").answer is True
