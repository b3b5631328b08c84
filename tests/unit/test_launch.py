"""`gilgen run`: all that a program can find of its start and its end is Python's own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap

import pytest
import support

from gilgen import launch
from gilgen.errors import UnsupportedError

PROGRAM = """\
import json, os, sys
from pretend import wrapper
wrapper.spin(wrapper.make_work(), 0)
if sys.argv[-1] == "fail":
    def broken(): raise ValueError("of the program's own")
    broken()
if sys.argv[-1].startswith("exit"):
    sys.exit(json.loads(sys.argv[-1][4:]))
print(json.dumps({"held": wrapper.held(), "argv": sys.argv, "path": sys.path[0], "name": __name__,
    "file": globals().get("__file__"), "main": sys.modules["__main__"].__dict__ is globals()}))
"""


@pytest.fixture
def program(tmp_path):
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "program.py").write_text(PROGRAM)
    (folder / "package").mkdir()
    (folder / "package" / "__main__.py").write_text(PROGRAM)
    (folder / "package" / "__init__.py").touch()
    return folder / "program.py"


def gilgen_run(site, *arguments, cwd=None):
    code = "from gilgen.commands import main; main()"
    return support.run([sys.executable, "-c", code, "run", "--toolkits", "vtk", *map(str, arguments)], env=site.env, cwd=cwd)


def python(site, *arguments, cwd=None):
    return support.run([sys.executable, *map(str, arguments)], env=site.env, cwd=cwd)


def test_run_is_like_python_but_for_the_gil(site, program):
    for arguments in ((program,), (program, "scan.nrrd", "--guard", "none", "-m", "-h", "")):
        plain = python(site, *arguments).answer
        active = gilgen_run(site, *arguments).answer
        assert plain.pop("held") == 1
        assert active.pop("held") == 0
        assert active == plain


def test_run_from_the_program_s_folder(site, program):
    plain = python(site, "program.py", cwd=program.parent).answer
    active = gilgen_run(site, "program.py", cwd=program.parent).answer
    assert (plain.pop("held"), active.pop("held")) == (1, 0)
    assert active["argv"] == plain["argv"]
    assert active["path"] == plain["path"]


def test_run_a_module(site, program):
    plain = python(site, "-m", "package", "a", "-m", "--toolkits", cwd=program.parent).answer
    active = gilgen_run(site, "-m", "package", "a", "-m", "--toolkits", cwd=program.parent).answer
    assert (plain.pop("held"), active.pop("held")) == (1, 0)
    assert active == plain


@pytest.mark.parametrize("module", [False, True])
@pytest.mark.parametrize("code", ["0", "3", "null", '"in words"', "256"])
def test_run_ends_with_the_program_s_exit_code(site, program, code, module):
    arguments = ["-m", "package"] if module else [program]
    plain = python(site, *arguments, f"exit{code}", cwd=program.parent)
    active = gilgen_run(site, *arguments, f"exit{code}", cwd=program.parent)
    assert (active.code, active.out, active.err) == (plain.code, plain.out, plain.err)


@pytest.mark.parametrize("fault", ["raise ValueError('of its own')", "raise EOFError", "def f(): f()\nf()", "import nonesuch", "x ==", "import os; os.kill(os.getpid(), 15)", "import os; os.abort()"])
def test_a_program_that_fails_ends_as_ever(site, tmp_path, fault):
    (tmp_path / "program.py").write_text(fault)
    plain, active = python(site, tmp_path / "program.py"), gilgen_run(site, tmp_path / "program.py")
    assert (active.code, active.out, active.err) == (plain.code, plain.out, plain.err)
    assert active.code


def test_run_says_what_is_missing(site, program):
    ended = gilgen_run(site, program.with_name("nonesuch.py"))
    assert ended.code not in {0, -11}
    assert "nonesuch.py" in ended.err
    assert "Traceback" not in ended.err
    code = "from gilgen.commands import main; main()"
    ended = support.run([sys.executable, "-c", code, "run", "--toolkits", "nonesuch", str(program)], env=site.env)
    assert ended.code == 10


def test_run_passes_the_guard_on(site, tmp_path):
    (tmp_path / "program.py").write_text(support.PRELUDE + textwrap.dedent("""
        from pretend import wrapper
        work = wrapper.make_work()
        say(at_once(lambda: wrapper.meet(work, LIMIT), lambda: wrapper.meet(work, LIMIT)))
    """).replace("LIMIT", "float(sys.argv[1])"))
    assert gilgen_run(site, "--guard", "none", tmp_path / "program.py", "30").answer == [True, True]
    assert gilgen_run(site, "--guard", "object", tmp_path / "program.py", "0.2").answer == [False, False]


LOOK = """
import json, os, sys, threading
print(json.dumps([sys.argv, sys.path, sys.orig_argv[1:], dict(os.environ), list(sys.flags), __name__, globals().get("__file__"), threading.active_count(), sorted(globals())]))
"""


@pytest.mark.parametrize("kind", ["file", "code", "input"])
def test_nothing_of_the_launch_is_left(site, tmp_path, kind):
    (tmp_path / "program.py").write_text(LOOK)
    arguments = {"file": ["program.py", "a"], "code": ["-c", LOOK, "a"], "input": ["-", "a"]}[kind]
    code = "from gilgen.commands import main; main()"
    answers = []
    for command in ([sys.executable, *arguments], [sys.executable, "-c", code, "run", "--toolkits", "vtk", *arguments]):
        ended = subprocess.run(command, input=LOOK, capture_output=True, text=True, timeout=60, env=os.environ | site.env, cwd=tmp_path, check=True)
        answers.append(json.loads(ended.stdout))
    assert answers[0] == answers[1]


def test_the_environment_s_own_start_follows(site, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import os, sys\nprint('own', 'GILGEN_STARTUP' in os.environ, __name__)\n")
    (tmp_path / "program.py").write_text("import sitecustomize; print(sitecustomize.__file__)")
    env = site.env | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{site.env['PYTHONPATH']}"}
    ended = support.run([sys.executable, "-m", "gilgen", "run", "--toolkits", "vtk", str(tmp_path / "program.py")], env=env)
    # Once in gilgen's own process, once in the program's.
    assert ended.out.splitlines() == ["own False sitecustomize", "own False sitecustomize", str(tmp_path / "sitecustomize.py")]


def test_main_stays_the_program_s_while_its_threads_run_on(site, tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent("""
        import pickle, threading, time
        class Own: pass
        def work():
            time.sleep(0.3)
            print(type(pickle.loads(pickle.dumps(Own()))) is Own)
        threading.Thread(target=work).start()
    """))
    assert gilgen_run(site, tmp_path / "program.py").out == "True\n"


def test_spawned_children_find_the_program_and_are_active(site, tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent("""
        import multiprocessing
        from pretend import wrapper
        def work(number):
            wrapper.spin(wrapper.make_work(), 0)
            return [number, wrapper.held()]
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(2) as pool:
                print(pool.map(work, range(2), 1))
    """))
    assert gilgen_run(site, tmp_path / "program.py").out == "[[0, 0], [1, 0]]\n"


def test_the_standard_library_is_enough(site, program):
    code = "import sys; sys.modules['click'] = sys.modules['rich'] = None; from gilgen.commands import main; main()"
    plain = python(site, program, "a", "-m").answer
    active = support.run([sys.executable, "-c", code, "run", "--guard", "object", "--toolkits", "vtk", str(program), "a", "-m"], env=site.env).answer
    assert (plain.pop("held"), active.pop("held")) == (1, 0)
    assert active == plain
    ended = support.run([sys.executable, "-c", code, "run", "--toolkits", "nonesuch", str(program)], env=site.env)
    assert (ended.code, "Traceback" in ended.err) == (10, False)


def test_what_stops_the_shims_stops_the_program(site, program):
    (broken := program.parent / "gilgen_shims_vtk").mkdir()
    (broken / "__init__.py").touch()
    ended = support.run([sys.executable, "-m", "gilgen", "run", str(program)], env=site.env | {"PYTHONPATH": f"{program.parent}{os.pathsep}{site.env['PYTHONPATH']}"})
    assert ended.code == 14
    assert ended.err.startswith("gilgen: ")
    assert "Traceback" not in ended.err
    assert not ended.out


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], []),
        (["program.py", "-u"], []),
        (["-u", "-X", "dev", "-Werror", "-m", "gilgen", "-O"], ["-u", "-X", "dev", "-Werror"]),
        (["-uOm", "gilgen"], ["-uO"]),
        (["-W", "error", "-c", "code"], ["-W", "error"]),
        (["--check-hash-based-pycs", "always", "-"], ["--check-hash-based-pycs", "always"]),
    ],
)
def test_python_s_own_options_are_passed_on(words, options):
    assert launch.options(words) == options


def test_python_that_does_not_look_at_its_environment_is_refused(monkeypatch):
    class Flags:
        ignore_environment, no_site = 1, 0

    monkeypatch.setattr(sys, "flags", Flags)
    with pytest.raises(UnsupportedError, match="-I, -E or -S"):
        launch.check(launch.Program("module", "anything"))


@pytest.mark.slow
@pytest.mark.parametrize("module", ["test.test_runpy", "test.test_multiprocessing_main_handling"])
def test_the_standard_library_s_own_tests_pass(site, module):
    """Those of how a program is run, as a program."""
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(module) is None:
        pytest.skip(f"this Python has no {module}")
    ended = support.run([sys.executable, "-m", "gilgen", "run", "--toolkits", "vtk", "-m", "unittest", module], 600, env=site.env)
    assert ended.ok, ended.err
    assert "OK" in ended.err
