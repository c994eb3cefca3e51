"""A shell at a terminal, somebody who types, and what the terminal is sent. The shell is real; so is what it runs."""

from __future__ import annotations

import codecs
import contextlib
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from recording.cast import COLUMNS, ROWS, Write

_PROMPT = "\x1b[1;32m$\x1b[0m "
_LOGIN = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
"""A fork of our own would not do in a process with threads, such as one of the tests."""
_SHELL = ("bash", "--noprofile", "--norc", "-i")


class Terminal:
    def __init__(self, file: int, *, hurried: bool) -> None:
        self._file, self._hurried = file, hurried
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._began = time.monotonic()
        self.writes: list[Write] = []

    @property
    def text(self) -> str:
        return "".join(write.text for write in self.writes)

    def types(self, line: str, *, until: str = "", seconds: float = 180) -> None:
        """And waits for the next prompt; with `until`, for those words of a command that does not end by itself."""
        for letter in line:
            os.write(self._file, letter.encode())
            self._pause(0.03)
        self._wait(lambda said: said.endswith(line), "what was typed", seconds)
        self._pause(0.3)
        before = len(self.text)
        os.write(self._file, b"\r")
        if until:
            self._wait(lambda said: until in said[before:], until, seconds)
            self._pause(1.5)
            self._interrupts(seconds)
        else:
            self.prompts(before, seconds)
        self._pause(2)

    def _interrupts(self, seconds: float) -> None:
        """As people do: once more where nothing has come of it, as on a machine with much to do."""
        before, end = len(self.text), time.monotonic() + seconds
        while True:
            os.write(self._file, b"\x03")
            try:
                self.prompts(before, 5)
            except TimeoutError:
                if time.monotonic() > end:
                    raise
            else:
                return

    def clears(self) -> None:
        before = len(self.text)
        os.write(self._file, b"\x0c")
        self.prompts(before)
        self._pause(1)

    def prompts(self, before: int = 0, seconds: float = 30) -> None:
        self._wait(lambda said: said[before:].endswith(_PROMPT), "a prompt", seconds)

    def _wait(self, seen: Callable[[str], bool], what: str, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not seen(self.text):
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}; the terminal shows:\n{self.text[-2000:]}")
            self._read(0.2)

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + (0 if self._hurried else seconds)
        while (left := end - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        readable, _, _ = select.select([self._file], [], [], seconds)
        if readable and (text := self._decoder.decode(os.read(self._file, 1 << 16))):
            self.writes.append(Write(time.monotonic() - self._began, text))


@contextlib.contextmanager
def opened(directory: Path, environment: Mapping[str, str], *, hurried: bool = False) -> Iterator[Terminal]:
    """With that environment and no other."""
    settings = {"PS1": "\\[\\e[1;32m\\]$\\[\\e[0m\\] ", "TERM": "xterm-256color", "LANG": "C.UTF-8", "HISTFILE": ""}
    file, theirs = pty.openpty()
    termios.tcsetwinsize(file, (ROWS, COLUMNS))
    words = [sys.executable, "-c", _LOGIN, *_SHELL]
    with subprocess.Popen(words, cwd=directory, env={**settings, **environment}, stdin=theirs) as shell:
        os.close(theirs)
        try:
            terminal = Terminal(file, hurried=hurried)
            terminal.prompts()
            yield terminal
        finally:
            os.close(file)  # which hangs up on the shell
            shell.wait(timeout=30)
