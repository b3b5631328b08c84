"""What is called in ITK: filters by method and by function, readers, writers, registration, plain images.

All data are made on the spot from smooth noise with a fixed seed, which has structure at several scales.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from gilgen.diagnostics.cases import Case, Work

MEGABYTE = 1 << 20


@functools.cache
def _module() -> Any:
    """ITK; its parts load when they are first named."""
    return importlib.import_module("itk")


NAMES = (
    "Image",
    "MedianImageFilter",
    "ImageFileReader",
    "ImageFileWriter",
    "ForwardFFTImageFilter",
    "DiscreteGaussianImageFilter",
    "GradientAnisotropicDiffusionImageFilter",
    "ImageRegistrationMethod",
    "ConnectedComponentImageFilter",
    "MorphologicalWatershedImageFilter",
    "ResampleImageFilter",
    "DanielssonDistanceMapImageFilter",
)
"""ITK imports a module when one of its names is first used; these are the modules that the cases need."""


def load() -> None:
    """Import the parts of ITK that the cases use."""
    for name in NAMES:
        getattr(_module(), name)


def single_threaded() -> None:
    """One thread a call, for filters made from now on."""
    _module().MultiThreaderBase.SetGlobalDefaultNumberOfThreads(1)


# ------------------------------------------------------------------------------------------------ data


def _side(samples: int) -> int:
    side: float = samples ** (1 / 3)
    return max(8, round(side))


def noise(samples: int, seed: int = 42) -> Any:
    """A cube of about so many float samples: coarse noise spread out and fine noise on top of it."""
    side = _side(samples)
    random = np.random.default_rng(seed)
    coarse = random.random((side // 8 + 1,) * 3, dtype=np.float32)
    values = coarse.repeat(8, 0).repeat(8, 1).repeat(8, 2)[:side, :side, :side]
    values = values + 0.1 * random.random(values.shape, dtype=np.float32)
    return _module().image_from_array(np.ascontiguousarray(values, dtype=np.float32))


def mask(samples: int) -> Any:
    """A cube of about so many bytes: the brighter half of the noise is 1."""
    values = _module().array_view_from_image(noise(samples)) > 0.55  # noqa: PLR2004
    return _module().image_from_array(values.astype(np.uint8))


def _byte_image() -> Any:
    return _module().Image[_module().UC, 3]


def _float_image() -> Any:
    return _module().Image[_module().F, 3]


# ------------------------------------------------------------------------------------------- kinds of work


def _update(
    name: str, data: Callable[[int], Any], types: Callable[[], tuple[Any, ...]], **settings: Any
) -> Callable[[int], Work]:
    """A filter's Update. `types` gives the template arguments; "SetX" is called for SetX=..."""

    def make(size: int) -> Work:
        image = data(size)
        operation = getattr(_module(), name)[types()].New()
        for setting, value in settings.items():
            getattr(operation, setting)(value)
        operation.SetInput(image)
        return Work(operation.Update, operation.Modified)

    return make


def _floats() -> tuple[Any, ...]:
    return _float_image(), _float_image()


def _function(size: int) -> Work:
    image = noise(size)
    return Work(lambda: _module().median_image_filter(image, radius=1))


_FFT_SIDES = tuple(
    2**two * 3**three * 5**five for two in range(1, 12) for three in range(4) for five in range(3)
)


