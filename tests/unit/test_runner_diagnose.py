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
    "too many requests": ("unexpected status from HEAD request to https://r.io/v2/: 429 Too Many Requests", Reason.REGISTRY_BUSY),
    "Docker Hub's limit": ("toomanyrequests: You have reached your unauthenticated pull rate limit", Reason.REGISTRY_BUSY),
    "a frontend that is not allowed": (
        "'docker.io/team/front' is not an allowed gateway source",
        Reason.FRONTEND_NOT_ALLOWED,
    ),
    "a server for tokens that has a fault": (
        "failed to push r.io/a:1: failed to authorize: failed to fetch oauth token: unexpected status from POST request to https://auth.r.io/token: 502 Bad Gateway",
        Reason.REGISTRY_UNAVAILABLE,
    ),
    "a server for tokens that hangs up": (
        'failed to push r.io/a:1: failed to authorize: failed to fetch anonymous token: Get "https://auth.r.io/token?s=r": EOF',
        Reason.REGISTRY_UNAVAILABLE,
    ),
    "a layer that ends too soon": ("short read: expected 1170049 bytes but got 1170048: unexpected EOF", Reason.REGISTRY_UNAVAILABLE),
    "a layer that is another": (
        'failed commit on ref "layer-sha256:15": unexpected commit digest sha256:e1, expected sha256:15: failed precondition',
        Reason.REGISTRY_UNAVAILABLE,
    ),
    "a registry that hangs up": ('failed to push r.io/a:1: failed to do request: Put "https://r.io/v2/a/blobs/uploads/1": EOF', Reason.REGISTRY_UNAVAILABLE),
    "a repository that is not there": ("failed to push r.io/a:1: unknown: repository name not known to registry", Reason.REPOSITORY_NOT_FOUND),
    "a repository of ECR that is not there": (
        "failed to push r.io/a:1: unknown: The repository with name 'a' does not exist in the registry with id '1'",
        Reason.REPOSITORY_NOT_FOUND,
    ),
    "a token that is good for something else": (
        "failed to push docker.io/team/a:1: push access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
        Reason.REGISTRY_DENIED,
    ),
    "words of Harbor": ("failed to push r.io/a/b:1: unauthorized: unauthorized to access repository: a/b, action: push", Reason.REGISTRY_UNAUTHORIZED),
    "the registry has a fault": ("unexpected status from PUT request to https://r.io/v2/: 503 Service Unavailable", Reason.REGISTRY_UNAVAILABLE),
    "a wrong password": (
        "failed to push r.io/a:1: unexpected status from HEAD request to https://r.io/v2/: 401 Unauthorized",
        Reason.REGISTRY_UNAUTHORIZED,
    ),
    "no token": ("failed to authorize: failed to fetch oauth token: denied", Reason.REGISTRY_UNAUTHORIZED),
    "a helper without credentials": (
        "failed to push r.io/a:1: error getting credentials - err: exit status 1, out: `expired`",
        Reason.REGISTRY_UNAUTHORIZED,
    ),
    "no right": ("failed to push r.io/a:1: 403 Forbidden", Reason.REGISTRY_DENIED),
    "a base image that is not there": ("r.io/none/such:1: not found", Reason.IMAGE_NOT_FOUND),
    "an unknown authority": (f"{HEAD}tls: failed to verify certificate: x509: certificate signed by unknown authority", Reason.TLS_FAILED),
    "a client certificate that is wanted": (f"{HEAD}remote error: tls: certificate required", Reason.CLIENT_CERTIFICATE_REFUSED),
    "a client certificate that is not known": (f"{HEAD}remote error: tls: unknown certificate authority", Reason.CLIENT_CERTIFICATE_REFUSED),
    "a server that speaks TLS in other ways": (f"{HEAD}remote error: tls: handshake failure", Reason.TLS_FAILED),
    "a proxy that does not let through": (f"{HEAD}the egress proxy p.io:1 answers 403 Forbidden", Reason.PROXY_REFUSED),
    "a proxy that is away": (f"{HEAD}the egress proxy p.io:1 does not answer: Connection refused", Reason.PROXY_UNAVAILABLE),
    "a host that the proxy cannot reach": (f"{HEAD}the egress proxy p.io:1 answers 503 Service Unavailable", Reason.REGISTRY_UNAVAILABLE),
    "a host that is reached without the proxy": (f"{HEAD}r.io:443 cannot be reached: Name or service not known", Reason.REGISTRY_UNAVAILABLE),
    "a call that the node forbids": (
        "failed to unmount /work/run/containerd-mount1: operation not permitted",
        Reason.CONTAINER_FAILED,
    ),
    "no space": ("ResourceExhausted: write /work/x: no space left on device", Reason.DISK_FULL),
    "a lost layer": ("failed to compute cache key: could not fetch content descriptor sha256:1 from remote: not found", Reason.CACHE_LOST),
    "a daemon that is gone": ("failed to receive status: rpc error: code = Unavailable desc = EOF", Reason.DAEMON_DIED),
    "something new": ("the moon is in the wrong phase", Reason.UNKNOWN),
}  # fmt: skip


