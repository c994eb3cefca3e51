"""What a terminal shows: lines that cannot steer it, and below them a line of progress. Elsewhere: plain lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status
    from rich.text import Text

__all__ = ["UNSEEN", "Screen", "harmless"]

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of text."""


def harmless(text: str) -> str:
    """A line of a log that no terminal acts on: colours go, everything else that steers is shown as what it is."""
    plain = _COLOUR.sub("", text).rstrip("\r").replace("\r", "\n")
    return UNSEEN.sub(lambda found: repr(found.group())[1:-1], plain)


class Screen:
    """Where a command tells what goes on: standard error where standard output has results."""

    def __init__(self, file: TextIO, *, quiet: bool = False) -> None:
        self._file, self._quiet = file, quiet
        self._console = _console(file) if file.isatty() and not quiet else None
        self._status: Status | None = None

    @property
    def live(self) -> bool:
        return self._console is not None

    def say(self, text: str, style: str = "") -> None:
        """A line that stays: of a log, or with a style a word of ours."""
        if self._quiet:
            return
        if self._console is None:
            print(text, file=self._file, flush=True)
        else:
            self._console.print(_text(text, style), soft_wrap=True)

    def progress(self, text: str) -> None:
        """A line that the next one replaces; on a terminal only."""
        if self._console is None:
            return
        if self._status is None:
            self._status = self._console.status(_text(text))
            self._status.start()
        else:
            self._status.update(_text(text))

    def done(self) -> None:
        """No more progress."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def _console(file: TextIO) -> Console:
    from rich.console import Console  # noqa: PLC0415  of no use where there is no terminal

    return Console(file=file, highlight=False)


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text  # noqa: PLC0415  as above

    return Text(harmless(text), style=style)
