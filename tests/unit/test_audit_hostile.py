"""What is no extension module, or one that was made or changed to do harm: the audit says so, in bounded time and memory."""

from __future__ import annotations

import bz2
import contextlib
import errno
import json
import lzma
import os
import shutil
import signal
import struct
import subprocess
import sys
import sysconfig
import textwrap
import zipfile
from collections import Counter
from pathlib import Path

import capstone
import numpy as np
import pytest
import support
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gilgen.audit import auditing, elf, package, tables
from gilgen.audit.code import Code
from gilgen.audit.records import Audit
from gilgen.errors import ArtefactError, GilgenError

SECONDS = 10
"""What any file of up to 100 kB may take."""

PROCESSOR_SECONDS = 60
"""What any such file may cost the processor: several times what the worst takes, and far less than work without an end."""

MEMORY = 1 << 30
"""Bytes that any such file may take."""

SOURCE = r"""
#include <Python.h>

extern "C" int PyVTKClass_Add(void*, PyMethodDef*, const char*, void*);
extern "C" void PyVTKClass_AddCombinedGetSetDefinitions(void*, PyGetSetDef*);

static volatile long work;

static long count(long n) {
    long sum = 0;
    while (n > 0) { sum += work; n -= 1 + (sum & 3); }
    return sum;
}

static PyObject* released(PyObject*, PyObject*) {
    PyThreadState* state = PyEval_SaveThread();
    work = count(work);
    PyEval_RestoreThread(state);
    Py_RETURN_NONE;
}

static PyObject* held(PyObject*, PyObject*) { work = count(work); Py_RETURN_NONE; }

static PyObject* mixed(PyObject* self, PyObject* args) {
    switch (PyTuple_Size(args)) {
        case 0: return released(self, args);
        case 1: work = count(1) * 3; break;
        case 2: work = count(2) + 7; break;
        case 3: work = count(3) ^ work; break;
        case 4: work = count(work) - 4; break;
        case 5: work = count(work) / 5; break;
        default: break;
    }
    Py_RETURN_NONE;
}

static PyObject* get(PyObject* self, void*) { return released(self, nullptr); }

static PyMethodDef methods[] = {
    {"released", released, METH_VARARGS, "released() -> None\nC++: void released()"},
    {"held", held, METH_VARARGS, "held() -> None\nC++: void held()\n\nheld(int) -> None\nC++: void held(int)"},
    {"mixed", mixed, METH_VARARGS, "mixed() -> None\nC++: void mixed()\nmixed(a:int) -> None\nC++: void mixed(int a)"},
    {"Worker_swigregister", held, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
static PyMethodDef of_class[] = {{"run", released, METH_NOARGS, "run()"}, {"wait", held, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static PyGetSetDef properties[] = {{"value", get, nullptr, "A value.", nullptr}, {nullptr, nullptr, nullptr, nullptr, nullptr}};
static PyMethodDef of_heap[] = {{"run", held, METH_NOARGS, "run()"}, {nullptr, nullptr, 0, nullptr}};
static PyGetSetDef heap_properties[] = {{"value", get, nullptr, nullptr, nullptr}, {nullptr, nullptr, nullptr, nullptr, nullptr}};
static PyNumberMethods number = {released, held};
static PyTypeObject kind = {
    .ob_base = PyVarObject_HEAD_INIT(nullptr, 0)
    .tp_name = "hostile.Worker", .tp_basicsize = sizeof(PyObject), .tp_as_number = &number,
    .tp_methods = of_class, .tp_getset = properties, .tp_new = PyType_GenericNew,
};
static PyType_Slot heap_slots[] = {
    {Py_tp_methods, of_heap}, {Py_tp_getset, heap_properties}, {Py_tp_repr, (void*)(reprfunc)held}, {0, nullptr}};
static PyType_Spec spec = {"hostile.Heap", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, heap_slots};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "hostile", nullptr, -1, methods};

extern "C" PyObject* exported_release(PyObject* self) { return released(self, nullptr); }

extern "C" __attribute__((visibility("default"))) PyObject* PyInit_hostile() {
#ifdef LIKE_VTK
    PyVTKClass_Add(&kind, of_class, "Worker", nullptr);
    PyVTKClass_AddCombinedGetSetDefinitions(&kind, properties);
#endif
    if (PyType_Ready(&kind) < 0 || !PyType_FromSpec(&spec)) return nullptr;
    return PyModule_Create(&definition);
}
"""

VARIANTS = {
    "plain": ("-s",),
    "packed": ("-s", "-Wl,-z,pack-relative-relocs", "-Wl,--hash-style=sysv", "-Wl,-z,noseparate-code"),
    "vtk": ("-s", "-DLIKE_VTK", "-fno-plt", "-Wl,-z,noseparate-code"),
}


@pytest.fixture(scope="session")
def extensions(tmp_path_factory):
    """A small extension of each variant: name -> its bytes."""
    if shutil.which("g++") is None:
        pytest.skip("no g++ here to make extensions with")
    folder = tmp_path_factory.mktemp("extensions")
    (folder / "hostile.cpp").write_text(SOURCE)
    for name, flags in VARIANTS.items():
        compile_(folder / "hostile.cpp", folder / f"{name}.so", "-std=c++20", "-O2", "-Wno-missing-field-initializers", *flags)
    return {name: (folder / f"{name}.so").read_bytes() for name in VARIANTS}


