"""The scan against headers that hold every kind of signature: libclang is real, the toolkit is not."""

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gilgen import scan, store
from gilgen.errors import ScanError
from gilgen.model import Api, Headers
from gilgen.toolkits.base import Installation
from gilgen.toolkits.vtk import TOOLKIT

HEADERS = Path(__file__).parents[1] / "fixtures" / "headers" / "vtk-9.9"


def quiet(text):
    del text


def installation(root, *libraries):
    return Installation("vtk", "9.9.1", "vtkmodules", root, libraries, "key")


def headers(root=HEADERS):
    return Headers("vtk", "9.9.1", "9.9.1", str(root), (), "a test")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GILGEN_CACHE_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def api(cache):
    return scan.scan(TOOLKIT, installation(cache), headers(), quiet)


@pytest.fixture(scope="module")
def classes(api):
    return {found.name: found for found in api.classes}


@pytest.fixture(scope="module")
def methods(classes):
    return {method.name: method for method in classes["vtkSignatures"].methods if method.name != "Update"}


def carriers(method):
    return [method.carrier, *(parameter.carrier for parameter in method.parameters)]


def test_builtins_carry_themselves(methods):
    assert carriers(methods["Builtins"]) == [
        "void", "bool", "char", "signed char", "unsigned char", "short", "unsigned short", "unsigned int", "long",
        "unsigned long", "long long", "unsigned long long", "float", "double", "long double", "wchar_t",
    ]  # fmt: skip


def test_typedefs_and_enums_are_resolved(methods):
    assert carriers(methods["Typedefs"]) == ["long long", "long long", "unsigned char", "unsigned int"]
    assert methods["Typedefs"].parameters[0].type == "vtkIdLike"


def test_addresses_are_pointers(methods):
    assert carriers(methods["Addresses"]) == ["void*"] * 7
    assert carriers(methods["MemberPointer"]) == ["void", ""]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("String", ["Hidden", "Hidden"]),
        ("Counted", ["Hidden", "Hidden"]),
        ("Derived", ["Hidden"]),
        ("Shared", ["Hidden", "Hidden", "Hidden"]),
        ("Vector", ["Hidden", "Hidden"]),
        ("Holder", ["Hidden", "Hidden"]),
        ("Plain", ["", "", ""]),
    ],
)
def test_classes_by_value(methods, name, expected):
    assert carriers(methods[name]) == expected


def test_symbols_are_the_compilers(methods, tmp_path):
    """What a C++ compiler calls the same methods is the truth."""
    source = tmp_path / "symbols.cpp"
    source.write_text(
        '#include "vtkSignatures.h"\nvoid* use() { auto p = &vtkSignatures::Typedefs; auto q = &vtkSignatures::String;\n'
        "auto r = &vtkSignatures::Shared; static void* kept[3]; __builtin_memcpy(kept, &p, 8);\n"
        "__builtin_memcpy(kept + 1, &q, 8); __builtin_memcpy(kept + 2, &r, 8); return kept; }\n"
    )
    command = [
        "g++",
        "-std=c++17",
        "-I",
        str(HEADERS),
        "-DVTK_UNBLOCKTHREADS=",
        "-DVTK_MARSHALAUTO=",
        "-S",
        "-o",
        "-",
    ]
    done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=True)
    for name in ("Typedefs", "String", "Shared"):
        assert methods[name].symbol in done.stdout


def test_where_the_body_is(methods):
    found = {
        name: methods[name].body for name in ("InClass", "OutOfClass", "OutOfClassToo", "GetProgress", "Old")
    }
    assert found == {
        "InClass": "inline",
        "OutOfClass": "inline",
        "OutOfClassToo": "inline",
        "GetProgress": "macro",
        "Old": "none",
    }
    assert methods["Declared"].body == "none"


def test_qualifiers(methods):
    assert methods["New"].static
    assert methods["InClass"].const
    assert methods["Variadic"].variadic
    assert methods["Old"].deprecated
    assert methods["Quiet"].noexcept
    assert methods["Gone"].deleted
    assert not methods["Gone"].symbol
    assert methods["Deep"].override
    assert methods["operator int"].kind == "conversion"
    assert (methods["Hidden"].access, methods["Secret"].access) == ("protected", "private")
    assert not any(
        (
            methods["Old"].static,
            methods["Old"].const,
            methods["Old"].noexcept,
            methods["Old"].deleted,
            methods["Old"].virtual,
        )
    )


