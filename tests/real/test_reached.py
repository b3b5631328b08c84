"""Shimmed methods reached from unusual places: from other wrappers, destructors, the collector, and C++ that knows Python."""

from __future__ import annotations

import importlib.util
from textwrap import dedent

import pytest

pytestmark = pytest.mark.real

DATA = """
import gc, weakref
from vtkmodules.util.numpy_support import vtk_to_numpy
vtk.vtkSMPTools.Initialize(1)
def wavelet(size=12):
    source = vtk.vtkRTAnalyticSource(whole_extent=(-size, size) * 3)
    return source
def behind(kind, source, **settings):
    # A filter's output port does not keep the filter.
    filter = kind(**settings)
    filter.SetInputConnection(source.GetOutputPort())
    return filter
def sphere(resolution=24):
    return vtk.vtkSphereSource(theta_resolution=resolution, phi_resolution=resolution)
def solid(source):
    source.Update()
    data = source.GetOutput().NewInstance()
    data.DeepCopy(source.GetOutput())
    return data
def summary(data):
    array = data.GetPointData().GetScalars() or data.GetPoints().GetData()
    return [data.GetNumberOfPoints(), round(float(vtk_to_numpy(array).astype("float64").sum()), 3)]
"""

REACHED = {
    "mapper.GetBounds": "mapper = behind(vtk.vtkPolyDataMapper, sphere()); return mapper.GetBounds()",
    "actor.GetBounds": "actor = vtk.vtkActor(mapper=behind(vtk.vtkPolyDataMapper, sphere())); return actor.GetBounds()",
    "assembly.GetBounds": """
        assembly = vtk.vtkAssembly()
        assembly.AddPart(vtk.vtkActor(mapper=behind(vtk.vtkPolyDataMapper, sphere())))
        return assembly.GetBounds()
    """,
    "renderer.ComputeVisiblePropBounds": """
        renderer = vtk.vtkRenderer()
        renderer.AddActor(vtk.vtkActor(mapper=behind(vtk.vtkDataSetMapper, wavelet())))
        return renderer.ComputeVisiblePropBounds()
    """,
    "volume.GetBounds": """
        volume = vtk.vtkVolume()
        volume.SetMapper(behind(vtk.vtkFixedPointVolumeRayCastMapper, wavelet()))
        return volume.GetBounds()
    """,
    "data.FindPoint": "data = solid(sphere()); return [data.FindPoint((0, 0, 0.4)), data.FindPoint((0.5, 0, 0))]",
    "data.FindCell": """
        data, weights = solid(sphere()), [0.0] * 8
        return data.FindCell((0.3, 0.3, 0.3), None, 0, 0.5, vtk.reference(0), [0.0] * 3, weights)
    """,
    "array.GetRange": "data = solid(wavelet()); data.Modified(); return data.GetPointData().GetScalars().GetRange(0)",
    "data.GetPointCells": """
        data, ids = solid(sphere()), vtk.vtkIdList()
        data.GetCellEdgeNeighbors(0, 0, 3, ids)
        data.BuildLinks()
        return ids.GetNumberOfIds()
    """,
    "implicit data set": """
        function = vtk.vtkImplicitDataSet(data_set=solid(wavelet()))
        return [function.EvaluateFunction(1.5, 2.5, 0.5), function.FunctionGradient(1, 2, 0)]
    """,
    "implicit distance": "function = vtk.vtkImplicitPolyDataDistance(); function.SetInput(solid(sphere())); return function.FunctionValue(1, 1, 1)",
    "transform": """
        inner, outer = vtk.vtkTransform(), vtk.vtkGeneralTransform()
        inner.RotateX(30)
        outer.Concatenate(inner)
        return [outer.TransformPoint(1, 2, 3), inner.GetInverse().GetMatrix().GetElement(1, 2)]
    """,
    "probe": """
        probe = behind(vtk.vtkProbeFilter, sphere())
        source = wavelet()
        probe.SetSourceConnection(source.GetOutputPort())
        probe.Update()
        return summary(probe.GetOutput())
    """,
    "executive.GetOutputData": "source = sphere(); return source.GetExecutive().GetOutputData(0).GetNumberOfPoints()",
    "cell picker": """
        picker, renderer = vtk.vtkPointLocator(data_set=solid(sphere())), None
        return [picker.FindClosestPoint(1, 0, 0), picker.GetClosestPoint(vtk.reference(0)) if hasattr(picker, "GetClosestPoint") else 0]
    """,
    "lookup table": """
        table = vtk.vtkLookupTable(number_of_table_values=16)
        table.Build()
        data = solid(wavelet())
        colours = table.MapScalars(data.GetPointData().GetScalars(), 0, 0)
        return [table.GetTableValue(3), vtk_to_numpy(colours).tolist()[7]]
    """,
    "mapper.MapScalars": """
        mapper = vtk.vtkDataSetMapper(input_data=solid(wavelet(5)))
        return vtk_to_numpy(mapper.MapScalars(1.0)).tolist()[11]
    """,
    "call slot": "return summary(vtk.vtkElevationFilter()(solid(sphere())))",
    "shift operator": "return summary((solid(sphere()) >> vtk.vtkElevationFilter()).update().output)",
    "numpy interface": """
        from vtkmodules.numpy_interface import dataset_adapter, algorithms
        data = dataset_adapter.WrapDataObject(solid(wavelet(6)))
        return [float(algorithms.max(data.PointData["RTData"])), float(algorithms.sum(algorithms.gradient(data.PointData["RTData"])))]
    """,
}


