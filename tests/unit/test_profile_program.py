"""Programs under `gilgen profile`, each in a process of its own: threads, loops, and every way to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import support
from gilgen.diagnostics.profile import attach, outside

from gilgen import store
from gilgen.commands import invoke
from gilgen.model import Profile

GILGEN = [sys.executable, "-c", "from gilgen.commands import main; main()", "profile"]
DEADLINE = 120.0


@pytest.fixture
def environment(pretend, tmp_path):
    return {"PYTHONPATH": os.pathsep.join([str(pretend.root), str(support.CHECKOUT)]), "GILGEN_CACHE_DIR": str(tmp_path / "cache")}


@pytest.fixture
def profiled(environment, tmp_path):
    """Run a program under the profile: (how `gilgen profile` ended, the profile)."""

    def run(code, *arguments, options=(), name="program.py"):
        program = tmp_path / "work" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(PRELUDE + textwrap.dedent(code))
        file = tmp_path / "profile.json"
        target = ["-m", program.stem] if "-m" in options else [str(program)]
        options = [option for option in options if option != "-m"]
        ended = support.run([*GILGEN, *options, "-o", str(file), *target, *arguments], DEADLINE, environment, cwd=program.parent)
        assert not ended.timed_out, ended.err
        return ended, store.read(file, Profile)

    return run


PRELUDE = """\
import asyncio, ctypes, os, sys, threading, time
from pretend import wrapper
work = wrapper.make_work()
def holds(seconds=0.3):
    wrapper.sleep(work, seconds)
def releases(seconds=0.3):
    wrapper.meet_released(work, seconds)  # waits for another that does not come
def busy_elsewhere():
    # A thread that wants the GIL again and again.
    over = threading.Event()
    def want():
        while not over.is_set(): time.sleep(0.001)
    thread = threading.Thread(target=want, name="wants", daemon=True)
    thread.start()
    return over
