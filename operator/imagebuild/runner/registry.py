"""Questions to a registry: is there a manifest, and what is it? With the credentials and settings that BuildKit has."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import re
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from imagebuild.contract.plan import Registry
from imagebuild.contract.result import LookUp
from imagebuild.runner.clientcerts import files
from imagebuild.runner.credentials import Logins, by_token, login
from imagebuild.runner.reference import DOCKER_HUB, split

__all__ = ["Answer", "Registries"]

T = TypeVar("T")

_SECONDS = 5.0
_BYTES = 4 << 20
"""The largest manifest that registries take."""
_ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.manifest.v1",
        "oci.image.index.v1",
        "docker.distribution.manifest.v2",
        "docker.distribution.manifest.list.v2",
    )
)
_PUSH = "pull,push"
_REFRESH = {"grant_type": "refresh_token", "client_id": "imagebuild"}
"""The protocol of distribution's token server: https://distribution.github.io/distribution/spec/auth/oauth/."""
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_NO_MANIFEST = (ValueError, TypeError, KeyError, RecursionError)
"""What becomes of an answer of another shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    found: LookUp
    digest: str = ""
    """This and the annotations only where the whole manifest was asked for."""
    annotations: Mapping[str, str] | None = None
    """Of an index: its own, and those that all of its manifests have."""


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    body: bytes | None = None
    kind: str = ""
    """Of the body."""


@dataclass(frozen=True, slots=True)
class Registries:
    settings: Mapping[str, Registry]
    logins: Logins
    ca_file: str | None
    seconds: float = _SECONDS
    proxies: Mapping[str, str] = field(default_factory=dict)
    """By scheme."""
    _away: set[str] = field(default_factory=set)
    """Mirrors that gave no answer: to wait for that again at each layer would take as long as the build may."""
    _granted: dict[str, str] = field(default_factory=dict)
    """By scope, what has answered the challenge of a push: nothing large is sent to be refused first."""

    def ask(self, repository: str, tag: str, *, whole: bool = False) -> Callable[[], Answer]:
        """Asks at once; calling what is returned waits for the answer. It never raises, and takes no longer than the
        time limit from now on: neither a cache nor a build that can be saved is worth more than that.
        """
        host, name = split(repository)
        answer: list[Answer] = []
        # a limit on each read is none on the whole: names are resolved, and challenges answered, at any length
        asking = threading.Thread(target=lambda: answer.append(self._answer(host, name, tag, whole)), daemon=True)
        asking.start()
        end = time.monotonic() + self.seconds

        def wait() -> Answer:
            asking.join(max(0.0, end - time.monotonic()))
            return answer[0] if answer else Answer(found=LookUp.TIMEOUT)

        return wait

    def get(self, repository: str, what: str, read: Callable[[Any], T]) -> T:
        """`manifests/…` or `blobs/…`, as `read` takes it from the answer: as BuildKit does from the first mirror that
        has it, else from the registry. Raises what urllib raises of that one."""
        host, name = split(repository)
        for mirror in self._setting(host).mirrors:
            at, _, path = mirror.partition("/")
            if at in self._away:
                continue
            try:
                return self._get(at, f"{path}/{name}" if path else name, f"{what}?ns={host}", "GET", read)
            except urllib.error.HTTPError:
                continue
            except OSError:
                self._away.add(at)
            except (http.client.HTTPException, *_NO_MANIFEST):
                continue
        return self._get(host, name, what, "GET", read)

    def has_login(self, host: str) -> bool | None:
        """Whether there are credentials for it. None: a token, and only the registry knows what it is good for."""
        return None if by_token(self.logins, host) else login(self.logins, host) is not None

    def begin_upload(self, host: str, name: str) -> Callable[[], None]:
        """The first request of a push; calling what is returned takes it back. Raises what urllib raises."""
        upload = self._begun(host, name)

        def undo() -> None:
            if self._elsewhere(host, name, upload):
                return  # a place that is not the registry's gets no credentials of it
            with contextlib.suppress(OSError, http.client.HTTPException, *_NO_MANIFEST):
                self._authorized(host, name, upload, _Request("DELETE"), _whole, _PUSH)

        return undo

    def push(self, repository: str, content: bytes) -> str:
        """A blob; its digest. Raises what urllib raises."""
        host, name = split(repository)
        digest, upload = f"sha256:{hashlib.sha256(content).hexdigest()}", self._begun(host, name)
        # urllib would open files of the pod, too; and what goes to a registry with TLS goes nowhere without
        ours, theirs = (urllib.parse.urlsplit(place).scheme for place in (self._url(host, name, ""), upload))
        if theirs not in {"https", ours}:
            raise ValueError("the registry leads an upload to no place of HTTP, or to one without TLS")
        url = f"{upload}{'&' if '?' in upload else '?'}{urllib.parse.urlencode({'digest': digest})}"
        request = _Request("PUT", content, "application/octet-stream")
        if self._elsewhere(host, name, upload):
            self._ask(url, self._setting(urllib.parse.urlsplit(url).netloc), request, _whole)
        else:
            self._authorized(host, name, url, request, _whole, _PUSH)
        return digest

    def tag(self, repository: str, tag: str, manifest: bytes, kind: str) -> None:
        """Raises what urllib raises."""
        host, name = split(repository)
        url = self._url(host, name, f"manifests/{tag}")
        self._authorized(host, name, url, _Request("PUT", manifest, kind), _whole, _PUSH)

    def _begun(self, host: str, name: str) -> str:
        """Where an upload goes on."""
        url = self._url(host, name, "blobs/uploads/")
        return urllib.parse.urljoin(url, self._authorized(host, name, url, _Request("POST"), _location, _PUSH))

    def _elsewhere(self, host: str, name: str, url: str) -> bool:
        return urllib.parse.urlsplit(url)[:2] != urllib.parse.urlsplit(self._url(host, name, ""))[:2]

    def _answer(self, host: str, name: str, tag: str, whole: bool) -> Answer:  # noqa: FBT001
        try:
            if whole:
                return self._manifest(host, name, tag)
            self._get(host, name, f"manifests/{tag}", "HEAD", _whole)
            return Answer(found=LookUp.FOUND)
        except urllib.error.HTTPError as error:
            if error.code in (_UNAUTHORIZED, _FORBIDDEN):
                return Answer(found=LookUp.UNAUTHORIZED)
            return Answer(found=LookUp.NOT_FOUND if error.code == _NOT_FOUND else LookUp.ERROR)
        except TimeoutError:
            return Answer(found=LookUp.TIMEOUT)
        except (OSError, http.client.HTTPException, *_NO_MANIFEST) as error:
            late = isinstance(getattr(error, "reason", None), TimeoutError)
            return Answer(found=LookUp.TIMEOUT if late else LookUp.ERROR)

    def _manifest(self, host: str, name: str, reference: str, *, in_index: bool = False) -> Answer:
        content = self._get(host, name, f"manifests/{reference}", "GET", _whole)
        document = _object(content)
        annotations = _texts(document.get("annotations"))
        parts = [_object(part) for part in document.get("manifests") or ()]
        if parts and not in_index:
            images = [part["digest"] for part in parts if not _attests(part)]
            inside = [self._manifest(host, name, image, in_index=True) for image in images]
            common = set.intersection(*(set((part.annotations or {}).items()) for part in inside)) if inside else set()
            annotations = {**dict(common), **annotations}
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        return Answer(found=LookUp.FOUND, digest=digest, annotations=annotations)

    def _get(self, host: str, name: str, what: str, method: str, read: Callable[[Any], T]) -> T:
        return self._authorized(host, name, self._url(host, name, what), _Request(method), read, "pull")

    def _url(self, host: str, name: str, what: str) -> str:
        server = "registry-1.docker.io" if host == DOCKER_HUB else host
        return f"{'http' if self._setting(host).http else 'https'}://{server}/v2/{name}/{what}"

    def _setting(self, host: str) -> Registry:
        return self.settings.get(host, Registry(host=host))

    def _authorized(  # noqa: PLR0917  what a request is about, in the order of a URL
        self, host: str, name: str, url: str, request: _Request, read: Callable[[Any], T], actions: str
    ) -> T:
        setting, scope = self._setting(host), f"repository:{name}:{actions}"
        granted = self._granted.get(f"{host} {scope}", "")
        try:
            return self._ask(url, setting, request, read, granted)
        except urllib.error.HTTPError as error:
            if error.code != _UNAUTHORIZED:
                raise
            authorization = self._authorization(error.headers.get("WWW-Authenticate", ""), host, scope, setting)
            if actions == _PUSH:
                self._granted[f"{host} {scope}"] = authorization
            return self._ask(url, setting, request, read, authorization)

    def _authorization(self, challenge: str, host: str, scope: str, setting: Registry) -> str:
        """The header that answers a Basic or Bearer challenge."""
        pair, tokens = login(self.logins, host), by_token(self.logins, host)
        basic = "Basic " + base64.b64encode(pair.encode()).decode() if pair else ""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() != "bearer":
            return basic
        if "registrytoken" in tokens:
            return f"Bearer {tokens['registrytoken']}"
        words = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = words.get("realm", "")
        if not realm.startswith(("https://", "http://")):
            raise ValueError("a challenge without a place to answer it")
        if realm.startswith("http:") and not setting.http:
            raise ValueError("a challenge that would have the password sent without TLS")
        asked = {"service": words.get("service", ""), "scope": scope}
        if "identitytoken" in tokens:
            form = {**asked, **_REFRESH, "refresh_token": tokens["identitytoken"]}
            request = _Request("POST", urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded")
            answer = _object(self._ask(realm, setting, request, _whole))
        else:
            url = f"{realm}?{urllib.parse.urlencode(asked)}"
            answer = _object(self._ask(url, setting, _Request("GET"), _whole, basic))
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str):
            raise ValueError("a token server without a token")  # noqa: TRY004 the answer's fault, not the caller's
        return f"Bearer {token}"

    def _ask(
        self, url: str, setting: Registry, asked: _Request, read: Callable[[Any], T], authorization: str = ""
    ) -> T:
        headers = {"Accept": _ACCEPT, **({"Content-Type": asked.kind} if asked.kind else {})}
        request = urllib.request.Request(url, asked.body, headers, method=asked.method)  # noqa: S310 http and https only
        if authorization:
            # stays here when the answer is a redirect to another host
            request.add_unredirected_header("Authorization", authorization)
        handlers = (urllib.request.ProxyHandler(dict(self.proxies)), *self._tls(url, setting))
        with urllib.request.build_opener(*handlers).open(request, timeout=self.seconds) as answer:
            return read(answer)

    def _tls(self, url: str, setting: Registry) -> tuple[urllib.request.BaseHandler, ...]:
        """Reading all authorities takes a while: only where they are asked for."""
        if not url.startswith("https:"):
            return ()
        context = ssl.create_default_context(cafile=self.ca_file)
        if setting.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if setting.client_certificate is not None:
            context.load_cert_chain(*files(setting.client_certificate))
        return (urllib.request.HTTPSHandler(context=context),)


def _whole(answer: Any) -> bytes:
    body: bytes = answer.read(_BYTES)
    return body


def _location(answer: Any) -> str:
    place: str = answer.headers.get("Location") or ""
    return place


def _object(given: object) -> dict[str, Any]:
    """A JSON object, from its text or as part of another."""
    value = json.loads(given) if isinstance(given, bytes) else given
    if not isinstance(value, dict):
        raise ValueError("an answer that is no object")  # noqa: TRY004 the answer's fault, not the caller's
    return value


def _texts(given: object) -> dict[str, str]:
    pairs = given.items() if isinstance(given, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _attests(part: dict[str, Any]) -> bool:
    """Provenance and the like lie beside the images in an index."""
    return "vnd.docker.reference.type" in _texts(part.get("annotations"))
