"""The calling convention, proven on every kind of signature: a toolkit by gcc or clang under shims by gcc or clang.

The two agree on the ABI, but not on all that it leaves open: clang counts on its caller to extend small integers, for
example, and picks other registers and other moments to copy what travels by hidden reference.
"""

from __future__ import annotations

import pytest
import support

from gilgen import checks
from gilgen.errors import ArtefactError

pytestmark = pytest.mark.slow

FAMILIES = ("gcc", pytest.param("clang", marks=pytest.mark.elsewhere))
CALLS = "from pretend import wrapper\nanswer = {'virtual': wrapper.virtual_signatures(), 'direct': wrapper.direct_signatures()}\n"

THROWN = """
from pretend import wrapper
work, derived = wrapper.make_work(), wrapper.make_derived()
def caught():
    found = []
    for thing in (work, derived):
        for how in (1, 2, 3):
            try:
                wrapper.fail(thing, how)
            except Exception as error:
                found.append([type(error).__name__, str(error)])
    return found
plain = caught()
gilgen.activate("vtk")
active = caught()
say([plain, active, counts()["Work.fail"].released + counts()["Derived.fail"].released])
"""


@pytest.fixture(scope="module", params=FAMILIES)
def toolkit(request, tmp_path_factory):
    """The pretend toolkit, compiled by one family of compilers. It runs on the machine's own C++ library either way."""
    compiler = support.compiler(request.param)
    support.compiler("gcc")  # links both
    objects = tmp_path_factory.mktemp(f"objects-{request.param}")
    support.compile_objects(objects, (*compiler.command, *checks.library_flags(compiler), "-O2"))
    return support.PretendToolkit.link(objects, tmp_path_factory.mktemp(f"toolkit-{request.param}"), support.VARIANTS["default"])


@pytest.fixture(scope="module", params=FAMILIES)
def both(request, toolkit, tmp_path_factory):
    """The toolkit, with shims that one family of compilers made."""
    folder = tmp_path_factory.mktemp(f"shims-{request.param}")
    return support.Site(toolkit, support.shims_for(toolkit.plan(), folder, support.compiler(request.param)))


def test_arguments_results_and_exceptions_travel_between_compilers(both):
    plain, active = both.run(f"{CALLS}plain = answer\ngilgen.activate('vtk')\n{CALLS}say([plain, answer])").answer
    for kind in ("virtual", "direct"):
        assert {name: entry[:2] for name, entry in active[kind].items()} == {name: entry[:2] for name, entry in plain[kind].items()}
        assert {name for name, entry in plain[kind].items() if not entry[2]} == set(), "the plain toolkit holds the GIL"
        assert {name for name, entry in active[kind].items() if entry[2]} == set(support.UNFIT), "the shims release it"
    assert active["virtual"]["thrown"][0].startswith("caught: thrown across the stack")


def test_exceptions_keep_their_type_and_come_back_with_the_gil(both):
    plain, active, released = both.run(THROWN).answer
    assert len(plain) == 6
    assert active == plain
    assert {name for name, _ in active} == {"RuntimeError", "IndexError", "ArithmeticError"}
    assert released == 6  # a call inside of another passes through


def test_every_signature_has_carriers_or_is_unfit(toolkit):
    """So that no signature can be added without a word on how it travels."""
    declared = {name.rpartition("::")[2] for name in toolkit.symbols if name.startswith("pretend::Virtual::")} - {"make", "~Virtual"}
    assert declared == set(support.SIGNATURES) | set(support.UNFIT)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("spilled", "Hidden int Hidden int int long double int Hidden short Hidden bool double"),
        ("spilled", "Hidden int Hidden int int long double Hidden short Hidden bool float"),
        ("passed", "void* Hidden int"),
        ("summed", "double double int"),
        ("many_of_both", "double" + " int" * 18),
    ],
)
def test_carriers_of_another_convention_are_never_generated(pretend, tmp_path, name, wrong):
    """The control: what would be a wrong call is refused before there is one."""
    decision = pretend.decision(f"pretend::Virtual::{name}", support.SIGNATURES[name])
    assert support.generate.generate(pretend.plan((decision,)), tmp_path / "right", support.platform.machine())
    doctored = support.replace(decision, carriers=support.carriers(wrong))
    if name == "passed":  # a result is not in the symbol: the declaration has it
        doctored = support.replace(doctored, declaration="std::unique_ptr<Owner> pretend::Virtual::passed(...)")
    with pytest.raises(ArtefactError):
        support.generate.generate(pretend.plan((doctored,)), tmp_path / "wrong", support.platform.machine())
