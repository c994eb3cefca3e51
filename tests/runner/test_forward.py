"""The runner's own proxy on the pod's loopback: what clients of every kind can ask of it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from imagebuild.runner.forward import Forwarder, Route
from runner.conftest import Answers, serve
from runner.pod import OPERATOR

SIZE = 3_000_000


class Echo(Answers, BaseHTTPRequestHandler):
    """Gives back the body, would keep its connections, and says whether it may send to those who wait."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        proxied = ",".join(name for name in self.headers if name.lower().startswith("proxy-"))
        self.say(200, body, X_Path=self.path, X_Proxy=proxied)


@pytest.fixture
def echo() -> Iterator[str]:
    yield from serve(Echo)


@pytest.fixture
def forwarder() -> Iterator[tuple[str, int]]:
    """Host and port of one that reaches everything directly."""
    with Forwarder(Route(http=None, https=None), 0) as running:
        host, _, port = running.url.removeprefix("http://").partition(":")
        yield host, int(port)


def test_a_request_goes_on_in_origin_form_and_its_connection_ends_with_it(
    forwarder: tuple[str, int], echo: str
) -> None:
    """The next request of a connection may be for another host, and would need the password, too."""
    client = http.client.HTTPConnection(*forwarder, timeout=30)
    body = bytes(SIZE)
    client.request("PUT", f"http://{echo}/a?b=c", body, {"Proxy-Connection": "keep-alive", "Proxy-Authorization": "x"})
    answer = client.getresponse()
    assert (answer.status, answer.headers["X-Path"], answer.headers["X-Proxy"]) == (200, "/a?b=c", "")
    assert answer.will_close
    assert answer.read() == body


def test_a_client_that_waits_for_the_go_ahead_gets_it(forwarder: tuple[str, int], echo: str) -> None:
    with socket.create_connection(forwarder, timeout=30) as client, client.makefile("rb") as answers:
        client.sendall(
            f"PUT http://{echo}/ HTTP/1.1\r\nHost: {echo}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
        )
        assert answers.readline().startswith(b"HTTP/1.1 100")
        assert answers.readline() == b"\r\n"
        client.sendall(b"ok")
        head, _, body = answers.read().partition(b"\r\n\r\n")
    assert body == b"ok"
    assert b"Connection: close" in head, "it is the answer's connection that ends"


def test_a_tunnel_carries_bytes_both_ways_also_after_one_side_has_ended(forwarder: tuple[str, int]) -> None:
    sent = bytes(range(256)) * (SIZE // 256)

    def answer(server: socket.socket) -> None:
        peer, _ = server.accept()
        with peer:
            while block := peer.recv(1 << 16):
                received.extend(block)
            peer.sendall(bytes(received[::-1]))

    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        with socket.create_connection(forwarder, timeout=30) as client, client.makefile("rb") as answers:
            client.sendall(f"CONNECT 127.0.0.1:{server.getsockname()[1]} HTTP/1.1\r\n\r\n".encode() + sent)
            client.shutdown(socket.SHUT_WR)
            assert answers.readline() == b"HTTP/1.1 200 OK\r\n"
            assert answers.readline() == b"\r\n"
            assert answers.read() == sent[::-1]
        thread.join()


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        pytest.param("GET / HTTP/1.1", b"400 ", id="a web server is asked"),
        pytest.param("GET ftp://a/b HTTP/1.1", b"400 ", id="another scheme"),
        pytest.param("SSH-2.0-x", b"400 ", id="no HTTP at all"),
        pytest.param("CONNECT nowhere HTTP/1.1", b"400 ", id="no port"),
        pytest.param("CONNECT 127.0.0.1:99999 HTTP/1.1", b"400 ", id="a port that there is not"),
        pytest.param("CONNECT 127.0.0.1:1 HTTP/1.1", b"502 127.0.0.1:1 cannot be reached", id="nobody listens"),
    ],
)
def test_what_cannot_be_done_is_answered(forwarder: tuple[str, int], asked: str, answer: bytes) -> None:
    with socket.create_connection(forwarder, timeout=30) as client, client.makefile("rb") as answers:
        client.sendall(f"{asked}\r\n\r\n".encode())
        assert answers.readline().startswith(b"HTTP/1.1 " + answer)


WITHOUT_FILES = """
import resource, sys
from imagebuild.runner.forward import Forwarder, Route
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
with Forwarder(Route(http=None, https=None), 0) as running:
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    print(running.url, flush=True)
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    print("again", flush=True)
    sys.stdin.readline()
"""


def test_it_outlives_a_moment_without_free_files(echo: str) -> None:
    """Steps of the build have as many connections as they like."""
    argv, env = [sys.executable, "-c", WITHOUT_FILES], {**os.environ, "PYTHONPATH": str(OPERATOR)}
    with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        place = ("127.0.0.1", int(other.stdout.readline().rpartition(":")[2]))
        for _ in range(20):
            with socket.create_connection(place, timeout=30):
                time.sleep(0.01)  # for it to meet that
        other.stdin.write("\n")
        assert other.stdout.readline() == "again\n"
        asked = http.client.HTTPConnection(*place, timeout=30)
        asked.request("PUT", f"http://{echo}/", b"ok")
        assert asked.getresponse().read() == b"ok"
        asked.close()
        other.stdin.write("\n")


def test_a_host_that_the_proxy_lets_through_again_is_refused_no_more() -> None:
    answers = iter([b"403 Forbidden", b"200 OK"])
    seen = []

    def answer(server: socket.socket) -> None:
        for status in answers:
            peer, _ = server.accept()
            with peer:
                peer.recv(1 << 16)
                peer.sendall(b"HTTP/1.1 " + status + b"\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        with Forwarder(Route(http=None, https=f"127.0.0.1:{server.getsockname()[1]}"), 0) as running:
            place = ("127.0.0.1", int(running.url.rpartition(":")[2]))
            for _ in range(2):
                with socket.create_connection(place, timeout=30) as client, client.makefile("rb") as said:
                    client.sendall(b"CONNECT r.example.com:443 HTTP/1.1\r\n\r\n")
                    client.shutdown(socket.SHUT_WR)
                    said.read()
                seen.append(sorted(running.refused))
        thread.join()
    assert seen == [["r.example.com"], []]
