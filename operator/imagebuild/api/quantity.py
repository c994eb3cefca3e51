"""Kubernetes quantities as numbers, to compare them: 500m, 1.5Gi, 2e3."""

from __future__ import annotations

import re
from decimal import Decimal

_BINARY = {f"{letter}i": Decimal(1024**power) for power, letter in enumerate("KMGTPE", 1)}
_DECIMAL = {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)}
_SMALL = {letter: Decimal(1000) ** -power for power, letter in enumerate("mun", 1)}
_UNITS = {"": Decimal(1), **_BINARY, **_DECIMAL, **_SMALL}
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:[.][0-9]*)?|[.][0-9]+)(?:[eE][+-]?[0-9]{1,3})?)([a-zA-Z]{0,2})")


def amount(quantity: str) -> Decimal:
    """Raises ValueError for what is none."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{quantity!r} is not a quantity such as 500m or 4Gi")
    return Decimal(found[1]) * _UNITS[found[2]]


def checked(quantity: str) -> str:
    amount(quantity)
    return quantity