@pytest.mark.parametrize("what", REACHED)
def test_reached_from_another_wrapper(nursery, what):
    """One that still holds the GIL, most of them: what it reaches lets go of it, and the wrapper finds it back."""
    body = dedent(REACHED[what]).strip().replace("\n", "\n    ")
    code = f"""
def once():
    {body}
held = [None]
say([once(), once(), at_once(once, once, once, once), sys.getrefcount(held[0]) > 0])
"""
    plain, active, _ = nursery.both(DATA + code)
    assert active == plain
    assert plain[0] == plain[1]
    assert plain[2] == [plain[0]] * 4


def test_the_wrappers_that_hold_reach_shims_indeed(nursery):
    code = """
    mapper = behind(vtk.vtkPolyDataMapper, sphere())
    before = dict(one for one in counted())
    mapper.GetBounds()
    solid(sphere()).FindPoint((0, 0, 0.4))
    after = dict(one for one in counted())
    say(sorted(name for name in after if after[name] > before.get(name, 0)))
    """
    counted = "def counted(): return [(method.python, method.calls) for found in gilgen.status().values() for method in found.methods]\n"
    reached, _ = nursery.active(DATA + counted + dedent(code)).answer
    assert any("Update" in name for name in reached)
    assert any("Locator" in name for name in reached)


def test_reached_from_destructors(nursery):
    """A wrapped object dies, tells so, and what it tells calls shimmed methods; in any thread, and inside other calls."""
    code = """
    counts = []
    def dying():
        source = sphere(8)
        def last_words(caller, event):
            other = sphere(8)
            other.UpdatePiece(0, 1, 0)
            copy = vtk.vtkPolyData()
            copy.DeepCopy(other.GetOutput())
            counts.append(copy.GetNumberOfPoints())
        source.AddObserver("DeleteEvent", last_words)
        return source
    class Owner:
        def __init__(self): self.source, self.cycle = sphere(8), self
        def __del__(self):
            self.source.UpdatePiece(0, 1, 0)
            counts.append(self.source.GetOutput().GetNumberOfPoints())
    class Sub(vtk.vtkSphereSource):
        def __del__(self):
            self.UpdatePiece(0, 1, 0)
            counts.append(self.GetOutput().GetNumberOfPoints())
    def work():
        for _ in range(20):
            dying()
            Owner()
            Sub()
            held = behind(vtk.vtkElevationFilter, dying())
            held.AddObserver("ProgressEvent", lambda caller, event: dying())
            held.UpdatePiece(0, 1, 0)
            weakref.finalize(held, lambda: sphere(8).UpdatePiece(0, 1, 0))
            gc.collect()
    threads = at_once(work, work, work, work)
    gc.collect()
    say([threads, len(counts) > 4 * 20 * 5, sorted(set(counts))])
    """
    plain, active, released = nursery.both(DATA + dedent(code))
    assert active == plain
    assert plain[:2] == [[None] * 4, True]
    assert released["vtkPolyData.DeepCopy"] > 160


