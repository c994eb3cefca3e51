"""What the documents show and tell to type, on a real API server: see documents.py for what is checked where."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from documents import PAGES, ROOT, Block, blocks, objects, shell, title
from e2e.command import PROGRAM
from e2e.conftest import Repository
from e2e.story import WAITS, Story
from localcluster import certificates
from testbed.kubectl import Document, Kubectl, KubectlError, until
from testbed.registry import login_secret

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

SHOWN = [page for page in PAGES if any(objects(block) for block in blocks(page))]
TYPED = [page for page in PAGES if shell(page)]
JOBS = [
    block for page in PAGES for block in blocks(page) if block.info == "yaml gitlab" and "imagebuild.dev/" in block.text
]
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))
KUBECTL = """\
#!/bin/sh
# kubectl as a reader has it, but what reaches beyond the test's namespaces is a dry run, and leaves nothing to delete
case " $* " in
    *" delete "*"-k "*) set -- "$@" --dry-run=server --ignore-not-found ;;
    *" -k "* | *" --all-namespaces "*) set -- "$@" --dry-run=server ;;
esac
exec {command} "$@"
"""
KEYSCAN = """\
#!/bin/sh
# the servers of the documents do not exist
echo "$1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJjUhGeVJYZ9rn6bTxDcm0HG2pXJ7LiNSV6DjKhYmPVF"
"""
INSTALLED = "kubectl create namespace builds"
"""What a page takes for granted that is not docs/install.md."""
DOCKERFILE = "FROM busybox:1.37 AS final\nARG VERSION\nRUN echo built $VERSION > /version\n"


@pytest.fixture
def default(operator: None, kubectl: Kubectl) -> Kubectl:
    """Dry runs leave nothing behind, so all pages share a namespace."""
    return kubectl.within("default")


def refused(kubectl: Kubectl, documents: list[Document]) -> str:
    """What the API server has against them; it must know every field."""
    stream = "---\n".join(f"{json.dumps(document)}\n" for document in documents)
    try:
        kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-", stdin=stream)
    except KubectlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", SHOWN, ids=title)
def test_the_api_server_takes_everything_that_a_page_shows(default: Kubectl, page: Path) -> None:
    assert refused(default, [document for block in blocks(page) for document in objects(block)]) == ""


def test_the_api_server_takes_every_example(default: Kubectl) -> None:
    words = [word for path in EXAMPLES for word in ("-f", str(path))]
    taken = default("create", "--dry-run=server", "--validate=strict", *words)
    assert len(taken.splitlines()) >= len(EXAMPLES)


def test_the_api_server_refuses_a_field_that_there_is_not(default: Kubectl) -> None:
    """And it says where on the page."""
    wrong = Block(page=ROOT / "README.md", line=1, info="yaml", text="spec: {output: {discard: true, image: a}}")
    right = Block(page=ROOT / "README.md", line=9, info="yaml", text="output: {images: [shop]}")
    said = refused(default, [*objects(wrong), *objects(right)])
    assert 'unknown field "spec.output.image"' in said
    assert '"line-9" is invalid' in said


class Desk:
    """Where a reader types: a directory with the files that the page shows, kubectl, and a namespace."""

    def __init__(self, story: Story, directory: Path, names: Mapping[str, str]) -> None:
        self.story, self._home, self._names = story, directory, names
        self._here = directory / "here"
        self._here.mkdir()
        config = directory / "kubeconfig"
        config.write_bytes(Path(story.place.kubeconfig).read_bytes())
        command = shlex.join([story.place.kubectl, f"--kubeconfig={config}"])
        subprocess.run(
            [*shlex.split(command), "config", "set-context", "--current", f"--namespace={story.namespace}"],
            check=True,
            capture_output=True,
            timeout=30,
        )
        self._program("kubectl", KUBECTL.format(command=command))
        self._program("ssh-keyscan", KEYSCAN)
        (directory / "bin" / "imagebuild").symlink_to(PROGRAM)
        (directory / "imagebuild").symlink_to(ROOT)
        self.write("manifests/argocd/argocd-cm.yaml", (ROOT / "manifests/argocd/argocd-cm.yaml").read_text())
        self.write("id_ed25519", "not a key\n")
        self.write("puller.json", '{"auths": {}}')
        certificates.authority(self._here, "client", "client")
        (directory / ".aws").mkdir()
        (directory / ".aws" / "credentials").write_text("[default]\n")

    def _program(self, named: str, text: str) -> None:
        file = self._home / "bin" / named
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)

    def write(self, named: str, text: str) -> None:
        (self._here / named).parent.mkdir(parents=True, exist_ok=True)
        (self._here / named).write_text(self._in_our_names(text))

    def _in_our_names(self, text: str) -> str:
        for theirs, ours in self._names.items():
            text = text.replace(theirs, ours)
        return text

    def types(self, text: str, **variables: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._in_our_names(text)],
            cwd=self._here,
            env={
                "PATH": f"{self._home / 'bin'}:{os.environ['PATH']}",
                "HOME": str(self._home),
                "KUBECONFIG": str(self._home / "kubeconfig"),
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}\n{self.story.log()}"
        return done.stdout


@pytest.fixture
def desk(story: Story, repository: Repository, tmp_path: Path) -> Iterator[Desk]:
    repository.commit({"Dockerfile": DOCKERFILE})
    story.kubectl.apply(login_secret(story.place, "registry-push"))
    (tmp_path / "desk").mkdir()
    builds = f"{story.namespace}-b"
    names = {
        "https://git.example.com/shop/shop.git": repository.url,
        "registry.example.com": f"{story.place.registry}/e2e/{story.namespace}",
        "namespace builds": f"namespace {builds}",
        "namespace: argocd": f"namespace: {story.namespace}",
        "imagebuild-system imagebuild-seccomp": story.namespace,
        "-n builds": f"-n {builds}",
        "--namespace=builds": f"--namespace={builds}",
    }
    yield Desk(story, tmp_path / "desk", names)
    story.kubectl("delete", "namespace", builds, "--ignore-not-found", "--wait=false")


@pytest.mark.parametrize("page", [page for page in TYPED if page.name != "lifecycle.md"], ids=title)
def test_what_a_page_tells_to_type_works(desk: Desk, page: Path) -> None:
    typed = shell(page)
    if not any(INSTALLED in block.text for block in typed):
        desk.types(INSTALLED)
    for block in blocks(page):  # in the order of the page: a later file may have the name of an earlier one
        if block in typed:
            desk.types(block.text, CI_JOB_TOKEN="t")
        elif block.info == "yaml" and (named := re.match(r"# (\S+\.yaml)\b", block.text)):
            desk.write(named[1], block.text)


def test_a_build_is_repeated_cancelled_and_suspended_as_the_page_says(desk: Desk) -> None:
    again, _, cancel, suspend = (block.text for block in shell(ROOT / "docs" / "howto" / "lifecycle.md"))
    desk.story.apply({"dockerfile": {"inline": WAITS}, "output": {"discard": True}}, name="shop")
    desk.story.reaches("shop", phase="Running")
    desk.types(again)
    until("the second run", lambda: desk.story.status("shop").get("run", {}).get("number") == 2, seconds=120)
    desk.types(cancel)
    assert desk.story.finished("shop", run=2)["reason"] == "Cancelled"
    desk.types(again)
    until("the third run", lambda: desk.story.status("shop").get("run", {}).get("number") == 3, seconds=120)
    desk.types(suspend)
    desk.story.reaches("shop", reason="Suspended")


def test_a_rebuild_is_waited_for_as_the_page_says(desk: Desk) -> None:
    _, awaited, *_ = (block.text for block in shell(ROOT / "docs" / "howto" / "lifecycle.md"))
    desk.story.apply({"dockerfile": {"inline": "FROM scratch\n"}, "output": {"discard": True}}, name="shop")
    desk.story.finished("shop")
    desk.types(awaited)
    status = desk.story.status("shop")
    assert (status["run"]["number"], status["phase"]) == (2, "Succeeded")


@pytest.mark.parametrize("block", JOBS, ids=str)
def test_a_gitlab_job_that_makes_an_image_build_gets_its_image(
    desk: Desk, repository: Repository, block: Block
) -> None:
    commit = repository.commit({"Dockerfile": DOCKERFILE, "a": "1"})
    desk.story.kubectl.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "git-login"}, "stringData": {"token": "t"}}
    )
    (jobs,) = block.documents
    for job in jobs.values():
        said = desk.types(
            "\n".join(job["script"]),
            CI_COMMIT_REF_NAME="main",
            CI_COMMIT_SHA=commit,
            CI_DEFAULT_BRANCH="main",
            CI_JOB_ID="7",
            CI_PIPELINE_IID="3",
            CI_PROJECT_URL=repository.url.removesuffix(".git"),
            CI_REGISTRY_IMAGE=desk.story.image().rpartition(":")[0],
        )
        assert re.search(r"sha256:[0-9a-f]{64}", said), said
