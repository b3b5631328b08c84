"""libclang's C interface, as far as the header scan needs it, through ctypes.

The package's own Python bindings build an object for every cursor, kind and string; on the quarter of
a million declarations of VTK and ITK that is most of the time. These bindings hand out the C structs.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_uint, c_void_p
from pathlib import Path
from typing import Any, Self

from gilgen.errors import ScanError

SKIP_FUNCTION_BODIES = 0x40
KEEP_GOING = 0x200
"""Parse on after a fatal error such as a header that is missing; the package's Python enum lacks it."""

BREAK, CONTINUE, RECURSE = 0, 1, 2
"""What a visitor answers."""

ERROR = 3
"""The severity from which a diagnostic is an error."""


class String(Structure):
    """CXString: to be disposed of by its reader (see `Library.text`)."""

    _fields_ = (("data", c_void_p), ("flags", c_uint))


class Cursor(Structure):
    """CXCursor. `data[0]` is the declaration's address, unique in its translation unit."""

    _fields_ = (("kind", c_int), ("xdata", c_int), ("data", c_void_p * 3))


class Type(Structure):
    """CXType. `data[0]` is unique for every spelling of a type."""

    _fields_ = (("kind", c_int), ("data", c_void_p * 2))


class Location(Structure):
    """CXSourceLocation."""

    _fields_ = (("pointers", c_void_p * 2), ("number", c_uint))


class Range(Structure):
    """CXSourceRange."""

    _fields_ = (("pointers", c_void_p * 2), ("begin", c_uint), ("end", c_uint))


class Unsaved(Structure):
    """CXUnsavedFile: a source that exists in memory only."""

    _fields_ = (("name", c_char_p), ("contents", c_char_p), ("length", ctypes.c_ulong))


Visitor = CFUNCTYPE(c_int, Cursor, Cursor, c_void_p)

_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "clang_CXXConstructor_isCopyConstructor": (c_uint, [Cursor]),
    "clang_CXXConstructor_isMoveConstructor": (c_uint, [Cursor]),
    "clang_CXXMethod_isConst": (c_uint, [Cursor]),
    "clang_CXXMethod_isDefaulted": (c_uint, [Cursor]),
    "clang_CXXMethod_isPureVirtual": (c_uint, [Cursor]),
    "clang_CXXMethod_isStatic": (c_uint, [Cursor]),
    "clang_CXXMethod_isVirtual": (c_uint, [Cursor]),
    "clang_Cursor_getArgument": (Cursor, [Cursor, c_uint]),
    "clang_Cursor_getMangling": (String, [Cursor]),
    "clang_Cursor_getNumArguments": (c_int, [Cursor]),
    "clang_Cursor_hasAttrs": (c_uint, [Cursor]),
    "clang_Cursor_isFunctionInlined": (c_uint, [Cursor]),
    "clang_Cursor_isNull": (c_int, [Cursor]),
    "clang_Cursor_isVariadic": (c_uint, [Cursor]),
    "clang_Location_isInSystemHeader": (c_int, [Location]),
    "clang_Type_getNumTemplateArguments": (c_int, [Type]),
    "clang_Type_getTemplateArgumentAsType": (Type, [Type, c_uint]),
    "clang_createIndex": (c_void_p, [c_int, c_int]),
    "clang_disposeDiagnostic": (None, [c_void_p]),
    "clang_disposeIndex": (None, [c_void_p]),
    "clang_disposeOverriddenCursors": (None, [c_void_p]),
    "clang_disposeString": (None, [String]),
    "clang_disposeTranslationUnit": (None, [c_void_p]),
    "clang_getCString": (c_char_p, [String]),
    "clang_getCXXAccessSpecifier": (c_int, [Cursor]),
    "clang_getCanonicalCursor": (Cursor, [Cursor]),
    "clang_getCanonicalType": (Type, [Type]),
    "clang_getClangVersion": (String, []),
    "clang_getCursorAvailability": (c_int, [Cursor]),
    "clang_getCursorDefinition": (Cursor, [Cursor]),
    "clang_getCursorExceptionSpecificationType": (c_int, [Cursor]),
    "clang_getCursorExtent": (Range, [Cursor]),
    "clang_getCursorLocation": (Location, [Cursor]),
    "clang_getCursorReferenced": (Cursor, [Cursor]),
    "clang_getCursorResultType": (Type, [Cursor]),
    "clang_getCursorSemanticParent": (Cursor, [Cursor]),
    "clang_getCursorSpelling": (String, [Cursor]),
    "clang_getCursorType": (Type, [Cursor]),
    "clang_getDiagnostic": (c_void_p, [c_void_p, c_uint]),
    "clang_getDiagnosticLocation": (Location, [c_void_p]),
    "clang_getDiagnosticSeverity": (c_int, [c_void_p]),
    "clang_getDiagnosticSpelling": (String, [c_void_p]),
    "clang_getElementType": (Type, [Type]),
    "clang_getEnumDeclIntegerType": (Type, [Cursor]),
    "clang_getExpansionLocation": (
        None,
        [Location, POINTER(c_void_p), POINTER(c_uint), POINTER(c_uint), POINTER(c_uint)],
    ),
    "clang_getFileName": (String, [c_void_p]),
    "clang_getNumDiagnostics": (c_uint, [c_void_p]),
    "clang_getOverriddenCursors": (None, [Cursor, POINTER(POINTER(Cursor)), POINTER(c_uint)]),
    "clang_getRangeEnd": (Location, [Range]),
    "clang_getRangeStart": (Location, [Range]),
    "clang_getSpecializedCursorTemplate": (Cursor, [Cursor]),
    "clang_getTranslationUnitCursor": (Cursor, [c_void_p]),
    "clang_getTypeDeclaration": (Cursor, [Type]),
    "clang_getTypeSpelling": (String, [Type]),
    "clang_isCursorDefinition": (c_uint, [Cursor]),
    "clang_parseTranslationUnit2": (
        c_int,
        [c_void_p, c_char_p, POINTER(c_char_p), c_int, POINTER(Unsaved), c_uint, c_uint, POINTER(c_void_p)],
    ),
    "clang_visitChildren": (c_uint, [Cursor, Visitor, c_void_p]),
}