def compile_(source: Path, target: Path, *flags: str) -> Path:
    command = ["g++", f"-I{sysconfig.get_path('include')}", "-shared", "-fPIC", *flags, str(source), "-o", str(target)]
    subprocess.run(command, check=True)
    return target


# ----------------------------------------------------------------------------------------- the harness


class Endless(BaseException):
    """The deadline passed. No `except Exception` can hide it."""


@contextlib.contextmanager
def deadline(seconds):
    def ring(*_):
        raise Endless

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def exhausted(error):
    """Whether a refusal only hides that memory or the stack ran out."""
    cause = error.__cause__
    return isinstance(cause, (MemoryError, RecursionError)) or (isinstance(cause, OSError) and cause.errno == errno.ENOMEM)


def outcome(audit, seconds=SECONDS):
    """What an audit ends with: its result, or a refusal that says what to do. Anything else fails."""
    with deadline(seconds):
        try:
            found = audit()
        except GilgenError as error:
            found = error
    if isinstance(found, GilgenError):
        assert not exhausted(found), repr(found.__cause__)
        assert str(found.args[0]).strip()
        assert found.advice.strip(), str(found)
        return found
    assert isinstance(found, Audit)
    return found


def audited(path, seconds=SECONDS):
    return outcome(lambda: auditing.audit(package.of_files("hostile", [path])), seconds)


def named(target):
    """The same for what a command line names."""
    return outcome(lambda: auditing.audit_path(str(target)))


def refused(found, *words):
    assert isinstance(found, ArtefactError), found
    for word in words:
        assert word in str(found)


CHILD = """
    import json, resource, sys, time
    from pathlib import Path
    from gilgen.audit import auditing, package
    from gilgen.errors import GilgenError
    used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmSize"))
    resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[1]), used + int(sys.argv[1])))
    for target in sys.argv[2:]:
        started = time.process_time()
        try:
            with package.opened(target) as found:
                said = ["audit", auditing.audit(found).counts.get("methods", 0)]
        except GilgenError as error:
            cause = error.__cause__
            hidden = isinstance(cause, (MemoryError, RecursionError)) or getattr(cause, "errno", 0) == 12
            said = [repr(cause) if hidden else "refusal", str(error)]
        except BaseException as error:
            said = ["foreign", repr(error)[:500]]
        print(json.dumps([*said, time.process_time() - started]), flush=True)
"""


def in_child(*targets, memory=MEMORY, deadline=600):
    """Audit files in a process that can have so much more memory: [what it ended with, words, seconds of the processor] for each."""
    ended = support.run_python(CHILD, deadline, {"OPENBLAS_NUM_THREADS": "1"}, arguments=(str(memory), *map(str, targets)))
    assert ended.ok, (ended.crashed, ended.timed_out, ended.out[-2000:], ended.err[-2000:])
    return [json.loads(line) for line in ended.out.splitlines()]


def verdicts(found):
    assert isinstance(found, Audit), found
    return {(wrapper.name, wrapper.kind): wrapper.verdict for wrapper in found.wrappers}


# ------------------------------------------------------------------------------------------- controls

RIGHT = {
    "plain": {
        ("released", "function"): "releases", ("held", "function"): "holds", ("mixed", "function"): "mixed",
        ("Worker.run", "method"): "releases", ("Worker.wait", "method"): "holds", ("Worker.value", "getter"): "releases",
        ("Worker.__add__", "slot"): "releases", ("Worker.__sub__", "slot"): "holds", ("Heap.__repr__", "slot"): "holds",
    },
    "vtk": {("Worker.run", "method"): "releases", ("Worker.wait", "method"): "holds", ("Worker.value", "getter"): "releases"},
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_the_untouched_extension_is_read_right(extensions, tmp_path, name):
    path = written(tmp_path, extensions[name])
    found = verdicts(audited(path))
    expected = RIGHT.get(name, RIGHT["plain"])
    if name != "vtk":  # SWIG's flat names have no class; here there is one only for the registered class
        found |= {(method.removeprefix("Worker_"), kind): verdict for (method, kind), verdict in found.items()}
    assert {key: found.get(key) for key in expected} == expected


def test_the_harness_notices_a_foreign_exception():
    def foreign():
        raise KeyError("table")

    with pytest.raises(KeyError):
        outcome(foreign)


def test_the_harness_notices_an_endless_loop():
    with pytest.raises(Endless):
        outcome(lambda: [None for _ in iter(int, 1)], 0.05)


def test_the_harness_notices_a_refusal_without_advice():
    def refuse():
        raise ArtefactError("No.")

    with pytest.raises(AssertionError):
        outcome(refuse)


def test_the_harness_notices_too_much_memory(extensions, tmp_path):
    """With less than an audit takes, the child says that memory was the reason."""
    path = written(tmp_path, extensions["plain"] + bytes(64 << 20))  # far more than is mapped
    kind, words, _ = in_child(path, memory=8 << 20)[0]
    assert kind not in {"audit", "refusal"}, (kind, words)
    assert "emory" in kind + words


def written(folder, content, name="hostile.so"):
    path = folder / name
    path.write_bytes(content)
    return path


# ------------------------------------------------------------------------------------- what is no library


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"\x7fELF", b"\x7fELF\x02\x01\x01" + bytes(57), b"#!/bin/sh\nexit 1\n", b"INPUT(libother.so)\n", b"PK\x03\x04" + bytes(100),
                bytes(4096), b"\xff" * 4096, b"\x7fELF\x02\x01\x01" + b"\xff" * 4096, b"!<arch>\n" + bytes(100), b"MZ" + bytes(200), b"\xcf\xfa\xed\xfe" + bytes(200)],
)  # fmt: skip
def test_files_of_other_kinds_are_refused(tmp_path, content):
    path = written(tmp_path, content)
    refused(audited(path), str(path))


