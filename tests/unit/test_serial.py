"""Code that is not thread-safe: its shim claims the library that it stands for, wherever a call comes to it."""

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

ALONE, TOGETHER = -1, -2
"""What the pretend toolkit's code says: how many were inside at once, negative where the GIL was not held."""


def test_two_threads_are_never_inside_at_once(site):
    code = TWO + "say([at_once(lambda: often(wrapper.enter, work), lambda: often(wrapper.enter, other)), counts()['Work.enter'].released])"
    assert answer(site, code) == [[[ALONE], [ALONE]], 120]


def test_control_without_such_a_shim_two_are_inside_at_once(site):
    one, another = answer(site, TWO + "say(at_once(lambda: often(wrapper.enter_unheld, work), lambda: often(wrapper.enter_unheld, other)))")
    assert TOGETHER in one + another


def test_called_from_python_it_releases_and_waits_for_its_object(site):
    code = """
    alone = [wrapper.unsafe(work, 0), wrapper.held(), counts()["Work.unsafe"].released]
    waiting = threading.Thread(target=wrapper.wait, args=(work, 30))
    waiting.start()
    while not counts()["Work.wait"].released: time.sleep(0.001)
    def signal_soon():
        while not gilgen.status()["vtk"].waiting: time.sleep(0.001)
        wrapper.signal()
    threading.Thread(target=signal_soon).start()
    say([alone, wrapper.unsafe(work, 0), waited(), counts()["Work.unsafe"].kept])
    """
    assert answer(site, code) == [[ALONE, 0, 1], ALONE, 1, 0]


def test_while_one_is_inside_python_goes_on(site):
    code = """
    def long(): return wrapper.unsafe(work, 0.5)
    thread = threading.Thread(target=long)
    thread.start()
    ticks = 0
    while thread.is_alive():
        ticks += 1
        time.sleep(0.001)
    say(ticks)
    """
    assert answer(site, code) > 20


def test_a_wrapper_that_has_released_already_waits_too(site):
    code = TWO + "say(at_once(lambda: often(wrapper.unsafe_released, work), lambda: often(wrapper.unsafe_released, other)))"
    assert answer(site, code) == [[ALONE], [ALONE]]


def test_an_exception_leaves_all_as_it_was(site):
    code = """
    answers = [wrapper.enter_fail(work, 7), wrapper.held()]
    say(answers + [wrapper.enter_fail(work, 0), at_once(lambda: wrapper.enter_fail(work, 8), lambda: wrapper.enter(other, 0))])
    """
    assert answer(site, code) == [-7, 0, 0, [-8, ALONE]]


def test_in_a_callback_and_around_one(site):
    code = """
    seen = []
    def inside():
        seen.append(wrapper.unsafe(other, 0))
        return 5
    value = wrapper.call(work, inside)
    def around():
        seen.append(wrapper.unsafe(other, 0))  # the thread has the library already
        return 6
    value += wrapper.unsafe_call(work, around)
    say([value, seen])
    """
    assert answer(site, code) == [11, [ALONE, ALONE]]


def test_a_callback_inside_it_may_wait_for_a_thread_that_needs_it(site):
    code = """
    def helped():
        result = []
        thread = threading.Thread(target=lambda: result.append(wrapper.unsafe(other, 0)))
        thread.start()
        thread.join()
        return 7 if result else 0
    say(wrapper.unsafe_call(work, helped))
    """
    assert answer(site, code) == 7


def test_a_cpp_thread_passes_through(site):
    # Who waits for it may hold the GIL or the library, so it must not ask for either.
    assert answer(site, "say(wrapper.enter_on_thread(work, 0))") == ALONE


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
        os._exit(33 if value == 5 and at_once(lambda: wrapper.enter(work, 0)) == [-1] else 1)
    say([value, os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1])])
    """
    assert answer(site, code) == [5, 33]
