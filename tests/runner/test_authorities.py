"""The administrator's certificate authorities for RUN steps: as a build secret that they may mount."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagebuild.contract.plan import Dockerfile, Plan
from imagebuild.runner.authorities import offer
from runner.pod import Pod

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
INLINE = Dockerfile(inline="FROM scratch\n")
MINE = ("--secret", "id=imagebuild-ca,src=/mine")


def offered(pod: Pod, plan: Plan) -> list[str]:
    pod.run(plan)
    (client,) = pod.seen("buildctl")
    return [word for word in client["argv"] if word.startswith("id=imagebuild-ca,")]


def test_run_steps_may_mount_the_authorities_that_the_pod_trusts(pod: Pod) -> None:
    bundle = pod.work / "ca.crt"
    assert offered(pod, Plan(dockerfile=INLINE, certificates=PEM)) == [f"id=imagebuild-ca,src={bundle}"]
    assert bundle.read_text().endswith(PEM)
    (daemon,) = pod.seen("buildkitd")
    assert daemon["env"]["SSL_CERT_FILE"] == str(bundle), json.dumps(daemon)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        pytest.param(Plan(dockerfile=INLINE), [], id="none where there are none of the administrator's"),
        pytest.param(
            Plan(dockerfile=INLINE, certificates=PEM, args=MINE), [MINE[1]], id="the spec's own secret of that name"
        ),
    ],
)
def test_or_not(pod: Pod, plan: Plan, words: list[str]) -> None:
    assert offered(pod, plan) == words


def test_a_bundle_that_buildkit_would_refuse_fails_no_build(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.crt"
    bundle.write_bytes(b"x" * (500 * 1024 + 1))
    assert offer(Plan(), bundle) == Plan()
