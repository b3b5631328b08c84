"""Whether the toolkit's own C++ work gets slower when its functions have shims before them.

Filters whose C++ makes millions of virtual calls, on data big enough that these calls are the work. Plain
and activated alternate in one process, and the processor time of the calling thread is compared.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import rows

import gilgen

LIMIT = 1.01


def measure(*, quick: bool) -> rows.Section:
    answer = rows.child("work.py", "quick" if quick else "full")
    ratios = {name: active / plain for name, (plain, active) in answer.items()}
    plain, active = (sum(times[index] for times in answer.values()) for index in (0, 1))
    worst = max(ratios, key=lambda name: ratios[name])
    return rows.Section(
        "The toolkit's own work",
        (
            rows.at_most(
                "processor time of VTK's filters, activated against plain, all together",
                active / plain,
                LIMIT,
                "{:.3f} times",
            ),
            rows.shown(f"  the worst of them, {worst}", f"{ratios[worst]:.3f} times"),
            *(
                rows.shown(f"  {name}", f"{ratios[name]:.3f} times; {answer[name][0]:.2f} s plain")
                for name in sorted(ratios)
            ),
        ),
        (
            (
                "Filters whose C++ makes 10^6 to 10^8 inner calls each (cells, locators, implicit functions, arrays), VTK's own "
                "threads limited to one. Plain and activated alternate, which of the two goes first changes each time; medians of "
                "the processor time of the calling thread."
            ),
        ),
    )


def _works(*, quick: bool) -> dict[str, Callable[[], Any]]:
    """Makers of filters, by name, each on data of its own size."""
    import vtkmodules.all as vtk  # noqa: PLC0415

    vtk.vtkSMPTools.Initialize(1)
    extent = 25 if quick else 50

    def output(algorithm: Any, data: Any = None, **settings: Any) -> Any:
        for name, value in settings.items():
            getattr(algorithm, name)(*value)
        if data is not None:
            algorithm.SetInputData(data)
        algorithm.Update()
        return algorithm.GetOutput()

    image = output(vtk.vtkRTAnalyticSource(), SetWholeExtent=(-extent, extent) * 3)
    tetrahedra = output(vtk.vtkDataSetTriangleFilter(), image)
    sphere = output(
        vtk.vtkSphereSource(),
        SetThetaResolution=(8 * extent,),
        SetPhiResolution=(8 * extent,),
        SetRadius=(extent * 0.8,),
    )
    plane = vtk.vtkPlane()
    plane.SetNormal(1, 2, 3)

    def made(make: Any, data: Any, **settings: Any) -> Callable[[], Any]:
        def filled() -> Any:
            algorithm = make()
            for name, value in settings.items():
                getattr(algorithm, name)(*value)
            algorithm.SetInputData(data)
            return algorithm

        return filled

    return {
        "vtkProbeFilter": made(vtk.vtkProbeFilter, output(vtk.vtkPointSource(), SetNumberOfPoints=(extent**3,), SetRadius=(extent / 2,)), SetSourceData=(tetrahedra,)),
        "vtkContourFilter": made(vtk.vtkContourFilter, tetrahedra, SetNumberOfContours=(3,), GenerateValues=(3, 80, 200)),
        "vtkCutter": made(vtk.vtkCutter, tetrahedra, SetCutFunction=(plane,), GenerateValues=(5, -10, 10)),
        "vtkClipDataSet": made(vtk.vtkClipDataSet, tetrahedra, SetClipFunction=(plane,)),
        "vtkConnectivityFilter": made(vtk.vtkConnectivityFilter, tetrahedra, SetExtractionModeToAllRegions=()),
        "vtkGradientFilter": made(vtk.vtkGradientFilter, tetrahedra, SetInputScalars=(0, "RTData")),
        "vtkImplicitPolyDataDistance": made(
            vtk.vtkSampleImplicitFunctionFilter, output(vtk.vtkImageResample(), image, SetMagnificationFactors=(0.4, 0.4, 0.4)),
            SetImplicitFunction=(_distance(vtk, sphere),),
        ),
        "vtkCleanPolyData": made(vtk.vtkCleanPolyData, sphere, SetTolerance=(1e-6,)),
        "vtkQuadricDecimation": made(vtk.vtkQuadricDecimation, sphere, SetTargetReduction=(0.8,)),
    }  # fmt: skip


def _distance(vtk: Any, surface: Any) -> Any:
    distance = vtk.vtkImplicitPolyDataDistance()
    distance.SetInput(surface)
    return distance


def _measure(*, quick: bool) -> dict[str, list[float]]:
    """In the child: medians of seconds, plain and activated, by filter."""
    works = _works(quick=quick)
    taken: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for make in works.values():
        make().Update()
    for repetition in range(3 if quick else 11):
        for name, make in works.items():
            for active in (False, True) if repetition % 2 else (True, False):
                if active:
                    gilgen.activate("vtk")
                algorithm = make()
                start = time.thread_time()
                algorithm.Update()
                taken[name, active].append(time.thread_time() - start)
                gilgen.deactivate("vtk")
    return {name: [statistics.median(taken[name, active]) for active in (False, True)] for name in works}


if __name__ == "__main__":
    print(json.dumps(_measure(quick=sys.argv[1] == "quick")), flush=True)
