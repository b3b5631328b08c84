"""The search for headers, with programs that stand in for apt and dpkg."""

import os
import shutil
import sys
import textwrap
from pathlib import Path

import pytest

from gilgen import debian, headers, store
from gilgen.errors import HeadersNotFoundError, StoreError
from gilgen.toolkits.base import Installation
from gilgen.toolkits.vtk import TOOLKIT

APT_GET = """
import os, pathlib, sys
log = pathlib.Path(os.environ["FAKE_LOG"])
words = sys.argv[1:]
with log.open("a") as file:
    file.write("apt-get " + " ".join(words) + "\\n")
if "indextargets" in words:
    print("http://mirror.example/debian-security|testos-security|main")
    print("http://mirror.example/debian|testos|contrib")
    print("http://mirror.example/debian|%s|main" % os.environ.get("FAKE_RELEASE", "testos"))
elif "update" in words:
    source = next(w for w in words if w.startswith("Dir::Etc::SourceList=")).partition("=")[2]
    with log.open("a") as file:
        file.write(pathlib.Path(source).read_text())
    if os.environ.get("FAKE_OFFLINE"):
        sys.exit("E: Failed to fetch the list: no route to host")
elif "download" in words:
    if os.environ.get("FAKE_BROKEN"):
        pathlib.Path("half.deb").write_text("half")
        sys.exit("E: Hash Sum mismatch")
    for word in words[words.index("download") + 1 :]:
        name, _, version = word.partition("=")
        pathlib.Path(name + ".deb").write_text(version)
"""

APT_CACHE = """
import os, sys
state = next(w for w in sys.argv if w.startswith("Dir::Etc::SourceList=")).split("/")[-2]
for row in os.environ["FAKE_VERSIONS"].split():
    suite, _, version = row.partition(":")
    if suite == state:
        print(f" libvtk9-dev | {version} | http://mirror.example/debian {suite}/main amd64 Packages")
"""

DPKG_DEB = """
import pathlib, re, sys
archive, folder = sys.argv[2:]
version = re.match(r"[0-9.]+", pathlib.Path(archive).read_text())[0]
major, minor, build = version.split(".")
root = pathlib.Path(folder) / "usr/include" / f"vtk-{major}.{minor}"
root.mkdir(parents=True)
(root / "vtkObjectBase.h").touch()
(root / "vtkVersionMacros.h").write_text(
    f"#define VTK_MAJOR_VERSION {major}\\n#define VTK_MINOR_VERSION {minor}\\n#define VTK_BUILD_VERSION {build}\\n")
"""


def tree(folder, version):
    """A folder of headers of that version."""
    folder.mkdir(parents=True)
    (folder / "vtkObjectBase.h").touch()
    parts = zip(("MAJOR", "MINOR", "BUILD"), version.split("."), strict=True)
    (folder / "vtkVersionMacros.h").write_text(
        "".join(f"#define VTK_{name}_VERSION {value}\n" for name, value in parts)
    )
    return folder


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without headers, whose archive is a stand-in."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE), ("dpkg-deb", DPKG_DEB)):
        (programs / name).write_text(f"#!{sys.executable}\n{textwrap.dedent(text)}")
        (programs / name).chmod(0o755)
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME="testos"\n')
    for name, value in {
        "PATH": str(programs),
        "FAKE_LOG": str(tmp_path / "log"),
        "FAKE_VERSIONS": "testos:9.1.0+dfsg2-5 stable:9.3.0+dfsg1-4+b1 testing:9.6.2+ds-4",
        "GILGEN_CACHE_DIR": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "log").touch()
    monkeypatch.setattr(debian, "_RELEASE_FILE", release)
    monkeypatch.setattr(headers, "SYSTEM_PREFIXES", (tmp_path / "usr",))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    return tmp_path


def find(version, *arguments, **options):
    installation = Installation("vtk", version, "vtkmodules", Path("/nowhere"), (), "key")
    return headers.find(TOOLKIT, installation, *arguments, **{"fetch": True} | options)


def log(machine):
    return (machine / "log").read_text()


def test_named_folder(machine):
    root = tree(machine / "mine" / "vtk-9.6", "9.6.2")
    for folder in (root, root.parent):
        found = find("9.6.2", folder)
        assert (found.root, found.version, found.notice) == (str(root), "9.6.2", "")
    assert not log(machine)


def test_named_folder_of_a_near_version_says_so(machine):
    found = find("9.7.2", tree(machine / "mine", "9.6.2"))
    assert "result types may differ" in found.notice
    assert "9.6.2" in found.notice
    assert "9.7.2" in found.notice


def test_named_folder_of_another_major_version(machine):
    with pytest.raises(HeadersNotFoundError, match=r"are of vtk 8\.2\.0; 9\.6\.2 is installed"):
        find("9.6.2", tree(machine / "mine", "8.2.0"))


def test_named_folder_without_headers(machine):
    with pytest.raises(HeadersNotFoundError, match="no vtk headers in"):
        find("9.6.2", machine)


@pytest.mark.parametrize(
    ("place", "source"), [("environment/include", "this environment"), ("usr", "the system")]
)
def test_local_headers(machine, place, source):
    root = tree(machine / place / "vtk-9.6", "9.6.2")
    found = find("9.6.2")
    assert (found.root, found.source) == (str(root), source)
    assert not log(machine)


def test_the_sdk_comes_first(machine, monkeypatch):
    package = machine / "site" / "vtk_sdk"
    root = tree(package / "content" / "include" / "vtk-9.6", "9.6.2")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(package.parent))
    tree(machine / "usr" / "vtk-9.6", "9.6.2")
    assert find("9.6.2").root == str(root)


