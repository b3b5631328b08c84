"""From a Python name to its slots, on the pretend toolkit and without a real one."""

from __future__ import annotations

import pytest
import support

from gilgen import explain, plan, rules, toolkits
from gilgen.errors import UnknownMethodError
from gilgen.rules import Family, Keep, Rules
from gilgen.store import Made
from gilgen.toolkits.base import ExposedClass, ExposedMethod, Installation


def exposed(name, cxx, bases, *methods):
    return ExposedClass(name, cxx, bases, tuple(ExposedMethod(name, method, (f"void {method}()",)) for method in methods))


CLASSES = (
    exposed("Work", "pretend::Work", (), "sleep", "value", "shorten"),
    exposed("Derived", "pretend::Derived", ("Work",), "value"),
    exposed("Lonely", "pretend::Lonely", ("Unknown",), "sleep"),
    exposed("itkWriterIF2", "itk::Writer<itk::Image<float, 2> >", (), "Write"),
    exposed("itkWriterIF3", "itk::Writer<itk::Image<float, 3> >", (), "Write"),
)


@pytest.fixture
def toolkit(pretend, monkeypatch):
    """The pretend toolkit in place of VTK, with its plan."""
    installation = Installation("vtk", "1.2.3", "pretend", pretend.root, support.LIBRARIES, "key")
    decisions = (
        pretend.decision("pretend::Work::sleep", "void double", served=("Work.sleep",)),
        pretend.decision("pretend::Work::value", "int int", action="keep", reason="hazard:hot", why="It is hot."),
        pretend.decision("pretend::Derived::value", "int int", library="pretend/libderived.so"),
    )
    monkeypatch.setattr(type(toolkits.get("vtk")), "installation", lambda _: installation)
    monkeypatch.setattr(plan, "exposed", lambda *_: CLASSES)
    monkeypatch.setattr(plan, "ensure", lambda *_: Made(pretend.root, "1.2.3", "key", cached=True, seconds=0))
    monkeypatch.setattr(plan, "read", lambda _: pretend.plan(decisions))
    monkeypatch.setattr(rules, "load", lambda _: Rules((Family("f", "f", frozenset(), ()),), (Keep("short", "It is short.", ("short*",)),), {}))
    return pretend


def explained(name):
    return explain.explain("vtk", name, None, print)


def test_a_released_method_is_followed_to_its_slots(toolkit):
    found = explained("Work.sleep")
    assert (found.python, found.owner, found.declarations, found.why) == ("Work.sleep", "Work", ("void sleep()",), "")
    (step,) = found.steps
    assert step.decision.symbol == toolkit.symbols["pretend::Work::sleep"]
    # One slot in the vtable of Work, one in that of Derived, which stands in the other library.
    assert {slots.library: (slots.vtable, slots.got) for slots in step.slots} == {"pretend/libpretend.so": (1, 0), "pretend/libderived.so": (1, 0)}


def test_an_inherited_method_names_the_class_that_wraps_it(toolkit):
    assert toolkit
    found = explained("Derived.sleep")
    assert (found.python, found.owner) == ("Derived.sleep", "Work")
    assert [step.decision.python for step in found.steps] == ["Work.sleep"]


def test_a_kept_method_has_its_reason_and_no_slots(toolkit):
    assert toolkit
    (step,) = explained("Work.value").steps
    assert (step.decision.action, step.decision.reason, step.slots) == ("keep", "hazard:hot", ())


def test_an_undecided_method_says_what_to_do(toolkit):
    assert toolkit
    assert explained("Work.shorten").why == "Kept: It is short."
    assert 'include = ["Lonely.sleep"]' in explained("Lonely.sleep").why


def test_an_itk_template_s_short_name_means_an_instantiation(toolkit):
    assert toolkit
    assert explained("itk.Writer.Write").owner == "itkWriterIF2"
    assert explained("itkWriterIF3.Write").owner == "itkWriterIF3"


@pytest.mark.parametrize(
    ("name", "near"), [("Work.sleeping", "sleep"), ("Work.", "Write it as"), ("Workshop.sleep", "Write it as"), ("Derive.sleep", "Derived"), ("sleep", "Write it as"), ("", "Write it as")],
)
def test_unknown_names_get_the_nearest(toolkit, name, near):
    assert toolkit
    with pytest.raises(UnknownMethodError) as caught:
        explained(name)
    assert near in caught.value.advice
    assert caught.value.exit_code == 22


@pytest.mark.parametrize(("name", "toolkit_name"), [("vtkA.b", "vtk"), ("itkA.b", "itk"), ("itk.A.b", "itk"), ("A.b", "vtk")])
def test_the_toolkit_is_told_by_the_name(name, toolkit_name):
    assert explain.toolkit_of(name) == toolkit_name


@pytest.mark.parametrize(
    ("toolkit", "classes", "method", "words"),
    [
        ("vtk", ["vtkCellLocator", "vtkAbstractCellLocator"], "BuildLocator", ["may be read by others at once"]),
        ("vtk", ["vtkOBBTree", "vtkAbstractCellLocator"], "BuildLocator", []),
        ("vtk", ["vtkAlgorithm"], "SetAbortExecute", ["never waits"]),
        ("vtk", ["vtkPolyData"], "DeepCopy", ["only read"]),
        ("itk", ["itk::ExtractImageFilter<itk::Image<float, 3>, itk::Image<float, 3>>"], "Update", ["as if it were changed"]),
    ],
)
def test_what_is_particular_about_claims_is_told_with_its_reason(toolkit, classes, method, words):
    found = explain._particular(toolkit, classes, method)
    assert len(found) == len(words)
    assert all(word in text and text.endswith(".") for word, text in zip(words, found, strict=True))
