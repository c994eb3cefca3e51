"""Names stay within Kubernetes' limits and never meet by accident."""

from __future__ import annotations

import pytest

from imagebuild.api.names import label_value, shorten

LONGEST_NAME = "a" * 253


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("shop", id="a short name stays as it is"),
        pytest.param("a" * 63, id="63 characters are not too many for a label"),
    ],
)
def test_a_name_that_fits_is_its_own_label(name: str) -> None:
    assert label_value(name) == name


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a" * 64, id="one character too many"),
        pytest.param(LONGEST_NAME, id="the longest name there is"),
        pytest.param("a" * 51 + "..." + "b" * 30, id="dots where the name is cut"),
    ],
)
def test_a_longer_name_becomes_its_beginning_and_a_hash(name: str) -> None:
    value = label_value(name)
    beginning, _, digest = value.rpartition("-")
    assert len(value) <= 63
    assert name.startswith(beginning)
    assert beginning[-1].isalnum()
    assert len(digest) == 10


def test_two_names_with_the_same_beginning_stay_different() -> None:
    assert shorten("a" * 70 + "x", 40) != shorten("a" * 70 + "y", 40)
