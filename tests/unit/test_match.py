"""The rules by which one shim wheel serves the wheels of a toolkit version for every CPython."""

from dataclasses import replace

import pytest
import support

from gilgen import match
from gilgen.errors import StaleShimsError
from gilgen.manifest import Library, Manifest

DEFINES = "toolkit/libdefines.so"
CALLS = "toolkit/libcalls.so"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A toolkit that its distribution's record lists, and the manifest of shims made for it."""
    root = tmp_path / "site"
    (root / "toolkit").mkdir(parents=True)
    information = root / "toolkit-1.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: toolkit\nVersion: 1.2\n")
    for path in (DEFINES, CALLS):
        (root / path).write_bytes(b"x" * 10)
    (information / "RECORD").write_text(f"{DEFINES},,\n{CALLS},,\ntoolkit/__init__.py,,\nother/libother.so,,\n")
    monkeypatch.syspath_prepend(str(root))
    libraries = (Library(DEFINES, 10, "", defines=True), Library(CALLS, 10, "", symbolic=True))
    return root, Manifest("toolkit", "1.2", "0", "toolkit", "key", "x86_64", libraries, (), ("toolkit",))


def test_control_the_very_files_fit(installed):
    root, manifest = installed
    found = match.check(manifest, root)
    assert [(bindable.path, bindable.exact, bindable.symbolic) for bindable in found] == [(root / DEFINES, True, False), (root / CALLS, False, True)]


def test_a_caller_may_be_another_build_or_have_another_name(installed):
    root, manifest = installed
    (root / CALLS).unlink()
    (root / "toolkit/libcalls.cpython-399.so").write_bytes(b"another")
    (root / "toolkit-1.2.dist-info" / "RECORD").write_text(f"{DEFINES},,\ntoolkit/libcalls.cpython-399.so,,\n")
    found = match.check(manifest, root)
    assert [(bindable.path.name, bindable.build_id, bindable.exact) for bindable in found] == [("libdefines.so", "", True), ("libcalls.cpython-399.so", "", False)]


def test_a_library_that_no_record_lists_is_not_the_toolkits(installed):
    root, manifest = installed
    (root / "toolkit/libstray.so").write_bytes(b"stray")
    assert "libstray.so" not in {bindable.path.name for bindable in match.check(manifest, root)}


def test_a_definition_of_another_size_is_refused(installed):
    root, manifest = installed
    (root / DEFINES).write_bytes(b"y" * 11)
    with pytest.raises(StaleShimsError, match=r"libdefines\.so has 11 bytes instead of 10") as caught:
        match.check(manifest, root)
    assert "gilgen fix toolkit" in caught.value.advice


def test_a_definition_with_another_build_id_is_refused(installed, pretend):
    root, manifest = installed
    (root / DEFINES).write_bytes((pretend.root / "pretend" / "libfirst.so").read_bytes())
    known = replace(manifest.libraries[0], build_id="00ff")
    with pytest.raises(StaleShimsError, match=r"another build of it \(build id [0-9a-f]{8,} instead of 00ff\)"):
        match.check(replace(manifest, libraries=(known,)), root)


def test_another_version_is_refused_by_name(installed):
    root, manifest = installed
    with pytest.raises(StaleShimsError, match=r"made for toolkit 1\.3, but toolkit 1\.2 is installed"):
        match.check(replace(manifest, version="1.3"), root)


def test_a_missing_distribution_is_refused(installed):
    root, manifest = installed
    with pytest.raises(StaleShimsError, match="the package gone is not installed"):
        match.check(replace(manifest, distributions=("gone",)), root)


def test_without_a_record_every_file_must_be_the_very_one(installed):
    root, manifest = installed
    (root / CALLS).write_bytes(b"y" * 11)
    with pytest.raises(StaleShimsError, match=r"libcalls\.so"):
        match.check(replace(manifest, distributions=()), root)


def test_the_build_id_is_the_one_that_the_audit_reads(pretend, tmp_path):
    for path in support.LIBRARIES:
        with support.elf.Library(pretend.root / path) as library:
            assert match.build_id(pretend.root / path) == library.build_id != ""
    nonsense = tmp_path / "nonsense.so"
    for content in (b"", b"\x7fELF", b"\x7fELF" + bytes(100), b"text" * 100):
        nonsense.write_bytes(content)
        assert match.build_id(nonsense) == ""
    assert match.build_id(tmp_path / "missing.so") == ""
