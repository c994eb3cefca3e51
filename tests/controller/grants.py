"""What the operator's roles in manifests/ grant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_MANIFESTS = Path(__file__).parents[2] / "manifests"
_RBAC = _MANIFESTS / "operator" / "rbac.yaml"

Grants = dict[tuple[str, str], set[str]]
"""Verbs by API group and resource."""


def granted() -> Grants:
    """In the whole cluster."""
    rules = _rules("ClusterRole")
    assert all(rule.keys() == {"apiGroups", "resources", "verbs"} for rule in rules)
    return _grants(rules)


def granted_at_home() -> tuple[Grants, set[str]]:
    """In the operator's own namespace; and the names that all but `create` is limited to."""
    rules = _rules("Role")
    assert all("resourceNames" in rule or rule["verbs"] == ["create"] for rule in rules)
    return _grants(rules), {name for rule in rules for name in rule.get("resourceNames", ())}


def granted_for_claims() -> Grants:
    """In the whole cluster, by the component for cache volumes."""
    return _grants(_rules("ClusterRole", _MANIFESTS / "components" / "cache-volumes" / "rbac.yaml"))


def granted_in_a_namespace() -> Grants:
    """In each one that an operator with Roles only works in."""
    return _grants(_rules("Role", _MANIFESTS / "namespaced" / "watched" / "role.yaml"))


def granted_for_claims_in_a_namespace() -> Grants:
    """There, by its own component for cache volumes."""
    return _grants(_rules("Role", _MANIFESTS / "namespaced" / "cache-volumes" / "rbac.yaml"))


def _rules(kind: str, file: Path = _RBAC) -> list[dict[str, Any]]:
    (role,) = (each for each in yaml.safe_load_all(file.read_text()) if each["kind"] == kind)
    rules: list[dict[str, Any]] = role["rules"]
    return rules


def _grants(rules: list[dict[str, Any]]) -> Grants:
    verbs: Grants = {}
    for rule in rules:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs
