"""What a survey has found so far, on disk: one line a class, so that an interrupted survey goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import msgspec
from gilgen.diagnostics.survey.records import Entry

from gilgen import store


class Journal:
    """The lines of one toolkit's survey; its file's name changes with everything that the results depend on.

    Args:
        toolkit: "vtk" or "itk".
        identity: what the results depend on, in words; see `units.identity`.
    """

    def __init__(self, toolkit: str, *identity: str) -> None:
        self.path = journal_path(toolkit, *identity)

    def read(self) -> dict[str, Entry]:
        """The classes that are done, by name. A line that an interruption cut off counts for nothing.

        A class that a busy machine left open is not done.
        """
        found = {}
        try:
            lines = self.path.read_bytes().splitlines()
        except OSError:
            return {}
        for line in lines:
            try:
                entry = msgspec.json.decode(line, type=Entry)
            except msgspec.MsgspecError:
                continue
            found[entry.name] = entry
        return {name: entry for name, entry in found.items() if not _is_open(entry)}

    def add(self, entry: Entry) -> None:
        """Append one class."""
        with store.explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                # A line of its own even after one that was cut off.
                file.write(b"\n" + msgspec.json.encode(entry) + b"\n")

    def forget(self) -> None:
        """Start over."""
        with store.explained(self.path):
            self.path.unlink(missing_ok=True)


def _is_open(entry: Entry) -> bool:
    return any("unknown" in {record.before, record.after} for record in entry.found)


def journal_path(toolkit: str, *identity: str) -> Path:
    """Where a toolkit's journal lies."""
    return store.cache_dir() / "survey" / f"{toolkit}-{store.key_of(toolkit, *identity)}.jsonl"


def last_survey() -> Path:
    """Where the latest survey's record lies."""
    return store.cache_dir() / "survey" / "last.json"
