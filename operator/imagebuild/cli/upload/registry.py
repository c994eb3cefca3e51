"""Blobs and manifests into one repository of a registry, through whatever goes wrong on the way.

oras, the Python client, was looked at: its requests have no time limit, an upload that breaks off starts anew, a token
that expires meanwhile is sent again, and it knows no identity tokens. This much is all that is needed.
"""

from __future__ import annotations

import http
import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3

from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.token import Tokens

__all__ = ["Connection", "Repository"]

CHUNK = 16 << 20
_TRIES = 6
_LONGEST_WAIT = 30.0
_BLOCK = 1 << 18
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_GONE = {404, 410, 416}
"""What a registry answers that has forgotten an upload, or is elsewhere in it."""
_NO_CHUNKS = {400, 405, 411, 413, 501}
"""What registries answer that take a blob in one piece only."""
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"}
_ELSEWHERE = {301, 302, 303, 307, 308}
_REDIRECTS = 5
_OCTETS = {"Content-Type": "application/octet-stream"}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_WORD = 1 << 20
"""Bytes of an answer that is no content."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Whatever case their names are asked for in."""
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    http: urllib3.PoolManager
    server: str
    """Scheme and host."""
    tokens: Tokens
    sleep: Callable[[float], object]


@dataclass(slots=True)
class _Sending:
    """A blob on its way."""

    place: str
    """A URL, another one after each chunk."""
    file: IO[bytes]
    size: int
    digest: str
    offset: int = 0


