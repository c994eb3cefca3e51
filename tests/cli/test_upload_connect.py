"""The way to a registry: whom it trusts, what it shows, and which proxy it takes."""

from __future__ import annotations

import base64
import io
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from cli.uploadregistry import Fault, Registry
from imagebuild.cli.upload import UploadError, push_directory
from imagebuild.cli.upload.connect import certificate_directories, connect, is_loopback
from imagebuild.cli.upload.login import Login
from imagebuild.cli.upload.registry import CHUNK, Connection, Repository
from imagebuild.cli.upload.token import PULL, Tokens
from localcluster import certificates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca, a server's and a client's certificate that it has signed."""
    directory = tmp_path_factory.mktemp("certificates")
    certificates.authority(directory, "test CA")
    certificates.signed(directory, "server", "server", certificates.serves())
    certificates.signed(directory, "client", "client", certificates.CLIENT)
    return directory


@pytest.fixture
def strict(made: Path) -> Iterator[str]:
    """A registry that wants a client certificate."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made / "ca.crt")
    tls.load_cert_chain(made / "server.crt", made / "server.key")
    tls.verify_mode = ssl.CERT_REQUIRED
    with Registry().serve(tls) as host:
        yield f"https://{host}"


def asked(url: str, directory: Path) -> int:
    return connect(url, [directory]).request("HEAD", f"{url}/v2/x/blobs/y", retries=False).status


@pytest.mark.parametrize(
    ("fault", "ask"),
    [
        pytest.param(Fault("POST", "/uploads/", 202), lambda there: uploaded(there, 1), id="for an upload"),
        pytest.param(
            Fault("PATCH", "/uploads/", 202), lambda there: uploaded(there, CHUNK + 1), id="for its next piece"
        ),
        pytest.param(Fault("GET", "/blobs/", 307), lambda there: there.get("blobs/y", 1000), id="for a blob"),
    ],
)
def test_a_registry_with_tls_cannot_lead_to_a_place_without(
    made: Path, tmp_path: Path, fault: Fault, ask: Callable[[Repository], object]
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made / "server.crt", made / "server.key")
    away = Registry()
    with away.serve() as plain, Registry(faults=[fault]).serve(tls) as host:
        fault.headers["Location"] = f"http://{plain}/v2/app/blobs/uploads/u"
        there = repository(f"https://{host}", given(made, tmp_path, ca_crt="ca.crt"))
        with pytest.raises(UploadError, match=rf"{host}/app: the registry leads to http://{plain}, without TLS: ask"):
            ask(there)
    assert away.seen == []


def uploaded(there: Repository, size: int) -> None:
    there.upload("sha256:x", io.BytesIO(bytes(size)), size)


def test_a_registry_without_tls_may_lead_to_another_one(tmp_path: Path) -> None:
    away, there = Registry(blobs={"y": b"content"}), Registry()
    with away.serve() as other, there.serve() as host:
        there.faults.append(Fault("GET", "/blobs/", 307, headers={"Location": f"http://{other}/v2/app/blobs/y"}))
        assert repository(f"http://{host}", tmp_path).get("blobs/y", 1000) == b"content"


def repository(server: str, certificates: Path) -> Repository:
    http = connect(server, [certificates])
    tokens = Tokens(http, server, "app", Login, PULL)
    connection = Connection(http=http, server=server, tokens=tokens, sleep=lambda _: None)
    return Repository(connection, server.partition("://")[2], "app", lambda _: None)


def given(made: Path, directory: Path, **files: str) -> Path:
    for name, source in files.items():
        (directory / name.replace("_", ".")).write_bytes((made / source).read_bytes())
    return directory


def test_a_registry_has_its_own_authority_and_is_shown_a_certificate(made: Path, strict: str, tmp_path: Path) -> None:
    mine = given(made, tmp_path, ca_crt="ca.crt", client_cert="client.crt", client_key="client.key")
    assert asked(strict, mine) == 404


@pytest.mark.parametrize("files", [{"client_cert": "client.crt", "client_key": "client.key"}, {"ca_crt": "ca.crt"}])
def test_it_needs_both(made: Path, strict: str, tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(urllib3.exceptions.HTTPError):
        asked(strict, given(made, tmp_path, **files))


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"ca_crt": "ca.key"}, id="no certificate"),
        pytest.param({"client_cert": "client.crt"}, id="no key"),
        pytest.param({"client_cert": "client.crt", "client_key": "ca.key"}, id="the key of another"),
    ],
)
def test_a_file_that_does_not_do_is_named(made: Path, tmp_path: Path, files: dict[str, str]) -> None:
    with pytest.raises(UploadError, match=rf"{tmp_path}/.+ cannot be used for TLS \(.+\): correct or remove it"):
        connect("https://r.io", [given(made, tmp_path, **files)])


def test_certificates_are_where_docker_and_podman_have_them() -> None:
    assert [str(path) for path in certificate_directories("r.io:5000", Path("/home"))] == [
        "/etc/docker/certs.d/r.io:5000",
        "/etc/containers/certs.d/r.io:5000",
        "/home/.config/docker/certs.d/r.io:5000",
        "/home/.config/containers/certs.d/r.io:5000",
    ]


@pytest.mark.parametrize(
    ("login", "shown"),
    [
        pytest.param("me:pass", "me:pass", id="as it is"),
        pytest.param("me:p%40ss%25", "me:p@ss%", id="with what a URL cannot have"),
        pytest.param("m%C3%A9:%E2%82%AC", "mé:€", id="beyond Latin letters"),
    ],
)
def test_the_proxy_of_the_environment_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, shown: str
) -> None:
    proxy, away = Registry(), Registry()
    with proxy.serve() as host, away.serve() as direct:
        monkeypatch.setenv("http_proxy", f"http://{login}@{host}")
        monkeypatch.setenv("no_proxy", "near.example.com")
        push_directory(tmp_path, "r.example.com/app", plain_http=True, environ={"HOME": str(tmp_path)})
        push_directory(tmp_path, f"{direct}/app", environ={"HOME": str(tmp_path)})
        assert connect("http://near.example.com", []).__class__ is urllib3.PoolManager
    assert (len(proxy.manifests), len(away.manifests)) == (1, 1)
    assert proxy.proxied == {"Basic " + base64.b64encode(shown.encode()).decode()}


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True), ("[::1]:5000", True), ("127.0.0.1", True),
     ("localhost.example.com", False), ("r.io:5000", False), ("10.0.0.1:5000", False)],
)  # fmt: skip
def test_a_registry_on_this_machine_has_no_tls(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
