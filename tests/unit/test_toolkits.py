import re
import subprocess
import sys

import pytest

from gilgen import toolkits
from gilgen.errors import ToolkitNotFoundError
from gilgen.model import Headers
from gilgen.toolkits import installed, vtk_listing
from gilgen.toolkits.itk import _cxx_names, _proxies


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty site-packages folder that comes first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def distribution(site, name, version, files, requires=()):
    """Install a distribution that records `files`."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir()
    lines = [f"Requires-Dist: {line}" for line in requires]
    (folder / "METADATA").write_text(
        "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines])
    )
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_bytes(b"library")
    (folder / "RECORD").write_text("".join(f"{file},sha256={file[-4:]},7\n" for file in files))
    return folder


def test_unknown_name():
    with pytest.raises(ToolkitNotFoundError, match="opencv") as caught:
        toolkits.get("opencv")
    assert "vtk, itk" in caught.value.advice


@pytest.mark.parametrize("name", toolkits.NAMES)
def test_every_name_has_its_toolkit(name):
    assert toolkits.get(name).name == name


def test_vtk_installation(site):
    files = ["vtkmodules/libvtkCommonCore-9.9.so", "vtkmodules/vtkCommonCore.cpython-311-x86_64-linux-gnu.so"]
    distribution(
        site, "vtk", "9.9.1", [*files, "vtkmodules/all.py", "vtk.libs/libother.so.5", "vtkmodules/x.so.txt"]
    )
    found = toolkits.get("vtk").installation()
    assert (found.toolkit, found.version, found.package) == ("vtk", "9.9.1", "vtkmodules")
    assert found.root == site.resolve()
    assert found.libraries == tuple(files)


def test_the_key_follows_the_record(site):
    folder = distribution(site, "vtk", "9.9.1", ["vtkmodules/libvtk.so"])
    first = toolkits.get("vtk").installation().key
    assert toolkits.get("vtk").installation().key == first
    record = folder / "RECORD"
    record.write_text(record.read_text().replace("sha256=k.so", "sha256=other"))
    assert toolkits.get("vtk").installation().key != first


def test_itk_installation_is_all_that_itk_requires(site):
    distribution(site, "itk", "5.9.1", [], ["itk-core==5.9.1", "itk-io (==5.9.1)", "numpy"])
    distribution(site, "itk-core", "5.9.1", ["itk/_ITKCommonPython.abi3.so", "itk_core.libs/libtbb.so.2"])
    distribution(site, "itk-io", "5.9.1", ["itk/_ITKIOPython.abi3.so"])
    distribution(site, "itk-remote", "1.0", ["itk/_RemotePython.abi3.so"])
    found = toolkits.get("itk").installation()
    assert found.libraries == ("itk/_ITKCommonPython.abi3.so", "itk/_ITKIOPython.abi3.so")
    assert found.version == "5.9.1"


def test_without_a_record_the_folder_counts(site):
    package = site / "nothing_else_has_this_name"
    package.mkdir()
    (package / "vtkCore.so").write_bytes(b"1")
    (package / "notes.txt").write_bytes(b"1")
    found = installed.from_files("vtk", package.name, "no-such-distribution", "libvtk*.so.*", "print('VTK 9.8.7')")
    assert found is not None
    assert found.libraries == (f"{package.name}/vtkCore.so",)
    (package / "vtkCore.so").write_bytes(b"22")
    assert found.version == "9.8.7"
    again = installed.from_files("vtk", package.name, "no-such-distribution", "libvtk*.so.*", "print('9.8.7')")
    assert again is not None
    assert again.key != found.key
    for question, words in (("print('of late')", "no answer"), ("raise ImportError('libGL is missing')", "libGL is missing")):
        with pytest.raises(ToolkitNotFoundError, match=f"nothing tells its version .*{words}"):
            installed.from_files("vtk", package.name, "no-such-distribution", "libvtk*.so.*", question)


def test_nothing_installed(monkeypatch):
    monkeypatch.setattr(installed, "from_records", lambda *_: None)
    monkeypatch.setattr(installed, "from_files", lambda *_: None)
    with pytest.raises(ToolkitNotFoundError, match="vtk is not installed") as caught:
        toolkits.get("vtk").installation()
    assert caught.value.advice == "Install it: pip install vtk"


def test_header_versions(tmp_path):
    vtk, itk = toolkits.get("vtk"), toolkits.get("itk")
    assert vtk.header_version(tmp_path) is None
    assert itk.header_version(tmp_path) is None
    (tmp_path / "vtkObjectBase.h").touch()
    (tmp_path / "vtkVersionQuick.h").write_text("#define VTK_MAJOR_VERSION 9\n#define VTK_MINOR_VERSION 6\n")
    assert vtk.header_version(tmp_path) is None
    (tmp_path / "vtkVersionMacros.h").write_text("#define VTK_BUILD_VERSION 2\n")
    assert vtk.header_version(tmp_path) == "9.6.2"
    text = "".join(
        f"#define ITK_VERSION_{part} {value}\n" for part, value in (("MAJOR", 5), ("MINOR", 4), ("PATCH", 7))
    )
    (tmp_path / "itkConfigure.h").write_text(text)
    assert itk.header_version(tmp_path) == "5.4.7"


def test_header_files_leave_out_what_spoils_others(tmp_path):
    for name in (
        "vtkObject.h",
        "vtkCommonCoreModule.h",
        "vtkJavaUtil.h",
        "vtk_mpi.h",
        "other.h",
        "vtkAlgorithm.h",
    ):
        (tmp_path / name).touch()
    assert toolkits.get("vtk").header_files(tmp_path) == ["vtkAlgorithm.h", "vtkObject.h"]


def test_vtk_flags_turn_hints_into_annotations():
    flags = toolkits.get("vtk").clang_flags(Headers("vtk", "9", "9", "/root", (), ""))
    assert flags[:2] == ["-I", "/root"]
    assert '-DVTK_UNBLOCKTHREADS=__attribute__((annotate("vtk::unblockthreads")))' in flags
    assert "-DVTK_WRAP_HINTS_DEFINED" in flags


def test_itk_flags_name_the_companions_folders():
    flags = toolkits.get("itk").clang_flags(Headers("itk", "5", "5", "/root", ("/eigen",), ""))
    assert flags == ["-I", "/root", "-isystem", "/eigen"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Update(self) -> None\nC++: void Update() override;\n\nProse; more.", ["void Update() override"]),
        (
            "F(self, a:int) -> int\nC++: virtual int F(int a,\n    const double b[3])\nF(self) -> int\nC++: int F() const;\n",
            ["virtual int F(int a, const double b[3])", "int F() const"],
        ),
        ("G(self) -> None\nC++: static void G(\n    )\n\nProse", ["static void G()"]),
        ("H(self)\nC++: void H(void (*f)(int), int n);\n", ["void H(void (*f)(int), int n)"]),
        ("F(self)\nC++: int F(int a)\nF(self, long:int,\n  other:int) -> int\nC++: int F(int a, int b);", ["int F(int a)", "int F(int a, int b)"]),
        ("no declaration", []),
    ],
)  # fmt: skip
def test_declarations_of_a_docstring(text, expected):
    assert vtk_listing.declarations(text) == expected


def test_vtk_listing_of_a_package(tmp_path):
    """A package that looks like VTK's, listed by another process."""
    package = tmp_path / "vtkmodules"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "all.py").touch()
    (package / "vtkBroken.py").write_text("raise ImportError('needs MPI')\n")
    (package / "vtkCore.py").write_text(
        "class vtkBase:\n    def Update(self):\n        'Update(self)\\nC++: void Update()\\n\\nText'\n"
        "    @staticmethod\n    def New():\n        'C++: static vtkBase *New()'\n    value = 3\n"
        "class vtkDerived(vtkBase):\n    pass\n"
    )
    installation = installed.from_files("vtk", "vtkmodules", "vtk", "none", "")
    del installation
    found = toolkits.get("vtk").exposed(
        toolkits.base.Installation("vtk", "9", "vtkmodules", tmp_path, (), "k")
    )
    assert [(item.name, item.bases) for item in found] == [("vtkBase", ()), ("vtkDerived", ("vtkBase",))]
    assert [(method.name, method.declarations) for method in found[0].methods] == [
        ("Update", ("void Update()",)),
        ("New", ("static vtkBase *New()",)),
    ]


