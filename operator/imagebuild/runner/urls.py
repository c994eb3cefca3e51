"""URLs as they may be told: people put secrets into them."""

from __future__ import annotations

import urllib.parse

__all__ = ["bare"]


def bare(url: str) -> str:
    """Without user, password and query; empty where it is no URL."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return ""
    if not parts.scheme:
        return url  # git@host:path
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
