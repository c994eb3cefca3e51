"""Where to work: the cluster and registries that `hack/cluster env` names, or those of one's own environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcluster import places
from localcluster.work import Failure

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    kubeconfig: str
    kubectl: str
    registry: str
    """Open, plain HTTP; holds our own images."""
    private_registry: str
    """TLS from a private CA, and a password."""
    registry_ca: str
    """PEM file."""
    user: str
    password_file: str
    mirror: str
    """Of docker.io; empty where the public one is reached."""
    builder_image: str
    operator_image: str
    cli_image: str
    wheels_image: str
    """Empty where the Dockerfile may ask PyPI itself."""

    @property
    def password(self) -> str:
        return Path(self.password_file).read_text().strip()

    @property
    def authorities(self) -> str:
        return Path(self.registry_ca).read_text()


def place(environ: Mapping[str, str] = os.environ) -> Place:
    """The environment wins over what hack/cluster and hack/images recorded, so that the tests run on any cluster."""
    recorded = {} if "IMAGEBUILD_REGISTRY" in environ else places.load_env(places.find(environ))
    values = {**recorded, **environ}
    try:
        return Place(
            kubeconfig=values["KUBECONFIG"],
            kubectl=values.get("KUBECTL", "kubectl"),
            registry=values["IMAGEBUILD_REGISTRY"],
            private_registry=values["IMAGEBUILD_PRIVATE_REGISTRY"],
            registry_ca=values["IMAGEBUILD_REGISTRY_CA"],
            user=values["IMAGEBUILD_REGISTRY_USER"],
            password_file=values["IMAGEBUILD_REGISTRY_PASSWORD_FILE"],
            mirror=values.get("IMAGEBUILD_MIRROR", ""),
            builder_image=values["IMAGEBUILD_BUILDER_IMAGE"],
            operator_image=values["IMAGEBUILD_OPERATOR_IMAGE"],
            cli_image=values["IMAGEBUILD_CLI_IMAGE"],
            wheels_image=values.get("IMAGEBUILD_WHEELS_IMAGE", ""),
        )
    except KeyError as missing:
        raise Failure("no images", f"{missing} is not known", "run hack/cluster up and hack/images") from missing


def git(*words: str, cwd: Path = ROOT) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.strip()
