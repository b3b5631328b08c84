"""The C++ behind activation, on a toolkit that is really compiled: rebinding, release, guard."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import support

ACTIVE, PLAIN = 0, 1
"""What a method of the pretend toolkit answers when asked whether it runs with the GIL held."""

CALL_ALL = """
answer = {"virtual": wrapper.virtual_signatures(), "direct": wrapper.direct_signatures()}
"""

@pytest.fixture(scope="session", params=list(support.VARIANTS))
def variant(request, objects, site, tmp_path_factory):
    """The pretend toolkit, linked in one of the ways in which linkers do, and its shims."""
    root = tmp_path_factory.mktemp(request.param)
    if request.param.startswith("packed") and not _linker_packs(root):
        pytest.skip("this linker does not know -z pack-relative-relocs")
    toolkit = support.PretendToolkit.link(objects, root / "toolkit", support.VARIANTS[request.param])
    shutil.copytree(site.shims, root / "shims")
    found = support.Site(toolkit, root / "shims")
    found.rewrite_manifest(toolkit)
    return found


def _linker_packs(folder):
    (folder / "empty.cpp").write_text("int main() {}\n")
    command = ["g++", "-Wl,-z,pack-relative-relocs", "-Wl,--fatal-warnings", folder / "empty.cpp", "-o", folder / "empty"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="session")
def plain(site):
    """What every signature answers without gilgen."""
    answer = site.run("from pretend import wrapper" + CALL_ALL + "say(answer)").answer
    assert {held for group in answer.values() for _, _, held in group.values()} == {PLAIN}
    return answer


def without_held(answer):
    return {kind: {name: entry[:2] for name, entry in group.items()} for kind, group in answer.items()}


def held(answer):
    return {f"{kind}.{name}": entry[2] for kind, group in answer.items() for name, entry in group.items()}


# ------------------------------------------------------------------------------------------ rebinding


@pytest.mark.parametrize(
    "order",
    [
        "gilgen.activate('vtk'); from pretend import wrapper",
        "from pretend import wrapper; gilgen.activate('vtk')",
        f"from pretend import wrapper\n{CALL_ALL}\ngilgen.activate('vtk')",
    ],
    ids=["before the import", "after the import", "after the first calls"],
)
def test_every_signature_carries_its_arguments_and_its_result(variant, plain, order):
    answer = variant.run(order + CALL_ALL + "say(answer)").answer
    assert without_held(answer) == without_held(plain)
    # What no shim can serve is the control that stays as it was.
    assert {name for name, gil in held(answer).items() if gil != ACTIVE} == support.UNSERVED


def test_lazily_bound_calls_are_served_too(variant, plain):
    code = "sys.setdlopenflags(os.RTLD_LAZY)\nfrom pretend import wrapper; gilgen.activate('vtk')" + CALL_ALL
    answer = variant.run(code + "say(answer)").answer
    assert without_held(answer) == without_held(plain)
    assert {name for name, gil in held(answer).items() if gil != ACTIVE} == support.UNSERVED


@pytest.mark.parametrize("lazily", [False, True])
def test_deactivation_puts_back_every_byte_and_its_protection(variant, lazily):
    code = f"""
    sys.setdlopenflags(os.RTLD_LAZY if {lazily} else os.RTLD_NOW)
    from pretend import wrapper
    root = {str(variant.toolkit.root)!r}
    gilgen.activate("vtk")  # Python notes things of its own in the wrapper's types when they are first looked at
    gilgen.deactivate()
    before = memory(root)
    gilgen.activate("vtk")
    during = memory(root)
    gilgen.deactivate()
    after = memory(root)
    work = wrapper.make_work()
    wrapper.spin(work, 0)
    say([differing(before, during), differing(before, after), wrapper.held(), gilgen.status()["vtk"].active])
    """
    changed, left, gil, active = variant.run(support.MEMORY + support.textwrap.dedent(code)).answer
    assert changed == ["/pretend/libderived.so", "/pretend/libpretend.so", "/pretend/wrapper.so"]
    assert left == []
    assert gil == PLAIN
    assert not active


def test_activation_and_deactivation_can_take_turns(site, plain):
    code = """
    from pretend import wrapper
    answers = []
    for round in range(20):
        gilgen.activate("vtk", "vtk")
        gilgen.activate("vtk")
        answers.append({"virtual": wrapper.virtual_signatures(), "direct": wrapper.direct_signatures()})
        found = gilgen.status("vtk")["vtk"]
        slots = [found.libraries, found.vtable_slots, found.got_slots, found.skipped, found.refused]
        gilgen.deactivate("vtk")
        gilgen.deactivate()
        answers.append({"virtual": wrapper.virtual_signatures(), "direct": wrapper.direct_signatures()})
    say([answers, slots])
    """
    answers, slots = site.run(code).answer
    assert all(without_held(answer) == without_held(plain) for answer in answers)
    assert {held(answer)["direct.sum"] for answer in answers[::2]} == {ACTIVE}
    assert {held(answer)["virtual.sum"] for answer in answers[1::2]} == {PLAIN}
    assert slots[0] == 3
    assert slots[1] > 30
    assert slots[2] > 30
    assert slots[3:] == [0, 0]


def test_a_library_that_python_did_not_import_is_served_at_the_next_import_or_activation(site):
    code = """
    import ctypes
    root = {root!r}
    gilgen.activate("vtk", guard="none")  # ctypes does not come through the gate
    library = ctypes.PyDLL(root + "/pretend/libfirst.so")
    library.copied_make.restype = ctypes.c_void_p
    library.copied_ask(ctypes.pythonapi.PyGILState_Check)
    copied = ctypes.c_void_p(library.copied_make())
    answers = [library.copied_by_table(copied)]
    {then}
    say(answers + [library.copied_by_table(copied)])
    """
    for then in ("gilgen.activate('vtk', guard='none')", "from pretend import wrapper"):
        assert site.run(support.textwrap.dedent(code).format(root=str(site.toolkit.root), then=then)).answer == [11, 10]


def test_each_slot_goes_on_to_its_own_copy(site):
    code = f"""
    import ctypes
    answers = []
    for name in ("first", "second"):
        library = ctypes.PyDLL({str(site.toolkit.root)!r} + f"/pretend/lib{{name}}.so")
        library.copied_make.restype = ctypes.c_void_p
        library.copied_ask(ctypes.pythonapi.PyGILState_Check)
        copied = ctypes.c_void_p(library.copied_make())
        for function in (library.copied_by_table, library.copied_by_call):
            answers.append([function(copied)])
            gilgen.activate("vtk", guard="none")
            answers[-1].append(function(copied))
            bound = counts()["Copied.by_table"].bound
            gilgen.deactivate()
            answers[-1].append(function(copied))
    say([answers, bound])
    """
    answers, bound = site.run(code).answer
    assert answers == [[11, 10, 11], [11, 10, 11], [21, 20, 21], [21, 20, 21]]
    assert bound == 2


def test_another_copy_of_the_toolkit_in_the_process_is_never_touched(site, tmp_path):
    other = site.toolkit.copy_to(tmp_path)
    code = f"""
    import ctypes
    from pretend import wrapper
    roots = [{str(site.toolkit.root)!r}, {str(other.root)!r}]
    libraries = [ctypes.PyDLL(root + f"/pretend/lib{{name}}.so") for root in roots for name in ("first", "pretend")][::2]
    before = memory(roots[1])
    gilgen.activate("vtk", guard="none")
    answers = []
    for library in libraries:
        library.copied_make.restype = ctypes.c_void_p
        library.copied_ask(ctypes.pythonapi.PyGILState_Check)
        copied = ctypes.c_void_p(library.copied_make())
        answers.append([library.copied_by_table(copied), library.copied_by_call(copied)])
    say([answers, [name for name in differing(before, memory(roots[1])) if "first" not in name], len(before), gilgen.status()["vtk"].refused])
    """
    answers, changed, seen, refused = site.run(support.MEMORY + support.textwrap.dedent(code)).answer
    assert answers == [[10, 10], [11, 11]]
    assert seen
    assert changed == []
    assert refused == 0


def test_an_unknown_symbol_is_refused_and_binds_nothing(site, tmp_path):
    decision = site.toolkit.decision("pretend::Work::spin", "void float")
    wrong = support.replace(decision, symbol="_ZN7pretend4Work4spinEf", python="Work.wrong")
    shims = support.shims_for(site.toolkit.plan((wrong,)), tmp_path)
    code = """
    from pretend import wrapper
    try:
        gilgen.activate("vtk")
    except gilgen.GilgenError as error:
        words = str(error)
    wrapper.spin(wrapper.make_work(), 0)
    found = gilgen.status()["vtk"]
    say([found.active, found.vtable_slots, found.got_slots, found.libraries, len(found.methods), wrapper.held(), words])
    """
    *state, words = support.Site(site.toolkit, shims).run(code).answer
    assert state == [False, 0, 0, 0, 0, PLAIN]
    assert "libpretend.so: _ZN7pretend4Work4spinEf is not defined there" in words
    assert "gilgen fix vtk" in words


def doctored(site, folder, change):
    """The pretend toolkit and its shims, with what the manifest says of each definition of `Work::value` changed."""
    other = site.copy_to(folder)
    path = other.package / support.generate.MANIFEST
    envelope = support.json.loads(path.read_bytes())
    for shim in envelope["data"]["shims"]:
        if shim["python"] == "Work.value":
            change(shim["definitions"][0])
    path.write_text(support.json.dumps(envelope))
    return other


REFUSED = """
from pretend import wrapper
try:
    gilgen.activate("vtk")
    words = ""
