"""What an ITK object holds, bit for bit, written into a record."""

from __future__ import annotations

import re
from typing import Any

import itk
import numpy as np
from record import Writer

_TIMES = re.compile(r"(?m)^.*(Real Time Stamp|RealTimeStamp|Time Stamp|TimeStamp|Elapsed|Date).*$|\(\w+ at 0x[^)]*\)")


def describe(writer: Writer, path: str, value: Any) -> bool:
    """Describe what only ITK knows; False for anything else."""
    if isinstance(value, np.ndarray):
        writer.record[f"{path}/shape"] = f"{value.dtype} {value.shape}"
        writer.data(path, np.ascontiguousarray(value))
    elif hasattr(value, "this") or type(value).__module__.startswith("itk"):
        _object(writer, path, value)
    elif type(value).__name__ == "SwigPyObject":
        writer.record[path] = "a pointer"
    else:
        return False
    return True


def _object(writer: Writer, path: str, value: Any) -> None:
    writer.record[path] = type(value).__name__
    if path.count("/") > 3:
        return
    if hasattr(value, "Print") or hasattr(type(value), "__str__"):
        writer.text(f"{path}/printed", _TIMES.sub("-", str(value)))
    if hasattr(value, "GetBufferedRegion") and hasattr(value, "GetPixel"):
        _image(writer, path, value)
    elif hasattr(value, "GetPoint") and hasattr(value, "GetNumberOfPoints"):
        writer.text(f"{path}/points", repr([_tuple(value.GetPoint(index)) for index in range(min(value.GetNumberOfPoints(), 500))]))
    elif hasattr(value, "GetNumberOfIndexedOutputs") and hasattr(value, "GetOutput"):
        _outputs(writer, path, value)
    for name in ("GetParameters", "GetCurrentPosition", "GetThreshold", "GetFileNames"):
        if hasattr(value, name):
            try:
                writer.text(f"{path}/{name}", str(getattr(value, name)()))
            except (TypeError, RuntimeError):
                continue


def _outputs(writer: Writer, path: str, value: Any) -> None:
    for index in range(value.GetNumberOfIndexedOutputs()):
        try:
            output = value.GetOutput(index) if index else value.GetOutput()
        except (TypeError, RuntimeError):
            continue
        if output is not None and not isinstance(output, type(value)):
            _object(writer, f"{path}/output {index}", output)


def _tuple(point: Any) -> tuple[float, ...]:
    return tuple(point[index] for index in range(len(point)))


def _image(writer: Writer, path: str, image: Any) -> None:
    try:
        view = itk.array_view_from_image(image)
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        writer.text(f"{path}/pixels", f"no view: {type(error).__name__}")
        return
    writer.record[f"{path}/shape"] = f"{view.dtype} {view.shape}"
    writer.data(f"{path}/pixels", np.ascontiguousarray(view))
