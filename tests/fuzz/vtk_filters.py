"""VTK operations that run filters of one's own on shared data."""

from __future__ import annotations

from typing import Any

from vtkmodules.vtkCommonDataModel import vtkDataObject, vtkPlane
from vtkmodules.vtkFiltersCore import (
    vtkAppendFilter,
    vtkAppendPolyData,
    vtkCellCenters,
    vtkCellDataToPointData,
    vtkCleanPolyData,
    vtkClipPolyData,
    vtkConnectivityFilter,
    vtkContourFilter,
    vtkCutter,
    vtkDecimatePro,
    vtkElevationFilter,
    vtkExtractEdges,
    vtkFeatureEdges,
    vtkFlyingEdges3D,
    vtkGlyph3D,
    vtkMarchingCubes,
    vtkMassProperties,
    vtkPointDataToCellData,
    vtkPolyDataConnectivityFilter,
    vtkPolyDataNormals,
    vtkProbeFilter,
    vtkQuadricDecimation,
    vtkResampleToImage,
    vtkSmoothPolyDataFilter,
    vtkStripper,
    vtkThreshold,
    vtkTriangleFilter,
    vtkTubeFilter,
    vtkWindowedSincPolyDataFilter,
)
from vtkmodules.vtkFiltersFlowPaths import vtkStreamTracer
from vtkmodules.vtkFiltersGeneral import (
    vtkClipDataSet,
    vtkCurvatures,
    vtkDataSetTriangleFilter,
    vtkDistancePolyDataFilter,
    vtkGradientFilter,
    vtkShrinkFilter,
    vtkTableToPolyData,
    vtkTransformFilter,
    vtkWarpVector,
)
from vtkmodules.vtkFiltersGeometry import (
    vtkCompositeDataGeometryFilter,
    vtkDataSetSurfaceFilter,
    vtkGeometryFilter,
)
from vtkmodules.vtkFiltersModeling import vtkFillHolesFilter, vtkOutlineFilter, vtkSelectEnclosedPoints
from vtkmodules.vtkFiltersSources import vtkPointSource, vtkSphereSource
from vtkmodules.vtkImagingCore import (
    vtkExtractVOI,
    vtkImageCast,
    vtkImageFlip,
    vtkImageMapToColors,
    vtkImagePermute,
    vtkImageResample,
    vtkImageReslice,
    vtkImageShiftScale,
    vtkImageThreshold,
)
from vtkmodules.vtkImagingGeneral import (
    vtkImageConvolve,
    vtkImageGaussianSmooth,
    vtkImageGradient,
    vtkImageMedian3D,
)
from vtkmodules.vtkImagingStatistics import vtkImageAccumulate

from fuzz.digests import rounded
from fuzz.vtk_digests import UPDATES, digest, update, updated
from fuzz.vtk_things import VTK

DATA = "mesh|grid|image|curved|rectilinear"

MESH_FILTERS = {
    kind.__name__: kind
    for kind in (
        vtkTriangleFilter, vtkStripper, vtkSmoothPolyDataFilter, vtkWindowedSincPolyDataFilter, vtkPolyDataNormals, vtkCleanPolyData,
        vtkDecimatePro, vtkQuadricDecimation, vtkPolyDataConnectivityFilter, vtkFeatureEdges, vtkTubeFilter, vtkCurvatures, vtkFillHolesFilter,
    )
}  # fmt: skip
DATA_FILTERS = {
    kind.__name__: kind
    for kind in (
        vtkGeometryFilter, vtkDataSetSurfaceFilter, vtkElevationFilter, vtkConnectivityFilter, vtkExtractEdges, vtkCellCenters,
        vtkCellDataToPointData, vtkPointDataToCellData, vtkShrinkFilter, vtkOutlineFilter, vtkDataSetTriangleFilter,
    )
}  # fmt: skip
IMAGE_FILTERS = {
    kind.__name__: kind
    for kind in (
        vtkImageGaussianSmooth, vtkImageGradient, vtkImageCast, vtkImageShiftScale, vtkImageFlip, vtkImagePermute, vtkImageThreshold,
        vtkImageConvolve, vtkExtractVOI, vtkImageMedian3D,
    )
}  # fmt: skip


