"""The files of `spec.secrets` and `spec.ssh`, looked at before BuildKit is: what is missing, what cannot be used.

buildctl would say it, too, but in words that name neither the Secret nor what is wrong with it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from pathlib import Path

from imagebuild.contract.plan import SecretKey
from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem

__all__ = ["check"]

_BYTES = 500 * 1024
"""The largest secret that BuildKit passes on."""
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----(.*?)-----END \1PRIVATE KEY-----", re.DOTALL)
_OPENSSH = b"openssh-key-v1\0"
_NO_CIPHER = b"\0\0\0\4none"


def check(keys: Iterable[SecretKey]) -> None:
    """Raises Problem for the first that is missing or cannot be used. Says nothing of any content."""
    for key in keys:
        file = Path(key.path)
        if not file.is_file():
            raise Problem(Reason.SECRET_MISSING, f"the Secret {key.name} does not exist, or has no key {key.key}")
        if (size := file.stat().st_size) > _BYTES:
            raise Problem(
                Reason.SECRET_INVALID,
                f"{key.key} in the Secret {key.name} has {size:,} bytes; BuildKit takes {_BYTES:,}",
            )
        if key.ssh and (wrong := _private_key(file.read_bytes())):
            raise Problem(Reason.SECRET_INVALID, f"{key.key} in the Secret {key.name} {wrong}")


def _private_key(content: bytes) -> str:
    """What is wrong with it; empty where BuildKit can use it."""
    found = _PEM.search(content)
    if found is None:
        return "is not a private key in PEM"
    kind, body = found[1], found[2]
    if kind == b"OPENSSH ":
        try:
            inside = base64.b64decode(b"".join(body.split()), validate=True)
        except binascii.Error:
            return "is not a private key in PEM"
        locked = not inside.removeprefix(_OPENSSH).startswith(_NO_CIPHER)
    else:
        locked = b"ENCRYPTED" in kind + body
    return "has a passphrase: a build cannot be asked for it" if locked else ""
