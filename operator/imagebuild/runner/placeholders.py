"""Placeholders of `output`: what the build is of, in names of images and in values of labels and annotations."""

from __future__ import annotations

import dataclasses
import re

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.cacherefs import slug
from imagebuild.runner.problem import Problem

__all__ = ["filled", "images"]

_SHORT = 12
_PLACEHOLDER = re.compile(r"\{(?:commit|shortCommit|branch)\}")
_ANNOTATION = re.compile(r"^annotation(-index)?\.")


def images(plan: Plan, commit: str | None, branch: str | None) -> tuple[str, ...]:
    """The references to push; a branch as a tag may be. Raises Problem where there is nothing to fill one with."""
    values = _values(commit, slug(branch) if branch else None)
    return tuple(_fill(image, image, values) for image in plan.output.images)


def filled(plan: Plan, commit: str | None, branch: str | None) -> Plan:
    """With labels and annotations as they are to be; a branch by its whole name. Raises Problem like `images`."""
    values, output = _values(commit, branch), plan.output

    def pair(text: str, place: str) -> str:
        key, _, value = text.partition("=")
        return f"{key}={_fill(value, place + _ANNOTATION.sub('', key), values)}"

    attributes = tuple(pair(text, "output.annotations: ") for text in output.attributes)
    labels = tuple(pair(text, "output.labels: ") for text in output.labels)
    return dataclasses.replace(plan, output=dataclasses.replace(output, attributes=attributes, labels=labels))


def _values(commit: str | None, branch: str | None) -> dict[str, str | None]:
    return {"{commit}": commit, "{shortCommit}": commit[:_SHORT] if commit else None, "{branch}": branch}


def _fill(text: str, where: str, values: dict[str, str | None]) -> str:
    """In one go: a branch may be called like a placeholder."""

    def value(found: re.Match[str]) -> str:
        known = values[found[0]]
        if known is None:
            what = "the source is not from git" if values["{commit}"] is None else "the source names no branch"
            raise Problem(Reason.SPEC_INVALID, f"{where}: {found[0]} cannot be filled: {what}")
        return known

    return _PLACEHOLDER.sub(value, text)
