"""Amounts of resources bounded by others."""

from __future__ import annotations

from collections.abc import Mapping

from imagebuild.api.quantity import amount

__all__ = ["at_least", "at_most"]


def at_most(amounts: Mapping[str, str], most: Mapping[str, str]) -> dict[str, str]:
    return {key: min(each, most.get(key, each), key=amount) for key, each in amounts.items()}


def at_least(amounts: Mapping[str, str], least: Mapping[str, str]) -> dict[str, str]:
    return {key: max(each, least.get(key, each), key=amount) for key, each in amounts.items()}
