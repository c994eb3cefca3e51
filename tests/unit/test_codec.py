"""Dataclasses to JSON and back: what one version writes the next can read, and what no status can hold is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pytest

from imagebuild.contract.codec import DecodeError, decode, encode


class Colour(StrEnum):
    RED = "Red"
    BLUE = "Blue"


@dataclass(frozen=True, kw_only=True)
class Wheel:
    size: int
    spokes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cart:
    name: str
    colour: Colour = Colour.RED
    weight: float = 0.0
    old: bool = False
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | None = None


FULL = Cart(
    name="c", colour=Colour.BLUE, weight=1.5, old=True, wheels=(Wheel(size=1, spokes=("a", "b")),), spare=Wheel(size=2)
)


@pytest.mark.parametrize(
    "value", [pytest.param(Cart(name="c"), id="only what is required"), pytest.param(FULL, id="all")]
)
def test_what_is_written_reads_the_same(value: Cart) -> None:
    assert decode(Cart, json.loads(json.dumps(encode(value)))) == value


def test_defaults_are_not_written() -> None:
    assert encode(Cart(name="c")) == {"name": "c"}


def test_keys_of_a_newer_version_are_ignored() -> None:
    assert decode(Cart, {"name": "c", "engine": {"power": 9}}) == Cart(name="c")


def test_a_whole_number_is_a_number() -> None:
    assert decode(Cart, {"name": "c", "weight": 2}).weight == 2.0


@pytest.mark.parametrize(
    ("document", "message"),
    [
        pytest.param([], "document: must be an object", id="no object"),
        pytest.param({}, "name: is missing", id="a key that is missing"),
        pytest.param({"name": 1}, "name: must be str", id="a number for a text"),
        pytest.param({"name": None}, "name: must be str", id="null for a text"),
        pytest.param({"name": "c", "old": 1}, "old: must be bool", id="a number for a truth"),
        pytest.param({"name": "c", "colour": "Green"}, "colour: must be one of Red, Blue", id="a word out of the list"),
        pytest.param({"name": "c", "wheels": {}}, "wheels: must be a list", id="an object for a list"),
        pytest.param({"name": "c", "wheels": [{"size": True}]}, r"wheels\[0\].size: must be int", id="the path of it"),
        pytest.param({"name": "c", "spare": {}}, "spare.size: is missing", id="inside of what may be absent"),
        pytest.param({"name": "\ud800"}, "name: must be text", id="half a surrogate pair"),
        pytest.param({"name": "c", "weight": float("nan")}, "weight: .* ordinary size", id="not a number"),
        pytest.param({"name": "c", "weight": 1e999}, "weight: .* ordinary size", id="infinity"),
        pytest.param({"name": "c", "weight": 10**400}, "weight: .* ordinary size", id="more than a float holds"),
        pytest.param({"name": "c", "spare": {"size": 2**63}}, "spare.size: .* ordinary size", id="more than 31 bits"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_path_of_the_key(document: Any, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decode(Cart, document)
