"""Readers and writers of images, meshes and transforms, in every format that ITK can write from what is made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gilgen.diagnostics.cases.itk.data import (
    byte_noise,
    library,
    made,
    mesh,
    noise,
    picture,
    prepared,
    shorts,
    spline,
)
from gilgen.diagnostics.cases.itk.kinds import Data, case, filled
from gilgen.diagnostics.cases.record import Case, Work, written

NAMES = (
    "GDCMImageIO",
    "ImageFileReader",
    "ImageFileWriter",
    "ImageSeriesReader",
    "ImageSeriesWriter",
    "MeshFileReader",
    "MeshFileWriter",
    "NumericSeriesFileNames",
    "TransformFileReaderTemplate",
    "TransformFileWriterTemplate",
)
"""The modules that the cases here need; see `filters`."""


def _types(data: Data) -> str:
    return {noise: "IF3", shorts: "IUS3", byte_noise: "IUC3", picture: "IUC2"}[data]


def _image_writer(data: Data, ending: str, *, compressed: bool) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        writer = prepared("ImageFileWriter", _types(data), data(size), SetUseCompression=compressed)
        stem = f"{id(writer):x}"
        writer.SetFileName(f"{stem}.{ending}")
        return Work(writer.Update, writer.Modified, lambda: written(stem))

    return make


def _image_reader(data: Data, ending: str, *, compressed: bool) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        reader = made("ImageFileReader", _types(data))
        file = f"{id(reader):x}.{ending}"
        library().imwrite(data(size), file, compression=compressed)
        reader.SetFileName(
            f"./{file}"
        )  # Stimulate's reader takes a name without a folder for one below the root
        return Work(reader.Update, reader.Modified, lambda: filled(reader))

    return make


def _both(
    name: str,
    ending: str,
    data: Data,
    writing: tuple[int, int],
    reading: tuple[int, int],
    *,
    compressed: bool = False,
) -> tuple[Case, Case]:
    """A format's writer and reader; where calibration begins and ends for each."""
    return (
        case(
            f"{name}-writer",
            "ImageFileWriter.Update",
            _image_writer(data, ending, compressed=compressed),
            *writing,
        ),
        case(
            f"{name}-reader",
            "ImageFileReader.Update",
            _image_reader(data, ending, compressed=compressed),
            *reading,
        ),
    )


def _imwrite(size: int) -> Work:
    image = noise(size)
    stem = f"{id(image):x}"
    return Work(
        lambda: library().imwrite(image, f"{stem}.mha", compression=True), worked=lambda: written(stem)
    )


def _imread(size: int) -> Work:
    image = noise(size)
    file = f"{id(image):x}.mha"
    library().imwrite(image, file, compression=True)
    return Work(lambda: library().imread(file))


def _write_method(size: int) -> Work:
    writer = prepared("ImageFileWriter", "IF3", noise(size), SetUseCompression=True)
    stem = f"{id(writer):x}"
    writer.SetFileName(f"{stem}.nrrd")
    return Work(writer.Write, writer.Modified, lambda: written(stem))


def _names(stem: str, count: int) -> Any:
    return made(
        "NumericSeriesFileNames", SetSeriesFormat=f"{stem}-%03d.png", SetStartIndex=0, SetEndIndex=count - 1
    ).GetFileNames()


def _slices(size: int) -> tuple[Any, Any, str]:
    """A writer of a volume as a series of pictures, their names and what they begin with."""
    volume = byte_noise(size)
    writer = prepared("ImageSeriesWriter", "IUC3IUC2", volume)
    stem = f"{id(writer):x}"
    names = _names(stem, volume.GetBufferedRegion().GetSize()[2])
    writer.SetFileNames(names)
    return writer, names, stem


def _series_writer(size: int) -> Work:
    writer, _, stem = _slices(size)
    return Work(writer.Update, writer.Modified, lambda: written(stem))


def _series_reader(size: int) -> Work:
    writer, names, _ = _slices(size)
    writer.Update()
    reader = made("ImageSeriesReader", "IUC3", SetFileNames=(names,))
    return Work(reader.Update, reader.Modified, lambda: filled(reader))


def _mesh_writer(ending: str) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        writer = prepared("MeshFileWriter", "MF3", mesh(size))
        stem = f"{id(writer):x}"
        writer.SetFileName(f"{stem}.{ending}")
        return Work(writer.Update, writer.Modified, lambda: written(stem))

    return make


def _mesh_reader(ending: str) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        reader = made("MeshFileReader", "MF3")
        file = f"{id(reader):x}.{ending}"
        writer = prepared("MeshFileWriter", "MF3", mesh(size))
        writer.SetFileName(file)
        writer.Update()
        reader.SetFileName(file)
        return Work(reader.Update, reader.Modified, lambda: reader.GetOutput().GetNumberOfPoints() > 0)

    return make