def test_member_templates_have_no_symbol(methods):
    template = methods["Template"]
    assert (template.kind, template.symbol) == ("template", "")
    assert carriers(template) == ["", "", "void*"]


def test_pure_methods(classes):
    pure = {method.name: method.pure for method in classes["vtkObjectBase"].methods}
    assert pure["Deep"]
    assert not pure["Update"]


def test_hints_pass_to_overrides_of_the_same_signature_only(classes):
    for name in ("vtkObjectBase", "vtkSignatures"):
        hints = {
            len(method.parameters): method.hints
            for method in classes[name].methods
            if method.name == "Update"
        }
        assert hints == {0: ("vtk::unblockthreads",), 1: ()}
    assert classes["vtkSignatures"].hints == ("vtk::marshalauto",)


def test_nested_classes_and_namespaces(classes):
    assert classes["vtkSignatures::Inner"].methods[0].symbol == "_ZN13vtkSignatures5Inner4WorkEi"
    assert classes["outer::vtkHolds::Nested"].methods[0].symbol == ""


def test_class_templates(classes):
    holds = classes["outer::vtkHolds"]
    assert holds.template == ("T", "N")
    assert holds.header == "vtkTemplates.h"
    found = {method.name: method for method in holds.methods}
    assert carriers(found["Take"]) == ["void", "", "void*", "double"]
    assert found["Take"].body == "inline"
    assert found["Update"].virtual, "an override is virtual although its base is a parameter"
    assert "Special" not in found, "a specialisation is another class"


def test_a_specialisation_counts_for_itself(classes):
    assert [carriers(method) for method in classes["vtkChooses"].methods] == [[""], ["Hidden"]]


def test_bases(classes):
    assert [(base.name, base.access) for base in classes["outer::vtkUses"].bases] == [
        ("outer::vtkHolds", "public"),
        ("vtkPlain", "protected"),
    ]


def test_a_header_that_lacks_an_include_is_not_trusted(api, classes):
    dropped = {item.header: item for item in api.dropped}
    assert not dropped["vtkBroken.h"].alone
    assert "missing/library.h" in dropped["vtkBroken.h"].error
    found = {method.name: method for method in classes["vtkBroken"].methods}
    assert (found["Result"].symbol, found["Result"].carrier) == ("", "")
    assert found["Alias"].carrier == "" if "Alias" in found else True
    assert carriers(found["Fine"]) == ["void", "void*"]
    assert carriers(found["Sound"]) == ["int"]


def test_a_header_that_another_spoils_is_read_alone(api, classes):
    dropped = {item.header: item.alone for item in api.dropped}
    assert dropped["vtkPolluted.h"]
    assert [method.name for method in classes["vtkPolluted"].methods] == ["Polluted", "After"]


def test_nothing_outside_the_root_counts(classes):
    assert not [name for name in classes if name.startswith("std")]


def test_the_second_time_comes_from_the_cache(cache, api, monkeypatch):
    monkeypatch.setattr(scan, "_run", lambda jobs: pytest.fail(f"read {len(jobs)} units again"))
    summary = scan.ensure(TOOLKIT, installation(cache), headers(), quiet)
    assert summary.cached
    assert summary.classes + summary.templates == len(api.classes)
    assert summary.methods == sum(len(found.methods) for found in api.classes)


def small(tmp_path):
    root = tmp_path / "headers"
    root.mkdir()
    for name in ("vtkObjectBase.h", "vtkVersionMacros.h"):
        (root / name).write_bytes((HEADERS / name).read_bytes())
    return root


@pytest.mark.usefixtures("api")
def test_where_headers_came_from_does_not_count(cache, monkeypatch):
    """Else the second command on a new machine would read again what the first had fetched and read."""
    monkeypatch.setattr(scan, "_run", lambda jobs: pytest.fail(f"read {len(jobs)} units again"))
    asked = replace(headers(), source="elsewhere, fetched before")
    summary = scan.ensure(TOOLKIT, installation(cache), asked, quiet)
    assert (summary.cached, summary.source) == (True, asked.source)
    assert scan.scan(TOOLKIT, installation(cache), asked, quiet).headers == asked


