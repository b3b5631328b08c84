"""Nothing unconfirmed is installed: what headers of another version release is right by the wheel's own headers, too,
and the compiler agrees with the plans of the real wheels, method by method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import support

from gilgen import build, checks, consistent, debian, generate, plan, scan, store, toolkits
from gilgen.errors import ArtefactError, CompileError

pytestmark = [pytest.mark.real, pytest.mark.slow]

OTHER = ("trixie", "9.3.0")
"""A release of Debian, and the version of VTK that it has."""


def planned(name, folder=None):
    return plan.read(plan.ensure(name, folder, print))


def shims(made):
    return {decision.symbol: decision for decision in generate.released(made)}


@pytest.fixture(scope="module", params=["vtk", "itk"])
def exact(request):
    """A plan that was made from headers of the wheel's own version."""
    toolkit, _, found = support.with_headers(request.param)
    return planned(toolkit.name, Path(found.root))


# -------------------------------------------------------------------------------- headers of another version


@pytest.fixture(scope="module")
def other_headers():
    """Debian's headers of another VTK, fetched once."""
    suite, version = OTHER
    folder = store.cache_dir() / "tests" / f"vtk-{version}"
    if not folder.exists():
        packages = toolkits.get("vtk").debian
        try:
            offer = next(offer for offer in debian.offers(suite, packages.development, print) if offer.version == version)
            debian.fetch(packages, offer, folder, print)
        except (debian.AptError, StopIteration) as error:
            pytest.skip(f"Debian's headers of vtk {version} cannot be had here: {error}")
    return folder / "usr"


@pytest.fixture(scope="module")
def near(other_headers):
    made = planned("vtk", other_headers)
    assert made.headers.version == OTHER[1]
    if made.headers.version == made.version:
        pytest.skip("these are the headers of the installed version")
    return made


@pytest.fixture(scope="module")
def right():
    return planned("vtk", Path(support.with_headers("vtk")[2].root))


def travels(decision):
    """How a shim's caller and its function see it: the kind of its result, whether there is a `this`, the parameters."""
    return generate.result_type(decision.carriers[0], "aarch64"), decision.static, decision.carriers[1:]


@pytest.mark.elsewhere
def test_headers_of_another_version_release_a_good_part(near, right):
    assert len(shims(near)) > len(shims(right)) / 2
    assert sum(decision.reason == "hazard:result-unconfirmed" for decision in near.decisions) > 10


@pytest.mark.elsewhere
def test_nothing_is_released_that_the_right_headers_would_not_release(near, right):
    assert sorted(set(shims(near)) - set(shims(right))) == []


@pytest.mark.elsewhere
def test_what_is_released_travels_as_the_right_headers_say(near, right):
    confirmed = shims(right)
    wrong = {decision.declaration: confirmed[symbol].declaration for symbol, decision in shims(near).items() if travels(decision) != travels(confirmed[symbol])}
    assert wrong == {}


@pytest.mark.elsewhere
def test_the_comparison_can_fail(near):
    one = next(decision for decision in generate.released(near) if not decision.static and decision.carriers == ("void",))
    assert travels(one) != travels(replace(one, static=True))
    assert travels(one) != travels(replace(one, carriers=("double",)))
    assert travels(one) != travels(replace(one, carriers=("void", "int")))


@pytest.mark.elsewhere
def test_the_compiler_is_not_asked_about_headers_of_another_version(near):
    checked = checks.ensure(None, near)
    assert not checked.asked
    assert OTHER[1] in str(checked)


# ------------------------------------------------------------------------------ headers of the wheel's version


def asked(made, *, of=lambda _: True, compiler=None):
    """Compile the checks of a plan's decisions."""
    toolkit = toolkits.get(made.toolkit)
    installation = toolkit.installation()
    compiler = compiler or build.find_compiler()
    flags = [*checks.library_flags(compiler), *scan.string_flags(installation), *(f"-D{macro}" for macro in toolkit.check_macros)]
    api = scan.scan(toolkit, installation, made.headers, print)
    chosen = replace(made, decisions=tuple(decision for decision in made.decisions if of(decision)))
    written = checks.sources(chosen, api, checks.incomplete(api, compiler, flags))
    checks.compile_checks(written, made.headers, compiler, flags)
    return written


def test_the_compiler_confirms_the_plan_method_by_method(exact):
    written = asked(exact)
    count = len(generate.released(exact))
    assert written.methods + sum(written.left_out.values()) == count
    assert written.methods > 0.95 * count, written.left_out


def test_clang_confirms_a_part_of_it(exact):
    libraries = sorted({decision.library for decision in generate.released(exact)})[::8]
    assert asked(exact, of=lambda decision: decision.library in libraries, compiler=support.compiler("clang")).methods > 10


@pytest.mark.parametrize("toolkit", ["vtk", "itk"])
def test_a_doctored_plan_is_not_confirmed(toolkit):
    made = planned(toolkit, Path(support.with_headers(toolkit)[2].root))
    victim = next(decision for decision in generate.released(made) if decision.carriers == ("void",) and not decision.static)
    doctored = replace(made, decisions=(replace(victim, carriers=("double",)),))
    assert asked(replace(made, decisions=(victim,))).methods == 1
    with pytest.raises(CompileError) as caught:
        asked(doctored)
    assert str(caught.value).startswith(f"The compiler and the plan disagree about {victim.python} ")


# ------------------------------------------------------------------------------------------ the libraries


def test_the_plan_agrees_with_itself_and_with_the_wheel(exact):
    root = toolkits.get(exact.toolkit).installation().root
    consistent.refuse_inconsistent(exact)
    consistent.refuse_undefined_below(exact, root)
    victim = generate.released(exact)[0]
    for wrong in (replace(victim, copies=victim.copies + 1), replace(victim, library="elsewhere.so"), replace(victim, symbol=victim.symbol + "i")):
        doctored = replace(exact, decisions=(wrong,))
        with pytest.raises(ArtefactError, match=victim.python.partition(".")[0]):
            consistent.refuse_undefined_below(doctored, root)


@pytest.mark.elsewhere
def test_a_plan_from_other_headers_agrees_with_itself_too(near):
    consistent.refuse_inconsistent(near)
    consistent.refuse_undefined_below(near, Path(toolkits.get("vtk").installation().root))
