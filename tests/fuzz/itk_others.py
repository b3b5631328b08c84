"""ITK operations that read, copy, write, call Python, or change and delete what other threads use."""

from __future__ import annotations

import queue
from pathlib import Path
from typing import Any

import itk

from fuzz.digests import checksum, own_file, rounded
from fuzz.itk_things import BYTE_2, FLOAT_2, ITK, Board, image_digest, updated

IMAGES = "float_2|float_3|byte_2|byte_3|short_2"
SPOTS = tuple(range(6))


# ------------------------------------------------------------------------------------------ reading


@ITK.operation("reading", image=IMAGES)
def array_of(image: Any) -> str:
    """The pixels of a shared image, copied."""
    return checksum(itk.array_from_image(image))


@ITK.operation("reading", image=IMAGES)
def view_of(image: Any) -> str:
    """The pixels of a shared image, viewed."""
    return checksum(itk.array_view_from_image(image).cumsum())


@ITK.operation("reading", image="float_2|byte_2|short_2", number=SPOTS)
def facts(image: Any, number: int) -> str:
    """One pixel and the geometry of a shared image."""
    place = image.TransformIndexToPhysicalPoint([number, number + 1])
    return f"{image.GetPixel([number, number + 1])} {rounded(*place)} {image.GetLargestPossibleRegion().GetNumberOfPixels()}"


@ITK.operation("reading", image="float_2", number=SPOTS)
def interpolated(image: Any, number: int) -> str:
    """A value between the pixels of a shared image."""
    function = itk.LinearInterpolateImageFunction[FLOAT_2, itk.D].New(InputImage=image)
    return rounded(function.Evaluate([number + 0.3, number + 0.6]))


@ITK.operation("reading", image="float_2", number=SPOTS)
def spline_interpolated(image: Any, number: int) -> str:
    """A value between the pixels of a shared image, by splines that are fitted to it."""
    function = itk.BSplineInterpolateImageFunction[FLOAT_2, itk.D, itk.F].New()
    function.SetInputImage(image)
    return rounded(function.Evaluate([number + 0.3, number + 0.6]))


@ITK.operation("transforms", transform="transform", number=SPOTS, weight=2)
def moved_point(transform: Any, number: int) -> str:
    """A point through a shared transform."""
    return rounded(*transform.TransformPoint([number + 0.5, 2.0 * number]))


@ITK.operation("transforms", transform="transform")
def inverted(transform: Any) -> str:
    """A point through the inverse of a shared transform."""
    return rounded(*transform.GetInverseTransform().TransformPoint([1.0, 2.0]))


@ITK.operation("copies", image="float_2|float_3|byte_2|short_2", weight=2)
def duplicated(image: Any) -> str:
    """A copy of a shared image."""
    copier = itk.ImageDuplicator[type(image)].New(InputImage=image)
    copier.Update()
    return image_digest(copier.GetOutput())


@ITK.operation("copies", image="float_2")
def grafted(image: Any) -> str:
    """An image that shares the pixels of another."""
    own = FLOAT_2.New()
    own.Graft(image)
    return image_digest(own)


# ------------------------------------------------------------------------------ one image, many versions


def any_version(board: Board) -> set[str]:
    """The digests of all versions."""
    return {image_digest(version) for version in board.versions}


@ITK.operation("boards", expect=lambda board, version: {"published"}, board="board", version=(0, 1, 2), weight=2)  # noqa: ARG005
def published(board: Board, version: int) -> str:
    """The shared image made to share a version's pixels."""
    board.shared.Graft(board.versions[version])
    return "published"


@ITK.operation("boards", expect=any_version, board="board", weight=2)
def taken(board: Board) -> str:
    """A graft of the shared image: one of the versions."""
    own = FLOAT_2.New()
    own.Graft(board.shared)
    return image_digest(own)


@ITK.operation("boards", expect=any_version, board="board", weight=2)
def taken_copy(board: Board) -> str:
    """A copy of the shared image: one of the versions."""
    copier = itk.ImageDuplicator[FLOAT_2].New(InputImage=board.shared)
    copier.Update()
    return image_digest(copier.GetOutput())


# ---------------------------------------------------------------------------------------------- files


@ITK.operation("files", image="byte_2", suffix=(".nrrd", ".mha", ".png", ".tif", ".nii", ".jpg"), weight=3)
def written(image: Any, suffix: str) -> str:
    """A shared image written to a file of one's own, and read again."""
    path = own_file(suffix)
    writer = itk.ImageFileWriter[BYTE_2].New(Input=image, FileName=path)
    writer.Update()
    reader = itk.ImageFileReader[BYTE_2].New(FileName=path)
    result = updated(reader)
    Path(path).unlink()
    return result


