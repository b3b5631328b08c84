"""What `gilgen run` and `gilgen profile` do in the program's own process before the program begins.

Their launcher puts this folder first on PYTHONPATH and starts Python with the program: Python's `site` imports this module, as it
does anybody's `sitecustomize`, and then runs the program itself. So all that a program can find of its start is
Python's own: `__main__`, `__file__`, `sys.argv`, tracebacks, exit codes, signals.
"""

import json
import os
import sys
import traceback
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

NAME = "sitecustomize"


def prepare() -> None:
    """Take every trace of this away, do what the launcher asks for, and let the environment's own `sitecustomize` follow."""
    wish = json.loads(os.environ.pop("GILGEN_STARTUP"))
    here = str(Path(__file__).parent)
    sys.path[:] = [path for path in sys.path if path != here]
    if wish["path"] is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = wish["path"]
    begin(wish)
    spec = PathFinder.find_spec(NAME, sys.path)
    if spec is not None and spec.loader is not None:
        sys.modules[NAME] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[NAME])


def begin(wish: dict) -> None:  # type: ignore[type-arg]
    """Activate the shims, and begin the profile."""
    try:
        import gilgen  # noqa: PLC0415
    except ImportError:  # a checkout that only the launcher's own folder leads to
        sys.path.append(wish["root"])
        import gilgen  # noqa: PLC0415

        sys.path.remove(wish["root"])
    if wish["activate"] is not None:
        gilgen.activate(*wish["activate"]["toolkits"], guard=wish["activate"]["guard"])
    if wish["profile"] is not None:
        from gilgen.diagnostics.profile.inside import Profile  # noqa: PLC0415

        Profile(Path(wish["profile"])).start()


if "GILGEN_STARTUP" in os.environ:
    try:
        prepare()
    except BaseException as error:  # noqa: BLE001 - `site` would pass over it, and run the program without
        if hasattr(error, "exit_code"):
            sys.stderr.write(f"gilgen: {error}\n")
        else:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(getattr(error, "exit_code", 1))
