"""gilgen finds the VTK and ITK calls that hold Python's GIL, and releases it with compiled shims.

In a program, after `gilgen fix vtk itk` has built and installed the shim wheels:

    import gilgen
    gilgen.activate("vtk", "itk")

Only what `activate` needs is imported here, and that is the standard library.

PYTEST_DONT_REWRITE: under `gilgen run -m pytest` this module is there before pytest, which would warn that it is.
"""

from gilgen._version import __version__
from gilgen.activate import activate, busy, deactivate, status
from gilgen.errors import Busy, GilgenError

__all__ = ["Busy", "GilgenError", "__version__", "activate", "busy", "deactivate", "status"]