def test_the_last_reference_falls_inside_a_released_call(nursery):
    """The filter upstream, its observers and its Python object die in C++, on a thread that has no GIL then."""
    code = """
    dead = []
    class Upstream(vtk.vtkSphereSource):
        def __del__(self): dead.append("python")
    def once():
        upstream = Upstream()
        upstream.AddObserver("DeleteEvent", lambda caller, event: dead.append(event))
        upstream.AddObserver("EndEvent", lambda caller, event: None)
        elevation = vtk.vtkElevationFilter(input_connection=upstream.GetOutputPort())
        array = vtk.vtkFloatArray()
        array.AddObserver("DeleteEvent", lambda caller, event: dead.append("array"))
        array.SetName("extra")
        data = vtk.vtkPolyData()
        data.GetPointData().AddArray(array)
        data.AddObserver("DeleteEvent", lambda caller, event: dead.append("data"))
        target = vtk.vtkPolyData()
        target.ShallowCopy(data)
        points = vtk.vtkPoints()
        points.AddObserver("DeleteEvent", lambda caller, event: dead.append("points"))
        target.SetPoints(points)
        del upstream, array, points, data
        elevation.UpdatePiece(0, 1, 0)
        target.DeepCopy(elevation.GetOutput())  # replaces what it had: that dies here
        return [target.GetNumberOfPoints(), target.GetPointData().GetNumberOfArrays()]
    found = [once(), at_once(*[lambda: [once() for _ in range(25)]] * 6)]
    gc.collect()
    from collections import Counter
    say([found, sorted(Counter(dead).items())])
    """
    plain, active, released = nursery.both(DATA + dedent(code))
    assert active == plain
    assert dict(plain[1]) == {"python": 151, "DeleteEvent": 151, "array": 151, "data": 151, "points": 151} or len(plain[1]) >= 3
    assert released["vtkPolyData.DeepCopy"] >= 151


def test_observers_come_and_go_while_the_collector_looks_at_them(nursery):
    """The collector asks each VTK object for its observers; C++ removes some of them in calls that have no GIL."""
    code = """
    stop = threading.Event()
    kept = []
    def collect():
        count = 0
        while not stop.is_set():
            gc.collect()
            count += 1
        return count
    def work():
        try:
            total = 0
            for _ in range(150):
                source = sphere(6)
                kept.append(source)
                if len(kept) > 60: del kept[:30]
                def once(caller, event):
                    nonlocal total
                    total += 1
                    caller.RemoveObserver(tag)
                tag = source.AddObserver("ProgressEvent", once)
                source.AddObserver("EndEvent", lambda caller, event: caller.RemoveAllObservers())
                source.UpdatePiece(0, 1, 0)
            return total
        finally:
            done.append(1)
            if len(done) == 4: stop.set()
    done = []
    found = at_once(collect, work, work, work, work)
    say([found[0] > 0, found[1:]])
    """
    plain, active, released = nursery.both(DATA + dedent(code))
    assert active == plain == [True, [150] * 4]
    assert released["vtkAlgorithm.UpdatePiece"] == 600


