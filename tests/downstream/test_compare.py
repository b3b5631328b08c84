"""The comparison itself, on suites of a few lines that differ, crash and hang on purpose.

The environment that it drives is this one, and the toolkit a pretend `gilgen` that counts calls: what is on
trial is the bookkeeping, which must see a difference where there is one and none where there is none.
"""

import json
import os
import sys
import textwrap
from pathlib import Path

import pytest
import support

HERE = Path(__file__).parent

PRETEND = """
from types import SimpleNamespace
active, calls = False, 0
def activate(*toolkits, **options):
    global active
    active = True
def status():
    return {"vtk": SimpleNamespace(methods=(SimpleNamespace(released=calls, guarded=0),))} if active else {}
def call():
    global calls
    calls += active
    return active
"""


class Bench:
    """A folder for a suite, and the comparison of it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "gilgen").mkdir()
        (folder / "gilgen" / "__init__.py").write_text(PRETEND)
        (folder / "gilgen" / "commands.py").write_text("raise SystemExit")
        self.target = folder / "target"
        self.target.mkdir()

    def write(self, name, code):
        (self.target / name).parent.mkdir(exist_ok=True)
        (self.target / name).write_text(textwrap.dedent(code))

    def compare(self, *options, target=None, deadline=120.0):
        """The exit code, the record, and what was printed."""
        answer = self.folder / "answer.json"
        command = [sys.executable, str(HERE / "compare.py"), str(target or self.target), "--json", str(answer), "--reruns", "2", *options]
        path = os.pathsep.join((str(self.folder), os.environ.get("PYTHONPATH", "")))
        ended = support.run(command, deadline, {"PYTHONPATH": path, "DISPLAY": ":none", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}, cwd=self.folder)
        assert not ended.timed_out, ended.out + ended.err
        return ended.code, json.loads(answer.read_text()) if answer.exists() else {}, ended.out + ended.err


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def verdicts(answer):
    return {test["test"].rpartition("::")[2]: test["verdict"] for test in answer["tests"]}


def kinds(answer, name, sort="active"):
    (found,) = (test for test in answer["tests"] if test["test"].endswith(name))
    return [outcome["kind"] for outcome in found[sort]]


# ------------------------------------------------------------------------------------------- suites


def test_control_a_suite_that_does_the_same_is_equal_whatever_its_outcomes(bench):
    bench.write(
        "test_same.py",
        """
        import gilgen, pytest
        @pytest.fixture
        def broken(): raise OSError("no")
        @pytest.fixture
        def breaks():
            yield
            raise OSError("late")
        def test_passes(): gilgen.call()
        def test_fails(): assert object() is None
        def test_is_in_error(broken): pass
        def test_ends_in_error(breaks): pass
        def test_skips(): pytest.skip("why not")
        @pytest.mark.xfail
        def test_fails_as_expected(): assert False
        @pytest.mark.xfail(strict=False)
        def test_passes_unexpectedly(): pass
        @pytest.mark.parametrize("number", [1, 2])
        def test_twice(number): gilgen.call()
        """,
    )
    bench.write("test_broken.py", "import nothing_of_this_name")
    code, answer, out = bench.compare()
    assert code == 0, out
    assert answer["verdicts"] == {"equal": 10}
    assert answer["released"] == 3
    found = {test["test"].rpartition("::")[2]: test["plain"][0]["kind"] for test in answer["tests"]}
    assert found == {
        "(collecting) target/test_broken.py": "error", "test_passes": "passed", "test_fails": "failed", "test_is_in_error": "error", "test_ends_in_error": "error",
        "test_skips": "skipped", "test_fails_as_expected": "xfailed", "test_passes_unexpectedly": "xpassed", "test_twice[1]": "passed", "test_twice[2]": "passed",
    }  # fmt: skip


def test_what_differs_is_named_and_nothing_else(bench):
    bench.write(
        "test_differs.py",
        """
        import gilgen, pytest
        def test_passes_only_plain(): assert not gilgen.call()
        def test_passes_only_activated(): assert gilgen.call()
        def test_fails_with_another_text(): raise ValueError(f"active: {gilgen.call()}")
        def test_fails_with_another_type(): raise (KeyError if gilgen.call() else ValueError)("x")
        def test_skips_only_activated(): gilgen.call() and pytest.skip("now")
        def test_same(): gilgen.call()
        def test_same_failure(): raise ValueError(f"at {hex(id(object()))}")
        """,
    )
    code, answer, out = bench.compare()
    assert code == 1
    expected = {"test_passes_only_plain", "test_passes_only_activated", "test_fails_with_another_text", "test_fails_with_another_type", "test_skips_only_activated"}
    assert {name for name, verdict in verdicts(answer).items() if verdict == "differs"} == expected
    assert {name for name, verdict in verdicts(answer).items() if verdict == "equal"} == {"test_same", "test_same_failure"}
    assert "active: True" in out


def test_what_only_one_of_the_runs_has_differs(bench):
    bench.write(
        "test_missing.py",
        """
        import gilgen, pytest
        @pytest.mark.parametrize("number", [1, 2] if gilgen.call() else [1])
        def test_some(number): pass
        """,
    )
    code, answer, _ = bench.compare()
    assert code == 1
    assert verdicts(answer) == {"test_some[1]": "equal", "test_some[2]": "differs"}
    assert kinds(answer, "test_some[2]", "plain") == ["missing"] * 3


def test_what_is_never_the_same_twice_is_flaky(bench):
    bench.write(
        "test_flaky.py",
        f"""
        import gilgen, pathlib
        def test_flaky():
            gilgen.call()
            count = pathlib.Path({str(bench.folder)!r}, "count")
            with count.open("a") as file: file.write(".")
            assert (count.stat().st_size // 2) % 2
        def test_names_another_number():
            raise ValueError(str(id(object())) + str(gilgen.active))
        def test_same(): pass
        """,
    )
    code, answer, out = bench.compare()
    assert verdicts(answer) == {"test_flaky": "flaky", "test_names_another_number": "flaky", "test_same": "equal"}, out
    assert code == 0


def test_a_crash_now_and_then_is_a_difference(bench):
    bench.write(
        "test_sometimes.py",
        f"""
        import gilgen, os, pathlib
        def test_crashes_once():
            marker = pathlib.Path({str(bench.folder)!r}, "marker")
            if gilgen.call() and not marker.exists():
                marker.touch()
                os.abort()
        """,
    )
    code, answer, _ = bench.compare()
    assert code == 1
    assert kinds(answer, "test_crashes_once") == ["crash", "passed", "passed"]


def test_a_crash_belongs_to_its_test_and_the_others_still_run(bench):
    bench.write(
        "test_crashes.py",
        """
        import gilgen, os, signal, sys
        def test_before(): gilgen.call()
        def test_crashes(): gilgen.call() and os.kill(os.getpid(), signal.SIGSEGV)
        def test_between(): pass
        def test_crashes_in_both(): os.kill(os.getpid(), signal.SIGBUS)
        def test_leaves(): os._exit(3)
        def test_after(): gilgen.call()
        """,
    )
    code, answer, out = bench.compare()
    assert code == 1
    assert verdicts(answer) == {"test_crashes": "differs"} | dict.fromkeys(("test_before", "test_between", "test_crashes_in_both", "test_leaves", "test_after"), "equal")
    assert kinds(answer, "test_crashes_in_both") == ["crash"]
    assert kinds(answer, "test_after") == ["passed"]
    assert "SIGSEGV" in out
    assert "in test_crashes" in out, "the stack of the crash"


def test_a_hang_belongs_to_its_test_and_the_others_still_run(bench):
    bench.write(
        "test_hangs.py",
        """
        import gilgen, time
        def test_before(): gilgen.call()
        def test_hangs(): gilgen.call() and time.sleep(1000)
        def test_after(): gilgen.call()
        """,
    )
    code, answer, out = bench.compare("--deadline", "3", "--reruns", "1")
    assert code == 1
    assert verdicts(answer) == {"test_before": "equal", "test_hangs": "differs", "test_after": "equal"}
    assert kinds(answer, "test_hangs") == ["timeout"] * 2
    assert "in test_hangs" in out, "the stack of the hang"


@pytest.mark.parametrize("where", ["at the end", "while a file is collected"])
def test_a_crash_outside_of_every_test(bench, where):
    crash = "if gilgen.call(): os.abort()"
    if where == "at the end":
        bench.write("conftest.py", f"import gilgen, os\ndef pytest_unconfigure():\n    {crash}\n")
    else:
        bench.write("test_bad.py", f"import gilgen, os\n{crash}\ndef test_bad(): pass\n")
    bench.write("test_good.py", "def test_good(): pass")
    code, answer, out = bench.compare()
    assert code == 1, out
    assert verdicts(answer)["test_good"] == "equal"
    name = "(exit)" if where == "at the end" else f"(collecting) {bench.target / 'test_bad.py'}"
    assert kinds(answer, name) == ["crash"] * 3


def test_a_run_without_a_call_through_a_shim_proves_nothing(bench):
    bench.write("test_idle.py", "def test_idle(): pass")
    code, _, out = bench.compare()
    assert code == 3
    assert "proves nothing" in out


def test_no_network_unless_it_is_asked_for(bench):
    bench.write(
        "test_network.py",
        """
        import gilgen, socket
        def test_downloads():
            try:
                socket.create_connection(("192.0.2.1", 9), timeout=0.01)
            except Exception:
                gilgen.call()
        def test_local():
            server = socket.create_server(("127.0.0.1", 0))
            socket.create_connection(server.getsockname()).close()
            server.close()
            gilgen.call()
        """,
    )
    _, offline, _ = bench.compare()
    assert (kinds(offline, "test_downloads"), kinds(offline, "test_local")) == (["skipped"], ["passed"])
    _, online, _ = bench.compare("--online")
    assert kinds(online, "test_downloads") == ["passed"]


def test_doctests_and_what_they_print(bench):
    bench.write(
        "module.py",
        '''
        """
        >>> import gilgen
        >>> gilgen.call()
        False
        """
        def same():
            """
            >>> 1 + 1
            2
            """
        ''',
    )
    code, answer, _ = bench.compare("--doctest-modules")
    assert code == 1
    assert verdicts(answer) == {"module": "differs", "module.same": "equal"}


@pytest.mark.parametrize("what", ["no such place", "an empty folder", "a suite that pytest refuses", "a suite that leaves while it is collected"])
def test_what_cannot_be_run_is_said(bench, what):
    bench.write("test_one.py" if what.startswith("a suite") else "readme.txt", "def test_one(): pass")
    if what.endswith("collected"):
        bench.write("test_leaves.py", "raise SystemExit(1)")
    code, _, out = bench.compare(*(["--pytest-args=--no-such-option"] if what.endswith("refuses") else []), target="nowhere" if what.startswith("no") else None)
    assert code == 4
    assert "Cannot compare" in out


# ------------------------------------------------------------------------------------------ scripts


def test_scripts_by_exit_code_and_by_what_they_print(bench):
    for name, code in {
        "same": "gilgen.call(); print('at', object()); print('took 0.123 s')",
        "same_error": "gilgen.call(); raise ValueError(1)",
        "prints_more": "print(gilgen.call())",
        "fails": "gilgen.call() and 1 / 0",
        "leaves": "raise SystemExit(3 if gilgen.call() else 2)",
        "crashes": "import os; gilgen.call() and os.abort()",
        "downloads": "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')",
        "is_main": "import sys; gilgen.call(); print(__name__, sys.argv)",
    }.items():
        bench.write(f"{name}.py", f"import gilgen\n{code}\n")
    code, answer, out = bench.compare()
    assert code == 1
    found = {test["test"]: (test["verdict"], test["plain"][0]["kind"], test["active"][0]["kind"]) for test in answer["tests"]}
    assert found == {
        "same.py": ("equal", "passed", "passed"), "same_error.py": ("equal", "failed", "failed"), "prints_more.py": ("differs", "passed", "passed"),
        "fails.py": ("differs", "passed", "failed"), "leaves.py": ("differs", "failed", "failed"), "crashes.py": ("differs", "passed", "crash"),
        "downloads.py": ("equal", "skipped", "skipped"), "is_main.py": ("equal", "passed", "passed"),
    }, out  # fmt: skip
    assert answer["released"] == 6, "all but the crash, whose count is lost, and the download"


def test_scripts_can_be_picked_and_prepared(bench):
    bench.write("basic/one.py", "import gilgen; gilgen.call(); print(gilgen.prepared)")
    bench.write("basic/two.py", "import gilgen; gilgen.call(); print(gilgen.prepared)")
    (bench.folder / "prelude.py").write_text("import gilgen; gilgen.prepared = 1")
    code, answer, out = bench.compare("--match", "*/one.py", "--prelude", "prelude.py")
    assert code == 0, out
    assert verdicts(answer) == {"basic/one.py": "equal"}