"""


def the(profile, name):
    """The one call of that name."""
    found = [call for call in profile.calls if call.python.endswith(name)]
    assert len(found) == 1, profile.calls
    return found[0]


def test_what_held_who_waited_and_where_it_was_called_from(profiled):
    ended, profile = profiled(
        """
        over = busy_elsewhere()
        releases(0.5)
        holds()
        thread = threading.Thread(target=holds, name="worker")
        thread.start()
        thread.join()
        """
    )
    assert ended.code == profile.exit_code == 0, ended.err
    call = the(profile, "wrapper.sleep")
    assert (call.file, call.line, call.function, call.calls) == ("program.py", 5, "holds", 2)
    assert set(call.threads) == {"MainThread", "worker"}
    assert call.seconds / 2 < call.held <= call.seconds * 1.1
    assert call.worst < call.held
    assert call.waiters["wants"] > 0
    assert profile.calls[0] == call, "what held longest comes first"
    # The controls: what releases, and waiting for a thread, holds nothing.
    innocent = [one.held for one in profile.calls if one.python.endswith(("meet_released", "lock.acquire"))]
    assert sum(innocent) < call.held / 4  # on a machine with much to do, some milliseconds are another process's
    assert "wrapper.sleep" in ended.out
    assert "program.py:5 in holds" in ended.out
    (timeline,) = [one for one in profile.timelines if "wrapper.sleep" in one.title]
    lanes = {lane.name: {span.state for span in lane.spans} for lane in timeline.lanes}
    assert "waits" in lanes["wants"]


BESIDE_BYTECODE = """
        over = False
        def compute():
            number = 0
            while not over: number += 1
        threads = [threading.Thread(target=compute, name=f"computes {{index}}") for index in range(2)]
        for thread in threads: thread.start()
        {}
        over = True
        """


def test_beside_threads_in_bytecode_a_release_is_no_hold(profiled):
    _, profile = profiled(BESIDE_BYTECODE.format("releases(0.8)"))
    held = sum(call.held for call in profile.calls if call.python.endswith("meet_released"))
    assert held < 0.1 * profile.seconds


def test_beside_threads_in_bytecode_a_hold_is_one(profiled):
    _, profile = profiled(BESIDE_BYTECODE.format("holds(0.8)"))
    assert the(profile, "wrapper.sleep").held > 0.4


def test_a_hold_counts_though_the_thread_of_the_last_sign_has_ended(profiled):
    _, profile = profiled(
        """
        import functools, operator
        def short():
            time.sleep(0.1)
            len("x")
        threading.Thread(target=short).start()
        list(map(operator.call, [functools.partial(releases, 0.3), functools.partial(wrapper.sleep, work, 0.4)]))
        """
    )
    assert sum(call.held for call in profile.calls) > 0.2


def test_a_hold_by_a_thread_that_threading_did_not_start_is_not_blamed_on_who_waits(profiled):
    _, profile = profiled(
        """
        import _thread
        lock = _thread.allocate_lock()
        lock.acquire()
        def worker():
            holds(0.3)
            lock.release()
        _thread.start_new_thread(worker, ())
        lock.acquire()
        """
    )
    assert not [call for call in profile.calls if "lock.acquire" in call.python and call.held > 0.05]
    if sys.version_info >= (3, 12):  # there the interpreter tells of every thread
        assert the(profile, "wrapper.sleep").held > 0.15
    else:
        assert any("nothing told which" in notice for notice in profile.notices)


def test_the_loop_s_own_thread_stalls_it_whether_the_call_holds_or_not(profiled):
    ended, profile = profiled(
        """
        async def handle():
            holds(0.2)
            releases(0.25)
            await asyncio.sleep(0.3)  # the loop is idle: no stall
        asyncio.run(handle())
        """
    )
    stalls = {stall.python.rpartition(".")[2]: stall for stall in profile.stalls if stall.file == "program.py" and "wrapper" in stall.python}
    assert set(stalls) == {"sleep", "meet_released"}
    for stall in stalls.values():
        assert (stall.loop, stall.own, stall.thread) == ("asyncio", True, "MainThread")
        assert stall.task.endswith("handle")
    assert the(profile, "wrapper.sleep").loop == "asyncio"
    assert not [stall for stall in profile.stalls if "poll" in stall.python or "select" in stall.python]
    assert "asyncio.to_thread" in ended.out


def test_a_hold_in_another_thread_stalls_a_loop_that_has_work(profiled):
    _, profile = profiled(
        """
        async def ticks():
            while True: await asyncio.sleep(0.001)
        async def main():
            task = asyncio.create_task(ticks())
            await asyncio.to_thread(holds)
            await asyncio.to_thread(releases)
            task.cancel()
        asyncio.run(main())
        """
    )
    stalls = [stall for stall in profile.stalls if "wrapper" in stall.python]
    assert {(stall.loop, stall.own, stall.thread, stall.python.rpartition(".")[2]) for stall in stalls} == {("asyncio", False, "MainThread", "sleep")}


def test_a_loop_in_c_is_known_and_a_stall_is_the_innermost_call_s(profiled):
    """As Qt's and VTK's do: C runs the loop and calls back into Python."""
    _, profile = profiled(
        """
        from gilgen import naming
        naming.LOOPS["pretend"] = (("pretend", "wrapper"), ("call",))
        def callback():
            holds()
            return 1
        wrapper.call(work, callback)
        """
    )
    call = the(profile, "wrapper.sleep")
    assert call.loop == "pretend"
    assert call.held > call.seconds / 2
    assert [(stall.python.rpartition(".")[2], stall.own) for stall in profile.stalls if stall.loop == "pretend"] == [("sleep", True)]
    assert sum(one.held for one in profile.calls if one.python.endswith("wrapper.call")) < call.held / 2


def test_what_c_holds_before_it_comes_back_is_its_own(profiled):
    """The GIL is asked for meanwhile, so it goes to another thread right where the callback begins."""
    _, profile = profiled(
        """
        import re
        over = busy_elsewhere()
        def found(match):
            return "!"
        for _ in range(3): re.compile("[bc]").sub(found, "a" * 30_000_000 + "b")
        """
    )
    held = {call.python: call.held for call in profile.calls if call.function in {"<module>", "found"}}
    assert held["re.Pattern.sub"] > sum(held.values()) / 2, held


def test_what_python_does_itself_has_a_name(profiled):
    _, profile = profiled(
        """
        import gc
        gc.disable()
        class Node: pass
        for _ in range(300_000):
            one, other = Node(), Node()
            one.other, other.other = other, one
        gc.collect()
        """
    )
    assert any(call.python == "garbage collection" and call.function == "<module>" for call in profile.calls)


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        ("sys.exit(3)", 3, "exit code 3"),
        ("raise ValueError('on purpose')", 1, "exit code 1"),
        ("ctypes.string_at(0)", 128 + signal.SIGSEGV, "SIGSEGV"),
        ("os.kill(os.getpid(), 40)", 128 + 40, "signal 40"),
        ("os._exit(4)", 4, "without Python's own end"),
        ("os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])", 0, "without Python's own end"),
    ],
)
def test_however_it_ends_what_was_seen_is_kept(profiled, end, code, words):
    ended, profile = profiled(f"holds(0.2)\n{end}")
    assert ended.code == code, ended.err
    assert profile.exit_code == (code if code < 128 else 128 - code)
    assert the(profile, "wrapper.sleep").held > 0.05
    assert words in ended.out
    assert ("ValueError: on purpose" in ended.err) == ("ValueError" in end)


def test_a_program_finds_what_it_always_finds(profiled, tmp_path):
    code = """
    import json
    facts = [sys.argv[1:], os.path.basename(sys.argv[0]), sys.path[0], __name__, threading.active_count(), sys.stdin.read(), os.getcwd()]
    print(json.dumps(facts))
    """
    work = str(tmp_path / "work")
    for options in ((), ("-m",)):
        ended, profile = profiled(code, "-x", "--json", "-o", "two words", options=options)
        assert ended.ok, ended.err
        assert f'[["-x", "--json", "-o", "two words"], "program.py", "{work}", "__main__", 1, "", "{work}"]' in ended.out
        assert profile.program == ("-m program" if options else "program.py")


def test_children_are_not_profiled_and_nothing_warns_of_threads(profiled):
    ended, profile = profiled(
        """
        import multiprocessing, warnings
        warnings.simplefilter("error")
        def double(number): return number * 2
        if __name__ == "__main__":
            child = os.fork()
            if not child:
                holds(0.2)
                os._exit(7)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(1) as pool: print(pool.map(double, [1, 2]))
        """
    )
    assert ended.ok, ended.err
    assert ended.out.splitlines()[:3] == ["7", "[2, 4]", "[2, 4]"]
    assert not [call for call in profile.calls if call.python.endswith("wrapper.sleep")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on(environment, tmp_path, number):
    program = tmp_path / "program.py"
    program.write_text(
        PRELUDE + "import signal\nsignal.signal(signal.SIGTERM, signal.default_int_handler)\nholds(0.2)\nprint('ready', flush=True)\n"
        "try:\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    sys.exit(5)\n"
    )
    file = tmp_path / "profile.json"
    process = subprocess.Popen([*GILGEN, "-o", str(file), str(program)], env=os.environ | environment, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 5
    assert the(store.read(file, Profile), "wrapper.sleep").held > 0.05


def test_a_program_that_hangs_in_a_call_is_killed_at_the_third_interrupt(environment, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PRELUDE + "holds(0.2)\nprint('ready', flush=True)\nholds(1000)\n")
    file = tmp_path / "profile.json"
    process = subprocess.Popen([*GILGEN, "-o", str(file), str(program)], env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"ready\n"
    time.sleep(outside.HANGS + 2)  # for as long it must last before anybody asks where it is
    for words in (b"third interrupt", b"next interrupt"):
        process.send_signal(signal.SIGINT)
        assert words in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 128 + signal.SIGKILL
    assert b"SIGKILL" in out
    profile = store.read(file, Profile)
    assert the(profile, "wrapper.sleep").held > 0.05
    hung = profile.calls[0]
    assert (hung.python, hung.function, hung.threads) == ("(no call) wrapper.sleep(work, seconds)", "holds", ("MainThread",))
    assert hung.held > outside.HANGS


def test_a_program_that_becomes_another_is_not_taken_for_hanging(profiled):
    _, profile = profiled(f"os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep({outside.HANGS + 1})'])")
    assert sum(call.held for call in profile.calls) < 1.0


def test_a_name_that_is_no_text_and_a_cache_that_cannot_be_written_lose_nothing(environment, tmp_path):
    program = os.fsencode(tmp_path) + b"/caf\xe9.py"
    with open(program, "w") as file:  # noqa: PTH123 - a path of bytes
        file.write(PRELUDE + "holds(0.2)\nsys.exit(7)\n")
    file = tmp_path / "profile.json"
    ended = support.run([*GILGEN, "-o", str(file), os.fsdecode(program)], DEADLINE, environment | {"GILGEN_CACHE_DIR": "/proc/nope"})
    assert ended.code == 7, ended.err
    assert "No copy of this was kept" in ended.err
    assert the(store.read(file, Profile), "wrapper.sleep").file == "caf\ufffd.py"


# ----------------------------------------------------------------------------- a process that runs already


@pytest.fixture
def running(environment, tmp_path):
    program = tmp_path / "running.py"
    program.write_text(PRELUDE + "over = busy_elsewhere()\nprint('ready', flush=True)\nwhile True:\n    wrapper.sleep(work, 0.1)\n    time.sleep(0.05)\n")
    process = subprocess.Popen([sys.executable, str(program)], env=os.environ | environment, stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_runs_already_is_sampled(running, environment, tmp_path):
    file = tmp_path / "profile.json"
    ended = support.run([*GILGEN, "--pid", str(running.pid), "--seconds", "2", "-o", str(file)], DEADLINE, environment)
    if "may not be looked into" in ended.err:
        pytest.skip("the kernel does not let this process look into another")
    assert ended.ok, ended.err
    profile = store.read(file, Profile)
    call = profile.calls[0]
    assert (profile.how, profile.exit_code) == ("py-spy", None)
    assert (call.python, call.file, call.function) == ("*.sleep", "running.py", "<module>")
    assert call.waiters.get("wants", 0) > 0
    assert running.poll() is None
    assert "cannot be told" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_sampling_that_is_ended_early_leaves_nothing_running(running, environment, tmp_path, number):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    command = [*GILGEN, "--pid", str(running.pid), "--seconds", "60"]
    with subprocess.Popen(command, env=os.environ | environment | {"TMPDIR": str(scratch)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as sampling:
        while "Sampling process" not in (line := sampling.stdout.readline()):
            if not line:
                pytest.skip("the kernel does not let this process look into another")
        time.sleep(1.0)
        sampling.send_signal(number)
        said = sampling.communicate(timeout=DEADLINE)[0]
    assert "Traceback" not in said
    assert ("sampled for" in said) == (number == signal.SIGINT)
    assert list(scratch.iterdir()) == []
    assert not [one for one in Path("/proc").iterdir() if one.name.isdigit() and _session(one.name) == sampling.pid]


def _session(process):
    """The session that a process is in; none where it has ended."""
    try:
        return os.getsid(int(process))
    except ProcessLookupError:
        return None


def test_a_path_may_have_parentheses():
    samples = attach._samples("thread (0x7F): MainThread;<module> (/home/me/app (old)/main.py:3);work (/home/me/app (old)/main.py:12) 7\n")
    assert samples == {("MainThread", ("/home/me/app (old)/main.py", 12, "work")): 7}


def test_what_is_no_python_process_is_refused(environment):
    ended = support.run([*GILGEN, "--pid", "4194304"], DEADLINE, environment)
    assert ended.code == 1
    assert "There is no process 4194304" in ended.err
    with subprocess.Popen(["sleep", "100"]) as sleeping:
        ended = support.run([*GILGEN, "--pid", str(sleeping.pid), "--seconds", "1"], DEADLINE, environment)
        sleeping.kill()
    assert ended.code in {1, 18}
    assert "is no CPython" in ended.err or "may not be looked into" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "Name a program"),
        (["--pid", "1", "program.py"], 2, "Name a program"),
        (["--pid", "1", "-m"], 2, "none of -m, -c"),
        (["--pid", "1", "--with-shims"], 2, "none of -m, -c"),
        (["no-such-program.py"], 1, "There is no program no-such-program.py"),
    ],
)
def test_a_wrong_command_line(arguments, code, words, capsys):
    assert invoke(["profile", *arguments]) == code
    assert words in capsys.readouterr().err
