"""Before anything is generated: a plan that contradicts its own symbols, declarations or libraries is refused."""

from __future__ import annotations

import platform
from dataclasses import replace

import pytest

from gilgen import consistent, generate
from gilgen.errors import ArtefactError
from gilgen.manifest import Coverage, Library
from gilgen.model import Decision, Headers, Plan

LIBRARIES = (Library("v/libvtkThings.so", 1, "", defines=True), Library("v/wrapper.so", 1, ""))


def decision(declaration, symbol, *carriers, **changes):
    name = declaration.partition("(")[0].split()[-1].replace("::", ".")
    draft = Decision(name, declaration, symbol, "release", "rule:x", "Why.", carriers=carriers, library="v/libvtkThings.so", copies=1)
    return replace(draft, **changes)


def plan(*decisions, libraries=LIBRARIES):
    return Plan("vtk", "9.6.2", "vtkmodules", "key", Headers("vtk", "9.6.2", "9.6.2", "/h", (), "a test"), libraries, decisions, Coverage(0, 0, 0, 0))


WORK = decision("virtual void vtkThing::Work(int count, double scale)", "_ZN8vtkThing4WorkEid", "void", "int", "double")
HALF = decision("float vtkThing::Half(float a) const", "_ZNK8vtkThing4HalfEf", "float", "float")
MAKE = decision("static vtkThing * vtkThing::Make(const double[3] a)", "_ZN8vtkThing4MakeEPKd", "void*", "void*", static=True)
MODE = decision("vtkMode vtkThing::Mode(vtkMode a, vtkText b)", "_ZN8vtkThing4ModeE7vtkMode7vtkText", "unsigned int", "unsigned char", "Hidden")
TEXT = decision("std::string vtkThing::Text(std::string a, vtkSmartPointer<vtkThing> b)", "_ZN8vtkThing4TextESs15vtkSmartPointerIS_E", "Hidden", "Hidden", "Hidden")
CALL = decision("void vtkThing::Call(void (*)(int) a, double (&)[3] b)", "_ZN8vtkThing4CallEPFviERA3_d", "void", "void*", "void*")
LONG = decision("void vtkThing::Long(long double a, __int128 b)", "_ZN8vtkThing4LongEen", "void", "long double", "__int128")
MEMBER = decision("void itk::Box<int>::Make(int a)", "_ZN3itk3BoxIiE4MakeEi", "void", "int", static=True)
RIGHT = (WORK, HALF, MAKE, MODE, TEXT, CALL, LONG, MEMBER)


def test_what_agrees_is_generated(tmp_path):
    assert generate.generate(plan(*RIGHT), tmp_path / "out", platform.machine())


def test_what_is_kept_is_not_looked_at():
    consistent.refuse_inconsistent(plan(*RIGHT, replace(WORK, action="keep", carriers=("",), symbol="")))