def test_a_changed_header_is_read_again(cache, tmp_path):
    root = small(tmp_path)
    first = scan.ensure(TOOLKIT, installation(cache), headers(root), quiet)
    with (root / "vtkObjectBase.h").open("a") as file:
        file.write("class vtkLater {};\n")
    second = scan.ensure(TOOLKIT, installation(cache), headers(root), quiet)
    assert (first.cached, second.cached) == (False, False)
    assert second.classes == first.classes + 1


def test_a_damaged_summary_is_remade(cache, tmp_path):
    root = small(tmp_path)
    first = scan.ensure(TOOLKIT, installation(cache), headers(root), quiet)
    Path(first.api).with_name("summary.json").write_text("{")
    second = scan.ensure(TOOLKIT, installation(cache), headers(root), quiet)
    assert not second.cached
    assert store.read(Path(second.api), Api).classes


def test_a_damaged_api_is_remade(cache, tmp_path):
    root = small(tmp_path)
    whole = scan.scan(TOOLKIT, installation(cache), headers(root), quiet)
    summary = scan.ensure(TOOLKIT, installation(cache), headers(root), quiet)
    path = Path(summary.api)
    path.write_bytes(path.read_bytes()[:100])
    assert scan.scan(TOOLKIT, installation(cache), headers(root), quiet) == whole


def test_units_are_merged(cache, tmp_path, monkeypatch):
    del cache
    root = tmp_path / "headers"
    root.mkdir()
    for path in HEADERS.glob("vtk[OSTV]*.h"):
        (root / path.name).write_bytes(path.read_bytes())
    whole = scan.scan(TOOLKIT, installation(tmp_path), headers(root), quiet)
    monkeypatch.setattr(scan, "UNIT_SIZE", 1)
    (root / "vtkTemplates.h").touch()
    os.utime(root / "vtkTemplates.h", ns=(1, 1))
    parts = scan.scan(TOOLKIT, installation(tmp_path), headers(root), quiet)
    for one, other in zip(parts.classes, whole.classes, strict=True):
        for method, same in zip(one.methods, other.methods, strict=True):
            assert method == same
        assert one == other


def test_no_headers_is_an_error(tmp_path):
    with pytest.raises(ScanError, match="No headers to read") as caught:
        scan.ensure(TOOLKIT, installation(tmp_path), headers(tmp_path), quiet)
    assert "gilgen headers vtk" in caught.value.advice


def test_no_standard_library_is_an_error(cache, tmp_path, monkeypatch):
    del cache
    root = small(tmp_path)
    (root / "vtkNeedsVector.h").write_text("#include <vector>\n")
    monkeypatch.setattr(scan, "FLAGS", [*scan.FLAGS, "-nostdinc++", "-nostdinc"])
    with pytest.raises(ScanError, match="C\\+\\+ standard library") as caught:
        scan.ensure(TOOLKIT, installation(tmp_path), headers(root), quiet)
    assert "apt-get install g++" in caught.value.advice


def test_a_worker_that_dies_is_an_error(cache, tmp_path, monkeypatch):
    root = small(tmp_path)
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\ncat > /dev/null\necho 'Fatal: libclang crashed' >&2\nkill -SEGV $$\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    with pytest.raises(ScanError, match="libclang crashed"):
        scan.ensure(TOOLKIT, installation(cache), headers(root), quiet)
    assert not list((cache / "scan").glob("*/.*")), "nothing half made is left"


def test_an_interrupt_leaves_no_worker(monkeypatch, tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    started = []
    original = scan._work

    def interrupted(job, running):
        if job["headers"] == ["stop"]:
            while not running or not (tmp_path / "pid").exists():
                pass
            started.append(running[0])
            raise KeyboardInterrupt
        with contextlib.suppress(ScanError):
            original(job, running)

    monkeypatch.setattr(scan, "_work", interrupted)
    with pytest.raises(KeyboardInterrupt):
        scan._run([{"headers": ["stop"]}, {"headers": ["slow"]}])
    assert started[0].wait(5) != 0


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        (b"\0_ZNKSt7__cxx1112basic_string\0", []),
        (b"\0_ZNSs6assignEv\0", ["-D_GLIBCXX_USE_CXX11_ABI=0"]),
        (b"\0nothing\0", []),
        (b"", []),
    ],
)
def test_which_string_the_libraries_use(tmp_path, content, flags):
    (tmp_path / "first.so").write_bytes(b"\0no strings at all\0")
    (tmp_path / "second.so").write_bytes(content)
    assert scan.string_flags(installation(tmp_path, "first.so", "absent.so", "second.so")) == flags
