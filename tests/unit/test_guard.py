"""The guard: who waits for whom, who must not, and that no order of calls deadlocks. Each case has a deadline."""

from __future__ import annotations

import json

import pytest
import support

from gilgen import generate

ACTIVE, PLAIN = 0, 1
"""What a method of the pretend toolkit answers when asked whether it runs with the GIL held."""


def activated(level):
    return f"gilgen.activate('vtk', guard={level!r})\n"


def run(site, *parts, deadline=60.0):
    return site.run("\n".join(support.textwrap.dedent(part) for part in parts), deadline).answer


# ----------------------------------------------------------------------------------- who waits for whom

MEET = """
from pretend import wrapper
def meet(one, other, limit, call=wrapper.meet, other_call=None):
    return at_once(lambda: call(one, limit), lambda: (other_call or call)(other, limit))
a, b = wrapper.make_work(), wrapper.make_work()
"""


@pytest.mark.parametrize(
    ("guard", "on", "met"),
    [("object", "a, a", False), ("pipeline", "a, a", False), ("none", "a, a", True), ("object", "a, b", True), ("pipeline", "a, b", True)],
)
def test_calls_on_one_object_queue_and_calls_on_two_overlap(site, guard, on, met):
    code = f"gilgen.activate('vtk', guard={guard!r})\nsay([meet({on}, {30 if met else 0.2}), waited()])"
    assert site.run(MEET + code).answer == [[met, met], 0 if met else 1]


def test_without_gilgen_no_two_calls_meet(site):
    assert site.run(MEET + "say(meet(a, b, 0.2))").answer == [False, False]


@pytest.mark.parametrize(("on", "met"), [("a, a", False), ("a, b", True)])
def test_a_wrapper_that_has_released_already_is_guarded_too(site, on, met):
    code = f"""
    gilgen.activate("vtk", guard="object")
    answer = meet({on}, {30 if met else 0.2}, wrapper.meet_released)
    say([answer, counts()["Work.meet"].released, counts()["Work.meet"].guarded])
    """
    assert site.run(MEET + support.textwrap.dedent(code)).answer == [[met, met], 0, 2]


WARM = """
wrapper.update(wrapper.make_algorithm(), 0)  # the first pipeline of a process runs alone
"""

PIPELINES = WARM + """
source, other, left, right, third = (wrapper.make_algorithm() for _ in range(5))
wrapper.connect(source, left)
wrapper.connect(source, right)
wrapper.connect(other, third)
executive = wrapper.make_executive(left)
"""


@pytest.mark.parametrize(
    ("guard", "first", "second", "met"),
    [
        ("pipeline", "left", "right", False),
        ("pipeline", "left", "source", False),
        ("pipeline", "left", "third", True),
        ("pipeline", "executive", "right", False),
        ("pipeline", "executive", "third", True),
        ("object", "left", "right", True),
        ("object", "left", "left", False),
        ("none", "left", "left", True),
    ],
)
def test_pipelines_that_share_a_filter_queue(site, guard, first, second, met):
    call = "wrapper.update_executive" if first == "executive" else "wrapper.update"
    code = f"say(meet({first}, {second}, {30 if met else 0.2}, {call}, wrapper.update))"
    assert site.run(f"gilgen.activate('vtk', guard={guard!r})" + MEET + PIPELINES + code).answer == [met, met]


def test_a_pipeline_with_more_filters_than_fit_inline(site):
    code = """
    gilgen.activate("vtk")
    wrapper.update(wrapper.make_algorithm(), 0)
    ends = []
    shared = wrapper.make_algorithm()
    for _ in range(2):
        first = filter = wrapper.make_algorithm()
        for _ in range(40):
            following = wrapper.make_algorithm()
            wrapper.connect(filter, following)
            filter = following
        wrapper.connect(filter, first)  # and a loop, which must end
        ends.append(filter)
    answers = [meet(*ends, 30, wrapper.update)]
    wrapper.connect(shared, ends[0])
    wrapper.connect(shared, ends[1])
    say(answers + [meet(*ends, 0.2, wrapper.update)])
    """
    assert site.run(MEET + support.textwrap.dedent(code)).answer == [[True, True], [False, False]]


