"""Sources from a plan: the same bytes every time, readable, and a project that builds by itself."""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from dataclasses import replace

import pytest
import support

from gilgen import generate, store
from gilgen.errors import ArtefactError, StoreError
from gilgen.manifest import Coverage, Library, Manifest
from gilgen.model import Decision, Headers, Plan

MACHINE = platform.machine()


def decision(name="vtkThing.Work", **changes):
    draft = Decision(
        python=name,
        declaration="virtual void vtkThing::Work(int count, double scale)",
        symbol="_ZN8vtkThing4WorkEid",
        action="release",
        reason="rule:things",
        why="It works through all of the data, which takes a while.",
        carriers=("void", "int", "double"),
        library="vtkmodules/libvtkThings-9.6.so",
        copies=1,
    )
    return replace(draft, **changes)


def plan(*decisions):
    libraries = tuple(Library(path, 1, "", defines=True) for path in sorted({decision.library for decision in decisions}))
    return Plan("vtk", "9.6.2", "vtkmodules", "key", Headers("vtk", "9.6.2", "9.6.2", "/h", (), "a test"), libraries, decisions, Coverage(0, 0, 0, 0))


SEVERAL = (
    decision(),
    decision("vtkThing.Text", symbol="_ZN8vtkThing4TextESs", declaration="std::string vtkThing::Text(std::string)", carriers=("Hidden", "Hidden")),
    decision("vtkThing.Half", symbol="_ZNK8vtkThing4HalfEf", declaration="float vtkThing::Half(float) const", carriers=("float", "float"), guard="none"),
    decision("vtkThing.Make", symbol="_ZN8vtkThing4MakeEv", declaration="static vtkThing* vtkThing::Make()", carriers=("void*",), static=True),
    decision("vtkOther.Update", symbol="_ZN8vtkOther6UpdateEv", declaration="virtual void vtkOther::Update()", carriers=("void",), library="vtkmodules/libvtkOthers-9.6.so", copies=3, followed=True),
    decision("vtkOther.Kept", symbol="_ZN8vtkOther4KeptEv", carriers=("void",), action="keep", reason="hazard:uses-cpython"),
)


def test_the_same_plan_gives_the_same_bytes(tmp_path):
    first = generate.generate(plan(*SEVERAL), tmp_path / "a", MACHINE)
    second = generate.generate(plan(*reversed(SEVERAL)), tmp_path / "b", MACHINE)
    assert first == second
    assert {name: (tmp_path / "a" / name).read_bytes() for name in first} == {name: (tmp_path / "b" / name).read_bytes() for name in first}
    assert [str(name) for name in first if name.parts[0] == "shims"] == ["shims/libvtkOthers-9.cpp", "shims/libvtkThings-9.cpp", "shims/table.cpp"]


def test_each_shim_says_what_it_stands_before_and_why():
    text = generate.sources(plan(*SEVERAL), "x86_64")["shims/libvtkThings-9.cpp"]
    before, _, after = text.partition("Scalar vtkThing_Work")
    comment = before.rpartition("\n\n")[2]
    assert "// vtkThing.Work\n" in comment
    assert "virtual void vtkThing::Work(int count, double scale)" in comment
    assert "It works through all of the data, which takes a while. [rule:things]" in comment
    assert after.startswith("_4(void* self, int a1, double a2)\n")
    assert "Kept" not in text


def test_copies_have_a_shim_each():
    files = generate.sources(plan(*SEVERAL), "x86_64")
    text = files["shims/libvtkOthers-9.cpp"]
    assert "template <int copy>" in text
    assert all(f"vtkOther_Update_0<{copy}>(void*);" in text for copy in range(3))
    assert "std::uint32_t const entry_count = 7;" in files["shims/table.cpp"]
    assert '{"_ZN8vtkOther6UpdateEv", true, false, 0, 3, {Guard::closure}}' in files["shims/table.cpp"]


