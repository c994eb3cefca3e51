"""How an attempt says that it has succeeded."""

from __future__ import annotations


class Found(Exception):  # noqa: N818  nothing is wrong: it is what an attempt ends with that succeeds
    """With what was got."""
