"""What later jobs and steps read: files that the command is told to write, and those that GitHub wants written.

All of it comes from the ImageBuild's status; nothing is asked of a registry, where a tag may have moved already.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from imagebuild.cli import ending, exits, show
from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import Problem
from imagebuild.cli.view import View

__all__ = ["results", "summary", "write"]


def results(build: View) -> dict[str, str]:
    """Of a build that has pushed an image; else nothing of these is known."""
    output = build.of("output")
    images, reference = output.get("images") or [], show.reference(build.document)
    if not reference:
        return {}
    found = {
        "IMAGE": str(images[0]),
        "IMAGES": ",".join(map(str, images)),
        "DIGEST": str(output["digest"]),
        "IMAGE_REF": reference[0],
        "COMMIT": str(build.of("source").get("commit") or ""),
        "IMAGEBUILD": build.name,
    }
    return {key: value for key, value in found.items() if value}


def summary(build: View) -> str:
    """Markdown. What a build says of itself is untrusted: it is shown as text."""
    found = results(build)
    if build.phase != "Succeeded":
        lines = "\n".join(f"    {line}" for line in "\n".join(ending.failure(build, log_shown=False)).splitlines())
        return f"### Image not built: {build.reason}\n\n{lines}\n"
    rows = "\n".join(f"| {key.lower().replace('_', ' ')} | `{value}` |" for key, value in found.items())
    return f"### {ending.summary(build)}\n\n| | |\n|---|---|\n{rows}\n"


def write(build: View, digest_file: str | None, dotenv: str | None, environ: Mapping[str, str]) -> None:
    """Nothing is written for a build that has pushed nothing, so that no later step takes an old digest for its own.

    Raises Problem for a file that cannot be written. It ends as the build has; a build that went well ends as one with
    a wrong name or right, since somebody waits for the file, and to build once more would not help.
    """
    found = results(build)
    if digest_file and found:
        _put(digest_file, found["DIGEST"], build)  # as Kaniko does, without a line end
    if dotenv and found:
        _put(dotenv, _lines(found), build)
    if environ.get("GITHUB_OUTPUT") and found:
        _put(environ["GITHUB_OUTPUT"], _lines({_github(key): value for key, value in found.items()}), build, "a")
    if environ.get("GITHUB_STEP_SUMMARY"):
        _put(environ["GITHUB_STEP_SUMMARY"], summary(build), build, "a")


def _github(key: str) -> str:
    return key.lower().replace("_", "-")


def _lines(values: Mapping[str, str]) -> str:
    """One value a line; none has a line end, since none of the fields may."""
    return "".join(f"{key}={''.join(value.splitlines())}\n" for key, value in values.items())


def _put(file: str, text: str, build: View, mode: str = "w") -> None:
    try:
        with Path(file).open(mode) as opened:
            opened.write(text)
    except OSError as error:
        code = exits.of_build(build.phase, build.reason) or Exit.CONFIGURATION
        told = f"{file} cannot be written: {error.strerror}. {build.name} has ended as {build.reason}."
        raise Problem(told, "Make room there, or name another file.", code) from error
