"""The compiler is asked whether each method is what the plan says: right plans compile, doctored ones do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import support

from gilgen import checks
from gilgen.commands import invoke
from gilgen.errors import CompileError
from gilgen.manifest import Coverage, Library
from gilgen.model import Api, Class, Decision, DroppedHeader, Headers, Method, Plan

ROOT = Path(__file__).parents[1] / "fixtures" / "headers" / "checked"
HEADERS = Headers("vtk", "9.9.1", "9.9.1", str(ROOT), (), "a test")
LIBRARY = Library("v/libvtkChecked.so", 1, "", defines=True)
STRING = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"


def decision(declaration, symbol, *carriers, **changes):
    name = declaration.partition("(")[0].split()[-1].replace("<int>", "").replace("::", ".")
    draft = Decision(name, declaration, symbol, "release", "rule:x", "Why.", carriers=carriers, library=LIBRARY.path, copies=1)
    return replace(draft, static=declaration.startswith("static "), **changes)


RIGHT = (
    decision("virtual void vtkAlgorithm::Update()", "_ZN12vtkAlgorithm6UpdateEv", "void", followed=True),
    decision("void vtkChecked::Update()", "_ZN10vtkChecked6UpdateEv", "void", followed=True),
    decision("int vtkChecked::Count(int a, double b) const", "_ZNK10vtkChecked5CountEid", "int", "int", "double"),
    decision("static double vtkChecked::Half(double a)", "_ZN10vtkChecked4HalfEd", "double", "double"),
    decision("std::string vtkChecked::Text(const std::string & a, std::vector<int> b)", f"_ZN10vtkChecked4TextERK{STRING}St6vectorIiSaIiEE", "Hidden", "void*", "Hidden"),
    decision("IdType vtkChecked::Find(vtkSmall a) noexcept", "_ZN10vtkChecked4FindE8vtkSmall", "long long", "unsigned char"),
    decision("State vtkChecked::Status()", "_ZN10vtkChecked6StatusEv", "short"),
    decision("vtkChecked & vtkChecked::Next(vtkChecked * a, int (*)(void *) b, double (&)[3] c)", "_ZN10vtkChecked4NextEPS_PFiPvERA3_d", "void*", "void*", "void*", "void*"),
    decision("void vtkChecked::Overloaded(int a)", "_ZN10vtkChecked10OverloadedEi", "void", "int"),
    decision("void vtkChecked::Overloaded(double a)", "_ZN10vtkChecked10OverloadedEd", "void", "double"),
    decision("void vtkChecked::Templated(int a)", "_ZN10vtkChecked9TemplatedEi", "void", "int"),
    decision("static double vtkChecked::Templated(double a, int b)", "_ZN10vtkChecked9TemplatedEdi", "double", "double", "int"),
    decision("vtkUncopied vtkChecked::Moved(vtkUncopied a)", "_ZN10vtkChecked5MovedE11vtkUncopied", "Hidden", "Hidden"),
    decision("float vtkChecked::Guarded(float a)", "_ZN10vtkChecked7GuardedEf", "float", "float"),
    decision("int vtkChecked::Secret(State a)", "_ZN10vtkChecked6SecretENS_5StateE", "int", "short"),
    decision("int * vtkLast::Work(int a)", "_ZN7vtkLast4WorkEi", "void*", "int"),
    decision("Kept * boxes::Box<int>::Fill(int const*)", "_ZN5boxes3BoxIiE4FillEPKi", "void*", "void*"),
    decision("Lid boxes::Box<int>::Close()", "_ZN5boxes3BoxIiE5CloseEv", "Hidden"),
)


def named(name, number=0):
    return [found for found in RIGHT if found.python == name][number]


def plan(*decisions):
    return Plan("vtk", "9.9.1", "vtkmodules", "key", HEADERS, (LIBRARY,), decisions, Coverage(0, 0, 0, 0))


def api(header="vtkChecked.h", dropped=()):
    names = ("vtkPlain", "vtkUncopied", "vtkAlgorithm", "vtkLast", "boxes::Lid", "boxes::Box")
    templates = (Method("Templated", "", "void", "void", kind="template"),)
    classes = [Class("vtkChecked", header, 1, methods=templates), *(Class(name, header, 1) for name in names), Class("vtkLacking", "vtkLacking.h", 1)]
    return Api("vtk", "9.9.1", HEADERS, tuple(classes), tuple(dropped))


def compiled(compiler, *decisions, piece=checks.PIECE):
    made = checks.sources(plan(*decisions), api(), piece=piece)
    assert made.left_out == {}
    assert made.methods == len(decisions)
    checks.compile_checks(made, HEADERS, compiler, checks.library_flags(compiler))
    return made


@pytest.fixture(params=["gcc", "clang"])
def compiler(request):
    return support.compiler(request.param)


# ------------------------------------------------------------------------------------------ what is right


def test_what_the_headers_declare_compiles(compiler):
    compiled(compiler, *RIGHT)


def test_methods_stand_in_files_of_a_few():
    made = checks.sources(plan(*RIGHT), api(), piece=5)
    assert [text.count("template struct gilgen::Confirmed<") for text in made.files.values()] == [4, 5, 4, 5]
    assert list(made.files) == [f"checks-{number}.cpp" for number in range(1, 5)]
    done = []
    checks.compile_checks(made, HEADERS, support.compiler("gcc"), notify=done.append)
    assert sorted(done) == list(made.files)


def test_each_check_says_what_it_is_about():
    (text,) = checks.sources(plan(*RIGHT), api()).files.values()
    assert "\n// vtkChecked.Count\n//     int vtkChecked::Count(int a, double b) const\ntemplate struct gilgen::Confirmed<" in text
    assert "#include <vtkChecked.h>\n" in text


# ------------------------------------------------------------------------------------------ what is wrong

COUNT, TEXT, FIND = named("vtkChecked.Count"), named("vtkChecked.Text"), named("vtkChecked.Find")

WRONG = {
    "the result's carrier": (replace(COUNT, carriers=("long long", "int", "double")), "the result has another carrier"),
    "the result's type": (replace(COUNT, declaration="long vtkChecked::Count(int a, double b) const"), "the result is of another type"),
    "both of them": (replace(COUNT, declaration="double vtkChecked::Count(int a, double b) const", carriers=("double", "int", "double")), "the result is of another type"),
    "how the result comes back": (replace(TEXT, carriers=("void*", "void*", "Hidden")), "the shim returns its result in another way"),
    "float for double": (replace(named("vtkChecked.Half"), carriers=("float", "double")), "the result has another carrier"),
    "a parameter's carrier": (replace(COUNT, carriers=("int", "long", "double")), "a parameter has another carrier"),
    "a parameter too many": (replace(COUNT, carriers=("int", "int", "double", "int")), "a parameter has another carrier"),
    "a parameter's type": (replace(COUNT, symbol="_ZNK10vtkChecked5CountEii"), "no matching"),
    "a pointer for a hidden copy": (replace(TEXT, carriers=("Hidden", "void*", "void*")), "a parameter has another carrier"),
    "a hidden copy for a pointer": (replace(TEXT, carriers=("Hidden", "Hidden", "Hidden")), "a parameter has another carrier"),
    "an enumeration's size": (replace(FIND, carriers=("long long", "int")), "a parameter has another carrier"),
    "a small struct": (decision("vtkPlain vtkChecked::Plain(vtkPlain a)", "_ZN10vtkChecked5PlainE8vtkPlain", "Hidden", "Hidden"), "a parameter has another carrier"),
    "const": (replace(COUNT, symbol="_ZN10vtkChecked5CountEid"), "no matching"),
    "not const": (replace(FIND, symbol="_ZNK10vtkChecked4FindE8vtkSmall"), "no matching"),
    "static": (replace(FIND, static=True), "no matching"),
    "not static": (replace(named("vtkChecked.Half"), static=False), "no matching"),
    "beside a template": (replace(named("vtkChecked.Templated"), symbol="_ZN10vtkChecked9TemplatedEd", carriers=("void", "int")), "a parameter has another carrier"),
    "the base's method": (decision("void vtkChecked::Inherited()", "_ZN10vtkChecked9InheritedEv", "void"), "a base class declares this method"),
    "the guard's class": (replace(named("vtkLast.Work"), followed=True), "for one of another class"),
    "no such method": (decision("void vtkChecked::Gone()", "_ZN10vtkChecked4GoneEv", "void"), "Gone"),
}


def refused(compiler, wrong):
    others = tuple(found for found in RIGHT if found.symbol != wrong.symbol and found.python != wrong.python)
    with pytest.raises(CompileError) as caught:
        compiled(compiler, *others, wrong)
    assert caught.value.exit_code == 16
    return str(caught.value)


@pytest.mark.parametrize("name", WRONG)
def test_a_doctored_plan_does_not_compile_and_the_method_is_named(name):
    wrong, words = WRONG[name]
    message = refused(support.compiler("gcc"), wrong)
    assert message.startswith(f"The compiler and the plan disagree about {wrong.python} ({wrong.declaration}):")
    assert words in message
    assert "please report it" in message


@pytest.mark.parametrize("name", ["the result's carrier", "a parameter's type", "an enumeration's size", "static", "the base's method"])
def test_clang_refuses_as_well(name):
    wrong, words = WRONG[name]
    message = refused(support.compiler("clang"), wrong)
    assert message.startswith(f"The compiler and the plan disagree about {wrong.python} ")
    assert words in message or "no matching" in words


def test_headers_that_do_not_compile_are_quoted(tmp_path):
    (tmp_path / "vtkChecked.h").write_text("class vtkChecked : public nothing {};\n")
    made = checks.sources(plan(COUNT), api())
    with pytest.raises(CompileError, match="nothing"):
        checks.compile_checks(made, replace(HEADERS, root=str(tmp_path)), support.compiler("gcc"))


# -------------------------------------------------------------------------------------------- what is asked


def test_what_cannot_be_asked_is_counted():
    lacking = decision("void vtkLacking::Work()", "_ZN10vtkLacking4WorkEv", "void")
    foreign = decision("void vtkForeign::Work()", "_ZN10vtkForeign4WorkEv", "void")
    found = api(dropped=[DroppedHeader("vtkLacking.h", "line 1: 'there/is/no/such/header.h' file not found", alone=False)])
    incomplete = checks.incomplete(found, support.compiler("gcc"))
    assert incomplete == {"vtkLacking.h"}
    made = checks.sources(plan(lacking, foreign, COUNT), found, incomplete)
    assert made.methods == 1
    assert made.left_out == {"a header that its own needs is not on this machine": 1, "no header declares the class by its own name": 1}


def test_what_only_libclang_lacks_is_asked_about():
    found = api(dropped=[DroppedHeader("vtkLacking.h", "line 1: 'vector' file not found", alone=False), DroppedHeader("vtkChecked.h", "line 7: no idea", alone=False)])
    assert checks.incomplete(found, support.compiler("gcc")) == set()


@pytest.mark.parametrize(("version", "wheel", "expected"), [("9.6.2", "9.6.2", True), ("9.6.2", "9.6.2rc1", True), ("9.3.0", "9.6.2", False), ("9.6.2", "9.6.20", False)])
def test_only_headers_of_the_very_version_are_asked(version, wheel, expected):
    assert checks.exact(replace(HEADERS, version=version, wheel_version=wheel)) is expected


def test_headers_of_another_version_are_left_alone_and_it_says_what_confirmed_the_methods_instead():
    other = replace(plan(*RIGHT), headers=replace(HEADERS, version="9.3.0"))
    checked = checks.ensure(None, other)
    assert not checked.asked
    assert "headers are of 9.3.0" in str(checked)
    assert "the installed libraries' own symbols" in str(checked)
    assert len(str(checked).splitlines()) == 1


def test_one_line_says_what_was_confirmed():
    checked = checks.Checked("vtk", "9.9.1", "9.9.1", asked=True, methods=17, left_out={"why": 2})
    assert str(checked) == "vtk 9.9.1: the compiler confirms the types of 17 methods against the headers; 2 not asked: why."


def test_without_a_plan_there_is_nothing_to_check(tmp_path, capsys):
    assert invoke(["build", "--sources", str(tmp_path), "--check"]) == 2
    assert "--check needs a plan" in capsys.readouterr().err
