"""Exceptions, signals and the end of a process: as the plain wheels have it."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest
import support

pytestmark = pytest.mark.real

SOME = """
import faulthandler, signal
import vtkmodules.vtkCommonDataModel, vtkmodules.vtkFiltersSources, vtkmodules.vtkFiltersCore, vtkmodules.vtkImagingGeneral, vtkmodules.vtkFiltersGeneral
from vtkmodules.vtkCommonCore import vtkSMPTools
from vtkmodules.vtkCommonDataModel import vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkElevationFilter
from vtkmodules.vtkFiltersGeneral import vtkOBBTree
from vtkmodules.vtkFiltersSources import vtkSphereSource
from vtkmodules.vtkImagingGeneral import vtkImageMedian3D
ACTIVE = os.environ.get("ACTIVE") == "1"
if ACTIVE: gilgen.activate("vtk")
def long_call(size=50, kernel=7):
    image = vtkImageData(dimensions=(size, size, size))
    image.AllocateScalars(10, 1)
    image.GetPointData().GetScalars().Fill(1)
    median = vtkImageMedian3D(input_data=image, kernel_size=(kernel, kernel, kernel), number_of_threads=1)
    def work():
        median.Modified()
        median.UpdatePiece(0, 1, 0)
    return work
def released(name="vtkAlgorithm.UpdatePiece"):
    return sum(method.released for found in gilgen.status().values() for method in found.methods if method.python == name)
def in_a_thread(call, daemon=True):
    thread = threading.Thread(target=call, daemon=daemon)
    thread.start()
    return thread
def until_released():
    end = time.monotonic() + 20
    while not released():
        assert time.monotonic() < end
        time.sleep(0.001)
"""
"""A few of VTK's modules, which load in a quarter of a second: for processes that end as programs do."""


@pytest.fixture
def fresh(real_shims, tmp_path):
    """Runs a program that uses some of VTK, plain or active, as a file of its own."""

    def run(code, *, active, deadline=180.0, options=()):
        program = tmp_path / "program.py"
        program.write_text(support.PRELUDE + SOME + dedent(code))
        env = {"PYTHONPATH": f"{real_shims}:{support.CHECKOUT}", "ACTIVE": str(int(active))}
        return support.run([sys.executable, "-X", "faulthandler", *options, str(program)], deadline, env, cwd=tmp_path)

    return run


def both(fresh, code, **options):
    return [fresh(code, active=active, **options) for active in (False, True)]


# ---------------------------------------------------------------------------------------- exceptions


def test_itk_exceptions_keep_type_and_text(nursery):
    code = """
    import re
    Image = itk.Image[itk.F, 2]
    def said(call):
        try:
            call()
            return "nothing"
        except BaseException as error:
            return [type(error).__name__, [base.__name__ for base in type(error).__mro__], re.sub("0x[0-9a-f]+", "@", str(error)), error.__cause__ is None, error.__context__ is None]
    image = itk.image_from_array(numpy.zeros((9, 9), "float32"))
    empty = itk.MedianImageFilter[Image, Image].New()
    outside = itk.RegionOfInterestImageFilter[Image, Image].New(Input=image)
    region = itk.ImageRegion[2]()
    region.SetIndex((5, 5))
    region.SetSize((50, 50))
    outside.SetRegionOfInterest(region)
    writer = itk.ImageFileWriter[Image].New(Input=image, FileName="/nowhere/image.mha")
    unknown = itk.ImageFileWriter[Image].New(Input=image, FileName="/tmp/image.no-such-format")
    reader = itk.ImageFileReader[Image].New(FileName="/nowhere/image.mha")
    huge = itk.Image[itk.F, 2].New()
    size = itk.Size[2]()
    size.Fill(2**31)
    huge.SetRegions(size)
    source = itk.GaussianImageSource[Image].New(Size=[2**31, 2**31])
    calls = [empty.Update, empty.UpdateLargestPossibleRegion, outside.Update, writer.Update, writer.Write, unknown.Update, reader.Update,
        lambda: itk.imread("/nowhere/image.mha"), lambda: itk.median_image_filter(image, radius="x"), huge.Allocate, source.Update]
    first = [said(call) for call in calls]
    second = [said(call) for call in calls]
    threads = at_once(*[lambda: [said(call) for call in calls[:1]] for _ in range(4)])
    image.SetSpacing([2.0, 2.0])
    fine = itk.MedianImageFilter[Image, Image].New(Input=image)
    fine.Update()  # and all works on
    say([first, second, threads, fine.GetOutput().GetSpacing()[0]])
    """
    plain, active, released = nursery.both(dedent(code))
    assert active == plain
    kinds = [entry[0] for entry in plain[0]]
    assert kinds.count("RuntimeError") >= 7
    assert "nothing" not in plain[0]
    assert released["itkProcessObject.Update"] > 4


def test_vtk_memory_that_cannot_be_had(nursery):
    code = """
    import re
    vtk.vtkOutputWindow.SetInstance(vtk.vtkStringOutputWindow())
    def said(call):
        try:
            return repr(call())
        except BaseException as error:
            return [type(error).__name__, re.sub("0x[0-9a-f]+", "@", str(error))]
    image = vtk.vtkImageData(dimensions=(3, 3, 3))
    say([said(lambda: vtk.vtkFloatArray().Allocate(2**60)), said(lambda: vtk.vtkFloatArray().Resize(2**60)),
        said(lambda: image.AllocateScalars(10, 2**30)), said(lambda: vtk.vtkPoints().Allocate(2**60))])
    """
    plain, active = (way(code) for way in (nursery.plain, nursery.active))
    assert (active.code, active.crashed, active.timed_out) == (plain.code, plain.crashed, plain.timed_out)
    if plain.ok:
        assert active.answer[0] == plain.answer[0]


def test_the_wrappers_own_exceptions(nursery):
    code = """
    def said(call):
        try: return repr(call())
        except BaseException as error: return [type(error).__name__, str(error)]
    sphere, tree, data = vtk.vtkSphereSource(), vtk.vtkOBBTree(), vtk.vtkPolyData()
    class Bad:
        def __float__(self): raise LookupError("no number")
        def __index__(self): raise LookupError("no number")
    say([said(call) for call in (lambda: sphere.UpdatePiece(), lambda: sphere.UpdatePiece("a", 1, 0), lambda: data.DeepCopy(7), lambda: data.DeepCopy(None),
        lambda: tree.BuildLocator(1), lambda: tree.ComputeOBB(data, [0] * 3, [0] * 3, [0] * 3, [0] * 3, (0, 0, 0)), lambda: sphere.UpdatePiece(Bad(), 1, 0),
        lambda: vtk.vtkOBBTree.BuildLocator(sphere), lambda: vtk.vtkOBBTree.BuildLocator(), lambda: data.GetScalarRange([1]), lambda: sphere.UpdateExtent((0, 1)))])
    """
    plain, active, _ = nursery.both(code)
    assert active == plain
    assert ["LookupError", "no number"] in plain


# ------------------------------------------------------------------------------------------- signals


def test_an_interrupt_during_a_call_in_the_main_thread(fresh):
    """It waits for the call's end, then raises there; the handler is Python's, which only the main thread runs."""
    code = """
    work, log = long_call(), []
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start() if ACTIVE else None
    if not ACTIVE:  # with the GIL held no Python timer could send it
        import subprocess
        subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -INT {os.getpid()}"])
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end: work()
        log.append("none")
    except KeyboardInterrupt:
        log.append("interrupted")
    work()  # and nothing was left claimed
    other = in_a_thread(work, daemon=False)
    other.join()
    signal.signal(signal.SIGUSR1, lambda *_: log.append("handled"))
    os.kill(os.getpid(), signal.SIGUSR1)
    work()
    say(log)
    """
    for ended in both(fresh, code):
        assert ended.answer == ["interrupted", "handled"]


def test_signal_handlers_run_while_other_threads_are_inside(fresh):
    code = """
    seen, stop = [], threading.Event()
    def loop():
        work = long_call(20, 3)
        while not stop.is_set(): work()
    def handler(*_):
        sphere = vtkSphereSource()
        sphere.UpdatePiece(0, 1, 0)  # a shimmed call from the handler
        seen.append(sphere.GetOutput().GetNumberOfPoints())
    signal.signal(signal.SIGALRM, handler)
    threads = [in_a_thread(loop) for _ in range(3)]
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    mine = long_call(20, 3)
    end = time.monotonic() + 20
    while len(seen) < 30 and time.monotonic() < end: mine()
    signal.setitimer(signal.ITIMER_REAL, 0)
    stop.set()
    for thread in threads: thread.join()
    say([len(seen) >= 30, set(seen) == {50}])
    """
    for ended in both(fresh, code):
        assert ended.answer == [True, True]


def test_an_interrupt_raised_in_an_observer_ends_the_process(fresh):
    """VTK ends the process there. It must not wait for the very call that it is inside of."""
    code = """
    import atexit
    sphere = vtkSphereSource()
    def observer(caller, event): raise KeyboardInterrupt
    sphere.AddObserver("StartEvent", observer)
    begin = time.monotonic()
    atexit.register(lambda: None)
    import vtkmodules
    class AtTheEnd:
        def __del__(self, write=os.write, now=time.monotonic): write(1, b"late\\n" if now() - begin > 3 else b"soon\\n")
    sys.modules["at_the_end"] = AtTheEnd()
    sphere.UpdatePiece(0, 1, 0)
    print("not reached")
    """
    plain, active = both(fresh, code)
    assert (plain.code, plain.out) == (1, "soon\n")
    assert (active.code, active.out) == (1, "soon\n")
    assert "Caught a Ctrl-C within python" in active.err


# ---------------------------------------------------------------------------------------------- exit


END = """
def forever(work):
    while True: work()
works = [long_call(14, 3), long_call(24, 5)]
def chain():
    source = vtkSphereSource(theta_resolution=40, phi_resolution=40)
    elevation = vtkElevationFilter(input_connection=source.GetOutputPort())
    def work():
        source.Modified()
        elevation.UpdatePiece(0, 1, 0)
        vtkPolyData().DeepCopy(elevation.GetOutput())
    return work
for work in (*works, *SHARED, chain()):
    in_a_thread(lambda work=work: forever(work))
time.sleep(0.03)
"""

ENDINGS = {
    "falls off its end": ("", 0),
    "sys.exit": ("sys.exit(7)", 7),
    "os._exit": ("os._exit(7)", 7),
    "an exception": ("raise LookupError('the end')", 1),
    "sys.exit in a thread": ("in_a_thread(lambda: (works[1](), sys.exit(7))).join(30)", 0),
    "atexit": ("""
        import atexit
        def last():
            sphere = vtkSphereSource()
            sphere.UpdatePiece(0, 1, 0)
            chain()()
            print("last", sphere.GetOutput().GetNumberOfPoints(), flush=True)
        atexit.register(last)
    """, 0),
    "gilgen.deactivate": ("gilgen.deactivate(); gilgen.activate('vtk'); gilgen.deactivate()", 0),
}  # fmt: skip


@pytest.mark.parametrize("how", ENDINGS)
def test_daemon_threads_inside_calls_at_the_end(fresh, how):
    code, expected = ENDINGS[how]
    # Without observers: with one, the plain wheel aborts too, as its callbacks cannot be unwound.
    for _ in range(4):
        ended = fresh("SHARED = ()" + END + dedent(code) + "\n", active=True, deadline=120)
        assert (ended.code, ended.timed_out) == (expected, False), (ended.crashed, ended.err)
        if how != "an exception":
            assert ended.err == ""
        assert ended.out == ("last 50\n" if how == "atexit" else "")


def test_a_filter_that_daemon_threads_share_at_the_end(fresh):
    """Taking the shims away must not let a call that holds the GIL meet one that released it, on one filter."""
    for _ in range(6):
        ended = fresh(END.replace("SHARED", "(works[0],) * 2"), active=True, deadline=120)
        assert (ended.code, ended.timed_out, ended.err) == (0, False, "")