def test_names_that_lead_to_no_file(tmp_path):
    for target in (tmp_path, tmp_path / "missing.so", tmp_path / ("long" * 100 + ".so"), f"{tmp_path}/a\0b.so", "/dev/null", "/dev/zero", f"{tmp_path}/"):
        refused(named(target))
    (tmp_path / "folder.so").mkdir()
    refused(named(tmp_path / "folder.so"))
    (tmp_path / "loop.so").symlink_to(tmp_path / "loop.so")
    refused(named(tmp_path / "loop.so"))
    for target in ("", " ", ".", "..", "no such package", "a\0b", "\udcff", "x" * 5000):
        assert isinstance(named(target), GilgenError)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.so")
    refused(named(tmp_path / "pipe.so"))


def test_header_alone(extensions, tmp_path):
    for length in (16, 52, 63, 64, 65, 120, 500):
        refused(audited(written(tmp_path, extensions["plain"][:length])))


@pytest.mark.parametrize("name", VARIANTS)
def test_truncated_anywhere(extensions, tmp_path, name):
    content = extensions[name]
    forged = Forgery(content)
    needed = max(sum(struct.unpack_from("<Q16xQ", content, place + 8)) for place in forged.headers[elf.PT_LOAD])
    for length in (*(len(content) * part // 16 for part in range(16)), needed - 1):
        found = audited(written(tmp_path, content[:length]))
        if length < needed:
            refused(found, "hostile.so", "cut short" if length >= 1024 else "")
        else:  # what is missing is of no use to a program
            assert verdicts(found) == verdicts(audited(written(tmp_path, content)))


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [(4, b"\x01", "32-bit"), (5, b"\x02", "x86-64 or aarch64"), (18, struct.pack("<H", 243), "x86-64 or aarch64"), (18, b"\xff\xff", "x86-64 or aarch64"),
     (56, b"\0\0", "dynamic"), (56, b"\xff\xff", "65535"), (54, b"\0\0", "program headers"), (32, b"\xff" * 8, ""), (32, struct.pack("<Q", 1 << 40), "")],
    ids=["32-bit", "big-endian", "risc-v", "no machine", "no headers", "many headers", "small headers", "headers nowhere", "headers far away"],
)  # fmt: skip
def test_forged_header(extensions, tmp_path, at, value, words):
    content = bytearray(extensions["plain"])
    content[at : at + len(value)] = value
    refused(audited(written(tmp_path, content)), words)


def test_section_headers_may_be_anything(extensions, tmp_path):
    """No program needs them, and the audit does not read them."""
    content = bytearray(extensions["plain"])
    content[40:48], content[58:64] = b"\xff" * 8, b"\xff" * 6
    assert verdicts(audited(written(tmp_path, content))) == verdicts(audited(written(tmp_path, extensions["plain"])))


def test_an_executable_is_refused(tmp_path):
    (tmp_path / "main.cpp").write_text("int main() {}")
    for flags in (("-pie", "-fPIE"), ("-no-pie",), ("-static",)):
        subprocess.run(["g++", *flags, tmp_path / "main.cpp", "-o", tmp_path / "main.so"], check=True)
        refused(audited(tmp_path / "main.so"))
    subprocess.run(["g++", "-c", tmp_path / "main.cpp", "-o", tmp_path / "main.so"], check=True)
    refused(audited(tmp_path / "main.so"))


# ----------------------------------------------------------------------------------------- forged tables


class Forgery:
    """A library's bytes, to be changed by what they mean."""

    def __init__(self, content):
        self.content = bytearray(content)
        table, count = struct.unpack_from("<Q", content, 32)[0], struct.unpack_from("<H", content, 56)[0]
        self.headers = {}
        for place in range(table, table + 56 * count, 56):
            self.headers.setdefault(struct.unpack_from("<I", content, place)[0], []).append(place)

    def number(self, at, kind="<Q"):
        return struct.unpack_from(kind, self.content, at)[0]

    def put(self, at, *values, kind="Q"):
        struct.pack_into(f"<{len(values)}{kind}", self.content, at, *values)
        return self

    def offset(self, address):
        for place in self.headers[elf.PT_LOAD]:
            offset, start, _, size = struct.unpack_from("<QQQQ", self.content, place + 8)
            if start <= address < start + size:
                return address - start + offset
        raise AssertionError

    def tag(self, wanted):
        """Where the value of an entry of the dynamic section stands."""
        place = self.number(self.headers[elf.PT_DYNAMIC][0] + 8)
        while self.number(place) != wanted:
            assert self.number(place)
            place += 16
        return place + 8

    def table(self, wanted):
        """Where the table that an entry names stands in the file."""
        return self.offset(self.number(self.tag(wanted)))

    @property
    def unwind(self):
        return self.offset(self.number(self.headers[elf.PT_GNU_EH_FRAME][0] + 16))


HUGE = [0xFFFF, 1 << 20, (1 << 31) - 1, 1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 8, (1 << 64) - 1]
SIZES = {"DT_STRSZ": elf.DT_STRSZ, "DT_RELASZ": elf.DT_RELASZ, "DT_PLTRELSZ": elf.DT_PLTRELSZ}
PLACES = {"DT_STRTAB": elf.DT_STRTAB, "DT_SYMTAB": elf.DT_SYMTAB, "DT_RELA": elf.DT_RELA, "DT_JMPREL": elf.DT_JMPREL, "DT_GNU_HASH": elf.DT_GNU_HASH}


@pytest.mark.parametrize("name", SIZES | PLACES)
def test_forged_sizes_and_places(extensions, tmp_path, name):
    for value in HUGE:
        forged = Forgery(extensions["plain"])
        forged.put(forged.tag((SIZES | PLACES)[name]), value)
        refused(audited(written(tmp_path, forged.content)), "hostile.so")


@pytest.mark.parametrize("kind", [elf.PT_LOAD, elf.PT_DYNAMIC, elf.PT_NOTE, elf.PT_GNU_EH_FRAME])
def test_forged_program_headers(extensions, tmp_path, kind):
    """Offset, address, size and size in memory of each."""
    for place in Forgery(extensions["plain"]).headers[kind]:
        for field in (8, 16, 32, 40):
            for value in HUGE:
                audited(written(tmp_path, Forgery(extensions["plain"]).put(place + field, value).content), 2)


def test_segments_that_overlap(extensions, tmp_path):
    forged = Forgery(extensions["plain"])
    first, second = forged.headers[elf.PT_LOAD][:2]
    forged.put(second + 16, forged.number(first + 16))
    refused(audited(written(tmp_path, forged.content)), "overlap")


def test_the_same_code_at_a_thousand_addresses(extensions, tmp_path):
    """A program header for each: all of the file, to be searched for calls again and again."""
    for count in (100, 1500):
        content = bytearray(extensions["plain"])
        loads = b"".join(struct.pack("<IIQQQQQQ", 1, 5, 0, number << 20, number << 20, len(content), len(content), 4096) for number in range(count))
        forged = Forgery(content)
        old = bytes(content[forged.headers[elf.PT_DYNAMIC][0] :][:56])
        forged.put(32, len(content)).put(56, count + 1, kind="H")
        refused(audited(written(tmp_path, bytes(forged.content) + old + loads)))


def test_forged_hash_tables(extensions, tmp_path):
    for value in (0, 0xFFFF, (1 << 31) - 1, (1 << 32) - 1):
        forged = Forgery(extensions["packed"])
        forged.put(forged.table(elf.DT_HASH) + 4, value, kind="I")
        refused(audited(written(tmp_path, forged.content)))
        for place in range(0, 16, 4):
            forged = Forgery(extensions["plain"])
            forged.put(forged.table(elf.DT_GNU_HASH) + place, value, kind="I")
            audited(written(tmp_path, forged.content))


def test_a_hash_chain_that_never_ends(extensions, tmp_path):
    forged = Forgery(extensions["plain"])
    table = forged.table(elf.DT_GNU_HASH)
    buckets, _, words, _ = struct.unpack_from("<4I", forged.content, table)
    chain = table + 16 + 8 * words + 4 * buckets
    forged.content[chain:] = bytes(byte & 0xFE if place % 4 == 0 else byte for place, byte in enumerate(forged.content[chain:]))
    audited(written(tmp_path, forged.content))
    refused(audited(written(tmp_path, forged.content[:chain] + bytes(90_000))))


def test_forged_unwind_table(extensions, tmp_path):
    for count in (0, 1, 0xFFFF, (1 << 31) - 1, (1 << 32) - 1):
        forged = Forgery(extensions["plain"])
        audited(written(tmp_path, forged.put(forged.unwind + 8, count, kind="I").content))
    for form in range(256):
        forged = Forgery(extensions["plain"])
        forged.content[forged.unwind + 1 + form % 3] = form
        audited(written(tmp_path, forged.content))


def test_an_unsorted_unwind_table(extensions, tmp_path):
    """The order of its rows is nothing that a verdict may rest on."""
    forged = Forgery(extensions["plain"])
    start, count = forged.unwind + 12, forged.number(forged.unwind + 8, "<I")
    rows = [bytes(forged.content[place : place + 8]) for place in range(start, start + 8 * count, 8)]
    forged.content[start : start + 8 * count] = b"".join(reversed(rows))
    assert verdicts(audited(written(tmp_path, forged.content))) == verdicts(audited(written(tmp_path, extensions["plain"])))


def test_functions_that_reach_over_each_other(extensions, tmp_path):
    """Every function as long as all of the code."""
    forged = Forgery(extensions["plain"])
    start, count = forged.unwind + 12, forged.number(forged.unwind + 8, "<I")
    for row in range(count):
        distance = forged.number(start + 8 * row + 4, "<i")
        forged.put(forged.unwind + distance + 12, 0xFFFFFFFF, kind="I")
    audited(written(tmp_path, forged.content), 2)


def test_compact_relocations_that_go_back(extensions, tmp_path):
    """A bitmap after each address, all for the same 63 slots: a small table that stands for a large one."""
    forged = Forgery(extensions["packed"])
    slot = forged.number(forged.table(elf.DT_RELR))
    table = struct.pack("<QQ", slot, (1 << 64) - 1) * 5000
    place = forged.number(forged.headers[elf.PT_LOAD][-1] + 8)
    forged.content += bytes(-len(forged.content) % 8)
    address = forged.number(forged.headers[elf.PT_LOAD][-1] + 16) + len(forged.content) - place
    forged.put(forged.tag(elf.DT_RELR), address).put(forged.tag(elf.DT_RELRSZ), len(table))
    size = len(forged.content) + len(table) - place
    forged.put(forged.headers[elf.PT_LOAD][-1] + 32, size, size)
    refused(audited(written(tmp_path, forged.content + table)), "out of order")


def test_relocations_for_symbols_that_are_not_there(extensions, tmp_path):
    for symbol in (0x100, 0xFFFF, (1 << 32) - 1):
        for table, size in ((elf.DT_RELA, elf.DT_RELASZ), (elf.DT_JMPREL, elf.DT_PLTRELSZ)):
            forged = Forgery(extensions["plain"])
            start, length = forged.table(table), forged.number(forged.tag(size))
            for place in range(start, start + length, 24):
                forged.put(place + 12, symbol, kind="I")
            found = audited(written(tmp_path, forged.content))
            assert isinstance(found, GilgenError) or set(found.counts) == {"undecidable", "methods"}


# --------------------------------------------------------------- small files that ask for endless work

BEGIN = """
    .text
    .macro begin name
    .type \\name, @function
    \\name:
    .cfi_startproc
    .endm
    .macro finish
    ret
    .cfi_endproc
    .endm
"""
END = """
    .section .rodata
    text: .string "attack"
    long: .rept 1500
    .ascii "attack(a)\\n"
    .endr
    .byte 0
    .data
    .balign 8
    table: .quad text, attack, 1, 0, 0, 0, 0, 0
    .section .note.GNU-stack,"",@progbits
"""
KIND = """
    .data
    .balign 8
    kind: .quad 1, 0, 0, text, 16, 0, attack
    .fill 22, 8, 0
    .quad methods
    .fill 30, 8, 0
"""
CALL = "call PyEval_SaveThread@PLT\n"
BOMB = "_Z6attack1b1aIS_S_E" + "".join(f"S0_I{name}{name}E" for name in ["S1_"] + [f"S{digit}_" for digit in "23456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"])

ATTACKS = {
    "a thousand functions deep": BEGIN + "begin f0\n" + CALL + "finish\n"
    + "".join(f"begin f{number}\n call f{number - 1}\n finish\n" for number in range(1, 1600)) + "begin attack\n call f1599\n finish\n" + END,
    "all jump anywhere": BEGIN + "begin attack\n" + CALL + ".rept 30000\n jmp *%rax\n .endr\n finish\n" + END,
    "ways that split and meet": BEGIN + "begin attack\n test %rax, %rax\n je 1f\n" + CALL + "ret\n 1: .rept 30000\n je .+2\n .endr\n finish\n" + END,
    "one loop of many ways": BEGIN + "begin attack\n test %rax, %rax\n je 1f\n" + CALL + "ret\n 1: .rept 30000\n je .+2\n .endr\n jmp 1b\n finish\n" + END,
    "one jump table a thousand times": BEGIN + "begin attack\n" + CALL + ".rept 5000\n lea many(%rip), %rax\n .endr\n jmp *%rax\n finish\n"
    + ".section .rodata\n .balign 4\n many: .rept 9000\n .long attack - many\n .endr\n" + END,
    "one jump table in many functions": BEGIN + "".join(f"begin f{number}\n" + CALL + "lea many(%rip), %rax\n jmp *%rax\n finish\n" for number in range(800))
    + "begin attack\n" + "".join(f"call f{number}\n" for number in range(800)) + "finish\n"
    + ".section .rodata\n .balign 4\n many: .rept 9000\n .long f0 - many\n .endr\n" + END,
    "many calls of one function": BEGIN + "begin f0\n" + CALL + "finish\n begin attack\n .rept 15000\n call f0\n .endr\n finish\n" + END,
    "many calls of a release": BEGIN + "begin attack\n .rept 15000\n" + CALL + ".endr\n finish\n" + END,
    "many callers of many": BEGIN + "".join(f"begin f{number}\n call f{(number * 7 + 1) % 500}\n call f{(number * 11 + 3) % 500}\n" + (CALL if number == 0 else "") + "finish\n" for number in range(500))
    + "begin attack\n call f9\n finish\n" + END,
    "many addresses of one": BEGIN + "begin f0\n" + CALL + "finish\n begin attack\n .rept 6000\n lea f0(%rip), %rax\n call *%rax\n .endr\n finish\n" + END,
    "a table of one function": BEGIN + "begin f0\n" + CALL + "finish\n begin attack\n .rept 2000\n lea many(%rip), %rax\n call *(%rax)\n .endr\n finish\n .data\n many: .rept 1500\n .quad f0\n .endr\n" + END,
    "parts that do not come back": BEGIN + "begin f0\n .rept 20000\n nop\n .endr\n" + CALL + "finish\n begin attack\n .rept 6000\n je f0\n .endr\n" + CALL + "finish\n" + END,
    "classes added without end": BEGIN + "begin attack\n" + CALL
    + ".rept 3500\n lea table(%rip), %rsi\n lea text(%rip), %rdx\n call PyVTKClass_Add@PLT\n .endr\n finish\n" + END,
    "overloads without end": BEGIN + "begin f0\n" + CALL + "finish\n" + "".join(f"begin f{number}\n call f{number - 1}\n finish\n" for number in range(1, 300))
    + "begin attack\n call f299\n call PyVTKClass_Add@PLT\n finish\n"
    + '.section .rodata\n doc: .ascii "' + "".join(f"attack({number:x})\\nC++: a\\n" for number in range(3000)) + '"\n .byte 0\n'
    + KIND + "methods: .rept 28\n .quad text, attack, 1, doc\n .endr\n" + END,
    "a thousand classes deep": BEGIN + "".join(
        f"begin f{number}\n lea name{number}(%rip), %rdx\n lea table(%rip), %rsi\n call PyVTKClass_Add@PLT\n"
        f"lea name{number + 1}(%rip), %rdi\n call {tables.VTK_BASE}@PLT\n finish\n" for number in range(900)
    ) + "begin attack\n" + CALL + "finish\n .section .rodata\n" + "".join(f'name{number}: .string "c{number}"\n' for number in range(901)) + END,
    "a doc in many entries": BEGIN + "begin attack\n" + CALL + "finish\n .data\n .balign 8\n .rept 700\n .quad text, attack, 1, long\n .endr\n" + END,
    "properties in many classes": BEGIN + "begin attack\n" + CALL + "finish\n .data\n .balign 8\n properties: .rept 300\n .quad text, attack, 0, long, 0\n .endr\n .quad 0\n"
    + "".join(f".quad 1, 0, 0, text, 16, 0, attack\n .fill 24, 8, 0\n .quad properties + {40 * number}\n .fill 30, 8, 0\n" for number in range(60)) + END,
    "heap types in each other": BEGIN + "begin attack\n" + CALL + "finish\n .data\n .balign 8\n many: .rept 600\n .quad 50, attack, 66, 0\n .endr\n .quad 0\n"
    + "".join(f".quad text, 0, 0, many + {32 * number}\n" for number in range(400)) + END,
    "one method table, many owners": BEGIN + "begin attack\n" + CALL + "finish\n .data\n .balign 8\n .rept 1500\n .quad 64, table\n .endr\n .quad 0\n" + END,
    "names that grow": BEGIN + "begin attack\n cmp $1, %rax\n je 1f\n" + CALL + f"call {BOMB}@PLT\n ret\n 1: call {BOMB}@PLT\n call PyVTKClass_Add@PLT\n finish\n"
    + '.section .rodata\n doc: .string "attack(a)\\nC++: void attack(int)\\nattack()\\nC++: void attack()\\n"\n'
    + KIND + "methods: .quad text, attack, 1, doc, 0, 0, 0, 0\n" + END,
    "one name for many symbols": BEGIN + "begin attack\n" + CALL + "finish\n" + "".join(f".globl s{number}\n s{number} = attack\n" for number in range(1200)) + END,
}  # fmt: skip


@pytest.fixture(scope="session")
def attacks(tmp_path_factory):
    """Small files, each made to be slow or large to read in a way of its own."""
    if shutil.which("g++") is None:
        pytest.skip("no g++ here to make extensions with")
    if not sys.platform.startswith("linux") or sysconfig.get_platform() != "linux-x86_64":
        pytest.skip("written for x86-64's assembler")
    folder = tmp_path_factory.mktemp("attacks")
    (folder / "init.cpp").write_text('extern "C" int PyModule_Create2(void*, int); extern "C" int PyInit_attack() { return PyModule_Create2(0, 0); }')
    subprocess.run(["g++", "-c", "-fPIC", "init.cpp"], cwd=folder, check=True)
    made = {}
    for number, (name, source) in enumerate(ATTACKS.items()):
        (folder / f"{number}.s").write_text(textwrap.dedent(source))
        made[name] = folder / f"attack{number}.so"
        command = ["g++", "-shared", "-s", "-Wl,-z,noseparate-code", f"{number}.s", "init.o", "-o", made[name]]
        subprocess.run(command, cwd=folder, check=True)
    sizes = {name: path.stat().st_size for name, path in made.items()}
    assert not {name: size for name, size in sizes.items() if size > 150_000}
    return made


@pytest.mark.parametrize("name", ATTACKS)
def test_work_is_bounded(attacks, name):
    ((kind, words, seconds),) = in_child(attacks[name])
    assert kind in {"audit", "refusal"}, (kind, words)
    assert seconds < PROCESSOR_SECONDS


# ---------------------------------------------------------------------------------------------- wheels

LINUX = "hostile-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"


def wheel(folder, members, name=LINUX, compression=zipfile.ZIP_DEFLATED):
    """An archive of these members, with no questions asked about their names."""
    path = folder / name
    with zipfile.ZipFile(path, "w", compression) as archive:
        for member, content in members.items():
            archive.writestr(zipfile.ZipInfo(member), content, compression)
    return path


def test_a_wheel_is_read_without_installing_it(extensions, tmp_path):
    found = named(wheel(tmp_path, {"pkg/hostile.cpython-311-x86_64-linux-gnu.so": extensions["plain"], "pkg/__init__.py": b"raise SystemExit"}))
    assert verdicts(found) == verdicts(audited(written(tmp_path, extensions["plain"])))
    assert (found.package, found.version, found.modules[0].module) == ("hostile", "1.0", "pkg.hostile")


def test_an_error_in_a_wheel_names_the_member(extensions, tmp_path):
    found = named(wheel(tmp_path, {"pkg/bad.so": extensions["plain"][:3000], "pkg/good.so": extensions["plain"]}))
    refused(found, LINUX, "pkg/bad.so", "cut short")
    assert "gilgen-audit" not in str(found)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\5\6" + bytes(18), b"PK\5\6" + b"\xff" * 18, b"\x7fELF" + bytes(500)])
def test_a_wheel_that_is_no_archive(tmp_path, content):
    refused(named(written(tmp_path, content, LINUX)), LINUX)


def test_a_wheel_that_is_not_there(tmp_path):
    refused(named(tmp_path / LINUX), "does not exist")
    (tmp_path / LINUX).mkdir()
    refused(named(tmp_path / LINUX), "not a file")


@pytest.mark.parametrize("name", ["x.whl", "-.whl", "a-b-c-d-e.whl", "hostile-1.0.whl", f"hostile-1.0-{'9' * 200}-cp311-cp311-any.whl", "hostile-x-y-z-w-v-u.whl", "hostile-1.0-...whl", ".whl"])
def test_names_that_no_wheel_has(tmp_path, name):
    assert isinstance(named(written(tmp_path, b"", name)), GilgenError)


@pytest.mark.parametrize("platform", ["win_amd64", "macosx_11_0_arm64", "manylinux_2_17_i686", "musllinux_1_2_armv7l", "manylinux_2_28_ppc64le", "win32.win_amd64"])
def test_a_wheel_for_other_systems_only(extensions, tmp_path, platform):
    path = wheel(tmp_path, {"hostile.so": extensions["plain"]}, f"hostile-1.0-cp311-cp311-{platform}.whl")
    refused(named(path), platform.partition(".")[0], "Linux")


def test_a_wheel_without_a_library(tmp_path):
    refused(named(wheel(tmp_path, {"hostile.py": b"", "hostile.so.py": b"", "hostile.pyd": b"MZ", "folder.so/": b""})), "no compiled modules")


@pytest.mark.parametrize("member", ["{}/escaped.so", "../escaped.so", "pkg/../../escaped.so", "..\\escaped.so", "pkg/\x1b[2Jescaped.so", "a" * 60000 + ".so"])
def test_members_that_would_leave_the_folder(extensions, tmp_path, member):
    (tmp_path / "inside").mkdir()
    member = member.format(tmp_path)
    found = named(wheel(tmp_path / "inside", {member: extensions["plain"]}))
    assert isinstance(found, Audit) == (".." not in member.split("/") and member[0] != "/" and member.isprintable())
    assert {path.name for path in tmp_path.rglob("*")} == {"inside", LINUX}


def test_two_members_of_one_name(extensions, tmp_path):
    with zipfile.ZipFile(tmp_path / LINUX, "w") as archive:
        archive.writestr("hostile.so", b"text")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("hostile.so", extensions["plain"])
    assert isinstance(named(tmp_path / LINUX), (Audit, GilgenError))


def central(content):
    """Where the first entry of an archive's directory begins."""
    return bytes(content).rindex(b"PK\1\2")


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 0xFFFFFFFE])
def test_a_wheel_whose_sizes_lie(extensions, tmp_path, size):
    content = bytearray(wheel(tmp_path, {"hostile.so": extensions["plain"]}).read_bytes())
    struct.pack_into("<I", content, central(content) + 24, size)
    struct.pack_into("<I", content, 22, size)
    refused(named(written(tmp_path, content, LINUX)), LINUX)


