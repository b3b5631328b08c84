"""What programs are drawn from: makers of shared things and operations on them, registered by decorators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

Choices = str | Sequence[Any]
"""Of one argument: kinds of things, such as "mesh|grid", or the numbers and words to choose from."""


@dataclass(frozen=True)
class Maker:
    """How to make one kind of shared thing.

    Attributes:
        kind: what operations ask for.
        make: called with the arguments, in any process with the same result.
        arguments: choices for each.
    """

    kind: str
    make: Callable[..., Any]
    arguments: dict[str, Choices]


@dataclass(frozen=True)
class Operation:
    """One operation; a thread calls it with shared things and gets a digest.

    Attributes:
        feature: the group by which `--features` selects it.
        run: called with the arguments; returns the digest, a string.
        arguments: choices for each.
        expect: called with the same arguments; returns all digests that are right. Without it, the only right
            one is what `run` returns alone.
        weight: how often it is drawn, compared with others.
    """

    feature: str
    run: Callable[..., str]
    arguments: dict[str, Choices]
    expect: Callable[..., set[str]] | None = None
    weight: float = 1.0

    def expected(self, arguments: dict[str, Any]) -> set[str]:
        """The right digests, for things that only this call works on."""
        return self.expect(**arguments) if self.expect else {self.run(**arguments)}


@dataclass
class Catalogue:
    """All makers and operations of one toolkit, by name."""

    toolkit: str
    makers: dict[str, Maker] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)

    def maker(self, kind: str, /, **arguments: Choices) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Register the function below as a maker of `kind`."""

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            self.makers[function.__name__] = Maker(kind, function, arguments)
            return function

        return register

    def operation(
        self, feature: str, /, *, expect: Callable[..., set[str]] | None = None, weight: float = 1.0, **arguments: Choices
    ) -> Callable[[Callable[..., str]], Callable[..., str]]:
        """Register the function below as an operation."""

        def register(function: Callable[..., str]) -> Callable[..., str]:
            self.operations[function.__name__] = Operation(feature, function, arguments, expect, weight)
            return function

        return register

    @property
    def features(self) -> tuple[str, ...]:
        """The groups of operations."""
        return tuple(sorted({operation.feature for operation in self.operations.values()}))
