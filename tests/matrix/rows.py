"""The environments beside the main pair, as data: what each holds, and what must come out of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

# Calls of tests/real/test_activate.py and of checks.py, by their names there.
LOCATOR, COPY, PIECE = "vtkOBBTree.BuildLocator", "vtkImageData.DeepCopy", "vtkAlgorithm.UpdatePiece"
UPDATE = "vtkAlgorithm.Update"
MEDIAN, MEDIAN_FUNCTION = "itkMedianImageFilter.Update", "itk.median_image_filter"


@dataclass(frozen=True)
class Row:
    """One environment.

    Attributes:
        name: for `--only`.
        python: the interpreter's name; "" is the one that runs this.
        system: a Debian package that must be installed, with the interpreter in /usr/bin that it belongs to.
        requires: what pip installs, apart from gilgen and pytest.
        toolkits: which get shims.
        headers: the release whose declarations the plan must have come from, a toolkit each; "" for any.
        releases: calls that hold plain and must release with the shims.
        holds: calls that hold plain and must hold with the shims, too.
        contained: the wheel is not thread-safe, so whatever can reach a Python observer must be kept.
        least: of C++ functions released, a toolkit each.
        suite: also run tests/real/test_activate.py, which wants both toolkits.
        downstream: a package whose doctests must end as they do plain.
    """

    name: str
    python: str = ""
    system: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    toolkits: tuple[str, ...] = ("vtk",)
    headers: tuple[str, ...] = ("",)
    releases: tuple[str, ...] = (LOCATOR, COPY, PIECE)
    holds: tuple[str, ...] = ()
    contained: bool = False
    least: tuple[int, ...] = (1000,)
    suite: bool = False
    downstream: str = ""

    def facts(self) -> dict[str, Any]:
        """What the checks inside the environment must know."""
        return asdict(self)


ITK = (MEDIAN, MEDIAN_FUNCTION)
BOTH: dict[str, Any] = {
    "toolkits": ("vtk", "itk"), "headers": ("9.6.2", "5.4.7"), "releases": (LOCATOR, COPY, PIECE, *ITK), "least": (1000, 200), "suite": True,
}  # fmt: skip

ROWS = (
    # gilgen has no declarations of 9.7.2: those of 9.7.0 serve, and what the wheel does not confirm is kept.
    Row("vtk-9.7.2", requires=("vtk==9.7.2",), headers=("9.7.0",)),
    Row(
        "vtk-9.3.0", python="python3.11", requires=("vtk==9.3.0", "itk==5.4.3"), toolkits=("vtk", "itk"), headers=("9.3.0", "5.4.3"),
        releases=(LOCATOR, COPY, *ITK), holds=(UPDATE,), contained=True, least=(200, 200),
    ),
    Row("debian-12", python="/usr/bin/python3", system=("python3-vtk9",), headers=("",), releases=(LOCATOR, COPY), holds=(UPDATE,), contained=True, least=(200,)),
    Row("python3.12", python="python3.12", requires=("vtk==9.6.2", "itk==5.4.7"), **BOTH),
    Row("python3.13", python="python3.13", requires=("vtk==9.6.2", "itk==5.4.7"), **BOTH),
    Row("pyvista", requires=("vtk==9.6.2", "pyvista"), headers=("9.6.2",), downstream="pyvista.core.filters.poly_data"),
)  # fmt: skip
