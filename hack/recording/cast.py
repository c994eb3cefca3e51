"""What a terminal was sent and when, as asciinema keeps it (asciicast, version 2): a line of JSON for each write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COLUMNS, ROWS = 112, 26
IDLE = 1.5
"""Seconds. Nobody wants to see that nothing happens for longer."""


@dataclass(frozen=True, slots=True)
class Write:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Cast:
    title: str
    writes: tuple[Write, ...]

    def dump(self) -> str:
        head = {"version": 2, "width": COLUMNS, "height": ROWS, "idle_time_limit": IDLE, "title": self.title}
        lines = [head, *([round(write.at, 3), "o", write.text] for write in self.writes)]
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)

    def shown(self) -> Iterator[Write]:
        """As it is played: without the long pauses."""
        saved, before = 0.0, 0.0
        for write in self.writes:
            saved += max(0.0, write.at - before - IDLE)
            before = write.at
            yield Write(write.at - saved, write.text)


def load(file: Path) -> Cast:
    head, *lines = map(json.loads, file.read_text().splitlines())
    return Cast(head["title"], tuple(Write(at, text) for at, _, text in lines))
