"""How buildkitd finds credentials for object stores, and helpers those for registries: by the names of files and
addresses, never by what is in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from imagebuild.contract.plan import Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["environment", "identity"]

_IDENTITY = (
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "GCE_METADATA_HOST",
)
"""What clouds put into pods whose service account has an identity there: names, addresses and paths."""
_FILE = "credentials"


def identity(pod: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the pod knows of the identity of its service account."""
    return {name: pod[name] for name in _IDENTITY if name in pod}


def environment(s3: Mount | None, pod: Mapping[str, str] = os.environ) -> dict[str, str]:
    """For buildkitd. Raises Problem where the Secret is not there, or is another one."""
    found = identity(pod)
    if s3 is None:
        return found
    directory = Path(s3.path)
    keys = sorted(file.name for file in directory.glob("[!.]*")) if directory.is_dir() else []
    if not keys:
        raise Problem(Reason.SECRET_MISSING, f"the Secret {s3.name} does not exist (named in cache.s3Credentials)")
    if _FILE not in keys:
        told = f"the Secret {s3.name} has the keys {', '.join(keys)}, but not {_FILE} (named in cache.s3Credentials)"
        raise Problem(Reason.SECRET_INVALID, told)
    return {**found, "AWS_SHARED_CREDENTIALS_FILE": str(directory / _FILE)}
