"""A registry that wants a client certificate: who has one is let in, and what is missing is named."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import (
    BranchCache,
    CacheExport,
    CacheImports,
    Context,
    Dockerfile,
    Mount,
    OciSource,
    Output,
    Plan,
    Proxy,
    Registry,
)
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp
from imagebuild.runner.clientcerts import certified
from imagebuild.runner.problem import Problem
from localcluster import certificates
from runner.conftest import RegistryHandler, serve
from runner.pod import Pod
from testbed import egress
from testbed.egress import beyond

INLINE = Dockerfile(inline="FROM scratch\n")
REFUSED = (
    'error: failed to solve: failed to do request: Head "https://vault:1/v2/": remote error: tls: certificate required'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of one authority, and of one that nobody knows."""
    directory = tmp_path_factory.mktemp("certificates")
    certificates.authority(directory, "the CA")
    certificates.authority(directory, "no CA", "other")
    certificates.signed(directory, "server", "server", certificates.serves(beyond("127.0.0.1")))
    certificates.signed(directory, "client", "client", certificates.CLIENT)
    certificates.signed(directory, "stranger", "stranger", certificates.CLIENT, by="other")
    return directory


@pytest.fixture(scope="module")
def vault(made: Path) -> Iterator[str]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made / "ca.crt")
    context.load_cert_chain(made / "server.crt", made / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    yield from serve(type("Handler", (Vault,), {"context": context}))


class Vault(RegistryHandler):
    """Hears whoever it refuses to the end: a connection that is cut in between tells nobody why."""

    context: ssl.SSLContext

    def setup(self) -> None:
        with self.request.dup() as refused:
            self.request = self.context.wrap_socket(self.request, server_side=True, do_handshake_on_connect=False)
            super().setup()
            self._let_in = True
            try:
                self.request.do_handshake()
            except ssl.SSLError:
                self._let_in = False
                while refused.recv(1 << 16):
                    pass

    def handle(self) -> None:
        if self._let_in:
            super().handle()

    def finish(self) -> None:
        super().finish()
        self.request.close()


@pytest.fixture
def secret(tmp_path: Path) -> Mount:
    """As mounted while there is none."""
    (tmp_path / "client").mkdir()
    return Mount(name="registry-client", path=str(tmp_path / "client"))


def hold(secret: Mount, made: Path, certificate: str, key: str) -> None:
    shutil.copy(made / certificate, Path(secret.path) / "tls.crt")
    shutil.copy(made / key, Path(secret.path) / "tls.key")


def asking(host: str, secret: Mount, made: Path, **more: Any) -> Plan:
    """Looks for a cache there, and names it nowhere else."""
    authority = (made / "ca.crt").read_text()
    cache = BranchCache(repository=f"{host}/found/app", scope="s", base="main", export=CacheExport.NEVER)
    registries = (Registry(host=host, client_certificate=secret),)
    plan = Plan(certificates=authority, registries=registries, dockerfile=INLINE, cache=cache)
    return replace(plan, **more)


def test_with_its_certificate_a_registry_is_asked_by_everybody(pod: Pod, vault: str, secret: Mount, made: Path) -> None:
    hold(secret, made, "client.crt", "client.key")
    found, log, code = pod.run(asking(vault, secret, made))
    assert code == 0, log
    assert {ref.found for ref in found.details.imports} == {LookUp.FOUND}, log
    (client,) = pod.seen("buildctl")
    files = f"cert={secret.path}/tls.crt,key={secret.path}/tls.key"
    assert f"host={vault},{files}" in client["argv"], "for the server that gives tokens"
    assert f"{secret.path}/tls.key" in (pod.work / "buildkitd.toml").read_text()


def test_the_certificate_is_shown_through_the_proxy_too(pod: Pod, vault: str, secret: Mount, made: Path) -> None:
    hold(secret, made, "client.crt", "client.key")
    login = Mount(name="proxy", path=str(pod.directory / "login"))
    Path(login.path).mkdir()
    (Path(login.path) / "username").write_text(egress.USER)
    (Path(login.path) / "password").write_text(egress.PASSWORD)
    for address in serve(egress.Handler):
        found, log, _ = pod.run(asking(beyond(vault), secret, made, proxy=Proxy(https=address, secret=login)))
        assert {ref.found for ref in found.details.imports} == {LookUp.FOUND}, log


def test_a_build_that_names_the_registry_waits_for_the_certificate(
    pod: Pod, vault: str, secret: Mount, made: Path
) -> None:
    found, log, _ = pod.run(asking(vault, secret, made))
    assert found.essentials.reason is Reason.SECRET_MISSING, log
    assert "the Secret registry-client does not exist" in found.essentials.message
    assert f"registries[{vault}].clientCertificate" in found.essentials.message


def test_a_build_that_never_asks_the_registry_does_without(pod: Pod, secret: Mount, made: Path) -> None:
    _, log, code = pod.run(asking("vault:1", secret, made, cache=None))
    assert code == 0, log
    assert "keypair" not in (pod.work / "buildkitd.toml").read_text()


def test_a_build_whose_dockerfile_names_the_registry_waits_once_it_is_refused(
    pod: Pod, secret: Mount, made: Path
) -> None:
    pod.behave(calls=[{"output": REFUSED, "code": 1}])
    found, log, _ = pod.run(asking("vault:1", secret, made, cache=None))
    assert found.essentials.reason is Reason.SECRET_MISSING, log
    assert "registry-client" in found.essentials.message


@pytest.mark.parametrize(
    "files",
    [("client.crt", "stranger.key"), ("client.key", "client.crt")],
    ids=["of another certificate", "the wrong way round"],
)
def test_a_key_that_does_not_fit_is_named(secret: Mount, made: Path, files: tuple[str, str]) -> None:
    hold(secret, made, *files)
    with pytest.raises(Problem, match="the Secret registry-client are no certificate with its key") as refused:
        certified(asking("vault:1", secret, made))
    assert refused.value.reason is Reason.SECRET_INVALID


def test_a_secret_of_another_type_is_named(secret: Mount, made: Path) -> None:
    (Path(secret.path) / "username").touch()
    with pytest.raises(Problem, match=r"has the keys username, but not tls\.crt and tls\.key") as refused:
        certified(asking("vault:1", secret, made))
    assert refused.value.reason is Reason.SECRET_INVALID


@pytest.mark.parametrize("certificate", ["stranger", ""], ids=["one of another authority", "none at all"])
def test_a_certificate_that_the_registry_does_not_take_is_its_refusal_and_not_ours(
    pod: Pod, vault: str, secret: Mount, made: Path, certificate: str
) -> None:
    if certificate:
        hold(secret, made, f"{certificate}.crt", f"{certificate}.key")
    plan = asking(vault, secret, made, cache=None, oci=OciSource(image=f"{vault}/found/app:1"))
    if not certificate:
        plan = asking(vault, secret, made, cache=None, oci=plan.oci, registries=(Registry(host=vault),))
    found, log, _ = pod.run(plan)
    assert found.essentials.reason is Reason.CLIENT_CERTIFICATE_REFUSED, log


@pytest.mark.parametrize(
    "named",
    [
        {"output": Output(images=("vault:1/app:1",))},
        {"cache_imports": CacheImports(refs=("vault:1/cache:1",))},
        {"cache_exports": ("vault:1/cache:1",)},
        {"oci": OciSource(image="vault:1/app:1")},
        {"contexts": (Context(name="c", oci=OciSource(image="vault:1/app:1")),)},
    ],
    ids=lambda named: next(iter(named)),
)
def test_every_way_to_name_a_registry_counts(secret: Mount, made: Path, named: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="registry-client") as refused:
        certified(asking("vault:1", secret, made, cache=None, **named))
    assert refused.value.reason is Reason.SECRET_MISSING