@VTK.operation("filters", mesh="mesh", kind=tuple(MESH_FILTERS), how=UPDATES, weight=8)
def mesh_filtered(mesh: Any, kind: str, how: str) -> str:
    """A filter with a shared mesh as its input."""
    return updated(MESH_FILTERS[kind](), mesh, how)


@VTK.operation("filters", data=DATA, kind=tuple(DATA_FILTERS), how=UPDATES, weight=6)
def data_filtered(data: Any, kind: str, how: str) -> str:
    """A filter with any shared data as its input."""
    return updated(DATA_FILTERS[kind](), data, how)


@VTK.operation("imaging", image="image", kind=tuple(IMAGE_FILTERS), how=UPDATES, weight=4)
def image_filtered(image: Any, kind: str, how: str) -> str:
    """An imaging filter with a shared image as its input."""
    algorithm = IMAGE_FILTERS[kind]()
    if hasattr(algorithm, "SetNumberOfThreads"):
        algorithm.SetNumberOfThreads(1)
    if kind == "vtkImageMedian3D":
        algorithm.SetKernelSize(3, 3, 1)
    if kind == "vtkExtractVOI":
        algorithm.SetVOI(1, 3, 0, 4, 1, 4)
    return updated(algorithm, image, how)


@VTK.operation("filters", data=DATA, level=(1, 2, 3, 4), how=UPDATES, weight=3)
def contoured(data: Any, level: int, how: str) -> str:
    """A contour of shared data."""
    contour = vtkContourFilter()
    contour.SetValue(0, 0.2 * level)
    return updated(contour, data, how)


@VTK.operation("imaging", image="image", level=(1, 2, 3), kind=("vtkFlyingEdges3D", "vtkMarchingCubes"), how=UPDATES)
def surface(image: Any, level: int, kind: str, how: str) -> str:
    """A surface in a shared image."""
    contour = {"vtkFlyingEdges3D": vtkFlyingEdges3D, "vtkMarchingCubes": vtkMarchingCubes}[kind]()
    contour.SetValue(0, 0.2 * level)
    return updated(contour, image, how)


@VTK.operation("filters", data=DATA, shape="shape", how=UPDATES, weight=2)
def cut(data: Any, shape: Any, how: str) -> str:
    """Shared data, cut by a shared implicit function."""
    cutter = vtkCutter()
    cutter.SetCutFunction(shape)
    return updated(cutter, data, how)


@VTK.operation("filters", mesh="mesh", shape="shape|distance", how=UPDATES, weight=2)
def clipped(mesh: Any, shape: Any, how: str) -> str:
    """A shared mesh, clipped by a shared implicit function."""
    clip = vtkClipPolyData()
    clip.SetClipFunction(shape)
    return updated(clip, mesh, how)


@VTK.operation("filters", data="grid|image|curved|rectilinear", how=UPDATES)
def halved(data: Any, how: str) -> str:
    """Shared data, clipped by a plane of one's own."""
    clip = vtkClipDataSet()
    clip.SetClipFunction(vtkPlane(origin=(0.4, 0.4, 0.4), normal=(1.0, 0.5, 0.2)))
    return updated(clip, data, how)


@VTK.operation("filters", data="grid|image|curved|rectilinear", source="mesh|grid|image", how=UPDATES, weight=3)
def probed(data: Any, source: Any, how: str) -> str:
    """Shared data probed at the points of other shared data."""
    probe = vtkProbeFilter()
    probe.SetSourceData(data)
    probe.SetInputData(source)
    return updated(probe, None, how)


@VTK.operation("filters", data=DATA, size=(4, 10), how=UPDATES)
def resampled(data: Any, size: int, how: str) -> str:
    """Shared data resampled to an image."""
    sample = vtkResampleToImage()
    sample.SetInputDataObject(data)
    sample.SetSamplingDimensions(size, size, size)
    return updated(sample, None, how)


@VTK.operation("filters", data=DATA, low=(-1, 0), how=UPDATES, weight=2)
def thresholded(data: Any, low: int, how: str) -> str:
    """The cells of shared data whose scalars are in a range."""
    threshold = vtkThreshold()
    threshold.SetLowerThreshold(low)
    threshold.SetUpperThreshold(low + 1)
    threshold.SetInputArrayToProcess(0, 0, 0, vtkDataObject.FIELD_ASSOCIATION_POINTS, "height")
    return updated(threshold, data, how)