def _transform_writer(ending: str) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        writer = made("TransformFileWriterTemplate", "D")
        stem = f"{id(writer):x}"
        writer.SetInput(spline(size))
        writer.SetFileName(f"{stem}.{ending}")
        return Work(writer.Update, worked=lambda: written(stem))

    return make


def _transform_reader(ending: str) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        reader = made("TransformFileReaderTemplate", "D")
        file = f"{id(reader):x}.{ending}"
        writer = made("TransformFileWriterTemplate", "D")
        writer.SetInput(spline(size))
        writer.SetFileName(file)
        writer.Update()
        reader.SetFileName(file)
        return Work(reader.Update, worked=lambda: len(reader.GetTransformList()) > 0)

    return make


MESHES = ("vtk", "obj", "off", "byu", "gii", "fsa")
"""FreeSurfer's binary format is left out: ITK 5.4.7 aborts when it writes a larger mesh in it."""

TRANSFORMS = ("tfm", "h5")
"""MATLAB's format is too fast to measure at any size that is made in a reasonable time."""

CASES = (
    case(
        "writer",
        "ImageFileWriter.Update",
        _image_writer(noise, "nrrd", compressed=True),
        500_000,
        16_000_000,
        quick=True,
    ),
    case(
        "reader",
        "ImageFileReader.Update",
        _image_reader(noise, "mha", compressed=True),
        2_000_000,
        32_000_000,
    ),
    case("writer-write", "ImageFileWriter.Write", _write_method, 500_000, 16_000_000),
    case("imwrite", "imwrite", _imwrite, 500_000, 16_000_000),
    case("imread", "imread", _imread, 2_000_000, 32_000_000),
    *_both("mha", "mha", noise, (16_000_000, 40_000_000), (16_000_000, 40_000_000)),
    *_both("nrrd", "nrrd", noise, (16_000_000, 40_000_000), (16_000_000, 40_000_000)),
    *_both("nifti", "nii.gz", noise, (500_000, 16_000_000), (2_000_000, 32_000_000)),
    *_both("vtk", "vtk", noise, (4_000_000, 40_000_000), (4_000_000, 40_000_000)),
    *_both("gipl", "gipl", shorts, (32_000_000, 96_000_000), (32_000_000, 96_000_000)),
    *_both(
        "hdf5", "h5", noise, (2_000_000, 32_000_000), (4_000_000, 40_000_000), compressed=True
    ),
    *_both("mrc", "mrc", noise, (16_000_000, 40_000_000), (16_000_000, 40_000_000)),
    *_both("minc", "mnc", noise, (1_000_000, 16_000_000), (1_000_000, 32_000_000)),
    *_both("stimulate", "spr", noise, (16_000_000, 40_000_000), (16_000_000, 40_000_000)),
    *_both("dicom", "dcm", shorts, (32_000_000, 96_000_000), (32_000_000, 96_000_000)),
    *_both("tiff", "tif", byte_noise, (2_000_000, 64_000_000), (2_000_000, 64_000_000), compressed=True),
    *_both("png", "png", picture, (1_000_000, 32_000_000), (2_000_000, 64_000_000), compressed=True),
    *_both("jpeg", "jpg", picture, (4_000_000, 40_000_000), (4_000_000, 40_000_000)),
    *_both("jpeg2000", "jp2", picture, (200_000, 8_000_000), (200_000, 8_000_000)),
    *_both("bmp", "bmp", picture, (32_000_000, 96_000_000), (32_000_000, 96_000_000)),
    case("series-writer", "ImageSeriesWriter.Update", _series_writer, 1_000_000, 32_000_000),
    case("series-reader", "ImageSeriesReader.Update", _series_reader, 4_000_000, 64_000_000),
    *(
        case(
            f"mesh-{ending}-writer",
            "MeshFileWriter.Update",
            _mesh_writer(ending),
            200_000,
            4_000_000,
        )
        for ending in MESHES
    ),
    *(
        case(
            f"mesh-{ending}-reader",
            "MeshFileReader.Update",
            _mesh_reader(ending),
            200_000,
            4_000_000,
        )
        for ending in MESHES
    ),
    *(
        case(
            f"transform-{ending}-writer",
            "TransformFileWriterTemplate.Update",
            _transform_writer(ending),
            50_000,
            3_000_000,
        )
        for ending in TRANSFORMS
    ),
    *(
        case(
            f"transform-{ending}-reader",
            "TransformFileReaderTemplate.Update",
            _transform_reader(ending),
            50_000,
            3_000_000,
        )
        for ending in TRANSFORMS
    ),
)
