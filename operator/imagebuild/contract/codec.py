"""Frozen dataclasses to JSON values and back, for the plan and the result.

The runner may import nothing but the standard library, so this is the small part of a validation library that the two
documents need. Unknown keys are ignored, so that each side can read what a newer other side wrote.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

__all__ = ["DecodeError", "decode", "encode"]

T = TypeVar("T")

_hints = functools.cache(typing.get_type_hints)
_INT_MAX = 2**31 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")


class DecodeError(ValueError):
    """A document does not fit its type; the message starts with the path of the bad key."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path or 'document'}: {problem}")


def encode(value: object) -> Any:
    """A dataclass as JSON values; fields that hold their default are left out."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        given = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        defaults = {field.name: field.default for field in dataclasses.fields(value)}
        return {key: encode(item) for key, item in given.items() if item != defaults[key]}
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return value


def decode(kind: type[T], value: object, path: str = "") -> T:
    """JSON values as an instance of the dataclass `kind`; raises DecodeError."""
    return typing.cast(T, _decode(kind, value, path))


def _decode(kind: Any, value: object, path: str) -> object:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_optional(kind, value, path)
    if origin is tuple:
        _require(isinstance(value, list), path, "must be a list")
        (item, _) = typing.get_args(kind)
        return tuple(_decode(item, entry, f"{path}[{i}]") for i, entry in enumerate(typing.cast(list[object], value)))
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, path)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        _require(value in list(kind), path, f"must be one of {', '.join(kind)}")
        return kind(str(value))
    return _decode_scalar(kind, value, path)


def _decode_scalar(kind: Any, value: object, path: str) -> object:
    """Python's JSON reader takes what the API server refuses: NaN, numbers of any size, halves of surrogate pairs."""
    if kind is float and type(value) is int:
        value = float(value) if abs(value) <= _INT_MAX else math.inf
    _require(type(value) is kind, path, f"must be {kind.__name__}")
    if isinstance(value, float):
        _require(math.isfinite(value), path, "must be a number of ordinary size")
    elif isinstance(value, int):
        _require(abs(value) <= _INT_MAX, path, "must be a number of ordinary size")
    elif isinstance(value, str):
        _require(value.isascii() or not _SURROGATE.search(value), path, "must be text")
    return value


def _decode_optional(kind: Any, value: object, path: str) -> object:
    if value is None:
        return None
    (inner,) = (arg for arg in typing.get_args(kind) if arg is not types.NoneType)
    return _decode(inner, value, path)


def _decode_dataclass(kind: Any, value: object, path: str) -> object:
    if not isinstance(value, dict):
        raise DecodeError(path, "must be an object")
    hints = _hints(kind)
    prefix = f"{path}." if path else ""
    known = {key: _decode(hints[key], item, prefix + key) for key, item in value.items() if key in hints}
    for field in dataclasses.fields(kind):
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and field.name not in known:
            raise DecodeError(prefix + field.name, "is missing")
    return kind(**known)


def _require(condition: object, path: str, problem: str) -> None:
    if not condition:
        raise DecodeError(path, problem)
