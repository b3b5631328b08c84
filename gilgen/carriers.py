"""The built-in C++ type that carries a value through a call, as libclang sees the value's type.

A shim is compiled without the toolkit's headers, so each of its parameters needs a built-in type that the
ABI passes just as it passes the real one (Itanium C++ ABI, 3.1.2.3). What has none gets "" and is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gilgen import libclang
from gilgen.libclang import CONTINUE, Cursor, Type

HIDDEN = "Hidden"
"""Passed by the address of a copy, because copying or destroying it runs code."""

_BUILTIN = {
    2: "void", 3: "bool", 4: "char", 5: "unsigned char", 6: "char16_t", 7: "char32_t", 8: "unsigned short",
    9: "unsigned int", 10: "unsigned long", 11: "unsigned long long", 12: "unsigned __int128", 13: "char",
    14: "signed char", 15: "wchar_t", 16: "short", 17: "int", 18: "long", 19: "long long", 20: "__int128",
    21: "float", 22: "double", 23: "long double",
}  # fmt: skip
"""CXTypeKind of the built-in types."""

_NULLPTR, _POINTER, _LVALUE, _RVALUE, _RECORD, _ENUM = 24, 101, 103, 104, 105, 106
_CONSTANT_ARRAY, _INCOMPLETE_ARRAY, _VARIABLE_ARRAY, _DEPENDENT_ARRAY = 112, 114, 115, 116
_ARRAYS = {_CONSTANT_ARRAY, _INCOMPLETE_ARRAY, _VARIABLE_ARRAY, _DEPENDENT_ARRAY}
_ADDRESSES = {_NULLPTR, _POINTER, _LVALUE, _RVALUE} | _ARRAYS

_FIELD, _METHOD, _CONSTRUCTOR, _DESTRUCTOR, _BASE = 6, 21, 24, 25, 44
_PARTIAL, _LAST_DECLARATION = 32, 39
_NO_DECLARATION = 71
_PARAMETER_NAME = re.compile(r"type-parameter-0-(\d+)$")
"""How libclang spells a template's parameter once the type is canonical."""

_ONLY_SPECIALISED = {"function"}
"""Standard templates whose primary is never defined, so that an unused instantiation shows nothing:
std::function copies and destroys what it holds."""


