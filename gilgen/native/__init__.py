"""The C++ that every shim library shares, copied beside the generated shims: rebinding, release, guard.

`gilgen.hpp` is what a shim sees; each `.cpp` file holds one of the three jobs. None of it includes a
header of Python or of a toolkit.
"""
