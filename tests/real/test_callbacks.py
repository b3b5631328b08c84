"""Calls back into Python from inside a released call: the same events, in the same order, with the same effect."""

from __future__ import annotations

import re
from textwrap import dedent

import pytest

pytestmark = pytest.mark.real


def scrubbed(text):
    """The lines of an output, without what differs from run to run: addresses, line numbers, times."""
    return [re.sub(r"0x[0-9a-fA-F]+|\([0-9A-F]{8,}\)|line \d+|:\d+|\d+\.\d+s", "@", line) for line in text.splitlines()]


PIPELINE = """
vtk.vtkSMPTools.Initialize(1)
def pipeline(resolution=20):
    source = vtk.vtkSphereSource(theta_resolution=resolution, phi_resolution=resolution)
    elevation = vtk.vtkElevationFilter(input_connection=source.GetOutputPort())
    normals = vtk.vtkPolyDataNormals(input_connection=elevation.GetOutputPort())
    return source, elevation, normals
def watched(seen, **objects):
    for name, object in objects.items():
        object.AddObserver("AnyEvent", lambda caller, event, name=name, object=object: seen.append([name, event, caller is object]))
"""


def test_the_same_events_in_the_same_order(nursery):
    code = """
    seen = []
    source, elevation, normals = filters = pipeline()
    watched(seen, source=source, elevation=elevation, normals=normals, executive=elevation.GetExecutive(),
        data=elevation.GetOutput(), attributes=elevation.GetOutput().GetPointData())
    for progress in filters:
        progress.AddObserver("ProgressEvent", lambda caller, event: seen.append(round(caller.GetProgress(), 9)))
    normals.Update()
    normals.UpdatePiece(0, 2, 0)
    normals.GetExecutive().Update()
    source.SetThetaResolution(30)
    normals(elevation.GetOutput())  # the call slot
    say(seen)
    """
    plain, active, released = nursery.both(PIPELINE + dedent(code))
    assert active == plain
    assert len(plain) > 60
    assert {"StartEvent", "ProgressEvent", "ModifiedEvent", "EndEvent"} <= {entry[1] for entry in plain if isinstance(entry, list)}
    assert released["vtkAlgorithm.Update"] >= 1
    assert released["vtkAlgorithm.UpdatePiece"] == 1


def test_control_a_different_sequence_is_seen(nursery):
    code = """
    seen = []
    source, elevation, normals = pipeline()
    watched(seen, source=source, normals=normals)
    if ACTIVE: source.AddObserver("StartEvent", lambda caller, event: caller.Modified())
    normals.Update()
    say(seen)
    """
    plain, active, _ = nursery.both(PIPELINE + dedent(code))
    assert active != plain


def test_observers_added_and_removed_during_the_call(nursery):
    code = """
    seen = []
    source, elevation, normals = pipeline()
    def add(filter, event, label, then=lambda caller: None):
        # An observer that takes itself away when it is called: its last reference falls inside the call.
        def once(caller, event):
            seen.append([label, event, round(caller.GetProgress(), 9)])
            caller.RemoveObserver(tag)
            then(caller)
        tag = filter.AddObserver(event, once)
        return tag
    def more(caller):
        add(caller, "ProgressEvent", "added")
        add(caller, "EndEvent", "added", lambda caller: caller.RemoveObservers("AnyEvent"))
        add(normals, "StartEvent", "elsewhere", lambda caller: caller.RemoveObserver(doomed))
    add(elevation, "StartEvent", "first", more)
    doomed = normals.AddObserver("EndEvent", lambda *_: seen.append("doomed"))
    elevation.AddObserver("AnyEvent", lambda caller, event: seen.append(["any", event]))
    for round_ in range(3):
        source.Modified()
        normals.UpdatePiece(0, 1, 0)
    normals.RemoveAllObservers()
    say(seen)
    """
    plain, active, _ = nursery.both(PIPELINE + dedent(code))
    assert active == plain
    assert ["elsewhere", "StartEvent", 1.0] in plain or any(entry[0] == "elsewhere" for entry in plain)
    assert "doomed" not in plain


def test_observers_come_and_go_in_eight_threads(nursery):
    """`vtkPythonCommand` keeps all commands in one list, and an observer that removes itself dies inside the call."""
    code = """
    def work():
        source, elevation, normals = pipeline(8)
        count = 0
        def add(filter, event):
            def once(caller, event):
                nonlocal count
                count += 1
                caller.RemoveObserver(tag)
            tag = filter.AddObserver(event, once)
        for _ in range(300):
            for filter in (source, elevation, normals):
                add(filter, "StartEvent")
                add(filter, "ProgressEvent")
                add(filter, "EndEvent")
            source.Modified()
            normals.UpdatePiece(0, 1, 0)
        return count
    say(at_once(*[work] * 8))
    """
    plain, active, released = nursery.both(PIPELINE + dedent(code))
    assert active == plain == [2700] * 8
    assert released["vtkAlgorithm.UpdatePiece"] > 2000  # it keeps the GIL where another thread is in the middle of a call, in a callback


def test_call_data_arrives_as_its_declared_type(nursery):
    code = """
    from vtkmodules.util.misc import calldata_type
    from vtkmodules.util.vtkConstants import VTK_STRING, VTK_OBJECT, VTK_INT, VTK_DOUBLE
    import re
    seen = []
    @calldata_type(VTK_STRING)
    def text(caller, event, data): seen.append([event, re.sub("0x[0-9a-f]+|Modified Time: [0-9]+", "@", data)])
    @calldata_type(VTK_OBJECT)
    def object(caller, event, data): seen.append([event, data.GetClassName(), data is view])
    reader = vtk.vtkXMLPolyDataReader(file_name="/nowhere/at/all.vtp")
    reader.AddObserver("ErrorEvent", text)
    reader.GetExecutive().AddObserver("ErrorEvent", text)
    reader.Update()
    reader.UpdatePiece(0, 1, 0)
    locator = vtk.vtkCellLocator()
    locator.AddObserver("ErrorEvent", text)
    locator.BuildLocator()
    view = vtk.vtkSphereSource()
    mapper = vtk.vtkSphereSource()
    mapper.AddObserver("UserEvent", object)
    def pass_on(caller, event): mapper.InvokeEvent("UserEvent", view)
    view.AddObserver("ProgressEvent", pass_on)
    view.UpdatePiece(0, 1, 0)
    say(seen)
    """
    plain, active, _ = nursery.both(code)
    assert active == plain
    assert any("/nowhere/at/all.vtp" in entry[1] for entry in plain)
    assert ["UserEvent", "vtkSphereSource", True] in plain


PYTHON_FILTERS = """
from vtkmodules.util.vtkAlgorithm import VTKPythonAlgorithmBase
class Source(VTKPythonAlgorithmBase):
    def __init__(self, count):
        super().__init__(nInputPorts=0, nOutputPorts=1, outputType="vtkPolyData")
        self.count, self.threads = count, set()
    def RequestData(self, request, inputs, outputs):
        self.threads.add(threading.get_ident())
        points = vtk.vtkPoints()
        for index in range(self.count):
            points.InsertNextPoint(index, index % 7, index % 3)
        cells = vtk.vtkCellArray()
        for index in range(self.count - 2):
            cells.InsertNextCell(3, (index, index + 1, index + 2))
        output = vtk.vtkPolyData.GetData(outputs)
        output.SetPoints(points)
        output.SetPolys(cells)
        return 1
class Scale(VTKPythonAlgorithmBase):
    def __init__(self):
        super().__init__(nInputPorts=1, nOutputPorts=1, inputType="vtkPolyData", outputType="vtkPolyData")
    def RequestData(self, request, inputs, outputs):
        source = vtk.vtkPolyData.GetData(inputs[0])
        transform = vtk.vtkTransform()
        transform.Scale(2, 2, 2)
        inner = vtk.vtkTransformPolyDataFilter(input_data=source, transform=transform)
        inner.Update()  # another shimmed call, inside of this one
        vtk.vtkPolyData.GetData(outputs).DeepCopy(inner.GetOutput())
        return 1
def run(count):
    source, scale = Source(count), Scale()
    scale.SetInputConnection(source.GetOutputPort())
    elevation = vtk.vtkElevationFilter(input_connection=scale.GetOutputPort())
    elevation.UpdatePiece(0, 1, 0)
    output = elevation.GetOutput()
    return [output.GetNumberOfPoints(), output.GetNumberOfCells(), output.GetBounds(), source.threads == {threading.get_ident()}]
"""


def test_algorithms_written_in_python(nursery):
    code = "say([run(50), at_once(*[lambda count=count: run(count) for count in (10, 500, 40, 300, 100, 77)])])"
    plain, active, released = nursery.both(PYTHON_FILTERS + code)
    assert active == plain
    assert plain[0] == [50, 48, [0.0, 98.0, 0.0, 12.0, 0.0, 4.0], True]
    assert released["vtkAlgorithm.UpdatePiece"] == 7


def test_an_algorithm_written_in_python_that_raises(nursery):
    code = """
    class Failing(Scale):
        def RequestData(self, request, inputs, outputs):
            raise LookupError("on purpose")
    def fail():
        source, failing = Source(5), Failing()
        failing.SetInputConnection(source.GetOutputPort())
        try:
            failing.UpdatePiece(0, 1, 0)
        except Exception as error:
            return type(error).__name__
        return failing.GetOutputDataObject(0).GetNumberOfPoints()
    say([fail(), run(9), at_once(fail, fail), run(9)])
    """
    answers = [way(PYTHON_FILTERS + dedent(code)) for way in (nursery.plain, nursery.active)]
    assert answers[0].answer[0] == answers[1].answer[0]
    for text in ("LookupError", "on purpose", 'Failure when calling method: "ProcessRequest"', "returned failure for request"):
        assert [answer.err.count(text) for answer in answers] == [3, 3], text


def test_errors_and_warnings_reach_python(nursery, tmp_path):
    code = f"""
    import re
    path = {str(tmp_path)!r} + ("/active" if ACTIVE else "/plain")
    def provoke():
        vtk.vtkXMLPolyDataReader(file_name="/nowhere/at/all.vtp").UpdatePiece(0, 1, 0)
        vtk.vtkCellLocator().BuildLocator()
        vtk.vtkPLYReader(file_name="/nowhere/at/all.ply").UpdatePiece(0, 1, 0)
        vtk.vtkContourFilter().UpdatePiece(0, 1, 0)
    def scrub(text): return re.sub("0x[0-9a-f]+|line [0-9]+|Modified Time: [0-9]+", "@", text)
    seen = []
    window = vtk.vtkStringOutputWindow()
    from vtkmodules.util.misc import calldata_type
    @calldata_type(vtk.VTK_STRING)
    def note(caller, event, data): seen.append([event, scrub(data)])
    for event in ("ErrorEvent", "WarningEvent", "MessageEvent"):
        window.AddObserver(event, note)
    vtk.vtkOutputWindow.SetInstance(window)
    provoke()
    text = scrub(window.GetOutput())
    file = vtk.vtkFileOutputWindow(file_name=path)
    vtk.vtkOutputWindow.SetInstance(file)
    provoke()
    file.Flush() if hasattr(file, "Flush") else None
    vtk.vtkOutputWindow.SetInstance(vtk.vtkStringOutputWindow())
    del file
    threads = at_once(*[provoke] * 4)
    say([seen, text, scrub(open(path).read()), threads])
    """
    plain, active, released = nursery.both(code)
    assert active == plain
    seen, text, file, threads = plain
    assert {event for event, _ in seen} >= {"ErrorEvent"}
    assert "all.vtp" in text + str(seen)
    assert "ERROR" in file
    assert threads == [None] * 4
    assert released["vtkAlgorithm.UpdatePiece"] > 10


def test_subclasses_and_super(nursery):
    code = """
    log = []
    class Sphere(vtk.vtkSphereSource):
        def Update(self, *arguments):
            log.append("before")
            super().Update(*arguments)
            log.append("after")
        def UpdatePiece(self, *arguments):
            log.append(arguments)
            return super().UpdatePiece(*arguments)
    @vtk.vtkConeSource.override
    class Cone(vtk.vtkConeSource):
        def __init__(self):
            self.mark = "mine"
        def Update(self):
            log.append("cone")
            vtk.vtkConeSource.Update(self)
            return self.mark
    sphere = Sphere()
    sphere.Update()
    elevation = vtk.vtkElevationFilter(input_connection=sphere.GetOutputPort())
    elevation.UpdatePiece(0, 1, 0)  # C++ calls C++'s Update, not Python's
    threads = at_once(*[lambda: vtk.vtkConeSource().Update()] * 3)
    bound, unbound = sphere.UpdatePiece, vtk.vtkSphereSource.UpdatePiece
    say([log, threads, sphere.UpdatePiece(0, 1, 0), bound(0, 1, 0), unbound(sphere, 0, 1, 0), type(vtk.vtkConeSource()).__name__,
        sphere.GetOutput().GetNumberOfPoints(), Sphere.__mro__[1].__name__, repr(vtk.vtkSphereSource.Update)])
    """
    plain, active, _ = nursery.both(code)
    assert active == plain
    assert plain[1] == ["mine"] * 3


# ------------------------------------------------------------------------------- several threads


CALLBACKS = {
    "calls other methods": """
        def callback(caller, event):
            data = vtk.vtkPolyData()
            data.DeepCopy(caller.GetInputDataObject(0, 0) if caller.GetNumberOfInputPorts() else extra)
            if data.GetNumberOfPoints():
                tree = vtk.vtkOBBTree(data_set=data)
                tree.BuildLocator()
                notes.append(data.GetPoints().GetData().GetRange(0)[0])
            inner = vtk.vtkSphereSource(radius=3)
            inner.UpdatePiece(0, 1, 0)
            notes.append(inner.GetOutput().GetNumberOfPoints())
    """,
    "waits for a thread with a pipeline of its own": """
        def callback(caller, event):
            done = threading.Event()
            def other():
                filters = pipeline(12)
                filters[-1].UpdatePiece(0, 1, 0)
                notes.append(filters[-1].GetOutput().GetNumberOfPoints())
                done.set()
            thread = threading.Thread(target=other)
            thread.start()
            assert done.wait(30)
            thread.join()
    """,
    "raises": """
        def callback(caller, event):
            notes.append(event)
            raise LookupError("from the observer")
    """,
    "collects garbage": """
        def callback(caller, event):
            gc.collect(0)
            notes.append(len(gc.get_referrers(caller)) > 0)
    """,
    "sleeps and makes cycles": """
        def callback(caller, event):
            cycle = [vtk.vtkSphereSource(), caller]
            cycle.append(cycle)
            time.sleep(0.0005)
            notes.append(1)
    """,
}


@pytest.mark.parametrize("what", CALLBACKS)
def test_callbacks_in_several_threads(nursery, what):
    code = f"""
    import gc
    extra = vtk.vtkPolyData()
    def work(resolution):
        source, elevation, normals = pipeline(resolution)
        notes = []
        {dedent(CALLBACKS[what]).replace(chr(10), chr(10) + '        ')}
        for filter in (source, elevation, normals):
            for event in ("StartEvent", "EndEvent"):
                filter.AddObserver(event, callback)
        for _ in range(3):
            source.Modified()
            normals.UpdatePiece(0, 1, 0)
        return [notes, normals.GetOutput().GetBounds(), normals.GetOutput().GetNumberOfPoints()]
    say(at_once(*[lambda resolution=resolution: work(resolution) for resolution in (10, 14, 18, 22)]))
    """
    ended = {way: getattr(nursery, way)(PIPELINE + dedent(code)) for way in ("plain", "active")}
    (plain, _), (active, released) = ended["plain"].answer, ended["active"].answer
    assert active == plain
    assert all(len(notes) >= 18 for notes, _, _ in plain)
    assert released["vtkAlgorithm.UpdatePiece"] >= 12
    # Threads write over each other, so only the number of traces is told.
    assert ended["active"].err.count("from the observer") == ended["plain"].err.count("from the observer") == (72 if what == "raises" else 0)


SAME_FILTER = {
    "updates it": "source.Update()",
    "updates a piece of it": "source.UpdatePiece(0, 1, 0)",
    "updates what lies upstream": "upstream.Update()",
    "updates what lies downstream": "downstream.UpdateInformation()",
}


@pytest.mark.parametrize("what", SAME_FILTER)
def test_a_callback_waits_for_a_thread_that_uses_the_same_filter(nursery, what):
    """The plain wheel lets that thread through, because the callback's own waiting lets go of the GIL."""
    code = f"""
    vtk.vtkObject.GlobalWarningDisplayOff()
    upstream = vtk.vtkSphereSource()
    source = vtk.vtkElevationFilter(input_connection=upstream.GetOutputPort())
    downstream = vtk.vtkPolyDataNormals(input_connection=source.GetOutputPort())
    waited = []
    def callback(caller, event):
        caller.RemoveObserver(tag)
        done = threading.Event()
        def other():
            {SAME_FILTER[what]}
            done.set()
        threading.Thread(target=other, daemon=True).start()
        waited.append(done.wait(5))
    tag = source.AddObserver("EndEvent", callback)
    source.UpdatePiece(0, 1, 0)
    say(waited)
    """
    plain, active, _ = nursery.both(code)
    assert plain == [True]
    assert active == plain


def test_two_callbacks_each_wait_for_the_others_filter(nursery):
    code = """
    vtk.vtkObject.GlobalWarningDisplayOff()
    one, two = vtk.vtkSphereSource(), vtk.vtkSphereSource()
    both_inside = threading.Barrier(2)
    def start(mine, other):
        answers = []
        def callback(caller, event):
            caller.RemoveObserver(tag)
            both_inside.wait(20)
            done = threading.Event()
            thread = threading.Thread(target=lambda: (other.UpdateInformation(), done.set()), daemon=True)
            thread.start()
            answers.append(done.wait(5))
        tag = mine.AddObserver("EndEvent", callback)
        mine.UpdatePiece(0, 1, 0)
        return answers
    say(at_once(lambda: start(one, two), lambda: start(two, one)))
    """
    plain, active, _ = nursery.both(code)
    assert plain == [[True], [True]]
    assert active == plain


def test_observers_called_from_cpp_threads(nursery):
    """VTK's own threads call observers here. The plain wheel freezes where its wrapper holds the GIL."""
    code = """
    vtk.vtkSMPTools.SetBackend("STDThread")
    vtk.vtkSMPTools.Initialize(4)
    image = vtk.vtkImageData(dimensions=(60, 60, 60))
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    image.GetPointData().GetScalars().Fill(1)
    here, events, inner = threading.get_ident(), [], []
    def note(caller, event):
        events.append([event, threading.get_ident() == here])
        sphere = vtk.vtkSphereSource()
        sphere.UpdatePiece(0, 1, 0)  # a released call of a thread that Python got to know only now
        inner.append(sphere.GetOutput().GetNumberOfPoints())
    smooth = vtk.vtkImageGaussianSmooth(input_data=image, enable_smp=True, number_of_threads=4)
    smooth.AddObserver("AnyEvent", note)
    for _ in range(3):
        smooth.Modified()
        smooth.CALL
    say([sorted(map(str, events)), len(set(inner)), [event for event, mine in events if not mine] != []])
    """
    update = dedent(code).replace("CALL", "Update()")
    plain, active, _ = nursery.both(update)
    assert active[0] != []
    assert len(active[0]) == len(plain[0])
    assert active[1:] == plain[1:] == [1, True]
    piece = dedent(code).replace("CALL", "UpdatePiece(0, 1, 0)")
    assert nursery.plain(piece, deadline=10).timed_out
    (active, released) = nursery.active(piece).answer
    assert active[1:] == [1, True]
    assert released["vtkAlgorithm.UpdatePiece"] > 3


def test_a_thread_that_python_did_not_start(nursery):
    """Made by the C library: Python knows it only while it runs Python."""
    code = """
    import ctypes
    libc = ctypes.CDLL(None)
    seen = []
    @ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)
    def main(argument):
        sphere = vtk.vtkSphereSource()
        sphere.AddObserver("EndEvent", lambda caller, event: seen.append(event))
        for _ in range(200):
            sphere.Modified()
            sphere.UpdatePiece(0, 1, 0)
        median = itk.MedianImageFilter.New(itk.image_from_array(numpy.zeros((20, 20), "float32")))
        command = itk.PyCommand.New()
        command.SetCommandCallable(lambda: seen.append("itk"))
        median.AddObserver(itk.EndEvent(), command)
        median.Update()
        seen.append(sphere.GetOutput().GetNumberOfPoints())
    threads = (ctypes.c_ulong * 4)()
    itk.MedianImageFilter.New(itk.image_from_array(numpy.zeros((20, 20), "float32"))).Update()  # its templates are loaded here
    for index in range(4):
        assert libc.pthread_create(ctypes.byref(threads, 8 * index), None, main, None) == 0
    for thread in threads:
        libc.pthread_join(ctypes.c_ulong(thread), None)
    say([seen.count("EndEvent"), seen.count("itk"), len(seen)])
    """
    plain, active, released = nursery.both(code)
    assert active == plain == [800, 4, 808]
    # It keeps the GIL for a while after it was seen without it, which is the plain wheel's way.
    assert released["vtkAlgorithm.UpdatePiece"] > 400


# ------------------------------------------------------------------------------------------- ITK


MEDIAN = """
Image = itk.Image[itk.F, 2]
pixels = numpy.random.default_rng(1).random((120, 90)).astype("float32")
def median(workers=1, radius=2, callback=None, event=None):
    filter = itk.MedianImageFilter[Image, Image].New(Input=itk.image_from_array(pixels), Radius=radius, NumberOfWorkUnits=workers)
    if callback: observe(filter, event or itk.AnyEvent(), callback)
    return filter
def observe(filter, event, callback):
    command = itk.PyCommand.New()
    command.SetCommandCallable(callback)
    return filter.AddObserver(event, command)
"""


def test_itk_the_same_events_in_the_same_order(nursery):
    code = """
    seen = []
    filter = median()
    for event in (itk.StartEvent, itk.EndEvent, itk.ProgressEvent, itk.ModifiedEvent, itk.IterationEvent, itk.DeleteEvent):
        observe(filter, event(), lambda name=event.__name__: seen.append([name, round(filter.GetProgress(), 5)]))
    observe(filter.GetOutput(), itk.AnyEvent(), lambda: seen.append("output"))
    filter.Update()
    filter.Modified()
    filter.UpdateLargestPossibleRegion()
    filter.GetOutput().Update()
    # Another filter behind it, which pulls, and observers that come and go during the call.
    last = itk.MeanImageFilter[Image, Image].New(Input=filter.GetOutput(), NumberOfWorkUnits=1)
    def start():
        seen.append("start")
        last.RemoveObserver(tag)
        observe(last, itk.EndEvent(), lambda: (seen.append("added"), last.RemoveAllObservers()))
    tag = observe(last, itk.StartEvent(), start)
    filter.Modified()
    last.Update()
    last.Modified()
    last.Update()
    filter.RemoveAllObservers()
    say(seen)
    """
    plain, active, released = nursery.both(MEDIAN + dedent(code))
    assert active == plain
    assert plain.count("start") == plain.count("added") == 1
    assert "output" in plain
    assert released["itkProcessObject.Update"] == 3


def test_itk_observers_in_several_threads_and_work_units(nursery):
    code = """
    def work(radius):
        counts, inner = [0], []
        def callback():
            counts[0] += 1
            if counts[0] % 10 == 1:  # another shimmed call, and one that waits for a thread which makes one
                inner.append(float(itk.array_view_from_image(itk.median_image_filter(small, radius=1)).sum()))
                done = threading.Event()
                thread = threading.Thread(target=lambda: (itk.mean_image_filter(small, radius=1), done.set()))
                thread.start()
                assert done.wait(30)
                thread.join()
        filter = median(4, radius, callback)
        filter.Update()
        filter.RemoveAllObservers()
        return [counts[0] > 3, len(set(inner)), itk.array_view_from_image(filter.GetOutput()).tobytes().hex()[:64], float(itk.array_view_from_image(filter.GetOutput()).sum())]
    small = itk.image_from_array(pixels[:20, :20].copy())
    itk.median_image_filter(small, radius=1), itk.mean_image_filter(small, radius=1)
    say(at_once(*[lambda radius=radius: work(radius) for radius in (1, 2, 3, 4)]))
    """
    plain, active, released = nursery.both(MEDIAN + dedent(code))
    assert active == plain
    assert all(answer[:2] == [True, 1] for answer in plain)
    assert released["itkProcessObject.Update"] == 4
    assert released["itkProcessObject.UpdateLargestPossibleRegion"] > 8


@pytest.mark.parametrize("event", ["StartEvent", "EndEvent", "ProgressEvent"])
def test_itk_observers_that_raise(nursery, event):
    """ITK turns it into a C++ exception; out of a progress event that ends the process, plain or active."""
    code = f"""
    import re
    def fail(workers):
        def callback(): raise LookupError("from the observer")
        filter = median(workers, 1, callback, itk.{event}())
        answers = []
        for _ in range(2):
            try:
                filter.Update()
                answers.append("nothing")
            except Exception as error:
                answers.append([type(error).__name__, re.sub(r"0x[0-9a-f]+", "@", str(error))])
        return answers
    say([fail(1), at_once(*[lambda: fail(2)] * 3)])
    """
    plain, active = (way(MEDIAN + dedent(code)) for way in (nursery.plain, nursery.active))
    assert plain.crashed == active.crashed == ("SIGABRT" if event == "ProgressEvent" else "")
    assert "from the observer" in plain.err
    if not plain.crashed:
        assert active.answer[0] == plain.answer[0]
        # Several threads write their tracebacks at once, so a part of one may stand within another.
        for words in ("Traceback (most recent call last):", "LookupError", "from the observer"):
            assert active.err.count(words) == plain.err.count(words) > 0
        assert "error executing the CommandCallable" in str(plain.answer[0])


def test_itk_warnings_reach_python(nursery):
    code = """
    import re, tempfile
    if hasattr(itk, "TextOutput") and hasattr(itk, "OutputWindow"):
        itk.OutputWindow.SetInstance(itk.TextOutput.New())
    reader = itk.ImageFileReader[Image].New(FileName="/nowhere/image.mha")
    answers = []
    for _ in range(2):
        try: reader.Update()
        except RuntimeError as error: answers.append(re.sub("0x[0-9a-f]+", "@", str(error)))
    filter = median()
    filter.DebugOn()
    filter.Update()
    filter.DebugOff()
    say(answers)
    """
    plain, active = (way(MEDIAN + dedent(code)) for way in (nursery.plain, nursery.active))
    assert active.answer[0] == plain.answer[0]
    assert scrubbed(active.out)[:-1] == scrubbed(plain.out)[:-1]
    assert len(scrubbed(plain.err)) == len(scrubbed(active.err))
    assert "/nowhere/image.mha" in plain.answer[0][0]
