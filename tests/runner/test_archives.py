"""Archives from a web server: what is taken, what is refused, and who is shown the credentials."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import ssl
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Literal

import pytest

from imagebuild.contract.plan import HttpSource, IfExists, Mount, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.conftest import serve
from runner.pod import Pod

BASIC = "Basic " + base64.b64encode(b"me:hunter2").decode()
BEARER = "Bearer tok"


KINDS: dict[str, Literal["w", "w:gz", "w:bz2", "w:xz"]] = {"": "w", "gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz"}


def archive(*members: tarfile.TarInfo, kind: str = "gz", **files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(None, KINDS[kind], packed) as tar:
        for name, text in {"Dockerfile": "FROM scratch\n", **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            member.mode = 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member)
    return packed.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


GOOD = archive(file="content")
SUM = f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
ANSWERS: dict[str, Callable[[], bytes]] = {
    "good.tar.gz": lambda: GOOD,
    "plain.tar": lambda: archive(kind="", file="content"),
    "good.tar.xz": lambda: archive(kind="xz", file="content"),
    "good.tar.bz2": lambda: archive(kind="bz2", file="content"),
    "text": lambda: b"<html>no archive</html>",
    "empty": lambda: b"",
    "cut": lambda: GOOD[: len(GOOD) // 2],
    "dots": lambda: archive(member("../outside")),
    "link-out": lambda: archive(member("link", tarfile.SYMTYPE, "../../outside")),
    "link-absolute": lambda: archive(member("link", tarfile.SYMTYPE, "/etc")),
    "hard-link": lambda: archive(member("link", tarfile.LNKTYPE, "../../bin/driven.py")),
    "device": lambda: archive(member("device", tarfile.CHRTYPE)),
}


class Handler(BaseHTTPRequestHandler):
    """/NAME is an archive; /basic/NAME and /bearer/NAME want credentials; /to/URL leads there; /NUMBER is its answer."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        given = self.headers.get("Authorization")
        self.seen.append((f"{self.headers['Host']}{self.path}", given))
        first, _, rest = self.path[1:].partition("/")
        wanted = {"basic": BASIC, "bearer": BEARER}.get(first)
        if wanted and given != wanted:
            self._answer(401)
        elif first == "to":
            self._answer(302, location=rest)
        elif first == "odd":
            self._answer(200, GOOD, length="many")
        elif first == "short":
            self._answer(200, GOOD, length=len(GOOD) + 1)
        elif first.isdigit():
            self._answer(int(first))
        else:
            made = ANSWERS.get((rest if wanted else first).partition("?")[0])
            self._answer(200, made()) if made else self._answer(404)

    def _answer(self, code: int, body: bytes = b"", length: int | str | None = None, location: str = "") -> None:
        self.send_response(code)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def seen() -> list[tuple[str, str | None]]:
    """Requests: place and credentials."""
    return []


@pytest.fixture
def server(seen: list[tuple[str, str | None]]) -> Iterator[str]:
    for address in serve(type("Seeing", (Handler,), {"seen": seen})):
        yield f"http://{address}"


def secret(directory: Path, **values: str) -> Mount:
    mount = directory / "secret"
    mount.mkdir()
    for key, value in values.items():
        (mount / key).write_text(value)
    return Mount(name="login", path=str(mount))


@pytest.mark.parametrize("name", ["good.tar.gz", "plain.tar", "good.tar.xz", "good.tar.bz2"])
def test_an_archive_becomes_the_context(pod: Pod, server: str, name: str) -> None:
    _, log, code = pod.run(Plan(http=HttpSource(url=f"{server}/{name}")))
    assert code == 0, log
    source = pod.work / "source"
    assert (source / "file").read_text() == "content"
    assert (source / "file").stat().st_mode & 0o777 == 0o755
    assert list((pod.work / "fetching-source").iterdir()) == []


def test_a_checksum_that_is_right_is_no_matter(pod: Pod, server: str) -> None:
    _, log, code = pod.run(Plan(http=HttpSource(url=f"{server}/good.tar.gz", checksum=SUM)))
    assert code == 0, log


def test_a_checksum_that_is_wrong_ends_the_build_before_anything_is_unpacked(pod: Pod, server: str) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url=f"{server}/good.tar.gz", checksum=f"sha256:{'0' * 64}")))
    assert found.essentials.reason is Reason.CHECKSUM_MISMATCH, log
    assert SUM in found.essentials.message
    assert list((pod.work / "source").iterdir()) == []


@pytest.mark.parametrize("name", ["text", "empty", "cut", "dots", "link-out", "link-absolute", "hard-link", "device"])
def test_what_is_no_archive_or_leads_out_of_it_is_refused(pod: Pod, server: str, name: str) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url=f"{server}/{name}")))
    assert found.essentials.reason is Reason.ARCHIVE_INVALID, log
    assert not list(pod.directory.rglob("outside"))