class Repository:
    """Its methods raise UploadError."""

    def __init__(self, connection: Connection, host: str, path: str, sent: Callable[[int], None]) -> None:
        """`host` and `path` as people write them; `sent` is told of bytes as they go out; it raises to end it all."""
        self._connection, self._host, self._sent = connection, host, sent
        self._name, self._url = f"{host}/{path}", f"{connection.server}/v2/{path}"
        self._failure = ""
        """Of the last connection that has failed."""

    def has(self, digest: str) -> bool:
        """A registry that leads elsewhere for the content has it."""
        answer = self._ask("HEAD", f"{self._url}/blobs/{digest}")
        if answer.status == http.HTTPStatus.NOT_FOUND:
            return False
        return answer.status in _ELSEWHERE or bool(self._good(answer))

    def get(self, what: str, most: int) -> bytes | None:
        """`manifests/…` or `blobs/…` as it was pushed, of no more than `most` bytes; None where there is no such thing,
        or none for this login."""
        url = f"{self._url}/{what}"
        for _ in range(_REDIRECTS):
            answer = self._ask("GET", url, headers={"Accept": _MANIFEST}, most=most)
            if answer.status in (http.HTTPStatus.FORBIDDEN, http.HTTPStatus.NOT_FOUND):
                return None
            if answer.status not in _ELSEWHERE:
                return self._good(answer).data
            url = self._location(answer, url)
        raise self._unreachable("it leads in circles")

    def upload(self, digest: str, file: IO[bytes], size: int) -> None:
        """One that breaks off goes on where the registry has got to; one that it has forgotten starts anew."""
        chunked, number = size > CHUNK, 0
        end: Answer | None = None
        while number < _TRIES:
            answer = self._good(self._ask("POST", f"{self._url}/blobs/uploads/", headers={"Content-Length": "0"}))
            sending = _Sending(self._location(answer, self._url), file, size, digest)
            end = self._in_chunks(sending) if chunked else self._rest(sending)
            if end is None or end.status in _BUSY | _GONE:
                self._wait(number, end)
                number += 1
            elif chunked and end.status in _NO_CHUNKS:
                chunked = False
            else:
                self._good(end)
                return
        raise self._unreachable(f"every upload breaks off: {self._failure if end is None else end.status}")

    def tag(self, tag: str, document: bytes) -> None:
        headers = {"Content-Type": _MANIFEST}
        self._good(self._ask("PUT", f"{self._url}/manifests/{tag}", body=document, headers=headers))

    def _in_chunks(self, sending: _Sending) -> Answer | None:
        failures = 0
        while sending.offset < sending.size:
            end = min(sending.offset + CHUNK, sending.size)
            span = {"Content-Range": f"{sending.offset}-{end - 1}", "Content-Length": str(end - sending.offset)}
            content = self._part(sending.file, sending.offset, end)
            answer = self._once("PATCH", sending.place, headers={**_OCTETS, **span}, body=content)
            if answer is not None and answer.status < http.HTTPStatus.BAD_REQUEST:
                sending.place, sending.offset, failures = self._location(answer, sending.place), end, 0
                continue
            while _again(answer) and failures < _TRIES:
                self._wait(failures, answer)
                failures += 1
                answer = self._once("GET", sending.place)
            if answer is None or answer.status >= http.HTTPStatus.BAD_REQUEST:
                return answer
            sending.place, sending.offset = self._location(answer, sending.place), _taken(answer)
        return self._rest(sending)

    def _rest(self, sending: _Sending) -> Answer | None:
        """What is left, and the word that it is all."""
        mark = "&" if "?" in sending.place else "?"
        url = f"{sending.place}{mark}{urlencode({'digest': sending.digest})}"
        headers = {**_OCTETS, "Content-Length": str(sending.size - sending.offset)}
        return self._once("PUT", url, headers=headers, body=self._part(sending.file, sending.offset, sending.size))

    def _part(self, file: IO[bytes], start: int, end: int) -> Callable[[], Iterator[bytes]]:
        def blocks() -> Iterator[bytes]:
            file.seek(start)
            left = end - start
            while left and (block := file.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
                self._sent(len(block))

        return blocks

    def _ask(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        most: int = _WORD,
    ) -> Answer:
        """Again and again, as long as it may help."""
        for number in range(_TRIES):
            answer = self._once(method, url, headers=headers, body=body, most=most)
            if answer is not None and not _again(answer):
                return answer
            self._wait(number, answer)
        raise self._unreachable(self._failure if answer is None else f"it answers {answer.status}")

    def _once(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Callable[[], Iterator[bytes]] | None = None,
        most: int = _WORD,
    ) -> Answer | None:
        """With the login, if the registry asks for one. None: the connection has failed."""
        for last in (False, True):
            login = self._connection.tokens.header(url)
            content = body() if callable(body) else body
            try:
                answer = self._heard(method, url, {**(headers or {}), **login}, content, most)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                self._refuse(error)
                self._failure = str(error).rpartition("): ")[2]
                return None
            if answer.status != http.HTTPStatus.UNAUTHORIZED or last:
                return answer
            self._connection.tokens.renew(answer.headers.get("WWW-Authenticate", ""), login, url)
        return None

    def _heard(
        self, method: str, url: str, headers: dict[str, str], body: bytes | Iterator[bytes] | None, most: int
    ) -> Answer:
        """As it comes over the line: whatever is packed is checked before it is unpacked."""
        said = self._connection.http.request(
            method,
            url,
            headers=headers,
            body=body,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )
        content = bytearray()
        for block in said.stream(_BLOCK):
            content += block
            if len(content) > most:
                said.close()
                raise UploadError(f"{self._name}: the registry answers with more than {most:,} bytes: ask who runs it")
        said.release_conn()
        return Answer(said.status, said.headers, bytes(content))

    def _refuse(self, error: Exception) -> None:
        """What is no mere break of the connection."""
        cause = error.args[0] if error.args else None
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise UploadError(
                f"{self._name}: the registry's certificate is not trusted ({cause.verify_message}): name its authority "
                "with SSL_CERT_FILE, or put it where docker looks for it, /etc/docker/certs.d"
            ) from error
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            raise UploadError(
                f"{self._name}: the registry answers without TLS: if that is meant, say --source-plain-http to send "
                "there, --archive-plain-http to read from there"
            ) from error

    def _wait(self, number: int, answer: Answer | None) -> None:
        asked = answer.headers.get("Retry-After", "") if answer is not None else ""
        seconds = float(asked) if asked.isdecimal() else 2.0**number / 2
        self._connection.sleep(min(seconds, _LONGEST_WAIT))
        self._sent(0)

    def _location(self, answer: Answer, base: str) -> str:
        """Where it goes on. No answer takes the source, or what is read, out of TLS."""
        place = urljoin(base, answer.headers.get("Location") or base)
        found = urlsplit(place)
        if found.scheme not in {"https", urlsplit(self._connection.server).scheme}:
            raise UploadError(
                f"{self._name}: the registry leads to {found.scheme}://{found.netloc}, without TLS: ask who runs it; "
                "behind a proxy it has to be told that it is reached by https"
            )
        return place

    def _good(self, answer: Answer) -> Answer:
        if answer.status < http.HTTPStatus.MULTIPLE_CHOICES:
            return answer
        host = "" if self._host == "docker.io" else f" {self._host}"
        match answer.status:
            case 401:
                advice = f"log in with `docker login{host}`"
            case 403 | 404:
                advice = f"make the repository, or log in as somebody who may push there, with `docker login{host}`"
            case _:
                advice = "try again, and then ask who runs the registry"
        raise UploadError(f"{self._name}: the registry answers {answer.status} ({_said(answer)}): {advice}")

    def _unreachable(self, how: str) -> UploadError:
        said = f"{self._name}: the registry cannot be reached ({how}): try again; what it has taken is not sent twice"
        return UploadError(said, again=True)


def _again(answer: Answer | None) -> bool:
    """Whether it may be another answer later."""
    return answer is None or answer.status in _BUSY


def _taken(answer: Answer) -> int:
    """How much of an upload a registry has."""
    found = re.fullmatch(r"(?:bytes=)?0-(\d+)", answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found and found[1] != "0" else 0


def _said(answer: Answer) -> str:
    try:
        error = json.loads(answer.data)["errors"][0]
        return f"{error['code']}: {error['message']}"[:200]
    except (ValueError, KeyError, IndexError, TypeError):
        return http.HTTPStatus(answer.status).phrase if answer.status in set(http.HTTPStatus) else "nothing else"
