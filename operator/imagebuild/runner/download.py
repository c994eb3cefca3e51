"""An archive behind a URL: downloaded, compared with its checksum, unpacked."""

from __future__ import annotations

import base64
import hashlib
import http.client
import ssl
import string
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from imagebuild.contract.plan import HttpSource, Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner import mounted
from imagebuild.runner.egress import proxies
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say
from imagebuild.runner.source import Place, Source
from imagebuild.runner.unpack import unpack
from imagebuild.runner.urls import bare

__all__ = ["SILENT_SECONDS", "fetch_archive", "save"]

SILENT_SECONDS = 60.0
_BLOCK = 1 << 20
_UNAUTHORIZED = {401, 403, 404, 410}
"""Servers hide from strangers what they have."""


def fetch_archive(source: HttpSource, place: Place) -> Source:
    """Raises Problem."""
    place.scratch.mkdir()
    archive = place.scratch / "archive"
    found = _download(source, archive, place)
    say(f"{bare(source.url)}: {found}, {archive.stat().st_size:,} bytes")
    if source.checksum not in (None, found):
        raise Problem(Reason.CHECKSUM_MISMATCH, f"{bare(source.url)} is {found}, and the checksum is {source.checksum}")
    unpack(archive, place.directory, place.check)
    archive.unlink()
    return Source(directory=place.directory, branch="default", base="default", content=found)


def _download(source: HttpSource, file: Path, place: Place) -> str:
    request = _request(source.url)
    if source.secret is not None:
        request.add_unredirected_header("Authorization", _authorization(source.secret))
    context = ssl.create_default_context(cafile=place.env.get("SSL_CERT_FILE"))
    tls, way = urllib.request.HTTPSHandler(context=context), urllib.request.ProxyHandler(proxies(place.env))
    opener = urllib.request.build_opener(tls, way, _Redirects())
    try:
        with opener.open(request, timeout=SILENT_SECONDS) as answer, file.open("wb") as kept:
            return save(answer, kept, place.check)
    except urllib.error.HTTPError as error:
        reason = Reason.SOURCE_UNAUTHORIZED if error.code in _UNAUTHORIZED else Reason.SOURCE_UNAVAILABLE
        raise Problem(reason, f"{bare(source.url)}: the server answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        reason = Reason.TLS_FAILED if isinstance(cause, ssl.SSLError) else Reason.SOURCE_UNAVAILABLE
        raise Problem(reason, f"{bare(source.url)}: {cause}") from error


def _request(written: str) -> urllib.request.Request:
    url = urllib.parse.quote(written, safe=string.punctuation)
    try:
        return urllib.request.Request(url, headers={"User-Agent": "imagebuild"})  # noqa: S310 http and https only
    except ValueError as error:
        raise Problem(Reason.SPEC_INVALID, f"{written} is no URL: {error}") from error


def save(answer: Any, kept: IO[bytes], check: Callable[[], None]) -> str:
    """Block by block; the digest of the whole."""
    sha, size, wanted = hashlib.sha256(), 0, answer.headers.get("Content-Length")
    while block := answer.read(_BLOCK):
        check()
        sha.update(block)
        size += _write(kept, block)
    if wanted is not None and wanted != str(size):
        raise http.client.HTTPException(f"the answer ended after {size} of {wanted} bytes")
    return f"sha256:{sha.hexdigest()}"


def _write(kept: IO[bytes], block: bytes) -> int:
    """What goes wrong here is not the server's fault."""
    try:
        return kept.write(block)
    except OSError as error:
        raise Problem(Reason.DISK_FULL, f"the archive cannot be kept: {error.strerror}") from error


def _authorization(secret: Mount) -> str:
    values = {key: value.strip("\r\n") for key, value in mounted.secret(secret).items()}
    if values.get("username") and values.get("password"):
        return "Basic " + base64.b64encode(f"{values['username']}:{values['password']}".encode()).decode()
    if token := values.get("token"):
        if not (token.isascii() and token.isprintable()):
            # never the content, which the library's own words would hold
            raise Problem(Reason.SECRET_INVALID, f"token in the Secret {secret.name} is not one line of ASCII")
        return f"Bearer {token}"
    what = "neither token nor username and password"
    raise Problem(Reason.SECRET_INVALID, f"the Secret {secret.name} has the keys {', '.join(values)}, but {what}")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Credentials go on to the same host only, and never from TLS to none."""

    def redirect_request(  # noqa: PLR0917 the signature is the library's
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        old, new = (urllib.parse.urlsplit(url) for url in (req.full_url, newurl))
        if new.scheme not in {"https", old.scheme}:
            raise urllib.error.URLError(f"it leads from {old.scheme} to {bare(newurl)}")
        further = super().redirect_request(req, fp, code, msg, headers, newurl)
        given: Mapping[str, str] = req.unredirected_hdrs
        if further is not None and (old.scheme, old.netloc) == (new.scheme, new.netloc) and "Authorization" in given:
            further.add_unredirected_header("Authorization", given["Authorization"])
        return further
