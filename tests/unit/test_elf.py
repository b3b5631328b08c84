"""Shared libraries as the dynamic linker sees them: real ones, other linkers' ones, and garbage."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib

import pytest
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gilgen.audit import elf
from gilgen.errors import ArtefactError

SOURCE = """\
extern "C" int Py_Nothing();
namespace inner { int imported(int); }
namespace outer {
struct Base { virtual int called(int); virtual ~Base(); int direct(int); };
int Base::called(int a) { return inner::imported(a); }
int Base::direct(int a) { return called(a) + 1; }
Base::~Base() {}
int through(Base& base) { return base.direct(2); }
static int hidden(int a) { return a; }
int (*table[])(int) = {hidden, inner::imported};
int variable = 3;
}
"""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("no g++ here to make libraries with")
    folder = tmp_path_factory.mktemp("elf")
    (folder / "source.cpp").write_text(SOURCE)

    def make(name, *flags):
        path = folder / f"{name}.so"
        if not path.exists():
            subprocess.run(["g++", "-shared", "-fPIC", "-O1", *flags, folder / "source.cpp", "-o", path], check=True)
        return path

    return make


FLAGS = {
    "default": (), "stripped": ("-s",), "sysv-hash": ("-Wl,--hash-style=sysv",), "both-hashes": ("-Wl,--hash-style=both",),
    "symbolic": ("-Wl,-Bsymbolic",), "packed": ("-Wl,-z,pack-relative-relocs",), "packed-symbolic": ("-Wl,-z,pack-relative-relocs", "-Wl,-Bsymbolic"),
    "no-plt": ("-fno-plt",), "now": ("-Wl,-z,now",), "no-build-id": ("-Wl,--build-id=none",),
}  # fmt: skip


def nm(path, *options):
    printed = subprocess.run(["nm", "-D", *options, path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].partition("@")[0]: line.split()[0] for line in printed.splitlines()}


@pytest.mark.parametrize("name", FLAGS)
def test_it_reads_what_nm_reads(build, name):
    path = build(name, *FLAGS[name])
    with elf.Library(path) as library:
        found = library.defined(lambda text: text.startswith(b"_ZN5outer"))
    expected = {symbol: int(value, 16) for symbol, value in nm(path, "--defined-only").items() if symbol.startswith("_ZN5outer")}
    assert expected.pop("_ZN5outer5tableE")
    assert expected.pop("_ZN5outer8variableE")
    assert {symbol: place.address for symbol, place in found.items()} == expected
    assert "_ZN5outer4Base6calledEi" in found
    content = path.read_bytes()  # what is code lies in these small files where it lies in memory
    assert all(place.size and place.code == zlib.crc32(content[place.address :][: place.size]) for place in found.values())


@pytest.mark.parametrize("name", FLAGS)
def test_slots_and_how_they_are_named(build, name):
    symbolic = "symbolic" in name
    with elf.Library(build(name, *FLAGS[name])) as library:
        found = library.defined(lambda text: text == b"_ZN5outer4Base6calledEi")
        assert library.carries_addresses(found) is symbolic
        assert not library.carries_addresses({})
        assert not library.carries_addresses({"nothing": elf.Defined(1, 1, 0)})
        assert library.slots("_ZN5outer4Base6calledEi").get(elf.ADDRESS, 0) == (0 if symbolic else 1)
        imported = library.slots("_ZN5inner8importedEi")
        assert imported.get(elf.ADDRESS, 0) == 1
        assert imported.get(elf.PLT, 0) + imported.get(elf.GOT, 0) == 1
        assert library.slots("_ZN5outer4Base6calledEii") == {}


@pytest.mark.parametrize("name", FLAGS)
def test_imports_and_build_id(build, name):
    path = build(name, *FLAGS[name])
    read = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True).stdout
    expected = read.partition("Build ID: ")[2].split()
    with elf.Library(path) as library:
        assert library.imports([b"_ZN5inner"])
        assert not library.imports([b"Py", b"_Py"])
        assert not library.imports([b"_ZN5outer4Base6called"])
        assert library.build_id == (expected[0] if expected else "")
        assert bool(expected) is (name != "no-build-id")


def test_a_library_that_exports_nothing_still_imports(tmp_path):
    (tmp_path / "source.cpp").write_text('extern "C" int PyNone(); static struct S { S() { PyNone(); } } s;')
    path = tmp_path / "quiet.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-fvisibility=hidden", tmp_path / "source.cpp", "-o", path], check=True)
    with elf.Library(path) as library:
        assert library.imports([b"PyNone"])
        assert library.slots("PyNone")
        assert library.defined(lambda _: True) == {}


def test_a_closed_library_gives_its_file_back(build):
    library = elf.Library(build("default"))
    library.close()
    with pytest.raises((ValueError, ArtefactError)):
        library.slots("anything")


# -------------------------------------------------------------------------------------------- garbage


def read_all(path):
    """Everything that gilgen reads of a library."""
    with elf.Library(path) as library:
        found = library.defined(lambda text: text.startswith(b"_Z"))
        library.imports([b"Py"])
        library.carries_addresses(found)
        library.slots("_ZN5outer4Base6calledEi")


def refused_or_read(path):
    try:
        read_all(path)
    except ArtefactError as error:
        refusal = error
    else:
        return
    assert str(path) in str(refusal)
    assert refusal.advice


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\0" * 4096, b"\x7fELF\x02\x01\x01" + b"\xff" * 4096, b"INPUT(libother.so)\n"])
def test_what_is_no_library_is_refused(tmp_path, content):
    path = tmp_path / "lib.so"
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match=r"lib\.so"):
        read_all(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    for path in (tmp_path / "missing.so", tmp_path):
        with pytest.raises(ArtefactError):
            read_all(path)


def test_an_object_file_and_other_machines_are_refused(build, tmp_path):
    build("default")
    path = tmp_path / "object.o"
    subprocess.run(["g++", "-c", build("default").with_name("source.cpp"), "-o", path], check=True)
    with pytest.raises(ArtefactError):
        read_all(path)
    content = bytearray(build("default").read_bytes())
    content[18:20] = struct.pack("<H", 243)  # RISC-V
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="x86-64 or aarch64"):
        read_all(path)


def test_an_error_in_one_table_is_not_hidden_by_closing_the_file(build, tmp_path):
    """The table that was being read is still held by the error when the file is closed."""
    content = bytearray(build("packed-symbolic", *FLAGS["packed-symbolic"]).read_bytes())
    content[232] = 0
    path = tmp_path / "changed.so"
    path.write_bytes(content)
    refused_or_read(path)


@pytest.mark.parametrize("name", ["default", "sysv-hash", "packed-symbolic"])
def test_truncated_anywhere(build, tmp_path, name):
    content = build(name, *FLAGS[name]).read_bytes()
    path = tmp_path / "cut.so"
    for length in range(0, len(content), max(1, len(content) // 120)):
        path.write_bytes(content[:length])
        refused_or_read(path)


fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(data=st.data(), name=st.sampled_from(["default", "sysv-hash", "packed-symbolic"]))
def test_bytes_changed_anywhere(build, tmp_path, data, name):
    content = bytearray(build(name, *FLAGS[name]).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        # The first pages hold the headers, the hash tables and the symbols; the dynamic section stands near the end.
        at = data.draw(st.integers(0, min(len(content), 0x900) - 1) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    path = tmp_path / "changed.so"
    path.write_bytes(content)
    refused_or_read(path)


@fuzz
@given(data=st.data(), value=st.sampled_from([0, 1, 8, 0xFFFF, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]))
def test_words_of_the_dynamic_section_changed(build, tmp_path, data, value):
    name = data.draw(st.sampled_from(["default", "sysv-hash", "packed-symbolic"]))
    path = build(name, *FLAGS[name])
    content = bytearray(path.read_bytes())
    _, offset = dynamic_section(content)
    at = offset + 8 * data.draw(st.integers(0, 60))
    content[at : at + 8] = struct.pack("<Q", value)
    changed = tmp_path / "changed.so"
    changed.write_bytes(content)
    refused_or_read(changed)


def dynamic_section(content):
    table, count = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<H", content, 56)[0]
    for index in range(count):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", content, table + 56 * index)
        if kind == 2:
            return size, offset
    raise AssertionError


@fuzz
@given(content=st.binary(max_size=2000))
def test_noise(tmp_path, content):
    path = tmp_path / "noise.so"
    path.write_bytes(b"\x7fELF\x02\x01\x01\0" + content)
    refused_or_read(path)


def test_the_pretend_toolkit_is_told_from_its_wrapper(pretend):
    libraries = {library.path: library for library in pretend.libraries()}
    assert {path for path, library in libraries.items() if library.uses_cpython} == {"pretend/wrapper.so"}
    assert all(len(library.build_id) == 40 for library in libraries.values())
    assert support.PACKAGE in libraries["pretend/libpretend.so"].path