class Carriers:
    """Answers for one translation unit, each type and each class asked about once."""

    def __init__(self) -> None:
        self._library = libclang.load()
        self._types: dict[int, tuple[str, str]] = {}
        self._hidden: dict[int, bool] = {}

    def of(self, kind: Type) -> tuple[str, str]:
        """(spelling, carrier) of a type."""
        key = kind.data[0]
        known = self._types.get(key)
        if known is None:
            spelling = libclang.text(self._library.clang_getTypeSpelling(kind))
            known = self._types[key] = spelling, self._carrier(self._library.clang_getCanonicalType(kind))
        return known

    def _carrier(self, canonical: Type) -> str:
        builtin = _BUILTIN.get(canonical.kind)
        if builtin is not None:
            return builtin
        if canonical.kind in _ADDRESSES:
            return "void*"
        if canonical.kind == _ENUM:
            declaration = self._library.clang_getTypeDeclaration(canonical)
            underlying = self._library.clang_getEnumDeclIntegerType(declaration)
            return _BUILTIN.get(self._library.clang_getCanonicalType(underlying).kind, "")
        if canonical.kind == _RECORD and self._is_hidden(canonical):
            return HIDDEN
        return ""

    def _is_hidden(self, canonical: Type, arguments: Sequence[Type] = ()) -> bool:
        """Whether copying or destroying the class runs code, as far as its declaration shows.

        False also stands for "cannot be told": such a class then has no carrier, which is safe.
        `arguments` are those of the enclosing template, for members whose type is its parameter.
        """
        declaration = self._library.clang_getTypeDeclaration(canonical)
        if declaration.kind == _NO_DECLARATION:
            parameter = _PARAMETER_NAME.match(libclang.text(self._library.clang_getTypeSpelling(canonical)))
            number = int(parameter[1]) if parameter else len(arguments)
            return number < len(arguments) and self._is_hidden(
                self._library.clang_getCanonicalType(arguments[number])
            )
        key = declaration.data[0]
        if key not in self._hidden:
            self._hidden[key] = False  # a class that names itself must not send us round in circles
            self._hidden[key] = self._walk(declaration, canonical)
        return self._hidden[key]

    def _walk(self, declaration: Cursor, canonical: Type) -> bool:
        """Look at the constructors, the destructor, the members and the bases that a class declares."""
        library = self._library
        pattern = self._pattern(declaration)
        if library.clang_Cursor_isNull(pattern):
            name = libclang.text(library.clang_getCursorSpelling(declaration))
            place = library.clang_getCursorLocation(declaration)
            return bool(name in _ONLY_SPECIALISED and library.clang_Location_isInSystemHeader(place))
        found = False
        members: list[Type] = []

        def visit(child: Cursor) -> int:
            nonlocal found
            if self._runs_code(child):
                found = True
                return libclang.BREAK
            if child.kind in (_FIELD, _BASE):
                members.append(library.clang_getCursorType(child))
            return CONTINUE

        libclang.children(pattern, visit)
        if found:
            return True
        # A partial specialisation numbers its parameters in its own way.
        count = 0 if pattern.kind == _PARTIAL else library.clang_Type_getNumTemplateArguments(canonical)
        arguments = [
            library.clang_Type_getTemplateArgumentAsType(canonical, number) for number in range(count)
        ]
        return any(self._member_is_hidden(member, arguments) for member in members)

    def _pattern(self, declaration: Cursor) -> Cursor:
        """The definition that shows a class's members; a null cursor where there is none.

        An implicit instantiation has no children of its own: it shows in the template that it comes from.
        """
        library = self._library
        own: list[int] = []

        def visit(child: Cursor) -> int:
            if child.kind <= _LAST_DECLARATION:
                own.append(child.kind)
            return libclang.BREAK if own else CONTINUE

        libclang.children(declaration, visit)
        template = library.clang_getSpecializedCursorTemplate(declaration)
        if not own and not library.clang_Cursor_isNull(template):
            declaration = template
        definition: Cursor = library.clang_getCursorDefinition(declaration)
        return definition

    def _runs_code(self, child: Cursor) -> bool:
        """Whether this child alone makes its class one that the ABI passes by hidden reference."""
        library = self._library
        if child.kind == _DESTRUCTOR:
            # A virtual destructor means a vtable pointer, which a copy constructor has to set.
            return bool(
                not library.clang_CXXMethod_isDefaulted(child) or library.clang_CXXMethod_isVirtual(child)
            )
        if child.kind == _CONSTRUCTOR:
            copies = library.clang_CXXConstructor_isCopyConstructor(child)
            moves = library.clang_CXXConstructor_isMoveConstructor(child)
            return bool(
                (copies or moves) and not library.clang_CXXMethod_isDefaulted(child) and not _deleted(child)
            )
        return child.kind == _METHOD and bool(library.clang_CXXMethod_isVirtual(child))

    def _member_is_hidden(self, member: Type, arguments: Sequence[Type]) -> bool:
        canonical = self._library.clang_getCanonicalType(member)
        while canonical.kind in _ARRAYS:
            canonical = self._library.clang_getCanonicalType(self._library.clang_getElementType(canonical))
        if canonical.kind in _BUILTIN or canonical.kind in _ADDRESSES or canonical.kind == _ENUM:
            return False
        return self._is_hidden(canonical, arguments)


def _deleted(child: Cursor) -> bool:
    """A deleted function is "not available" to libclang."""
    not_available = 2
    return bool(libclang.load().clang_getCursorAvailability(child) == not_available)
