"""Attempts on what can be reached over the network and by sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

from testbed.hostile.inside import PROC, roots
from testbed.hostile.outcome import Found

PROXY = ("127.0.0.1", 3128)
LISTENS, REFUSED = "0A", 400
"""A state in /proc/net/tcp, and the first status of those that say no."""


def sniff() -> None:
    with contextlib.suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)):
        raise Found("a raw socket")


def daemon() -> None:
    """BuildKit's socket by its path, and whatever listens without one: the network namespace is shared."""
    names: list[str] = [str(root / "work" / "run" / "buildkitd.sock") for root in roots()]
    names += [
        "\0" + line.split()[-1][1:]
        for line in (PROC / "net/unix").read_text().splitlines()
        if line.split()[-1][0] == "@"
    ]
    for name in names:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(name)
            raise Found(f"connected to {name!r}")


def loopback() -> None:
    """What listens in the pod beside the runner's proxy."""
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        port = int(address.partition(":")[2], 16)
        if state == LISTENS and port != PROXY[1]:
            raise Found(f"something listens on {port}")


def ask(
    url: str, method: str = "GET", *, proxied: bool = False, body: bytes | None = None, seconds: float = 10
) -> tuple[int, str]:
    context = ssl._create_unverified_context()  # noqa: SLF001  an attacker does not care
    proxies = dict.fromkeys(("http", "https"), "http://{}:{}".format(*PROXY)) if proxied else {}
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler(proxies), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(urllib.request.Request(url, method=method, data=body), timeout=seconds) as answer:
            return answer.status, answer.headers.get("Location", "")
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, ""


def servers(*urls: str, method: str = "GET") -> Callable[[], None]:
    """Whether one of them lets us do it. {registry} and the like are arguments of the build."""

    def look() -> None:
        seen = []
        for url in urls:
            place = url.format(**{key.lower(): value for key, value in os.environ.items()})
            try:
                code, _ = ask(place, method)
            except OSError as error:
                seen.append(f"{place} {error}")
                continue
            if code < REFUSED:
                raise Found(f"{place} {code}")
            seen.append(f"{place} {code}")
        print(*seen, sep="\n")

    return look


def push(registry: str, scheme: str, *, proxied: bool = False) -> Callable[[], None]:
    """The first step of a push: an upload to the repository in which the build's cache is."""

    def look() -> None:
        url = f"{scheme}://{os.environ[registry]}/v2/{os.environ['REPOSITORY']}/blobs/uploads/"
        code, _ = ask(url, "POST", proxied=proxied, body=b"")
        print(f"{url} {code}")
        if code < REFUSED:
            raise Found(f"{url} {code}")

    return look


def kubelet() -> None:
    """The node is where the default route leads to, on most networks."""
    route = next(
        line.split() for line in (PROC / "net/route").read_text().splitlines() if line.split()[1] == "00000000"
    )
    node = socket.inet_ntoa(struct.pack("<I", int(route[2], 16)))
    servers(f"https://{node}:10250/pods", f"http://{node}:10255/pods")()


def through_proxy() -> None:
    code, _ = ask(f"http://{os.environ['OPEN_REGISTRY']}/v2/", proxied=True)
    if code < REFUSED:
        raise Found(f"the proxy answers {code}")


def proxy_password() -> None:
    """Has the runner's proxy ask a server of ours, directly and by way of the real one."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.extend(f"{key}: {value}" for key, value in self.headers.items() if "auth" in key.lower())
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()

    with HTTPServer(("", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = 0
        for host in ("127.0.0.1", socket.gethostbyname(socket.gethostname())):
            with contextlib.suppress(OSError):
                asked += ask(f"http://{host}:{server.server_port}/", proxied=True)[0] == HTTPStatus.NO_CONTENT
        server.shutdown()
    print(f"{asked} of 2 requests came")
    if seen or not asked:
        raise Found(str(seen) if seen else "that nothing came shows nothing")
