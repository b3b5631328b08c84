"""What ITK's cases work on, all made on the spot from smooth noise with a fixed seed: it has structure at several scales.

Types go by ITK's own short names: "IF3" is `itk.Image[itk.F, 3]`, and `itk.MedianImageFilter.IF3IF3` a filter on it.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

MEGABYTE = 1 << 20

SLAB = 128
"""Two sides of a slab in samples; its depth grows."""

FFT_SIDES = tuple(
    2**two * 3**three * 5**five for two in range(1, 12) for three in range(4) for five in range(3)
)
"""ITK's own engine takes sides with the prime factors 2, 3 and 5 only."""


@functools.cache
def library() -> Any:
    """ITK; its parts load when they are first named."""
    return importlib.import_module("itk")


def made(kind: str, types: str = "", **settings: Any) -> Any:
    """A new object of a class by its short names, with settings (`SetX=(1, 2)` calls `SetX(1, 2)`)."""
    template = getattr(library(), kind)
    thing = (getattr(template, types) if types else template).New()
    for setting, value in settings.items():
        getattr(thing, setting)(*value if isinstance(value, tuple) else (value,))
    return thing


def prepared(kind: str, types: str, image: Any, **settings: Any) -> Any:
    """A filter with its input and settings."""
    operation = made(kind, types, **settings)
    operation.SetInput(image)
    return operation


def passed(kind: str, types: str, image: Any, **settings: Any) -> Any:
    """What a filter makes of an image."""
    operation = prepared(kind, types, image, **settings)
    operation.Update()
    return operation.GetOutput()


def image_of(values: Any) -> Any:
    """An image that has its own copy of an array."""
    return library().image_from_array(np.ascontiguousarray(values))


def side_of(samples: float) -> int:
    """The side of a cube of about so many samples."""
    side: float = samples ** (1 / 3)
    return max(8, round(side))


def noise_values(samples: int, seed: int = 42) -> Any:
    """A cubic array of about so many floats between 0 and 1.1: coarse noise spread out and fine noise on top of it."""
    side = side_of(samples)
    random = np.random.default_rng(seed)
    coarse = random.random((side // 8 + 1,) * 3, dtype=np.float32)
    values = coarse.repeat(8, 0).repeat(8, 1).repeat(8, 2)[:side, :side, :side]
    return (values + 0.1 * random.random(values.shape, dtype=np.float32)).astype(np.float32)


def noise(samples: int, seed: int = 42) -> Any:
    """The noise as an image of floats, "IF3"."""
    return image_of(noise_values(samples, seed))


def _integers(samples: int, kind: type[Any], top: int) -> Any:
    """The same kind of noise in whole numbers up to about `top`, without floats on the way: these images are large."""
    side = side_of(samples)
    random = np.random.default_rng(42)
    coarse = random.integers(0, top, (side // 8 + 1,) * 3, dtype=kind)
    values = coarse.repeat(8, 0)[:side].repeat(8, 1)[:, :side].repeat(8, 2)[:, :, :side]
    return image_of(values + random.integers(0, top // 10, values.shape, dtype=kind))


def shorts(samples: int) -> Any:
    """Noise in two bytes a sample, "IUS3"."""
    return _integers(samples, np.uint16, 1000)


def byte_noise(samples: int) -> Any:
    """Noise in one byte a sample, "IUC3"."""
    return _integers(samples, np.uint8, 200)


def mask(samples: int) -> Any:
    """A cube of about so many bytes, "IUC3": the brighter half of the noise is 1."""
    return image_of((noise_values(samples) > 0.55).astype(np.uint8))  # noqa: PLR2004


def labels(samples: int) -> Any:
    """A cube of about so many labels, "IUC3": blocks of eight samples a side."""
    side = side_of(samples)
    blocks = np.random.default_rng(6).integers(0, 200, (side // 8 + 1,) * 3, dtype=np.uint8)
    return image_of(blocks.repeat(8, 0).repeat(8, 1).repeat(8, 2)[:side, :side, :side])


def ball_values(samples: int) -> Any:
    """How far each sample of a cube lies from its middle, in samples, less a third of its side: a ball is below zero."""
    side = side_of(samples)
    z, y, x = np.meshgrid(*[np.arange(side, dtype=np.float32) - side / 2] * 3, indexing="ij", sparse=True)
    return (np.sqrt(x * x + y * y + z * z) - side / 3).astype(np.float32)


def ball(samples: int) -> Any:
    """A ball with a soft edge and a little noise, 1 inside and 0 outside, "IF3"."""
    distance = ball_values(samples)
    random = np.random.default_rng(8)
    return image_of(
        np.clip(0.5 - distance / 4, 0, 1) + 0.05 * random.random(distance.shape, dtype=np.float32)
    )


def slab(samples: int) -> Any:
    """Noise of 128 x 128 samples a slice whose sides ITK's FFT takes, "IF3"."""
    depth = max(side for side in FFT_SIDES if side <= max(2, samples // SLAB**2))
    return image_of(np.random.default_rng(7).random((depth, SLAB, SLAB), dtype=np.float32))


def picture(pixels: int) -> Any:
    """A square of about so many grey pixels of one byte, "IUC2"."""
    side = max(16, round(pixels**0.5))
    wave = np.sin(np.arange(side, dtype=np.float32) * np.float32(0.05))
    values = (110 + 100 * np.outer(wave, wave)).astype(np.uint8)
    values += np.random.default_rng(5).integers(0, 16, (side, side), dtype=np.uint8)
    return image_of(values)


def mesh(samples: int) -> Any:
    """The surface of what is set in a mask of about so many samples, "MF3"."""
    return passed("BinaryMask3DMeshSource", "IUC3MF3", mask(samples), SetObjectValue=1)


def spline(parameters: int) -> Any:
    """A B-spline transform of about so many parameters, each a small shift."""
    module = library()
    transform = made("BSplineTransform", "D33")
    side = max(1, side_of(parameters / 3) - 3)
    transform.SetTransformDomainMeshSize([side] * 3)
    values = np.random.default_rng(4).normal(0.0, 0.1, transform.GetNumberOfParameters())
    parameters_ = module.OptimizerParameters[module.D](transform.GetNumberOfParameters())
    for index, value in enumerate(values):
        parameters_[index] = value
    transform.SetParameters(parameters_)
    return transform
