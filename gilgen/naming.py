"""What a C function is called in Python: "vtkOBBTree.BuildLocator" for VTK's methods, SWIG's functions and all others.

Only the standard library is needed, and no toolkit: what is called here was imported by the program that calls it.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

PACKAGES = {"vtkmodules": "vtk", "itk": "itk"}
"""The import package of each toolkit's wrapped classes."""

LOOPS = {
    "qt": (("PySide", "PyQt", "shiboken"), ("exec", "exec_")),
    "vtk": (("vtkmodules",), ("Start",)),
    "tk": (("_tkinter",), ("mainloop",)),
    "wx": (("wx",), ("MainLoop",)),
    "gtk": (("gi",), ("run", "main")),
    "asyncio": (("uvloop",), ("run_forever", "run_until_complete")),
}
"""For each kind of event loop, how the packages begin that have one, and the names of the C functions that run it."""


def method_of(function: str, kind: type) -> str:
    """A method's own name: SWIG calls its functions "Class_method", with the class that defines the method.

    Args:
        function: the C function's name.
        kind: the class of the object that it was called for.
    """
    bases = [base.__name__ for base in kind.__mro__]
    return next((function.removeprefix(f"{base}_") for base in bases if function.startswith(f"{base}_")), function)


def wrapped(kind: type) -> type:
    """The nearest class that a toolkit wraps: a program, or the toolkit's own Python, may derive classes from it."""
    return next((base for base in kind.__mro__ if base.__name__.startswith(PACKAGES.get(_package(base), " "))), kind)


def call_name(function: Any, first: Any) -> tuple[str, str, str]:
    """Name a C function that is called.

    Args:
        function: as the interpreter calls it.
        first: its first argument, or whatever else SWIG's proxy has for `self`.

    Returns:
        The Python name; the toolkit, empty for what belongs to none; the package that it is from.
    """
    if isinstance(function, type):
        return _owned(function, "")
    owner = getattr(function, "__self__", None)
    short = _text(getattr(function, "__name__", None))
    if not short:
        return _owned(wrapped(type(function)), "__call__")  # an object that can be called, such as a VTK algorithm
    if owner is not None and not isinstance(owner, ModuleType):
        return _owned(wrapped(owner if isinstance(owner, type) else type(owner)), short)
    described = getattr(function, "__objclass__", None)
    if isinstance(described, type):
        return _owned(wrapped(type(first)) if isinstance(first, described) else described, short)
    method = method_of(short, type(first))
    if method != short:
        return _owned(type(first), method)
    module = _text(getattr(function, "__module__", None)) or _text(getattr(owner, "__name__", None))
    return _of_module(short, module) if module else _of_none(short, _text(getattr(function, "__qualname__", None)))


def _of_none(short: str, qualified: str) -> tuple[str, str, str]:
    """A function of no module: PySide's static methods tell their class, and nothing else."""
    return (qualified, "", "") if "." in qualified else (short, "", "builtins")


def _of_module(short: str, module: str) -> tuple[str, str, str]:
    """A function that stands in a module."""
    if module == "builtins":
        return short, "", "builtins"
    if module.startswith("_ITK") and "_" in short:
        return ".".join(short.split("_", 1)), "itk", "itk"
    package = module.partition(".")[0]
    return f"{module}.{short}", PACKAGES.get(package, ""), package


def loop_of(name: str, package: str) -> str:
    """The kind of event loop that a C function runs; empty for all others."""
    owner, _, method = name.rpartition(".")
    if not package and owner in {"QApplication", "QGuiApplication", "QCoreApplication"}:
        package = "PySide"
    for loop, (packages, methods) in LOOPS.items():
        if method in methods and package.startswith(packages) and (loop != "vtk" or "Interactor" in name):
            return loop
    return ""


def _owned(kind: type, method: str) -> tuple[str, str, str]:
    package = _package(kind)
    name = kind.__name__ if package == "builtins" or package in PACKAGES else f"{package}.{kind.__name__}"
    return f"{name}.{method}" if method else name, PACKAGES.get(package, ""), package


def _package(kind: type) -> str:
    return _text(getattr(kind, "__module__", None)).partition(".")[0]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