def test_a_pipeline_rewired_while_a_call_waits_is_claimed_as_it_is_then(site):
    code = """
    results = {}
    def first(): results["first"] = wrapper.update(source, 1.0)
    def second(): results["second"] = wrapper.update(left, 0.5)
    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    time.sleep(0.2)
    threads[1].start()
    time.sleep(0.2)
    for _ in range(30): wrapper.connect(wrapper.make_algorithm(), left)
    for thread in threads: thread.join()
    say([results, meet(left, third, 30, wrapper.update)])
    """
    activated = "gilgen.activate('vtk')" + MEET + PIPELINES
    assert site.run(activated + support.textwrap.dedent(code)).answer == [{"first": False, "second": False}, [True, True]]


def test_the_first_pipeline_of_a_process_gets_a_head_start(site):
    """Of a tenth of a second, so that what meets within 20 ms later on does not meet at first."""
    code = """
    one, two = wrapper.make_algorithm(), wrapper.make_algorithm()
    say([meet(one, two, 0.02, wrapper.update), meet(one, two, 30, wrapper.update)])
    """
    program = "gilgen.activate('vtk')" + MEET + support.textwrap.dedent(code)
    # On a machine with much to do, a thread may begin when the other's head start is over.
    assert any(site.run(program).answer == [[False, False], [True, True]] for _ in range(5))


def test_the_first_pipeline_may_wait_for_the_second(site):
    code = """
    one, two = wrapper.make_algorithm(), wrapper.make_algorithm()
    say(meet(one, two, 30, wrapper.update))
    """
    activated = "gilgen.activate('vtk')" + MEET
    assert site.run(activated + support.textwrap.dedent(code)).answer == [True, True]


# -------------------------------------------------------------------------------------- how far it reaches

SHARED_DATA = """
data = wrapper.make_data()
wrapper.put_out(source, data)
wrapper.put_out(other, data)
"""


@pytest.mark.parametrize(
    ("level", "first", "second", "met"),
    [
        ("closure", "left", "third", False),
        ("closure", "executive", "third", False),
        ("pipeline", "left", "third", True),
        ("closure", "left", "alone", True),
        ("closure", "left", "right", False),
    ],
)
def test_data_that_two_pipelines_share_is_claimed_at_its_level_only(site, level, first, second, met):
    call = "wrapper.update_executive" if first == "executive" else "wrapper.update"
    code = f"alone = wrapper.make_algorithm()\nsay(meet({first}, {second}, {30 if met else 0.2}, {call}, wrapper.update))"
    assert run(site, activated(level), MEET, PIPELINES, SHARED_DATA, code) == [met, met]


def test_diamonds(site):
    code = """
    def diamond():
        top, left, right, bottom = (wrapper.make_algorithm() for _ in range(4))
        for side in (left, right):
            wrapper.connect(top, side)
            wrapper.connect(side, bottom)
        return top, left, right, bottom
    one, other = diamond(), diamond()
    say([meet(one[3], other[3], 30, wrapper.update), *(meet(one[3], one[at], 0.1, wrapper.update) for at in range(4)), meet(one[1], one[2], 0.1, wrapper.update)])
    """
    assert run(site, activated("pipeline"), MEET, "wrapper.update(wrapper.make_algorithm(), 0)", code) == [[True, True], *[[False, False]] * 5]


def test_levels_can_be_chosen_by_name(site):
    code = """
    levels = lambda: {name: counts()[name].guard for name in ("Work.meet", "Work.value", "vtkAlgorithm.Update", "Direct.square")}
    from pretend import wrapper
    answers = []
    for guard in ("closure", "object", "none", {"Work.m*": "none", "vtkAlgorithm.*": "pipeline"}, {"*": "none", "Work.meet": "object"}):
        gilgen.activate("vtk", guard=guard)
        answers.append(levels())
    say(answers)
    """
    everything, objects, nothing, named, others = run(site, code)
    assert set(everything.values()) == {"closure"}
    assert set(objects.values()) == {"object"}
    assert set(nothing.values()) == {"none"}
    assert named == {"Work.meet": "none", "Work.value": "closure", "vtkAlgorithm.Update": "pipeline", "Direct.square": "closure"}
    assert set(others.values()) == {"none"}  # the first glob counts


def test_what_the_configuration_chose_stays(site, tmp_path):
    other = site.copy_to(tmp_path)
    path = other.package / generate.MANIFEST
    envelope = json.loads(path.read_bytes())
    for shim in envelope["data"]["shims"]:
        if shim["python"] == "Work.meet":
            shim |= {"guard": "none", "guard_chosen": True}
    path.write_text(json.dumps(envelope))
    assert run(other, activated("closure"), MEET, "say(meet(a, a, 30))") == [True, True]
    assert run(other, "gilgen.activate('vtk', guard={'Work.*': 'object'})", MEET, "say(meet(a, a, 0.2))") == [False, False]


