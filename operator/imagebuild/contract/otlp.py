"""How the operator and the runner send spans to a collector: OTLP over HTTP, one POST, with nothing but the standard
library. Imported only where traces are on."""

from __future__ import annotations

import functools
import http.client
import ssl
from urllib.parse import urlsplit

__all__ = ["SendError", "send", "trusting"]

_ANSWER_BYTES, _WORDS = 64 << 10, 160


class SendError(Exception):
    """The collector did not take it. The message names the collector and the problem."""


@functools.lru_cache(maxsize=1)
def trusting(*, file: str | None = None, text: str = "") -> ssl.SSLContext:
    """Certificate authorities: of the file, or the system's and those of the text, which is PEM."""
    context = ssl.create_default_context(cafile=file)
    if text:
        context.load_verify_locations(cadata=text)
    return context


def send(url: str, body: bytes, seconds: float, context: ssl.SSLContext | None = None) -> None:
    """Directly, whatever proxies there are. Raises SendError."""
    where = urlsplit(url)
    try:
        if where.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                where.netloc, timeout=seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(where.netloc, timeout=seconds)
        try:
            connection.request("POST", where.path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read(_ANSWER_BYTES)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SendError(f"{url}: {_said(str(error)) or type(error).__name__}") from error
    if not 200 <= answer.status < 300:  # noqa: PLR2004
        raise SendError(f"{url} answers {answer.status} {_said(answer.reason)}")


def _said(text: str) -> str:
    """A few words, of which no terminal is steered."""
    return ascii(text)[1:-1][:_WORDS]