def test_floating_results_travel_as_their_machine_wants():
    for machine, kind in (("x86_64", "Scalar"), ("aarch64", "Real")):
        text = generate.sources(plan(*SEVERAL), machine)["shims/libvtkThings-9.cpp"]
        assert f"\n{kind} vtkThing_Half_" in text
        assert "\nScalar vtkThing_Work_" in text
        assert "\nHiddenResult vtkThing_Text_" in text
        assert "(void* self, HiddenArgument a1)" in text


def test_what_stands_in_a_comment_cannot_leave_it():
    hostile = decision(declaration="void vtkThing::Work(int count,\n double scale) \\\nint main() {}", why="One\nline \\ and another.")
    text = generate.sources(plan(hostile), "x86_64")["shims/libvtkThings-9.cpp"]
    assert not any(line.endswith("\\") for line in text.splitlines())
    assert all(line.lstrip().startswith("//") for line in text.splitlines() if "int main" in line or "and another" in line)


def test_the_manifest_lists_the_shims_in_the_order_of_the_table(tmp_path):
    generate.generate(plan(*SEVERAL), tmp_path / "out", MACHINE)
    manifest = store.read(tmp_path / "out" / generate.MANIFEST, Manifest)
    table = (tmp_path / "out" / "shims" / "table.cpp").read_text()
    assert [shim.index for shim in manifest.shims] == list(range(5))
    places = [table.index(f'{{"{shim.symbol}"') for shim in manifest.shims]
    assert places == sorted(places)
    assert manifest.machine == MACHINE


def test_only_an_empty_folder_or_an_earlier_one_is_written_to(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    generate.generate(plan(*SEVERAL), folder, MACHINE)
    generate.generate(plan(SEVERAL[0]), folder, MACHINE)
    assert not (folder / "shims" / "libvtkOthers-9.cpp").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("years of work")
    with pytest.raises(ArtefactError, match="was not made by gilgen"):
        generate.generate(plan(*SEVERAL), foreign, MACHINE)
    assert [path.name for path in foreign.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises((ArtefactError, StoreError)):
        generate.generate(plan(*SEVERAL), tmp_path / "file", MACHINE)
    assert (tmp_path / "file").read_text() == "x"


def test_what_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store, "encode", full)
    with pytest.raises(StoreError, match="disk is full"):
        generate.generate(plan(*SEVERAL), tmp_path / "out", MACHINE)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_makes_sources_once_for_each_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path))
    store.write(tmp_path / "p" / "plan.json", plan(*SEVERAL))
    made = store.Made(tmp_path / "p", "9.6.2", "key", cached=True, seconds=0)
    first = generate.ensure(made, "vtk", "9.6.2", "x86_64")
    again = generate.ensure(made, "vtk", "9.6.2", "x86_64")
    other = generate.ensure(made, "vtk", "9.6.2", "aarch64")
    assert (first.cached, again.cached, other.cached) == (False, True, False)
    assert first.folder == again.folder != other.folder


def test_the_folder_builds_with_its_own_cmake_lists(pretend, tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not on this machine")
    generate.generate(pretend.plan(), tmp_path / "sources", MACHINE)
    for command in (["cmake", "-S", tmp_path / "sources", "-B", tmp_path / "build", "-DCMAKE_BUILD_TYPE=Release"], ["cmake", "--build", tmp_path / "build"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout + done.stderr
    package = tmp_path / "site" / "gilgen_shims_vtk"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(tmp_path / "sources" / generate.MANIFEST, package)
    library = next((tmp_path / "build").glob("libgilgen_shims_vtk.so*"))
    shutil.copy(library, package / "libgilgen_shims_vtk.so")
    assert ctypes.sizeof(ctypes.c_void_p) == 8
    site = support.Site(pretend, tmp_path / "site")
    answer = site.run("gilgen.activate('vtk'); from pretend import wrapper; wrapper.spin(wrapper.make_work(), 0); say(wrapper.held())").answer
    assert answer == 0