def test_vtk_listing_of_a_package_that_does_not_import(tmp_path):
    (tmp_path / "vtkmodules").mkdir()
    (tmp_path / "vtkmodules" / "__init__.py").write_text("raise ImportError('libGL.so.1 is missing')\n")
    with pytest.raises(ToolkitNotFoundError, match=re.escape("libGL.so.1 is missing")):
        toolkits.get("vtk").exposed(toolkits.base.Installation("vtk", "9", "vtkmodules", tmp_path, (), "k"))


def test_itk_tables(tmp_path):
    (tmp_path / "XConfig.py").write_text(
        "templates = (  ('Image', 'itk::Image', 'itkImageF2', True, 'float,2'),\n"
        "  ('Command', 'itk::Command', 'itkCommand', True),\n)\n"
    )
    assert _cxx_names(tmp_path) == {"itkImageF2": "itk::Image< float,2 >", "itkCommand": "itk::Command"}


def test_itk_proxies():
    text = (
        "class _SwigNonDynamicMeta(type):\n    def hidden(cls):\n        pass\n"
        "class itkImageF2(itk.itkImageBasePython.itkImageBase2):\n    def __init__(self):\n    def Allocate(self, x):\n"
        "class itkPlain(object):\n    def Run(self):\n"
    )
    assert _proxies(text) == [("itkImageF2", ("itkImageBase2",), ["Allocate"]), ("itkPlain", (), ["Run"])]


def test_no_toolkit_is_imported():
    code = (
        "import sys, gilgen.toolkits as t\nfor n in t.NAMES:\n    t.get(n)\n"
        "assert not {'vtk', 'vtkmodules', 'itk'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
