"""Api + what Python sees + symbols + rules + configuration -> Plan: release or keep, each with its reason.

The order in which a method is decided: what the user excludes is kept; what a hazard or the calling
convention forbids is kept; what the user includes, and what a family of methods known to block names,
is released; everything else is kept because nothing says that it blocks. With a profile of the user's program
just those methods are released that held the GIL there, whether a family names them or not.
"""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from gilgen import config, declared, demangle, facts, profiled, rules, store, toolkits
from gilgen.audit.records import State
from gilgen.config import Config
from gilgen.manifest import Coverage, Definition, Guard, Library
from gilgen.model import Action, Api, Base, Class, Decision, Method, Plan
from gilgen.toolkits.base import ExposedClass, Installation, Toolkit

Notify = Callable[[str], None]

FILE = "plan.json"

NOT_THREAD_SAFE = "hazard:wrappers-not-thread-safe"

ABSENT = ("absent", "Compiled into the wrapper's own module, which exports no symbol for it, so no slot names it.")

NO_HEADER = ("no-header", "None of the headers declares the class, so nobody can tell which function the call ends in.")

UNCONFIRMED = ("hazard:result-unconfirmed", "The headers are of another version, and the installed package does not confirm the type of the result.")

REAL = frozenset({"float", "double"})


def plan(
    installation: Installation,
    api: Api,
    exposed: tuple[ExposedClass, ...],
    settings: Config,
    wrappers: Mapping[str, State] | None = None,
    held: tuple[str, ...] | None = None,
) -> Plan:
    """Decide every method of a toolkit that a rule or the user names.

    Args:
        installation: the toolkit as it is installed.
        api: what its headers declare.
        exposed: what its package exposes to Python.
        settings: the user's own word.
        wrappers: what the audit found of wrappers that may release, by Python name; all others hold. None:
            nothing was audited, and the wrappers are taken for those of a build with full thread safety.
        held: Python names of the methods that held the GIL in a profile: just these are released. None: there is no profile.

    Raises:
        ConfigError: the rules are damaged.
        ArtefactError: one of the toolkit's libraries cannot be read.
    """
    planner = _Planner(installation, api, exposed, settings, wrappers, held)
    return planner.plan()


def ensure(name: str, headers_dir: Path | None, notify: Notify, held: tuple[str, ...] | None = None) -> store.Made:
    """Make a toolkit's plan unless it is there, and all that it needs.

    Args:
        name: the toolkit.
        headers_dir: a folder of headers that the user named, if any.
        notify: called with remarks on what is under way.
        held: as for `plan`.

    Raises:
        ToolkitNotFoundError, HeadersNotFoundError, ScanError, ConfigError, ArtefactError, StoreError: as they say.
    """
    toolkit = toolkits.get(name)
    installation = toolkit.installation()
    settings = config.load()
    found = declared.choose(toolkit, installation, headers_dir, notify)
    key = store.key_of(
        installation.key, installation.root, declared.key(toolkit, found), rules.text(name), settings.include, settings.exclude, settings.guard,
        *(("profile", *held) if held is not None else ()),
    )  # fmt: skip

    def make(folder: Path) -> None:
        api = declared.read(toolkit, installation, found, notify)
        notify(f"Reading what {name} {installation.version} exposes and defines")
        seen = exposed(toolkit, installation)
        store.write(folder / FILE, plan(installation, api, seen, settings, _audited(toolkit, installation), held))

    return store.ensure("plan", name, installation.version, key, make, notify)


def _audited(toolkit: Toolkit, installation: Installation) -> dict[str, State]:
    """What the wrappers do that bear the name of a method of some rule's; the others need no reading."""
    from gilgen.audit import auditing, package  # noqa: PLC0415 - a plan from the cache needs none of it

    patterns = tuple({pattern for family in rules.load(toolkit.name).families for pattern in family.methods})
    libraries = {path: installation.root / path for path in installation.libraries}
    found = package.Package(toolkit.name, installation.version, libraries)
    return auditing.releasing(found, lambda name: name == toolkit.releasing_witness or rules.matches(name.rpartition(".")[2], patterns))


