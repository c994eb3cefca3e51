"""The real runner and its log archive: whatever becomes of the build the log is there, and whatever becomes of the
archive the build is as it was."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.uploadregistry import Fault, Registry
from collector import secured
from imagebuild.contract.plan import Archive, Dockerfile, GitSource, HttpSource, Output, Plan, RegistrySecret
from imagebuild.contract.plan import Registry as Setting
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials
from imagebuild.runner.archive import archived
from imagebuild.runner.buildrecord import record
from imagebuild.runner.journal import Journal
from runner.pod import DIGEST, FAILED, SUCCESS, Pod

TAG = "log-team-a-shop-1-1-abcdef"
INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch"), output=Output(images=("127.0.0.1:1/a:1",)))
OUTPUT = "#1 [1/1] RUN make\n#1 0.1 one\n#1 0.2 \x1b[31mtwo\n#1 0.3 imagebuild: Built"


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def host(registry: Registry) -> Iterator[str]:
    with registry.serve() as found:
        yield found


def asked(host: str, secret: Path | None = None, plan: Plan = INLINE) -> Plan:
    named = RegistrySecret(name="build-logs", path=str(secret), registry=host) if secret else None
    archive = Archive(
        repository=f"{host}/logs/team-a", tag=TAG, secret=named, namespace="team-a", name="shop", run=1, attempt=1
    )
    return replace(plan, archive=archive, registries=(Setting(host=host, http=True),))


def login(directory: Path, password: str = "hunter2") -> Path:
    """A basic-auth Secret, as it is mounted."""
    made = directory / "build-logs"
    made.mkdir()
    for key, value in {"username": "me", "password": password}.items():
        (made / key).write_text(value)
    return made


def artifact(registry: Registry, result: BuildResult) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Manifest, log and record."""
    content = registry.manifests[TAG]
    assert result.details.archive == f"sha256:{hashlib.sha256(content).hexdigest()}"
    manifest = json.loads(content)
    log, described = (registry.blobs[layer["digest"]] for layer in manifest["layers"])
    return manifest, gzip.decompress(log).decode(), json.loads(described)


def texts(log: str) -> list[str]:
    return [line.partition(" ")[2] for line in log.splitlines()]


ENDED = BuildResult(essentials=Essentials(reason=Reason.BUILT))
ENDS = [
    pytest.param(SUCCESS, Reason.BUILT, id="a success"),
    pytest.param(FAILED, Reason.STEP_FAILED, id="a step that fails"),
]


@pytest.mark.parametrize(("call", "reason"), ENDS)
def test_the_archive_has_every_line_of_the_log_and_the_result(
    pod: Pod, registry: Registry, host: str, call: dict[str, Any], reason: Reason
) -> None:
    pod.behave(calls=[{**call, "output": OUTPUT}])
    result, log, _ = pod.run(asked(host))
    assert result.essentials.reason is reason
    manifest, kept, described = artifact(registry, result)
    said = log.splitlines()
    assert said[-1] == f"imagebuild: the log is archived as {host}/logs/team-a@{result.details.archive}"
    assert texts(kept) == said[:-1]
    assert set(OUTPUT.splitlines()) <= set(texts(kept))
    assert manifest["artifactType"] == "application/vnd.imagebuild.build.v1"
    assert [layer["annotations"]["org.opencontainers.image.title"] for layer in manifest["layers"]] == [
        "log.txt.gz",
        "record.json",
    ]
    assert described["build"] == {"namespace": "team-a", "name": "shop", "run": 1, "attempt": 1}
    assert described["result"]["essentials"]["reason"] == reason
    assert [step["name"] for step in described["timeline"]["steps"]]


@pytest.mark.parametrize("kind", ["basic", "bearer"])
def test_it_logs_in_with_the_administrators_secret_and_buildkit_has_none_of_it(
    pod: Pod, registry: Registry, host: str, tmp_path: Path, kind: str
) -> None:
    registry.login = kind
    result, log, _ = pod.run(asked(host, login(tmp_path)))
    assert texts(artifact(registry, result)[1]) == log.splitlines()[:-1]
    assert "hunter2" not in log
    assert json.loads((pod.work / "docker" / "config.json").read_text()) == {"auths": {}}
    bodies = [line for line in registry.requests("PUT") if "/blobs/" in line]
    assert len(bodies) == 3, "none is sent to be refused first"


def test_a_build_that_is_stopped_is_archived_all_the_same(pod: Pod, registry: Registry, host: str) -> None:
    pod.behave(calls=[{"sleep": 30}])
    running = pod.start(asked(host))
    pod.wait_for("buildctl")
    pod.stop_file.write_text("Cancelled")
    result, _, code = pod.end(running)
    assert (result.essentials.reason, code) == (Reason.CANCELLED, 1)
    assert "imagebuild: Cancelled" in artifact(registry, result)[1]


def test_a_build_that_asks_buildkit_nothing_is_archived_too(pod: Pod, registry: Registry, host: str) -> None:
    result, _, _ = pod.run(asked(host, plan=replace(INLINE, dockerfile=Dockerfile())))
    assert result.essentials.reason is Reason.SPEC_INVALID
    assert artifact(registry, result)[2]["timeline"] is None


def test_an_attempt_that_only_found_something_missing_leaves_nothing(
    pod: Pod, registry: Registry, host: str, tmp_path: Path
) -> None:
    missing = RegistrySecret(name="push", path=str(tmp_path / "not-there"))
    result, _, _ = pod.run(asked(host, plan=replace(INLINE, registry_secrets=(missing,))))
    assert result.essentials.reason is Reason.SECRET_MISSING
    assert (result.details.archive, result.details.archive_error, registry.seen) == (None, "", [])


