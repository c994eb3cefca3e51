"""A proxy on the pod's loopback that knows the password of the real one, so that nobody else in the pod has to.

buildkitd, buildctl, git, the runner's own requests and RUN steps all get its address, in which there is nothing secret.
It adds the password, and passes on; what `noProxy` names it reaches directly. A CONNECT becomes one to the real proxy.
Any other request is the only one of its connection, because a client may use the next one for another host.

What goes wrong on the way is told in the reason phrase of the answer, which Go repeats in its errors, and is kept in
`trouble` and `refused` for programs that do not.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from imagebuild.contract.reasons import Reason
from imagebuild.runner.direct import is_direct
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

__all__ = ["Forwarder", "Route"]

_CONNECT_SECONDS = 30.0
_HEAD_SECONDS = 60.0
_TUNNEL_SECONDS = 60.0
"""How long the proxy may take to connect, or to say that it does not."""
_HEAD_BYTES = 64 * 1024
_BLOCK = 256 * 1024
_REMEMBERED = 100
_PAUSE_SECONDS = 0.1
_LAST_PORT = 65535
_END = b"\r\n\r\n"
_ASKED = re.compile(r"[A-Z]+ \S+ HTTP/1\.\d$")
_STATUS = re.compile(r"HTTP/1\.\d \d{3}\b")
_CONTINUE, _UNAUTHORIZED = 100, 407
_HOP_BY_HOP = ("proxy-authorization", "proxy-connection", "connection", "keep-alive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where requests go, as host:port each; None: directly."""

    http: str | None
    https: str | None
    direct: tuple[str, ...] = ()
    authorization: str = ""
    """Of the header Proxy-Authorization."""
    login: str = ""
    """Where that is from, in words."""

    def proxy(self, host: str, port: int, *, tunnel: bool) -> str | None:
        return None if is_direct(self.direct, host, port) else self.https if tunnel else self.http


class _AnswerError(Exception):
    """What the client is told instead of what it asked for."""

    def __init__(self, code: int, phrase: str) -> None:
        super().__init__(phrase)
        self.code, self.phrase = code, " ".join(phrase.split())


