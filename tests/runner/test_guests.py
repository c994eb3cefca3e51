"""What is neither a step nor BuildKit: frontends and SBOM scanners; and what an image says of the build it is from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from imagebuild.contract.plan import Dockerfile, Output, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import DIGEST, DONE, METADATA, STEP, SUCCESS, Pod, vertex

INLINE = Plan(dockerfile=Dockerfile(inline="FROM scratch\n"), output=Output(images=("r.io/a:1",)))
SCANNER = ("--opt", "attest:sbom=generator=r.io/scan:1")
ENDED = 'process "/scan" did not complete successfully: exit code: 3'


@pytest.mark.parametrize(
    ("name", "args", "reason"),
    [
        pytest.param(
            "[linux/amd64] generating sbom using r.io/scan:1", SCANNER, Reason.SBOM_SCANNER_FAILED, id="the scanner"
        ),
        pytest.param("[2/2] RUN generating sbom using it", SCANNER, Reason.STEP_FAILED, id="a step beside it"),
        pytest.param("[linux/amd64] generating sbom using r.io/a", (), Reason.STEP_FAILED, id="no scanner was asked"),
    ],
)
def test_a_scanner_that_fails_is_not_taken_for_a_step(
    pod: Pod, name: str, args: tuple[str, ...], reason: Reason
) -> None:
    pod.behave(calls=[{"trace": [vertex(name=name, **DONE, error=ENDED)], "code": 1}])
    found, log, _ = pod.run(replace(INLINE, args=args))
    assert found.essentials.reason is reason, log
    assert found.essentials.message == f"{name}: exit code 3"
    assert found.details.failure is not None
    assert found.details.failure.exit_code == 3


def test_a_frontend_that_ends_is_named_and_not_tried_again(pod: Pod) -> None:
    pod.behave(calls=[{"output": "error: failed to solve: exit code: 1", "code": 1}])
    found, _, code = pod.run(replace(INLINE, dockerfile=Dockerfile(inline="FROM a\n", frontend="r.io/front:1")))
    assert (found.essentials.reason, found.essentials.message) == (Reason.FRONTEND_FAILED, "r.io/front:1: exit code: 1")
    assert code == 1


@pytest.mark.parametrize(
    ("frontends", "text", "args", "asked"),
    [
        pytest.param((), "# syntax=r.io/labs:1\nCOPY", (), "r.io/labs:1", id="a line"),
        pytest.param((), "#!/x\n# check=skip=all\n# Syntax = r.io/labs:1\n", (), "r.io/labs:1", id="below others"),
        pytest.param((), "COPY", ("--opt", "build-arg:BUILDKIT_SYNTAX=r.io/a:1"), "r.io/a:1", id="an argument"),
        pytest.param((), "FROM a\n# syntax=r.io/labs:1\n", (), "", id="a comment further down"),
        pytest.param(None, "# syntax=r.io/labs:1\nCOPY", (), "", id="a line that was followed"),
    ],
)
def test_a_dockerfile_that_only_another_frontend_reads_is_told_why_it_has_not(
    pod: Pod, frontends: tuple[str, ...] | None, text: str, args: tuple[str, ...], asked: str
) -> None:
    said = "dockerfile parse error on line 2: unknown flag: --parents"
    pod.behave(calls=[{"output": f"error: failed to solve: {said}", "code": 1}])
    found, log, _ = pod.run(replace(INLINE, dockerfile=Dockerfile(inline=text), args=args, frontends=frontends))
    why = f"; it asks for {asked}, but the administrator has BuildKit's own frontend read all (frontends.allowed: [])"
    assert (found.essentials.reason, found.essentials.message) == (
        Reason.DOCKERFILE_INVALID,
        said + (why if asked else ""),
    ), log


def test_the_platform_of_an_image_with_documents_is_that_of_its_index(pod: Pod) -> None:
    metadata = {**METADATA, "containerimage.descriptor": {"mediaType": "application/vnd.oci.image.index.v1+json"}}
    pod.behave(calls=[{**SUCCESS, "metadata": metadata}])
    blobs = pod.work / "buildkit" / "runc-overlayfs" / "content" / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    index = {"manifests": [{"platform": {"os": "linux", "architecture": "s390x"}}]}
    (blobs / DIGEST.removeprefix("sha256:")).write_text(json.dumps(index))
    found, _, _ = pod.run(INLINE)
    assert found.details.platform == "linux/s390x"


def test_labels_are_filled_before_buildctl_has_them(pod: Pod) -> None:
    pod.behave(calls=[{"trace": [vertex(STEP, **DONE)]}])
    pod.run(replace(INLINE, output=Output(labels=("a={x} $(X)",))))
    (call,) = pod.seen("buildctl")
    assert "label:a={x} $(X)" in call["argv"]


def test_a_label_that_nothing_fills_fails_the_build_before_buildkit_is_asked(pod: Pod) -> None:
    found, _, _ = pod.run(replace(INLINE, output=replace(INLINE.output, labels=("a={commit}",))))
    assert found.essentials.reason is Reason.SPEC_INVALID
    assert found.essentials.message == "output.labels: a: {commit} cannot be filled: the source is not from git"
    assert pod.seen("buildctl") == []