def test_a_registry_that_is_busy_is_asked_again(pod: Pod, registry: Registry, host: str) -> None:
    registry.faults = [Fault("POST", "/blobs/uploads/", 503), Fault("PUT", "/manifests/", 429)]
    result, _, _ = pod.run(asked(host))
    artifact(registry, result)


@pytest.mark.parametrize("place", ["file:///etc/hostname", "ftp://127.0.0.1:1/a", "data:,x"])
def test_a_registry_that_leads_an_upload_out_of_http_is_not_followed(
    pod: Pod, registry: Registry, host: str, place: str
) -> None:
    registry.faults = [Fault("POST", "/blobs/uploads/", 202, 9, headers={"Location": place})]
    result, _, code = pod.run(asked(host))
    assert (code, result.details.archive) == (0, None)
    assert "leads an upload to no place of HTTP" in result.details.archive_error
    assert registry.requests("PUT") == []


def test_what_goes_to_a_registry_with_tls_goes_nowhere_without(pod: Pod, registry: Registry, tmp_path: Path) -> None:
    context, authority = secured(tmp_path)
    with registry.serve(context) as host:
        plan = replace(asked(host), registries=(), certificates=authority)
        artifact(registry, pod.run(plan)[0])
        registry.faults = [Fault("POST", "/blobs/uploads/", 202, 9, headers={"Location": f"http://{host}/upload"})]
        assert "or to one without TLS" in pod.run(plan)[0].details.archive_error


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        pytest.param(Fault("POST", "/", 403, 9), "answers 403 Forbidden: give the Secret build-logs", id="forbidden"),
        pytest.param(Fault("PUT", "/manifests/", 403, 9), "answers 403", id="forbidden at the manifest"),
        pytest.param(Fault("POST", "/", 404, 9), "answers 404 Not Found: make the repository", id="no repository"),
        pytest.param(Fault("POST", "/", 418, 9), "ask who runs the registry", id="something else"),
        pytest.param("basic", "answers 401 Unauthorized: correct the login of the Secret", id="a wrong password"),
        pytest.param("bearer", "answers 401 Unauthorized: correct the login", id="by a token server"),
    ],
)
def test_a_registry_that_refuses_fails_no_build_and_the_next_step_is_said(
    pod: Pod, registry: Registry, host: str, refusal: Fault | str, said: str
) -> None:
    if isinstance(refusal, str):
        registry.login = refusal
    else:
        registry.faults = [refusal]
    result, log, code = pod.run(asked(host, login(pod.directory, "wrong")))
    assert (result.essentials.reason, result.essentials.digest, code) == (Reason.BUILT, DIGEST, 0)
    assert result.details.archive is None
    assert result.details.archive_error.startswith(f"the log was not archived in {host}/logs/team-a: ")
    assert said in result.details.archive_error
    assert "wrong" not in log
    assert TAG not in registry.manifests


def test_a_secret_that_is_missing_is_named(pod: Pod, host: str, tmp_path: Path) -> None:
    result, _, code = pod.run(asked(host, tmp_path / "not-there"))
    assert code == 0
    assert "the Secret build-logs does not exist (named in the operator's configuration, archive.secret)" in (
        result.details.archive_error
    )


def test_a_registry_that_is_not_there_is_said(pod: Pod) -> None:
    result, _, code = pod.run(asked("127.0.0.1:1"))
    assert code == 0
    assert "Connection refused" in result.details.archive_error


def test_a_registry_that_hangs_costs_no_result_not_even_of_a_pod_that_is_killed_meanwhile(
    pod: Pod, silent_server: str
) -> None:
    running = pod.start(asked(silent_server))
    pod.wait_for_result()
    running.kill()
    result, _, _ = pod.end(running)
    assert (result.essentials.reason, result.essentials.digest) == (Reason.BUILT, DIGEST)
    assert (result.details.archive, result.details.archive_error) == (None, "")


def test_a_disk_that_is_full_by_then_costs_no_archive(registry: Registry, host: str, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").symlink_to("/dev/full")
    plan = replace(asked(host), certificates="of the administrator")
    artifact(registry, archived(plan, ENDED, Journal(tmp_path), tmp_path, 20))


def test_it_is_given_up_when_its_time_is_over(tmp_path: Path, silent_server: str) -> None:
    found = archived(asked(silent_server), ENDED, Journal(tmp_path), tmp_path, 0.6)
    assert "not done within 1 s: ask who runs the registry" in found.details.archive_error


def test_a_record_has_no_value_that_may_be_a_secret(tmp_path: Path) -> None:
    plan = replace(
        asked("r.io"),
        git=GitSource(url="https://me:s3cret@git.io/a.git?s3cret", branch="main"),
        dockerfile=Dockerfile(inline="ENV TOKEN=s3cret"),
        args=("--opt", "build-arg:TOKEN=s3cret", "--secret", "id=s3cret,src=/x", "--opt", "target=final"),
    )
    assert plan.archive
    written = record(plan, plan.archive, ENDED, tmp_path, 7)
    assert "s3cret" not in json.dumps(written)
    assert written["inputs"]["source"] == {"git": {"url": "https://git.io/a.git", "branch": "main"}}
    assert written["inputs"]["arguments"] == ["TOKEN"]
    other = replace(plan, git=None, http=HttpSource(url="https://b.s3.io/a.tgz?X-Signature=s3cret"))
    written = record(other, plan.archive, ENDED, tmp_path, 7)
    assert written["inputs"]["source"]["http"]["url"] == "https://b.s3.io/a.tgz"
