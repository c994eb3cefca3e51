"""Kubernetes quantities, read as Kubernetes reads them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from imagebuild.api.quantity import amount


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("2", "2"), ("500m", "0.5"), ("1.5Gi", "1610612736"), ("1k", "1000"), ("2e3", "2000"), ("3E", "3e18"),
        ("1u", "0.000001"), ("0", "0"), (".5", "0.5"), ("5.", "5"), ("2Ei", "2305843009213693952"),
    ],
)  # fmt: skip
def test_a_quantity_is_the_number_that_kubernetes_reads(written: str, number: str) -> None:
    assert amount(written) == Decimal(number)


@pytest.mark.parametrize("written", ["", "much", "4GiB", "1 Gi", "Gi", "1x", ".", "1.2.3"])
def test_what_is_no_quantity_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity such as"):
        amount(written)
