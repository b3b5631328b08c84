"""Filters on images, and the ways to run them: no plain wheel of ITK releases in any."""

from __future__ import annotations

import numpy as np
from gilgen.diagnostics.cases.itk.data import (
    MEGABYTE,
    image_of,
    labels,
    library,
    made,
    mask,
    noise,
    passed,
    prepared,
    side_of,
    slab,
)
from gilgen.diagnostics.cases.itk.kinds import again, case, filled, update
from gilgen.diagnostics.cases.record import Work

NAMES = (
    "AdaptiveHistogramEqualizationImageFilter",
    "BilateralImageFilter",
    "BinaryMorphologicalClosingImageFilter",
    "CannyEdgeDetectionImageFilter",
    "CastImageFilter",
    "CurvatureFlowImageFilter",
    "DanielssonDistanceMapImageFilter",
    "DiscreteGaussianImageFilter",
    "FFTConvolutionImageFilter",
    "FlatStructuringElement",
    "ForwardFFTImageFilter",
    "GradientAnisotropicDiffusionImageFilter",
    "GradientMagnitudeImageFilter",
    "GrayscaleDilateImageFilter",
    "GrayscaleFillholeImageFilter",
    "HistogramMatchingImageFilter",
    "Image",
    "ImageDuplicator",
    "ImageMomentsCalculator",
    "LabelImageToShapeLabelMapFilter",
    "LabelStatisticsImageFilter",
    "MedianImageFilter",
    "N4BiasFieldCorrectionImageFilter",
    "ResampleImageFilter",
    "SignedMaurerDistanceMapImageFilter",
    "SmoothingRecursiveGaussianImageFilter",
    "StatisticsImageFilter",
    "StreamingImageFilter",
)
"""ITK imports a module when one of its names is first used; these are the modules that the cases here need."""


def _function(size: int) -> Work:
    image = noise(size)
    return Work(lambda: library().median_image_filter(image, radius=1))


def _largest_region(size: int) -> Work:
    median = prepared("MedianImageFilter", "IF3IF3", noise(size), SetRadius=1)
    return Work(median.UpdateLargestPossibleRegion, median.Modified, lambda: filled(median))


def _output_update(size: int) -> Work:
    median = prepared("MedianImageFilter", "IF3IF3", noise(size), SetRadius=1)
    return Work(lambda: median.GetOutput().Update(), median.Modified, lambda: filled(median))


def _streaming(size: int) -> Work:
    """A median in four pieces, one after the other."""
    median = prepared("MedianImageFilter", "IF3IF3", noise(size), SetRadius=1)
    stream = prepared("StreamingImageFilter", "IF3IF3", median.GetOutput(), SetNumberOfStreamDivisions=4)
    return Work(stream.Update, median.Modified, lambda: filled(stream))


def _fft(size: int) -> Work:
    return again(prepared("ForwardFFTImageFilter", "IF3ICF3", slab(size)))


def _convolution(size: int) -> Work:
    convolve = prepared("FFTConvolutionImageFilter", "IF3IF3", noise(size))
    convolve.SetKernelImage(image_of(np.full((5, 5, 5), 1 / 125, dtype=np.float32)))
    return again(convolve)


def _morphology(kind: str, data: str, size: int) -> Work:
    module = library()
    element = module.FlatStructuringElement[3].Ball(2)
    return again(
        prepared(kind, f"{data}{data}SE3", noise(size) if data == "IF3" else mask(size), SetKernel=element)
    )


def _resample(size: int) -> Work:
    image = noise(size)
    turn = made("Euler3DTransform", "D", SetRotation=(0.1, 0.2, 0.3))
    resample = prepared("ResampleImageFilter", "IF3IF3", image, SetTransform=turn)
    resample.SetReferenceImage(image)
    resample.UseReferenceImageOn()
    return again(resample)


def _histogram_matching(size: int) -> Work:
    match = made(
        "HistogramMatchingImageFilter", "IF3IF3", SetNumberOfHistogramLevels=256, SetNumberOfMatchPoints=10
    )
    match.SetSourceImage(noise(size, 1))
    match.SetReferenceImage(noise(size, 2))
    return again(match)


def _bias(size: int) -> Work:
    correct = prepared("N4BiasFieldCorrectionImageFilter", "IF3IUC3IF3", noise(size))
    correct.SetMaskImage(passed("CastImageFilter", "IUC3IUC3", mask(size)))
    correct.SetNumberOfFittingLevels(1)
    correct.SetMaximumNumberOfIterations([2])
    return again(correct)


def _label_statistics(size: int) -> Work:
    statistics = prepared("LabelStatisticsImageFilter", "IF3IUC3", noise(size))
    statistics.SetLabelInput(labels(size))
    return Work(statistics.Update, statistics.Modified, lambda: statistics.GetNumberOfLabels() > 1)


def _shapes(size: int) -> Work:
    shapes = prepared("LabelImageToShapeLabelMapFilter", "IUC3LM3", labels(size))
    return Work(shapes.Update, shapes.Modified, lambda: shapes.GetOutput().GetNumberOfLabelObjects() > 0)


def _statistics(size: int) -> Work:
    statistics = prepared("StatisticsImageFilter", "IF3", noise(size))
    return Work(statistics.Update, statistics.Modified, lambda: statistics.GetMean() > 0)


def _moments(size: int) -> Work:
    calculator = made("ImageMomentsCalculator", "IF3")
    calculator.SetImage(noise(size))
    return Work(calculator.Compute, calculator.Modified, lambda: calculator.GetTotalMass() > 0)