def test_nine_gigabytes_are_refused_before_they_are_unpacked(tmp_path):
    """Two members that say so, and hold a few bytes; then one that really unpacks to much more than a wheel does."""
    content = bytearray(wheel(tmp_path, {"a.so": bytes(1000), "b.so": bytes(1000), "c.so": bytes(1000)}).read_bytes())
    place = -1
    while (place := content.find(b"PK\1\2", place + 1)) >= 0:
        struct.pack_into("<I", content, place + 24, 3_000_000_000)
    refused(named(written(tmp_path, content, LINUX)), "9000000000 bytes")
    ((kind, words, seconds),) = in_child(wheel(tmp_path, {"a.so": bytes(64 << 20)}))
    assert (kind, "would unpack to" in words) == ("refusal", True)
    assert seconds < 1


@pytest.mark.parametrize("pack", [(zipfile.ZIP_BZIP2, bz2.compress), (zipfile.ZIP_LZMA, lzma.compress)], ids=["bzip2", "lzma"])
def test_a_denser_compression_that_lies(tmp_path, pack):
    """The directory says a few bytes; the data unpack to many."""
    kind, _ = pack
    content = bytearray(wheel(tmp_path, {"a.so": bytes(48 << 20)}, compression=kind).read_bytes())
    struct.pack_into("<I", content, central(content) + 24, 4096)
    struct.pack_into("<I", content, 22, 4096)
    ((said, words, seconds),) = in_child(written(tmp_path, content, LINUX))
    assert said == "refusal", words
    assert seconds < PROCESSOR_SECONDS


