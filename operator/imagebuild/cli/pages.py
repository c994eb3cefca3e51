"""Lists of the API server, which gives them page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ["SIZE", "further", "pages"]

SIZE = 500
"""Objects on a page."""


def pages(ask: Callable[[dict[str, str]], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """`ask` gives a page for a query."""
    token = ""
    while True:
        page = ask({"limit": str(SIZE), **({"continue": token} if token else {})})
        yield page
        token = further(page)
        if not token:
            return


def further(page: Mapping[str, Any]) -> str:
    """By this the API server knows the next page. Empty: there is none."""
    return (page.get("metadata") or {}).get("continue") or ""
