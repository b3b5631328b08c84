"""The gate and the claims: which calls wait for a running one, which pass, and what becomes of objects that are given up."""

from __future__ import annotations

import pytest
import support

START = """
gilgen.activate("vtk")
from pretend import wrapper
from pretend.wrapper import vtkThing
a, b, c = vtkThing(), vtkThing(), vtkThing()

def while_held(what, *, thing=a):
    # Whether a call waits while another thread is inside thing.hold(), and whether it ends when that one does.
    holder = threading.Thread(target=thing.hold, args=(30,))
    holder.start()
    while not gilgen.status()["vtk"].inside: time.sleep(0.001)
    done = threading.Event()
    other = threading.Thread(target=lambda: (what(), done.set()))
    other.start()
    while not done.is_set() and not gilgen.status()["vtk"].waiting: time.sleep(0.001)
    waited = not done.is_set()
    while holder.is_alive():
        wrapper.signal()
        time.sleep(0.001)
    other.join()
    return waited
"""


def answer(site, code, deadline=60.0):
    return site.run(START + support.textwrap.dedent(code), deadline).answer


ON_THE_OBJECT = {
    "a method": "a.GetOther()",
    "a method of the type": "vtkThing.GetOther(a)",
    "a property read": "a.radius",
    "a property written": "setattr(a, 'radius', 2.0)",
    "a slot": "a()",
    "an argument": "b.touch(a)",
    "an argument in a tuple": "b.touch((1, [a]))",
    "a module's function": "wrapper.touch(a)",
    "itself": "a.hold(0)",
}


@pytest.mark.parametrize("call", ON_THE_OBJECT.values(), ids=ON_THE_OBJECT)
def test_a_call_on_the_object_of_a_running_one_waits(site, call):
    assert answer(site, f"say(while_held(lambda: {call}))") is True


PASSING = {
    "another object": "b.radius",
    "another as an argument": "b.touch(c)",
    "a new object": "vtkThing()",
    "progress": "a.GetProgress()",
    "no object": "wrapper.touch(1)",
}


@pytest.mark.parametrize("call", PASSING.values(), ids=PASSING)
def test_control_other_calls_pass(site, call):
    assert answer(site, f"say(while_held(lambda: {call}))") is False


def test_what_python_has_connected_is_claimed_as_well(site):
    code = """
    before = while_held(lambda: b.radius)
    a.SetOther(b)
    b.SetOther(c)
    say([before, while_held(lambda: b.radius), while_held(lambda: c.radius), while_held(lambda: a.radius, thing=c)])
    """
    # What leads to a claimed object waits for it, too: it may come there.
    assert answer(site, code) == [False, True, True, True]


def test_what_a_call_gave_out_is_claimed_as_well(site):
    code = """
    a.SetOther(b)
    del b
    import gc
    other = a.GetOther()
    say([while_held(lambda: other.radius), while_held(lambda: c.radius)])
    """
    assert answer(site, code) == [True, False]


def test_links_of_a_destroyed_object_are_forgotten(site):
    code = """
    def make(n):
        things = [vtkThing() for _ in range(n)]
        for one, other in zip(things, things[1:]): one.SetOther(other)
    for _ in range(50): make(40)
    left = wrapper.alive()
    fresh = [vtkThing() for _ in range(100)]  # at addresses that others had
    say([left, any(while_held(lambda one=one: one.radius, thing=fresh[0]) for one in fresh[1:10])])
    """
    assert answer(site, code) == [3, False]


def test_an_object_in_use_is_given_back_when_the_call_ends(site):
    code = """
    a.SetOther(b)
    a.SetOther(c)  # b is linked still, and held by nobody else
    counts = []
    def give_up():
        global b
        del b
        counts.append(wrapper.alive())
    waited = while_held(give_up)
    a.radius
    say([waited, counts, wrapper.alive(), gilgen.status()["vtk"].deferred])
    """
    assert answer(site, code) == [False, [3], 2, 1]


def test_control_an_object_that_nobody_uses_ends_at_once(site):
    code = """
    counts = []
    def give_up():
        global b
        del b
        counts.append(wrapper.alive())
    say([while_held(give_up), counts, gilgen.status()["vtk"].deferred])
    """
    assert answer(site, code) == [False, [2], 0]


def test_busy_tells_who_works_on_an_object(site):
    code = """
    a.SetOther(b)
    seen = []
    def ask():
        seen.extend(gilgen.busy(one) for one in (a, b, c))
    holder = threading.Thread(target=a.hold, args=(30,))
    holder.start()
    while not gilgen.status()["vtk"].inside: time.sleep(0.001)
    ask()
    wrapper.signal()
    ident = holder.ident
    while holder.is_alive(): wrapper.signal()
    say([[work.thread == ident, work.call, work.seconds >= 0] if work else None for work in seen] + [gilgen.busy(a)])
    """
    assert answer(site, code) == [[True, "hold", True], [True, "hold", True], None, None]


@pytest.mark.parametrize("call", ["a.radius", "setattr(a, 'radius', 2.0)", "a.touch(1)", "a()", "a.hold(0)", "a.SetOther(b)"])
def test_a_call_raises_instead_of_waiting_when_that_was_asked_for(site, call):
    code = f"""
    gilgen.activate("vtk", busy="raise")
    seen = []
    def attempt():
        try:
            {call}
        except gilgen.Busy as error:
            seen.append(str(error))
    waited = while_held(attempt)
    {call if "hold" not in call else "pass"}
    say([waited, seen])
    """
    waited, (message,) = answer(site, code)
    assert not waited
    assert "has to wait for hold" in message