COMPRESSIONS = [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.fixture(scope="session")
def wheels(extensions, tmp_path_factory):
    """A wheel of each compression: its bytes."""
    members = {"hostile.so": extensions["plain"], "a.py": b"pass"}
    return {kind: wheel(tmp_path_factory.mktemp("wheels"), members, compression=kind).read_bytes() for kind in COMPRESSIONS}


def test_damaged_compressed_data(wheels, tmp_path):
    for content in wheels.values():
        for place in range(60, content.index(b"PK\1\2") - 60, 211):
            changed = bytearray(content)
            changed[place : place + 8] = b"\xff" * 8
            if changed != content:
                refused(named(written(tmp_path, changed, LINUX)), LINUX)


def test_an_encrypted_member(extensions, tmp_path):
    content = bytearray(wheel(tmp_path, {"hostile.so": extensions["plain"]}).read_bytes())
    content[6] |= 1
    content[central(content) + 8] |= 1
    refused(named(written(tmp_path, content, LINUX)), LINUX)


# --------------------------------------------------------------------------------------------- fuzzing

fuzz = settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

VALUES = st.sampled_from([0, 1, 7, 8, 0x7F, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 47, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]) | st.integers(0, (1 << 64) - 1)


def as_arm(content):
    """The same file for another processor: its code is noise there, its tables are not."""
    forged = Forgery(content)
    for table, size in ((elf.DT_RELA, elf.DT_RELASZ), (elf.DT_JMPREL, elf.DT_PLTRELSZ)):
        with contextlib.suppress(AssertionError):
            start, length = forged.table(table), forged.number(forged.tag(size))
            for place in range(start, start + length, 24):
                kind = elf.RELOCATIONS["x64"].get(forged.number(place + 8, "<I"))
                forged.put(place + 8, next((number for number, name in elf.RELOCATIONS["AArch64"].items() if name == kind), 0), kind="I")
    forged.put(18, 183, kind="H")
    return bytes(forged.content)


@pytest.fixture(scope="session")
def originals(extensions):
    """What is changed: each variant, for its processor and for another."""
    return {**extensions, **{f"{name} arm": as_arm(content) for name, content in extensions.items()}}


KINDS = [*VARIANTS, *(f"{name} arm" for name in VARIANTS)]
seen: Counter[str] = Counter()


def try_(path, content, kind):
    found = audited(written(path, content))
    seen[f"{kind} {'audit' if isinstance(found, Audit) else 'refusal'}"] += 1


def places(content):
    """What a change is worth most in: headers and the tables that they name, not padding."""
    forged = Forgery(content)
    regions = [(0, 0x400), (forged.unwind, 0x200)]
    for place in forged.headers[elf.PT_DYNAMIC] + forged.headers[elf.PT_LOAD]:
        offset, _, _, size = struct.unpack_from("<QQQQ", content, place + 8)
        regions.append((offset, min(size, len(content) - offset)))
    return st.sampled_from(regions).flatmap(lambda region: st.integers(region[0], max(region[0], region[0] + region[1] - 9)))


def test_arm_variants_are_read_at_all(originals, tmp_path):
    for name in VARIANTS:
        assert isinstance(audited(written(tmp_path, originals[f"{name} arm"])), Audit)


@fuzz
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_bytes_changed(originals, tmp_path, data, kind):
    content = bytearray(originals[kind])
    where = places(originals[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(where)] ^= data.draw(st.integers(1, 255))
    try_(tmp_path, content, "bytes")


@fuzz
@given(data=st.data(), kind=st.sampled_from(KINDS), value=VALUES, size=st.sampled_from([2, 4, 8]))
def test_words_changed(originals, tmp_path, data, kind, value, size):
    content = bytearray(originals[kind])
    where = places(originals[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(where) // size * size
        content[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    try_(tmp_path, content, "words")


@fuzz
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_parts_moved(originals, tmp_path, data, kind):
    """A stretch of the file written over another one: tables that are well-formed, and wrong."""
    content = bytearray(originals[kind])
    where = places(originals[kind])
    for _ in range(data.draw(st.integers(1, 3))):
        source, target, length = data.draw(where), data.draw(where), data.draw(st.sampled_from([8, 16, 24, 40, 56, 64, 400]))
        part = bytes(content[source : source + length])
        content[target : target + len(part)] = part
        del content[len(originals[kind]) :]
    try_(tmp_path, content, "moved")


@fuzz
@given(data=st.data(), kind=st.sampled_from(KINDS))
def test_truncated_and_changed(originals, tmp_path, data, kind):
    content = bytearray(originals[kind])
    content[data.draw(places(originals[kind]))] ^= data.draw(st.integers(1, 255))
    try_(tmp_path, content[: data.draw(st.integers(0, len(content)))] + bytes(data.draw(st.sampled_from([0, 0, 1, 20_000]))), "cut")


@fuzz
@given(data=st.data(), kind=st.sampled_from(["x64", "AArch64"]))
def test_any_bytes_as_code(data, kind):
    """Every instruction is read, or ends the reading; arguments and loops are looked for in all of them."""
    raw = data.draw(st.binary(min_size=4, max_size=200))

    class Noise:
        machine = kind
        path = "noise"

        def read(self, start, size):
            return raw[start - 4096 : start - 4096 + size]

        def spend(self, effort):
            assert effort <= len(raw)

    code = Code.__new__(Code)
    code.library, code.arm = Noise(), kind == "AArch64"
    code._disassembler = capstone.Cs(*((capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM) if code.arm else (capstone.CS_ARCH_X86, capstone.CS_MODE_64)))
    code.starts, code.ends = np.array([4096]), np.array([4096 + len(raw)])
    for start in range(4096, 4096 + len(raw), 4):
        found, _ = code.decode(start, 4096 + len(raw))
        assert all(abs(instruction.target) < 1 << 65 for instruction in found)
        code.only_fills(start, 4096 + len(raw))
    code.arguments(0, 4096 + len(raw))


@fuzz
@given(data=st.data(), kind=st.sampled_from(COMPRESSIONS))
def test_wheels_changed(wheels, tmp_path, data, kind):
    content = bytearray(wheels[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 80) | st.integers(central(content) - 60, len(content) - 1) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    outcome(lambda: auditing.audit_path(str(written(tmp_path, content, LINUX))))


def test_what_was_changed_was_still_read_sometimes():
    """Control: the files that were fuzzed are near enough to real ones that many are audited to the end, and many refused."""
    if not seen:
        pytest.skip("the fuzzing did not run in this process")
    for kind in ("bytes", "words", "moved"):
        assert seen[f"{kind} audit"] >= 10, seen
        assert seen[f"{kind} refusal"] >= 5, seen
