"""Behind a proxy that asks for a password: everything goes through it, and nobody but the runner knows the password.

The servers are reached by names that only the proxy can resolve.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from cli import uploadregistry
from imagebuild.contract.plan import (
    Archive,
    BranchCache,
    Dockerfile,
    GitSource,
    HttpSource,
    Mount,
    Output,
    Plan,
    Proxy,
    Registry,
)
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp
from imagebuild.runner.egress import egress
from imagebuild.runner.problem import Problem
from runner.conftest import serve
from runner.pod import Pod
from testbed.egress import DENIED, PASSWORD, USER, Handler, beyond

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("r.io/a:1",)))


@pytest.fixture
def seen() -> list[str]:
    return []


@pytest.fixture
def address(seen: list[str]) -> Iterator[str]:
    """Of the proxy; `seen` has what it was asked for."""

    def note(handler: Handler, answer: object) -> None:
        seen.append(f"{handler.command} {handler.path} {answer}")

    yield from serve(type("Handler", (Handler,), {"note": note}))


@pytest.fixture
def secret(tmp_path: Path) -> Mount:
    """As mounted."""
    directory = tmp_path / "proxy-secret"
    directory.mkdir()
    (directory / "username").write_text(f"{USER}\n")
    (directory / "password").write_text(f"{PASSWORD}\n")
    return Mount(name="egress-proxy", path=str(directory))


@pytest.fixture
def proxy(address: str, secret: Mount) -> Proxy:
    return Proxy(http=address, https=address, secret=secret)


def through(proxy: Proxy, plan: Plan = INLINE, **more: Any) -> Plan:
    return replace(plan, proxy=proxy, **more)


def test_git_is_fetched_through_it(
    pod: Pod, proxy: Proxy, git_repository: Path, git_server: str, seen: list[str]
) -> None:
    url = f"{git_server.replace('127.0.0.1', beyond('127.0.0.1'))}/{git_repository.name}"
    found, log, code = pod.run(Plan(git=GitSource(url=url, branch="main"), proxy=proxy))
    assert code == 0, log
    assert found.essentials.commit
    assert any(beyond("127.0.0.1") in line for line in seen)


class Archives(BaseHTTPRequestHandler):
    """In origin form, as servers that are no proxies are asked."""

    def do_GET(self) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            tar.addfile(tarfile.TarInfo("Dockerfile"))
        self.send_response(200 if self.path == "/a.tar?x=1" else 400)
        self.send_header("Content-Length", str(len(packed.getvalue())))
        self.end_headers()
        self.wfile.write(packed.getvalue())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[str]:
    yield from serve(Archives)


def test_archives_are_downloaded_through_it(pod: Pod, proxy: Proxy, archive: str) -> None:
    _, log, code = pod.run(Plan(http=HttpSource(url=f"http://{beyond(archive)}/a.tar?x=1"), proxy=proxy))
    assert code == 0, log


def test_the_log_is_archived_through_it(pod: Pod, proxy: Proxy) -> None:
    registry = uploadregistry.Registry()
    with registry.serve() as address:
        host = beyond(address)
        archive = Archive(repository=f"{host}/logs", tag="t", namespace="a", name="b", run=1, attempt=1)
        found, log, _ = pod.run(through(proxy, archive=archive, registries=(Registry(host=host, http=True),)))
    assert found.details.archive, log
    assert len(registry.blobs) == 3


@pytest.mark.parametrize("repository", ["found", "bearer"], ids=["a registry", "its token server"])
def test_registries_are_asked_through_it(pod: Pod, proxy: Proxy, registry: str, repository: str) -> None:
    host = beyond(registry)
    cache = BranchCache(repository=f"{host}/{repository}/app", scope="s", base="main")
    plan = through(proxy, cache=cache, registries=(Registry(host=host, http=True),))
    found, log, _ = pod.run(plan)
    looked_for = {ref.found for ref in found.details.imports}
    # nobody has a password for the token server: it was reached, and refuses
    assert looked_for == {LookUp.FOUND if repository == "found" else LookUp.UNAUTHORIZED}, log


def test_nothing_that_is_started_knows_the_password_and_run_steps_are_offered_the_way(pod: Pod, proxy: Proxy) -> None:
    found, log, code = pod.run(through(proxy))
    assert code == 0, log
    (daemon,), (client,) = pod.seen("buildkitd"), pod.seen("buildctl")
    for name in ("HTTP_PROXY", "https_proxy"):
        assert daemon["env"][name].startswith("http://127.0.0.1:")
        assert client["env"][name] == daemon["env"][name]
    offered = [word for word in client["argv"] if word.startswith("build-arg:")]
    names = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    assert offered == [f"build-arg:{name}={daemon['env'][name]}" for name in names]
    assert PASSWORD not in log + json.dumps([daemon, client]) + str(found) + pod.plan_file.read_text()


def test_an_argument_of_the_spec_is_not_overwritten_and_the_administrator_may_offer_nothing(
    pod: Pod, proxy: Proxy, address: str
) -> None:
    pod.run(through(proxy, args=("--opt", "build-arg:http_proxy=mine")))
    (client,) = pod.seen("buildctl")
    offered = [word for word in client["argv"] if word.startswith("build-arg:")]
    assert [word.partition("=")[0] for word in offered] == [
        "build-arg:http_proxy", "build-arg:HTTPS_PROXY", "build-arg:NO_PROXY",
    ]  # fmt: skip
    with egress(Proxy(http=address, offer_to_run=False)) as way:
        assert way.offer(INLINE) == INLINE


def test_what_needs_no_proxy_is_reached_without_it(pod: Pod, archive: str) -> None:
    """There is no proxy at this address, and urllib knows no networks: the runner's own port does."""
    gone = Proxy(http="127.0.0.1:1", direct=("10.0.0.0/8",))
    url = f"http://{archive}/a.tar?x=1"
    _, log, code = pod.run(Plan(http=HttpSource(url=url), proxy=gone))
    assert code == 0, log


