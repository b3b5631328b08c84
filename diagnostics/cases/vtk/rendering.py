"""Rendering off screen, exporters and importers of scenes, and the event loop on an X display.

Plain VTK from 9.4 on releases in `vtkWindow::Render`, exporters and importers. OpenGL belongs to the thread that made its
context, so these cases run on the main thread and never two at once; a shim must not make it look otherwise.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gilgen.diagnostics.cases.record import Case, Work, written
from gilgen.diagnostics.cases.vtk.data import bytes_volume, library, surface
from gilgen.diagnostics.cases.vtk.kinds import filled

PATIENCE = 20.0
"""Seconds for a first small picture: a driver compiles its shaders."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A window that is drawn in memory, with one thing in it."""

    window: Any
    renderer: Any


def _scene(thing: Any, side: int = 300, *, off_screen: bool = True) -> Scene:
    window = library().vtkRenderWindow()
    window.SetOffScreenRendering(off_screen)
    window.SetMultiSamples(0)
    window.SetSize(side, side)
    renderer = library().vtkRenderer()
    window.AddRenderer(renderer)
    renderer.AddViewProp(thing)
    renderer.ResetCamera()
    return Scene(window, renderer)


def _actor(triangles: int) -> Any:
    mapper = library().vtkPolyDataMapper()
    mapper.SetInputData(surface(triangles))
    actor = library().vtkActor()
    actor.SetMapper(mapper)
    return actor


def _volume(mapper_kind: str, samples: int) -> Any:
    mapper = getattr(library(), mapper_kind)()
    mapper.SetInputData(bytes_volume(samples))
    volume = library().vtkVolume()
    volume.SetMapper(mapper)
    opacity = library().vtkPiecewiseFunction()
    opacity.AddPoint(0.0, 0.0)
    opacity.AddPoint(255.0, 0.05)
    volume.GetProperty().SetScalarOpacity(opacity)
    return volume


# ------------------------------------------------------------------------------------ what a machine may lack


def _tried(attempt: Callable[[], bool], patience: float = PATIENCE) -> bool:
    """Whether an attempt works, made in a process of its own: drivers crash and hang."""
    process = os.fork()
    if process == 0:
        worked = False
        with contextlib.suppress(Exception):
            faulthandler.disable()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            worked = attempt()
        os._exit(not worked)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return status == 0
        time.sleep(0.01)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    return False


def _draws() -> bool:
    scene = _scene(_actor(100), 16)
    scene.window.Render()
    return bool(scene.window.SupportsOpenGL())


def _shows() -> bool:
    scene = _scene(_actor(100), 16, off_screen=False)
    scene.window.Render()
    # Without a display that it can use, VTK draws in memory and its event loop ends at once.
    return bool(scene.window.SupportsOpenGL()) and scene.window.GetClassName().startswith("vtkX")


def no_opengl() -> str:
    """Why nothing can be drawn in memory here; empty where it can."""
    if _tried(_draws):
        return ""
    return "VTK finds no OpenGL to draw with: install Mesa's software one (Debian: libegl1 and libgl1-mesa-dri, or libosmesa6)"


def no_display() -> str:
    """Why no window can be shown here; empty where one can."""
    if not os.environ.get("DISPLAY"):
        return "there is no X display: run it under one, such as `xvfb-run gilgen diagnose vtk`"
    if _tried(_shows):
        return ""
    return f"no window can be shown on the X display {os.environ['DISPLAY']}: see whether it runs and has GLX"


# ------------------------------------------------------------------------------------------- kinds of work


def _render(size: int) -> Work:
    scene = _scene(_actor(size))
    scene.window.Render()
    return Work(scene.window.Render, scene.renderer.Modified)


def _render_volume(size: int) -> Work:
    """A volume seen through so many pixels."""
    scene = _scene(_volume("vtkGPUVolumeRayCastMapper", 200_000), max(16, round(size**0.5)))
    scene.window.Render()
    return Work(scene.window.Render, scene.renderer.Modified)


def _screenshot(size: int) -> Work:
    scene = _scene(_actor(size))
    shot = library().vtkWindowToImageFilter()
    shot.SetInput(scene.window)
    return Work(shot.Update, shot.Modified, lambda: filled(shot))


def _select(size: int) -> Work:
    """Which cells are seen in the picture."""
    scene = _scene(_actor(size))
    scene.window.Render()
    selector = library().vtkHardwareSelector()
    selector.SetRenderer(scene.renderer)
    selector.SetArea(0, 0, 299, 299)
    selector.SetFieldAssociation(library().vtkDataObject.FIELD_ASSOCIATION_CELLS)
    found: list[int] = []

    def select() -> None:
        found.append(selector.Select().GetNumberOfNodes())
        scene.window.Modified()

    return Work(select, worked=lambda: found[-1] > 0)


def _pick(size: int) -> Work:
    """Which cell lies behind a pixel, asked of all cells."""
    scene = _scene(_actor(size))
    scene.window.Render()
    picker = library().vtkCellPicker()
    return Work(lambda: picker.Pick(150, 150, 0, scene.renderer), worked=lambda: picker.GetCellId() >= 0)