# --------------------------------------------------------------------------------- callbacks into Python


def test_nested_calls_from_callbacks_do_not_deadlock(site):
    code = """
    from pretend import wrapper
    gilgen.activate("vtk", guard="object")
    a, b = wrapper.make_work(), wrapper.make_work()
    log = []
    def nested(object):
        # Inside Python again, so the GIL is held; the nested call releases it again.
        value = wrapper.value(object, 7)
        log.append(wrapper.held())
        return value
    same = wrapper.call(a, lambda: nested(a))
    # Two threads, each inside one object, each asking for the other's: an order that locks would not survive.
    barrier = threading.Barrier(2)
    def cross(mine, other):
        def back():
            barrier.wait()
            return nested(other)
        return wrapper.call(mine, back)
    crossed = at_once(lambda: cross(a, b), lambda: cross(b, a))
    held = list(log)
    say([same, crossed, held[0], wrapper.call_twice(a, lambda: nested(b)), counts()["Work.call_twice"].released, counts()["Work.call"].released])
    """
    # Crossed, each finds the other's object with a thread that visits Python, and keeps the GIL.
    assert site.run(code).answer == [7, [7, 7], ACTIVE, 14, 1, 3]


def test_deep_recursion_through_callbacks(site):
    code = """
    from pretend import wrapper
    gilgen.activate("vtk")
    work = wrapper.make_work()
    def down(depth):
        return 1 if depth == 0 else 1 + wrapper.call(work, lambda: down(depth - 1))
    say([down(40), at_once(*[lambda: down(20)] * 4)])
    """
    assert site.run(code).answer == [41, [21] * 4]


def test_a_callback_may_wait_for_a_thread_that_needs_the_same_object(site):
    """As in the plain wheel: that thread's call runs while the callback waits, and keeps the GIL."""
    code = """
    from pretend import wrapper
    work, log = wrapper.make_work(), []
    def other():
        log.append(wrapper.value(work, 7))
        log.append(wrapper.held())
    def callback():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        return 5
    result = wrapper.call(work, callback)
    say([result, log, counts()["Work.value"].kept, counts()["Work.value"].released, at_once(lambda: wrapper.meet(work, 0), lambda: wrapper.value(work, 1))])
    """
    assert run(site, activated("object"), code, deadline=20) == [5, [7, PLAIN], 1, 0, [False, 1]]


def test_control_it_deadlocks_where_the_callback_cannot_be_seen(site):
    """What takes the GIL back by a way of its own is not seen: the same program then waits for ever."""
    code = """
    import ctypes
    from pretend import wrapper
    work = wrapper.make_work()
    signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
    def other(): wrapper.value(work, 7)
    @signature
    def callback(data):
        thread = threading.Thread(target=other, daemon=True)
        thread.start()
        thread.join()
        return 5
    print("before", flush=True)
    wrapper.call_address(work, ctypes.cast(callback, ctypes.c_void_p).value)
    print("after", flush=True)
    """
    ended = site.run(activated("object") + support.textwrap.dedent(code), deadline=4)
    assert ended.timed_out
    assert ended.out == "before\n"


def test_a_callback_s_own_released_call_lets_others_keep_the_gil(site):
    """Nothing is done to the outer call's object meanwhile, and its thread cannot go on before it has the GIL."""
    code = """
    from pretend import wrapper
    work, another, order = wrapper.make_work(), wrapper.make_work(), []
    def callback():
        wrapper.wait(another, 30)
        order.append("nested")
        return 1
    def outer(): wrapper.call(work, callback)
    def other():
        wrapper.value(work, 7)
        order.append("other")
    threads = [threading.Thread(target=outer), threading.Thread(target=other)]
    threads[0].start()
    while not counts()["Work.wait"].released: time.sleep(0.001)
    threads[1].start()
    threads[1].join()
    before = list(order)
    wrapper.signal()
    for thread in threads: thread.join()
    say([before, order, counts()["Work.value"].kept, waited()])
    """
    assert run(site, activated("object"), code, deadline=20) == [["other"], ["other", "nested"], 1, 1]


