"""ITK's shared things. Each is made the same in every process, and nothing has read it before."""

from __future__ import annotations

import queue
from typing import Any

import itk
import numpy as np

from fuzz.catalogue import Catalogue
from fuzz.digests import checksum, own_file

ITK = Catalogue("itk")

FLOAT_2, FLOAT_3 = itk.Image[itk.F, 2], itk.Image[itk.F, 3]
BYTE_2 = itk.Image[itk.UC, 2]
SHORT_2 = itk.Image[itk.SS, 2]
COMPLEX_2 = itk.Image[itk.complex[itk.F], 2]

itk.MultiThreaderBase.SetGlobalDefaultNumberOfThreads(2)


def pattern(shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Smooth values from 0 to 200."""
    places = np.arange(np.prod(shape)).reshape(shape)
    return (100.0 + 100.0 * np.sin(places * 0.013) * np.cos(places * 0.0007)).astype(kind)


def image_digest(image: Any) -> str:
    """Of an image: its pixels and where it is; reads it, so it must not be in work elsewhere."""
    region = image.GetLargestPossibleRegion()
    return f"{list(region.GetSize())} {list(image.GetSpacing())} {list(image.GetOrigin())} {checksum(itk.array_from_image(image))}"


def updated(algorithm: Any) -> str:
    """The digest of what a filter of one's own puts out."""
    algorithm.Update()
    return image_digest(algorithm.GetOutput())


@ITK.maker("float_2", size=(16, 60, 150))
def float_image(size: int) -> Any:
    """An image of floats."""
    return itk.image_from_array(pattern((size, size + 3), "float32"))


@ITK.maker("float_3", size=(8, 20, 40))
def float_volume(size: int) -> Any:
    """A volume of floats."""
    return itk.image_from_array(pattern((size, size + 1, size + 2), "float32"))


@ITK.maker("byte_2", size=(16, 60, 150))
def byte_image(size: int) -> Any:
    """An image of bytes."""
    return itk.image_from_array(pattern((size, size + 3), "uint8"))


@ITK.maker("byte_3", size=(8, 20, 40))
def byte_volume(size: int) -> Any:
    """A volume of bytes."""
    return itk.image_from_array(pattern((size, size + 1, size + 2), "uint8"))


@ITK.maker("short_2", size=(16, 60, 150))
def short_image(size: int) -> Any:
    """An image of short integers."""
    return itk.image_from_array(pattern((size, size + 3), "int16"))


@ITK.maker("source", image="float_2", radius=(1, 2))
def pipeline(image: Any, radius: int) -> Any:
    """A pipeline of two filters on a shared image."""
    mean = itk.MeanImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=radius)
    return itk.AbsImageFilter[FLOAT_2, FLOAT_2].New(Input=mean.GetOutput())


@ITK.maker("transform")
def turned() -> Any:
    """An affine transform."""
    transform = itk.AffineTransform[itk.D, 2].New()
    transform.Rotate2D(0.2)
    transform.Translate([1.0, 2.0])
    return transform


@ITK.maker("transform")
def composite() -> Any:
    """A transform of two others."""
    both = itk.CompositeTransform[itk.D, 2].New()
    moved = itk.TranslationTransform[itk.D, 2].New()
    moved.Translate([0.5, -1.0])
    both.AddTransform(moved)
    both.AddTransform(turned())
    return both


@ITK.maker("file", size=(16, 80), suffix=(".nrrd", ".mha", ".png", ".tif"))
def file(size: int, suffix: str) -> Any:
    """A file with an image of bytes."""
    path = own_file(suffix)
    itk.imwrite(byte_image(size), path)
    return path


class Board:
    """One shared image, into which threads put one of several versions, and from which they take copies."""

    def __init__(self, *versions: Any) -> None:
        self.versions = versions
        self.shared = FLOAT_2.New()
        self.shared.Graft(versions[0])


@ITK.maker("board", size=(16, 60))
def board(size: int) -> Board:
    """An image of floats."""
    return Board(*(itk.image_from_array(pattern((size + more, size), "float32")) for more in (0, 5, 9)))


@ITK.maker("tunable", image="float_2")
def tunable(image: Any) -> Any:
    """A filter whose parameter all threads set."""
    return itk.MeanImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=1)


@ITK.maker("box")
def box() -> Any:
    """A queue through which threads hand objects to each other."""
    return queue.SimpleQueue()
