"""How a registry is shown a login: as it asks for it, by a password or by what its token server gives for one."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3

from imagebuild.cli.upload.login import Login
from imagebuild.cli.upload.problem import UploadError

__all__ = ["PULL", "PUSH", "Tokens"]

PULL, PUSH = "pull", "pull,push"

_CLIENT = "imagebuild"
_AGAIN = urllib3.Retry(4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None)
_OK = 200
_MOST_BYTES = 1 << 20


class Tokens:
    """Of one repository; for all threads that push to it."""

    def __init__(
        self,
        http: urllib3.PoolManager,
        registry: str,
        repository: str,
        login: Callable[[], Login],
        actions: str = PUSH,
    ) -> None:
        """`registry`: scheme and host. The login is looked for once it is asked for."""
        self._http, self._registry, self._repository, self._find = http, registry, repository, login
        self._actions = actions
        self._name = f"{urlsplit(registry).netloc}/{repository}"
        self._login: Login | None = None
        self._header: dict[str, str] = {}
        self._lock = threading.Lock()

    def header(self, url: str) -> dict[str, str]:
        """For the registry itself: where it sends somebody else, such as to a bucket, nobody is shown anything."""
        here = urlsplit(url)
        return self._header if f"{here.scheme}://{here.netloc}" == self._registry else {}

    def renew(self, challenge: str, used: Mapping[str, str], url: str) -> None:
        """After a 401 for what was `used`. Raises UploadError."""
        here = urlsplit(url)
        with self._lock:
            if f"{here.scheme}://{here.netloc}" == self._registry and self._header == used:
                self._header = self._answer(challenge)

    def _answer(self, challenge: str) -> dict[str, str]:
        if self._login is None:
            self._login = self._find()
        kind, _, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return _basic(self._login)
        if self._login.registry_token:
            return {"Authorization": f"Bearer {self._login.registry_token}"}
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        return {"Authorization": f"Bearer {self._token(words.get('realm', ''), words.get('service', ''), self._login)}"}

    def _token(self, realm: str, service: str, login: Login) -> str:
        if urlsplit(realm).scheme not in {"https", urlsplit(self._registry).scheme}:
            raise UploadError(
                f"{self._name}: the registry sends for a token to {realm or 'nowhere'}, without TLS: ask who runs it"
            )
        asked = {"service": service, "scope": f"repository:{self._repository}:{self._actions}"}
        try:
            if login.identity_token:
                form = {**asked, "grant_type": "refresh_token", "client_id": _CLIENT}
                form["refresh_token"] = login.identity_token
                answer = self._ask("POST", realm, fields=form, encode_multipart=False)
            else:
                url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}"
                answer = self._ask("GET", url, headers=_basic(login))
            content = answer.read(_MOST_BYTES)  # more than that is no token
            answer.close()
        except urllib3.exceptions.HTTPError as error:
            said = f"{self._name}: the token server {realm} cannot be reached ({error}): try again"
            raise UploadError(said, again=True) from error
        return self._read(answer.status, content, realm)

    def _ask(self, method: str, url: str, **more: Any) -> urllib3.BaseHTTPResponse:
        return self._http.request(method, url, retries=_AGAIN, preload_content=False, **more)

    def _read(self, status: int, content: bytes, realm: str) -> str:
        if status != _OK:
            use = "pushing" if self._actions == PUSH else "pulling"
            raise UploadError(
                f"{self._name}: {realm} gives no token for {use} (it answers {status}): log in "
                f"again, with `docker login {self._name.partition('/')[0]}`"
            )
        try:
            document: dict[str, Any] = json.loads(content)
            token = document.get("token") or document.get("access_token")
        except (ValueError, AttributeError):
            token = None
        if not isinstance(token, str):
            raise UploadError(f"{self._name}: {realm} answers without a token: ask who runs the registry")
        return token


def _basic(login: Login) -> dict[str, str]:
    pair = f"{login.user}:{login.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"} if login.user else {}