def _exporter(kind: str, ending: str, size: int) -> tuple[Any, str]:
    """An exporter of a scene that was drawn, and what its files' names begin with."""
    scene = _scene(_actor(size))
    scene.window.Render()
    exporter = getattr(library(), kind)()
    exporter.SetRenderWindow(scene.window)
    stem = f"{id(exporter):x}"
    if hasattr(exporter, "SetFilePrefix"):
        exporter.SetFilePrefix(stem)
    else:
        exporter.SetFileName(f"{stem}.{ending}")
    return exporter, stem


def _export(kind: str, ending: str) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        exporter, stem = _exporter(kind, ending, size)
        return Work(exporter.Write, exporter.Modified, lambda: written(stem))

    return make


def _import(kind: str, exporter_kind: str, ending: str) -> Callable[[int], Work]:
    def make(size: int) -> Work:
        exporter, stem = _exporter(exporter_kind, ending, size)
        exporter.Write()
        importers: list[Any] = []

        def begin() -> None:
            """Another importer each time: not all of them read twice."""
            importer = getattr(library(), kind)()
            importer.SetFileName(f"{stem}.{ending}")
            if hasattr(importer, "SetFileNameMTL"):
                importer.SetFileNameMTL(f"{stem}.mtl")
            window = library().vtkRenderWindow()
            window.SetOffScreenRendering(True)  # noqa: FBT003 - VTK's way
            importer.SetRenderWindow(window)
            importers[:] = [importer]

        return Work(
            lambda: importers[0].Update(),  # noqa: PLW0108 - another one each time
            begin,
            lambda: importers[0].GetRenderer().GetActors().GetNumberOfItems() > 0,
        )

    return make


def _event_loop(milliseconds: int) -> Work:
    """The event loop of a window, ended by a timer; as long as nothing happens it waits in C++."""
    scene = _scene(_actor(1000), off_screen=False)
    loop = library().vtkRenderWindowInteractor()
    loop.SetRenderWindow(scene.window)
    loop.Initialize()
    scene.window.Render()
    loop.AddObserver("TimerEvent", lambda *_: loop.TerminateApp())
    return Work(loop.Start, lambda: loop.CreateOneShotTimer(milliseconds))


def _case(
    name: str,
    call: str,
    make: Callable[[int], Work],
    size: int,
    limit: int,
    needs: Callable[[], str] = no_opengl,
) -> Case:
    return Case(name, "vtk", call, make, size, limit, alone=True, needs=needs)


CASES = (
    _case("render", "vtkRenderWindow.Render", _render, 400_000, 8_000_000),
    _case("render-volume", "vtkRenderWindow.Render", _render_volume, 40_000, 1_000_000),
    _case("screenshot", "vtkWindowToImageFilter.Update", _screenshot, 400_000, 8_000_000),
    _case("select", "vtkHardwareSelector.Select", _select, 200_000, 4_000_000),
    _case("pick", "vtkCellPicker.Pick", _pick, 400_000, 8_000_000),
    _case("gltf-exporter", "vtkGLTFExporter.Write", _export("vtkGLTFExporter", "gltf"), 200_000, 4_000_000),
    _case("x3d-exporter", "vtkX3DExporter.Write", _export("vtkX3DExporter", "x3d"), 50_000, 2_000_000),
    _case("vrml-exporter", "vtkVRMLExporter.Write", _export("vtkVRMLExporter", "wrl"), 50_000, 2_000_000),
    _case("obj-exporter", "vtkOBJExporter.Write", _export("vtkOBJExporter", "obj"), 50_000, 2_000_000),
    _case("pov-exporter", "vtkPOVExporter.Write", _export("vtkPOVExporter", "pov"), 50_000, 2_000_000),
    _case("rib-exporter", "vtkRIBExporter.Write", _export("vtkRIBExporter", "rib"), 50_000, 2_000_000),
    _case("iv-exporter", "vtkIVExporter.Write", _export("vtkIVExporter", "iv"), 50_000, 2_000_000),
    _case("oogl-exporter", "vtkOOGLExporter.Write", _export("vtkOOGLExporter", "oogl"), 50_000, 2_000_000),
    _case(
        "vtp-exporter",
        "vtkSingleVTPExporter.Write",
        _export("vtkSingleVTPExporter", "vtp"),
        100_000,
        4_000_000,
    ),
    _case(
        "gltf-importer",
        "vtkGLTFImporter.Update",
        _import("vtkGLTFImporter", "vtkGLTFExporter", "gltf"),
        100_000,
        4_000_000,
    ),
    _case(
        "vrml-importer",
        "vtkVRMLImporter.Update",
        _import("vtkVRMLImporter", "vtkVRMLExporter", "wrl"),
        20_000,
        1_000_000,
    ),
    _case(
        "obj-importer",
        "vtkOBJImporter.Update",
        _import("vtkOBJImporter", "vtkOBJExporter", "obj"),
        20_000,
        1_000_000,
    ),
    _case("event-loop", "vtkRenderWindowInteractor.Start", _event_loop, 300, 2000, no_display),
)
