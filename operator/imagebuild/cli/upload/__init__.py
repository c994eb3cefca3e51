"""A local directory as an OCI artifact in the user's registry, for `spec.source.oci`: no exec, no attach, no volume."""

from __future__ import annotations

from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.push import Progress, push_directory

__all__ = ["Progress", "UploadError", "push_directory"]
