"""What a file for --spec must be for this program to read it. All else in it is the API server's to judge. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["IMAGE_BUILD", "SPEC", "checked"]

SPEC: dict[str, Any] = {
    "source": {"git": {"url": ""}},
    "dockerfile": {"inline": ""},
    "output": {"images": [""]},
    "cache": {"branch": {}},
    "registrySecrets": [],
    "archive": {},
    "timeouts": {},
    "pod": {"serviceAccountName": ""},
}
IMAGE_BUILD = {"metadata": {"name": "", "namespace": "", "labels": {}, "annotations": {}}, "spec": SPEC}

_KINDS = {dict: "an object", list: "a list", str: "a text", bool: "yes or no", int: "a number", float: "a number"}


def checked(written: Any, like: Any, path: str) -> Any:
    """Of the same kinds as `like` where that has something, without fields of nothing, which the API server drops as
    well. Raises ValueError with the path of what is not.
    """
    if not isinstance(written, type(like)):
        kind = _KINDS.get(type(written), "nothing" if written is None else "something else")
        raise ValueError(f"{path} must be {_KINDS[type(like)]}, not {kind}")  # noqa: TRY004  the value is the user's
    match like:
        case dict() if like:
            kept = {key: value for key, value in written.items() if value is not None}
            below = ((key, inner, f"{path}.{key}" if path else key) for key, inner in like.items() if key in kept)
            return {**kept, **{key: checked(kept[key], inner, place) for key, inner, place in below}}
        case [inner]:
            return [checked(each, inner, f"{path}[{place}]") for place, each in enumerate(written)]
        case _:
            return written
