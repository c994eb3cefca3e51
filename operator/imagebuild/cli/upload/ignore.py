"""What `.dockerignore` leaves out, as BuildKit reads it: github.com/moby/patternmatcher, its oddities included.

BuildKit never sees what is left out here, and reads the file once more in the build pod: a difference would be a file
that `docker build` finds and this does not. docker-py's matcher takes no notice of case and knows no escapes, and
pathspec's is git's. tests/cli/test_upload_ignore.py compares this one with the original.
"""

from __future__ import annotations

import posixpath
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebuild.cli.upload.problem import UploadError

__all__ = ["Ignore", "ignore_file", "parse"]

_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go takes for space; Python strips more."""
_IN_CLASS = r"(?:[^\]\\\-]|\\.)"
_VALID = re.compile(rf"(?:[^\\\[]|\\.|\[\^?(?:{_IN_CLASS}(?:-{_IN_CLASS})?)+\])*", re.DOTALL)
"""What Go's filepath.Match takes for a pattern."""
_NAMED_CLASS = re.compile(r"\[:\^?\w+:\]")
_TOKEN = re.compile(r"\*\*/?|\*|\?|\\.|[\[\]]|[^*?\\\[\]]+", re.DOTALL)
_WILD = re.compile(r"[*\[\]?^\\]")

Matched = tuple[bool, ...]
"""Which of the patterns have matched a directory, or one of those above it."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: str
    back: bool
    """`!`: what it matches is not left out after all."""
    matches: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Ignore:
    patterns: Sequence[_Pattern] = ()

    def leaves_out(self, path: str, above: Matched = ()) -> tuple[bool, Matched]:
        """`above`: what this has said of the directory that the path is in. The order of patterns counts."""
        found, out = [False] * len(self.patterns), False
        for number, pattern in enumerate(self.patterns):
            match = bool(above) and above[number]
            if not match:
                if pattern.back != out:
                    continue  # it could change nothing
                match = pattern.matches(path)
            found[number] = match
            if match:
                out = not pattern.back
        return out, tuple(found)

    def may_take_back(self, directory: str) -> bool:
        """Whether something below a directory that is left out may come back; where in doubt, yes."""
        backs = [pattern.text.removesuffix("**").rstrip("/") for pattern in self.patterns if pattern.back]
        return any(_WILD.search(text) or f"{text}/".startswith(f"{directory}/") for text in backs)


def ignore_file(directory: Path, dockerfile: str) -> Path | None:
    """`<Dockerfile>.dockerignore` is used instead of `.dockerignore`, not beside it."""
    names = (f"{dockerfile}.dockerignore", ".dockerignore")
    return next((directory / name for name in names if (directory / name).is_file()), None)


def parse(content: bytes, name: str) -> Ignore:
    """Raises UploadError for what BuildKit would refuse, too."""
    lines = content.removeprefix(b"\xef\xbb\xbf").decode(errors="surrogateescape").split("\n")
    texts = (line.strip(_SPACE) for line in lines if not line.startswith("#"))
    read = [(text, _read(text)) for text in texts if text]
    return Ignore(tuple(_pattern(path, text, name) for text, path in read if path))


def _read(text: str) -> str:
    """A line as the original's reader gives it to the original's matcher, which cleans it once more."""
    back, rest = text.startswith("!"), text.removeprefix("!").strip(_SPACE)
    path = _clean(rest) if rest else ""
    relative = path.removeprefix("/") if len(path) > 1 else path
    again = f"{'!' if back else ''}{relative}".strip(_SPACE)
    return _clean(again) if again else ""


def _pattern(read: str, text: str, name: str) -> _Pattern:
    back, path = read.startswith("!"), read.removeprefix("!")
    matches = _matcher(path) if path and _VALID.fullmatch(path) and not _NAMED_CLASS.search(path) else None
    if matches is None:
        raise UploadError(
            f"{name}: the pattern {text} cannot be read: correct it, or put a \\ before what is meant as is"
        )
    return _Pattern(path, back, matches)


def _clean(path: str) -> str:
    """As Go's filepath.Clean does."""
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _matcher(pattern: str) -> Callable[[str], bool] | None:
    """The original compares texts where it can, and then nothing in them is special."""
    regex, wild, start, end = "", False, False, False
    for found in _TOKEN.finditer(pattern):
        token, last = found[0], found.end() == len(pattern)
        if token.startswith("**"):
            regex += ".*" if last else "(.*/)?"
            if found.start() == 0:
                start = True
            elif last and not (wild or start):
                end = True
            else:
                wild = True
        elif token in ("*", "?"):
            regex, wild = regex + ("[^/]*" if token == "*" else "[^/]"), True
        elif token[0] in "\\[]":
            regex, wild = regex + token, True
        else:
            regex += re.sub(r"[.+()$]", r"\\\g<0>", token)  # and nothing else: {, | and ^ keep their meaning
    if wild:
        return _searcher(regex)
    if start:
        suffix = pattern[2:]
        return lambda path: path.endswith(suffix) or f"/{path}" == suffix
    return (lambda path: path.startswith(pattern[:-2])) if end else pattern.__eq__


def _searcher(regex: str) -> Callable[[str], bool] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of brackets inside of brackets
            compiled = re.compile(f"^{regex}\\Z", re.ASCII)
    except re.error:
        return None
    return lambda path: compiled.search(path) is not None
