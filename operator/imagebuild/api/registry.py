"""`spec.registrySecrets`: who may pull and push."""

from __future__ import annotations

from typing import Annotated

from imagebuild.api.model import Model, ObjectName, text


class RegistrySecret(Model):
    name: ObjectName
    """Of the Secret: kubernetes.io/dockerconfigjson, dockercfg or basic-auth. It may appear later: the build waits."""
    registry: Annotated[
        str | None,
        text(
            400,
            (
                "self.matches('^[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$')",
                "must be host or host:port, perhaps with a path, such as registry.example.com/team",
            ),
        ),
    ] = None
    """What user name and password of a basic-auth Secret are for: host or host:port, perhaps with a path."""