def test_a_missing_secret_is_named_and_one_that_does_not_fit_too(pod: Pod, proxy: Proxy, secret: Mount) -> None:
    (Path(secret.path) / "password").rename(Path(secret.path) / "passwort")
    found, _, _ = pod.run(through(proxy))
    assert found.essentials.reason is Reason.SECRET_INVALID
    assert "username and password" in found.essentials.message
    for file in Path(secret.path).iterdir():
        file.unlink()
    with pytest.raises(Problem, match="the Secret egress-proxy does not exist") as refused, egress(proxy):
        pass
    assert refused.value.reason is Reason.SECRET_MISSING


def test_a_password_that_the_proxy_does_not_take_ends_the_build_by_name(
    pod: Pod, proxy: Proxy, secret: Mount, archive: str, address: str
) -> None:
    (Path(secret.path) / "password").write_text("other")
    found, log, _ = pod.run(Plan(http=HttpSource(url=f"http://{beyond(archive)}/a.tar?x=1"), proxy=proxy))
    assert found.essentials.reason is Reason.PROXY_REFUSED, log
    assert address in found.essentials.message
    assert "407" in found.essentials.message
    assert "the Secret egress-proxy" in found.essentials.message


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(pod: Pod, scheme: str) -> None:
    nowhere = "127.0.0.1:1"
    git = GitSource(url=f"{scheme}://git{beyond('')}/app.git", branch="main")
    found, log, _ = pod.run(Plan(git=git, proxy=Proxy(http=nowhere, https=nowhere)))
    assert found.essentials.reason is Reason.PROXY_UNAVAILABLE, log
    assert f"the egress proxy {nowhere} does not answer" in found.essentials.message


def test_a_host_that_the_proxy_does_not_allow_is_named(pod: Pod, proxy: Proxy) -> None:
    found, log, _ = pod.run(Plan(git=GitSource(url=f"https://{DENIED}/app.git", branch="main"), proxy=proxy))
    assert found.essentials.reason is Reason.PROXY_REFUSED, log
    assert f"403 Forbidden to a request for {DENIED}" in found.essentials.message


def test_a_server_that_the_proxy_cannot_reach_is_no_fault_of_the_proxy(pod: Pod, proxy: Proxy) -> None:
    found, log, _ = pod.run(Plan(git=GitSource(url=f"https://nowhere{beyond('')}/app.git", branch="main"), proxy=proxy))
    assert found.essentials.reason is Reason.SOURCE_UNAVAILABLE, log


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("answers 407 Proxy Authentication Required", Reason.PROXY_REFUSED),
        ("answers 403 Forbidden", Reason.PROXY_REFUSED),
        ("answers 503 Service Unavailable", Reason.REGISTRY_UNAVAILABLE),
        ("does not answer: Connection refused", Reason.PROXY_UNAVAILABLE),
    ],
)
def test_what_buildkit_says_of_the_proxy_is_told_as_its_fault(
    pod: Pod, proxy: Proxy, answer: str, reason: Reason
) -> None:
    said = f'error: failed to solve: failed to do request: Head "https://r.io/v2/": the egress proxy p.io:1 {answer}'
    pod.behave(calls=[{"output": said, "code": 1}])
    found, log, _ = pod.run(through(proxy))
    assert found.essentials.reason is reason, log
