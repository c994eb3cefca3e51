"""The end-to-end tests' fixtures, and the node itself. These tests disturb all others: one at a time, and nothing beside."""

from __future__ import annotations

import pytest

from e2e.conftest import kubectl, new_namespace, operator, place, story
from testbed.kubectl import Kubectl
from testbed.node import Node

__all__ = ["kubectl", "new_namespace", "operator", "place", "story"]


@pytest.fixture(scope="session")
def node(kubectl: Kubectl) -> Node:
    return Node(kubectl)
