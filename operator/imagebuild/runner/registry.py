"""One question to a registry: is there a manifest of this name? With the credentials and settings that BuildKit has."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from imagebuild.contract.plan import Registry
from imagebuild.contract.result import LookUp
from imagebuild.runner.credentials import Logins, login

__all__ = ["Registries", "split"]

_SECONDS = 5.0
_ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_DOCKER_HUB = "docker.io"


def split(image: str) -> tuple[str, str]:
    """`host[:port]/repository` as host and repository, with Docker's rules for names without a host."""
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest if first != _DOCKER_HUB or "/" in rest else f"library/{rest}"
    return _DOCKER_HUB, image if slash else f"library/{image}"


@dataclass(frozen=True, slots=True)
class Registries:
    settings: Mapping[str, Registry]
    logins: Logins
    ca_file: str | None
    seconds: float = _SECONDS

    def look_up(self, repository: str, tag: str) -> LookUp:
        """Never raises, and takes no longer than the time limit: a cache is worth no more than that."""
        host, name = split(repository)
        answer: list[LookUp] = []
        # a limit on each read is none on the whole: names are resolved, and challenges answered, at any length
        asking = threading.Thread(target=lambda: answer.append(self._look_up(host, name, tag)), daemon=True)
        asking.start()
        asking.join(self.seconds)
        return answer[0] if answer else LookUp.TIMEOUT

    def _look_up(self, host: str, name: str, tag: str) -> LookUp:
        try:
            return self._head(host, name, tag)
        except urllib.error.HTTPError as error:
            if error.code in (_UNAUTHORIZED, _FORBIDDEN):
                return LookUp.UNAUTHORIZED
            return LookUp.NOT_FOUND if error.code == _NOT_FOUND else LookUp.ERROR
        except TimeoutError:
            return LookUp.TIMEOUT
        except (OSError, ValueError, http.client.HTTPException) as error:
            return LookUp.TIMEOUT if isinstance(getattr(error, "reason", None), TimeoutError) else LookUp.ERROR

    def _head(self, host: str, name: str, tag: str) -> LookUp:
        setting = self.settings.get(host, Registry(host=host))
        server = "registry-1.docker.io" if host == _DOCKER_HUB else host
        url = f"{'http' if setting.http else 'https'}://{server}/v2/{name}/manifests/{tag}"
        try:
            self._ask(url, setting, "HEAD")
        except urllib.error.HTTPError as error:
            if error.code != _UNAUTHORIZED:
                raise
            challenge = error.headers.get("WWW-Authenticate", "")
            self._ask(url, setting, "HEAD", self._authorization(challenge, host, name, setting))
        return LookUp.FOUND

    def _authorization(self, challenge: str, host: str, name: str, setting: Registry) -> str:
        """The header that answers a Basic or Bearer challenge."""
        pair = login(self.logins, host)
        basic = "Basic " + base64.b64encode(pair.encode()).decode() if pair else ""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return basic
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = words.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise ValueError("a challenge without a place to answer it")
        query = urllib.parse.urlencode({"service": words.get("service", ""), "scope": f"repository:{name}:pull"})
        answer = json.loads(self._ask(f"{realm}?{query}", setting, "GET", basic))
        token = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise ValueError("a token server without a token")  # noqa: TRY004 the answer's fault, not the caller's
        return f"Bearer {token}"

    def _ask(self, url: str, setting: Registry, method: str, authorization: str = "") -> bytes:
        request = urllib.request.Request(url, method=method, headers={"Accept": _ACCEPT})  # noqa: S310 http and https only
        if authorization:
            # stays here when the answer is a redirect to another host
            request.add_unredirected_header("Authorization", authorization)
        with urllib.request.urlopen(request, timeout=self.seconds, context=self._tls(url, setting)) as answer:  # noqa: S310
            body: bytes = answer.read(1 << 20)
            return body

    def _tls(self, url: str, setting: Registry) -> ssl.SSLContext | None:
        """Reading all authorities takes a while: only where they are asked for."""
        if not url.startswith("https:"):
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if setting.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