@functools.cache
def load() -> Any:
    """The library with every function's signature set.

    Functions are called with the GIL held, which is cheaper for calls this short; a scan has a
    process to itself.

    Raises:
        ScanError: there is no libclang, or it lacks a function.
    """
    advice = "Install it: pip install libclang"
    name = _path()
    if name is None:
        raise ScanError("There is no libclang in this environment.", advice)
    try:
        library = ctypes.PyDLL(name)
        for function, (result, arguments) in _SIGNATURES.items():
            pointer = getattr(library, function)
            pointer.restype, pointer.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise ScanError(f"Cannot use {name}: {error}.", f"{advice} (18 or later)") from error
    return library


def _path() -> str | None:
    """Where libclang is: in the Python package's folder, else where the system's linker finds it."""
    package = importlib.util.find_spec("clang")
    for folder in (package.submodule_search_locations or ()) if package else ():
        bundled = Path(folder) / "native" / "libclang.so"
        if bundled.exists():
            return str(bundled)
    return ctypes.util.find_library("clang") or ctypes.util.find_library("clang-18")


def version() -> str:
    """What libclang says of itself, for example "clang version 18.1.1"."""
    return text(load().clang_getClangVersion())


def text(string: String) -> str:
    """A CXString's text; frees it."""
    library = load()
    data = library.clang_getCString(string)
    library.clang_disposeString(string)
    return data.decode(errors="replace") if data else ""


def children(cursor: Cursor, visit: Callable[[Cursor], int]) -> None:
    """Call `visit` with each child; it answers BREAK, CONTINUE or RECURSE.

    An exception in `visit` cannot pass through C: it stops the visit and is raised from here.
    """
    failures: list[BaseException] = []

    def guarded(child: Cursor, parent: Cursor, data: Any) -> int:
        del parent, data
        try:
            return visit(child)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
            return BREAK

    load().clang_visitChildren(cursor, Visitor(guarded), None)
    if failures:
        raise failures[0]


class Unit:
    """A parsed translation unit; a context manager that frees it."""

    def __init__(self, source: str, flags: list[str], options: int) -> None:
        """Parse `source`.

        Raises:
            ScanError: libclang gave up or crashed on it.
        """
        self.library = load()
        self._index = self.library.clang_createIndex(0, 0)
        self._unit = c_void_p()
        name, data = b"gilgen.cpp", source.encode()
        arguments = (c_char_p * len(flags))(*(flag.encode() for flag in flags))
        unsaved = (Unsaved * 1)(Unsaved(name, data, len(data)))
        failure = self.library.clang_parseTranslationUnit2(
            self._index, name, arguments, len(flags), unsaved, 1, options, byref(self._unit)
        )
        if failure:
            self.library.clang_disposeIndex(self._index)
            raise ScanError(
                f"libclang could not parse the headers at all (error {failure}).", "Run: gilgen doctor"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.library.clang_disposeTranslationUnit(self._unit)
        self.library.clang_disposeIndex(self._index)

    @property
    def cursor(self) -> Cursor:
        """The unit's own cursor, whose children are the top-level declarations."""
        cursor: Cursor = self.library.clang_getTranslationUnitCursor(self._unit)
        return cursor

    def errors(self) -> list[tuple[str, int, str]]:
        """(file, line, message) of every error; file is "" where there is none."""
        found = []
        for number in range(self.library.clang_getNumDiagnostics(self._unit)):
            diagnostic = self.library.clang_getDiagnostic(self._unit, number)
            if self.library.clang_getDiagnosticSeverity(diagnostic) >= ERROR:
                place = self.library.clang_getDiagnosticLocation(diagnostic)
                file, line, _ = expansion(place)
                name = text(self.library.clang_getFileName(file)) if file else ""
                found.append((name, line, text(self.library.clang_getDiagnosticSpelling(diagnostic))))
            self.library.clang_disposeDiagnostic(diagnostic)
        return found


_FILE, _LINE, _OFFSET = c_void_p(), c_uint(), c_uint()
_PLACE = byref(_FILE), byref(_LINE), None, byref(_OFFSET)


def expansion(location: Location) -> tuple[int, int, int]:
    """(file handle, line, offset) of a location; inside a macro's expansion, of the macro's use."""
    load().clang_getExpansionLocation(location, *_PLACE)
    return _FILE.value or 0, _LINE.value, _OFFSET.value
