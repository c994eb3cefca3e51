"""What the recording shows, on hack/cluster's cluster: a build from git, one of a directory, and one that fails."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from recording.cast import Cast
from recording.terminal import opened
from testbed import gitserver, registry
from testbed.kubectl import Kubectl
from testbed.place import Place
from testbed.server import ready

TITLE = "ImageBuild: an image from git, one of a directory, and a build that fails"
_NAMESPACE = "shop-builds"
_DOCKERFILE = """\
FROM busybox:1.37
COPY menu.txt /
RUN sort /menu.txt > /sorted.txt
RUN wc -l < /sorted.txt
"""
_BUILD = """\
apiVersion: imagebuild.dev/v1alpha1
kind: ImageBuild
metadata:
  name: shop
spec:
  source: {{git: {{url: "http://git:8080/shop.git", branch: main}}}}
  output: {{images: ["{repository}:{{shortCommit}}"]}}
  registrySecrets: [{{name: registry-push}}]
"""


def record(place: Place, *, hurried: bool = False) -> Cast:
    with _namespace(Kubectl(place)) as kubectl, tempfile.TemporaryDirectory(prefix="record-") as scratch:
        repository = f"{place.private_registry}/shop"
        checkout = Path(scratch) / "shop"
        checkout.mkdir()
        (checkout / "Dockerfile").write_text(_DOCKERFILE)
        (checkout / "menu.txt").write_text("tea\ncoffee\ncake\n")
        _push(kubectl, checkout)
        (checkout / "shop.yaml").write_text(_BUILD.format(repository=repository))
        with opened(checkout, _environment(kubectl, Path(scratch) / "home"), hurried=hurried) as terminal:
            terminal.types("cat shop.yaml")
            terminal.types("kubectl apply -f shop.yaml")
            terminal.types("kubectl get ib -w", until="Succeeded")
            terminal.clears()
            terminal.types(f"imagebuild build . -t {repository}:test --registry-secret registry-push")
            terminal.clears()
            terminal.types("sed -i s/sort/srot/ Dockerfile")
            terminal.types(f"imagebuild build . -t {repository}:test --registry-secret registry-push --name typo -q")
            terminal.types("sed -i s/srot/sort/ Dockerfile")
            terminal.types(f"imagebuild build . -t {repository}:test --registry-secret registry-push -q")
            return Cast(TITLE, tuple(terminal.writes))


@contextlib.contextmanager
def _namespace(kubectl: Kubectl) -> Iterator[Kubectl]:
    """With a git server and the registry's login in it. One that a killed command has left is made new."""
    kubectl("delete", "namespace", _NAMESPACE, "--ignore-not-found", timeout=120)
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE, "labels": labels}})
    try:
        here = kubectl.within(_NAMESPACE)
        here.apply(registry.login_secret(kubectl.place, "registry-push"))
        here.apply(*gitserver.manifests(kubectl.place.builder_image))
        ready(here, gitserver.NAME)
        yield here
    finally:
        kubectl("delete", "namespace", _NAMESPACE, "--ignore-not-found", "--wait=false")


def _push(kubectl: Kubectl, checkout: Path) -> None:
    who = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    with kubectl.forward("service/git", gitserver.PORT) as port:
        for words in (
            ("init", "--quiet", "--initial-branch=main"),
            ("add", "--all"),
            (*who, "commit", "--quiet", "--message=A menu"),
            ("push", "--quiet", f"http://127.0.0.1:{port}/shop.git", "main"),
        ):
            subprocess.run(["git", *words], cwd=checkout, check=True, capture_output=True, timeout=60)


def _environment(kubectl: Kubectl, home: Path) -> dict[str, str]:
    """Of somebody who has logged in to the cluster and to the registry."""
    place = kubectl.place
    certificates = home / ".config/docker/certs.d" / place.private_registry
    certificates.mkdir(parents=True)
    (certificates / "ca.crt").write_text(place.authorities)
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(registry.docker_config(place))
    (home / ".inputrc").write_text("set enable-bracketed-paste off\n")
    (home / "bin").mkdir()
    (home / "bin/kubectl").symlink_to(Path(shutil.which(place.kubectl) or place.kubectl).resolve())
    (home / "bin/imagebuild").symlink_to(Path(sys.executable).parent / "imagebuild")
    config = home / "kubeconfig"
    config.write_bytes(Path(place.kubeconfig).read_bytes())
    words = ["config", "set-context", "--current", f"--namespace={_NAMESPACE}", f"--kubeconfig={config}"]
    subprocess.run([place.kubectl, *words], check=True, capture_output=True, timeout=30)
    return {"HOME": str(home), "KUBECONFIG": str(config), "PATH": f"{home}/bin:{os.environ['PATH']}"}
