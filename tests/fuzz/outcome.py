"""How one run of a program ended."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["right", "wrong", "crash", "hang"]


@dataclass(frozen=True)
class Outcome:
    """How one run of a program ended.

    Attributes:
        kind: "right"; "wrong", where a result differs or a call raised; "crash"; "hang".
        detail: which results differ, the signal, or the exception.
        text: the stacks, of a crash or a hang.
        seconds: how long the process took.
        calls: operations that were carried out.
    """

    kind: Kind
    detail: str = ""
    text: str = ""
    seconds: float = 0.0
    calls: int = 0
    samples: tuple[dict[str, Any], ...] = field(default=())

    @property
    def failed(self) -> bool:
        """Anything but right."""
        return self.kind != "right"

    @classmethod
    def of(cls, answer: dict[str, Any]) -> Outcome:
        """What a server's answer means."""
        common = {"text": answer["text"], "seconds": answer["seconds"]}
        if answer["hung"]:
            return cls("hang", "no result before the deadline", **common)
        if answer["code"] < 0:
            return cls("crash", signal.Signals(-answer["code"]).name, **common)
        if answer["code"]:
            lines = answer["text"].strip().splitlines()
            return cls("wrong", lines[-1] if lines else f"exit code {answer['code']}", **common)
        samples = tuple(answer["samples"])
        if answer["wrong"]:
            names = sorted({sample["operation"].partition("(")[0] for sample in samples})
            return cls("wrong", f"{answer['wrong']} of {answer['calls']} results: {', '.join(names)}", calls=answer["calls"], samples=samples, **common)
        return cls("right", calls=answer["calls"], **common)
