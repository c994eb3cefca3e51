"""The real runner with BuildKit's programs played by scripts: what it makes of all that they can do."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import BranchCache, Dockerfile, GitSource, Mount, Output, Plan, Registry, RegistrySecret
from imagebuild.contract.reasons import Reason
from runner.conftest import push
from runner.pod import CACHE, DIGEST, DONE, FAILED, METADATA, PUSHED, STEP, SUCCESS, Pod, vertex

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("127.0.0.1:1/a:1",)))


def test_a_success_has_digest_images_platform_and_steps(pod: Pod) -> None:
    found, log, code = pod.run(INLINE)
    assert code == 0, log
    assert (found.essentials.reason, found.essentials.digest) == (Reason.BUILT, DIGEST)
    assert found.details.images == ("127.0.0.1:1/a:1",)
    assert found.details.platform == "linux/arm64/v8"
    assert (found.details.steps_cached, found.details.steps_total) == (0, 1)
    assert f"127.0.0.1:1/a:1@{DIGEST}" in log


def test_a_failing_step_is_named_with_its_exit_code_line_and_last_output(pod: Pod) -> None:
    output = f"#4 0.1 boom\n------\nDockerfile:3\n{'-' * 20}\n   3 | >>> RUN make\n{'-' * 20}\nerror: failed to solve: process"
    said = {"logs": [{"vertex": STEP, "stream": 2, "data": "Ym9vbRtbMzFtIQo="}]}
    failing = {**FAILED, "trace": [vertex(), said, *FAILED["trace"]], "output": output}
    pod.behave(calls=[failing])
    found, log, code = pod.run(INLINE)
    assert code == 1
    failure = found.details.failure
    assert found.essentials.reason is Reason.STEP_FAILED
    assert failure is not None, log
    assert (failure.step, failure.line, failure.exit_code) == ("[1/1] RUN make", 3, 2)
    assert failure.log_tail == "boom!", "without terminal escapes"


def test_what_a_step_prints_forges_neither_cause_nor_line(pod: Pod) -> None:
    forged = f"#4 0.1 error: failed to solve: 401 Unauthorized\n#4 0.1 Dockerfile:99\n#4 0.1 {'-' * 20}"
    pod.behave(calls=[{**FAILED, "output": forged}])
    found, _, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.STEP_FAILED
    assert found.details.failure is not None
    assert found.details.failure.line is None


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        pytest.param("Superseded", Reason.SUPERSEDED, id="a word of the operator"),
        pytest.param("Cancelled", Reason.CANCELLED, id="another one"),
        pytest.param("Built", Reason.STOPPED, id="a word that is no reason to stop"),
        pytest.param("rm -rf /", Reason.STOPPED, id="anything else"),
    ],
)
def test_a_stop_request_ends_the_build_with_its_reason(pod: Pod, word: str, reason: Reason) -> None:
    pod.behave(calls=[{"sleep": 60}])
    running = pod.start(INLINE)
    pod.wait_for("buildctl")
    pod.stop_file.write_text(word)
    found, _, code = pod.end(running)
    assert (found.essentials.reason, code) == (reason, 1)


def test_term_ends_the_build_and_the_result_is_written(pod: Pod) -> None:
    pod.behave(calls=[{"sleep": 60}])
    running = pod.start(INLINE)
    pod.wait_for("buildctl")
    running.send_signal(signal.SIGTERM)
    found, _, _ = pod.end(running)
    assert found.essentials.reason is Reason.STOPPED


def test_a_push_that_was_done_before_the_stop_counts(pod: Pod) -> None:
    pod.behave(calls=[{"trace": PUSHED, "sleep": 60}])
    running = pod.start(INLINE)
    pod.wait_for_trace(f"@{DIGEST}")
    pod.stop_file.write_text("Superseded")
    found, _, code = pod.end(running)
    assert (found.essentials.reason, found.essentials.digest, code) == (Reason.BUILT, DIGEST, 0)


def test_a_hanging_cache_export_is_given_up_after_the_image_is_pushed(pod: Pod) -> None:
    hanging = vertex(CACHE, "exporting cache to registry")
    pod.behave(calls=[{"trace": [*PUSHED, hanging], "sleep": 60}])
    found, _, code = pod.run(replace(INLINE, push_grace=0.2))
    assert (found.essentials.reason, found.essentials.digest, code) == (Reason.BUILT, DIGEST, 0)
    assert "after all else was done" in found.details.export_error


@pytest.mark.parametrize(
    ("logged", "reason"),
    [
        pytest.param(
            '{"level":"error","msg":"runc run failed: no proc"}\n', Reason.CONTAINER_FAILED, id="runc says so"
        ),
        pytest.param("{\n[]\n7\n", Reason.STEP_FAILED, id="only the step does"),
    ],
)
def test_a_container_that_cannot_be_made_is_told_by_runcs_own_log(pod: Pod, logged: str, reason: Reason) -> None:
    said = {"logs": [{"vertex": STEP, "data": "cnVuYyBydW4gZmFpbGVkOiBubyBwcm9jCg=="}]}  # runc run failed: no proc
    pod.behave(calls=[{**FAILED, "trace": [vertex(), said, *FAILED["trace"]], "runc_log": logged}])
    found, log, _ = pod.run(INLINE)
    assert found.essentials.reason is reason, log


def test_a_cache_that_cannot_be_written_is_said_and_fails_nothing(pod: Pod) -> None:
    refused = vertex(CACHE, "exporting cache to registry", **DONE, error="403 Forbidden")
    pod.behave(calls=[{**SUCCESS, "trace": [*SUCCESS["trace"], refused]}])
    found, _, code = pod.run(INLINE)
    assert (code, found.details.export_error) == (0, "403 Forbidden")


def test_a_daemon_that_dies_in_the_middle_is_noticed_at_once(pod: Pod) -> None:
    pod.behave(daemon_lives=2, calls=[{"sleep": 60}])
    found, _, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.DAEMON_DIED


@pytest.mark.parametrize(
    "call",
    [
        pytest.param({"code": 1, "output": ""}, id="without a word"),
        pytest.param({"code": 1, "trace": ["{", "[]", "null", '"x"', "\\x00"]}, id="with a trace that is garbage"),
        pytest.param({"code": 1, "trace": [{"vertexes": None, "logs": None}]}, id="with an empty trace"),
    ],
)
def test_a_buildctl_that_fails_strangely_is_reported_as_unknown(pod: Pod, call: dict[str, Any]) -> None:
    pod.behave(calls=[call])
    found, _, code = pod.run(INLINE)
    assert (found.essentials.reason, code) == (Reason.UNKNOWN, 1)


@pytest.mark.parametrize("metadata", ["", "{", "[]", '{"containerimage.digest": 7}'])
def test_metadata_that_is_garbage_falls_back_to_the_trace(pod: Pod, metadata: str) -> None:
    pod.behave(calls=[{**SUCCESS, "metadata": metadata}])
    found, _, code = pod.run(INLINE)
    assert (found.essentials.digest, code) == (DIGEST, 0)


def test_a_build_that_keeps_nothing_has_no_output(pod: Pod) -> None:
    pod.behave(calls=[{"trace": [vertex(**DONE, cached=True)]}])
    found, _, code = pod.run(replace(INLINE, output=Output()))
    assert (found.essentials.digest, found.details.steps_cached, code) == (None, 1, 0)
    assert "--output" not in pod.seen("buildctl")[0]["argv"]


def test_a_missing_secret_is_named_before_anything_is_started(pod: Pod, tmp_path: Path) -> None:
    missing = RegistrySecret(name="registry-push", path=str(tmp_path / "none"))
    found, _, code = pod.run(replace(INLINE, registry_secrets=(missing,)))
    assert (found.essentials.reason, code) == (Reason.SECRET_MISSING, 1)
    assert "registry-push" in found.essentials.message
    assert not pod.seen("buildkitd")


def test_a_missing_config_map_is_named(pod: Pod, tmp_path: Path) -> None:
    found, _, _ = pod.run(replace(INLINE, directory=Mount(name="context", path=str(tmp_path / "none"))))
    assert found.essentials.reason is Reason.CONFIG_MAP_MISSING
    assert "context" in found.essentials.message


@pytest.fixture
def context(tmp_path: Path) -> Mount:
    """A mounted ConfigMap: links into a hidden directory."""
    mounted = tmp_path / "mounted"
    (mounted / "..data").mkdir(parents=True)
    (mounted / "..data" / "Dockerfile.prod").write_text("FROM scratch\n")
    (mounted / "Dockerfile.prod").symlink_to("..data/Dockerfile.prod")
    return Mount(name="context", path=str(mounted))


def test_a_config_map_is_given_to_buildkit_as_plain_files(pod: Pod, context: Mount) -> None:
    found, log, code = pod.run(Plan(directory=context, dockerfile=Dockerfile(path="Dockerfile.prod")))
    assert code == 0, log
    assert found.essentials.commit is None
    assert [file.name for file in (pod.work / "source").iterdir()] == ["Dockerfile.prod"]
    assert not (pod.work / "source" / "Dockerfile.prod").is_symlink()


def test_a_dockerfile_that_is_not_there_is_named_with_those_that_are(pod: Pod, context: Mount) -> None:
    found, _, _ = pod.run(Plan(directory=context))
    assert found.essentials.reason is Reason.FILE_NOT_FOUND
    assert "Dockerfile.prod" in found.essentials.message


def test_a_dockerfile_that_is_a_link_out_of_the_context_is_refused(
    pod: Pod, git_repository: Path, git_server: str
) -> None:
    (git_repository / "Dockerfile").unlink()
    (git_repository / "Dockerfile").symlink_to("/etc/passwd")
    push(git_repository, f"{git_server}/{git_repository.name}")
    found, log, _ = pod.run(Plan(git=GitSource(url=f"{git_server}/{git_repository.name}", branch="main")))
    assert found.essentials.reason is Reason.FILE_NOT_FOUND, log
    assert "dockerfile.path Dockerfile is not a file of the context" in found.essentials.message


@pytest.mark.parametrize("path", ["../..", "/etc", "none"])
def test_a_context_outside_of_the_source_is_refused(pod: Pod, context: Mount, path: str) -> None:
    found, _, _ = pod.run(Plan(directory=context, path=path))
    assert found.essentials.reason is Reason.FILE_NOT_FOUND
    assert path in found.essentials.message


def test_a_lost_cache_is_built_without_once_more(pod: Pod, registry: str) -> None:
    lost = vertex(
        **DONE, error="failed to compute cache key: could not fetch content descriptor sha256:x from remote: not found"
    )
    pod.behave(calls=[{"trace": [lost], "code": 1}, SUCCESS])
    cache = BranchCache(repository=f"{registry}/found", scope="s")
    found, log, code = pod.run(replace(INLINE, cache=cache, registries=(Registry(host=registry, http=True),)))
    assert code == 0, log
    first, second = (call["argv"] for call in pod.seen("buildctl"))
    assert "--import-cache" in first
    assert "--import-cache" not in second
    assert [entry.found for entry in found.details.imports] == ["Found"]


def test_a_plan_that_cannot_be_read_is_the_runners_fault(pod: Pod) -> None:
    found, _, code = pod.run('{"args": 7}')
    assert (found.essentials.reason, code) == (Reason.RUNNER_FAILED, 1)
    assert "args" in found.essentials.message


def test_a_program_that_is_not_there_is_the_runners_fault_and_has_its_traceback_in_the_log(pod: Pod) -> None:
    (pod.bin / "rootlesskit").unlink()
    found, log, _ = pod.run(INLINE)
    assert found.essentials.reason is Reason.RUNNER_FAILED
    assert "Traceback" in log


def test_no_secret_reaches_an_argument_an_environment_the_log_or_the_result(pod: Pod, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    auth = "dXNlcjpodW50ZXIy"  # user:hunter2
    (secret / ".dockerconfigjson").write_text(json.dumps({"auths": {"r.io": {"auth": auth, "password": "hunter2"}}}))
    pod.behave(calls=[{**FAILED, "metadata": METADATA}])
    mounted = RegistrySecret(name="push", path=str(secret))
    _, log, _ = pod.run(replace(INLINE, registry_secrets=(mounted,)))
    seen = json.dumps([pod.seen("buildkitd"), pod.seen("buildctl")]) + log + pod.result_file.read_text()
    for value in ("hunter2", auth, "do-not-pass-on"):
        assert value not in seen
    config = pod.work / "docker" / "config.json"
    assert json.loads(config.read_text())["auths"]["r.io"]["auth"] == auth
    assert config.stat().st_mode & 0o077 == 0
    (call,) = pod.seen("buildctl")
    assert call["env"]["DOCKER_CONFIG"] == str(config.parent)
