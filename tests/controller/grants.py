"""What the operator's ClusterRole in manifests/ grants."""

from __future__ import annotations

from pathlib import Path

import yaml

_RBAC = Path(__file__).parents[2] / "manifests" / "operator" / "rbac.yaml"


def granted() -> dict[tuple[str, str], set[str]]:
    """Verbs by API group and resource."""
    (role,) = (each for each in yaml.safe_load_all(_RBAC.read_text()) if each["kind"] == "ClusterRole")
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        assert rule.keys() == {"apiGroups", "resources", "verbs"}
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs
