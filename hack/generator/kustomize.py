"""manifests/ as kustomize would render it, as far as manifests/ goes: resources, a namespace, ConfigMaps out of files.

So that files can be made from it where no kubectl is. tests/e2e/test_chart.py compares with kustomize itself.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]

WITHOUT_NAMESPACE = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Namespace",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)


def documents(directory: Path) -> list[Document]:
    """ConfigMaps have the names that kustomize refers to, without the hash of their content."""
    said = yaml.safe_load((directory / "kustomization.yaml").read_text())
    found = [document for name in said["resources"] for document in yaml.safe_load_all((directory / name).read_text())]
    for generator in said.get("configMapGenerator", ()):
        data = {name: (directory / name).read_text() for name in generator["files"]}
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data})
    if "namespace" in said:
        for document in found:
            if document["kind"] not in WITHOUT_NAMESPACE:
                document["metadata"]["namespace"] = said["namespace"]
    return found


def of_kind(found: list[Document], kind: str) -> Document:
    """The only one."""
    (document,) = (each for each in found if each["kind"] == kind)
    return document


def hashed(config_map: Document) -> str:
    """Its name with kustomize's hash: of what Go would write, without a name, in letters that make no word."""
    what = {"data": config_map["data"], "kind": "ConfigMap", "name": ""}
    text = json.dumps(what, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{config_map['metadata']['name']}-{digest.translate(str.maketrans('013ae', 'ghkmt'))}"