def test_itk_daemon_threads_inside_calls_at_the_end(nursery):
    code = """
    Image = itk.Image[itk.F, 2]
    def forever():
        median = itk.MedianImageFilter[Image, Image].New(Input=itk.image_from_array(numpy.zeros((90, 90), "float32")), Radius=2)
        while True:
            median.Modified()
            median.Update()
    for _ in range(3): threading.Thread(target=forever, daemon=True).start()
    time.sleep(0.1)
    say("end")
    """
    for _ in range(2):
        ended = nursery.active(code, deadline=180, ends=True)
        assert (ended.code, ended.timed_out) == (0, False), (ended.crashed, ended.err)
        assert ended.answer[0] == "end"


# ----------------------------------------------------------------------------------------- processes


FORK = """
def answer():
    sphere = vtkSphereSource(theta_resolution=12, phi_resolution=12)
    elevation = vtkElevationFilter(input_connection=sphere.GetOutputPort())
    elevation.UpdatePiece(0, 1, 0)
    tree = vtkOBBTree(data_set=elevation.GetOutput())
    tree.BuildLocator()
    return [elevation.GetOutput().GetNumberOfPoints(), tree.GetLevel()]
"""


def test_fork_while_other_threads_are_inside(fresh):
    code = """
    stop, shared = threading.Event(), long_call(16, 3)
    def loop(work):
        while not stop.is_set(): work()
    threads = [in_a_thread(lambda work=work: loop(work)) for work in (shared, shared, long_call(20, 3))]
    until_released() if ACTIVE else time.sleep(0.05)
    expected, codes = answer(), []
    for _ in range(25):
        child = os.fork()
        if not child:
            shared()  # what other threads of the parent may have claimed at that moment
            fine = answer() == expected and at_once(answer, answer) == [expected] * 2
            os._exit(33 if fine else 1)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    stop.set()
    for thread in threads: thread.join()
    say([codes, answer() == expected])
    """
    for half, ended in zip(("plain", "active"), both(fresh, FORK + dedent(code)), strict=True):
        assert (half, *ended.answer) == (half, [33] * 25, True)


def test_fork_from_an_observer(fresh):
    code = """
    sphere, children, parent = vtkSphereSource(), [], os.getpid()
    sphere.AddObserver("EndEvent", lambda caller, event: children.append(os.fork()))
    sphere.UpdatePiece(0, 1, 0)
    if os.getpid() != parent:
        sphere.RemoveAllObservers()
        sphere.Modified()
        sphere.UpdatePiece(0, 1, 0)
        os._exit(33 if at_once(answer, lambda: sphere.UpdatePiece(0, 1, 0))[0] == answer() else 1)
    say([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
    """
    for ended in both(fresh, FORK + dedent(code)):
        assert ended.answer == [33]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(fresh, method):
    code = f"""
    import concurrent.futures, multiprocessing
    def job(number):
        return [number, answer(), gilgen.status()["vtk"].active if ACTIVE else False]
    if __name__ == "__main__":
        answer()
        context = multiprocessing.get_context({method!r})
        stop, work = threading.Event(), long_call(16, 3)
        def loop():
            while not stop.is_set(): work()
        thread = in_a_thread(loop)
        with context.Pool(2) as pool:
            found = pool.map(job, range(6))
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            found += list(pool.map(job, range(6)))
        queue = context.Queue()
        process = context.Process(target=send, args=(queue,))
        process.start()
        found.append(queue.get(timeout=40))
        process.join()
        stop.set()
        thread.join()
        say([found, process.exitcode, answer()])
    """
    sending = "def send(queue): queue.put(answer())\n"
    plain, active = both(fresh, FORK + sending + dedent(code))
    found, exitcode, here = active.answer
    assert exitcode == 0
    assert [entry[:2] for entry in found[:-1]] == [[number % 6, here] for number in range(12)]
    assert all(entry[2] for entry in found[:-1])
    assert found[-1] == here
    assert [entry[:2] for entry in plain.answer[0][:-1]] == [entry[:2] for entry in found[:-1]]


