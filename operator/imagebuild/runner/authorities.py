"""The certificate authorities that everything in the pod trusts."""

from __future__ import annotations

import shutil
from pathlib import Path

from imagebuild.contract.plan import Plan

__all__ = ["merged"]


def merged(plan: Plan, work: Path) -> Path | None:
    """The image's certificate authorities and the operator's in one file: SSL_CERT_FILE replaces, it does not add."""
    if not plan.certificates:
        return None
    import ssl  # noqa: PLC0415 slow to import, and most plans have none

    system = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    file = work / "ca.crt"
    if Path(system).exists():
        shutil.copyfile(system, file)
    with file.open("a") as bundle:
        bundle.write("\n" + plan.certificates)
    return file
