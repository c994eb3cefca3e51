"""The certificate authorities that everything in the pod trusts, and how RUN steps get them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from imagebuild.contract.plan import Plan
from imagebuild.runner.process import say

__all__ = ["merged", "offer"]

_ID = "imagebuild-ca"
_SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
"""Of the builder image, which is a Debian. Python's ssl would say so, too, and takes longer to import than the rest."""
_BYTES = 500 * 1024
"""The largest secret that BuildKit passes on."""


def merged(plan: Plan, work: Path) -> Path | None:
    """The image's certificate authorities and the operator's in one file: SSL_CERT_FILE replaces, it does not add."""
    if not plan.certificates:
        return None
    file = work / "ca.crt"
    if not file.exists():  # the archive wants it again, when the disk may be full
        system = _SYSTEM.read_bytes() if _SYSTEM.exists() else b""
        file.write_bytes(system + b"\n" + plan.certificates.encode())
    return file


def offer(plan: Plan, bundle: Path | None) -> Plan:
    """As a build secret, which no image and no cache key knows of. One of that name in the spec stays what it is."""
    if bundle is None or any(word.startswith(f"id={_ID},") for word in plan.args):
        return plan
    if (size := bundle.stat().st_size) > _BYTES:
        say(f"RUN steps cannot have the certificate authorities: {size:,} bytes, and BuildKit takes {_BYTES:,}")
        return plan
    return replace(plan, args=(*plan.args, "--secret", f"id={_ID},src={bundle}"))
