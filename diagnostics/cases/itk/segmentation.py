"""Segmentation: thresholds, regions that grow, fronts that march, level sets, watersheds, components."""

from __future__ import annotations

from typing import Any

from gilgen.diagnostics.cases.itk.data import (
    ball,
    ball_values,
    image_of,
    library,
    made,
    mask,
    noise,
    passed,
    prepared,
    side_of,
)
from gilgen.diagnostics.cases.itk.kinds import again, case, filled, update
from gilgen.diagnostics.cases.record import Work

NAMES = (
    "BinaryMask3DMeshSource",
    "BinaryThinningImageFilter",
    "ConfidenceConnectedImageFilter",
    "ConnectedComponentImageFilter",
    "ConnectedThresholdImageFilter",
    "FastMarchingImageFilter",
    "GeodesicActiveContourLevelSetImageFilter",
    "LevelSetNode",
    "MorphologicalWatershedImageFilter",
    "NeighborhoodConnectedImageFilter",
    "OtsuMultipleThresholdsImageFilter",
    "OtsuThresholdImageFilter",
    "RelabelComponentImageFilter",
    "ScalarImageKmeansImageFilter",
    "ThresholdSegmentationLevelSetImageFilter",
    "WatershedImageFilter",
)
"""The modules that the cases here need; see `filters`."""


def _grown(kind: str, types: str, size: int, **settings: object) -> Work:
    """A region that grows from the middle of a ball."""
    grow = prepared(kind, types, ball(size), **settings)
    grow.AddSeed([side_of(size) // 2] * 3) if hasattr(grow, "AddSeed") else grow.SetSeed(
        [side_of(size) // 2] * 3
    )
    return again(grow)


def _watershed_tree(size: int) -> Work:
    """A filter that keeps its tree of basins until it is told of another image: each call has one of its own."""
    image = noise(size)
    filters: list[Any] = []

    def begin() -> None:
        filters[:] = [prepared("WatershedImageFilter", "IF3", image, SetThreshold=0.05, SetLevel=0.3)]

    return Work(lambda: filters[0].Update(), begin, lambda: filled(filters[0]))  # noqa: PLW0108


def _marching(size: int) -> Work:
    """A front that starts in a corner and goes faster where the image is bright."""
    module = library()
    march = prepared("FastMarchingImageFilter", "IF3IF3", noise(size))
    node = module.LevelSetNode[module.F, 3]()
    node.SetValue(0.0)
    node.SetIndex([2, 2, 2])
    seeds = module.VectorContainer[module.UI, module.LevelSetNode[module.F, 3]].New()
    seeds.Initialize()
    seeds.InsertElement(0, node)
    march.SetTrialPoints(seeds)
    return again(march)


def _level_set(kind: str, size: int, **settings: object) -> Work:
    """A ball's edge, found from a smaller ball."""
    start = image_of(ball_values(size) + 2.0)
    level_set = prepared(kind, "IF3IF3F", start, **settings)
    level_set.SetFeatureImage(ball(size))
    level_set.SetNumberOfIterations(10)
    return again(level_set)


def _relabel(size: int) -> Work:
    components = passed("ConnectedComponentImageFilter", "IUC3IUS3", mask(size))
    return again(prepared("RelabelComponentImageFilter", "IUS3IUS3", components))


def _clusters(size: int) -> Work:
    cluster = prepared("ScalarImageKmeansImageFilter", "IF3IUC3", noise(size))
    for start in (0.2, 0.5, 0.8):
        cluster.AddClassWithInitialMean(start)
    return again(cluster)


def _thinning(size: int) -> Work:
    """Lines through the middle of what is set, in a picture."""
    values = library().array_from_image(mask(round(size**1.5)))[4]
    return again(prepared("BinaryThinningImageFilter", "IUC2IUC2", image_of(values)))


def _mesh(size: int) -> Work:
    source = made("BinaryMask3DMeshSource", "IUC3MF3", SetObjectValue=1)
    source.SetInput(mask(size))
    return Work(source.Update, source.Modified, lambda: source.GetOutput().GetNumberOfPoints() > 0)


CASES = (
    case(
        "connected-threshold",
        "ConnectedThresholdImageFilter.Update",
        lambda size: _grown("ConnectedThresholdImageFilter", "IF3IF3", size, SetLower=0.5, SetUpper=2.0),
        1_000_000,
        16_000_000,
    ),
    case(
        "confidence-connected",
        "ConfidenceConnectedImageFilter.Update",
        lambda size: _grown(
            "ConfidenceConnectedImageFilter", "IF3IUC3", size, SetMultiplier=2.5, SetNumberOfIterations=2
        ),
        500_000,
        8_000_000,
    ),
    case(
        "neighborhood-connected",
        "NeighborhoodConnectedImageFilter.Update",
        lambda size: _grown("NeighborhoodConnectedImageFilter", "IF3IF3", size, SetLower=0.5, SetUpper=2.0),
        300_000,
        8_000_000,
    ),
    update("otsu", "OtsuThresholdImageFilter", "IF3IUC3", noise, 4_000_000, 32_000_000),
    update(
        "otsu-multiple",
        "OtsuMultipleThresholdsImageFilter",
        "IF3IF3",
        noise,
        2_000_000,
        32_000_000,
        SetNumberOfThresholds=2,
    ),
    case("clusters", "ScalarImageKmeansImageFilter.Update", _clusters, 100_000, 2_000_000),
    case("fast-marching", "FastMarchingImageFilter.Update", _marching, 100_000, 2_000_000),
    case(
        "geodesic-contour",
        "GeodesicActiveContourLevelSetImageFilter.Update",
        lambda size: _level_set(
            "GeodesicActiveContourLevelSetImageFilter",
            size,
            SetPropagationScaling=1.0,
            SetCurvatureScaling=0.5,
            SetAdvectionScaling=1.0,
        ),
        100_000,
        2_000_000,
    ),
    case(
        "threshold-level-set",
        "ThresholdSegmentationLevelSetImageFilter.Update",
        lambda size: _level_set(
            "ThresholdSegmentationLevelSetImageFilter", size, SetLowerThreshold=0.5, SetUpperThreshold=2.0
        ),
        100_000,
        2_000_000,
    ),
    update(
        "watershed", "MorphologicalWatershedImageFilter", "IF3IUC3", noise, 60_000, 4_000_000, SetLevel=0.2
    ),
    case("watershed-tree", "WatershedImageFilter.Update", _watershed_tree, 30_000, 1_000_000),
    update("connected", "ConnectedComponentImageFilter", "IUC3IUS3", mask, 4_000_000, 32_000_000),
    case("relabel", "RelabelComponentImageFilter.Update", _relabel, 4_000_000, 32_000_000),
    case("thinning", "BinaryThinningImageFilter.Update", _thinning, 20_000, 100_000),
    case("mask-mesh", "BinaryMask3DMeshSource.Update", _mesh, 200_000, 8_000_000),
)
