"""What keeps a directory from being pushed, as a sentence for the one who wanted it."""

from __future__ import annotations

__all__ = ["UploadError"]


class UploadError(Exception):
    """Its text names the thing, the cause and the next step."""

    def __init__(self, message: str, *, again: bool = False) -> None:
        super().__init__(message)
        self.again = again
        """Whether another try may help, with nothing else changed."""