except gilgen.GilgenError as error:
    words = str(error)
wrapper.value(wrapper.make_work(), 1)
say([words, wrapper.held()])
"""


def test_control_definitions_that_are_what_they_were_are_served(site, tmp_path):
    assert doctored(site, tmp_path, lambda _: None).run(REFUSED).answer == ["", ACTIVE]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(offset=d["offset"] + 16), "lies elsewhere"),
        (lambda d: d.update(code=d["code"] ^ 1), "has other code"),
        (lambda d: d.update(size=d["size"] - 1), "has other code"),
        (lambda d: d.update(size=1 << 30), "is not code"),
    ],
)
def test_a_definition_that_is_not_what_it_was_is_refused(site, tmp_path, change, words):
    said, held = doctored(site, tmp_path, change).run(REFUSED).answer
    assert f"_ZN7pretend4Work5valueEi {words}" in said
    assert held == PLAIN


def test_a_function_that_was_changed_on_disk_is_refused(site, tmp_path):
    """Its library has the same size and the same build id as ever."""
    other = site.copy_to(tmp_path)
    path = other.toolkit.root / "pretend" / "libpretend.so"
    [definition] = other.toolkit.definitions(other.toolkit.symbols["pretend::Work::value"])
    content = bytearray(path.read_bytes())
    content[definition.offset + definition.size - 1] ^= 1  # this library's code lies in the file where it lies in memory
    path.unlink()
    path.write_bytes(content)
    assert other.toolkit.definitions(definition and other.toolkit.symbols["pretend::Work::value"])[0].code != definition.code
    code = """
    gilgen.activate("vtk")
    from pretend import wrapper
    wrapper.sleep(wrapper.make_work(), 0)
    found = gilgen.status()["vtk"]
    say([wrapper.held(), found.refused, found.refusals])
    """
    # It came after the activation, so the import must go on: the library is left alone, and status tells.
    held, refused, refusals = other.run(code).answer
    assert (held, refused) == (PLAIN, 1)
    assert "Work5valueEi has other code" in refusals[0]


def test_a_library_of_another_build_is_left_alone_although_its_size_agrees(site, tmp_path):
    other = site.copy_to(tmp_path)
    path = other.toolkit.root / "pretend" / "wrapper.so"
    with support.elf.Library(path) as library:
        build_id = bytes.fromhex(library.build_id)
    content = path.read_bytes()
    assert content.count(build_id) == 1
    path.unlink()
    path.write_bytes(content.replace(build_id, bytes(reversed(build_id))))
    code = """
    gilgen.activate("vtk")
    from pretend import wrapper
    wrapper.spin(wrapper.make_work(), 0)
    direct = wrapper.held()
    wrapper.sleep(wrapper.make_work(), 0)
    say([gilgen.status()["vtk"].refused, direct, wrapper.held()])
    """
    # The wrapper's call slots stay as they are. The vtables stand in the other libraries, which agree; but no gate sees the call.
    assert other.run(code).answer == [1, PLAIN, PLAIN]


def test_a_library_without_a_build_id_is_told_by_its_size(objects, site, tmp_path):
    toolkit = support.PretendToolkit.link(objects, tmp_path / "toolkit", support.VARIANTS["no-build-id"])
    shutil.copytree(site.shims, tmp_path / "shims")
    other = support.Site(toolkit, tmp_path / "shims")
    ended = other.run("gilgen.activate('vtk')")
    assert "StaleShimsError" in ended.err
    other.rewrite_manifest(toolkit)
    assert {library.build_id for library in toolkit.libraries()} == {""}
    assert other.run("gilgen.activate('vtk'); from pretend import wrapper; say(gilgen.status()['vtk'].libraries)").answer == 3


def test_an_unloaded_library_is_not_written_to(site):
    code = f"""
    import _ctypes, ctypes
    library = ctypes.PyDLL({str(site.toolkit.root)!r} + "/pretend/libfirst.so")
    gilgen.activate("vtk")
    _ctypes.dlclose(library._handle)
    gilgen.deactivate()
    say(True)
    """
    assert site.run(code).answer is True


def test_a_library_that_exports_nothing_is_served_too(site, tmp_path):
    """Its table of exported names is empty, and says nothing of how many names it imports."""
    toolkit = site.toolkit.copy_to(tmp_path)
    (tmp_path / "quiet.cpp").write_text("""
        #include "pretend.hpp"
        __attribute__((constructor)) static void first()
        {
            pretend::Work* const work = pretend::Work::make();
            work->spin(0);
        }
    """)
    package = tmp_path / "pretend"
    command = ["g++", "-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", "-O1", f"-I{support.NATIVE}", tmp_path / "quiet.cpp",
        f"-L{package}", "-lpretend", "-Wl,-rpath,$ORIGIN", "-o", package / "libquiet.so"]  # fmt: skip
    subprocess.run(command, check=True)
    plan = toolkit.plan()
    with support.elf.Library(package / "libquiet.so") as library:
        quiet = support.Library("pretend/libquiet.so", (package / "libquiet.so").stat().st_size, library.build_id)
    shutil.copytree(site.shims, tmp_path / "shims")
    other = support.Site(toolkit, tmp_path / "shims")
    manifest = support.generate.manifest_of(support.replace(plan, libraries=(*plan.libraries, quiet)), support.platform.machine())
    (other.package / "manifest.json").write_bytes(support.store.encode(manifest))
    code = """
    import ctypes
    from pretend import wrapper
    gilgen.activate("vtk")
    before = gilgen.status()["vtk"].got_slots
    ctypes.PyDLL(os.path.dirname(wrapper.__file__) + "/libquiet.so")
    gilgen.activate("vtk")
    say(gilgen.status()["vtk"].got_slots - before)
    """
    assert other.run(code).answer == 1


# -------------------------------------------------------------------------------------------- release


@pytest.mark.parametrize("call", ["sleep", "spin"])
def test_other_threads_run_inside_a_shimmed_call_and_only_there(site, call):
    code = f"""
    from pretend import wrapper
    work = wrapper.make_work()
    sys.setswitchinterval(1000)
    ticks, stop = [], False
    def beat():
        while not stop:
            ticks.append(time.perf_counter())
            time.sleep(0.001)
    thread = threading.Thread(target=beat)
    thread.start()
    def inside():
        begin = time.perf_counter()
        wrapper.{call}(work, 0.4)
        end = time.perf_counter()
        return sum(begin < tick < end for tick in ticks)
    answers = [inside()]
    gilgen.activate("vtk")
    answers.append(inside())
    gilgen.deactivate()
    answers.append(inside())
    stop = True
    thread.join()
    say(answers)
    """
    before, during, after = site.run(code).answer
    assert before == 0
    assert during > 10
    assert after == 0


WAITING = """
from pretend import wrapper
stop = False
def keep_signalling():
    while not stop:
        wrapper.signal()
        time.sleep(0.005)
