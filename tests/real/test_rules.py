"""The families over the real toolkits: who may stand in which, what must be in none, and what must be in one."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest

from gilgen import declared, plan, rules, toolkits

pytestmark = pytest.mark.real

# Classes of which nothing may be released but by these families, and all that derives from them. What draws with OpenGL needs
# the context of its thread and computes over no data; a cell, an iterator or a matrix is not the whole of the data.
ONLY = {
    "vtkWindow": {"drawing"},
    "vtkRenderWindowInteractor": {"event-loops"},
    "vtkInteractorObserver": set(),
    "vtkViewport": set(),
    "vtkProp": set(),
    "vtkCamera": set(),
    "vtkLight": set(),
    "vtkProperty": set(),
    "vtkTexture": set(),
    "vtkRenderPass": set(),
    "vtkTextureObject": set(),
    "vtkShaderProgram": set(),
    "vtkOpenGLBufferObject": set(),
    "vtkContextItem": set(),
    "vtkCollection": {"communication"},  # of sockets
    "vtkAbstractMapper": {"pipeline", "colours", "volumes"},
    "vtkGPUVolumeRayCastMapper": set(),
    "vtkCell": {"polygons"},
    "vtkMatrix4x4": set(),
    "vtkCommand": set(),
    "vtkAbstractTransform": {"registration", "transforms"},
    "vtkExporter": {"writers"},
    "vtkImporter": {"readers"},
    "itk::ImageIOBase": {"readers", "writers"},
    "itk::MeshIOBase": {"readers", "writers"},
    "itk::Optimizer": {"optimisation"},
    "itk::Command": set(),
}

# The other way round: what a family releases has one of these names.
NAMES = {
    "vtk": {
        "event-loops": ("Start", "ProcessEvents"),
        "drawing": ("Render",),
        "pipeline": ("Update*", "ProcessRequest", "PropagateUpdateExtent"),
        "readers": ("Read*", "CanReadFile", "Parse*", "OpenVTKFile", "Update"),
        "writers": ("Write*",),
        "sorting": ("Sort*",),
        "statistics": ("Learn", "Derive", "Assess", "Test", "Aggregate"),
    },
    "itk": {"readers": ("Read*", "CanReadFile", "CreateMeshIO"), "writers": ("Write*",), "optimisation": ("*Optimization",)},
}

# What bears the name of something that blocks, and does not: it sets a parameter, returns what is there, or looks at one cell.
SHORT = {
    "vtk": (
        "*RenderWindow.[!R]*", "vtkXMLWriter.Start", "vtkWriter.EncodeString", "vtkTestingInteractor.Start", "*.GenerateValues", "*.GenerateLabels",
        "*.GenerateTimeStep*", "vtkMergeFields.*", "vtkMeshQuality.Triangle*", "vtkCellQuality.*", "vtkCellValidator.*", "*.TriangleTriangleIntersection",
        "vtk*Spline.Evaluate", "vtkImageReader*.Compute*", "vtkImageData.ComputeBounds", "vtkImageData.CopyStructure", "vtkPolyData.CopyStructure",
        "vtkUnstructuredGrid.ConvertFaceStreamPointIds", "vtkPolyData.ReplaceLinkedCell", "*.PrintTree", "vtkDataSet.CheckAttributes",
        "vtkFieldDataSerializer.*MetaData", "vtkDummyController.*", "vtkServerSocket.CreateServer", "vtkGPUVolumeRayCastMapper.CreateCanonicalView",
        "vtkDataReader.Read", "vtkMemoryResourceStream.*", "vtkTransform.InternalUpdate", "vtkLookupTable.*Build", "vtkActor2DCollection.*",
    ),
    "itk": ("*.GenerateStreamableReadRegionFromRequestedRegion", "itkRegularExpressionSeriesFileNames.SetDirectory", "itkGDCMSeriesFileNames.GetOutputFileNames"),
}  # fmt: skip

# What blocks, by family, so that none is narrowed until nothing is left of it.
BLOCKING = {
    "vtk": {
        "vtkRenderWindowInteractor.Start": "event-loops", "vtkAlgorithm.Update": "pipeline", "vtkImplicitModeller.Append": "pieces",
        "vtkImageExport.Export": "exports", "vtkExecutive.Update": "executives", "vtkXMLReader.CanReadFile": "readers", "vtkImporter.Update": "readers",
        "vtkWriter.Write": "writers", "vtkExporter.Write": "writers", "vtkOggTheoraWriter.End": "files-in-parts", "vtkXMLWriter.Stop": "files-in-parts",
        "vtkOBBTree.BuildLocator": "locators", "vtkKdTree.ViewOrderAllRegionsInDirection": "locators", "vtkUnstructuredGrid.BuildLinks": "links",
        "vtkImageData.DeepCopy": "copies", "vtkCellArray.ConvertTo64BitStorage": "copies", "vtkDataSetAttributes.CopyData": "tuples",
        "vtkHyperTreeGrid.CopyStructure": "structures", "vtkImageData.Crop": "crops", "vtkImageData.AllocateScalars": "allocation",
        "vtkSortDataArray.Sort": "sorting", "vtkDescriptiveStatistics.Aggregate": "statistics", "vtkForceDirectedLayoutStrategy.Layout": "layouts",
        "vtkReebGraph.Build": "computation", "vtkStaticPointLocator.MergePoints": "computation", "vtkPolygon.TriangulateLocalIds": "polygons",
        "vtkImplicitFunction.EvaluateFunction": "implicit-functions", "vtkAbstractTransform.TransformPoints": "transforms", "vtkMapper.MapScalars": "colours",
        "vtkSocket.Receive": "communication", "vtkSQLiteQuery.Execute": "databases", "vtkGeometryFilter.DataSetExecute": "surfaces",
        "vtkPointLocator.FindClosestNPoints": "searches", "vtkDataSet.GetScalarRange": "ranges", "vtkAbstractTransform.Update": "registration",
        "vtkAmoebaMinimizer.Minimize": "optimisers", "vtkTable.InsertRows": "graphs", "vtkConvertSelection.ToIndexSelection": "selection",
        "vtkCommunicator.MarshalDataObject": "serialisation", "vtkVideoSource.Grab": "video", "vtkDirectory.Open": "files",
        "vtkFixedPointVolumeRayCastMapper.CreateCanonicalView": "volumes",
    },
    "itk": {
        "itkProcessObject.Update": "pipeline", "itkDataObject.Update": "data", "itkMetaImageIO.Read": "readers", "itkMetaImageIO.Write": "writers",
        "itkGDCMSeriesFileNames.SetInputDirectory": "file-names", "itkAmoebaOptimizer.StartOptimization": "optimisation",
        "itkSingleValuedCostFunction.GetValueAndDerivative": "metrics",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["vtk", "itk"])
def toolkit(request):
    return request.param


@pytest.fixture(scope="module")
def released(toolkit):
    made = plan.read(plan.ensure(toolkit, None, print))
    return [decision for decision in made.decisions if decision.action == "release" and decision.reason.startswith("rule:")]


@pytest.fixture(scope="module")
def ancestry(toolkit):
    """C++ classes with all that they derive from, by name without template arguments."""
    kind = toolkits.get(toolkit)
    installation = kind.installation()
    api = declared.read(kind, installation, declared.choose(kind, installation, None, print), print)
    bases = {cls.name: tuple(base.name for base in cls.bases) for cls in api.classes}

    def ancestors(name):
        return {name}.union(*(ancestors(base) for base in bases.get(name, ())))

    cxx = {cls.name: cls.cxx.partition("<")[0].strip() for cls in plan.exposed(kind, installation)}
    return lambda python: ancestors(cxx.get(python, python).partition("<")[0])


def family(decision):
    return decision.reason.removeprefix("rule:")


def strays(released, ancestry):
    """Decisions by a family that has no business with the class."""
    return [
        (decision.python, base, family(decision))
        for decision in released
        for base in ancestry(decision.python.rpartition(".")[0]) & ONLY.keys()
        if family(decision) not in ONLY[base]
    ]


def test_no_class_stands_in_a_family_that_is_not_for_it(released, ancestry):
    assert strays(released, ancestry) == []


def test_control_a_window_that_writes_would_be_found(released, ancestry, toolkit):
    owner = {"vtk": "vtkXOpenGLRenderWindow.Start", "itk": "itkMetaImageIO.Compute"}[toolkit]
    wrong = replace(released[0], python=owner, reason="rule:writers" if toolkit == "vtk" else "rule:calculators")
    assert [name for name, _, _ in strays([*released, wrong], ancestry)] == [owner]
    used = {(base, family(decision)) for decision in released for base in ancestry(decision.python.rpartition(".")[0]) & ONLY.keys()}
    assert {(base, name) for base in ONLY if base.startswith(toolkit) for name in ONLY[base]} - used == set(), "allowed for nothing"


def test_each_family_releases_what_its_reason_says(released, toolkit):
    for name, patterns in NAMES[toolkit].items():
        methods = {decision.python.rpartition(".")[2] for decision in released if family(decision) == name}
        assert methods, name
        assert not [method for method in methods if not any(fnmatchcase(method, pattern) for pattern in patterns)], name


def test_what_is_short_is_not_released(released, toolkit):
    assert not [decision.python for decision in released if any(fnmatchcase(decision.python, pattern) for pattern in SHORT[toolkit])]


def test_control_what_blocks_is_released_by_its_family(released, toolkit):
    found = {}
    for decision in released:
        found.setdefault(decision.python, set()).add(family(decision))
    assert {name: found.get(name) for name in BLOCKING[toolkit]} == {name: {reason} for name, reason in BLOCKING[toolkit].items()}


def test_what_is_short_is_there_to_be_released(toolkit):
    """A pattern that names no method any more shows nothing."""
    kind = toolkits.get(toolkit)
    wrapped = {f"{cls.name}.{method.name}" for cls in plan.exposed(kind, kind.installation()) for method in cls.methods}
    unseen = {"vtkTransform.InternalUpdate"}  # behind vtkAbstractTransform.Update
    assert not [pattern for pattern in SHORT[toolkit] if pattern not in unseen and not any(fnmatchcase(name, pattern) for name in wrapped)]


def test_exceptions_of_a_class_stand_below_the_family_s_classes(ancestry, toolkit):
    for one in rules.load(toolkit).families:
        for owner in {pattern.rpartition(".")[0] for pattern in one.excluded} - {""}:
            assert ancestry(owner) & one.classes, f"{owner} is not in {one.name} at all"