def _allocate(size: int) -> Work:
    image = library().Image[library().F, 3].New()
    region = library().ImageRegion[3]()
    region.SetSize([side_of(size // 4)] * 3)

    def forget() -> None:
        image.ReleaseData()
        image.SetRegions(region)

    return Work(lambda: image.Allocate(True), forget, lambda: image.GetBufferPointer() is not None)  # noqa: FBT003 - "initialise", in ITK's words


def _fill(size: int) -> Work:
    image = image_of(np.zeros((side_of(size // 4),) * 3, dtype=np.float32))
    return Work(lambda: image.FillBuffer(2.5))


def _duplicator(size: int) -> Work:
    image = image_of(np.zeros((side_of(size // 4),) * 3, dtype=np.float32))
    duplicator = made("ImageDuplicator", "IF3", SetInputImage=image)
    return Work(
        duplicator.Update,
        image.Modified,
        lambda: duplicator.GetOutput().GetBufferedRegion().GetNumberOfPixels() > 0,
    )


def _duplicate(size: int) -> Work:
    image = image_of(np.zeros((side_of(size // 4),) * 3, dtype=np.float32))
    return Work(lambda: library().image_duplicator(image))


CASES = (
    update("median", "MedianImageFilter", "IF3IF3", noise, 300_000, 8_000_000, quick=True, SetRadius=1),
    case("median-function", "median_image_filter", _function, 300_000, 8_000_000, quick=True),
    case(
        "median-largest", "MedianImageFilter.UpdateLargestPossibleRegion", _largest_region, 300_000, 8_000_000
    ),
    case("median-output", "Image.Update", _output_update, 300_000, 8_000_000),
    case("median-streamed", "StreamingImageFilter.Update", _streaming, 300_000, 8_000_000),
    update("gauss", "DiscreteGaussianImageFilter", "IF3IF3", noise, 500_000, 16_000_000, SetVariance=2.0),
    update(
        "recursive-gauss",
        "SmoothingRecursiveGaussianImageFilter",
        "IF3IF3",
        noise,
        1_000_000,
        16_000_000,
        SetSigma=2.0,
    ),
    update(
        "diffusion",
        "GradientAnisotropicDiffusionImageFilter",
        "IF3IF3",
        noise,
        300_000,
        8_000_000,
        SetNumberOfIterations=3,
        SetTimeStep=0.05,
    ),
    update(
        "curvature-flow",
        "CurvatureFlowImageFilter",
        "IF3IF3",
        noise,
        300_000,
        8_000_000,
        SetNumberOfIterations=3,
        SetTimeStep=0.05,
    ),
    update(
        "bilateral",
        "BilateralImageFilter",
        "IF3IF3",
        noise,
        10_000,
        1_000_000,
        SetDomainSigma=1.0,
        SetRangeSigma=0.2,
    ),
    update("gradient", "GradientMagnitudeImageFilter", "IF3IF3", noise, 1_000_000, 16_000_000),
    update(
        "canny",
        "CannyEdgeDetectionImageFilter",
        "IF3IF3",
        noise,
        200_000,
        4_000_000,
        SetVariance=2.0,
        SetUpperThreshold=0.1,
        SetLowerThreshold=0.05,
    ),
    update(
        "equalize", "AdaptiveHistogramEqualizationImageFilter", "IF3", noise, 20_000, 1_000_000, SetRadius=3
    ),
    case(
        "histogram-matching",
        "HistogramMatchingImageFilter.Update",
        _histogram_matching,
        1_000_000,
        16_000_000,
    ),
    case("bias", "N4BiasFieldCorrectionImageFilter.Update", _bias, 30_000, 2_000_000),
    case("fft", "ForwardFFTImageFilter.Update", _fft, 2_000_000, 32_000_000),
    case("convolution", "FFTConvolutionImageFilter.Update", _convolution, 300_000, 8_000_000),
    case("resample", "ResampleImageFilter.Update", _resample, 1_000_000, 16_000_000),
    case(
        "dilate",
        "GrayscaleDilateImageFilter.Update",
        lambda size: _morphology("GrayscaleDilateImageFilter", "IF3", size),
        500_000,
        16_000_000,
    ),
    case(
        "closing",
        "BinaryMorphologicalClosingImageFilter.Update",
        lambda size: _morphology("BinaryMorphologicalClosingImageFilter", "IUC3", size),
        500_000,
        16_000_000,
    ),
    update("fill-holes", "GrayscaleFillholeImageFilter", "IF3IF3", noise, 200_000, 4_000_000),
    update("distance-map", "DanielssonDistanceMapImageFilter", "IUC3IF3", mask, 300_000, 8_000_000),
    update("signed-distance", "SignedMaurerDistanceMapImageFilter", "IUC3IF3", mask, 500_000, 16_000_000),
    case("statistics", "StatisticsImageFilter.Update", _statistics, 8_000_000, 40_000_000),
    case("label-statistics", "LabelStatisticsImageFilter.Update", _label_statistics, 1_000_000, 16_000_000),
    case("label-shapes", "LabelImageToShapeLabelMapFilter.Update", _shapes, 500_000, 8_000_000),
    case("moments", "ImageMomentsCalculator.Compute", _moments, 2_000_000, 32_000_000),
    case("allocate", "Image.Allocate", _allocate, 400 * MEGABYTE, 1000 * MEGABYTE),
    case("fill", "Image.FillBuffer", _fill, 400 * MEGABYTE, 1000 * MEGABYTE),
    update("cast", "CastImageFilter", "IF3ID3", noise, 16_000_000, 32_000_000),
    case("duplicator", "ImageDuplicator.Update", _duplicator, 200 * MEGABYTE, 600 * MEGABYTE),
    case("duplicate", "image_duplicator", _duplicate, 200 * MEGABYTE, 600 * MEGABYTE),
)
