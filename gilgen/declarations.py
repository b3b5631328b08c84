"""Walks a translation unit and turns the classes below one folder into the records of `model.py`."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Iterable, Mapping
from ctypes import POINTER, byref, c_uint
from dataclasses import dataclass, field
from typing import Any, Literal

from gilgen import libclang
from gilgen.carriers import Carriers
from gilgen.libclang import CONTINUE, RECURSE, Cursor
from gilgen.model import Base, Class, Method, Parameter

Access = Literal["public", "protected", "private"]
Kind = Literal["method", "constructor", "destructor", "template", "conversion"]

_CLASSES = {2, 3, 4}  # struct, union, class
_CLASS_TEMPLATE = 31
_CONTAINERS = {1, 22, 23}  # unexposed (extern "C++"), namespace, linkage specification
_NAMES = {22, 2, 3, 4, _CLASS_TEMPLATE, 32}  # declarations that are part of a qualified name
_UNIT = 350
_TEMPLATE_PARAMETERS = {27, 28, 29}
_PARAMETER, _BASE, _OVERRIDE, _ANNOTATION = 10, 44, 405, 406
_KINDS: dict[int, Kind] = {
    21: "method",
    24: "constructor",
    25: "destructor",
    26: "conversion",
    30: "template",
}
_ACCESS: dict[int, Access] = {1: "public", 2: "protected", 3: "private"}
_DEPRECATED, _NOT_AVAILABLE = 1, 2
_INT = {"int", "const int", "int32_t"}
_NOEXCEPT = {1, 4, 9}  # throw(), noexcept, nothrow


@dataclass(slots=True)
class _Parts:
    """What stands in a class's definition."""

    template: list[str] = field(default_factory=list)
    bases: list[Base] = field(default_factory=list)
    methods: list[Method] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    nested: list[Cursor] = field(default_factory=list)


