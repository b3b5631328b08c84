"""Draws a program from a seed and a catalogue."""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Any

from fuzz.catalogue import Catalogue, Choices
from fuzz.program import Argument, Program, Step, Thing

REUSE = 0.85
"""How probable it is that an operation works on a thing that the program has already."""


def draw(catalogue: Catalogue, seed: int, features: Collection[str] = ()) -> Program:
    """The program of a seed; the same in any process.

    Args:
        catalogue: what to draw from.
        seed: any integer.
        features: draw only operations of these groups; of all groups when empty.

    Returns:
        A program of 2 to 8 threads.
    """
    chance = Random(seed)  # noqa: S311 - must be reproducible
    return _Drawing(catalogue, chance, features).program(seed)


class _Drawing:
    """The state of drawing one program."""

    def __init__(self, catalogue: Catalogue, chance: Random, features: Collection[str]) -> None:
        self.catalogue, self.chance = catalogue, chance
        operations = catalogue.operations.items()
        self.allowed = [name for name, operation in operations if not features or operation.feature in features]
        self.things: list[Thing] = []

    def program(self, seed: int) -> Program:
        chance = self.chance
        weights = [self.catalogue.operations[name].weight for name in self.allowed]
        themes = chance.choices(self.allowed, weights, k=chance.choice((1, 1, 2, 2, 3, 4)))
        for name in themes:
            self.step(name)
        themes += [name for name in self.allowed if name not in themes and self.fits(name) and chance.random() < 0.1]
        threads = chance.choice((2, 2, 3, 4, 4, 6, 8))
        length = chance.randint(1, 4 if threads > 4 else 6)
        alike = chance.random() < 0.35
        model = [self.step(chance.choice(themes)) for _ in range(length)]
        lists = [model if alike else [self.step(chance.choice(themes)) for _ in range(length)] for _ in range(threads)]
        drawn = Program(
            self.catalogue.toolkit, seed, tuple(self.things), tuple(map(tuple, lists)), chance.choice((3, 4, 6)), chance.random() < 0.3
        )
        return drawn.without_unused()

    def fits(self, name: str) -> bool:
        """An operation needs no thing that the program does not have, and needs at least one."""
        kinds = [choices for choices in self.catalogue.operations[name].arguments.values() if isinstance(choices, str)]
        return bool(kinds) and all(self.made(kind) for kind in kinds)

    def made(self, kinds: str) -> list[str]:
        """Names of the things of some kinds."""
        wanted = kinds.split("|")
        return [thing.name for thing in self.things if self.catalogue.makers[thing.maker].kind in wanted]

    def step(self, name: str) -> Step:
        arguments = self.arguments(self.catalogue.operations[name].arguments)
        return Step(name, arguments, self.chance.choice((1, 1, 1, 2, 3)))

    def arguments(self, choices: dict[str, Choices]) -> dict[str, Argument]:
        return {name: self.thing(choice) if isinstance(choice, str) else self.pick(choice) for name, choice in choices.items()}

    def pick(self, choices: Any) -> Argument:
        picked: Argument = self.chance.choice(choices)
        return picked

    def thing(self, kinds: str) -> str:
        """The name of a thing of some kinds, made now unless there is one to share."""
        made = self.made(kinds)
        if made and self.chance.random() < REUSE:
            return self.chance.choice(made)
        if len(made) > 2:  # enough to choose from
            return self.chance.choice(made)
        wanted = kinds.split("|")
        kind = self.chance.choice(wanted)
        names = [name for name, maker in self.catalogue.makers.items() if maker.kind == kind]
        maker = self.chance.choice(names)
        arguments = self.arguments(self.catalogue.makers[maker].arguments)
        name = f"{kind}_{sum(thing.name.startswith(f'{kind}_') for thing in self.things)}"
        self.things.append(Thing(name, maker, arguments))
        return name