def read(made: store.Made) -> Plan:
    """The plan that `ensure` made or found."""
    return store.read(made.folder / FILE, Plan)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Everything that an installed package exposes to Python."""

    classes: tuple[ExposedClass, ...]


def exposed(toolkit: Toolkit, installation: Installation) -> tuple[ExposedClass, ...]:
    """What the installed package exposes, from the cache where it is unchanged."""

    def make(folder: Path) -> None:
        store.write(folder / "exposed.json", Exposure(toolkit.exposed(installation)))

    made = store.ensure("exposed", toolkit.name, installation.version, store.key_of(installation.key, installation.root), make)
    return store.read(made.folder / "exposed.json", Exposure).classes


class _Planner:
    def __init__(
        self,
        installation: Installation,
        api: Api,
        exposed: tuple[ExposedClass, ...],
        settings: Config,
        wrappers: Mapping[str, State] | None = None,
        held: tuple[str, ...] | None = None,
    ) -> None:
        self.installation = installation
        self.toolkit = toolkits.get(installation.toolkit)
        self.api = api
        self.config = settings
        self.rules = rules.load(installation.toolkit)
        self.classes = {cls.name: cls for cls in api.classes}
        self.exposed = exposed
        self.types_by_python = {cls.name: cls.cxx for cls in exposed}
        self.exposed_by_type = {demangle.normal(cls.cxx): cls for cls in exposed}
        self.names_by_template: dict[str, set[str]] = defaultdict(set)
        for cls in exposed:
            self.names_by_template[demangle.normal(cls.cxx).partition("<")[0]].update(method.name for method in cls.methods)
        self._ancestry: dict[str, frozenset[str]] = {}
        self.libraries: list[Library] = []
        self.definitions: dict[str, list[Definition]] = defaultdict(list)
        self.held = None if held is None else profiled.resolve(held, {cls.name: cls for cls in exposed})
        self.held_names = frozenset().union(*(method.names for method in self.held or ()))
        self.passed_over: set[str] = set()
        self.undeclared = self._undeclared()
        self.classes |= self.undeclared
        self.wrappers = wrappers or {}
        witness = self.toolkit.releasing_witness
        self.wrappers_thread_safe = wrappers is None or not witness or wrappers.get(witness) in {"releases", "mixed"}

    def plan(self) -> Plan:
        candidates = list(self._candidates())
        self._read_libraries({method.symbol for _, method, _ in candidates if method.symbol})
        decisions = [
            self._decide(cls, method, family)
            for cls, method, family in candidates
            if cls.name not in self.undeclared or method.symbol in self.definitions
        ]
        decisions += self._decide_templates()
        decisions = [self._beside_wrapper(decision) for decision in self._unique(decisions)]
        coverage, decisions = self._coverage(decisions)
        notices = tuple(self._idle_settings())
        if self.held is not None:
            self.passed_over = {name for decision in decisions for name in decision.served}
            decisions = self._only_held(decisions)
            coverage, decisions = self._coverage(decisions)
            notices += tuple(self._unreleased(decisions))
        decisions.sort(key=lambda decision: (decision.python, decision.declaration, decision.symbol))
        return Plan(
            toolkit=self.installation.toolkit,
            version=self.installation.version,
            package=self.installation.package,
            distribution_key=self.installation.key,
            headers=self.api.headers,
            libraries=self._marked_libraries(decisions),
            decisions=tuple(decisions),
            coverage=coverage,
            distributions=self.installation.distributions,
            notices=notices,
        )

    # ------------------------------------------------------------------------------------ candidates

    def ancestry(self, name: str) -> frozenset[str]:
        """A class and all that it derives from, by name without template arguments."""
        known = self._ancestry.get(name)
        if known is None:
            self._ancestry[name] = frozenset({name})  # a class that derives from itself ends here
            cls = self.classes.get(name)
            bases = [self.ancestry(base.name) for base in cls.bases] if cls else []
            known = self._ancestry[name] = frozenset({name}).union(*bases)
        return known

    @functools.cache  # noqa: B019 - as above
    def family_of(self, cls: str, name: str, parameters: str) -> rules.Family | None:
        """The first family that names a method; what must hold comes before all, and then what the user includes."""
        ancestry = self.ancestry(cls)
        named = [family for family in self.rules.families if family.covers(ancestry, name, parameters)]
        if holding := next((family for family in named if family.serial), None):
            return holding
        if self._asked(self.config.include, cls, name):
            return rules.Family("config:include", f"Included by {self.config.file}.", frozenset({cls}), (name,))
        family = next(iter(named), None)
        if family is None and self.held_names and any(f"{spelling}.{name}" in self.held_names for spelling in self._spellings(cls)):
            return rules.Family(profiled.HELD, "It held the GIL in the profile.", frozenset({cls}), (name,))
        return family

    def _asked(self, patterns: tuple[str, ...], cls: str, name: str) -> bool:
        return any(rules.matches(f"{spelling}.{name}", patterns) for spelling in self._spellings(cls)) if patterns else False

    def _spellings(self, cls: str) -> list[str]:
        """The names by which a user may mean a C++ class."""
        python = self.exposed_by_type.get(demangle.normal(cls))
        short = cls.partition("<")[0].rpartition("::")[2]
        return [cls, f"{self.installation.toolkit}.{short}", *([python.name] if python else [])]

    @functools.cache  # noqa: B019 - the planner lives as long as one plan is made
    def _never(self, name: str) -> bool:
        """Whether a rule keeps every method of this name, so that it is not even a candidate."""
        return any(not keep.classes and keep.covers(frozenset(), name) for keep in self.rules.keeps)

    def _reachable(self, cls: str, name: str) -> bool:
        """Whether Python can call this method of an object of this class, by its own or by a base's wrapper."""
        return any(name in self.names_by_template.get(ancestor, ()) for ancestor in self.ancestry(cls))

    def _undeclared(self) -> dict[str, Class]:
        """Classes that must hold and that no header could be read of.

        They have what they may override of their bases' methods, and what the wheel's own documentation declares, where that says
        all that a shim must know.
        """
        by_name = {cls.name: cls for cls in self.exposed}
        found = {}
        for family in self.rules.families:
            for name in sorted(family.classes - self.classes.keys()) if family.serial else ():
                exposed = self.exposed_by_type.get(name)
                bases = tuple(Base(by_name[base].cxx, by_name[base].cxx) for base in exposed.bases if base in by_name) if exposed else ()
                overridable: dict[str, Method] = {}
                for ancestor in [cls for base in bases for cls in self._lineage(base.name)]:
                    for method in ancestor.methods:
                        if (method.virtual or method.override) and method.name in family.behind:
                            symbol = method.symbol.replace(f"{len(ancestor.name)}{ancestor.name}", f"{len(name)}{name}", 1)
                            overridable.setdefault(symbol, replace(method, symbol=symbol, virtual=True, override=True, pure=False, body="none"))
                for documented in exposed.methods if exposed else ():
                    for told in filter(None, map(_SIMPLE.fullmatch, documented.declarations)):
                        symbol = f"_ZN{len(name)}{name}{len(documented.name)}{documented.name}Ev"
                        overridable.setdefault(symbol, Method(documented.name, symbol, told["result"], told["result"], virtual=bool(told["virtual"])))
                found[name] = Class(name, "", 0, bases=bases, methods=tuple(overridable.values()))
        return found

    def _lineage(self, name: str) -> list[Class]:
        """A class and its bases, nearest first."""
        cls = self.classes.get(name)
        return [cls, *(ancestor for base in cls.bases for ancestor in self._lineage(base.name))] if cls else []

    def _candidates(self) -> Iterable[tuple[Class, Method, rules.Family]]:
        for cls in (*self.api.classes, *self.undeclared.values()):
            if cls.template:
                continue
            for method in cls.methods:
                if method.kind != "method" or method.deleted or not (method.access == "public" or method.virtual or method.override):
                    continue
                if self._never(method.name):
                    continue
                family = self.family_of(cls.name, method.name, _parameters(method))
                if family and (method.name in family.behind or self._reachable(cls.name, method.name)):
                    yield cls, method, family

    def _idle_settings(self) -> Iterable[str]:
        """A word on each pattern of the user's that plainly means this toolkit and names no method of it."""
        for field, patterns in (("include", self.config.include), ("exclude", self.config.exclude)):
            for pattern in patterns:
                if pattern.startswith(self.installation.toolkit) and not self._names_anything((pattern,)):
                    yield f"{self.config.file}: {field} has {pattern!r}, which names no method of {self.installation.toolkit} {self.installation.version}."

    def _names_anything(self, patterns: tuple[str, ...]) -> bool:
        wrapped = any(rules.matches(f"{cls.name}.{method.name}", patterns) for cls in self.exposed for method in cls.methods)
        return wrapped or any(self._asked(patterns, cls.name, method.name) for cls in self.api.classes for method in cls.methods)

    # --------------------------------------------------------------------------------------- symbols

    @functools.cached_property
    def _template_member(self) -> re.Pattern[bytes]:
        """Mangled members of class templates whose method some family names (Itanium C++ ABI, 5.1.2)."""
        patterns = {pattern for family in self.rules.families for pattern in (*family.methods, *(family.behind if family.serial else ()))} | {
            pattern.rpartition(".")[2] for pattern in (*self.config.include, *self.held_names)
        }
        names = "|".join(sorted(re.escape(pattern).replace(r"\*", r"\w*") for pattern in patterns if pattern != "*"))
        return re.compile(rf"^_ZNK?.*E\d+(?:{names})E".encode())

    def _read_libraries(self, symbols: set[str]) -> None:
        from gilgen.audit import elf  # noqa: PLC0415 - it brings numpy, which a plan from the cache does not need

        exact = {symbol.encode() for symbol in symbols}
        pattern = self._template_member
        known: dict[bytes, bool] = {}

        def wanted(name: bytes) -> bool:
            if not name.startswith(b"_ZN"):
                return False
            answer = known.get(name)
            if answer is None:
                answer = known[name] = name in exact or pattern.match(name) is not None
            return answer

        for path in self.installation.libraries:
            file = self.installation.root / path
            with elf.Library(file) as library:
                found = library.defined(wanted)
                for symbol, function in found.items():
                    self.definitions[symbol].append(Definition(path, function.address, function.size, function.code))
                self.libraries.append(
                    Library(
                        path=path,
                        size=file.stat().st_size,
                        build_id=library.build_id,
                        symbolic=library.carries_addresses(found),
                        uses_cpython=library.imports((b"Py", b"_Py")),
                    )
                )

    def _marked_libraries(self, decisions: list[Decision]) -> tuple[Library, ...]:
        """The libraries, with a mark on those whose definitions the shims stand before.

        A wrapper module of VTK's may hold a copy of an inline function, but never the only one.
        """
        defining = {one.library for decision in decisions if decision.action != "keep" for one in self.definitions[decision.symbol]}
        return tuple(
            replace(library, defines=library.path in defining and (self.toolkit.wrappers_hold_code or not library.uses_cpython))
            for library in self.libraries
        )

    # ------------------------------------------------------------------------------------- decisions

    def _decide(self, cls: Class, method: Method, family: rules.Family) -> Decision:
        """One overload of an ordinary class; its symbol is clang's own."""
        draft = Decision(
            python=f"{self._python_name(cls.name)}.{method.name}",
            declaration=_declaration(cls.name, method),
            symbol=method.symbol,
            action="keep",
            reason="",
            why="",
            carriers=(method.carrier, *(parameter.carrier for parameter in method.parameters)),
            static=method.static,
        )
        return self._judged(draft, cls.name, method, family)

    def _decide_templates(self) -> list[Decision]:
        """Instantiations of class templates, from the symbols that the libraries define."""
        decisions = []
        for symbol in sorted(self.definitions):
            member = demangle.member(symbol) if self._template_member.match(symbol.encode()) else None
            cls = self.classes.get(member.template) if member else None
            if member is None or cls is None or not cls.template:
                continue
            family = self.family_of(cls.name, member.name, ",".join(member.parameters))
            if family is None or not (member.name in family.behind or self._reachable(cls.name, member.name)):
                continue
            decisions.append(self._decide_member(symbol, member, cls, family))
        return decisions

    def _decide_member(self, symbol: str, member: demangle.Member, cls: Class, family: rules.Family) -> Decision:
        overloads = [
            method
            for method in cls.methods
            if method.name == member.name and len(method.parameters) == len(member.parameters) and method.const == member.const
        ]
        method = overloads[0] if overloads else None
        draft = Decision(
            python=f"{self._python_name(member.scope)}.{member.name}",
            declaration=f"{method.result if method else '?'} {member.scope}::{member.name}({', '.join(member.parameters)})",
            symbol=symbol,
            action="keep",
            reason="",
            why="",
            carriers=(method.carrier if method else "", *(demangle.carrier(kind) for kind in member.parameters)),
            static=method.static if method else False,
        )
        if method is None:
            return replace(draft, reason="not-declared", why="The headers declare no such method of the class template.")
        if any(_differs(method, other) for other in overloads):
            return replace(draft, reason="ambiguous", why="Several overloads of the class template take as many parameters, and only their results would tell them apart.")
        return self._judged(draft, cls.name, method, family)

    def _python_name(self, scope: str) -> str:
        """The Python class behind a C++ type; the C++ type itself where Python sees only its bases."""
        normal = demangle.normal(scope)
        exact = self.exposed_by_type.get(normal)
        if exact:
            return exact.name
        # The wrapping's tables leave default template arguments out; a demangled name has them all.
        for length in range(len(normal) - 1, normal.find("<"), -1):
            if normal[length] == ",":
                shorter = self.exposed_by_type.get(normal[:length] + ">")
                if shorter:
                    return shorter.name
        return scope

    def _judged(self, draft: Decision, cls: str, method: Method, family: rules.Family) -> Decision:
        """Fill in action, reason, guard and definitions."""
        kept = self._hazard(draft, cls, method, family)
        definitions = self.definitions.get(draft.symbol, [])
        chosen = self._chosen_guard(draft, cls)
        guard = chosen or family.guard
        action: Action = "keep" if kept else "serialize" if family.serial else "release"
        return replace(
            draft,
            action=action,
            reason=kept[0] if kept else (family.name if ":" in family.name else f"rule:{family.name}"),
            why=kept[1] if kept else family.why,
            guard=guard,
            guard_chosen=chosen is not None,
            sized=family.sized,
            followed=not draft.static and self.toolkit.root_class in self.ancestry(cls),
            library=definitions[0].library if definitions else "",
            copies=len(definitions),
            definitions=tuple(definitions),
        )

    def _chosen_guard(self, draft: Decision, cls: str) -> Guard | None:
        """The level that the user's configuration gives a method, or its class."""
        method = draft.python.rpartition(".")[2]
        names = (draft.python, *(name for spelling in self._spellings(cls) for name in (spelling, f"{spelling}.{method}")))
        return next((level for pattern, level in self.config.guard if any(rules.matches(name, (pattern,)) for name in names)), None)

    def _hazard(self, draft: Decision, cls: str, method: Method, family: rules.Family) -> tuple[str, str] | None:
        """Why a method that blocks is kept all the same: (reason, sentence); None where it gets a shim."""
        if family.serial:  # it protects: what cannot be served stays as it is, and nothing else is a reason
            return _unfit(draft, method) or self._unserved(draft, method) or self._other_result(cls, draft, method)
        if self._asked(self.config.exclude, cls, method.name) or rules.matches(draft.python, self.config.exclude):
            return "config:exclude", f"Excluded by {self.config.file}."
        ancestry = self.ancestry(cls)
        for keep in self.rules.keeps:
            if keep.covers(ancestry, method.name):
                return keep.reason, keep.why
        return (
            _unfit(draft, method)
            or self._unserved(draft, method)
            or self._unsafe(draft, cls, method, family)
            or self._hot(draft, family)
        )

    def _beside_wrapper(self, decision: Decision) -> Decision:
        """What the audit adds to a release: where the wrapper releases already, only the guard is new."""
        state = self.wrappers.get(decision.python)
        if decision.action != "release" or state not in {"releases", "mixed"}:
            return decision
        also = "The wrapper releases by itself" if state == "releases" else "The wrapper releases by itself for some overloads"
        return replace(decision, why=f"{decision.why} {also}; there the shim only adds the claim.")

    def _other_result(self, cls: str, draft: Decision, method: Method) -> tuple[str, str] | None:
        """A result that may be another than the headers say; whole numbers and pointers all travel alike."""
        if draft.carriers[0] not in {"Hidden", *REAL} or self._result_confirmed(cls, method):
            return None
        return UNCONFIRMED

    def _unserved(self, draft: Decision, method: Method) -> tuple[str, str] | None:
        if method.pure and draft.symbol not in self.definitions:
            return "pure-virtual", "Has no code of its own; each class that overrides it is decided by itself."
        if draft.symbol in self.definitions:
            return ABSENT if self._elsewhere(draft) else None
        if method.body == "macro":
            return "keep:trivial", "The whole method comes from a macro: releasing the GIL would cost more than the call."
        if method.body == "inline":
            return "inline", "Compiled into its callers: no library exports it, so no slot names it."
        return "not-exported", "No library of the installed package exports this function, so no slot names it."

    def _elsewhere(self, draft: Decision) -> bool:
        """Whether only modules define a function that wrap neither its class nor one that derives from it: these have code of their own."""
        used = self._modules.get(draft.python.rpartition(".")[0])
        return used is not None and all(one.library in self._wrapping and one.library not in used for one in self.definitions[draft.symbol])

    @functools.cached_property
    def _wrapping(self) -> frozenset[str]:
        """The extension modules that hold wrappers and code of the toolkit's own."""
        return frozenset(cls.module for cls in self.exposed if cls.module)

    @functools.cached_property
    def _modules(self) -> dict[str, set[str]]:
        """By Python class: the extension modules whose code its objects use, and those of the classes that derive from it."""
        by_name = {cls.name: cls for cls in self.exposed}
        found: dict[str, set[str]] = defaultdict(set)
        for cls in self.exposed:
            reached: set[str] = set()
            above = {cls.name} if cls.module else set()
            while above:
                reached |= above
                above = {base for name in above for base in by_name[name].bases if base in by_name} - reached
            for name in reached:
                found[name].add(cls.module)
        return found

    def _unsafe(self, draft: Decision, cls: str, method: Method, family: rules.Family) -> tuple[str, str] | None:
        libraries = {library.path: library for library in self.libraries}
        if not self.toolkit.wrappers_hold_code and all(libraries[one.library].uses_cpython for one in self.definitions[draft.symbol]):
            return "hazard:uses-cpython", "Defined in a library that calls CPython's API and counts on the GIL."
        if not self.wrappers_thread_safe and not family.contained:
            return (
                NOT_THREAD_SAFE,
                f"The wrappers of {self.installation.toolkit} {self.installation.version} touch Python objects without the GIL, and an observer could be reached from here.",
            )
        if not self._result_confirmed(cls, method):
            return UNCONFIRMED
        return None

    def _hot(self, draft: Decision, family: rules.Family) -> tuple[str, str] | None:
        passes = self.rules.hot.get(draft.symbol)
        if passes is None or family.name == "config:include":
            return None
        return "hazard:hot", f"C++ calls it {passes:,.0f} times for each call from Python: a shim would slow the toolkit's own work."

    @functools.cached_property
    def _declared_results(self) -> dict[tuple[str, str, int], set[str]]:
        """How results travel by the installed package's own words: (class, method, parameters) -> {"scalar", ...}."""
        results: dict[tuple[str, str, int], set[str]] = defaultdict(set)
        for cls in self.exposed:
            for method in cls.methods:
                for text in method.declarations:
                    parsed = _parse_declaration(text, method.name)
                    if parsed:
                        results[cls.cxx, method.name, parsed[1]].add(parsed[0])
        return results

    def _result_confirmed(self, cls: str, method: Method) -> bool:
        """Whether the installed package agrees with the headers on how the result travels."""
        if facts.same_release(self.api.headers.version, self.installation.version):
            return True
        wanted = "static " * method.static + _travel(method.result)
        said = {
            kind
            for ancestor in self.ancestry(cls)
            for kind in self._declared_results.get((ancestor, method.name, len(method.parameters)), ())
        }
        return said == {wanted}

    def _unique(self, decisions: list[Decision]) -> list[Decision]:
        """One release for each symbol: a method reached through two names is decided once."""
        seen: set[str] = set()
        result = []
        for decision in decisions:
            if decision.action != "keep":
                if decision.symbol in seen:
                    continue
                seen.add(decision.symbol)
            result.append(decision)
        return result

    # --------------------------------------------------------------------------------------- profile

    def _only_held(self, decisions: list[Decision]) -> list[Decision]:
        """Release what the profile names. All else that would be released keeps the GIL, but its guard still protects those calls."""
        wanted = frozenset(decision.symbol for method in self.held or () for decision in self._serving(method, decisions))

        def judged(decision: Decision) -> Decision:
            if decision.action != "release" or decision.reason == "config:include" or decision.symbol in wanted:
                return decision
            return replace(decision, action="keep", reason=profiled.NOT_HELD, why=profiled.NOT_HELD_WHY, served=())

        return [judged(decision) for decision in decisions]

    def _serving(self, method: profiled.Method, decisions: list[Decision]) -> list[Decision]:
        """The releases that a call of a method ends in, and those of subclasses that Python does not see."""
        released = [decision for decision in decisions if decision.action != "keep"]
        direct = [decision for decision in released if decision.python in method.names or not method.names.isdisjoint(decision.served)]
        base = self.cxx_class(method.owner)
        hidden = [
            decision
            for decision in released
            if decision.python.endswith(f".{method.name}")
            and (cls := decision.python.rpartition(".")[0]) not in self.types_by_python
            and base in self.ancestry(self.cxx_class(cls))
        ]
        return direct + hidden

    def cxx_class(self, python: str) -> str:
        """The C++ class, without template arguments, behind the class part of a decision's Python name."""
        return demangle.normal(self.types_by_python.get(python, python)).partition("<")[0]

    def _unreleased(self, decisions: list[Decision]) -> Iterable[str]:
        """A word on each method that the profile names and the plan cannot release."""
        for method in self.held or ():
            if not method.owner:
                yield f"The profile names {method.python}, which {self.installation.toolkit} {self.installation.version} does not expose."
            elif not self._serving(method, decisions):
                kept = next((decision for decision in decisions if decision.python in method.names), None)
                never = next((keep for keep in self.rules.keeps if keep.covers(frozenset(), method.name) and not keep.classes), None)
                why = f"{kept.why} [{kept.reason}]" if kept else f"{never.why} [{never.reason}]" if never else "No function of the toolkit's stands for it."
                yield f"The profile names {method.python}, but it cannot be released: {why}"

    # -------------------------------------------------------------------------------------- coverage

    def _coverage(self, decisions: list[Decision]) -> tuple[Coverage, list[Decision]]:
        """Which wrapped Python methods the plan serves, and why it leaves the other candidates out."""
        by_name: dict[str, list[Decision]] = defaultdict(list)
        for decision in decisions:
            by_name[decision.python].append(decision)
        released = {name for name, group in by_name.items() if any(d.action != "keep" for d in group)}
        reach = _Reach(self, released)
        kept: Counter[str] = Counter()
        direct = through = candidates = 0
        served: dict[str, list[str]] = defaultdict(list)
        for cls in self.exposed:
            for method in cls.methods:
                name = f"{cls.name}.{method.name}"
                group = by_name.get(name, [])
                family = self.family_of(demangle.normal(cls.cxx).partition("<")[0], method.name, "")
                if not group and (family is None or self._never(method.name)):
                    continue
                candidates += 1
                if name in released:
                    direct += 1
                    served[name].append(name)
                elif targets := reach.through(cls, method.name):
                    through += 1
                    for target in targets:
                        served[target].append(name)
                elif not group and name in self.passed_over:
                    kept[profiled.NOT_HELD] += 1
                else:
                    missing = [] if group else [self._absent(cls, method.name)]
                    decisions += missing
                    kept[(group or missing)[0].reason] += 1
        coverage = Coverage(
            wrapped=sum(len(cls.methods) for cls in self.exposed),
            candidates=candidates,
            direct=direct,
            through=through,
            kept=dict(sorted(kept.items(), key=lambda item: (-item[1], item[0]))),
        )
        decisions = [replace(d, served=tuple(sorted(served.get(d.python, ())))) if d.action != "keep" else d for d in decisions]
        return coverage, decisions


    def _absent(self, cls: ExposedClass, name: str) -> Decision:
        """The decision on a candidate that no exported function and no ordinary declaration stands for."""
        template = demangle.normal(cls.cxx).partition("<")[0]
        declared = self.classes.get(template)
        methods = [method for method in declared.methods if method.name == name] if declared else []
        reason, why = NO_HEADER if declared is None or template in self.undeclared else ABSENT
        return Decision(
            python=f"{cls.name}.{name}",
            declaration=_declaration(cls.cxx, methods[0]) if methods else f"? {cls.cxx}::{name}(...)",
            symbol="",
            action="keep",
            reason=reason,
            why=why,
        )


