"""install.yaml: all that a cluster needs, with every image by digest."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from localcluster import gobuild
from localcluster.pins import REPOSITORY, Pins
from localcluster.places import Places
from localcluster.work import Failure, run
from supply.publish import Published

MANIFESTS = REPOSITORY / "manifests"
NAMESPACE = "imagebuild-system"
IN_CONFIG = "image: imagebuild-builder:{version}\n"


def render(pins: Pins, where: Places, version: str, builder: Published, operator: Published) -> str:
    config = (MANIFESTS / "operator" / "config.yaml").read_text()
    named = IN_CONFIG.format(version=version)
    if config.count(named) != 1:
        raise Failure(
            "rendering install.yaml", f"manifests/operator/config.yaml has no `{named.strip()}`", "write it so"
        )
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch).resolve()
        (directory / "config.yaml").write_text(config.replace(named, f"image: {builder.name}\n"))
        base = os.path.relpath(MANIFESTS, directory)
        (directory / "kustomization.yaml").write_text(json.dumps(overlay(base, builder, operator)))
        return run(kubectl(pins, where), "kustomize", directory)


def overlay(base: str, builder: Published, operator: Published) -> dict[str, object]:
    """Over manifests/, as a user's own would be; the configuration keeps its name, so that it can be patched."""
    images = {"imagebuild-builder": builder, "imagebuild-operator": operator}
    expression = {"op": "replace", "path": "/spec/variables/0/expression", "value": json.dumps(builder.name)}
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "components": [f"{base}/components/operator-bounds"],
        "images": [
            {"name": name, "newName": image.repository, "digest": image.digest} for name, image in images.items()
        ],
        "configMapGenerator": [
            {
                "name": "imagebuild-operator",
                "namespace": NAMESPACE,
                "behavior": "replace",
                "files": ["config.yaml"],
                "options": {"disableNameSuffixHash": True},
            }
        ],
        "patches": [
            {
                "target": {"kind": "ValidatingAdmissionPolicy", "name": "imagebuild-operator-bounds$"},
                "patch": json.dumps([expression]),
            }
        ],
    }


def kubectl(pins: Pins, where: Places) -> Path:
    found = shutil.which(os.environ.get("KUBECTL") or "kubectl")
    return Path(found) if found else gobuild.binary(pins, where.cache, "kubectl")
