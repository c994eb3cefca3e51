"""Secrets and ConfigMaps as they are mounted: a file per key, and none while the object does not exist."""

from __future__ import annotations

from pathlib import Path

from imagebuild.contract.plan import Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["files", "secret"]


def files(mount: Mount) -> dict[str, Path]:
    """By key. The kubelet keeps the files themselves in a hidden directory."""
    directory = Path(mount.path)
    return (
        {file.name: file for file in sorted(directory.iterdir()) if not file.name.startswith("..")}
        if directory.is_dir()
        else {}
    )


def secret(mount: Mount, named_in: str = "secretRef") -> dict[str, str]:
    """Its values as text. Raises Problem for one that does not exist."""
    found = files(mount)
    if not found:
        raise Problem(Reason.SECRET_MISSING, f"the Secret {mount.name} does not exist (named in {named_in})")
    try:
        return {key: file.read_text() for key, file in found.items()}
    except UnicodeDecodeError as error:
        raise Problem(Reason.SECRET_INVALID, f"the Secret {mount.name} has a value that is no text") from error