def test_reached_from_vtks_own_threads(nursery):
    code = """
    vtk.vtkSMPTools.SetBackend("STDThread")
    vtk.vtkSMPTools.Initialize(4)
    def once():
        source = wavelet(14)
        contour = vtk.vtkContourFilter(input_connection=source.GetOutputPort())
        contour.SetValue(0, 150)
        edges = vtk.vtkFlyingEdges3D(input_connection=source.GetOutputPort())
        edges.SetValue(0, 150)
        probe = vtk.vtkProbeFilter(input_connection=edges.GetOutputPort())
        probe.SetSourceConnection(source.GetOutputPort())
        clean = vtk.vtkStaticCleanPolyData(input_connection=contour.GetOutputPort())
        warp = vtk.vtkWarpScalar(input_connection=edges.GetOutputPort())
        smooth = vtk.vtkImageGaussianSmooth(input_connection=source.GetOutputPort(), enable_smp=True)
        gradient = vtk.vtkGradientFilter(input_connection=source.GetOutputPort())
        surface = vtk.vtkGeometryFilter(input_connection=source.GetOutputPort())
        filters = (contour, edges, probe, clean, warp, smooth, gradient, surface)
        for filter in filters: filter.UpdatePiece(0, 1, 0)
        return [filter.GetOutput().GetNumberOfPoints() for filter in filters] + [round(filter.GetOutput().GetLength(), 6) for filter in filters]
    say([once(), once(), at_once(once, once, once)])
    """
    plain, active, released = nursery.both(DATA + dedent(code))
    assert active == plain
    assert plain[2] == [plain[0]] * 3
    assert released["vtkAlgorithm.UpdatePiece"] == 40


def test_programmable_filters(nursery):
    """`SetExecuteMethod` keeps a Python callable in C++, which calls shimmed methods and is replaced between the calls."""
    code = """
    def once(rounds=20):
        log = []
        source = sphere(8)
        filter = behind(vtk.vtkProgrammableFilter, source)
        def method(number):
            def execute():
                log.append(number)
                filter.GetPolyDataOutput().DeepCopy(filter.GetPolyDataInput())
                sphere(6).UpdatePiece(0, 1, 0)
            return execute
        for number in range(rounds):
            filter.SetExecuteMethod(method(number))
            filter.UpdatePiece(0, 1, 0)
        return [log == list(range(rounds)), filter.GetPolyDataOutput().GetNumberOfPoints()]
    say([once(), at_once(once, once, once, once)])
    """
    plain, active, released = nursery.both(DATA + dedent(code))
    assert active == plain
    assert plain[0][0] is True
    assert released["vtkAlgorithm.UpdatePiece"] >= 200


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed, and VTK draws formulas with it")
def test_matplotlib_text(nursery):
    """VTK's Matplotlib bridge is C++ that calls Python, reached here from a released call while others are busy."""
    code = """
    import matplotlib.mathtext
    calls = []
    plain_parse = matplotlib.mathtext.MathTextParser.parse
    def parse(self, *arguments, **options):
        calls.append(threading.get_ident() == asking[0])
        return plain_parse(self, *arguments, **options)
    matplotlib.mathtext.MathTextParser.parse = parse
    asking = [threading.get_ident()]
    def labels(number):
        table, points, texts = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkStringArray(name="LabelText")
        for index in range(4):
            points.InsertNextPoint(index, 0, 0)
            texts.InsertNextValue("$\\\\alpha^{%d}_{%d}$" % (index, number))
        table.SetPoints(points)
        table.GetPointData().AddArray(texts)
        sizes = vtk.vtkLabelSizeCalculator(input_data=table)
        sizes.SetInputArrayToProcess(0, 0, 0, 0, "LabelText")
        sizes.UpdatePiece(0, 1, 0)
        array = sizes.GetOutput().GetPointData().GetArray("LabelSize")
        return [array.GetTuple(index) for index in range(4)]
    def drawn():
        image, size = vtk.vtkImageData(), [0, 0]
        done = vtk.vtkTextRenderer.GetInstance().RenderString(vtk.vtkTextProperty(), "$\\\\frac{1}{2}$", image, size, 100)
        return [done, size, image.GetDimensions(), int(vtk_to_numpy(image.GetPointData().GetScalars()).sum())]
    def text_loop():
        asking[0] = threading.get_ident()
        return [labels(number) for number in range(6)] + [drawn() for _ in range(3)]
    def busy():
        total = 0
        for _ in range(60):
            source = sphere(16)
            source.UpdatePiece(0, 1, 0)
            total += source.GetOutput().GetNumberOfPoints()
        return total
    first = text_loop()
    say([first, at_once(text_loop, busy, busy), len(calls) > 30, all(calls)])
    """
    plain, active, released = nursery.both(DATA + dedent(code))
    assert active == plain
    assert plain[1][0] == plain[0]
    assert plain[2] is True
    assert released["vtkAlgorithm.UpdatePiece"] >= 132