NAMES = {
    "of an image to push": ("failed to push r.io/denied/x509:toomanyrequests: 401 Unauthorized", Reason.REGISTRY_UNAUTHORIZED),
    "of an image to pull": ("r.io/denied/EOF:1: not found", Reason.IMAGE_NOT_FOUND),
    "in a URL": ("unexpected status from HEAD request to https://r.io/v2/x509:/tls:/EOF/manifests/1: 403 Forbidden", Reason.REGISTRY_DENIED),
    "of a file": ("open /x/i/o timeout/EOF: permission denied", Reason.UNKNOWN),
    "of a file in quotes": ('failed to calculate checksum of ref a::b: "/401 Unauthorized": not found', Reason.FILE_NOT_FOUND),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_causes(name: str) -> None:
    error, reason = NAMES[name]
    assert diagnose(None, error, None, imported=True, out_of_memory=False).reason is reason


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
        pytest.param(step(137), True, Reason.STEP_OUT_OF_MEMORY, id="killed by the kernel for its memory"),
        pytest.param(step(1), True, Reason.STEP_FAILED, id="failed while something else was killed"),
    ],
)
def test_a_failed_step(vertex: Vertex, out_of_memory: bool, reason: Reason) -> None:
    assert diagnose(vertex, "", None, imported=True, out_of_memory=out_of_memory).reason is reason


RUNC = "runc run failed: unable to start container process: error during container init: error mounting proc"
NO_PROGRAM = (
    'runc run failed: unable to start container process: error during container init: exec: "/d": permission denied'
)


@pytest.mark.parametrize(
    ("said", "logged", "reason"),
    [
        pytest.param(RUNC, (RUNC, "container does not exist"), Reason.CONTAINER_FAILED, id="runc has logged it"),
        pytest.param(RUNC[:60], (RUNC,), Reason.CONTAINER_FAILED, id="of a long error the beginning"),
        pytest.param(f"{RUNC}\nmore", (RUNC,), Reason.CONTAINER_FAILED, id="with more after it"),
        pytest.param(RUNC, (), Reason.STEP_FAILED, id="only the step says so"),
        pytest.param(RUNC, ("runc run failed: something else",), Reason.STEP_FAILED, id="another step's container did"),
        pytest.param(RUNC, ("", "r", "container does not exist"), Reason.STEP_FAILED, id="runc has logged other things"),
        pytest.param("make: failed", (RUNC,), Reason.STEP_FAILED, id="the step says something else"),
        pytest.param(NO_PROGRAM, (NO_PROGRAM,), Reason.STEP_FAILED, id="a program that cannot be run is the user's"),
    ],
)  # fmt: skip
def test_a_container_that_could_not_be_made_is_what_runc_itself_says(
    said: str, logged: tuple[str, ...], reason: Reason
) -> None:
    vertex = step(1, head=f"{said}\n")
    assert diagnose(vertex, "", None, imported=True, out_of_memory=False, runc=logged).reason is reason


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