class _Reach:
    """Which shims a method without one ends in: in the classes that override it, or in what its body calls."""

    def __init__(self, planner: _Planner, released: set[str]) -> None:
        self.planner = planner
        self.by_method: dict[str, list[str]] = defaultdict(list)
        for name in sorted(released):
            owner, _, method = name.rpartition(".")
            self.by_method[method].append(owner)

    def through(self, cls: ExposedClass, name: str) -> list[str]:
        """Names of released methods that a call of this one ends in."""
        template = demangle.normal(cls.cxx).partition("<")[0]
        declared = self.planner.classes.get(template)
        methods = [method for method in declared.methods if method.name == name] if declared else []
        if declared is None or not methods:
            return []
        family = self.planner.family_of(template, name, "")
        ancestry = self.planner.ancestry(template)
        for inner in family.behind if family else ():
            behind = [f"{owner}.{inner}" for owner in self.by_method.get(inner, ()) if self.planner.cxx_class(owner) in ancestry]
            if behind:
                return behind
        overriding = [owner for owner in self.by_method.get(name, ()) if template in self.planner.ancestry(self.planner.cxx_class(owner))]
        if overriding and any(method.pure for method in methods):
            return [f"{owner}.{name}" for owner in overriding]
        if declared.template or any(method.body == "inline" for method in methods):
            return [found for found in self._called(declared, name) if not self._of_another_instantiation(cls, template, found)]
        return []

    def _of_another_instantiation(self, cls: ExposedClass, template: str, released: str) -> bool:
        """Whether a released method is of the same class template as `cls`, with other arguments: no object of `cls` has it."""
        owner = released.rpartition(".")[0]
        scope = demangle.normal(self.planner.types_by_python.get(owner, owner))
        return scope.partition("<")[0] == template and scope != demangle.normal(cls.cxx)

    def _called(self, cls: Class, name: str) -> list[str]:
        """Released methods that a body in the headers calls: on the object itself, or through a pointer."""
        ancestry = self.planner.ancestry(cls.name)
        found = set()
        for called in cls.calls.get(name, ()):
            callee = called.removeprefix("->")
            for owner in self.by_method.get(callee, ()):
                if self.planner.cxx_class(owner) in ancestry or (called == f"->{name}"):
                    found.add(f"{owner}.{callee}")
        return sorted(found)


