"""How anything in the runner says that the build cannot go on, in the words of the contract."""

from __future__ import annotations

from imagebuild.contract.reasons import Reason

__all__ = ["Problem"]


class Problem(Exception):  # noqa: N818 it ends a build, not the program
    """Ends the build with this reason; the message is for the person who reads the status."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
