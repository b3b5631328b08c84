"""What gilgen ships of each release: made from headers, read back, chosen."""

from __future__ import annotations

import lzma
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.version import Version

from gilgen import declared, facts, headers, scan
from gilgen.bodies import Bodies
from gilgen.errors import ArtefactError, HeadersNotFoundError
from gilgen.model import Api, Class, Headers, Method
from gilgen.toolkits.base import Installation
from gilgen.toolkits.vtk import TOOLKIT

HEADERS = Path(__file__).parents[1] / "fixtures" / "headers" / "vtk-9.9"


def quiet(text):
    del text


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """What the fixture's headers declare, with each of libstdc++'s strings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GILGEN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        found = headers.read_version(TOOLKIT, HEADERS, "9.9.1")
        return [scan.scan(TOOLKIT, None, found, quiet, old_strings=old) for old in (False, True)]


@pytest.fixture(scope="module")
def shipped(scanned, tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts")
    facts.write(*scanned, folder)
    return folder


def ordinary(api):
    methods = {cls.name: [method for method in cls.methods if method.kind == "method" and not method.deleted] for cls in api.classes}
    return {name: {(m.name, m.symbol, m.result, m.carrier, m.parameters, m.body, m.virtual, m.static) for m in found} for name, found in methods.items()}


@pytest.mark.parametrize("old", [False, True])
def test_what_is_read_back_is_what_a_scan_gives(scanned, shipped, old):
    read = facts.read("vtk", "9.9.1", "9.9.1", old_strings=old, folder=shipped)
    assert ordinary(read) == ordinary(scanned[old])
    assert {cls.name: (cls.template, cls.bases, cls.calls) for cls in read.classes} == {cls.name: (cls.template, cls.bases, cls.calls) for cls in scanned[old].classes}
    assert (read.headers.root, read.headers.source, read.headers.notice) == ("", facts.SOURCE, "")


def test_the_two_strings_are_told_apart(shipped):
    new, old = (facts.read("vtk", "9.9.1", "9.9.1", old_strings=old, folder=shipped) for old in (False, True))
    assert ordinary(new) != ordinary(old)
    assert any("Ss" in symbol for methods in ordinary(old).values() for _, symbol, *_ in methods)


def api(version, *classes):
    return Api("vtk", version, Headers("vtk", version, version, "", (), ""), classes)


def cls(name, *methods):
    return Class(name, "", 0, methods=tuple(Method(method, f"_ZN{method}", "void", "void") for method in methods))


def test_a_release_is_told_by_what_differs_from_its_base(tmp_path):
    same, changed, gone, new = cls("Same", "a"), cls("Changed", "a"), cls("Gone", "a"), cls("New", "a")
    first, second = api("9.1.0", same, changed, gone), api("9.2.0", same, cls("Changed", "a", "b"), new)
    facts.write(first, first, tmp_path)
    path = facts.write(second, second, tmp_path, base="9.1.0")
    assert "Same" not in lzma.decompress(path.read_bytes()).decode()
    assert {found.name: len(found.methods) for found in facts.read("vtk", "9.2.0", "9.2.0", folder=tmp_path).classes} == {"Same": 1, "Changed": 2, "New": 1}
    assert {found.name: len(found.methods) for found in facts.read("vtk", "9.1.0", "9.1.0", folder=tmp_path).classes} == {"Same": 1, "Changed": 1, "Gone": 1}


@pytest.mark.parametrize("damage", [b"", b"no xz", lzma.compress(b"{"), lzma.compress(b'{"toolkit": 1}')])
def test_a_damaged_file_is_an_error(tmp_path, damage):
    (tmp_path / f"vtk-9.1.0{facts.SUFFIX}").write_bytes(damage)
    with pytest.raises(ArtefactError, match=r"Cannot read vtk-9\.1\.0"):
        facts.read("vtk", "9.1.0", "9.1.0", folder=tmp_path)


@pytest.mark.parametrize(
    ("version", "found"),
    [("9.2.0", "9.2.0"), ("9.2.0.post1", "9.2.0"), ("9.2.3", "9.2.0"), ("9.3.1", "9.4.0"), ("9.9.9", "9.4.0"), ("9.4.0rc1", "9.4.0"), ("6.0b2", "6.0b2"), ("6.0", "6.0b2"), ("8.2.0", None)],
)
def test_the_nearest_release_of_the_same_major_version(tmp_path, version, found):
    for known in ("9.1.0", "9.2.0", "9.4.0", "6.0b1", "6.0b2"):
        (tmp_path / f"vtk-{known}{facts.SUFFIX}").touch()
    assert facts.nearest("vtk", version, tmp_path) == found


@pytest.mark.parametrize(("installed", "word"), [("9.2.0", ""), ("9.2.0.post1", ""), ("9.2.1", "no declarations of vtk 9.2.1"), ("9.2.0rc1", "no declarations of vtk 9.2.0rc1")])
def test_another_release_is_said(installed, word):
    notice = facts.headers("vtk", "9.2.0", installed).notice
    assert (word in notice) if word else not notice


BODIES = """
template <typename T, template <class> class U>
void
Thing<T>::Run()
{
  this->Superclass::Run(); if (x) { other->Update(); }
}
template <typename T> std::vector<Pair<T>> Thing<Pair<T>>::List(int a) const { return Make(a); }
"""


def test_what_bodies_call(tmp_path):
    (tmp_path / "thing.h").write_text("template <class T> class Thing { void Short() override { this->Run(); } void Run(); };")
    (tmp_path / "thing.hxx").write_text(BODIES)
    found = Bodies(tmp_path).calls("thing.h", "space::Thing")
    assert found == {"Short": ("->Run",), "Run": ("->Update", "Run"), "List": ("Make",)}
    assert Bodies(tmp_path).calls("none.h", "Thing") == {}


# ------------------------------------------------------------------------------------------------- which comes first


def installation(version):
    return Installation("vtk", version, "vtkmodules", Path("/nowhere"), (), "key")


def choose(monkeypatch, version, at_hand=None, folder=None):
    """What is chosen, where these headers are at hand and gilgen ships 9.1.0 and 9.2.0."""
    monkeypatch.setattr(facts, "nearest", lambda _, wanted: min(("9.1.0", "9.2.0"), key=lambda known: abs(Version(known).minor - Version(wanted).minor)) if wanted.startswith("9") else None)

    def find(_toolkit, wanted, named, _notify, *, fetch=False):
        assert not fetch, "nothing is fetched unless the user says so"
        found = str(named) if named else at_hand
        if not found:
            raise HeadersNotFoundError("none", "none")
        return Headers("vtk", found, wanted.version, "/include", (), "here", "" if found == wanted.version else "another")

    monkeypatch.setattr(headers, "find", find)
    found = declared.choose(TOOLKIT, installation(version), folder, quiet)
    return found.source, found.version


def test_what_is_shipped_of_the_release_comes_before_headers_at_hand(monkeypatch):
    assert choose(monkeypatch, "9.2.0", at_hand="9.2.0") == (facts.SOURCE, "9.2.0")


def test_headers_that_the_user_names_come_first(monkeypatch):
    assert choose(monkeypatch, "9.2.0", folder=Path("9.2.0")) == ("here", "9.2.0")


def test_headers_of_just_an_unknown_release_come_before_what_is_near(monkeypatch):
    assert choose(monkeypatch, "9.3.0", at_hand="9.3.0") == ("here", "9.3.0")
    assert choose(monkeypatch, "9.3.0", at_hand="9.4.0") == (facts.SOURCE, "9.2.0")
    assert choose(monkeypatch, "9.3.0") == (facts.SOURCE, "9.2.0")


def test_another_major_version_needs_headers(monkeypatch):
    assert choose(monkeypatch, "8.2.0", at_hand="8.2.0") == ("here", "8.2.0")
    with pytest.raises(HeadersNotFoundError):
        choose(monkeypatch, "8.2.0")


# ----------------------------------------------------------------------------------------------------- what is shipped


@pytest.mark.parametrize("toolkit", ["vtk", "itk"])
def test_every_release_that_is_shipped_can_be_read(toolkit):
    found = facts.releases(toolkit)
    assert len(found) >= 9
    assert list(found) == sorted(found, key=Version)
    root = {"vtk": "vtkObjectBase", "itk": "itk::LightObject"}[toolkit]
    for version in found:
        classes = {cls.name: cls for cls in facts.read(toolkit, version, version).classes}
        assert len(classes) > 3000 - 500 * (toolkit == "itk"), version
        assert classes[root].methods
        bases = [base for cls in classes.values() for base in cls.bases if base.name.startswith("vtk") and "<" not in base.type]
        assert sum(base.name not in classes for base in bases) < 0.005 * len(bases) + 1, version


def test_key_changes_with_the_release_and_with_what_is_shipped(shipped, tmp_path):
    (tmp_path / f"vtk-9.9.1{facts.SUFFIX}").write_bytes((shipped / f"vtk-9.9.1{facts.SUFFIX}").read_bytes())
    first = facts.key("vtk", "9.9.1", tmp_path)
    assert facts.key("vtk", "9.9.0", tmp_path) != first
    (tmp_path / f"vtk-9.9.1{facts.SUFFIX}").write_bytes(b"other")
    assert facts.key("vtk", "9.9.1", tmp_path) != first


def test_identical_methods_of_two_scans_must_line_up(scanned, tmp_path):
    new, old = scanned
    with pytest.raises(ValueError, match="zip"):
        facts.write(new, replace(old, classes=old.classes[1:]), tmp_path)
