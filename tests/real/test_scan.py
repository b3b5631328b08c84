"""The real headers, read and compared with the truth: the wheel's own symbols and docstrings."""

import subprocess
import sys

import pytest
import support

from gilgen import scan, toolkits

pytestmark = pytest.mark.real

AGREEMENT = 0.99
"""Share of the declared, exported methods whose symbol the wheel must define, in three of VTK's core modules."""

CORE = ("vtkCommonCore", "vtkCommonDataModel", "vtkCommonExecutionModel")


def scanned(name):
    toolkit, installation, found = support.with_headers(name)
    return scan.scan(toolkit, installation, found, print)


@pytest.fixture(scope="module")
def vtk():
    return scanned("vtk")


@pytest.fixture(scope="module")
def itk():
    return scanned("itk")


@pytest.fixture(scope="module")
def vtk_classes(vtk):
    return {found.name: found for found in vtk.classes}


def methods(classes, owner, name):
    return [method for method in classes[owner].methods if method.name == name]


@pytest.fixture(scope="module")
def defined():
    """Symbols that VTK's core libraries define."""
    installation = toolkits.get("vtk").installation()
    libraries = [
        str(installation.root / path)
        for path in installation.libraries
        if path.partition("/lib")[2].startswith(CORE)
    ]
    assert libraries
    command = ["nm", "-D", "--defined-only", *libraries]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].partition("@")[0] for line in printed.splitlines() if line.strip()}


def test_symbols_are_those_of_the_wheel(vtk, vtk_classes, defined):
    if vtk.headers.notice:
        pytest.skip("the headers are of another version than the wheel")
    in_core = {
        owner
        for owner, found in vtk_classes.items()
        for method in found.methods
        if method.symbol in defined and not found.template
    }
    declared = [
        (owner, method)
        for owner in in_core
        for method in vtk_classes[owner].methods
        if method.symbol and method.kind == "method" and method.body == "none"
        and method.access == "public" and not method.pure
    ]  # fmt: skip
    assert len(declared) > 3000
    unknown = [
        f"{owner}::{method.name} {method.symbol}"
        for owner, method in declared
        if method.symbol not in defined
    ]
    share = 1 - len(unknown) / len(declared)
    assert share >= AGREEMENT, f"{share:.4f} of {len(declared)}; not defined: {unknown[:20]}"


def test_what_the_wheel_documents_is_found(vtk, vtk_classes):
    toolkit = toolkits.get("vtk")
    exposed = toolkit.exposed(toolkit.installation())
    wanted = {
        (owner.cxx, method.name) for owner in exposed for method in owner.methods if method.declarations
    }
    wanted = {(owner, name) for owner, name in wanted if owner in vtk_classes}
    found = {(owner, method.name) for owner in vtk_classes for method in vtk_classes[owner].methods}
    share = len(wanted & found) / len(wanted)
    assert len(wanted) > 40_000
    assert share > (0.9 if vtk.headers.notice else 0.97), sorted(wanted - found)[:20]


def test_sizes(vtk, itk):
    assert len(vtk.classes) > 3500
    assert sum(len(found.methods) for found in vtk.classes) > 95_000
    assert len(itk.classes) > 2800
    assert sum(len(found.methods) for found in itk.classes) > 35_000


def test_overloads_of_update(vtk_classes):
    found = {method.symbol: method for method in methods(vtk_classes, "vtkAlgorithm", "Update")}
    assert found["_ZN12vtkAlgorithm6UpdateEv"].virtual
    assert found["_ZN12vtkAlgorithm6UpdateEiP20vtkInformationVector"].carrier == "int"
    assert not found["_ZN12vtkAlgorithm6UpdateEiP20vtkInformationVector"].hints


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("vtkAlgorithm", "Update"),
        ("vtkWindow", "Render"),
        ("vtkRenderWindow", "Render"),
        ("vtkPNGWriter", "Write"),
    ],
)
def test_hints_and_their_heirs(vtk_classes, owner, name):
    assert any("vtk::unblockthreads" in method.hints for method in methods(vtk_classes, owner, name))


def test_sampled_declarations(vtk_classes):
    (copy,) = methods(vtk_classes, "vtkImageData", "DeepCopy")
    assert (copy.symbol, copy.carrier) == ("_ZN12vtkImageData8DeepCopyEP13vtkDataObject", "void")
    assert copy.override
    (build,) = methods(vtk_classes, "vtkOBBTree", "BuildLocator")
    assert (build.body, build.result) == ("none", "void")
    assert methods(vtk_classes, "vtkAlgorithm", "GetProgress")[0].body == "macro"


def test_results_by_value(vtk_classes):
    carriers = {
        method.result: method.carrier
        for found in vtk_classes.values()
        if not found.template
        for method in found.methods
        if method.kind == "method"
    }
    assert carriers["std::string"] == "Hidden"
    assert carriers["vtkSmartPointer<vtkDataArray>"] == "Hidden"
    assert carriers["vtkIndent"] == ""
    assert carriers["vtkTypeBool"] == "int"
    assert carriers["vtkIdType"] == "long long"


def test_itk_methods(itk):
    classes = {found.name: found for found in itk.classes}
    writer = classes["itk::ImageFileWriter"]
    assert writer.template
    assert [method.name for method in writer.methods if method.name == "Write" and method.virtual]
    (update,) = methods(classes, "itk::ProcessObject", "Update")
    assert update.symbol == "_ZN3itk13ProcessObject6UpdateEv"
    assert classes["itk::MedianImageFilter"].bases[0].name == "itk::BoxImageFilter"


@pytest.mark.usefixtures("vtk", "itk")
def test_a_second_scan_comes_from_the_cache():
    command = [sys.executable, "-c", "from gilgen.commands import main; main()", "scan", "vtk", "itk"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.count("from the cache") == 2


def test_what_python_sees_is_most_of_the_toolkit():
    for name in toolkits.NAMES:
        toolkit = toolkits.get(name)
        assert len(toolkit.exposed(toolkit.installation())) > 2500