class Forwarder:
    """A context manager: listens from entry to exit."""

    def __init__(self, route: Route, port: int) -> None:
        self._route = route
        try:
            self._server = socket.create_server(("127.0.0.1", port))
        except OSError:  # another one runs beside it, as in tests
            self._server = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.trouble: Problem | None = None
        """What is wrong with the proxy itself, as it was seen last."""
        self.refused: dict[str, str] = {}
        """What the proxy has said, by the host that it does not let through."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            with contextlib.ExitStack() as given_up:
                try:
                    client, _ = self._server.accept()
                    given_up.enter_context(client)
                    threading.Thread(target=self._serve, args=(client,), daemon=True).start()
                    given_up.pop_all()
                except (OSError, RuntimeError):
                    # no free file or thread, of which the steps have as many as they like: there is one in a moment
                    self._ended.wait(_PAUSE_SECONDS)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            try:
                client.settimeout(_HEAD_SECONDS)
                head, rest = _head(client, _ASKED)
                method, target, _ = head[0].split(" ", 2)
                if method == "CONNECT":
                    self._tunnel(client, target, rest)
                else:
                    self._request(client, head, rest)
            except ValueError:
                _say(client, 400, "not a request to a proxy")
            except _AnswerError as answer:
                _say(client, answer.code, answer.phrase)
            finally:
                _hang_up(client)  # a thread that still reads would keep it open

    def _tunnel(self, client: socket.socket, target: str, rest: bytes) -> None:
        host, port = _place(target)
        proxy, early = self._route.proxy(host, port, tunnel=True), b""
        with self._connected(proxy, host, port) as server:
            if proxy is not None:
                asked = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *self._authorization()]
                _send(server, asked)
                server.settimeout(_TUNNEL_SECONDS)
                answer, early = self._answered(server, proxy)
                self._minded(_code(answer), answer[0], proxy, host, tunnel=True)
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + early)
            server.sendall(rest)
            _relay(client, server)

    def _request(self, client: socket.socket, head: list[str], rest: bytes) -> None:
        method, target, version = head[0].split(" ", 2)
        url = urllib.parse.urlsplit(target)
        if url.scheme != "http" or not url.hostname:
            raise _AnswerError(400, "only http:// URLs and CONNECT are passed on")
        host, port = url.hostname, url.port or 80
        proxy = self._route.proxy(host, port, tunnel=False)
        path = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        headers = [line for line in head[1:] if line.partition(":")[0].lower() not in _HOP_BY_HOP]
        extra = ["Connection: close", *(self._authorization() if proxy else ())]
        with self._connected(proxy, host, port) as server:
            _send(server, [f"{method} {target if proxy else path} {version}", *headers, *extra])
            server.sendall(rest)
            body = threading.Thread(target=_pump, args=(client, server), daemon=True)
            client.settimeout(None)
            body.start()
            self._pass_back(client, server, proxy, host)
            _hang_up(client, server)
            body.join()

    def _pass_back(self, client: socket.socket, server: socket.socket, proxy: str | None, host: str) -> None:
        """The answer, after which the connection is not used again, whatever the server would like."""
        server.settimeout(None)  # it takes as long as it needs
        answer, more = self._answered(server, proxy)
        while (code := _code(answer)) == _CONTINUE:
            _send(client, answer)
            answer, more = self._answered(server, proxy, more)
        if proxy is not None:
            self._minded(code, answer[0], proxy, host, tunnel=False)
        kept = [line for line in answer[1:] if line.partition(":")[0].lower() not in _HOP_BY_HOP]
        _send(client, [answer[0], *kept, "Connection: close"])
        client.sendall(more)
        _pump(server, client)

    def _authorization(self) -> tuple[str, ...]:
        given = self._route.authorization
        return (f"Proxy-Authorization: {given}",) if given else ()

    @contextlib.contextmanager
    def _connected(self, proxy: str | None, host: str, port: int) -> Iterator[socket.socket]:
        place = _place(proxy) if proxy else (host, port)
        try:
            server = socket.create_connection(place, timeout=_CONNECT_SECONDS)
        except OSError as error:
            said = error.strerror or str(error)
            if proxy is None:
                raise _AnswerError(502, f"{host}:{port} cannot be reached: {said}") from error
            raise self._silent(proxy, said) from error
        with server:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield server

    def _answered(self, server: socket.socket, proxy: str | None, read: bytes = b"") -> tuple[list[str], bytes]:
        try:
            return _head(server, _STATUS, read)
        except (OSError, ValueError) as error:
            if proxy is None:
                raise _AnswerError(502, f"the server gives no answer: {error}") from error
            raise self._silent(proxy, str(error)) from error

    def _silent(self, proxy: str, said: str) -> _AnswerError:
        return self._in_trouble(502, Reason.PROXY_UNAVAILABLE, f"the egress proxy {proxy} does not answer: {said}")

    def _minded(self, code: int, status: str, proxy: str, host: str, *, tunnel: bool) -> None:
        """Raises what the client is to be told where the proxy itself stands in the way."""
        told = f"the egress proxy {proxy} answers {status.partition(' ')[2]}"
        if code == _UNAUTHORIZED:
            told += f"; user name and password are {self._route.login}"
            raise self._in_trouble(code, Reason.PROXY_REFUSED, told)
        self.trouble = None
        if not tunnel:
            return
        if 200 <= code < 300:  # noqa: PLR2004
            self.refused.pop(host, None)
            return
        if 400 <= code < 500 and len(self.refused) < _REMEMBERED:  # noqa: PLR2004
            self.refused[host] = f"{told} to a request for {host}"
        raise _AnswerError(code, told)

    def _in_trouble(self, code: int, reason: Reason, told: str) -> _AnswerError:
        if self.trouble is None or self.trouble.message != told:
            say(told)
        self.trouble = Problem(reason, told)
        return _AnswerError(code, told)


def _head(source: socket.socket, first: re.Pattern[str], given: bytes = b"") -> tuple[list[str], bytes]:
    """The lines of a head, and what came after it; `given` was read already. Raises ValueError for what is none."""
    read = bytearray(given)
    while _END not in read:
        block = source.recv(_BLOCK)
        if not block or len(read) > _HEAD_BYTES:
            raise ValueError("it ended the connection")
        read += block
    head, _, rest = bytes(read).partition(_END)
    lines = head.decode("latin-1").split("\r\n")
    if not first.match(lines[0]):
        raise ValueError("it does not speak HTTP")
    return lines, rest


def _send(sink: socket.socket, lines: list[str]) -> None:
    sink.sendall("\r\n".join(lines).encode("latin-1") + _END)


def _say(client: socket.socket, code: int, phrase: str) -> None:
    body = f"{phrase}\n".encode("latin-1", "replace")
    status = f"HTTP/1.1 {code} {phrase}"
    _send(client, [status, "Content-Type: text/plain", f"Content-Length: {len(body)}", "Connection: close"])
    client.sendall(body)


def _code(answer: list[str]) -> int:
    return int(answer[0].split(" ", 2)[1])


def _place(authority: str) -> tuple[str, int]:
    """Raises ValueError."""
    host, _, port = authority.rpartition(":")
    if not 0 < int(port) <= _LAST_PORT:
        raise ValueError(f"no port: {port}")
    return host.strip("[]"), int(port)


def _relay(client: socket.socket, server: socket.socket) -> None:
    """Until both sides have said all; one may go on after the other has ended."""
    for side in (client, server):
        side.settimeout(None)
    up = threading.Thread(target=_pump, args=(client, server), daemon=True)
    up.start()
    _pump(server, client)
    up.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while block := source.recv(_BLOCK):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        _hang_up(source, sink)


def _hang_up(*sides: socket.socket) -> None:
    for side in sides:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
