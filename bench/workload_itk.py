"""Work for ITK's C++: every filter that takes one float volume, and a registration. Called by count_calls.py."""

from __future__ import annotations

import sys

import itk
import numpy as np
from counted import counts, since, write

import gilgen

SKIPPED = ("Mesh", "Writer", "Reader", "Python", "PyImage", "GPU", "Monitor", "LBFGS")
SIDE = 48


def image() -> object:
    rng = np.random.default_rng(1)
    return itk.image_from_array(rng.random((SIDE, SIDE, SIDE), dtype=np.float32))


def filters() -> list[str]:
    """Filter templates with an instantiation from a float volume to a float volume."""
    return [
        name
        for name in sorted(dir(itk))
        if name.endswith(("Filter", "Calculator")) and not any(word in name for word in SKIPPED)
    ]


def work(name: str) -> None:
    if name == "registration":
        register()
        return
    template = getattr(itk, name)
    volume = type(image())
    for arguments in ((volume, volume), (volume,), (volume, volume, volume)):
        try:
            made = template[arguments].New()
        except (KeyError, TypeError, AttributeError, RuntimeError):
            continue
        try:
            if hasattr(made, "SetInput"):
                made.SetInput(image())
                if len(arguments) > 2 and hasattr(made, "SetInput2"):
                    made.SetInput2(image())
                made.UpdateLargestPossibleRegion()
            elif hasattr(made, "SetImage"):
                made.SetImage(image())
                made.Compute()
        except (RuntimeError, TypeError, AttributeError):
            continue
        return


def register() -> None:
    fixed, moving = image(), image()
    volume = type(fixed)
    transform = itk.TranslationTransform[itk.D, 3].New()
    metric = itk.MeanSquaresImageToImageMetricv4[volume, volume].New()
    optimizer = itk.RegularStepGradientDescentOptimizerv4.New(NumberOfIterations=20, LearningRate=1.0, MinimumStepLength=0.001)
    itk.ImageRegistrationMethodv4[volume, volume].New(
        FixedImage=fixed, MovingImage=moving, Metric=metric, Optimizer=optimizer, InitialTransform=transform
    ).Update()


def main() -> None:
    result, *names = sys.argv[1:]
    if names == ["--list"]:
        write(result, ["registration", *filters()])
        return
    gilgen.activate("itk")
    start = counts("itk")
    for name in names:
        work(name)
        now = counts("itk")
        write(result, since(start, now))


if __name__ == "__main__":
    main()
