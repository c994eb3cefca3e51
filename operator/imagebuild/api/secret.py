"""`spec.secrets` and `spec.ssh`: what RUN steps may read while they run, and what no image keeps."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from imagebuild.api.model import Model, ObjectName, SecretReference, text

MountId = Annotated[
    str,
    text(
        128,
        (
            "self.matches('^[a-zA-Z0-9_][a-zA-Z0-9_.:-]*$')",
            "an id has letters, digits, '_', '.', ':' and '-', as in RUN --mount=type=secret,id=token",
        ),
    ),
]


def by_id(limit: int) -> Any:
    """Of a list: its greatest length, and that no two of its items have the same id."""
    keys: dict[str, Any] = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id"]}
    return Field(max_length=limit, json_schema_extra=keys)


class SecretKeySelector(Model):
    name: ObjectName
    """Of the Secret. It may appear later: the build waits for it."""
    key: Annotated[
        str,
        text(
            253,
            (
                "self.matches('^[-._a-zA-Z0-9]+$') && !self.startsWith('..') && self != '.'",
                "must be a key of a Secret: letters, digits, '-', '_' and '.'",
            ),
        ),
    ]
    """Whose value is mounted, byte for byte."""


class BuildSecret(Model):
    """One value of a Secret for RUN --mount=type=secret."""

    id: MountId
    """What the Dockerfile calls it: RUN --mount=type=secret,id=token reads it as /run/secrets/token."""
    secret_key_ref: SecretKeySelector
    """Where the value is."""


class SSHKey(Model):
    """A private key for RUN --mount=type=ssh. Steps can sign with it, and cannot read it."""

    id: MountId
    """What the Dockerfile calls it; RUN --mount=type=ssh without an id means default."""
    secret_ref: SecretReference
    """A Secret of type kubernetes.io/ssh-auth: the key ssh-privatekey, without a passphrase."""
