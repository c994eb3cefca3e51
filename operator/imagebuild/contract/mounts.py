"""Secrets, ConfigMaps and claims as a plan names them: by where they are mounted."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Mount", "RegistrySecret", "SecretKey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A Secret or ConfigMap the user named, mounted as a directory that is empty while the object does not exist."""

    name: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """A value of a Secret, mounted as a file that is missing while the Secret or the key does not exist."""

    name: str
    key: str
    path: str
    ssh: bool = False
    """It is to be a private key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySecret(Mount):
    """A Secret with credentials for registries."""

    registry: str | None = None
    """What a bare user name and password are for: host[:port][/path]."""
