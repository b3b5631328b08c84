"""ITK operations that run filters of one's own on shared images."""

from __future__ import annotations

from typing import Any

import itk

from fuzz.digests import rounded
from fuzz.itk_things import BYTE_2, COMPLEX_2, FLOAT_2, FLOAT_3, ITK, SHORT_2, image_digest, updated

IMAGES = "float_2|float_3|byte_2|byte_3|short_2"
SMOOTHING = ("MedianImageFilter", "MeanImageFilter")
FLOATS = ("DiscreteGaussianImageFilter", "SmoothingRecursiveGaussianImageFilter", "CurvatureFlowImageFilter", "GradientMagnitudeImageFilter",
          "LaplacianImageFilter", "AbsImageFilter")  # fmt: skip


@ITK.operation("filters", image=IMAGES, kind=SMOOTHING, radius=(1, 2), weight=4)
def smoothed(image: Any, kind: str, radius: int) -> str:
    """A neighbourhood filter on a shared image."""
    own = type(image)
    return updated(getattr(itk, kind)[own, own].New(Input=image, Radius=radius))


@ITK.operation("filters", image="float_2|float_3", kind=FLOATS, weight=4)
def float_filtered(image: Any, kind: str) -> str:
    """A filter on a shared image of floats."""
    own = type(image)
    return updated(getattr(itk, kind)[own, own].New(Input=image))


@ITK.operation("filters", image=IMAGES, low=(20, 90))
def thresholded(image: Any, low: int) -> str:
    """Where a shared image is in a range."""
    own = type(image)
    return updated(itk.BinaryThresholdImageFilter[own, own].New(Input=image, LowerThreshold=low, UpperThreshold=low + 60, InsideValue=200))


@ITK.operation("filters", image="byte_2|short_2")
def cast(image: Any) -> str:
    """A shared image as floats."""
    return updated(itk.CastImageFilter[type(image), FLOAT_2].New(Input=image))


@ITK.operation("filters", image="float_2|float_3", weight=2)
def rescaled(image: Any) -> str:
    """A shared image rescaled, which needs its extremes."""
    own = type(image)
    return updated(itk.RescaleIntensityImageFilter[own, own].New(Input=image, OutputMinimum=0, OutputMaximum=1))


@ITK.operation("filters", image="float_2", other="float_2")
def added(image: Any, other: Any) -> str:
    """A shared image added to the part of another that it covers."""
    part = itk.ResampleImageFilter[FLOAT_2, FLOAT_2].New(Input=other, ReferenceImage=image, UseReferenceImage=True)
    return updated(itk.AddImageFilter[FLOAT_2, FLOAT_2, FLOAT_2].New(Input1=image, Input2=part.GetOutput()))


@ITK.operation("filters", image="float_2", transform="transform", kind=("Linear", "NearestNeighbor"), weight=3)
def resampled(image: Any, transform: Any, kind: str) -> str:
    """A shared image through a shared transform."""
    interpolator = getattr(itk, f"{kind}InterpolateImageFunction")[FLOAT_2, itk.D].New()
    algorithm = itk.ResampleImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Transform=transform, Interpolator=interpolator)
    algorithm.SetReferenceImage(image)
    algorithm.UseReferenceImageOn()
    return updated(algorithm)


@ITK.operation("filters", image="float_2|float_3|byte_2|short_2", weight=2)
def statistics(image: Any) -> str:
    """Statistics of a shared image."""
    algorithm = itk.StatisticsImageFilter[type(image)].New(Input=image)
    algorithm.Update()
    return rounded(algorithm.GetMinimum(), algorithm.GetMaximum(), algorithm.GetMean(), algorithm.GetSigma())


@ITK.operation("filters", image="byte_2", low=(20, 90), weight=2)
def components(image: Any, low: int) -> str:
    """Connected parts of a thresholded shared image."""
    threshold = itk.BinaryThresholdImageFilter[BYTE_2, BYTE_2].New(Input=image, LowerThreshold=low, UpperThreshold=255)
    return updated(itk.ConnectedComponentImageFilter[BYTE_2, SHORT_2].New(Input=threshold.GetOutput()))