def _parameters(method: Method) -> str:
    return ",".join(parameter.type for parameter in method.parameters)


def _declaration(cls: str, method: Method) -> str:
    words = ["static"] * method.static + ["virtual"] * (method.virtual and not method.override) + [method.result]
    parameters = ", ".join(f"{parameter.type} {parameter.name}".strip() for parameter in method.parameters)
    ending = " const" * method.const + " noexcept" * method.noexcept
    return f"{' '.join(words)} {cls}::{method.name}({parameters}){ending}"


def _differs(one: Method, other: Method) -> bool:
    """Whether two overloads that a symbol could stand for would need different shims."""
    return one.static != other.static or one.carrier != other.carrier


def _unfit(draft: Decision, method: Method) -> tuple[str, str] | None:
    """What the scheme of built-in types cannot carry."""
    if method.variadic:
        return "unfit:varargs", "Takes a variable number of arguments, which a shim cannot pass on."
    if not draft.carriers[0]:
        return "unfit:result", f"Returns {method.result}, which no built-in type carries through a call."
    for carrier, parameter in zip(draft.carriers[1:], method.parameters, strict=True):
        if not carrier:
            return "unfit:parameter", f"Takes {parameter.type} by value, which no built-in type carries through a call."
    if draft.carriers[0] in {"long double", "__int128", "unsigned __int128"}:
        return "unfit:result", f"Returns {draft.carriers[0]}, which travels in registers that a shim does not keep."
    return None


