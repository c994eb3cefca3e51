"""`output.ifExists`: what the registry has under the names of the images already, and whether to build all the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from imagebuild.contract.plan import INPUTS_ANNOTATION, IfExists, Output
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say
from imagebuild.runner.reference import tagged
from imagebuild.runner.registry import Answer, Registries

__all__ = ["look"]

_MUST_KNOW = {
    LookUp.FOUND: (Reason.IMAGE_EXISTS, "exists already"),
    LookUp.UNAUTHORIZED: (Reason.REGISTRY_UNAUTHORIZED, "the registry does not let us see whether it exists"),
    LookUp.TIMEOUT: (Reason.REGISTRY_UNAVAILABLE, "the registry does not say in time whether it exists"),
    LookUp.ERROR: (Reason.REGISTRY_UNAVAILABLE, "the registry does not say whether it exists"),
}
"""For `Fail`: without an answer nothing is overwritten."""


def look(output: Output, images: tuple[str, ...], inputs: str, registries: Registries) -> str | None:
    """The digest under which all images are there, made from these inputs: nothing is left to do. None: build.

    Raises Problem where the build must not go on. What somebody pushes between this look and our push is overwritten.
    """
    if output.if_exists is IfExists.OVERWRITE or not images:
        return None
    asked = {image: _ask(registries, image) for image in images}
    answers = {image: wait() for image, wait in asked.items()}
    if output.if_exists is IfExists.FAIL:
        own = inputs if output.retried else ""
        _refuse({image: answer for image, answer in answers.items() if not own or _made_from(answer) != own})
        if not own:
            return None
    return _same(answers, inputs)


def _ask(registries: Registries, image: str) -> Callable[[], Answer]:
    return registries.ask(*tagged(image), whole=True)


def _refuse(answers: Mapping[str, Answer]) -> None:
    """One that exists says more than one that cannot be seen."""
    for image, answer in sorted(answers.items(), key=lambda item: item[1].found is not LookUp.FOUND):
        if answer.found in _MUST_KNOW:
            reason, what = _MUST_KNOW[answer.found]
            raise Problem(reason, f"{image}: {what} (output.ifExists: Fail)")


def _made_from(answer: Answer) -> str | None:
    return (answer.annotations or {}).get(INPUTS_ANNOTATION)


def _same(answers: Mapping[str, Answer], inputs: str) -> str | None:
    """Whatever is not clear is built."""
    for image, answer in answers.items():
        made_from = _made_from(answer)
        found = "other inputs" if answer.found is LookUp.FOUND and made_from != inputs else answer.found
        say(f"image {image}: {found}")
        if not inputs or made_from != inputs:
            return None
    digests = {answer.digest for answer in answers.values()}
    return digests.pop() if len(digests) == 1 else None