thread = threading.Thread(target=keep_signalling)
thread.start()
"""


def test_a_call_that_waits_for_another_thread_ends_only_when_the_gil_is_released(site):
    code = """
    work = wrapper.make_work()
    answers = [wrapper.wait(work, 0.3)]
    gilgen.activate("vtk")
    answers.append(wrapper.wait(work, 30))
    stop = True
    thread.join()
    say(answers)
    """
    assert site.run(WAITING + support.textwrap.dedent(code)).answer == [False, True]


@pytest.mark.parametrize("activate", [False, True])
def test_a_deadlock_is_detected_and_freezes_only_its_own_thread_when_released(site, activate):
    code = f"""
    from pretend import wrapper
    if {activate}: gilgen.activate("vtk")
    def tell():
        time.sleep(0.2)
        print("alive", flush=True)
    threading.Thread(target=tell).start()
    wrapper.deadlock(wrapper.make_work(), 0)
    """
    ended = site.run(code, deadline=3.0)
    assert ended.timed_out
    assert not ended.ok
    assert ("alive" in ended.out) is activate


def test_a_method_without_a_shim_stays_as_it_is(site):
    code = """
    gilgen.activate("vtk")
    from pretend import wrapper
    work = wrapper.make_work()
    say([wrapper.keep(work, 4), wrapper.held(), wrapper.value(work, 4), wrapper.held()])
    """
    assert site.run(code).answer == [5, PLAIN, 4, ACTIVE]


def test_a_vtable_of_another_library_leads_to_the_same_shims(site):
    code = """
    gilgen.activate("vtk")
    from pretend import wrapper
    derived = wrapper.make_derived()
    answers = [wrapper.value(derived, 2), wrapper.held()]
    wrapper.sleep(derived, 0)
    say(answers + [wrapper.held(), wrapper.fail(derived, 0), wrapper.held(), counts()["Derived.value"].released, counts()["Work.value"].released])
    """
    assert site.run(code).answer == [201, ACTIVE, ACTIVE, 100, ACTIVE, 1, 0]


def test_cpp_exceptions_arrive_with_their_type_and_with_the_gil(site):
    code = """
    gilgen.activate("vtk", guard="object")
    from pretend import wrapper
    work, derived, answers = wrapper.make_work(), wrapper.make_derived(), []
    for object in (work, derived):
        for how in (1, 2, 3):
            try:
                wrapper.fail(object, how)
            except Exception as error:
                answers.append([type(error).__name__, str(error), wrapper.held()])
    # The guard was let go: another thread may have the object at once.
    say([answers, at_once(lambda: wrapper.fail(work, 7), lambda: wrapper.fail(work, 1)), counts()["Work.fail"].released])
    """
    answers, after, released = site.run(code).answer
    expected = [["RuntimeError", "a run-time error", 0], ["IndexError", "out of range", 0], ["ArithmeticError", "failure on purpose: 42", 0]]
    assert answers == expected * 2
    assert after == [7, "RuntimeError('a run-time error')"]
    assert released == 5


def test_cpp_threads_pass_straight_through(site):
    code = """
    from pretend import wrapper
    work = wrapper.make_derived()
    plain = wrapper.on_threads(work, 8)
    gilgen.activate("vtk")
    say([plain, wrapper.on_threads(work, 8), counts()["Work.on_threads"].released, counts()["Derived.value"].released, counts()["Derived.value"].guarded])
    """
    assert site.run(code).answer == [2808, 2808, 1, 0, 0]


def test_many_threads_call_many_times(site):
    code = """
    gilgen.activate("vtk", guard="object")
    from pretend import wrapper
    shared = wrapper.make_work()
    def work(index):
        own = wrapper.make_work()
        total = 0
        for round in range(300):
            total += wrapper.value(shared, 1) + wrapper.value(own, 1)
            try:
                wrapper.fail(shared, round % 4)
            except (RuntimeError, IndexError, ArithmeticError):
                total += 1
        return total
    results = at_once(*(lambda index=index: work(index) for index in range(12)))
    say([results, counts()["Work.value"].released, counts()["Work.fail"].released])
    """
    results, values, fails = site.run(code).answer
    assert results == [825] * 12
    assert values == 12 * 600
    assert fails == 12 * 300


def test_switching_on_and_off_while_others_call(site):
    code = """
    from pretend import wrapper
    stop = False
    def work():
        own, calls = wrapper.make_work(), 0
        while not stop:
            assert wrapper.value(own, 3) == 3
            wrapper.spin(own, 0.0002)
            calls += 2
        return calls > 0
    def switch():
        global stop
        for _ in range(60):
            gilgen.activate("vtk")
            time.sleep(0.001)
            gilgen.deactivate()
        stop = True
        return True
    say(at_once(switch, work, work, work))
    """
    assert site.run(code).answer == [True] * 4


# ----------------------------------------------------------------------------- fork, signals, the end


def test_fork_outside_of_a_call(site):
    code = """
    from pretend import wrapper
    gilgen.activate("vtk")
    work = wrapper.make_work()
    child = os.fork()
    if child == 0:
        ok = wrapper.value(work, 5) == 5 and wrapper.held() == 0 and at_once(lambda: wrapper.value(work, 6)) == [6]
        os._exit(33 if ok else 1)
    say([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), wrapper.value(work, 5)])
    """
    assert site.run(code).answer == [33, 5]


def test_fork_from_a_callback_inside_of_a_call(site):
    code = """
    from pretend import wrapper
    gilgen.activate("vtk", guard="object")
    work, parent, children = wrapper.make_work(), os.getpid(), []
    def fork():
        children.append(os.fork())
        return 5
    value = wrapper.call(work, fork)
    if os.getpid() != parent:
        os._exit(33 if value == 5 and at_once(lambda: wrapper.value(work, 6)) == [6] else 1)
    say([value, os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])])
    """
    assert site.run(code).answer == [5, 33]


def test_a_forked_child_does_not_wait_for_threads_that_it_does_not_have(site):
    code = """
    from pretend import wrapper
    gilgen.activate("vtk", guard="object")
    work = wrapper.make_work()
    threads = [threading.Thread(target=wrapper.wait, args=(work, 30)) for _ in range(3)]
    for thread in threads: thread.start()
    while gilgen.status()["vtk"].waiting < 2: time.sleep(0.01)
    child = os.fork()
    if child == 0:
        os._exit(33 if wrapper.value(work, 5) == 5 else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    while any(thread.is_alive() for thread in threads):
        wrapper.signal()
        time.sleep(0.01)
    say(code)
    """
    assert site.run(code, deadline=20).answer == 33


@pytest.mark.parametrize("what", ["wrapper.sleep(work, 0.3)", "wrapper.sleep(work, 0.001)", "wrapper.wait(work, 600)", "wrapper.call(work, lambda: 1)"])
@pytest.mark.parametrize("guard", ["none", "object"])
def test_daemon_threads_inside_calls_do_not_spoil_the_end(site, what, guard):
    code = f"""
    from pretend import wrapper
    gilgen.activate("vtk", guard={guard!r})
    shared = wrapper.make_work()
    def forever(work):
        while True:
            {what}
    for work in (shared, shared, wrapper.make_work(), wrapper.make_work()):
        threading.Thread(target=forever, args=(work,), daemon=True).start()
    time.sleep(0.05)
    print("end", flush=True)
    """
    for _ in range(1 if "wait" in what else 4):  # the end waits a while for calls that are under way
        ended = site.run(code, deadline=30)
        assert (ended.code, ended.out, ended.err, ended.timed_out) == (0, "end\n", "", False)


def test_control_a_crash_is_seen_as_one(site):
    assert site.run("import ctypes; ctypes.string_at(0)").crashed == "SIGSEGV"
    assert site.run("os.abort()").crashed == "SIGABRT"
    assert not site.run("sys.exit(3)").crashed


def test_an_interrupt_arrives_when_the_call_ends(site):
    code = """
    import signal
    from pretend import wrapper
    gilgen.activate("vtk", guard="object")
    work = wrapper.make_work()
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        wrapper.sleep(work, 0.4)
        for _ in range(1000): pass
        answer = "not interrupted"
    except KeyboardInterrupt:
        answer = "interrupted"
    say([answer, wrapper.value(work, 3), wrapper.held(), at_once(lambda: wrapper.value(work, 4))])
    """
    assert site.run(code).answer == ["interrupted", 3, ACTIVE, [4]]


def test_signal_handlers_run_while_another_thread_is_inside(site):
    code = """
    import signal
    from pretend import wrapper
    gilgen.activate("vtk")
    seen = []
    signal.signal(signal.SIGUSR1, lambda *_: seen.append(True))
    thread = threading.Thread(target=wrapper.wait, args=(wrapper.make_work(), 30))
    thread.start()
    while not counts()["Work.wait"].released: time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGUSR1)
    while not seen: time.sleep(0.01)
    while thread.is_alive(): wrapper.signal(); time.sleep(0.01)
    say(len(seen))
    """
    assert site.run(code).answer == 1
