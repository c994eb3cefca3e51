"""One test's ImageBuilds: apply them, wait for them, look at what became of them."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from imagebuild.contract import layout
from testbed.kubectl import Document, Kubectl, until

DONE = ("Succeeded", "Failed")
WAITS = "FROM busybox:1.37\nRUN /bin/sleep 86400 || true\n"
"""A build that goes on until `Story.release` lets it end: no test has to be quick enough to see it run."""
RELEASE = """
import os, pathlib, signal
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        words = (process / "cmdline").read_bytes().split(b"\\0")
    except OSError:
        continue
    if words[:2] == [b"/bin/sleep", b"86400"]:
        os.kill(int(process.name), signal.SIGKILL)
        print("released")
"""
SLEEPS = RELEASE.replace("os.kill(int(process.name), signal.SIGKILL)", "pass")
FIVE_STEPS = """\
FROM busybox:1.37 AS one
RUN echo one > /one
FROM busybox:1.37 AS two
RUN echo two > /two
FROM busybox:1.37
COPY --from=one /one /one
COPY --from=two /two /two
RUN cat /one /two
"""


class Story:
    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl, self.place, self.namespace = kubectl, kubectl.place, kubectl.namespace

    def image(self, tag: str = "1") -> str:
        """A name in the open registry that is this test's own."""
        return f"{self.place.registry}/e2e/{self.namespace}:{tag}"

    def private_image(self, tag: str = "1") -> str:
        return f"{self.place.private_registry}/e2e/{self.namespace}:{tag}"

    def inline(self, dockerfile: str = FIVE_STEPS, **more: Any) -> Document:
        """The smallest spec with a Dockerfile of its own; builds and pushes unless `more` says otherwise."""
        return {"dockerfile": {"inline": dockerfile}, "output": {"images": [self.image()]}, **more}

    def apply(self, spec: Document, name: str = "app", annotations: dict[str, str] | None = None) -> None:
        self.kubectl.apply(
            {
                "apiVersion": "imagebuild.dev/v1alpha1",
                "kind": "ImageBuild",
                "metadata": {"name": name, **({"annotations": annotations} if annotations else {})},
                "spec": spec,
            }
        )

    def status(self, name: str = "app") -> dict[str, Any]:
        """Empty as long as the operator has not seen this generation."""
        build = self.kubectl.get("imagebuild", name)
        status: dict[str, Any] = build.get("status") or {}
        return status if status.get("observedGeneration") == build["metadata"]["generation"] else {}

    def reaches(self, name: str = "app", seconds: float = 180, **wanted: Any) -> dict[str, Any]:
        """The status as soon as its fields are as wanted."""
        last: dict[str, Any] = {}

        def look() -> dict[str, Any] | None:
            last.update(self.status(name))
            status = self.status(name)
            return status if all(status.get(key) == value for key, value in wanted.items()) else None

        try:
            found: dict[str, Any] = until(f"{name} to have {wanted}", look, seconds=seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{json.dumps(last, indent=1)}\n{self.log()}") from None
        return found

    def finished(self, name: str = "app", run: int = 1, seconds: float = 180) -> dict[str, Any]:
        """The status at the end of this run."""

        def look() -> dict[str, Any] | None:
            status = self.status(name)
            return status if status.get("phase") in DONE and status["run"]["number"] == run else None

        try:
            found: dict[str, Any] = until(f"run {run} of {name} to end", look, seconds=seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{json.dumps(self.status(name), indent=1)}\n{self.log()}") from None
        return found

    def succeeds(self, name: str = "app", run: int = 1) -> dict[str, Any]:
        status = self.finished(name, run)
        assert status["phase"] == "Succeeded", f"{json.dumps(status, indent=1)}\n{self.log()}"
        return status

    def fails(self, reason: str, name: str = "app") -> dict[str, Any]:
        status = self.finished(name)
        assert (status["phase"], status["reason"]) == ("Failed", reason), (
            f"{json.dumps(status, indent=1)}\n{self.log()}"
        )
        return status

    def pods(self) -> list[Document]:
        return self.kubectl.items("pods", "--selector=app.kubernetes.io/managed-by=imagebuild-operator")

    def release(self, pod: str) -> None:
        """Ends the waiting step of WAITS, as soon as it has begun. RUN steps are processes of the build container."""
        words = ("exec", pod, f"--container={layout.CONTAINER}", "--", "python3", "-c", RELEASE)
        until(f"the waiting step of {pod}", lambda: self.kubectl(*words), seconds=120)

    def sleeps(self, pod: str) -> None:
        """Until the waiting step of WAITS has begun."""
        words = ("exec", pod, f"--container={layout.CONTAINER}", "--", "python3", "-c", SLEEPS)
        until(f"the waiting step of {pod}", lambda: self.kubectl(*words), seconds=120)

    def log(self) -> str:
        """Of all build pods, for a failed assertion."""
        words = ("logs", "--selector=app.kubernetes.io/managed-by=imagebuild-operator", "--tail=60", "--prefix")
        return subprocess.run(self.kubectl.command(*words), capture_output=True, text=True, check=False).stdout


def _git(directory: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=directory, check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()


def link(directory: Path, url: str, path: str, commit: str, *, branch: str = "main") -> None:
    _git(directory, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    _git(directory, "commit", "--quiet", "--message=submodule")
    _git(directory, "push", "--quiet", "--force", url, branch)


def publish(files: dict[str, str], directory: Path, url: str, *, branch: str = "main") -> str:
    """Commits the files to a branch of the repository behind the URL; the commit's id."""
    git = partial(_git, directory)
    if not (directory / ".git").exists():
        directory.mkdir(parents=True, exist_ok=True)
        git("init", "--quiet", f"--initial-branch={branch}")
        git("config", "user.name", "e2e")
        git("config", "user.email", "e2e@example.com")
    else:
        git("checkout", "--quiet", "-B", branch)
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)
    git("add", "--all")
    git("commit", "--quiet", "--message=change")
    git("push", "--quiet", "--force", url, branch)
    return git("rev-parse", "HEAD")
