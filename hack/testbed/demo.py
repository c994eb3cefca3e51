"""The story that hack/demo tells, in the order in which it happens."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from localcluster.work import Failure
from testbed import gitserver, registry
from testbed.kubectl import Document, Kubectl, until
from testbed.place import ROOT, Place, git, place

NAMESPACE = "imagebuild-demo"
BUILD = "operator"
REPOSITORY = "imagebuild.git"
_LINE = "# changed by hack/demo\n"
_FOLLOW_SECONDS = 900


def demo() -> None:
    here = place()
    kubectl = Kubectl(here, NAMESPACE)
    with tempfile.TemporaryDirectory() as directory:
        checkout = Path(directory) / "checkout"
        _title("A namespace at Pod Security level baseline, a registry password, a git server")
        _namespace(kubectl)
        _copy_of_the_project(checkout)
        first = _push(kubectl, checkout)

        _title("The ImageBuild: this project's operator image, from git, with a branch cache")
        repository = (
            f"{here.private_registry}/demo-{secrets.token_hex(2)}/operator"  # new: without an older demo's cache
        )
        build = image_build(here, repository, first)
        print(kubectl("create", "--dry-run=client", "-o=yaml", "-f=-", stdin=json.dumps(build)))
        kubectl.apply(build)
        one = _follow(kubectl, first)

        _title("One changed line, and the same build again")
        with (checkout / "operator" / "imagebuild" / "controller" / "__init__.py").open("a") as file:
            file.write(_LINE)
        git("commit", "--quiet", "--all", "--message=Change a line", cwd=checkout)
        second = _push(kubectl, checkout)
        kubectl.apply(image_build(here, repository, second))
        two = _follow(kubectl, second)

        _title("What was built runs")
        print(_run(kubectl, two))
    _summary(here, one, two)


def image_build(here: Place, repository: str, commit: str) -> Document:
    """What a user writes. The commit says what is built, the branch names the cache."""
    args = {"WHEELS": here.wheels_image} if here.wheels_image else {}
    return {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": BUILD},
        "spec": {
            "source": {
                "git": {
                    "url": f"http://{gitserver.NAME}.{NAMESPACE}:{gitserver.PORT}/{REPOSITORY}",
                    "branch": "main",
                    "commit": commit,
                }
            },
            "dockerfile": {"path": "operator/images/operator/Dockerfile"},
            **({"args": args} if args else {}),
            "output": {"images": [f"{repository}:{{shortCommit}}", f"{repository}:{{branch}}"]},
            "registrySecrets": [{"name": "registry-push"}],
        },
    }


def _namespace(kubectl: Kubectl) -> None:
    """A fresh one: whatever an earlier demo left behind is gone, the caches in the registry stay."""
    here = kubectl.place
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait", timeout=180)
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    kubectl.apply(registry.login_secret(here, "registry-push"), *gitserver.manifests(here.builder_image))
    kubectl("wait", "--for=condition=Ready", f"pod/{gitserver.NAME}", "--timeout=120s", timeout=130)
    print(f"namespace {NAMESPACE}: Secret registry-push, git server http://{gitserver.NAME}:{gitserver.PORT}")


def _copy_of_the_project(checkout: Path) -> None:
    """A repository of its own, with what is committed here: nothing of the demo touches this checkout."""
    git("clone", "--quiet", f"file://{ROOT}", str(checkout))
    git("checkout", "--quiet", "-B", "main", cwd=checkout)
    git("config", "user.name", "demo", cwd=checkout)
    git("config", "user.email", "demo@example.com", cwd=checkout)


def _push(kubectl: Kubectl, checkout: Path) -> str:
    # one request without chunks, which the little server understands
    big = "http.postBuffer=500000000"
    with kubectl.forward(f"service/{gitserver.NAME}", gitserver.PORT) as port:
        git("-c", big, "push", "--quiet", f"http://127.0.0.1:{port}/{REPOSITORY}", "main", cwd=checkout)
    commit = git("rev-parse", "HEAD", cwd=checkout)
    print(f"pushed {commit[:12]} to branch main")
    return commit


def _follow(kubectl: Kubectl, commit: str) -> Document:
    """Phases and the pod's log as they come, until the build of this commit is over."""
    shown, followed, deadline = "", "", time.monotonic() + _FOLLOW_SECONDS
    while time.monotonic() < deadline:
        build = kubectl.get("imagebuild", BUILD)
        status = build.get("status") or {}
        current = status.get("observedGeneration") == build["metadata"]["generation"]
        state = (
            f"{status.get('phase')}: {status.get('message')}" if current else "Pending: not seen by the operator yet"
        )
        if state != shown:
            print(f"imagebuild/{BUILD}  {state}", flush=True)
            shown = state
        if current and status["phase"] in ("Succeeded", "Failed"):
            return _checked(kubectl, status, commit)
        if current and status["phase"] == "Running" and followed != status["podName"]:
            followed = status["podName"]
            subprocess.run(kubectl.command("logs", "--follow", followed), check=False, timeout=_FOLLOW_SECONDS)
        time.sleep(0.2)
    raise Failure(f"imagebuild/{BUILD}", f"not finished after {_FOLLOW_SECONDS} s", _look(kubectl))


def _checked(kubectl: Kubectl, status: dict[str, Any], commit: str) -> Document:
    if status["phase"] == "Failed":
        raise Failure(f"imagebuild/{BUILD}", f"{status['reason']}: {status['message']}", _look(kubectl))
    digest = status["output"]["digest"]
    image = status["output"]["images"][0].rpartition(":")[0]
    if registry.manifest(kubectl.place, f"{image}@{digest}") is None:
        raise Failure(
            f"{image}@{digest}", "the registry does not have it", "read its log: docker logs private.imagebuild.test"
        )
    if status["source"]["commit"] != commit:
        raise Failure(f"imagebuild/{BUILD}", f"built {status['source']['commit']} instead of {commit}", _look(kubectl))
    return status


def _run(kubectl: Kubectl, status: Document) -> str:
    """The image by digest, as a pod that prints its version."""
    image = _by_digest(status)
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "built"},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "imagePullSecrets": [{"name": "registry-push"}],
                "containers": [{"name": "built", "image": image, "args": ["--version"]}],
            },
        }
    )

    def phase() -> bool:
        return kubectl.get("pod", "built")["status"].get("phase") in ("Succeeded", "Failed")

    until("the pod of the built image to end", phase, seconds=120)
    return f"$ {image} --version\n{kubectl('logs', 'built').strip()}"


def _summary(here: Place, one: Document, two: Document) -> None:
    kubectl = f"{'kubectl' if shutil.which('kubectl') else here.kubectl} -n {NAMESPACE}"
    _title("Look around")
    print(f"  export KUBECONFIG={here.kubeconfig}")
    print(f"  {kubectl} get imagebuilds -o wide")
    print(f"  {kubectl} describe imagebuild {BUILD}")
    print(f"  {kubectl} logs {two['podName']}")
    print("Remove everything again: hack/cluster down\n")
    for label, status in (("first build", one), ("second build", two)):
        cached = status["cache"]
        print(
            f"{label}: {_by_digest(status)} in {status['duration']}, "
            f"cached {cached['cached']} of {cached['total']} steps"
        )


def _by_digest(status: Document) -> str:
    name: str = status["output"]["images"][0].rpartition(":")[0]
    return f"{name}@{status['output']['digest']}"


def _look(kubectl: Kubectl) -> str:
    return f"{' '.join(kubectl.command('describe', 'imagebuild', BUILD))}"


def _title(text: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    print(f"\n━━ {text} ".ljust(width, "━"), flush=True)