def test_waiting_calls_go_in_the_order_of_arrival(site):
    code = """
    order = []
    def visit(n):
        a.radius
        order.append(n)
    holder = threading.Thread(target=a.hold, args=(30,))
    holder.start()
    while not gilgen.status()["vtk"].inside: time.sleep(0.001)
    def second():
        a.hold(0)
        order.append("hold")
    threads = []
    for n, target in enumerate([second] + [lambda n=n: visit(n) for n in range(4)]):
        threads.append(threading.Thread(target=target))
        threads[-1].start()
        while gilgen.status()["vtk"].waiting <= n: time.sleep(0.001)
    while holder.is_alive():
        wrapper.signal()
        time.sleep(0.001)
    for thread in threads: thread.join()
    say(order[0])
    """
    assert answer(site, code) == "hold"


def test_deactivation_takes_the_gate_away_and_activation_brings_it_back(site):
    code = """
    gated = gilgen.status()["vtk"].gated
    gilgen.deactivate()
    off = gilgen.status()["vtk"].gated
    gilgen.activate("vtk")
    d, e = vtkThing(), vtkThing()
    again = [while_held(lambda: d.radius, thing=d), while_held(lambda: e.radius, thing=d)]
    # What was connected meanwhile, nobody saw: objects of before claim everything.
    say([gated > 40, off, gilgen.status()["vtk"].gated == gated, again, while_held(lambda: b.radius)])
    """
    assert answer(site, code) == [True, 0, True, [True, False], True]


def test_objects_of_before_a_late_activation_claim_everything(site):
    code = """
    from pretend import wrapper
    from pretend.wrapper import vtkThing
    a, b = vtkThing(), vtkThing()
    """
    late = site.run(support.textwrap.dedent(code) + START.replace("a, b, c = vtkThing(), vtkThing(), vtkThing()", "c = vtkThing()") + "say([while_held(lambda: c.radius), while_held(lambda: c.radius, thing=vtkThing())])")
    assert late.answer == [True, False]


def test_what_waited_for_what_is_told(site):
    code = """
    while_held(lambda: a.radius)
    (wait,) = gilgen.status()["vtk"].waits
    say([wait.waiter, wait.holder, wait.count, wait.seconds > 0, "own copy" in wait.advice])
    """
    assert answer(site, code) == ["radius", "hold", 1, True, True]


def test_an_activation_that_is_refused_half_way_leaves_nothing_active(site):
    """Two toolkits are asked for and the second cannot be had."""
    code = """
    before = gilgen.status()["vtk"].active
    gilgen.deactivate()
    try:
        gilgen.activate("vtk", "nothing")
    except gilgen.GilgenError as error:
        kind = type(error).__name__
    say([before, kind, gilgen.status()["vtk"].active, gilgen.status()["vtk"].gated])
    """
    assert answer(site, code) == [True, "ToolkitNotFoundError", False, 0]


# --------------------------------------------------------------------------- forks, children, other kinds of threads


def test_a_child_forked_while_a_module_is_imported_imports_as_well(site):
    """Another thread holds the lock of the import hook at the moment of the fork; it is not there in the child."""
    code = """
    activation = sys.modules["gilgen.activate"]
    locked, go_on = threading.Event(), threading.Event()
    def importing():
        with activation._lock:
            locked.set()
            go_on.wait()
    thread = threading.Thread(target=importing)
    thread.start()
    locked.wait()
    child = os.fork()
    if child == 0:
        import importlib
        gilgen.status()
        os._exit(33)
    deadline = time.monotonic() + 20
    ended, code = 0, 0
    while not ended and time.monotonic() < deadline:
        ended, code = os.waitpid(child, os.WNOHANG)
        time.sleep(0.01)
    if not ended: os.kill(child, 9)
    go_on.set()
    thread.join()
    say(os.waitstatus_to_exitcode(code) if ended else "hangs")
    """
    assert answer(site, code) == 33


def test_children_that_are_spawned_are_activated_as_their_parent(site, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        support.textwrap.dedent("""
        import json, multiprocessing
        def active(_):
            import gilgen
            return [found.active for found in gilgen.status().values()]
        if __name__ == "__main__":
            import gilgen
            answers = []
            for on in (True, False):
                gilgen.activate("vtk") if on else gilgen.deactivate()
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    answers += pool.map(active, [0])
            print(json.dumps(answers))
        """)
    )
    assert support.run([support.sys.executable, str(program)], 60, site.env).answer == [[True], []]


def test_greenlets_in_the_place_of_threads_are_refused(site):
    code = """
    import types
    gilgen.deactivate()
    monkey = types.ModuleType("gevent.monkey")
    monkey.is_module_patched = lambda name: name == "threading"
    sys.modules["gevent.monkey"] = monkey
    try:
        gilgen.activate("vtk")
    except gilgen.GilgenError as error:
        say([type(error).__name__, "gevent" in str(error), gilgen.status()["vtk"].active])
    """
    assert answer(site, code) == ["UnsupportedError", True, False]


def test_deactivation_lets_a_running_call_import_a_module(site):
    """It waits for the call, which waits for the import: so it must not hold the lock of the import hook."""
    code = """
    work, done = wrapper.make_work(), []
    def call():
        def inside():
            entered.set()
            time.sleep(0.3)
            sys.modules.pop("_queue", None)
            import _queue
            return 3
        done.append(wrapper.call(work, inside))
    entered = threading.Event()
    thread = threading.Thread(target=call)
    thread.start()
    entered.wait()
    start = time.monotonic()
    gilgen.deactivate()
    waited = time.monotonic() - start
    thread.join()
    say([done, waited < 4])
    """
    assert answer(site, code) == [[3], True]