def test_subprocesses(fresh):
    code = """
    import subprocess
    stop, work = threading.Event(), long_call(16, 3)
    def loop():
        while not stop.is_set(): work()
    threads = [in_a_thread(loop), in_a_thread(loop)]
    found = [subprocess.run([sys.executable, "-c", "print(6 * 7)"], capture_output=True, text=True, preexec_fn=hook, timeout=30).stdout for hook in (None, os.getpid)]
    found += at_once(*[lambda: subprocess.check_output(["echo", "x"], text=True)] * 3)
    found.append(os.system("exit 3") >> 8)
    stop.set()
    for thread in threads: thread.join()
    say(found)
    """
    for ended in both(fresh, code):
        assert ended.answer == ["42\n", "42\n", "x\n", "x\n", "x\n", 3]


# -------------------------------------------------------------------------------------- faulthandler


def test_a_dump_shows_the_line_of_a_released_call(fresh):
    code = """
    work = long_call(60, 9)
    def the_caller():
        while not stop.is_set(): work()
    stop = threading.Event()
    thread = in_a_thread(the_caller)
    until_released()
    time.sleep(0.05)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    import traceback
    print("".join(line for frame in sys._current_frames().values() for line in traceback.format_stack(frame)), file=sys.stderr)
    stop.set()
    thread.join()
    """
    ended = fresh(code, active=True)
    assert ended.code == 0
    assert ended.err.count("in the_caller") == ended.err.count("in work") == 2
    assert "median.UpdatePiece(0, 1, 0)" in ended.err


def test_a_later_dump_shows_the_line_of_a_released_call(fresh):
    code = """
    work = long_call(60, 11)
    faulthandler.dump_traceback_later(0.15, exit=False)
    end = time.monotonic() + 0.4
    while time.monotonic() < end: work()
    faulthandler.cancel_dump_traceback_later()
    """
    for ended in both(fresh, code):
        assert ended.code == 0
        assert "Timeout (0:00:00.15" in ended.err
        assert "in work" in ended.err


def test_a_crash_inside_a_released_call_prints_the_python_stack(fresh):
    """A pointer into nowhere is handed to VTK, whose code then runs with the GIL released."""
    code = """
    import ctypes
    def the_culprit():
        source = vtkSphereSource(theta_resolution=300, phi_resolution=300)
        source.AddObserver("EndEvent", lambda caller, event: None)
        image = vtkImageData(dimensions=(50, 50, 50))
        image.AllocateScalars(10, 1)
        scalars = image.GetPointData().GetScalars()
        median = vtkImageMedian3D(input_data=image, kernel_size=(9, 9, 9), number_of_threads=1)
        threading.Timer(0.02, signal.pthread_kill, (threading.main_thread().ident, signal.SIGSEGV)).start() if ACTIVE else None
        if not ACTIVE:
            import subprocess
            subprocess.Popen(["sh", "-c", f"sleep 0.1; kill -SEGV {os.getpid()}"])
        end = time.monotonic() + 20
        while time.monotonic() < end:
            median.Modified()
            median.UpdatePiece(0, 1, 0)
    the_culprit()
    """
    for ended in both(fresh, code):
        assert ended.crashed == "SIGSEGV"
        assert "Fatal Python error: Segmentation fault" in ended.err
        assert "in the_culprit" in ended.err


def test_a_wild_pointer_inside_a_released_call_prints_the_python_stack(fresh):
    code = """
    import ctypes
    from vtkmodules.vtkCommonCore import vtkFloatArray
    def the_culprit():
        image = vtkImageData(dimensions=(20, 20, 20))
        image.AllocateScalars(10, 1)
        protected = ctypes.CDLL(None).mmap
        protected.restype, protected.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
        address = protected(None, 1 << 16, 0, 0x22, -1, 0)  # memory that nobody may read
        array = vtkFloatArray()
        array.SetVoidArray((ctypes.c_float * 8000).from_address(address), 8000, 1)
        image.GetPointData().SetScalars(array)
        median = vtkImageMedian3D(input_data=image, number_of_threads=1)
        median.UpdatePiece(0, 1, 0)
    the_culprit()
    """
    for ended in both(fresh, code):
        assert ended.crashed == "SIGSEGV"
        assert "in the_culprit" in ended.err