@VTK.operation("filters", mesh="mesh", other="mesh", how=UPDATES)
def appended(mesh: Any, other: Any, how: str) -> str:
    """Two shared meshes, or one twice, in one."""
    append = vtkAppendPolyData()
    append.AddInputData(mesh)
    append.AddInputData(other)
    return updated(append, None, how)


@VTK.operation("filters", data="grid|image|curved", other="mesh|grid", how=UPDATES)
def appended_data(data: Any, other: Any, how: str) -> str:
    """Two shared data sets in one grid."""
    append = vtkAppendFilter()
    append.AddInputData(data)
    append.AddInputData(other)
    return updated(append, None, how)


@VTK.operation("transforms", data="mesh|grid|curved", transform="transform", how=UPDATES, weight=2)
def transformed(data: Any, transform: Any, how: str) -> str:
    """Shared data, moved by a shared transform."""
    move = vtkTransformFilter()
    move.SetTransform(transform)
    return updated(move, data, how)


@VTK.operation("filters", data="mesh|grid|curved", how=UPDATES)
def warped(data: Any, how: str) -> str:
    """Shared data, moved along its vectors."""
    return updated(vtkWarpVector(scale_factor=0.1), data, how)


@VTK.operation("filters", data="mesh|grid|image|curved", how=UPDATES)
def gradient(data: Any, how: str) -> str:
    """The gradient of shared data's scalars."""
    algorithm = vtkGradientFilter()
    algorithm.SetInputArrayToProcess(0, 0, 0, vtkDataObject.FIELD_ASSOCIATION_POINTS, "height")
    return updated(algorithm, data, how)


@VTK.operation("filters", data="mesh|grid", how=UPDATES)
def glyphs(data: Any, how: str) -> str:
    """A glyph at each point of shared data."""
    ball = vtkSphereSource(theta_resolution=4, phi_resolution=4)
    glyph = vtkGlyph3D()
    glyph.SetSourceConnection(ball.GetOutputPort())
    return updated(glyph, data, how)


@VTK.operation("filters", data="grid|image|curved|rectilinear", seed=(1, 2), how=UPDATES, weight=2)
def streamlines(data: Any, seed: int, how: str) -> str:
    """Streamlines in shared data."""
    data_has_vectors = data.GetPointData().GetVectors() is not None
    if not data_has_vectors:
        return "no vectors"
    seeds = vtkPointSource(number_of_points=8 * seed, center=(0.5, 0.5, 0.5), radius=0.0)
    tracer = vtkStreamTracer()
    tracer.SetMaximumPropagation(2.0)
    tracer.SetSourceConnection(seeds.GetOutputPort())
    return updated(tracer, data, how)


@VTK.operation("filters", mesh="mesh", how=UPDATES)
def enclosed(mesh: Any, how: str) -> str:
    """Which points of one's own are inside a shared mesh."""
    points = vtkSphereSource(theta_resolution=4, phi_resolution=4, radius=0.45)
    select = vtkSelectEnclosedPoints()
    select.SetInputConnection(points.GetOutputPort())
    select.SetSurfaceData(mesh)
    return updated(select, None, how)


@VTK.operation("filters", mesh="mesh", other="mesh", how=UPDATES)
def distances(mesh: Any, other: Any, how: str) -> str:
    """Distances between two shared meshes; those of strips are not defined, so there is a filter between."""
    triangles = vtkTriangleFilter()
    triangles.SetInputData(mesh)
    algorithm = vtkDistancePolyDataFilter()
    algorithm.SetInputConnection(0, triangles.GetOutputPort())
    algorithm.SetInputData(1, other)
    return updated(algorithm, None, how)


@VTK.operation("filters", mesh="mesh")
def mass(mesh: Any) -> str:
    """Volume and area, which a filter returns by methods that update it."""
    triangles = vtkTriangleFilter()
    triangles.SetInputData(mesh)
    properties = vtkMassProperties()
    properties.SetInputConnection(triangles.GetOutputPort())
    return rounded(properties.GetVolume(), properties.GetSurfaceArea())


