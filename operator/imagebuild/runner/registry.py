"""One question to a registry: is there a manifest of this name? With the credentials and settings that BuildKit has."""

from __future__ import annotations

import base64
import json
import re
import ssl
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

    def look_up(self, repository: str, tag: str) -> LookUp:
        """Never raises and never takes much longer than the time limit: a cache is worth no more than that."""
        host, name = split(repository)
        try:
            return self._head(host, name, tag)
        except urllib.error.HTTPError as error:
            if error.code in (_UNAUTHORIZED, _FORBIDDEN):
                return LookUp.UNAUTHORIZED
            return LookUp.NOT_FOUND if error.code == _NOT_FOUND else LookUp.ERROR
        except TimeoutError:
            return LookUp.TIMEOUT
        except (OSError, ValueError) as error:
            return LookUp.TIMEOUT if isinstance(getattr(error, "reason", None), TimeoutError) else LookUp.ERROR

    def _head(self, host: str, name: str, tag: str) -> LookUp:
        setting = self.settings.get(host, Registry(host=host))
        server = "registry-1.docker.io" if host == _DOCKER_HUB else host
        url = f"{'http' if setting.http else 'https'}://{server}/v2/{name}/manifests/{tag}"
        try:
            self._ask(url, setting, "HEAD", {"Accept": _ACCEPT})
        except urllib.error.HTTPError as error:
            if error.code != _UNAUTHORIZED:
                raise
            answer = self._authorization(error.headers.get("WWW-Authenticate", ""), host, name, setting)
            self._ask(url, setting, "HEAD", {"Accept": _ACCEPT, "Authorization": answer})
        return LookUp.FOUND

    def _authorization(self, challenge: str, host: str, name: str, setting: Registry) -> str:
        """The header that answers a Basic or Bearer challenge."""
        pair = login(self.logins, host)
        basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()} if pair else {}
        kind, _, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return basic.get("Authorization", "")
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        query = urllib.parse.urlencode({"service": words.get("service", ""), "scope": f"repository:{name}:pull"})
        answer = json.loads(self._ask(f"{words['realm']}?{query}", setting, "GET", basic))
        return f"Bearer {answer.get('token') or answer['access_token']}"

    def _ask(self, url: str, setting: Registry, method: str, headers: Mapping[str, str]) -> bytes:
        context = ssl.create_default_context(cafile=self.ca_file)
        if setting.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        request = urllib.request.Request(url, method=method, headers=dict(headers))  # noqa: S310 http and https only
        with urllib.request.urlopen(request, timeout=_SECONDS, context=context) as answer:  # noqa: S310
            body: bytes = answer.read(1 << 20)
            return body