class Walker:
    """Collects the classes of one translation unit that are defined below `root`.

    Attributes:
        classes: what was found, by a name that is unique (two templates may not share one in C++).
    """

    def __init__(
        self,
        root: str,
        elsewhere: Iterable[str] = (),
        errors: Mapping[str, Iterable[int]] | None = None,
        only: str = "",
    ) -> None:
        """Prepare to walk.

        Args:
            root: the folder of the toolkit's headers.
            elsewhere: headers, relative to `root`, whose classes another unit collects.
            errors: the lines of each header, relative to `root`, on which libclang found errors.
            only: where given, the one header whose classes count.
        """
        self.classes: dict[str, Class] = {}
        self._library = libclang.load()
        self._carriers = Carriers()
        self._root = root.rstrip("/") + "/"
        self._elsewhere = frozenset(elsewhere)
        self._only = only
        self._errors = {header: frozenset(lines) for header, lines in (errors or {}).items()}
        self._defined: set[int] = set()
        self._files: dict[int, str] = {}
        self._names: dict[int, str] = {}
        self._inherited: dict[int, tuple[str, ...]] = {}

    def walk(self, parent: Cursor) -> None:
        """Visit every declaration below `parent`, which is the unit's cursor or a namespace."""
        library = self._library
        classes: list[Cursor] = []

        def visit(child: Cursor) -> int:
            kind = child.kind
            if kind in _CLASSES or kind == _CLASS_TEMPLATE:
                if library.clang_isCursorDefinition(child):
                    classes.append(Cursor.from_buffer_copy(child))
            elif kind in _CONTAINERS:
                place = library.clang_getCursorLocation(child)
                if not library.clang_Location_isInSystemHeader(place):
                    return RECURSE
            elif kind in _KINDS:
                # A member outside its class is a definition: the header holds this method's body after all.
                self._defined.add(library.clang_getCanonicalCursor(child).data[0])
            return CONTINUE

        libclang.children(parent, visit)
        for found in classes:
            self._class(found, "", templated=False)

    def _header(self, handle: int) -> str:
        """A file's name relative to the root; "" for one that stands elsewhere or does not count."""
        known = self._files.get(handle)
        if known is None:
            name = libclang.text(self._library.clang_getFileName(handle)) if handle else ""
            known = name[len(self._root) :] if name.startswith(self._root) else ""
            if known in self._elsewhere or (self._only and known != self._only):
                known = ""
            self._files[handle] = known
        return known

    def _qualified(self, cursor: Cursor) -> str:
        """The qualified name, without template arguments, of a namespace or class."""
        key = cursor.data[0]
        known = self._names.get(key)
        if known is None:
            name = libclang.text(self._library.clang_getCursorSpelling(cursor))
            parent = self._library.clang_getCursorSemanticParent(cursor)
            outer = self._qualified(parent) if parent.kind in _NAMES else ""
            known = self._names[key] = f"{outer}::{name}" if outer and name else outer or name
        return known

    def _class(self, cursor: Cursor, inside: str, *, templated: bool) -> None:
        """Record one class definition; `inside` is the header of the class around it."""
        library = self._library
        handle, line, _ = libclang.expansion(library.clang_getCursorLocation(cursor))
        header = self._header(handle) or inside
        if not header or self._passed_over(cursor):
            return
        name = self._qualified(cursor)
        if name in self.classes:
            return
        templated = templated or cursor.kind == _CLASS_TEMPLATE
        parts = self._parts(cursor, self._errors.get(header, frozenset()), templated=templated)
        self.classes[name] = Class(
            name,
            header,
            line,
            tuple(parts.template),
            tuple(parts.bases),
            tuple(parts.methods),
            tuple(parts.hints),
            deprecated=library.clang_getCursorAvailability(cursor) == _DEPRECATED,
        )
        for inner in parts.nested:
            self._class(inner, header, templated=templated)

    def _passed_over(self, cursor: Cursor) -> bool:
        """An explicit specialisation shares its template's name; a class without one cannot be asked for."""
        library = self._library
        template = library.clang_getSpecializedCursorTemplate(cursor)
        if cursor.kind != _CLASS_TEMPLATE and not library.clang_Cursor_isNull(template):
            return True
        spelling = libclang.text(library.clang_getCursorSpelling(cursor))
        return not spelling or "(" in spelling

    def _parts(self, cursor: Cursor, errors: frozenset[int], *, templated: bool) -> _Parts:
        """Visit the children of a class."""
        library = self._library
        parts = _Parts()

        def visit(child: Cursor) -> int:
            kind = child.kind
            if kind in _KINDS:
                method = self._method(child, _KINDS[kind], templated=templated)
                parts.methods.append(self._doubted(child, method, errors) if errors else method)
            elif kind == _BASE:
                parts.bases.append(self._base(child))
            elif kind in _TEMPLATE_PARAMETERS:
                parts.template.append(libclang.text(library.clang_getCursorSpelling(child)))
            elif kind == _ANNOTATION:
                parts.hints.append(libclang.text(library.clang_getCursorSpelling(child)))
            elif (kind in _CLASSES or kind == _CLASS_TEMPLATE) and library.clang_isCursorDefinition(child):
                parts.nested.append(Cursor.from_buffer_copy(child))
            return CONTINUE

        libclang.children(cursor, visit)
        return parts

    def _base(self, cursor: Cursor) -> Base:
        library = self._library
        kind = library.clang_getCursorType(cursor)
        spelling = libclang.text(library.clang_getTypeSpelling(kind))
        declaration = library.clang_getTypeDeclaration(library.clang_getCanonicalType(kind))
        name = self._qualified(declaration) if declaration.kind in _NAMES else spelling.partition("<")[0]
        return Base(spelling, name, _ACCESS.get(library.clang_getCXXAccessSpecifier(cursor), "public"))

    def _method(self, cursor: Cursor, kind: Kind, *, templated: bool) -> Method:
        library = self._library
        name = libclang.text(library.clang_getCursorSpelling(cursor))
        if kind == "constructor" and templated:
            name = name.partition("<")[0]
        result, carrier = self._carriers.of(library.clang_getCursorResultType(cursor))
        if kind in ("constructor", "destructor"):
            result, carrier = "", "void"
        availability = library.clang_getCursorAvailability(cursor)
        virtual = bool(library.clang_CXXMethod_isVirtual(cursor))
        hints, overrides = self._attributes(cursor, virtual=virtual)
        place = library.clang_getCursorLocation(cursor)
        _, line, offset = libclang.expansion(place)
        symbol = ""
        if not templated and kind in ("method", "conversion") and availability != _NOT_AVAILABLE:
            symbol = libclang.text(library.clang_Cursor_getMangling(cursor))
        return Method(
            name,
            symbol,
            result,
            carrier,
            self._parameters(cursor, kind),
            _ACCESS.get(library.clang_getCXXAccessSpecifier(cursor), "public"),
            kind,
            # libclang does not call an override virtual where the base is a template's parameter's.
            virtual=virtual or overrides,
            pure=bool(virtual and library.clang_CXXMethod_isPureVirtual(cursor)),
            override=overrides,
            static=bool(library.clang_CXXMethod_isStatic(cursor)),
            const=bool(library.clang_CXXMethod_isConst(cursor)),
            # What libclang says of a destructor depends on what it has met before.
            noexcept=kind in ("method", "conversion")
            and library.clang_getCursorExceptionSpecificationType(cursor) in _NOEXCEPT,
            variadic=bool(library.clang_Cursor_isVariadic(cursor)),
            deprecated=availability == _DEPRECATED,
            deleted=availability == _NOT_AVAILABLE,
            body=self._body(cursor, kind, offset),
            hints=hints,
            line=line,
        )

    def _parameters(self, cursor: Cursor, kind: Kind) -> tuple[Parameter, ...]:
        library = self._library
        count = library.clang_Cursor_getNumArguments(cursor)
        arguments: list[Cursor] = []
        if kind == "template":

            def visit(child: Cursor) -> int:
                if child.kind == _PARAMETER:
                    arguments.append(Cursor.from_buffer_copy(child))
                return CONTINUE

            libclang.children(cursor, visit)
        else:
            arguments = [library.clang_Cursor_getArgument(cursor, number) for number in range(count)]
        return tuple(
            Parameter(
                *self._carriers.of(library.clang_getCursorType(argument)),
                libclang.text(library.clang_getCursorSpelling(argument)),
            )
            for argument in arguments
        )

    def _body(self, cursor: Cursor, kind: Kind, offset: int) -> Literal["none", "inline", "macro"]:
        """Where the method's body is.

        libclang does not see bodies that it skipped, but it knows an in-class one as inline. A method
        that a macro declares begins where its name does: at the macro.
        """
        library = self._library
        if not library.clang_Cursor_isFunctionInlined(cursor) and cursor.data[0] not in self._defined:
            return "none"
        if kind == "method":
            start = library.clang_getRangeStart(library.clang_getCursorExtent(cursor))
            if libclang.expansion(start)[2] == offset:
                return "macro"
        return "inline"

    def _doubted(self, cursor: Cursor, method: Method, errors: frozenset[int]) -> Method:
        """A method of a header with errors: libclang reads an unknown type as int, so trust none of its ints."""
        extent = self._library.clang_getCursorExtent(cursor)
        first = libclang.expansion(self._library.clang_getRangeStart(extent))[1]
        last = max(method.line, libclang.expansion(self._library.clang_getRangeEnd(extent))[1])
        wrong = any(first <= line <= last for line in errors)

        def doubt(spelling: str, carrier: str) -> str:
            return "" if wrong or (carrier == "int" and spelling not in _INT) else carrier

        return dataclasses.replace(
            method,
            symbol="" if wrong else method.symbol,
            carrier=doubt(method.result, method.carrier),
            parameters=tuple(
                dataclasses.replace(parameter, carrier=doubt(parameter.type, parameter.carrier))
                for parameter in method.parameters
            ),
        )

    def _attributes(self, cursor: Cursor, *, virtual: bool) -> tuple[tuple[str, ...], bool]:
        """(hints, overrides) of a method. A hint on a virtual method holds for its overrides too."""
        library = self._library
        own: list[str] = []
        overrides = False
        if library.clang_Cursor_hasAttrs(cursor):

            def visit(child: Cursor) -> int:
                nonlocal overrides
                if child.kind == _ANNOTATION:
                    own.append(libclang.text(library.clang_getCursorSpelling(child)))
                elif child.kind == _OVERRIDE:
                    overrides = True
                return CONTINUE

            libclang.children(cursor, visit)
        if virtual:
            above = self._overridden(cursor)
            overrides = overrides or bool(above)
            for method in above:
                own.extend(hint for hint in self._inherit(method) if hint not in own)
            self._inherited[cursor.data[0]] = tuple(own)
        return tuple(own), overrides

    def _inherit(self, cursor: Cursor) -> tuple[str, ...]:
        """The hints of an overridden method, own and inherited."""
        key = cursor.data[0]
        if key not in self._inherited:
            self._inherited[key] = self._attributes(cursor, virtual=True)[0]
        return self._inherited[key]

    def _overridden(self, cursor: Cursor) -> list[Cursor]:
        """The methods of direct bases that a virtual method overrides."""
        library = self._library
        array: Any = POINTER(Cursor)()
        count = c_uint()
        library.clang_getOverriddenCursors(cursor, byref(array), byref(count))
        if not count.value:
            return []
        found = [Cursor.from_buffer_copy(array[number]) for number in range(count.value)]
        library.clang_disposeOverriddenCursors(ctypes.cast(array, ctypes.c_void_p))
        return found
