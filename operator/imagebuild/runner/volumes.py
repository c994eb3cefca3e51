"""Volumes of claims that a build writes to: some kinds of volumes do not mind fsGroup, and belong to root alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from imagebuild.contract.plan import Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["check"]


def check(claims: Iterable[Mount], writable: Callable[[str], bool] = lambda path: os.access(path, os.W_OK)) -> None:
    """Raises Problem: BuildKit itself would say so only at the end, and of a path that nobody knows."""
    for claim in claims:
        if not writable(claim.path):
            told = f"the volume of the claim {claim.name} is not writable for the group 1000 of build pods"
            raise Problem(Reason.VOLUME_NOT_WRITABLE, told)
