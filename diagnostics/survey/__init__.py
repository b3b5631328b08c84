"""The survey: every class of a toolkit that does work, fed from generic inputs, before and after activation.

A provider (`vtk`, `itk`, `pretend`) knows which classes there are and how to feed them. `child` measures one class in
one process, `measuring` is what happens there, `units` is the work of one class from outside, `run` goes through
all of them, on this machine or on a Dask cluster, and `summary` counts what was found. `agreement` compares it with
the audit and the plan.
"""