@pytest.mark.parametrize(
    ("place", "values", "reason"),
    [
        pytest.param("basic", {"username": "me", "password": "hunter2"}, None, id="a password"),
        pytest.param("bearer", {"token": "tok\n"}, None, id="a token"),
        pytest.param("basic", {"username": "me", "password": "no"}, Reason.SOURCE_UNAUTHORIZED, id="a wrong one"),
        pytest.param("basic", None, Reason.SOURCE_UNAUTHORIZED, id="none"),
        pytest.param("basic", {}, Reason.SECRET_MISSING, id="a Secret that does not exist"),
        pytest.param("basic", {"password": "hunter2"}, Reason.SECRET_INVALID, id="a Secret without a user"),
        pytest.param("bearer", {"token": "a\nhunter2"}, Reason.SECRET_INVALID, id="a token of two lines"),
        pytest.param("bearer", {"token": "hunter2\u2026"}, Reason.SECRET_INVALID, id="a token that was cut"),
    ],
)
def test_credentials_come_from_the_secret(
    pod: Pod, server: str, tmp_path: Path, *, place: str, values: dict[str, str] | None, reason: Reason | None
) -> None:
    mount = None if values is None else secret(tmp_path, **values)
    found, log, code = pod.run(Plan(http=HttpSource(url=f"{server}/{place}/good.tar.gz", secret=mount)))
    assert (found.essentials.reason if code else None) is reason, log
    assert "hunter2" not in log + found.essentials.message


def test_a_redirect_to_another_host_is_followed_without_the_credentials(
    pod: Pod, server: str, tmp_path: Path, seen: list[tuple[str, str | None]]
) -> None:
    elsewhere = server.replace("127.0.0.1", "localhost")
    mount = secret(tmp_path, token="tok")
    url = f"{server}/to/{server}/to/{elsewhere}/good.tar.gz"
    _, log, code = pod.run(Plan(http=HttpSource(url=url, secret=mount)))
    assert code == 0, log
    assert [given for _, given in seen] == [BEARER, BEARER, None]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("/404", Reason.SOURCE_UNAUTHORIZED, id="nothing there"),
        pytest.param("/503", Reason.SOURCE_UNAVAILABLE, id="an error of the server"),
        pytest.param("/short/", Reason.SOURCE_UNAVAILABLE, id="an answer that breaks off"),
        pytest.param("/odd/", Reason.SOURCE_UNAVAILABLE, id="a length that is no number"),
        pytest.param("/to/file:///etc/passwd", Reason.SOURCE_UNAVAILABLE, id="a way into the pod"),
        pytest.param("/\u00fc/", Reason.SOURCE_UNAUTHORIZED, id="a name that is not ASCII"),
    ],
)
def test_what_a_server_answers_becomes_a_reason(pod: Pod, server: str, path: str, reason: Reason) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url=server + path)))
    assert found.essentials.reason is reason, log


def test_a_redirect_leads_to_no_other_protocol(pod: Pod, server: str) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url=f"{server}/to/ftp://127.0.0.1:1/a.tar")))
    assert "leads from http to ftp://127.0.0.1:1/a.tar" in found.essentials.message, log


@pytest.mark.parametrize("path", ["/good.tar.gz", "/none.tar.gz", "/text", "/to/ftp://127.0.0.1:1/a.tar"])
def test_what_signs_a_url_is_neither_in_the_log_nor_in_the_status(pod: Pod, server: str, path: str) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url=f"{server}{path}?signature=hunter2")))
    assert "hunter2" not in log + found.essentials.message
    assert f"{server}{path}" in log


def test_a_url_that_is_none_is_named(pod: Pod) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url="https://[::1/a.tar")))
    assert found.essentials.reason is Reason.SPEC_INVALID, log
    assert "https://[::1/a.tar" in found.essentials.message


def test_a_server_that_is_not_there_is_tried_again_later(pod: Pod) -> None:
    found, log, _ = pod.run(Plan(http=HttpSource(url="http://127.0.0.1:1/a.tar")))
    assert found.essentials.reason is Reason.SOURCE_UNAVAILABLE, log


def test_with_reuse_the_content_counts_where_no_commit_says_it(pod: Pod, server: str, tmp_path: Path) -> None:
    """The same URL with another archive behind it is another image."""
    output = Output(images=("127.0.0.1:1/a:1",), if_exists=IfExists.REUSE, inputs="abc")
    pod.run(Plan(http=HttpSource(url=f"{server}/good.tar.gz"), output=output))
    (call,) = pod.seen("buildctl")
    wanted = hashlib.sha256(f"abc\0{SUM}\0{os.uname().machine}".encode()).hexdigest()
    assert any(f"annotation.imagebuild.dev/inputs={wanted}" in word for word in call["argv"])


@pytest.fixture
def behind_tls(tmp_path: Path, seen: list[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    """A server's URL and its certificate, which nobody else has signed."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -keyout key.pem -out cert.pem"
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    subprocess.run(["openssl", *words.split(), *names], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    for address in serve(type("Seeing", (Handler,), {"seen": seen}), context):
        yield f"https://{address.replace('127.0.0.1', 'localhost')}", (tmp_path / "cert.pem").read_text()


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        pytest.param(True, Reason.BUILT, id="of the operator's authorities"),
        pytest.param(False, Reason.TLS_FAILED, id="of nobody"),
    ],
)
def test_a_server_shows_a_certificate(pod: Pod, behind_tls: tuple[str, str], known: bool, reason: Reason) -> None:
    url, certificate = behind_tls
    plan = Plan(http=HttpSource(url=f"{url}/good.tar.gz"), certificates=certificate if known else "")
    found, log, _ = pod.run(plan)
    assert found.essentials.reason is reason, log


def test_a_redirect_from_tls_to_none_is_not_followed(pod: Pod, behind_tls: tuple[str, str], server: str) -> None:
    url, certificate = behind_tls
    source = HttpSource(url=f"{url}/to/{server}/good.tar.gz")
    found, log, _ = pod.run(Plan(http=source, certificates=certificate))
    assert "leads from https to http" in found.essentials.message, log
