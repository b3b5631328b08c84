"""Plan + exact headers -> C++ that includes them and asserts, method by method, what the shims rest on.

libclang said what each method's type is, and `carriers.py` what carries it through a call. Here the compiler
itself is asked: does the class have a method of exactly this type, and would each of its parameters travel as the
shim has it? It can only be asked with headers of the wheel's own version; others declare other methods.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from gilgen import build, demangle, generate, headers, scan, store, toolkits
from gilgen._version import __version__
from gilgen.errors import CompileError, HeadersNotFoundError
from gilgen.model import Api, Decision, Headers, Plan
from gilgen.toolkits.base import Installation, Toolkit

Notify = Callable[[str], None]

PIECE = 800
"""Methods in one file, at most. What the files share of the headers is read for each: for vtk 9.6.2 in two files g++ takes
7 s and 0.5 GB each, in four 5 s each."""

FLAGS = ("-std=c++17", "-O0", "-w", "-fmax-errors=5")
"""Flags of every check; the warnings would be about the toolkit's headers."""

_ANYTHING = "gilgen::Anything"
_WORDS = re.compile(r"[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*")
_BLOCK = re.compile(r"^// (?P<python>\S.*)\n//     (?P<declaration>.*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Checks:
    """C++ that checks a plan.

    Attributes:
        files: name -> text.
        methods: how many it asks about.
        left_out: how many released methods it does not ask about, by reason.
    """

    files: dict[str, str]
    methods: int
    left_out: dict[str, int]


@dataclass(frozen=True, slots=True)
class Checked:
    """What `ensure` found.

    Attributes:
        asked: whether the headers are of the wheel's own version, so that they could be asked.
        methods: confirmed by the compiler.
        left_out: released methods that it could not be asked about, by reason.
        seconds: how long it took; 0.0 where the cache had it.
    """

    toolkit: str
    version: str
    headers: str
    asked: bool
    methods: int = 0
    left_out: dict[str, int] | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        """One line for people."""
        name = f"{self.toolkit} {self.version}"
        if not self.asked:
            why = f"the headers are of {self.headers}" if self.headers else f"there are no headers here (gilgen headers {self.toolkit} --fetch)"
            return (
                f"{name}: the compiler was not asked, because {why}; each shim is confirmed by the "
                "installed libraries' own symbols, and its result by the installed package's declarations."
            )
        rest = "".join(f"; {count} not asked: {why}" for why, count in (self.left_out or {}).items())
        return f"{name}: the compiler confirms the types of {self.methods} methods against the headers{rest}."


@dataclass(frozen=True, slots=True)
class _Check:
    """One method as the template sees it."""

    number: int
    python: str
    declaration: str
    scope: str
    name: str
    kind: str
    parameters: str
    inside: str
    spelled: str
    result: str
    upstream: str
    shim: str
    carriers: tuple[str, ...]


def exact(headers: Headers) -> bool:
    """Whether headers are of the wheel's own version, by its numbers: "9.6.2rc1" is 9.6.2."""
    return bool(headers.root) and headers.version == ".".join(re.findall(r"\d+", headers.wheel_version)[:3])


def sources(plan: Plan, api: Api, incomplete: Iterable[str] = (), piece: int = PIECE) -> Checks:
    """The C++ that checks `plan` against the headers that `api` was read from.

    Args:
        plan: what to check.
        api: what the headers declare.
        incomplete: headers that include what is not on this machine; no compiler could read them.
        piece: methods in one file, at most.
    """
    where = _Headers(api, set(incomplete))
    left_out: Counter[str] = Counter()
    found: list[tuple[_Check, frozenset[str]]] = []
    for number, decision in enumerate(generate.released(plan)):
        member = demangle.member(decision.symbol)
        needed = where.of(decision, member) if member else frozenset()
        if member is None or not needed:
            left_out["no header declares the class by its own name"] += 1
        elif needed & where.unusable:
            left_out["a header that its own needs is not on this machine"] += 1
        else:
            found.append((_check(plan, number, decision, member, where), needed))
    environment = generate.environment(toolkit=plan.toolkit, version=plan.version, gilgen=__version__)
    template = environment.get_template("checks.cpp.jinja")
    files = {}
    count = -(-len(found) // piece) or 1
    for index in range(count):
        part = found[index * len(found) // count : (index + 1) * len(found) // count]
        included = sorted({header for _, needed in part for header in needed})
        files[f"checks-{index + 1}.cpp"] = template.render(headers=included, checks=[check for check, _ in part])
    return Checks(files, len(found), dict(sorted(left_out.items())))


class _Headers:
    """Which headers a method's types need."""

    def __init__(self, api: Api, incomplete: set[str]) -> None:
        self._of = {cls.name: cls.header for cls in api.classes}
        self._templates = {(cls.name, method.name) for cls in api.classes for method in cls.methods if method.kind == "template"}
        self.unusable = scan.including(api.headers.root, set(self._of.values()), incomplete)

    def of(self, decision: Decision, member: demangle.Member) -> frozenset[str]:
        """The headers of all classes that a method's symbol and its declared result name; none where its own has none."""
        own = self._of.get(member.template)
        if own is None:
            return frozenset()
        around = member.template.split("::")
        words = _WORDS.findall(f"{member.scope} {' '.join(member.parameters)}")
        # The result is spelled as it may be inside the class.
        words += ["::".join([*around[:depth], word]) for word in _WORDS.findall(_result(decision, member)) for depth in range(len(around) + 1)]
        return frozenset(filter(None, (own, *(self._header(word) for word in words))))

    def namespace(self, member: demangle.Member) -> str:
        """The namespace around a class, or around the classes around it; empty where there is none."""
        parts = member.template.split("::")
        outermost = next(count for count in range(1, len(parts) + 1) if "::".join(parts[:count]) in self._of)
        return "::".join(parts[: outermost - 1])

    def overloaded(self, member: demangle.Member) -> bool:
        """Whether a template has the method's name, too: no overload can be picked by its parameters alone then."""
        return (member.template, member.name) in self._templates

    def _header(self, name: str) -> str | None:
        """The header of a class, or of the class around what `name` is."""
        while name and name not in self._of:
            name = name.rpartition("::")[0]
        return self._of.get(name)


def _result(decision: Decision, member: demangle.Member) -> str:
    """The result as the header spells it; empty where the declaration does not say."""
    head = decision.declaration.rpartition(f" {member.scope}::{member.name}(")[0]
    return re.sub(r"^(static |virtual )+", "", head)


def _check(plan: Plan, number: int, decision: Decision, member: demangle.Member, where: _Headers) -> _Check:
    spelled = _result(decision, member)
    plain = spelled in demangle.BUILT_IN or spelled == "void"
    inside = "::".join(filter(None, (where.namespace(member), f"check_{number}")))
    result = spelled if plain else f"{inside}::Names::Result" if spelled else _ANYTHING
    kind = "function" if decision.static else "constant" if member.const else "method"
    return _Check(
        number=number,
        python=decision.python,
        declaration=" ".join(decision.declaration.split()).replace("\\", "/"),
        scope=member.scope,
        name=member.name,
        kind=f"template only_{kind}<{result}, {member.scope}>" if where.overloaded(member) else kind,
        parameters=", ".join(member.parameters),
        inside=inside,
        spelled="" if plain else spelled,
        result=result,
        upstream=toolkits.get(plan.toolkit).root_class if decision.followed else _ANYTHING,
        shim=generate.result_type(decision.carriers[0], "aarch64"),  # where the kinds have names of their own
        carriers=tuple("gilgen::Hidden" if carrier == "Hidden" else carrier for carrier in decision.carriers),
    )


_NOT_FOUND = re.compile(r"'([^']+)' file not found")


def incomplete(api: Api, compiler: build.Compiler, flags: Iterable[str] = ()) -> set[str]:
    """The headers that libclang found to include what was not there, and for which the compiler does not have it either."""
    missing = {dropped.header: found[1] for dropped in api.dropped if (found := _NOT_FOUND.search(dropped.error))}
    asked = sorted(set(missing.values()))
    question = "".join(f"#if !__has_include(<{name}>)\nlacking {number}\n#endif\n" for number, name in enumerate(asked))
    with tempfile.TemporaryDirectory(prefix="gilgen-check-") as scratch:
        source = Path(scratch) / "lacking.cpp"
        source.write_text(question, encoding="utf-8")
        answer = build.call([*compiler.command, *FLAGS, *flags, *_folders(api.headers), "-E", str(source)])
    lacking = {asked[int(number)] for number in re.findall(r"^lacking (\d+)", answer, re.MULTILINE)}
    return {header for header, name in missing.items() if name in lacking}


def _folders(headers: Headers) -> list[str]:
    return [f"-I{headers.root}", *(word for folder in headers.includes for word in ("-isystem", folder))]


def library_flags(compiler: build.Compiler) -> list[str]:
    """What makes zig read the C++ library's headers that the toolkits were built with, in place of its own."""
    found = sorted((folder for folder in Path("/usr/include/c++").glob("[0-9]*") if folder.name.isdecimal()), key=lambda folder: int(folder.name))
    if not compiler.zig or not found:
        return []
    newest = found[-1]
    return ["-nostdinc++", f"-I{newest}", *(f"-I{folder}" for folder in sorted(Path("/usr/include").glob(f"*/c++/{newest.name}"))), f"-I{newest}/backward"]


def compile_checks(checks: Checks, headers: Headers, compiler: build.Compiler, flags: Iterable[str] = (), notify: Notify = lambda _: None) -> None:
    """Compile checks against headers.

    Args:
        checks: what to compile.
        headers: where the toolkit's headers are.
        compiler: what to compile with.
        flags: further flags, for example the string library's choice.
        notify: called with the name of each file when it is compiled.

    Raises:
        CompileError: a method is not what the plan says; the message names the first.
    """
    failed = threading.Event()
    with tempfile.TemporaryDirectory(prefix="gilgen-check-") as scratch, resources.as_file(resources.files("gilgen.native")) as native:
        folders = [f"-I{native}", *_folders(headers)]

        def compile_one(name: str) -> None:
            if failed.is_set():
                return
            source = Path(scratch) / name
            source.write_text(checks.files[name], encoding="utf-8")
            try:
                build.call([*compiler.command, *FLAGS, *flags, *folders, "-c", str(source), "-o", str(source.with_suffix(".o"))])
            except CompileError as error:
                failed.set()
                raise _explained(error, checks.files[name], name) from None
            notify(name)

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for _ in pool.map(compile_one, sorted(checks.files)):
                pass


def _explained(error: CompileError, text: str, name: str) -> CompileError:
    """The compiler's words, with the method that they are about in front."""
    words = str(error).partition("\n\n")[2].removesuffix(error.advice).rstrip()
    lines = text.splitlines()
    first = lines.index('#include "check.hpp"') + 1  # what comes before are the toolkit's headers
    mentioned = (int(number) for number in re.findall(rf"{re.escape(name)}:(\d+):", words))
    line = next((number for number in mentioned if number > first), None)
    blocks = list(_BLOCK.finditer("\n".join(lines[first:line]))) if line else []
    if not blocks:
        return error
    about = blocks[-1]
    return CompileError(
        f"The compiler and the plan disagree about {about['python']} ({about['declaration']}):\n\n{words}\n",
        "Nothing was built. If a second run says the same, that is a bug in gilgen: please report it with the text above.",
    )


def _at_hand(toolkit: Toolkit, installation: Installation) -> Headers | None:
    """Headers on this machine, where the plan was made without any."""
    try:
        return headers.find(toolkit, installation, fetch=False)
    except HeadersNotFoundError:
        return None


def ensure(planned: store.Made, plan: Plan, notify: Notify = lambda _: None) -> Checked:
    """Check a plan with this machine's compiler, once: what was confirmed is kept in the cache.

    Raises:
        CompileError: a method is not what the plan says; the message names the first.
        NoCompilerError, ScanError, StoreError, ArtefactError: as they say.
    """
    toolkit = toolkits.get(plan.toolkit)
    installation = toolkit.installation()
    found = plan.headers if plan.headers.root else _at_hand(toolkit, installation)
    if found is None or not exact(found):
        return Checked(plan.toolkit, plan.version, found.version if found else "", asked=False)
    compiler = build.find_compiler()
    flags = [*library_flags(compiler), *scan.string_flags(installation), *(f"-D{macro}" for macro in toolkit.check_macros)]

    def make(folder: Path) -> None:
        api = scan.scan(toolkit, installation, found, notify)
        checks = sources(plan, api, incomplete(api, compiler, flags))
        notify(f"Checking {checks.methods} methods of {plan.toolkit} {plan.version} against its headers")
        compile_checks(checks, found, compiler, flags, notify)
        for name, text in checks.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        store.write(folder / "checked.json", Checked(plan.toolkit, plan.version, found.version, asked=True, methods=checks.methods, left_out=checks.left_out))

    key = store.key_of(planned.key, headers.identity(found), *generate.ingredients(), *FLAGS, *flags, *compiler.command, compiler.version)
    made = store.ensure("check", plan.toolkit, plan.version, key, make, notify)
    return replace(store.read(made.folder / "checked.json", Checked), seconds=made.seconds)