def test_fetched_from_the_first_suite_with_the_exact_version(machine):
    words = []
    found = find("9.6.2", None, words.append)
    assert (found.version, found.notice) == ("9.6.2", "")
    assert found.source == "Debian's libvtk9-dev 9.6.2+ds-4 (testing)"
    assert found.root == str(store.cache_dir() / "headers/vtk-9.6.2/usr/include/vtk-9.6")
    assert any("testing" in word for word in words)
    text = log(machine)
    assert "URIs: http://mirror.example/debian\nSuites: testos\nComponents: main" in text
    assert "unstable" not in text, "an exact match ends the search"
    assert "security" not in text.replace("indextargets", "").partition("URIs")[2]


def test_what_was_fetched_is_used_again(machine):
    first = find("9.6.2")
    (machine / "log").write_text("")
    second = find("9.6.2")
    assert second.root == first.root
    assert not log(machine)


def test_lists_are_used_again_for_a_day(machine):
    find("9.6.2")
    (machine / "log").write_text("")
    shutil.rmtree(store.cache_dir() / "headers" / "vtk-9.6.2")
    find("9.6.2")
    assert "update" not in log(machine)
    old = 0
    for name in ("fresh", "libvtk9-dev.json"):
        os.utime(store.cache_dir() / "headers/apt/testos" / name, (old, old))
    shutil.rmtree(store.cache_dir() / "headers" / "vtk-9.6.2")
    find("9.6.2")
    assert log(machine).count("update") == 1


def test_the_nearest_of_the_same_major_version(machine):
    found = find("9.7.2")
    assert found.version == "9.6.2"
    assert "still confirmed by the installed libraries' own symbols" in found.notice
    assert "Suites: unstable" in log(machine), "an exact match could have been anywhere"


def test_an_exact_match_of_a_later_source_beats_a_near_one(machine):
    tree(machine / "usr" / "vtk-9.6", "9.6.1")
    assert find("9.6.2").version == "9.6.2"


def test_a_nearer_local_match_is_not_downloaded_again(machine):
    root = tree(machine / "usr" / "vtk-9.7", "9.7.1")
    assert find("9.7.2").root == str(root)
    assert "download" not in log(machine)


@pytest.mark.usefixtures("machine")
def test_another_major_version_is_no_match():
    with pytest.raises(HeadersNotFoundError) as caught:
        find("8.2.0")
    text = str(caught.value)
    for part in (
        "this environment",
        "the system",
        "Debian testing, libvtk9-dev: 9.6.2+ds-4",
        "--headers DIR",
        "vtk-sdk",
    ):
        assert part in text


def test_offline(machine, monkeypatch):
    monkeypatch.setenv("FAKE_OFFLINE", "1")
    with pytest.raises(HeadersNotFoundError, match="no route to host"):
        find("9.6.2")
    tree(machine / "usr" / "vtk-9.3", "9.3.0")
    assert find("9.6.2").version == "9.3.0", "a near one is better than none"


@pytest.mark.parametrize("program", ["apt-get", "dpkg-deb"])
def test_no_apt(machine, program):
    (machine / "bin" / program).unlink()
    with pytest.raises(HeadersNotFoundError, match=f"there is no {program} on this machine"):
        find("9.6.2")


@pytest.mark.usefixtures("machine")
def test_no_archive_of_this_release(monkeypatch):
    monkeypatch.setenv("FAKE_RELEASE", "elsewhere")
    with pytest.raises(HeadersNotFoundError, match="no archive of this machine's own release") as caught:
        find("9.6.2")
    assert str(caught.value).count("own release") == 1


@pytest.mark.usefixtures("machine")
def test_a_failed_download_leaves_nothing(monkeypatch):
    monkeypatch.setenv("FAKE_BROKEN", "1")
    with pytest.raises(HeadersNotFoundError, match="Hash Sum mismatch"):
        find("9.6.2")
    assert not [path for path in (store.cache_dir() / "headers").iterdir() if "vtk" in path.name]
    monkeypatch.delenv("FAKE_BROKEN")
    assert find("9.6.2").version == "9.6.2"


def test_a_cache_that_may_not_be_written(machine, monkeypatch):
    (machine / "file").touch()
    monkeypatch.setenv("GILGEN_CACHE_DIR", str(machine / "file"))
    with pytest.raises(StoreError, match="Cannot write"):
        find("9.6.2")


def test_not_fetching(machine):
    with pytest.raises(HeadersNotFoundError):
        find("9.6.2", fetch=False)
    assert not log(machine)


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("9.6.2+ds-4", "9.6.2"),
        ("9.3.0+dfsg1-4+b1", "9.3.0"),
        ("5.4.7-1", "5.4.7"),
        ("1:9.1.0~rc1-2", "9.1.0"),
    ],
)
def test_upstream_versions(version, expected):
    assert debian.upstream(version) == expected


def test_companions_stand_beside(machine):
    tree(machine / "usr" / "vtk-9.6", "9.6.2")
    (machine / "usr" / "eigen3").mkdir()
    assert find("9.6.2").includes == ()

    class WithEigen(type(TOOLKIT)):
        debian = debian.DebianPackages("libvtk9-dev", ("libeigen3-dev",), ("eigen3",))

    installation = Installation("vtk", "9.6.2", "vtkmodules", Path("/nowhere"), (), "key")
    assert headers.find(WithEigen(), installation).includes == (str(machine / "usr" / "eigen3"),)