@ITK.operation("files", image="float_2|float_3", suffix=(".nrrd", ".mha", ".h5", ".vtk"), weight=2)
def written_floats(image: Any, suffix: str) -> str:
    """A shared image of floats written to a file of one's own, and read again."""
    path = own_file(suffix)
    itk.imwrite(image, path)
    result = image_digest(itk.imread(path))
    Path(path).unlink()
    return result


@ITK.operation("files", path="file", weight=3)
def read(path: str) -> str:
    """A file that all threads read."""
    return updated(itk.ImageFileReader[BYTE_2].New(FileName=path))


# ------------------------------------------------------------------------------------------ callbacks


@ITK.operation("callbacks", image="float_2", other="float_2|byte_2", weight=3)
def observed(image: Any, other: Any) -> str:
    """A filter of one's own whose observer copies another shared image."""
    seen: set[str] = set()

    def note() -> None:
        copier = itk.ImageDuplicator[type(other)].New(InputImage=other)
        copier.Update()
        seen.add(image_digest(copier.GetOutput()))

    algorithm = itk.MedianImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=1)
    algorithm.AddObserver(itk.StartEvent(), note)
    algorithm.AddObserver(itk.EndEvent(), note)
    return f"{updated(algorithm)} {sorted(seen)}"


@ITK.operation("callbacks", image="float_2", other="float_2", weight=2)
def observed_filter(image: Any, other: Any) -> str:
    """A filter of one's own whose observer runs another filter."""
    seen: set[str] = set()
    algorithm = itk.MeanImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=1)
    inner = itk.MedianImageFilter[FLOAT_2, FLOAT_2].New(Input=other, Radius=1)
    algorithm.AddObserver(itk.StartEvent(), lambda: seen.add(updated(inner)))
    return f"{updated(algorithm)} {sorted(seen)}"


@ITK.operation("callbacks", image="float_2")
def commanded(image: Any) -> str:
    """A filter of one's own with a Python command for its progress."""
    algorithm = itk.MedianImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=1)
    seen: list[float] = []
    command = itk.PyCommand.New()
    command.SetCommandCallable(lambda: seen.append(algorithm.GetProgress()))
    algorithm.AddObserver(itk.EndEvent(), command)
    return f"{updated(algorithm)} {len(seen)}"


# ------------------------------------------------------------------------------------- shared filters


def any_radius(algorithm: Any, radius: int) -> set[str]:  # noqa: ARG001 - called with the operation's arguments
    """What the filter puts out for each radius."""
    return {updated(itk.MeanImageFilter[FLOAT_2, FLOAT_2].New(Input=algorithm.GetInput(), Radius=size)) for size in (1, 2, 3)}


@ITK.operation("shared filters", expect=any_radius, algorithm="tunable", radius=(1, 2, 3), weight=3)
def tuned(algorithm: Any, radius: int) -> str:
    """A parameter of a shared filter set, the filter run, and its output copied: for any radius."""
    algorithm.SetRadius(radius)
    algorithm.Update()
    copier = itk.ImageDuplicator[FLOAT_2].New(InputImage=algorithm.GetOutput())
    copier.Update()
    return image_digest(copier.GetOutput())


@ITK.operation("shared filters", algorithm="tunable|source")
def progress(algorithm: Any) -> str:
    """The progress of a shared filter."""
    return "in range" if 0.0 <= algorithm.GetProgress() <= 1.0 else f"{algorithm.GetProgress()}"


# ------------------------------------------------------------------------------------------ lifetimes


@ITK.operation("lifetimes", box="box", image="float_2", weight=2)
def handed_over(box: queue.SimpleQueue[Any], image: Any) -> str:
    """A filter and its output, to be deleted by whoever takes them."""
    algorithm = itk.MedianImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=1)
    before = updated(algorithm)
    box.put((algorithm.GetOutput(), before, algorithm))
    return "put"


@ITK.operation("lifetimes", expect=lambda box: {"same", "empty"}, box="box", weight=2)  # noqa: ARG005
def taken_over(box: queue.SimpleQueue[Any]) -> str:
    """What another thread made, compared with what it was, and deleted here."""
    try:
        image, before, _ = box.get_nowait()
    except queue.Empty:
        return "empty"
    return "same" if image_digest(image) == before else f"changed from {before} to {image_digest(image)}"


@ITK.operation("lifetimes", image="float_2")
def outlived(image: Any) -> str:
    """An output whose filter is deleted before it is read."""
    algorithm = itk.MeanImageFilter[FLOAT_2, FLOAT_2].New(Input=image, Radius=1)
    algorithm.Update()
    output = algorithm.GetOutput()
    del algorithm
    return image_digest(output)