WRONG = {
    "a carrier": (replace(WORK, carriers=("void", "long", "double")), "parameter 1 is int by its symbol, which long does not carry"),
    "float and double": (replace(WORK, carriers=("void", "int", "float")), "parameter 2 is double"),
    "one too few": (replace(WORK, carriers=("void", "int")), "has 2 parameters, and the plan 1"),
    "one too many": (replace(WORK, carriers=("void", "int", "double", "int")), "has 2 parameters, and the plan 3"),
    "no carriers": (replace(WORK, carriers=()), "nothing does not carry a call"),
    "no carrier for one": (replace(WORK, carriers=("void", "", "double")), "does not carry a call"),
    "C++ as a carrier": (replace(WORK, carriers=("void", "int); int main(", "double")), "does not carry a call"),
    "a result that is an address": (replace(MAKE, carriers=("int", "void*")), "which int does not carry"),
    "a result that is none": (replace(WORK, carriers=("int", "int", "double")), "its result is virtual void, which int does not carry"),
    "a float result": (replace(HALF, carriers=("double", "float")), "which double does not carry"),
    "a hidden result": (replace(TEXT, carriers=("void*", "Hidden", "Hidden")), "which void* does not carry"),
    "a result in other registers": (replace(MODE, carriers=("long double", "unsigned char", "Hidden")), "registers that a shim does not keep"),
    "a hidden parameter as its address": (replace(TEXT, carriers=("Hidden", "void*", "Hidden")), "parameter 1"),
    "a template by value as an integer": (replace(TEXT, carriers=("Hidden", "Hidden", "long")), "parameter 2"),
    "an enumeration as a double": (replace(MODE, carriers=("unsigned int", "double", "Hidden")), "parameter 1"),
    "an address as an integer": (replace(CALL, carriers=("void", "void*", "long")), "parameter 2"),
    "a pointer to a member": (decision("void vtkThing::At(int (vtkThing::*)() a)", "_ZN8vtkThing2AtEMS_FivE", "void", "void*"), "parameter 1"),
    "a pointer to a member's data": (decision("void vtkThing::At(int vtkThing::* a)", "_ZN8vtkThing2AtEMS_i", "void", "void*"), "parameter 1"),
    "another method's symbol": (replace(WORK, symbol="_ZN8vtkThing4RestEid"), "its symbol is vtkThing::Rest's"),
    "another class's symbol": (replace(WORK, symbol="_ZN8vtkOther4WorkEid"), "its symbol is vtkOther::Work's"),
    "no symbol": (replace(WORK, symbol=""), "no member function's symbol"),
    "a function's symbol": (replace(WORK, symbol="_Z4Workid"), "no member function's symbol"),
    "static": (replace(WORK, static=True), "cannot be"),
    "static and const": (replace(HALF, static=True), "cannot be"),
    "not static": (replace(MAKE, static=False), "declares it static"),
    "static by the plan alone": (replace(MODE, static=True), "declares it not static"),
    "followed without an object": (replace(MAKE, followed=True), "has no object to follow"),
    "a library that defines nothing": (replace(WORK, library="v/wrapper.so"), "no library 'v/wrapper.so' that defines"),
    "a library that is not there": (replace(WORK, library="/etc/passwd"), "no library '/etc/passwd'"),
    "the same symbol twice": (replace(HALF, python="vtkThing.Quarter"), "another release of the plan has the same symbol"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_doctored_plan_is_refused_and_the_method_is_named(tmp_path, name):
    wrong, words = WRONG[name]
    others = tuple(found for found in RIGHT if found.python != wrong.python)
    with pytest.raises(ArtefactError) as caught:
        generate.generate(plan(*others, wrong), tmp_path / "out", platform.machine())
    assert f"about {wrong.python} " in str(caught.value)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------- against the libraries


def test_the_pretend_toolkit_defines_what_its_plan_releases(pretend):
    consistent.refuse_inconsistent(pretend.plan())
    consistent.refuse_undefined_below(pretend.plan(), pretend.root)


def doctored(pretend, python, **changes):
    found = pretend.plan()
    decisions = tuple(replace(decision, **changes) if decision.python == python else decision for decision in found.decisions)
    assert decisions != found.decisions
    return replace(found, decisions=decisions)


@pytest.mark.parametrize(
    ("python", "changes", "words"),
    [
        ("Work.spin", {"symbol": "_ZN7pretend4Work4turnEd"}, "define its symbol 0 times"),
        ("Work.spin", {"library": "pretend/libderived.so"}, "the first library that defines its symbol is pretend/libpretend.so"),
        ("Copied.by_call", {"library": "pretend/libsecond.so"}, "the first library that defines its symbol is pretend/libfirst.so"),
    ],
)
def test_what_the_libraries_do_not_define_is_refused(pretend, python, changes, words):
    with pytest.raises(ArtefactError, match=words):
        consistent.refuse_undefined_below(doctored(pretend, python, **changes), pretend.root)


def test_copies_that_the_libraries_do_not_have_are_refused(pretend):
    for copies in (1, 3):
        with pytest.raises(ArtefactError, match=f"define its symbol 2 times, and the plan says {copies}"):
            consistent.refuse_undefined_below(doctored(pretend, "Copied.by_table", copies=copies), pretend.root)


def test_where_the_toolkit_is_not_installed_nothing_is_said(pretend):
    consistent.refuse_undefined(doctored(pretend, "Work.spin", symbol="_ZN7pretend4Work4turnEd"))


@pytest.mark.parametrize(
    "right",
    [
        decision("const std::array<double, 2> & vtkBar::At()", "_ZN6vtkBar2AtEv", "void*"),
        decision("std::size_t vtkBar::At(std::nullptr_t a)", "_ZN6vtkBar2AtEDn", "unsigned long", "void*"),
        decision("State vtkBar::At(State a)", "_ZN6vtkBar2AtENS_5StateE", "short", "short"),
        decision("void vtkBar::At(Deep a) const", "_ZNK6vtkBar2AtENS_4DeepE", "void", "Hidden"),
    ],
)
def test_a_name_that_does_not_tell_is_left_to_the_compiler(right):
    consistent.refuse_inconsistent(plan(right))


def test_a_release_without_a_definition_is_refused():
    with pytest.raises(ArtefactError, match="no definition"):
        consistent.refuse_inconsistent(plan(replace(WORK, copies=0)))
