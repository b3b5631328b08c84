"""Registration: ITK's older framework, its newer one, demons, landmarks, and what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
from gilgen.diagnostics.cases.itk.data import image_of, library, made, noise, noise_values, spline
from gilgen.diagnostics.cases.itk.kinds import again, case
from gilgen.diagnostics.cases.record import Work

NAMES = (
    "AffineTransform",
    "BSplineTransform",
    "CenteredTransformInitializer",
    "DemonsRegistrationFilter",
    "DiffeomorphicDemonsRegistrationFilter",
    "ImageRegistrationMethod",
    "ImageRegistrationMethodv4",
    "LandmarkBasedTransformInitializer",
    "LinearInterpolateImageFunction",
    "MattesMutualInformationImageToImageMetricv4",
    "MeanSquaresImageToImageMetric",
    "MeanSquaresImageToImageMetricv4",
    "RegularStepGradientDescentOptimizer",
    "RegularStepGradientDescentOptimizerv4",
    "TransformToDisplacementFieldFilter",
    "VersorRigid3DTransform",
)
"""The modules that the cases here need; see `filters`."""


def _pair(size: int) -> tuple[Any, Any]:
    """An image and the same a little aside."""
    fixed, moving = noise(size, 1), noise(size, 1)
    moving.SetOrigin([0.7, -0.4, 0.2])
    return fixed, moving


def _older(size: int) -> Work:
    module = library()
    fixed, moving = _pair(size)
    registration = made("ImageRegistrationMethod", "IF3IF3")
    metric = made("MeanSquaresImageToImageMetric", "IF3IF3")
    metric.UseAllPixelsOn()
    transform = module.TranslationTransform[module.D, 3].New()
    optimizer = made(
        "RegularStepGradientDescentOptimizer", SetNumberOfIterations=6, SetMinimumStepLength=1e-4
    )
    registration.SetMetric(metric)
    registration.SetTransform(transform)
    registration.SetOptimizer(optimizer)
    registration.SetInterpolator(
        module.LinearInterpolateImageFunction[module.Image[module.F, 3], module.D].New()
    )
    registration.SetFixedImage(fixed)
    registration.SetMovingImage(moving)
    registration.SetFixedImageRegion(fixed.GetBufferedRegion())
    registration.SetInitialTransformParameters(transform.GetParameters())
    return Work(registration.Update, registration.Modified, lambda: optimizer.GetCurrentIteration() > 0)


def _newer(metric: Any, transform: Any, size: int, iterations: int) -> Work:
    module = library()
    fixed, moving = _pair(size)
    image = module.Image[module.F, 3]
    optimizer = made(
        "RegularStepGradientDescentOptimizerv4", "D",
        SetNumberOfIterations=iterations, SetLearningRate=0.5, SetMinimumStepLength=1e-6, SetRelaxationFactor=0.5,
    )  # fmt: skip
    registration = module.ImageRegistrationMethodv4[image, image].New(
        FixedImage=fixed, MovingImage=moving, Metric=metric, Optimizer=optimizer
    )
    registration.SetInitialTransform(transform)
    registration.SetNumberOfLevels(1)
    registration.SetShrinkFactorsPerLevel([1])
    registration.SetSmoothingSigmasPerLevel([0])

    def forget() -> None:
        transform.SetIdentity()
        registration.Modified()

    return Work(registration.Update, forget, lambda: optimizer.GetCurrentIteration() > 0)


def _translation(size: int) -> Work:
    module = library()
    transform = module.TranslationTransform[module.D, 3].New()
    return _newer(made("MeanSquaresImageToImageMetricv4", "IF3IF3"), transform, size, 5)


def _affine(size: int) -> Work:
    metric = made("MattesMutualInformationImageToImageMetricv4", "IF3IF3", SetNumberOfHistogramBins=30)
    return _newer(metric, made("AffineTransform", "D3"), size, 5)


def _elastic(size: int) -> Work:
    transform = made("BSplineTransform", "D33")
    side = round(size ** (1 / 3))
    transform.SetTransformDomainPhysicalDimensions([float(side)] * 3)
    transform.SetTransformDomainMeshSize([4] * 3)
    transform.SetIdentity()
    return _newer(made("MeanSquaresImageToImageMetricv4", "IF3IF3"), transform, size, 3)


def _demons(kind: str, size: int) -> Work:
    fixed = noise(size)
    moving = image_of(np.roll(noise_values(size), 1, axis=2))
    demons = made(kind, "IF3IF3IVF33", SetNumberOfIterations=3, SetStandardDeviations=1.0)
    demons.SetFixedImage(fixed)
    demons.SetMovingImage(moving)
    return again(demons)


def _landmarks(size: int) -> Work:
    """A rigid transform from so many pairs of points."""
    module = library()
    places = np.random.default_rng(9).random((max(8, size), 3)) * 100
    sets = []
    for shift in (0.0, 3.0):
        points = module.vector[module.Point[module.D, 3]]()
        for place in places + shift:
            points.push_back(place.tolist())
        sets.append(points)
    initializer = made("LandmarkBasedTransformInitializer", "TD33")
    transform = made("VersorRigid3DTransform", "D")
    initializer.SetTransform(transform)
    initializer.SetFixedLandmarks(sets[0])
    initializer.SetMovingLandmarks(sets[1])
    return Work(
        initializer.InitializeTransform,
        transform.SetIdentity,
        lambda: abs(transform.GetTranslation()[0] - 3.0) < 0.1,  # noqa: PLR2004
    )


def _centred(size: int) -> Work:
    module = library()
    fixed, moving = _pair(size)
    image = module.Image[module.F, 3]
    transform = made("VersorRigid3DTransform", "D")
    initializer = module.CenteredTransformInitializer[
        module.VersorRigid3DTransform[module.D], image, image
    ].New()
    initializer.SetTransform(transform)
    initializer.SetFixedImage(fixed)
    initializer.SetMovingImage(moving)
    initializer.MomentsOn()
    return Work(initializer.InitializeTransform, transform.SetIdentity)


def _field(size: int) -> Work:
    """A displacement for each sample, from a B-spline."""
    module = library()
    fixed = noise(size)
    to_field = module.TransformToDisplacementFieldFilter[
        module.Image[module.Vector[module.F, 3], 3], module.D
    ].New()
    to_field.SetTransform(spline(1000))
    to_field.SetReferenceImage(fixed)
    to_field.UseReferenceImageOn()
    return again(to_field)


CASES = (
    case("registration", "ImageRegistrationMethod.Update", _older, 100_000, 4_000_000),
    case("registration-v4", "ImageRegistrationMethodv4.Update", _translation, 100_000, 4_000_000),
    case("registration-affine", "ImageRegistrationMethodv4.Update", _affine, 50_000, 2_000_000),
    case("registration-elastic", "ImageRegistrationMethodv4.Update", _elastic, 20_000, 1_000_000),
    case(
        "demons",
        "DemonsRegistrationFilter.Update",
        lambda size: _demons("DemonsRegistrationFilter", size),
        100_000,
        4_000_000,
    ),
    case(
        "diffeomorphic-demons",
        "DiffeomorphicDemonsRegistrationFilter.Update",
        lambda size: _demons("DiffeomorphicDemonsRegistrationFilter", size),
        30_000,
        2_000_000,
    ),
    case("landmarks", "LandmarkBasedTransformInitializer.InitializeTransform", _landmarks, 50_000, 2_000_000),
    case("centre", "CenteredTransformInitializer.InitializeTransform", _centred, 1_000_000, 16_000_000),
    case("displacements", "TransformToDisplacementFieldFilter.Update", _field, 100_000, 4_000_000),
)
