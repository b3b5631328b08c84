"""All of VTK's makers and operations."""

from fuzz import vtk_callbacks, vtk_copying, vtk_filters, vtk_reading
from fuzz.vtk_things import VTK as CATALOGUE

__all__ = ("CATALOGUE", "MODULES")

MODULES = (vtk_reading, vtk_filters, vtk_copying, vtk_callbacks)
