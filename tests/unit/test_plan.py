"""Release or keep: the order of what decides, each hazard, and symbols read from really compiled libraries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import support

from gilgen import plan, rules
from gilgen.config import Config
from gilgen.errors import ArtefactError
from gilgen.model import Api, Base, Class, Headers, Method, Parameter
from gilgen.rules import Family, Keep, Rules
from gilgen.toolkits.base import ExposedClass, ExposedMethod, Installation

BLOCKING = Family("blocking", "It blocks.", frozenset({"pretend::Work"}), ("sleep", "spin", "wait", "fail", "value", "gone", "text"))


@pytest.fixture(autouse=True)
def own_rules(monkeypatch):
    """Rules of our own, that a test may change."""

    def use(families=(BLOCKING,), keeps=(), hot=None):
        monkeypatch.setattr(rules, "load", lambda _: Rules(tuple(families), tuple(keeps), hot or {}))

    use()
    return use


def method(pretend, name, carriers="void double", cls="Work", **fields):
    carriers = support.carriers(carriers)
    parameters = tuple(Parameter(carrier, carrier) for carrier in carriers[1:])
    symbol = fields.pop("symbol", pretend.symbols.get(f"pretend::{cls}::{name}", f"_ZN7pretend4Work4{name}Ev"))
    return Method(name, symbol, fields.pop("result", carriers[0]), fields.pop("carrier", carriers[0]), fields.pop("parameters", parameters), **fields)


def planned(pretend, *methods, version="9.6.2", headers="9.6.2", exposed=None, config=None, classes=(), libraries=support.LIBRARIES, docs=(), wrappers=None, held=None, python=(), module=""):
    """The plan for a class `Work` with these methods; its decisions by Python name."""
    api = Api("vtk", headers, Headers("vtk", headers, version, "/nowhere", (), "a test"), (Class("pretend::Work", "work.h", 1, methods=methods), *classes))
    names = sorted({m.name for m in methods} if exposed is None else set(exposed))
    python = (ExposedClass("Work", "pretend::Work", (), tuple(ExposedMethod("Work", name, tuple(docs)) for name in names), module), *python)
    installation = Installation("vtk", version, "pretend", pretend.root, tuple(libraries), "key")
    return plan.plan(installation, api, python, config or Config(file="gilgen.toml"), wrappers, held)


def decided(*arguments, **options):
    return {d.python: d for d in planned(*arguments, **options).decisions}


# ----------------------------------------------------------------------------------- what decides, in order


def test_a_family_releases_and_says_why(pretend):
    made = planned(pretend, method(pretend, "sleep"))
    (decision,) = made.decisions
    assert (decision.python, decision.action, decision.reason, decision.why) == ("Work.sleep", "release", "rule:blocking", "It blocks.")
    assert (decision.library, decision.copies, decision.guard, decision.carriers) == ("pretend/libpretend.so", 1, "closure", ("void", "double"))
    assert decision.served == ("Work.sleep",)
    assert (made.coverage.wrapped, made.coverage.candidates, made.coverage.direct, made.coverage.kept) == (1, 1, 1, {})


def test_what_nothing_names_is_no_candidate(pretend):
    made = planned(pretend, method(pretend, "sleep"), method(pretend, "keep", "int int"))
    assert [d.python for d in made.decisions] == ["Work.sleep"]
    assert (made.coverage.wrapped, made.coverage.candidates) == (2, 1)


@pytest.mark.parametrize("pattern", ["Work.sleep", "Work.*", "pretend::Work.sleep", "vtk.Work.sl*"])
def test_what_the_user_excludes_is_kept_whatever_else_says_so(pretend, pattern):
    decision = decided(pretend, method(pretend, "sleep"), config=Config(("Work.sleep",), (pattern,), "gilgen.toml"))["Work.sleep"]
    assert (decision.action, decision.reason, decision.why) == ("keep", "config:exclude", "Excluded by gilgen.toml.")


@pytest.mark.parametrize("pattern", ["Work.keep", "*.keep", "pretend::Work.keep", "vtk.Work.keep"])
def test_what_the_user_includes_is_released(pretend, pattern):
    decision = decided(pretend, method(pretend, "keep", "int int"), config=Config((pattern,), (), "gilgen.toml"))["Work.keep"]
    assert (decision.action, decision.reason) == ("release", "config:include")


def test_globs_mean_whole_names(pretend):
    assert decided(pretend, method(pretend, "keep", "int int"), config=Config(("Work.kee", "ork.keep"), (), "x")) == {}


def test_a_hazard_stands_above_what_the_user_includes(pretend):
    unfit = method(pretend, "keep", "int int", variadic=True)
    assert decided(pretend, unfit, config=Config(("Work.keep",), (), "x"))["Work.keep"].reason == "unfit:varargs"


def test_a_rule_that_keeps_stands_above_one_that_releases(pretend, own_rules):
    own_rules(keeps=(Keep("short", "It is short.", ("sl*",), frozenset({"pretend::Work"})),))
    found = decided(pretend, method(pretend, "sleep"), method(pretend, "spin"))
    assert (found["Work.sleep"].reason, found["Work.sleep"].why) == ("keep:short", "It is short.")
    assert found["Work.spin"].action == "release"
    own_rules(keeps=(Keep("short", "It is short.", ("sl*",)),))
    assert list(decided(pretend, method(pretend, "sleep"), method(pretend, "spin"))) == ["Work.spin"]


def test_the_first_family_decides(pretend, own_rules):
    first = Family("first", "First.", frozenset({"pretend::Work"}), ("sleep",), guard="none")
    own_rules((first, BLOCKING))
    found = decided(pretend, method(pretend, "sleep"), method(pretend, "spin"))
    assert (found["Work.sleep"].reason, found["Work.sleep"].guard) == ("rule:first", "none")
    assert found["Work.spin"].reason == "rule:blocking"


@pytest.mark.parametrize(
    ("own", "derived", "action"),
    [
        ("pretend/wrapper.so", "", "keep"),  # its objects use code of the wrapper's own
        ("pretend/wrapper.so", "pretend/libpretend.so", "release"),  # but those of a class that derives from it use this
        ("pretend/libpretend.so", "", "release"),
        ("", "", "release"),
    ],
)
def test_what_only_another_class_s_module_defines_serves_nobody(pretend, own, derived, action):
    others = (ExposedClass("Other", "pretend::Other", (), (), "pretend/libpretend.so"), ExposedClass("Derived", "pretend::Derived", ("Work",), (), derived))
    made = planned(pretend, method(pretend, "sleep"), module=own, python=others)
    (decision,) = made.decisions
    assert (decision.action, decision.reason) == (action, "absent" if action == "keep" else "rule:blocking")
    assert made.coverage.direct == (action == "release")


def test_families_name_classes_with_all_that_derives_from_them(pretend):
    derived = Class("pretend::Derived", "d.h", 1, bases=(Base("Work", "pretend::Work"),), methods=(method(pretend, "value", "int int", "Derived"),))
    found = decided(pretend, method(pretend, "value", "int int"), classes=(derived,))
    assert found["pretend::Derived.value"].library == "pretend/libderived.so"
    assert found["Work.value"].library == "pretend/libpretend.so"


def test_objects_of_the_toolkit_s_root_class_are_followed(pretend):
    algorithm = Class("vtkAlgorithm", "a.h", 1, bases=(Base("Work", "pretend::Work"), Base("vtkObjectBase", "vtkObjectBase")), methods=(method(pretend, "wait", "bool double", symbol=pretend.symbols["vtkAlgorithm::Update"]),))
    found = decided(pretend, method(pretend, "wait", "bool double"), classes=(algorithm,))
    assert (found["vtkAlgorithm.wait"].guard, found["vtkAlgorithm.wait"].followed, found["Work.wait"].followed) == ("closure", True, False)


@pytest.mark.parametrize("pattern", ["vtkAlgorithm", "vtkAlgorithm.wait", "vtkAlg*"])
def test_the_configuration_chooses_how_far_the_guard_reaches(pretend, pattern):
    algorithm = Class("vtkAlgorithm", "a.h", 1, bases=(Base("Work", "pretend::Work"),), methods=(method(pretend, "wait", "bool double", symbol=pretend.symbols["vtkAlgorithm::Update"]),))

    def guard(*levels):
        decision = decided(pretend, method(pretend, "wait", "bool double"), classes=(algorithm,), config=Config(guard=levels))["vtkAlgorithm.wait"]
        return decision.guard, decision.guard_chosen

    assert guard((pattern, "pipeline"), ("*", "none")) == ("pipeline", True)
    assert guard(("Work", "none"), (pattern, "object")) == ("object", True)
    assert guard(("Other", "none")) == ("closure", False)


def test_definitions_are_recorded_as_activation_must_find_them(pretend):
    (decision,) = planned(pretend, method(pretend, "sleep")).decisions
    assert decision.definitions == support.definitions(pretend.root, support.LIBRARIES, decision.symbol)
    (definition,) = decision.definitions
    assert definition.size > 0
    assert definition.library == "pretend/libpretend.so"


# ---------------------------------------------------------------------------------------------- hazards


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"variadic": True}, "unfit:varargs"),
        ({"carrier": ""}, "unfit:result"),
        ({"carrier": "long double"}, "unfit:result"),
        ({"carrier": "__int128"}, "unfit:result"),
        ({"carrier": "unsigned __int128"}, "unfit:result"),
        ({"parameters": (Parameter("vtkTuple", ""),)}, "unfit:parameter"),
        ({"symbol": "_ZN7pretend4Work4goneEv"}, "not-exported"),
        ({"symbol": "_ZN7pretend4Work4goneEv", "body": "inline"}, "inline"),
        ({"symbol": "_ZN7pretend4Work4goneEv", "body": "macro"}, "keep:trivial"),
        ({"symbol": "_ZN7pretend4Work4goneEv", "pure": True}, "pure-virtual"),
        ({"symbol": "_ZN7pretend4Work5sleepEf"}, "not-exported"),
    ],
)
def test_what_cannot_be_served_is_kept_and_says_so(pretend, change, reason):
    decision = decided(pretend, method(pretend, "sleep", **change))["Work.sleep"]
    assert (decision.action, decision.reason) == ("keep", reason)
    assert decision.why.endswith(".")


def test_a_library_that_calls_cpython_is_never_released(pretend, tmp_path):
    source = tmp_path / "source.cpp"
    source.write_text('extern "C" int PyNone(); namespace pretend { struct Work { void sleep(double); }; void Work::sleep(double) { PyNone(); } }')
    support.subprocess.run(["g++", "-shared", "-fPIC", source, "-o", tmp_path / "libpython.so"], check=True)
    other = support.PretendToolkit(tmp_path, pretend.symbols)
    decision = decided(other, method(pretend, "sleep"), libraries=("libpython.so",))["Work.sleep"]
    assert decision.reason == "hazard:uses-cpython"


def test_a_hot_method_is_kept_unless_the_user_says_otherwise(pretend, own_rules):
    own_rules(hot={pretend.symbols["pretend::Work::value"]: 12345.6})
    found = decided(pretend, method(pretend, "value", "int int"), method(pretend, "sleep"))
    assert (found["Work.value"].action, found["Work.value"].reason) == ("keep", "hazard:hot")
    assert "12,346 times" in found["Work.value"].why
    assert found["Work.sleep"].action == "release"
    included = decided(pretend, method(pretend, "value", "int int"), config=Config(("Work.value",), (), "x"))
    assert included["Work.value"].action == "release"


@pytest.mark.parametrize("wrappers", [{}, {"vtkAlgorithm.Update": "holds"}, {"vtkExporter.Write": "releases"}])
def test_wrappers_that_are_not_thread_safe_keep_all_that_could_come_back_to_python(pretend, own_rules, wrappers):
    contained = Family("contained", "No callable.", frozenset({"pretend::Work"}), ("spin",), contained=True)
    own_rules((contained, BLOCKING))
    found = decided(pretend, method(pretend, "sleep"), method(pretend, "spin"), wrappers=wrappers)
    assert (found["Work.sleep"].action, found["Work.sleep"].reason) == ("keep", "hazard:wrappers-not-thread-safe")
    assert found["Work.spin"].action == "release"


@pytest.mark.parametrize("state", ["releases", "mixed"])
def test_a_build_whose_update_releases_has_thread_safe_wrappers(pretend, state):
    assert decided(pretend, method(pretend, "sleep"), wrappers={"vtkAlgorithm.Update": state})["Work.sleep"].action == "release"


def test_the_plan_says_where_a_shim_only_adds_the_guard(pretend):
    both = {"vtkAlgorithm.Update": "mixed", "Work.sleep": "releases"}
    decision = decided(pretend, method(pretend, "sleep"), wrappers=both)["Work.sleep"]
    assert decision.action == "release"
    assert "the shim only adds the claim" in decision.why
    assert "guard" not in decided(pretend, method(pretend, "sleep"))["Work.sleep"].why


@pytest.mark.parametrize(
    ("docs", "carrier", "action"),
    [
        ((), "void", "keep"),
        (("virtual void sleep(double seconds)",), "void", "release"),
        (("bool sleep(double seconds);",), "void", "release"),  # void or bool: both travel in the shim's result
        (("std::string sleep(double seconds)",), "void", "keep"),
        (("std::string sleep(double seconds)",), "Hidden", "release"),
        (("void sleep(double seconds)",), "Hidden", "keep"),
        (("void sleep(double seconds, int more)",), "void", "keep"),
        (("void other(double seconds)",), "void", "keep"),
    ],
)
def test_headers_of_another_version_need_the_wheel_s_word_on_the_result(pretend, docs, carrier, action):
    decision = decided(pretend, method(pretend, "sleep", carrier=carrier, result="std::string" if carrier == "Hidden" else "void"), headers="9.6.1", docs=docs)["Work.sleep"]
    assert decision.action == action
    assert decision.reason == ("rule:blocking" if action == "release" else "hazard:result-unconfirmed")


# ------------------------------------------------------------------------------------------- what is named


@pytest.mark.parametrize("change", [{"access": "private"}, {"deleted": True}, {"kind": "constructor"}, {"kind": "template"}])
def test_what_is_no_method_of_python_s_is_never_released(pretend, change):
    assert {d.action for d in decided(pretend, method(pretend, "sleep", **change)).values()} <= {"keep"}


def test_what_python_does_not_see_is_no_candidate(pretend):
    assert decided(pretend, method(pretend, "sleep"), exposed=()) == {}


def test_static_methods_have_no_object_to_follow(pretend):
    decision = decided(pretend, method(pretend, "sleep", static=True))["Work.sleep"]
    assert (decision.static, decision.guard, decision.followed) == (True, "closure", False)


def test_one_symbol_gets_one_shim(pretend):
    twin = Class("pretend::Twin", "t.h", 1, bases=(Base("Work", "pretend::Work"),), methods=(method(pretend, "sleep"),))
    made = planned(pretend, method(pretend, "sleep"), classes=(twin,))
    assert [d.symbol for d in made.decisions if d.action == "release"] == [pretend.symbols["pretend::Work::sleep"]]


def test_copies_in_several_libraries_are_counted(pretend, own_rules):
    own_rules((Family("copied", "Copied.", frozenset({"Copied"}), ("by_*",)),))
    copied = Class("Copied", "c.h", 1, methods=(method(pretend, "by_call", "int", symbol=pretend.symbols["Copied::by_call"]),))
    decision = decided(pretend, classes=(copied,), exposed=("by_call",))
    assert decision == {}  # Python's Work has no such class
    made = planned(pretend, method(pretend, "by_call", "int", symbol=pretend.symbols["Copied::by_call"]), config=Config(("Work.by_call",), (), "x"))
    assert (made.decisions[0].copies, made.decisions[0].library) == (2, "pretend/libfirst.so")


def test_libraries_are_recorded_with_all_that_activation_checks(pretend):
    made = planned(pretend, method(pretend, "sleep"))
    assert {library.path: library.uses_cpython for library in made.libraries} == {path: path == "pretend/wrapper.so" for path in support.LIBRARIES}
    assert all(library.size == (pretend.root / library.path).stat().st_size for library in made.libraries)
    assert [library.path for library in made.libraries if library.defines] == ["pretend/libpretend.so"]


def test_a_damaged_library_stops_the_plan(pretend, tmp_path):
    (tmp_path / "libbroken.so").write_bytes(b"no library")
    with pytest.raises(ArtefactError, match=r"libbroken\.so"):
        planned(support.PretendToolkit(Path(tmp_path), pretend.symbols), method(pretend, "sleep"), libraries=("libbroken.so",))


def test_coverage_counts_what_is_kept_by_reason(pretend):
    made = planned(pretend, method(pretend, "sleep"), method(pretend, "spin", variadic=True), method(pretend, "gone"), method(pretend, "wait", "bool double", carrier=""))
    assert (made.coverage.candidates, made.coverage.direct) == (4, 1)
    assert made.coverage.kept == {"not-exported": 1, "unfit:result": 1, "unfit:varargs": 1}


def test_decisions_do_not_depend_on_the_order_of_the_headers(pretend):
    methods = [method(pretend, "sleep"), method(pretend, "spin"), method(pretend, "gone"), method(pretend, "value", "int int")]
    assert planned(pretend, *methods).decisions == planned(pretend, *reversed(methods)).decisions


# ------------------------------------------------------------------------------------------- with a profile


def test_just_what_held_is_released(pretend):
    methods = (method(pretend, "sleep"), method(pretend, "spin"), method(pretend, "value", "int int", static=True))
    made = planned(pretend, *methods, held=("Work.sleep",))
    found = {decision.python: decision for decision in made.decisions}
    assert (found["Work.sleep"].action, found["Work.sleep"].reason) == ("release", "rule:blocking")
    assert (found["Work.spin"].action, found["Work.spin"].reason) == ("keep", "profile:not-held")
    assert (found["Work.value"].action, found["Work.value"].reason) == ("keep", "profile:not-held")
    assert found["Work.spin"].served == ()
    assert (made.coverage.candidates, made.coverage.direct, made.coverage.kept) == (3, 1, {"profile:not-held": 2})
    assert made.notices == ()


def test_control_without_a_profile_the_rules_release_all(pretend):
    found = decided(pretend, method(pretend, "sleep"), method(pretend, "spin"))
    assert {decision.action for decision in found.values()} == {"release"}


def test_what_held_and_no_rule_names_is_released(pretend):
    found = decided(pretend, method(pretend, "keep", "int int"), method(pretend, "sleep"), held=("Work.keep",))
    assert (found["Work.keep"].action, found["Work.keep"].reason, found["Work.keep"].why) == ("release", "profile:held", "It held the GIL in the profile.")
    assert found["Work.sleep"].action == "keep"


def test_an_object_s_own_class_means_the_base_that_has_the_method(pretend):
    made = planned(pretend, method(pretend, "sleep"), held=("Derived.sleep",), python=(ExposedClass("Derived", "pretend::Derived", ("Work",), ()),))
    assert {decision.python: decision.action for decision in made.decisions} == {"Work.sleep": "release"}


def test_subclasses_that_python_does_not_see_are_released_with_it(pretend):
    hidden = Class("pretend::Derived", "d.h", 1, bases=(Base("Work", "pretend::Work"),), methods=(method(pretend, "value", "int int", "Derived"),))
    found = decided(pretend, method(pretend, "value", "int int"), method(pretend, "sleep"), classes=(hidden,), held=("Work.value",))
    assert {name: decision.action for name, decision in found.items()} == {"Work.value": "release", "pretend::Derived.value": "release", "Work.sleep": "keep"}


def test_the_user_s_word_and_hazards_still_count(pretend, own_rules):
    included = decided(pretend, method(pretend, "sleep"), method(pretend, "spin"), config=Config(("Work.spin",), (), "x"), held=("Work.sleep",))
    assert (included["Work.spin"].action, included["Work.spin"].reason) == ("release", "config:include")
    made = planned(pretend, method(pretend, "sleep"), config=Config((), ("Work.sleep",), "gilgen.toml"), held=("Work.sleep",))
    assert made.decisions[0].reason == "config:exclude"
    assert made.notices == ("The profile names Work.sleep, but it cannot be released: Excluded by gilgen.toml. [config:exclude]",)
    own_rules(hot={pretend.symbols["pretend::Work::value"]: 12345.6})
    assert decided(pretend, method(pretend, "value", "int int"), held=("Work.value",))["Work.value"].reason == "hazard:hot"


# --------------------------------------------------------------------------------- what is not thread-safe

UNSAFE = Family("unsafe", "It is not thread-safe.", frozenset({"pretend::Work"}), ("value",), behind=("wait",), serial=True)


def test_what_is_not_thread_safe_is_serialized(pretend, own_rules):
    own_rules((BLOCKING, UNSAFE))
    made = planned(pretend, method(pretend, "value", "int int"), method(pretend, "wait", "bool double", virtual=True), method(pretend, "sleep"), exposed=("value", "sleep"))
    found = {d.python: (d.action, d.reason) for d in made.decisions}
    assert found == {"Work.value": ("serialize", "rule:unsafe"), "Work.wait": ("serialize", "rule:unsafe"), "Work.sleep": ("release", "rule:blocking")}
    assert (made.coverage.candidates, made.coverage.direct, made.coverage.kept) == (2, 2, {})


@pytest.mark.parametrize("config", [Config(("Work.*",), (), "x"), Config((), ("Work.*",), "x")])
def test_no_setting_takes_the_protection_away(pretend, own_rules, config):
    own_rules((UNSAFE,))
    found = decided(pretend, method(pretend, "value", "int int"), method(pretend, "wait", "bool double", virtual=True), exposed=("value",), config=config)
    assert {d.action for d in found.values()} == {"serialize"}
    assert len(found) == 2


def test_a_profile_and_a_wrapper_without_thread_safety_leave_it_too(pretend, own_rules):
    own_rules((UNSAFE,))
    found = decided(pretend, method(pretend, "value", "int int"), held=("vtk.Work.value",))
    assert found["Work.value"].action == "serialize"
    found = decided(pretend, method(pretend, "value", "int int"), wrappers={"vtkAlgorithm.Update": "holds"})
    assert found["Work.value"].action == "serialize"


def test_a_class_without_a_header_is_serialized_in_what_it_overrides(pretend, own_rules):
    own_rules((Family("unsafe", "It is not thread-safe.", frozenset({"vtkExecutive"}), (), behind=("Update",), serial=True),))
    base = Class("vtkAlgorithm", "a.h", 1, methods=(method(pretend, "Update", "bool double", symbol=pretend.symbols["vtkAlgorithm::Update"], virtual=True),))
    python = (ExposedClass("vtkAlgorithm", "vtkAlgorithm", (), ()), ExposedClass("vtkExecutive", "vtkExecutive", ("vtkAlgorithm",), ()))
    found = decided(pretend, classes=(base,), python=python)
    assert {name: (d.action, d.symbol) for name, d in found.items()} == {"vtkExecutive.Update": ("serialize", pretend.symbols["vtkExecutive::Update"])}


def test_a_class_without_a_header_is_kept_for_want_of_one(pretend, own_rules):
    own_rules((replace(BLOCKING, classes=frozenset({"pretend::Work", "pretend::Other"})),))
    other = ExposedClass("Other", "pretend::Other", (), (ExposedMethod("Other", "sleep"),))
    found = decided(pretend, method(pretend, "sleep"), python=(other,))
    assert found["Work.sleep"].action == "release"
    assert (found["Other.sleep"].action, found["Other.sleep"].reason) == ("keep", "no-header")
