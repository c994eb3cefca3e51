"""What BuildKit says of a failed build, as a reason. The texts are those of BuildKit v0.33.1."""

from __future__ import annotations

import pytest

from imagebuild.contract.plan import Registry
from imagebuild.contract.reasons import Reason
from imagebuild.runner.daemon import cause, configuration
from imagebuild.runner.diagnose import diagnose, last_error, line_number
from imagebuild.runner.trace import Vertex

REF = "p9cgcak923ugqero0mm5su26w::ism0yt1p6fb2gtyp39u9244hg"
HEAD = 'failed to do request: Head "https://r.io/v2/a/manifests/1": '
ERRORS = {
    "a file that COPY names": (
        f'failed to calculate checksum of ref {REF}: "/nothing.txt": not found',
        Reason.FILE_NOT_FOUND,
    ),
    "the Dockerfile itself": ("failed to read dockerfile: open Dock: no such file or directory", Reason.FILE_NOT_FOUND),
    "a word that is no instruction": (
        "dockerfile parse error on line 2: unknown instruction: COPI (did you mean COPY?)",
        Reason.DOCKERFILE_INVALID,
    ),
    "a stage that is not there": ('target stage "zzz" could not be found', Reason.DOCKERFILE_INVALID),
    "a name that is not known": (f"{HEAD}dial tcp: lookup r.io: no such host", Reason.REGISTRY_UNAVAILABLE),
    "nobody listens": (f"{HEAD}dial tcp 10.0.0.1:443: connect: connection refused", Reason.REGISTRY_UNAVAILABLE),
    "too many requests": ("unexpected status from HEAD request to https://r.io/v2/: 429 Too Many Requests", Reason.REGISTRY_UNAVAILABLE),
    "the registry has a fault": ("unexpected status from PUT request to https://r.io/v2/: 503 Service Unavailable", Reason.REGISTRY_UNAVAILABLE),
    "a wrong password": (
        "failed to push r.io/a:1: unexpected status from HEAD request to https://r.io/v2/: 401 Unauthorized",
        Reason.REGISTRY_UNAUTHORIZED,
    ),
    "no token": ("failed to authorize: failed to fetch oauth token: denied", Reason.REGISTRY_UNAUTHORIZED),
    "no right": ("failed to push r.io/a:1: 403 Forbidden", Reason.REGISTRY_DENIED),
    "a base image that is not there": ("r.io/none/such:1: not found", Reason.IMAGE_NOT_FOUND),
    "an unknown authority": (f"{HEAD}tls: failed to verify certificate: x509: certificate signed by unknown authority", Reason.TLS_FAILED),
    "no space": ("ResourceExhausted: write /work/x: no space left on device", Reason.DISK_FULL),
    "a lost layer": ("failed to compute cache key: could not fetch content descriptor sha256:1 from remote: not found", Reason.CACHE_LOST),
    "a daemon that is gone": ("failed to receive status: rpc error: code = Unavailable desc = EOF", Reason.DAEMON_DIED),
    "something new": ("the moon is in the wrong phase", Reason.UNKNOWN),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_has_its_reason_from_a_vertex_and_from_the_closing_line_alike(name: str) -> None:
    error, reason = ERRORS[name]
    failed = diagnose(Vertex(name="[internal] load", error=error), "", None, imported=True, out_of_memory=False)
    closing = diagnose(None, error, None, imported=True, out_of_memory=False)
    assert (failed.reason, closing.reason) == (reason, reason)
    assert failed.failure.step == "[internal] load"


def test_internal_references_are_left_out_of_the_message() -> None:
    error, _ = ERRORS["a file that COPY names"]
    assert diagnose(None, error, None, imported=True, out_of_memory=False).message == '"/nothing.txt": not found'


def step(code: int, head: str = "", command: str = "make") -> Vertex:
    error = f'process "/bin/sh -c {command}" did not complete successfully: exit code: {code}'
    return Vertex(name=f"[1/1] RUN {command}", error=error, head=head)


@pytest.mark.parametrize(
    ("vertex", "out_of_memory", "reason"),
    [
        pytest.param(step(2), False, Reason.STEP_FAILED, id="the step's own fault"),
        pytest.param(step(1, command="echo 401 Unauthorized"), False, Reason.STEP_FAILED, id="whatever it quotes"),
        pytest.param(step(1, head="401 Unauthorized\n"), False, Reason.STEP_FAILED, id="whatever it prints"),
        pytest.param(step(137), False, Reason.STEP_FAILED, id="killed by itself"),
        pytest.param(step(137), True, Reason.OUT_OF_MEMORY, id="killed by the kernel for its memory"),
        pytest.param(step(1), True, Reason.STEP_FAILED, id="failed while something else was killed"),
        pytest.param(
            step(1, head="runc run failed: unable to start container process"),
            False,
            Reason.CONTAINER_FAILED,
            id="its container did not start",
        ),
    ],
)
def test_a_failed_step(vertex: Vertex, out_of_memory: bool, reason: Reason) -> None:
    assert diagnose(vertex, "", None, imported=True, out_of_memory=out_of_memory).reason is reason


EXCERPT = ["Dockerfile:3", "-" * 20, "   3 | >>> RUN make", "-" * 20, "error: failed to solve: process"]


def test_line_and_error_are_read_from_what_buildctl_says_at_its_end() -> None:
    assert line_number(["#1 0.1 Dockerfile:9", "#1 0.1 " + "-" * 20, *EXCERPT]) == 3
    assert last_error(["#1 0.1 error: no", *EXCERPT]) == "process"


def test_output_of_a_step_is_neither() -> None:
    forged = ["#1 0.1 Dockerfile:9", "#1 0.1 " + "-" * 20, "#1 0.1 error: failed to solve: denied"]
    assert (line_number(forged), last_error(forged)) == (None, "")


def test_a_daemons_log_without_a_known_cause_names_none() -> None:
    assert cause("all is well") == ""


def test_registries_become_the_daemons_configuration() -> None:
    hub = Registry(host="docker.io", mirrors=("m.io/hub",))
    assert configuration([hub, Registry(host="r.io:5000", http=True)]) == (
        '[registry."docker.io"]\n  mirrors = ["m.io/hub"]\n[registry."r.io:5000"]\n  http = true\n'
    )
