"""Filters, and the ways to run them: plain VTK from 9.4 on releases some of these ways and holds in others."""

from __future__ import annotations

from gilgen.diagnostics.cases.record import Case, Work
from gilgen.diagnostics.cases.vtk.data import (
    binary_volume,
    bytes_volume,
    flat_points,
    flow,
    full_volume,
    grid,
    library,
    points,
    polylines,
    prepared,
    slab,
    structured,
    surface,
    table,
    tetrahedra,
    wavelet,
)
from gilgen.diagnostics.cases.vtk.kinds import again, filled, update

# ------------------------------------------------------------------------------------ ways to run a filter


def _update_piece(size: int) -> Work:
    contour = prepared("vtkContourFilter", wavelet(size), SetValue=(0, 150.0))
    return again(contour, lambda: contour.UpdatePiece(0, 1, 0))


def _update_port(size: int) -> Work:
    smooth = prepared("vtkImageMedian3D", wavelet(size), SetKernelSize=(3, 3, 3))
    requests = library().vtkInformationVector()
    requests.SetNumberOfInformationObjects(1)
    return again(smooth, lambda: smooth.Update(0, requests))


def _executive(size: int) -> Work:
    smooth = prepared("vtkWindowedSincPolyDataFilter", surface(size), SetNumberOfIterations=15)
    return again(smooth, smooth.GetExecutive().Update)


def _call_operator(size: int) -> Work:
    data = surface(size)
    decimate = library().vtkDecimatePro()
    decimate.SetTargetReduction(0.7)
    return again(decimate, lambda: decimate(data))


def _downstream(size: int) -> Work:
    """A pipeline of three filters, run from its end."""
    smooth = prepared("vtkImageGaussianSmooth", wavelet(size), SetStandardDeviations=(1.5, 1.5, 1.5))
    contour = library().vtkContourFilter()
    contour.SetInputConnection(smooth.GetOutputPort())
    contour.SetValue(0, 150.0)
    normals = library().vtkPolyDataNormals()
    normals.SetInputConnection(contour.GetOutputPort())
    return Work(normals.Update, smooth.Modified, lambda: filled(normals))


def _streamlines(size: int) -> Work:
    tracer = prepared(
        "vtkStreamTracer",
        flow(100_000),
        SetMaximumPropagation=400.0,
        SetMaximumNumberOfSteps=20_000,
        SetIntegratorTypeToRungeKutta4=(),
    )
    seeds = points(size)
    seeds.GetPoints().Modified()
    tracer.SetSourceData(seeds)
    return again(tracer, tracer.Update)


def _probe(size: int) -> Work:
    probe = prepared("vtkProbeFilter", surface(size))
    probe.SetSourceData(wavelet(200_000))
    return again(probe, probe.Update)


def _glyphs(size: int) -> Work:
    glyph = prepared("vtkGlyph3D", points(size), OrientOff=())
    sphere = library().vtkSphereSource()
    glyph.SetSourceConnection(sphere.GetOutputPort())
    return again(glyph, glyph.Update)


