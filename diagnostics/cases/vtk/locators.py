"""Locators: building them is held by every plain wheel."""

from __future__ import annotations

from typing import Any

from gilgen.diagnostics.cases.record import Case, Work
from gilgen.diagnostics.cases.vtk.data import flat_points, library, points, surface
from gilgen.diagnostics.cases.vtk.kinds import locate


def _kd_regions(size: int) -> Work:
    """Regions of cells; a tree that forgot its regions does not build them again, so each call has a tree of its own."""
    mesh = surface(size)
    trees: list[Any] = []

    def begin() -> None:
        tree = library().vtkKdTree()
        tree.SetDataSet(mesh)
        trees[:] = [tree]

    return Work(lambda: trees[0].BuildLocator(), begin, lambda: trees[0].GetNumberOfRegions() > 1)  # noqa: PLW0108


CASES = (
    locate("obb-tree", "vtkOBBTree", surface, 40_000, 2_000_000, quick=True),
    locate("cell-locator", "vtkCellLocator", surface, 200_000, 4_000_000),
    locate("static-cell-locator", "vtkStaticCellLocator", surface, 400_000, 8_000_000),
    locate("cell-tree", "vtkCellTreeLocator", surface, 200_000, 4_000_000),
    locate("bsp-tree", "vtkModifiedBSPTree", surface, 100_000, 2_000_000),
    Case("kd-regions", "vtk", "vtkKdTree.BuildLocator", _kd_regions, 200_000, 4_000_000),
    locate("point-locator", "vtkPointLocator", points, 400_000, 8_000_000),
    locate("static-point-locator", "vtkStaticPointLocator", points, 1_000_000, 16_000_000),
    locate("static-point-locator-2d", "vtkStaticPointLocator2D", flat_points, 1_000_000, 16_000_000),
    locate("kd-tree", "vtkKdTreePointLocator", points, 200_000, 4_000_000),
    locate("octree", "vtkOctreePointLocator", points, 200_000, 4_000_000),
    locate("incremental-octree", "vtkIncrementalOctreePointLocator", points, 200_000, 4_000_000),
)
