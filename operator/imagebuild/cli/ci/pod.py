"""The pod that the command runs in, by the claims of its own service-account token, without an API call or a right.

The token is not checked: it is the pod's own file, and what it says is only who goes when the pod goes.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Pod", "claimed", "here"]

_TOKEN_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    namespace: str
    name: str
    uid: str

    @property
    def reference(self) -> dict[str, Any]:
        """Without blockOwnerDeletion, which would take one more right."""
        return {"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid}


def claimed(token: str) -> Pod | None:
    """None for tokens that are bound to no pod, and for what is no token."""
    try:
        body = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["kubernetes.io"]
        return Pod(namespace=claims["namespace"], name=claims["pod"]["name"], uid=claims["pod"]["uid"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return None


def here() -> Pod | None:
    try:
        return claimed(_TOKEN_FILE.read_text())
    except OSError:
        return None
