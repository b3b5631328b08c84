"""With headers of a near version, the wheel's own declarations confirm how a result travels, or the method is kept."""

import pytest

from gilgen import config, plan
from gilgen.model import Api, Class, Headers, Method, Parameter
from gilgen.toolkits.base import ExposedClass, ExposedMethod, Installation


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("virtual void Compute()", ("scalar", 0)),
        ("static const char *Compute(int a, std::pair<int, int> b)", ("static scalar", 2)),
        ("std::size_t Compute(void *buffer, std::size_t bytes) override", ("scalar", 2)),
        ("vtkTypeBool Compute(void)", ("scalar", 0)),
        ("double Compute()", ("real", 0)),
        ("std::string Compute()", ("hidden", 0)),
        ("const std::string& Compute()", ("scalar", 0)),
        ("vtkSmartPointer<vtkDataObject> Compute()", ("hidden", 0)),
        ("vtkVector3d Compute()", ("vtkVector3d", 0)),
        ("vtkThing::State Compute()", ("State", 0)),
        ("void Other()", None),
        ("no declaration", None),
    ],
)
def test_what_a_declaration_says(text, expected):
    assert plan._parse_declaration(text, "Compute") == expected


def planner(tmp_path, result, carrier, declarations, version="9.7.2"):
    headers = Headers("vtk", "9.6.2", version, str(tmp_path), (), "a test")
    method = Method("Compute", "_ZN8vtkThing7ComputeEi", result, carrier, (Parameter("int", "int"),))
    api = Api("vtk", "9.6.2", headers, (Class("vtkThing", "vtkThing.h", 1, methods=(method,)),))
    exposed = (ExposedClass("vtkThing", "vtkThing", (), (ExposedMethod("vtkThing", "Compute", declarations),)),)
    installation = Installation("vtk", version, "vtkmodules", tmp_path, (), "key")
    return plan._Planner(installation, api, exposed, config.Config()), method


@pytest.mark.parametrize(
    ("result", "carrier", "declarations", "confirmed"),
    [
        ("void", "void", ("bool Compute(int a)",), True),
        ("void", "void", ("std::string Compute(int a)",), False),
        ("std::string", "Hidden", ("std::string Compute(int a)",), True),
        ("double", "double", ("int Compute(int a)",), False),
        ("State", "int", ("vtkThing::State Compute(int a)",), True),
        ("int", "int", ("State Compute(int a)",), False),
        ("int", "int", ("int Compute(int a, int b)",), False),
        ("int", "int", ("int Compute(int a)", "std::string Compute(double a)"), False),
        ("int", "int", (), False),
    ],
)
def test_a_result_is_confirmed_or_not(tmp_path, result, carrier, declarations, confirmed):
    made, method = planner(tmp_path, result, carrier, declarations)
    assert made._result_confirmed("vtkThing", method) is confirmed


def test_headers_of_the_very_version_need_no_confirmation(tmp_path):
    made, method = planner(tmp_path, "int", "int", (), version="9.6.2")
    assert made._result_confirmed("vtkThing", method) is True
