import errno
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gilgen import store
from gilgen.errors import ArtefactError, StoreError
from gilgen.model import Api, Class, Headers, Method, Parameter, Plan

HEADERS = Headers("vtk", "9.6.2", "9.6.2", "/root", ("/eigen",), "a test", "a notice")
METHOD = Method(
    "Update",
    "_ZN3One6UpdateEi",
    "void",
    "void",
    (Parameter("int", "int", "port"),),
    virtual=True,
    hints=("vtk::x",),
)
API = Api("vtk", "9.6.2", HEADERS, (Class("One", "One.h", 3, methods=(METHOD,)),))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(tmp_path):
    store.write(tmp_path / "api.json", API)
    assert store.read(tmp_path / "api.json", Api) == API


@given(name=st.text(), line=st.integers(0, 2**40), flag=st.booleans(), hints=st.lists(st.text()))
def test_any_record_survives(tmp_path_factory, name, line, flag, hints):
    path = tmp_path_factory.mktemp("record") / "record.json"
    record = Method(name, name, name, name, deleted=flag, hints=tuple(hints), line=line)
    store.write(path, record)
    assert store.read(path, Method) == record


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[: len(data) // 2], "is damaged"),
        (lambda _: b"", "is damaged"),
        (lambda _: b"[]", "is damaged"),
        (lambda data: data.replace(b'"schema"', b'"other"'), "is damaged"),
        (lambda data: data.replace(b'"toolkit":"vtk"', b'"toolkit":3', 1), "is damaged"),
        (lambda data: b"\xff" + data, "is damaged"),
        (lambda data: data.replace(b'"Api"', b'"Plan"'), "holds a Plan, not a Api"),
        (lambda data: data.replace(b'"schema":%d' % store.SCHEMA, b'"schema":9999'), "schema 9999"),
    ],
)  # fmt: skip
def test_damaged_artefacts(tmp_path, damage, message):
    path = tmp_path / "api.json"
    path.write_bytes(damage(store.encode(API)))
    with pytest.raises(ArtefactError, match=message) as caught:
        store.read(path, Api)
    assert caught.value.advice


def test_a_missing_artefact(tmp_path):
    with pytest.raises(ArtefactError, match=r"There is no .*api\.json"):
        store.read(tmp_path / "api.json", Api)


def test_an_unreadable_artefact(tmp_path):
    with pytest.raises(ArtefactError, match="Cannot read"):
        store.read(tmp_path, Api)


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EROFS, "may not be written")],
)
def test_a_disk_that_refuses(tmp_path, monkeypatch, number, message):
    path = tmp_path / "api.json"
    path.write_text("before")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match=message) as caught:
        store.write(path, API)
    assert "GILGEN_CACHE_DIR" in caught.value.advice
    assert path.read_text() == "before"
    assert names(tmp_path) == ["api.json"], "no half file is left"


def test_another_error_stays_what_it_is(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="broken disk"):
        store.write(tmp_path / "api.json", API)


def test_a_file_where_a_folder_is_needed(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="a file stands where a folder is needed"):
        store.write(tmp_path / "file" / "api.json", API)


def test_a_folder_is_there_whole_or_not_at_all(cache):
    folder = cache / "scan" / "one"
    with store.new_folder(folder) as draft:
        (draft / "first").touch()
        assert not folder.exists()
    assert [path.name for path in folder.iterdir()] == ["first"]

    def fill_and_fail():
        with store.new_folder(folder) as draft:
            (draft / "second").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill_and_fail()
    assert [path.name for path in folder.iterdir()] == ["first"], "the old one stays"
    assert names(folder.parent) == ["one"]
    with store.new_folder(folder) as draft:
        (draft / "third").touch()
    assert [path.name for path in folder.iterdir()] == ["third"]
    assert names(folder.parent) == ["one"]


def test_the_cache_is_where_the_environment_says(cache, monkeypatch):
    assert store.cache_dir() == cache
    monkeypatch.delenv("GILGEN_CACHE_DIR")
    assert store.cache_dir().name == "gilgen"


def test_keys_change_with_what_they_are_made_from(monkeypatch):
    assert store.key_of("a", 1) == store.key_of("a", 1)
    assert (
        len({store.key_of("a", 1), store.key_of("a", 2), store.key_of("a1"), store.key_of("a", "", 1)}) == 4
    )
    before = store.key_of("a")
    monkeypatch.setattr(store, "__version__", "99")
    assert store.key_of("a") != before


def test_keys_of_files(tmp_path):
    files = [tmp_path / "a.h", tmp_path / "b.h"]
    for file in files:
        file.write_text("1")
    before = store.key_of_files(files)
    assert store.key_of_files(reversed(files)) == before
    os.utime(files[0], ns=(5, 5))
    assert store.key_of_files(files) != before


MAKER = """
import sys, time
from gilgen import store

def make(draft):
    with open(sys.argv[1], "a") as file:
        file.write("made\\n")
    time.sleep(0.3)
    (draft / "whole").touch()

made = store.ensure("scan", "vtk", "9", "key", make)
assert (made.folder / "whole").exists()
"""


def test_two_processes_make_one_artefact(tmp_path, cache):
    log = tmp_path / "log"
    processes = [subprocess.Popen([sys.executable, "-c", MAKER, str(log)]) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert log.read_text() == "made\n"
    assert names(cache / "scan") == ["vtk-9-key"]


def test_the_lock_makes_others_wait():
    order = []

    def other():
        with store.lock("one"):
            order.append("other")

    with store.lock("one"):
        thread = threading.Thread(target=other)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "other"]


def test_the_schema_names_what_a_record_holds():
    text = json.dumps(store.json_schema(Plan))
    assert all(word in text for word in ("decisions", "coverage", "distribution_key", "release"))


@pytest.mark.parametrize("damage", [lambda file: file.write_text("other"), lambda file: file.unlink(), lambda file: file.with_name("more").touch()])
def test_a_damaged_artefact_is_made_again_and_said(damage):
    made, told = [], []

    def make(draft):
        made.append(draft)
        (draft / "whole").write_text("whole")

    first = store.ensure("plan", "vtk", "9", "key", make, told.append)
    assert store.ensure("plan", "vtk", "9", "key", make, told.append).cached
    damage(first.folder / "whole")
    again = store.ensure("plan", "vtk", "9", "key", make, told.append)
    assert (len(made), again.cached) == (2, False)
    assert (again.folder / "whole").read_text() == "whole"
    assert [text for text in told if str(first.folder) in text and "damaged" in text] == told
    assert len(told) == 1
    assert store.ensure("plan", "vtk", "9", "key", make, told.append).cached
