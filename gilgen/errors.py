"""Every way in which gilgen can fail, each with its own exit code and a word on what to do next.

A command ends with the exit code of the error that stopped it, so that a script can tell a missing
compiler from a missing header without reading the text. Codes 1 and 2 keep their usual meaning
(a check that failed; a wrong command line).
"""

from __future__ import annotations


def install(module: str | None) -> str:
    """The advice that brings a missing module: distributions whose name is another are named by it."""
    name = (module or "gilgen").partition(".")[0]
    return f"Install it: pip install {_DISTRIBUTIONS.get(name, name)}"


_DISTRIBUTIONS = {"elftools": "pyelftools", "vl_convert": "vl-convert-python", "clang": "libclang", "py_spy": "py-spy"}


class GilgenError(Exception):
    """Something that gilgen expected to meet and can explain.

    Attributes:
        exit_code: what the command line ends with.
        advice: what to do next; it names a command wherever one exists.
    """

    exit_code = 1

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice

    def __reduce__(self) -> tuple[type[GilgenError], tuple[str, str]]:
        """So that an error raised in another process arrives with its advice."""
        return type(self), (super().__str__(), self.advice)

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n{self.advice}" if self.advice else message


class Busy(RuntimeError):  # noqa: N818 - a state, which a window handles, rather than a fault
    """Another thread's call works on the objects of this one; raised instead of waiting, after `activate(busy="raise")`."""


class ToolkitNotFoundError(GilgenError):
    """The toolkit is not installed in this environment, or gilgen does not know its name."""

    exit_code = 10


class HeadersNotFoundError(GilgenError):
    """No headers for the installed toolkit could be had."""

    exit_code = 11


class ScanError(GilgenError):
    """The headers could not be read at all."""

    exit_code = 12


class ConfigError(GilgenError):
    """A rule or the user's configuration is not what it should be."""

    exit_code = 13


class ArtefactError(GilgenError):
    """A file that a stage should have left is missing, damaged or of another version."""

    exit_code = 14


class NoCompilerError(GilgenError):
    """There is no C++ compiler on this machine."""

    exit_code = 15


class CompileError(GilgenError):
    """The compiler refused the generated sources; the message holds its own words."""

    exit_code = 16


class StaleShimsError(GilgenError):
    """The shims were made for another build of the toolkit than the one that is installed."""

    exit_code = 17


class UnsupportedError(GilgenError):
    """This system, processor or Python is not one that gilgen can serve."""

    exit_code = 18


class StoreError(GilgenError):
    """The cache or an output file cannot be written."""

    exit_code = 19


class InvalidRunError(GilgenError):
    """A control of the harness failed, so nothing that it measured in this run counts."""

    exit_code = 20


class InstallError(GilgenError):
    """A shim wheel was built but could not be installed."""

    exit_code = 21


class UnknownMethodError(GilgenError):
    """A Python name that no class of the toolkit has."""

    exit_code = 22


class CaseError(GilgenError):
    """A user's file of cases cannot be read, or what it has is no case."""

    exit_code = 23


class NothingToReleaseError(GilgenError):
    """No function of the installed toolkit can be given a shim, so there is nothing to build."""

    exit_code = 24
