"""What is wrong with a configuration, for the person who has written it: pydantic's own words are a programmer's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from pydantic import ValidationError

from imagebuild.api.imagebuild import known_fields
from imagebuild.api.model import Model

__all__ = ["MISSING", "complaints"]

MISSING = "must be given"
_NO_OBJECT = ("model_type", "model_attributes_type", "dict_type")


def complaints(error: ValidationError, model: type[Model]) -> list[tuple[str, str]]:
    """The path of each key and what is wrong with it; `model` is what it was to be. Keys that are missing come last."""
    found = sorted(error.errors(include_url=False, include_input=False), key=lambda entry: entry["type"] == "missing")
    return [
        (".".join(map(str, entry["loc"])) or "file", _words(entry["type"], entry["msg"], entry["loc"], model))
        for entry in found
    ]


def _words(kind: str, said: str, path: Sequence[int | str], model: type[Model]) -> str:
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), _keys(path[:-1], model), n=1)
        return "there is no such key" + (f"; did you mean {near[0]}?" if near else "")
    if kind in _NO_OBJECT and (keys := _keys(path, model)):
        return f"must be an object, such as {{{keys[0]}: …}}"
    if kind == "missing":
        return MISSING
    return said.removeprefix("Value error, ").replace("Input should be", "must be")


def _keys(path: Sequence[int | str], model: type[Model]) -> list[str]:
    """Of the object at that place; none where it is a map, whose keys are the user's."""
    at: type[Model] | None = model
    for part in path:
        at = known_fields(at).get(str(part)) if at and isinstance(part, str) else at
    return list(known_fields(at)) if at else []