@VTK.operation("filters", table="table", how=UPDATES)
def plotted(table: Any, how: str) -> str:
    """Points from the columns of a shared table."""
    algorithm = vtkTableToPolyData()
    algorithm.SetXColumnIndex(0)
    algorithm.SetYColumnIndex(1)
    algorithm.SetZColumnIndex(2)
    return updated(algorithm, table, how)


@VTK.operation("composite", blocks="blocks", how=UPDATES, weight=3)
def composite_surface(blocks: Any, how: str) -> str:
    """The surface of shared blocks."""
    return updated(vtkCompositeDataGeometryFilter(), blocks, how)


@VTK.operation("composite", blocks="blocks", kind=("vtkElevationFilter", "vtkOutlineFilter", "vtkShrinkFilter"), how=UPDATES, weight=2)
def composite_filtered(blocks: Any, kind: str, how: str) -> str:
    """A filter that runs on each block in turn."""
    algorithm = DATA_FILTERS[kind]()
    algorithm.SetInputData(blocks)
    update(algorithm, how)
    return digest(algorithm.GetOutputDataObject(0))


@VTK.operation("composite", blocks="blocks")
def composite_facts(blocks: Any) -> str:
    """Counts and bounds of shared blocks."""
    own = [0.0] * 6
    blocks.GetBounds(own)
    return f"{blocks.GetNumberOfPoints()} {blocks.GetNumberOfCells()} {rounded(*own)}"


@VTK.operation("imaging", image="image", transform="transform", how=UPDATES, weight=2)
def resliced(image: Any, transform: Any, how: str) -> str:
    """A shared image through a shared transform."""
    reslice = vtkImageReslice()
    reslice.SetNumberOfThreads(1)
    reslice.SetResliceTransform(transform)
    reslice.SetInterpolationModeToLinear()
    return updated(reslice, image, how)


@VTK.operation("imaging", image="image", how=UPDATES)
def resized(image: Any, how: str) -> str:
    """A shared image of another resolution."""
    resample = vtkImageResample()
    resample.SetNumberOfThreads(1)
    resample.SetAxisMagnificationFactor(0, 1.5)
    return updated(resample, image, how)


@VTK.operation("imaging", image="image", lut="lut", how=UPDATES)
def coloured_image(image: Any, lut: Any, how: str) -> str:
    """A shared image mapped through a shared table."""
    colours = vtkImageMapToColors()
    colours.SetNumberOfThreads(1)
    colours.SetLookupTable(lut)
    return updated(colours, image, how)


@VTK.operation("imaging", image="image", how=UPDATES)
def histogram(image: Any, how: str) -> str:
    """Statistics of a shared image."""
    accumulate = vtkImageAccumulate()
    accumulate.SetInputData(image)
    update(accumulate, how)
    return rounded(*accumulate.GetMin(), *accumulate.GetMax(), *accumulate.GetMean(), accumulate.GetVoxelCount())


@VTK.operation("pipelines", source="source", level=(1, 2, 3), how=UPDATES, weight=3)
def downstream(source: Any, level: int, how: str) -> str:
    """A contour behind a shared pipeline, which the first of all threads runs."""
    contour = vtkContourFilter()
    contour.SetInputConnection(source.GetOutputPort())
    contour.SetValue(0, 0.4 * level)
    return updated(contour, None, how)


@VTK.operation("pipelines", source="source", how=UPDATES, weight=2)
def out_of_date(source: Any, how: str) -> str:
    """A shared pipeline made out of date, and run again by a filter of one's own."""
    source.Modified()
    return behind(source, how)


def behind(source: Any, how: str) -> str:
    """The digest of a filter behind a shared pipeline."""
    algorithm = vtkElevationFilter()
    algorithm.SetInputConnection(source.GetOutputPort())
    return updated(algorithm, None, how)


@VTK.operation("pipelines", source="source", how=UPDATES, weight=2)
def upstream_output(source: Any, how: str) -> str:
    """A copy of the output of a shared pipeline."""
    update(source, how)
    copy = source.GetOutput().NewInstance()
    copy.DeepCopy(source.GetOutput())
    return digest(copy)