@ITK.operation("filters", image="byte_2", low=(20, 90))
def distance_map(image: Any, low: int) -> str:
    """Distances from parts of a shared image."""
    threshold = itk.BinaryThresholdImageFilter[BYTE_2, BYTE_2].New(Input=image, LowerThreshold=low, UpperThreshold=255)
    return updated(itk.SignedMaurerDistanceMapImageFilter[BYTE_2, FLOAT_2].New(Input=threshold.GetOutput()))


@ITK.operation("filters", image="float_2")
def transformed(image: Any) -> str:
    """A shared image through a Fourier transform and back."""
    padded = itk.ConstantPadImageFilter[FLOAT_2, FLOAT_2].New(Input=image, PadUpperBound=pad(image))
    forward = itk.ForwardFFTImageFilter[FLOAT_2, COMPLEX_2].New(Input=padded.GetOutput())
    backward = itk.InverseFFTImageFilter[COMPLEX_2, FLOAT_2].New(Input=forward.GetOutput())
    return updated(backward)


def pad(image: Any) -> list[int]:
    """How many pixels make an image as large as its Fourier transform must be."""
    wide, high = image.GetLargestPossibleRegion().GetSize()
    return [-wide % 32, -high % 32]


@ITK.operation("filters", image="float_2|byte_2|short_2", weight=2)
def extracted(image: Any) -> str:
    """A part of a shared image."""
    own = type(image)
    region = itk.ImageRegion[2]()
    region.SetIndex([2, 3])
    region.SetSize([7, 9])
    return updated(itk.ExtractImageFilter[own, own].New(Input=image, ExtractionRegion=region, DirectionCollapseToStrategy=1))


@ITK.operation("filters", image="float_3", slice_=(1, 3))
def sliced(image: Any, slice_: int) -> str:
    """A slice of a shared volume."""
    region = image.GetLargestPossibleRegion()
    size = list(region.GetSize())
    wanted = itk.ImageRegion[3]()
    wanted.SetIndex([0, 0, slice_])
    wanted.SetSize([size[0], size[1], 0])
    return updated(itk.ExtractImageFilter[FLOAT_3, FLOAT_2].New(Input=image, ExtractionRegion=wanted, DirectionCollapseToStrategy=1))


@ITK.operation("filters", image="float_2", other="float_2")
def pasted(image: Any, other: Any) -> str:
    """A part of one shared image pasted into another."""
    region = itk.ImageRegion[2]()
    region.SetIndex([1, 1])
    region.SetSize([8, 8])
    return updated(itk.PasteImageFilter[FLOAT_2].New(DestinationImage=image, SourceImage=other, SourceRegion=region, DestinationIndex=[4, 4]))


@ITK.operation("filters", image=IMAGES)
def flipped(image: Any) -> str:
    """A shared image mirrored."""
    return updated(itk.FlipImageFilter[type(image)].New(Input=image))


@ITK.operation("filters", image="float_2|float_3", weight=2)
def by_function(image: Any) -> str:
    """A shared image through ITK's functional interface."""
    return image_digest(itk.median_image_filter(image, radius=1))


@ITK.operation("metrics", image="float_2", other="float_2", transform="transform", weight=2)
def metric(image: Any, other: Any, transform: Any) -> str:
    """How well two shared images fit by a shared transform."""
    measure = itk.MeanSquaresImageToImageMetricv4[FLOAT_2, FLOAT_2].New(FixedImage=image, MovingImage=other, MovingTransform=transform)
    measure.SetMaximumNumberOfWorkUnits(1)
    measure.Initialize()
    return rounded(measure.GetValue())


@ITK.operation("pipelines", source="source", kind=SMOOTHING, weight=4)
def downstream(source: Any, kind: str) -> str:
    """A filter behind a shared pipeline, which the first of all threads runs."""
    return updated(getattr(itk, kind)[FLOAT_2, FLOAT_2].New(Input=source.GetOutput(), Radius=1))


@ITK.operation("pipelines", source="source", weight=2)
def out_of_date(source: Any) -> str:
    """A shared pipeline made out of date, and run again by a filter of one's own."""
    source.Modified()
    return updated(itk.MeanImageFilter[FLOAT_2, FLOAT_2].New(Input=source.GetOutput(), Radius=1))


@ITK.operation("pipelines", source="source")
def upstream_output(source: Any) -> str:
    """A copy of the output of a shared pipeline."""
    source.Update()
    copier = itk.ImageDuplicator[FLOAT_2].New(InputImage=source.GetOutput())
    copier.Update()
    return image_digest(copier.GetOutput())
