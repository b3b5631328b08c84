"""Strict mode on the real wheels: it tells of a race, and of nothing else."""

from __future__ import annotations

import textwrap

import pytest
import support

pytestmark = pytest.mark.real

TOOLKITS = {
    "vtk": """
        import vtkmodules.all as vtk
        def make():
            image = vtk.vtkImageData()
            image.SetDimensions(120, 120, 120)
            image.AllocateScalars(10, 1)
            shift = vtk.vtkImageShiftScale()
            shift.SetInputData(image)
            smooth = vtk.vtkImageMedian3D()
            smooth.SetNumberOfThreads(1)
            smooth.SetKernelSize(5, 5, 5)
            smooth.SetInputConnection(shift.GetOutputPort())
            return shift, smooth
        def busy(pair): pair[1].Update()
        def touch(filter): filter.SetNumberOfThreads(1)
        def again(pair): pair[1].Update()
    """,
    "itk": """
        import itk, numpy
        image = itk.image_from_array(numpy.random.default_rng(1).integers(0, 255, (400, 400)).astype("float32"))
        def make():
            cast = itk.CastImageFilter[type(image), type(image)].New(Input=image)
            return cast, itk.MedianImageFilter.New(cast, Radius=6, NumberOfWorkUnits=1)
        def busy(pair): pair[1].Update()
        def touch(filter): filter.SetNumberOfWorkUnits(1)
        def again(pair): pair[1].Update()
    """,
}

METHOD = {"vtk": "SetNumberOfThreads", "itk": "SetNumberOfWorkUnits"}

WATCH = """
import warnings
warnings.simplefilter("always")
def during(pair, call):
    # The warnings that `call` causes while another thread is inside `busy(pair)`.
    thread = threading.Thread(target=busy, args=(pair,), name="worker")
    natives = [shims.native for shims in sys.modules["gilgen.activate"]._shims.values()]  # `status` is slow in strict mode
    with warnings.catch_warnings(record=True) as found:
        thread.start()
        while thread.is_alive() and not any(native.gilgen_running() for native in natives): time.sleep(0.001)
        inside = any(native.gilgen_running() for native in natives)
        call()
        thread.join()
    assert inside
    return [[warning.category.__name__, str(warning.message)] for warning in found if "gilgen" in warning.category.__module__]
"""


def run(real_shims, toolkit, code):
    site = {"PYTHONPATH": f"{real_shims}:{support.CHECKOUT}"}
    return support.run_python(support.PRELUDE + WATCH + textwrap.dedent(TOOLKITS[toolkit]) + textwrap.dedent(code), 120, site).answer


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_a_method_without_a_shim_on_an_object_in_use_is_told_once_with_both_stacks(real_shims, toolkit):
    code = f"""
    gilgen.activate({toolkit!r}, strict=True)
    pair = make()
    upstream = during(pair, lambda: touch(pair[0]))
    pair = make()
    own = during(pair, lambda: touch(pair[1]))
    pair = make()
    second = during(pair, lambda: touch(pair[1]))
    say([upstream, own, second])
    """
    upstream, own, second = run(real_shims, toolkit, code)
    for [[category, message]] in (upstream, own):
        assert category == "RaceWarning"
        assert METHOD[toolkit] in message.partition("has no shim")[0]
        assert "worker, inside the call" in message
        assert "in busy" in message
        assert "MainThread, calling" in message
        assert "in touch" in message
    assert second == []


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_control_calls_that_do_not_race_are_not_told(real_shims, toolkit):
    code = f"""
    gilgen.activate({toolkit!r}, strict=True)
    pair, other = make(), make()
    touch(pair[1])  # nobody is inside
    independent = during(pair, lambda: touch(other[1]))
    pair = make()
    guarded = during(pair, lambda: again(pair))  # it waits
    pair = make()
    gilgen.activate({toolkit!r})
    ended = during(pair, lambda: touch(pair[0]))
    say([independent, guarded, ended, sys.getprofile() is None])
    """
    assert run(real_shims, toolkit, code) == [[], [], [], True]