def _fft(size: int) -> Work:
    forward = (
        _module()
        .ForwardFFTImageFilter[_float_image(), _module().Image[_module().complex[_module().F], 3]]
        .New()
    )
    # ITK's own engine takes sides with the prime factors 2, 3 and 5 only.
    depth = max(side for side in _FFT_SIDES if side <= max(2, size // (128 * 128)))
    random = np.random.default_rng(7)
    values = random.random((depth, 128, 128), dtype=np.float32)
    forward.SetInput(_module().image_from_array(values))
    return Work(forward.Update, forward.Modified)


def _file_writer(size: int) -> Work:
    writer = _module().ImageFileWriter[_float_image()].New()
    writer.SetInput(noise(size))
    writer.SetFileName(f"{id(writer):x}.nrrd")
    writer.UseCompressionOn()
    return Work(writer.Update, writer.Modified)


def _file_reader(size: int) -> Work:
    module = _module()
    name = f"{size}.mha"
    module.imwrite(noise(size), name, compression=True)
    reader = module.ImageFileReader[_float_image()].New()
    reader.SetFileName(name)
    return Work(reader.Update, reader.Modified)


def _allocate(size: int) -> Work:
    image = _float_image().New()
    region = _module().ImageRegion[3]()
    region.SetSize([_side(size // 4)] * 3)

    def forget() -> None:
        image.ReleaseData()
        image.SetRegions(region)

    return Work(lambda: image.Allocate(True), forget)  # noqa: FBT003 - "initialise", in ITK's words


def _registration(size: int) -> Work:
    module = _module()
    fixed, moving = noise(size, 1), noise(size, 1)
    moving.SetOrigin([0.7, -0.4, 0.2])
    double = module.D
    registration = module.ImageRegistrationMethod[_float_image(), _float_image()].New()
    metric = module.MeanSquaresImageToImageMetric[_float_image(), _float_image()].New()
    metric.UseAllPixelsOn()
    transform = module.TranslationTransform[double, 3].New()
    optimizer = module.RegularStepGradientDescentOptimizer.New()
    optimizer.SetNumberOfIterations(6)
    optimizer.SetMinimumStepLength(1e-4)
    interpolator = module.LinearInterpolateImageFunction[_float_image(), double].New()
    registration.SetMetric(metric)
    registration.SetTransform(transform)
    registration.SetOptimizer(optimizer)
    registration.SetInterpolator(interpolator)
    registration.SetFixedImage(fixed)
    registration.SetMovingImage(moving)
    registration.SetFixedImageRegion(fixed.GetBufferedRegion())
    registration.SetInitialTransformParameters(transform.GetParameters())
    return Work(registration.Update, registration.Modified)


CASES = (
    Case(
        "median",
        "itk",
        "itk.MedianImageFilter.Update",
        _update("MedianImageFilter", noise, _floats, SetRadius=1),
        300_000,
        8_000_000,
        quick=True,
    ),
    Case("median-function", "itk", "itk.median_image_filter", _function, 300_000, 8_000_000, quick=True),
    Case(
        "gauss",
        "itk",
        "itk.DiscreteGaussianImageFilter.Update",
        _update("DiscreteGaussianImageFilter", noise, _floats, SetVariance=2.0),
        500_000,
        16_000_000,
    ),
    Case(
        "diffusion",
        "itk",
        "itk.GradientAnisotropicDiffusionImageFilter.Update",
        _update(
            "GradientAnisotropicDiffusionImageFilter",
            noise,
            _floats,
            SetNumberOfIterations=3,
            SetTimeStep=0.05,
        ),
        300_000,
        8_000_000,
    ),
    Case("fft", "itk", "itk.ForwardFFTImageFilter.Update", _fft, 2_000_000, 32_000_000),
    Case(
        "connected",
        "itk",
        "itk.ConnectedComponentImageFilter.Update",
        _update(
            "ConnectedComponentImageFilter", mask, lambda: (_byte_image(), _module().Image[_module().US, 3])
        ),
        4_000_000,
        32_000_000,
    ),
    Case(
        "watershed",
        "itk",
        "itk.MorphologicalWatershedImageFilter.Update",
        _update(
            "MorphologicalWatershedImageFilter", noise, lambda: (_float_image(), _byte_image()), SetLevel=0.2
        ),
        60_000,
        4_000_000,
    ),
    Case(
        "distance-map",
        "itk",
        "itk.DanielssonDistanceMapImageFilter.Update",
        _update("DanielssonDistanceMapImageFilter", mask, lambda: (_byte_image(), _float_image())),
        300_000,
        8_000_000,
    ),
    Case("registration", "itk", "itk.ImageRegistrationMethod.Update", _registration, 100_000, 4_000_000),
    Case("writer", "itk", "itk.ImageFileWriter.Update", _file_writer, 500_000, 16_000_000, quick=True),
    Case("reader", "itk", "itk.ImageFileReader.Update", _file_reader, 2_000_000, 32_000_000),
    Case("allocate", "itk", "itk.Image.Allocate", _allocate, 400 * MEGABYTE, 1000 * MEGABYTE),
)