def test_two_callbacks_may_wait_for_each_other_s_objects(site):
    code = """
    from pretend import wrapper
    a, b = wrapper.make_work(), wrapper.make_work()
    def helped(object):
        result = []
        thread = threading.Thread(target=lambda: result.append(wrapper.value(object, 3)))
        thread.start()
        thread.join()
        return result[0]
    barrier = threading.Barrier(2)
    def cross(mine, other):
        def back():
            barrier.wait()
            return helped(other)
        return wrapper.call(mine, back)
    say(at_once(lambda: cross(a, b), lambda: cross(b, a)))
    """
    assert run(site, activated("object"), code, deadline=20) == [3, 3]


def test_a_callback_that_raises_leaves_everything_free(site):
    code = """
    from pretend import wrapper
    work, unraised = wrapper.make_work(), []
    sys.unraisablehook = lambda info: unraised.append(repr(info.exc_value))
    def callback(): raise ValueError("on purpose")
    results = at_once(*[lambda: wrapper.call(work, callback)] * 4)
    say([results, unraised, gilgen.status()["vtk"].inside, wrapper.value(work, 3), wrapper.held()])
    """
    assert run(site, activated("object"), code) == [[-1] * 4, ["ValueError('on purpose')"] * 4, 0, 3, ACTIVE]


def test_short_callbacks_let_nobody_in(site):
    """A call that reports its progress a thousand times is still one call on its object."""
    code = """
    from pretend import wrapper
    work = wrapper.make_work()
    results = at_once(*[lambda: [wrapper.call(work, lambda: 1) for _ in range(300)]] * 4, lambda: [wrapper.value(work, 2) for _ in range(300)])
    found = counts()
    say([[sum(result) for result in results], found["Work.value"].kept, found["Work.call"].released + found["Work.call"].kept])
    """
    sums, _, calls = run(site, activated("object"), code)
    assert sums == [300] * 4 + [600]
    assert calls == 1200


# ------------------------------------------------------------------------------------------- what is told


def test_status_tells_waits_and_who_waits_now(site):
    code = """
    from pretend import wrapper
    work = wrapper.make_work()
    quiet = counts()
    threads = [threading.Thread(target=wrapper.wait, args=(work, 30)), threading.Thread(target=wrapper.value, args=(work, 1))]
    threads[0].start()
    while not gilgen.status()["vtk"].inside: time.sleep(0.001)
    threads[1].start()
    while gilgen.status()["vtk"].waiting == 0: time.sleep(0.001)
    time.sleep(0.05)
    during = gilgen.status()["vtk"]
    wrapper.signal()
    for thread in threads: thread.join()
    after = gilgen.status()["vtk"]
    say([[during.inside, during.waiting], [after.inside, after.waiting], after.waited, after.waited_seconds, [[one.waiter, one.count, one.seconds, one.longest_seconds] for one in after.waits]])
    """
    during, after, waited, seconds, [[waiter, count, total, longest]] = run(site, activated("object"), code, deadline=30)
    assert (during, after, waited, waiter, count) == ([1, 1], [0, 0], 1, "value", 1)
    assert 0.04 < longest == total < 30
    assert abs(seconds - total) < 1e-9


# ---------------------------------------------------------------------------------------------- many threads


@pytest.mark.parametrize("level", ["object", "pipeline", "closure"])
def test_random_calls_on_random_pipelines_end_and_are_all_made(site, level):
    """Eight threads on filters that share others, with callbacks, and exceptions among the calls."""
    code = """
    import random
    from pretend import wrapper
    filters = [wrapper.make_algorithm() for _ in range(12)]
    for at, filter in enumerate(filters):
        for upstream in filters[max(0, at - 3):at]: wrapper.connect(upstream, filter)
        wrapper.put_out(filter, wrapper.make_data())
    works = [wrapper.make_work() for _ in range(4)]
    def calls(seed):
        chance = random.Random(seed)
        made = 0
        for _ in range(400):
            work, filter = chance.choice(works), chance.choice(filters)
            kind = chance.randrange(5)
            if kind == 0: wrapper.update(filter, 0)
            elif kind == 1: assert wrapper.call(work, lambda: wrapper.value(chance.choice(works), 2)) == 2
            elif kind == 2: assert wrapper.value(work, 5) == 5
            elif kind == 3:
                try: wrapper.fail(work, 1)
                except RuntimeError: pass
            else: wrapper.call(work, lambda: wrapper.update(filter, 0) or 1)
            made += 1
        return made
    say([at_once(*(lambda seed=seed: calls(seed) for seed in range(8))), gilgen.status()["vtk"].inside, waited()])
    """
    results, inside, waited = run(site, activated(level), code, deadline=60)
    assert results == [400] * 8
    assert inside == 0
    assert waited > 0
