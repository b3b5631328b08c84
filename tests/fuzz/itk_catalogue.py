"""All of ITK's makers and operations."""

import itk

from fuzz import itk_filters, itk_others
from fuzz.itk_things import ITK as CATALOGUE
from fuzz.itk_things import byte_image, image_digest

__all__ = ("CATALOGUE", "MODULES")

MODULES = (itk_filters, itk_others)

NEEDED = (
    "AbsImageFilter",
    "AddImageFilter",
    "AffineTransform",
    "BSplineInterpolateImageFunction",
    "BinaryThresholdImageFilter",
    "CastImageFilter",
    "CompositeTransform",
    "ConnectedComponentImageFilter",
    "ConstantPadImageFilter",
    "CurvatureFlowImageFilter",
    "DiscreteGaussianImageFilter",
    "EndEvent",
    "ExtractImageFilter",
    "FlipImageFilter",
    "ForwardFFTImageFilter",
    "GradientMagnitudeImageFilter",
    "ImageDuplicator",
    "ImageFileReader",
    "ImageFileWriter",
    "ImageIOFactory",
    "ImageRegion",
    "InverseFFTImageFilter",
    "LaplacianImageFilter",
    "LinearInterpolateImageFunction",
    "MeanImageFilter",
    "MeanSquaresImageToImageMetricv4",
    "MedianImageFilter",
    "MultiThreaderBase",
    "NearestNeighborInterpolateImageFunction",
    "PasteImageFilter",
    "PyCommand",
    "ResampleImageFilter",
    "RescaleIntensityImageFilter",
    "SignedMaurerDistanceMapImageFilter",
    "SmoothingRecursiveGaussianImageFilter",
    "StartEvent",
    "StatisticsImageFilter",
    "TranslationTransform",
)
"""What the operations use of ITK, which loads its modules when their classes are first used: here, before a process forks."""

for name in NEEDED:
    getattr(itk, name)

image_digest(byte_image(4))  # imports what ITK imports with the first array that it meets; starts no thread