def _seeds(size: int) -> Work:
    volume = full_volume(size)
    connect = prepared(
        "vtkImageSeedConnectivity", volume, SetInputConnectValue=1, SetOutputConnectedValue=255
    )
    middle = [side // 2 for side in volume.GetDimensions()]
    connect.AddSeed(3, middle)
    return again(connect, connect.Update)


def _statistics(size: int) -> Work:
    statistics = prepared("vtkDescriptiveStatistics", table(size))
    for column in "abcd":
        statistics.AddColumn(column)
    return again(statistics, statistics.Update)


def _k_means(size: int) -> Work:
    statistics = prepared("vtkKMeansStatistics", table(size), SetMaxNumIterations=5)
    for column in "abcd":
        statistics.SetColumnStatus(column, 1)
    statistics.RequestSelectedColumns()
    statistics.SetDefaultNumberOfClusters(8)
    return again(statistics, statistics.Update)


def _cutter(size: int) -> Work:
    plane = library().vtkPlane()
    plane.SetNormal(1.0, 0.7, 0.3)
    cut = prepared("vtkCutter", tetrahedra(size), SetCutFunction=plane)
    return again(cut, cut.Update)


def _clip(size: int) -> Work:
    plane = library().vtkPlane()
    plane.SetNormal(1.0, 0.7, 0.3)
    clip = prepared("vtkClipDataSet", grid(size), SetClipFunction=plane)
    return again(clip, clip.Update)


def _reslice(size: int) -> Work:
    turn = library().vtkTransform()
    turn.RotateWXYZ(30.0, 1.0, 2.0, 3.0)
    reslice = prepared(
        "vtkImageReslice", wavelet(size), SetInterpolationModeToCubic=(), SetResliceTransform=turn
    )
    return again(reslice, reslice.Update)


CASES = (
    # Held by every plain wheel: these ways in have no hint.
    Case(
        "contour-piece", "vtk", "vtkAlgorithm.UpdatePiece", _update_piece, 2_000_000, 16_000_000, quick=True
    ),
    Case(
        "median-request",
        "vtk",
        "vtkAlgorithm.Update(int, vtkInformationVector)",
        _update_port,
        500_000,
        8_000_000,
    ),
    Case("executive", "vtk", "vtkExecutive.Update", _executive, 100_000, 2_000_000),
    Case("call-operator", "vtk", "vtkDecimatePro.__call__", _call_operator, 50_000, 1_000_000),
    # Released by plain VTK >= 9.4: `vtkAlgorithm.Update()` is hinted.
    Case("pipeline", "vtk", "vtkPolyDataNormals.Update", _downstream, 1_000_000, 16_000_000),
    update(
        "gauss",
        "vtkImageGaussianSmooth",
        wavelet,
        2_000_000,
        16_000_000,
        quick=True,
        SetStandardDeviations=(2.0, 2.0, 2.0),
    ),
    update("median", "vtkImageMedian3D", wavelet, 500_000, 8_000_000, SetKernelSize=(3, 3, 3)),
    update(
        "anisotropic", "vtkImageAnisotropicDiffusion3D", wavelet, 500_000, 8_000_000, SetNumberOfIterations=4
    ),
    update("fft", "vtkImageFFT", slab, 500_000, 8_000_000, SetDimensionality=3),
    Case("reslice", "vtk", "vtkImageReslice.Update", _reslice, 1_000_000, 16_000_000),
    update("histogram", "vtkImageAccumulate", bytes_volume, 8_000_000, 64_000_000),
    update("image-components", "vtkImageConnectivityFilter", binary_volume, 4_000_000, 32_000_000),
    Case("image-seeds", "vtk", "vtkImageSeedConnectivity.Update", _seeds, 4_000_000, 64_000_000),
    update("contour", "vtkContourFilter", wavelet, 2_000_000, 16_000_000, SetValue=(0, 150.0)),
    update("flying-edges", "vtkFlyingEdges3D", wavelet, 8_000_000, 64_000_000, SetValue=(0, 150.0)),
    update("marching-cubes", "vtkMarchingCubes", wavelet, 2_000_000, 16_000_000, SetValue=(0, 150.0)),
    update("contour-grid", "vtkContourGrid", tetrahedra, 2_000_000, 8_000_000, SetValue=(0, 150.0)),
    update("gradient", "vtkGradientFilter", structured, 1_000_000, 8_000_000, SetInputScalars=(0, "RTData")),
    update("delaunay-2d", "vtkDelaunay2D", flat_points, 10_000, 1_000_000),
    update("delaunay", "vtkDelaunay3D", points, 8_000, 400_000),
    update("voronoi", "vtkVoronoi2D", flat_points, 10_000, 1_000_000),
    update("decimate", "vtkQuadricDecimation", surface, 50_000, 1_000_000, SetTargetReduction=0.7),
    update("clean", "vtkCleanPolyData", surface, 200_000, 4_000_000),
    update("normals", "vtkPolyDataNormals", surface, 200_000, 4_000_000),
    update("components", "vtkPolyDataConnectivityFilter", surface, 400_000, 8_000_000),
    update("subdivide", "vtkLoopSubdivisionFilter", surface, 20_000, 500_000),
    update("curvature", "vtkCurvatures", surface, 100_000, 4_000_000),
    update("smooth", "vtkSmoothPolyDataFilter", surface, 50_000, 2_000_000, SetNumberOfIterations=20),
    update("fill-holes", "vtkFillHolesFilter", surface, 200_000, 4_000_000, SetHoleSize=1.0),
    update("voxels", "vtkImplicitModeller", surface, 1_000, 100_000, SetSampleDimensions=(20, 20, 20)),
    update("splat", "vtkGaussianSplatter", points, 2_000, 1_000_000, SetSampleDimensions=(60, 60, 60)),
    update("tubes", "vtkTubeFilter", polylines, 40_000, 1_000_000, SetNumberOfSides=12, SetRadius=0.02),
    Case("streamlines", "vtk", "vtkStreamTracer.Update", _streamlines, 3_000, 50_000),
    Case("probe", "vtk", "vtkProbeFilter.Update", _probe, 2_000_000, 8_000_000),
    Case("glyphs", "vtk", "vtkGlyph3D.Update", _glyphs, 20_000, 400_000),
    Case("cut", "vtk", "vtkCutter.Update", _cutter, 4_000_000, 12_000_000),
    Case("clip", "vtk", "vtkClipDataSet.Update", _clip, 20_000, 400_000),
    update("tetrahedralise", "vtkDataSetTriangleFilter", grid, 16_000, 400_000),
    update("outer-surface", "vtkDataSetSurfaceFilter", tetrahedra, 1_000_000, 8_000_000),
    update("outliers", "vtkStatisticalOutlierRemoval", points, 50_000, 2_000_000, SetSampleSize=20),
    update("cloud-normals", "vtkPCANormalEstimation", points, 20_000, 1_000_000, SetSampleSize=20),
    Case("statistics", "vtk", "vtkDescriptiveStatistics.Update", _statistics, 400_000, 8_000_000),
    Case("k-means", "vtk", "vtkKMeansStatistics.Update", _k_means, 20_000, 2_000_000),
)
