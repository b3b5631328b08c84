"""Code that counts on the GIL as its lock: its shim takes the GIL back, wherever a released call comes to it."""

from __future__ import annotations

import support

START = """
from pretend import wrapper
gilgen.activate("vtk", guard="object")
work, other = wrapper.make_work(), wrapper.make_work()
"""


def answer(site, code, deadline=30.0):
    return site.run(START + support.textwrap.dedent(code), deadline).answer


TWO = """
def often(call, own):
    return sorted({call(own, 0.002) for _ in range(60)})
"""


def test_two_threads_are_never_inside_at_once(site):
    code = TWO + "say([at_once(lambda: often(wrapper.enter, work), lambda: often(wrapper.enter, other)), counts()['Work.enter'].released, counts()['Work.unsafe'].kept])"
    # 1: each was alone in there, and held the GIL; and each came back without it from where it had been released.
    assert answer(site, code) == [[[1], [1]], 120, 120]


def test_control_without_such_a_shim_two_are_inside_at_once(site):
    one, another = answer(site, TWO + "say(at_once(lambda: often(wrapper.enter_unheld, work), lambda: often(wrapper.enter_unheld, other)))")
    assert -2 in one + another


def test_called_from_python_it_keeps_the_gil_and_queues(site):
    code = """
    alone = [wrapper.unsafe(work, 0), wrapper.held(), counts()["Work.unsafe"].guarded]
    waiting = threading.Thread(target=wrapper.wait, args=(work, 30))
    waiting.start()
    while not counts()["Work.wait"].released: time.sleep(0.001)
    def signal_soon():
        while not counts()["Work.unsafe"].waited: time.sleep(0.001)
        wrapper.signal()
    threading.Thread(target=signal_soon).start()
    say([alone, wrapper.unsafe(work, 0), counts()["Work.unsafe"].waited, counts()["Work.unsafe"].kept])
    """
    assert answer(site, code) == [[1, 1, 1], 1, 1, 0]


def test_a_wrapper_that_has_released_already_loses_to_it(site):
    code = TWO + "say([at_once(lambda: often(wrapper.unsafe_released, work), lambda: often(wrapper.unsafe_released, other)), counts()['Work.unsafe'].kept])"
    assert answer(site, code) == [[[1], [1]], 120]


def test_after_it_the_call_goes_on_without_the_gil(site):
    assert answer(site, "say([wrapper.enter(work, 0), wrapper.held()])") == [1, 0]


def test_an_exception_leaves_all_as_it_was(site):
    code = """
    answers = [wrapper.enter_fail(work, 7), wrapper.held()]
    # What is nested in it holds, too; 1 is what it saw.
    say(answers + [wrapper.enter_fail(work, 0), counts()["Work.value"].released, at_once(lambda: wrapper.enter_fail(work, 8))])
    """
    assert answer(site, code) == [-7, 0, 1, 0, [-8]]


def test_in_a_callback_and_around_one(site):
    code = """
    seen = []
    def inside():
        seen.append(wrapper.unsafe(other, 0))  # a callback of a released call holds the GIL already
        return 5
    value = wrapper.call(work, inside)
    def around():
        seen.append(wrapper.value(other, 3))  # what holds around it keeps it from releasing
        seen.append(wrapper.held())
        return 6
    value += wrapper.unsafe_call(work, around)
    say([value, seen, wrapper.value(other, 3), wrapper.held()])
    """
    assert answer(site, code) == [11, [1, 3, 1], 3, 0]


def test_a_cpp_thread_passes_through(site):
    # Who waits for it may hold the GIL, so it must not ask for it.
    assert answer(site, "say([wrapper.enter_on_thread(work, 0), counts()['Work.unsafe'].kept])") == [-1, 0]


def test_switching_on_and_off_and_the_end_while_others_are_inside(site):
    code = """
    def forever(own):
        while True: wrapper.enter(own, 0.0005)
    for own in (work, other): threading.Thread(target=forever, args=(own,), daemon=True).start()
    for _ in range(20):
        time.sleep(0.002)
        gilgen.deactivate()
        gilgen.activate("vtk", guard="object")
    print("end", flush=True)
    """
    ended = site.run(START + support.textwrap.dedent(code), 30)
    assert (ended.code, ended.out, ended.err, ended.timed_out) == (0, "end\n", "", False)


def test_fork_from_a_callback_in_it(site):
    code = """
    children, parent = [], os.getpid()
    def fork():
        children.append(os.fork())
        return 5
    value = wrapper.unsafe_call(work, fork)
    if os.getpid() != parent:
        os._exit(33 if value == 5 and at_once(lambda: wrapper.enter(work, 0)) == [1] else 1)
    say([value, os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])])
    """
    assert answer(site, code) == [5, 33]