_SIMPLE = re.compile(r"(?P<virtual>virtual )?(?P<result>void|bool|int) \w+\(\)")
"""A declaration without parameters, whose result every compiler hands over in the same way."""

_DECLARATION = re.compile(r"^(?P<result>.*?)\b(?P<name>\w+)\s*\((?P<parameters>.*)\)[^()]*;?\s*$", re.DOTALL)
_SCALAR = re.compile(
    r"(void|bool|(unsigned |signed )?(char|short|int|long|long long)|unsigned|(std::)?(size_t|ptrdiff_t|u?int\d+_t)"
    r"|vtkIdType|vtkTypeBool|vtkMTimeType|vtkTypeU?Int\d+)$"
)
_REAL = re.compile(r"(float|double|vtkTypeFloat\d+)$")
_HIDDEN = re.compile(r"(std::(string|vector|map|set|list)\b|vtkSmartPointer<|vtkStdString$|vtkVariant$|vtkTimeStamp$)")


def _travel(result: str) -> str:
    """How a result travels, from its type as a declaration spells it; the type itself where the name does not tell."""
    text = " ".join(re.sub(r"\b(virtual|static|inline|const)\b", "", result).split())
    if text.endswith(("*", "&")) or _SCALAR.match(text):
        return "scalar"
    if _REAL.match(text):
        return "real"
    return "hidden" if _HIDDEN.match(text) else text.rpartition("::")[2]


def _parse_declaration(text: str, name: str) -> tuple[str, int] | None:
    """(how the result travels, number of parameters) of a declaration as a wrapper's documentation gives it."""
    match = _DECLARATION.match(" ".join(text.split()))
    if match is None or match["name"] != name:
        return None
    parameters = match["parameters"].strip()
    count = len(demangle.split(parameters, ",")) if parameters and parameters != "void" else 0
    static = "static " * match["result"].startswith("static ")
    return static + _travel(match["result"]), count
