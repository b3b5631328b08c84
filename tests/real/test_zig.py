"""Without a system compiler: ziglang builds the shims, and exceptions and ended threads pass through them."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import support

GILGEN = (sys.executable, "-c", "from gilgen.commands import main; main()")

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.elsewhere,
    pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="ziglang is not installed"),
    pytest.mark.skipif(importlib.util.find_spec("itk") is None, reason="itk is not installed"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """ITK's shims, built where the PATH leads to no compiler: the folder that goes on PYTHONPATH."""
    folder = tmp_path_factory.mktemp("zig")
    tools = folder / "tools"
    tools.mkdir()
    for name in ("sh", "env", "cat", "uname", "apt-get", "apt-config", "apt-cache", "dpkg-deb"):
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    ended = support.run([*GILGEN, "build", "itk", "-o", str(folder / "wheels")], deadline=900, env={"PATH": str(tools), "CXX": ""}, cwd=folder)
    assert ended.ok, ended.err
    (wheel,) = (folder / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(built: Path, code: str) -> support.Ended:
    return support.run_python(code, deadline=120, env={"PYTHONPATH": str(built)})


@pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not here")
def test_there_is_no_second_unwinder_inside(built):
    (library,) = (built / "gilgen_shims_itk").glob("*.so")
    needed = subprocess.run(["readelf", "-d", str(library)], capture_output=True, text=True, check=True).stdout
    assert "[libstdc++.so.6]" in needed
    assert "[libgcc_s.so.1]" in needed
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", str(library)], capture_output=True, text=True, check=True).stdout
    lines = [line for line in symbols.splitlines() if "_Unwind_" in line or "__gxx_personality_v0" in line]
    assert any("_Unwind_Resume" in line for line in lines)
    assert any("__gxx_personality_v0" in line for line in lines)
    assert all(" UND " in line for line in lines)


def test_an_exception_of_the_toolkit_arrives_as_ever(built):
    code = """
    import gilgen, itk, threading
    gilgen.activate("itk")
    reader = itk.ImageFileReader[itk.Image[itk.F, 3]].New()
    reader.SetFileName("/no/such/file.mha")
    caught = []
    def read():
        for call in (reader.Update, reader.UpdateLargestPossibleRegion) * 3:
            try: call()
            except RuntimeError as error: caught.append("/no/such/file.mha" in str(error))
    read()
    thread = threading.Thread(target=read); thread.start(); thread.join()
    print(caught, sum(method.released for method in gilgen.status()["itk"].methods) >= 12)
    """
    ended = run(built, code)
    assert ended.ok, ended.err
    assert ended.out.strip() == f"{[True] * 12} True"


def test_a_daemon_thread_inside_a_call_lets_the_program_end(built):
    code = """
    import gilgen, itk, numpy, threading, time
    gilgen.activate("itk")
    median = itk.MedianImageFilter.New(itk.image_from_array(numpy.random.rand(64, 64, 64).astype("f4")))
    median.SetRadius(2)
    def work():
        while True:
            median.Modified()
            median.Update()
    threading.Thread(target=work, daemon=True).start()
    while not sum(method.released for method in gilgen.status()["itk"].methods): time.sleep(0.01)
    print("end", flush=True)
    """
    for _ in range(3):
        ended = run(built, code)
        assert ended.ok, (ended.code, ended.timed_out, ended.err)
        assert ended.out == "end\n"
