"""Recipes for ITK: what has to be set before a method of a class does its work.

Each recipe gives the bound method, its arguments, and what is looked at after the call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import itk
from gilgen.diagnostics.survey import itk_data

Recipe = Callable[[], tuple[Any, ...]]


def prepare(owners: set[str]) -> None:
    """Load what the recipes of these classes use, before any fork."""
    text = " ".join(owners)
    for pattern, names in (
        ("Optimizer", ("MeanSquaresImageToImageMetricv4", "CumulativeGaussianCostFunction", "AmoebaOptimizer")),
        ("Registration", ("MeanSquaresImageToImageMetric", "LinearInterpolateImageFunction", "RegularStepGradientDescentOptimizer", "EuclideanDistancePointMetric")),
        ("KernelTransform", ("ThinPlateSplineKernelTransform",)),
        ("Otsu", ("Histogram",)),
        ("CostFunction", ("CumulativeGaussianCostFunction", "MeanSquaresImageToImageMetric")),
    ):
        if pattern in text:
            for name in names:
                getattr(itk, name, None)


def recipes(owner: str, method: str) -> list[Recipe]:
    """The recipes for a method, by its class and name."""
    cls = itk_data.proxy(owner)
    if cls is None:
        return []
    found: list[Recipe] = []
    for pattern, make in TABLE:
        if re.fullmatch(pattern, f"{owner}.{method}"):
            found += make(cls, owner, method)
    return found


def _allocate(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make(*given: Any) -> tuple[Any, ...]:
        made = cls.New()
        made.SetRegions([4 + index for index in range(made.GetImageDimension())])
        return getattr(made, method), list(given), made

    initialised = partial(make, True)  # noqa: FBT003 - ITK's own signature
    return [make, initialised] if method == "Allocate" else [make]


def _fill_buffer(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make() -> tuple[Any, ...]:
        made = itk_data.image(cls)
        pixel = itk.template(cls)[1][0]()
        pixel.Fill(1.5)
        return made.FillBuffer, [pixel], made

    return [make]


def _write_image(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make(name: str) -> tuple[Any, ...]:
        writer = cls.New()
        kind = itk_data.documented(writer.SetInput)[0].split()[0]
        writer.SetInput(itk_data.thing(kind))
        writer.SetFileName(name)
        return writer.Write, [], writer

    return [lambda: make("out.mha"), lambda: make("out.nrrd"), lambda: make("no/such/folder/out.mha"), lambda: make("out.unheard")]


def _write_mesh(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make(name: str) -> tuple[Any, ...]:
        writer = cls.New()
        writer.SetInput(itk_data.thing(itk_data.documented(writer.SetInput)[0].split()[0]))
        writer.SetFileName(name)
        return writer.Write, [], writer

    return [lambda: make("out.vtk"), lambda: make("out.obj"), lambda: make("out.unheard")]


def _series_reader(cls: Any, owner: str, method: str) -> list[Recipe]:
    dimension = int(owner[-1])

    def make(name: str) -> tuple[Any, ...]:
        reader = cls.New()
        reader.SetFileNames([itk_data.pool(name)] * 2)
        return getattr(reader, method), [], reader

    return [lambda: make(f"image{dimension}.mha"), lambda: make("small.png"), lambda: make("missing.mha")]


def _mesh_reader(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make(name: str) -> tuple[Any, ...]:
        reader = cls.New()
        reader.SetFileName(itk_data.pool(name))
        reader.Update()
        return getattr(reader, method), [], reader

    return [lambda: make("mesh.vtk"), lambda: make("mesh.obj")]


def _metric(kind: Any) -> Any:
    """A metric with images and a transform, ready to be asked."""
    pixel = itk.F if kind is itk.F else itk.D
    flat = itk.Image[pixel, 2]
    name = itk.MeanSquaresImageToImageMetricv4
    try:
        metric, sample = name[flat, flat].New(), flat
    except KeyError:
        sample = itk.Image[itk.F, 2]
        metric = name[sample, sample].New()
    metric.SetFixedImage(itk_data.image(sample, side=12))
    metric.SetMovingImage(itk_data.image(sample, side=12, shift=1))
    moving, fixed = itk.TranslationTransform[itk.D, 2].New(), itk.TranslationTransform[itk.D, 2].New()
    metric.SetMovingTransform(moving)
    metric.SetFixedTransform(fixed)
    metric.Initialize()
    return metric


def _optimiser(cls: Any, owner: str, method: str) -> list[Recipe]:
    def four() -> tuple[Any, ...]:
        made = cls.New()
        metric = _metric(itk.F if re.search(r"(TemplateF|v4F)$", owner) else itk.D)
        made.SetMetric(metric)
        scales = itk.OptimizerParameters[itk.D]()
        scales.SetSize(2)
        scales.Fill(1.0)
        for name, value in (("SetScales", scales), ("SetNumberOfIterations", 3), ("SetMaximumIteration", 3), ("SetMaximumNumberOfIterations", 3), ("SetLearningRate", 0.1)):
            if hasattr(made, name):
                itk_data.quietly(getattr(made, name), value)
        return getattr(made, method), [], made, metric

    def older() -> tuple[Any, ...]:
        made = cls.New()
        images = itk.Image[itk.F, 2]
        metric = itk.MeanSquaresImageToImageMetric[images, images].New()
        fixed, moving = itk_data.image(images, side=12), itk_data.image(images, side=12, shift=1)
        metric.SetFixedImage(fixed)
        metric.SetMovingImage(moving)
        metric.SetFixedImageRegion(fixed.GetBufferedRegion())
        transform = itk.TranslationTransform[itk.D, 2].New()
        metric.SetTransform(transform)
        metric.SetInterpolator(itk.LinearInterpolateImageFunction[images, itk.D].New())
        metric.Initialize()
        made.SetCostFunction(metric)
        made.SetInitialPosition(transform.GetParameters())
        if hasattr(made, "SetNumberOfIterations"):
            made.SetNumberOfIterations(3)
        return getattr(made, method), [], made, metric

    return [four, older]


def _concrete_optimisers(cls: Any, owner: str, method: str) -> list[Recipe]:
    """The same for the classes below an abstract one."""
    found: list[Recipe] = []
    names = ("AmoebaOptimizer", "ConjugateGradientOptimizer", "GradientDescentOptimizer", "LBFGSBOptimizer", "LBFGSOptimizer", "OnePlusOneEvolutionaryOptimizer", "PowellOptimizer",
        "RegularStepGradientDescentOptimizer", "SPSAOptimizer", "FRPROptimizer", "VersorTransformOptimizer", "ExhaustiveOptimizer")  # fmt: skip
    four = ("GradientDescentOptimizerv4Template", "RegularStepGradientDescentOptimizerv4", "AmoebaOptimizerv4", "LBFGSOptimizerv4", "LBFGSBOptimizerv4", "ExhaustiveOptimizerv4")
    for name in names if "v4" not in owner and "Template" not in owner else four:
        template = getattr(itk, name, None)
        try:
            below = template if isinstance(template, type) or template is None else template[itk.D]
        except KeyError:
            continue
        if below is not None and issubclass(below, cls):
            found += _optimiser(below, below.__name__, method)
    return found


def _registration(cls: Any, owner: str, method: str) -> list[Recipe]:
    def make() -> tuple[Any, ...]:
        made = cls.New()
        kind = itk_data.documented(made.SetFixedImage)[0].split()[0]
        images = itk_data.proxy(kind)
        fixed, moving = itk_data.image(images), itk_data.image(images, shift=1)
        dimension = fixed.GetImageDimension()
        transform = itk.TranslationTransform[itk.D, dimension].New()
        metric = itk.MeanSquaresImageToImageMetric[type(fixed), type(fixed)].New()
        made.SetFixedImage(fixed)
        made.SetMovingImage(moving)
        made.SetMetric(metric)
        made.SetOptimizer(itk.RegularStepGradientDescentOptimizer.New())
        made.SetTransform(transform)
        made.SetInterpolator(itk.LinearInterpolateImageFunction[type(fixed), itk.D].New())
        made.SetInitialTransformParameters(transform.GetParameters())
        return getattr(made, method), [], made, transform

    def incomplete() -> tuple[Any, ...]:
        made = cls.New()
        return getattr(made, method), [], made

    return [make, incomplete] if "Image" in owner else [incomplete]


def _watershed(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make() -> tuple[Any, ...]:
        made = cls.New()
        made.SetInput(itk_data.thing(itk_data.documented(made.SetInput)[0].split()[0]))
        made.UpdateOutputInformation()
        made.GetOutput().SetRequestedRegionToLargestPossibleRegion()
        return getattr(made, method), [], made

    return [make]


def _otsu(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make() -> tuple[Any, ...]:
        made = cls.New()
        histogram = itk_data.proxy(itk_data.documented(made.SetInput)[0].split()[0]).New()
        histogram.SetMeasurementVectorSize(1)
        size = itk.Array[itk.UL](1)
        size.Fill(16)
        histogram.Initialize(size)
        for index in range(16):
            histogram.SetFrequency(index, 1 + (index * 7) % 11)
        made.SetInput(histogram)
        return getattr(made, method), [], made

    def empty() -> tuple[Any, ...]:
        made = cls.New()
        return getattr(made, method), [], made

    return [make, empty]


def _kernel(cls: Any, owner: str, method: str) -> list[Recipe]:
    dimension = int(owner[-1])

    def make() -> tuple[Any, ...]:
        below = itk.ThinPlateSplineKernelTransform[itk.D, dimension]
        if not issubclass(below, cls):
            raise TypeError("another kernel")
        made = below.New()
        for setter, shift in (("SetSourceLandmarks", 0.0), ("SetTargetLandmarks", 0.4)):
            marks = itk_data.proxy(itk_data.documented(getattr(made, setter))[0].split()[0]).New()
            for index in range(6):
                point = itk.Point[itk.D, dimension]()
                for axis in range(dimension):
                    point[axis] = float((index * (axis + 2) + axis) % 5) + shift * index
                marks.SetPoint(index, point)
            getattr(made, setter)(marks)
        return getattr(made, method), [], made

    return [make]


def _duplicator(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make() -> tuple[Any, ...]:
        made = cls.New()
        source = itk_data.thing(itk_data.documented(made.SetInputImage)[0].split()[0])
        made.SetInputImage(source)
        return getattr(made, method), [], made, source

    return [make]


_IMAGE_IOS = {"PNG": "png", "BMP": "bmp", "JPEG": "jpg", "TIFF": "tif", "VTK": "vtk", "Nifti": "nii", "Gipl": "gipl", "HDF5": "hdf5", "MRC": "mrc", "Meta": "mha", "Nrrd": "nrrd",
    "BioRad": "pic", "LSM": "lsm", "MINC": "mnc", "GDCM": "dcm", "Stimulate": "spr", "JPEG2000": "jp2", "Bruker2dseq": "hdr", "GE4": "ge4", "GEAdw": "gea", "SiemensVision": "ima"}  # fmt: skip


def _image_io(cls: Any, owner: str, method: str) -> list[Recipe]:
    def make(kind: str, ending: str) -> tuple[Any, ...]:
        made = getattr(itk, f"{kind}ImageIO").New()
        if not isinstance(made, cls):
            raise TypeError("not below this class")
        name = itk_data.pool(f"small.{ending}")
        made.SetFileName(name)
        if method == "CanReadFile":
            return made.CanReadFile, [name], made
        picture = itk_data.image(itk.Image[itk.UC, 2])
        if method in {"Read", "ReadVolume", "GenerateStreamableReadRegionFromRequestedRegion"}:
            made.ReadImageInformation()
            region = itk.ImageIORegion(2)
            for axis in range(2):
                region.SetIndex(axis, 0)
                region.SetSize(axis, made.GetDimensions(axis))
            made.SetIORegion(region)
            target = itk_data.image(itk.Image[itk.UC, 2], side=24)
            if method == "GenerateStreamableReadRegionFromRequestedRegion":
                return getattr(made, method), [region], made
            return getattr(made, method), [target.GetBufferPointer()], made, target
        if method in {"Write", "WriteImageInformation"}:
            made.SetFileName(f"out.{ending}")
            made.SetNumberOfDimensions(2)
            region = itk.ImageIORegion(2)
            for axis in range(2):
                made.SetDimensions(axis, 6 + axis)
                made.SetSpacing(axis, 1.0)
                made.SetOrigin(axis, 0.0)
                region.SetSize(axis, 6 + axis)
            made.SetComponentType(itk.CommonEnums.IOComponent_UCHAR)
            made.SetPixelType(itk.CommonEnums.IOPixel_SCALAR)
            made.SetNumberOfComponents(1)
            made.SetIORegion(region)
            return getattr(made, method), [picture.GetBufferPointer()] if method == "Write" else [], made, picture
        return getattr(made, method), [], made

    kinds = _IMAGE_IOS if owner == "itkImageIOBase" else {owner.removeprefix("itk").removesuffix("ImageIO"): _IMAGE_IOS[owner.removeprefix("itk").removesuffix("ImageIO")]}
    return [lambda kind=kind, ending=ending: make(kind, ending) for kind, ending in kinds.items() if hasattr(itk, f"{kind}ImageIO")]


def _mesh_io(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make(kind: str, ending: str) -> tuple[Any, ...]:
        made = getattr(itk, f"{kind}MeshIO").New()
        name = itk_data.pool(f"mesh.{ending}")
        made.SetFileName(name)
        if method == "CanReadFile":
            return made.CanReadFile, [name], made
        if method.startswith("Read"):
            if method != "ReadMeshInformation":
                made.ReadMeshInformation()
            target = itk_data.image(itk.Image[itk.F, 2], side=40)
            return getattr(made, method), [] if method == "ReadMeshInformation" else [target.GetBufferPointer()], made, target
        made.ReadMeshInformation()
        source = itk_data.image(itk.Image[itk.F, 2], side=40)
        made.SetFileName(f"out.{ending}")
        if method == "WriteMeshInformation":
            return made.WriteMeshInformation, [], made
        made.WriteMeshInformation()
        return getattr(made, method), [] if method == "Write" else [source.GetBufferPointer()], made

    return [lambda kind=kind, ending=ending: make(kind, ending) for kind, ending in (("VTKPolyData", "vtk"), ("OBJ", "obj"), ("OFF", "off"), ("BYU", "byu"))]


def _transform_io(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    number = itk.D if owner.endswith("D") else itk.F

    def make(kind: str, ending: str) -> tuple[Any, ...]:
        made = getattr(itk, f"{kind}TransformIOTemplate")[number].New()
        name = itk_data.pool(f"transform.{ending}")
        made.SetFileName(name)
        if method == "CanReadFile":
            return made.CanReadFile, [name], made
        if method == "Write":
            made.SetFileName(f"out.{ending}")
        return getattr(made, method), [], made

    return [lambda kind=kind, ending=ending: make(kind, ending) for kind, ending in (("Txt", "txt"), ("HDF5", "h5"), ("Matlab", "mat"))]


def _file_names(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make() -> tuple[Any, ...]:
        made = cls.New()
        if hasattr(made, "SetArchetype"):
            made.SetArchetype(itk_data.pool("image2.mha"))
        if hasattr(made, "SetRegularExpression"):
            made.SetRegularExpression(r"image(\d)\.mha")
        if method in {"SetDirectory", "SetInputDirectory"}:
            return getattr(made, method), [itk_data.POOL], made
        if hasattr(made, "SetDirectory"):
            made.SetDirectory(itk_data.POOL)
        return getattr(made, method), [], made

    return [make]


def _factory(cls: Any, owner: str, method: str) -> list[Recipe]:
    def make(name: str, mode: Any) -> tuple[Any, ...]:
        return getattr(cls, method), [name, mode]

    modes = itk.CommonEnums
    file = "small.png" if "Image" in owner else "mesh.vtk"
    return [lambda: make(itk_data.pool(file), modes.IOFileMode_ReadMode), lambda: make("out.mha", modes.IOFileMode_WriteMode)]


def _data_object(cls: Any, owner: str, method: str) -> list[Recipe]:  # noqa: ARG001
    def make() -> tuple[Any, ...]:
        images = itk.Image[itk.F, 2]
        median = itk.MedianImageFilter[images, images].New()
        median.SetInput(itk_data.image(images))
        if owner == "itkProcessObject":
            if method == "UpdateOutputData":
                median.UpdateOutputInformation()
                median.GetOutput().SetRequestedRegionToLargestPossibleRegion()
            return getattr(median, method), [median.GetOutput()] if method in {"PropagateRequestedRegion", "UpdateOutputData"} else [], median
        output = median.GetOutput()
        if method in {"UpdateOutputData", "PropagateRequestedRegion"}:
            output.UpdateOutputInformation()
            output.SetRequestedRegionToLargestPossibleRegion()
        return getattr(output, method), [], output, median

    return [make]


def _cost(cls: Any, owner: str, method: str) -> list[Recipe]:
    def make() -> tuple[Any, ...]:
        if method == "Initialize":
            made = cls.New()
            made.SetOriginalDataArray(_parameters([0.1, 0.4, 0.9, 0.4])) if hasattr(made, "SetOriginalDataArray") else None
            return made.Initialize, [4], made
        if owner == "itkSingleValuedCostFunction":
            _, _, optimiser, metric = _optimiser(itk.RegularStepGradientDescentOptimizer, "", "StartOptimization")[1]()
            del optimiser
            return metric.GetValueAndDerivative, [_parameters([0.5, 0.25]), 0.0, _parameters([0.0, 0.0])], metric
        made = itk.CumulativeGaussianCostFunction.New()
        made.Initialize(4)
        return getattr(made, method), [_parameters([0.1, 0.2, 0.3, 0.4])], made

    return [make]


def _parameters(numbers: list[float]) -> Any:
    made = itk.OptimizerParameters[itk.D]()
    made.SetSize(len(numbers))
    for index, number in enumerate(numbers):
        made[index] = number
    return made


TABLE: tuple[tuple[str, Callable[[Any, str, str], list[Recipe]]], ...] = (
    (r"itkImage\w*\.(Allocate|AllocateInitialized)", _allocate),
    (r"itkImage\w+\.FillBuffer", _fill_buffer),
    (r"itkImageFileWriter\w+\.Write|itkImageSeriesWriter\w+\.Write", _write_image),
    (r"itkMeshFileWriter\w+\.Write", _write_mesh),
    (r"itkImageSeriesReader\w+\.\w+", _series_reader),
    (r"itkMeshFileReader\w+\.\w+", _mesh_reader),
    (r"itk\w*Optimizer\w*\.(StartOptimization|ResumeOptimization)", _optimiser),
    (r"itk\w*Optimizer\w*\.(StartOptimization|ResumeOptimization)", _concrete_optimisers),
    (r"itk\w*RegistrationMethod\w+\.Initialize", _registration),
    (r"itkWatershedImageFilter\w+\.GenerateData", _watershed),
    (r"itkOtsuThresholdCalculator\w+\.Compute", _otsu),
    (r"itkKernelTransform\w+\.ComputeWMatrix", _kernel),
    (r"itkImageDuplicator\w+\.Update", _duplicator),
    (r"itkImageIOBase\.\w+|itk(JPEG|PNG|TIFF)ImageIO\.ReadVolume", _image_io),
    (r"itkMeshIOBase\.\w+", _mesh_io),
    (r"itkTransformIOBaseTemplate\w\.\w+", _transform_io),
    (r"itk\w+SeriesFileNames\.\w+", _file_names),
    (r"itk(Image|Mesh)IOFactory\.\w+", _factory),
    (r"itk(DataObject|ProcessObject)\.\w+", _data_object),
    (r"itk\w*CostFunction\.\w+", _cost),
)
