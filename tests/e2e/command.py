"""The installed `imagebuild`, as a person or a pipeline runs it: a process with its own output and exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from e2e.story import Story

PROGRAM = Path(sys.executable).parent / "imagebuild"


_CI = ("CI_", "GITLAB_", "GITHUB_", "IMAGEBUILD_JOB")
"""The tests may be a job themselves; its variables are not those of the jobs that they are about."""


class Command:
    """In the namespace of a story, as its administrator unless the environment says otherwise."""

    def __init__(self, story: Story, **environment: str) -> None:
        self.story = story
        outer = {key: value for key, value in os.environ.items() if not key.startswith(_CI)}
        self._environment = {**outer, "KUBECONFIG": story.place.kubeconfig, **environment}

    def start(
        self, *words: str, stdin: int = subprocess.DEVNULL, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PROGRAM, *words, f"--namespace={self.story.namespace}"],
            env=self._environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def as_plugin(self, *words: str) -> str:
        """`kubectl imagebuild`, as kubectl finds it."""
        environment = {**self._environment, "PATH": f"{PROGRAM.parent}:{self._environment['PATH']}"}
        command = [self.story.place.kubectl, "imagebuild", *words, f"--namespace={self.story.namespace}"]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Ends with that exit code, or the test has failed."""
        process = self.start(*words, stdin=subprocess.PIPE)
        out, err = process.communicate(stdin, timeout=240)
        assert process.returncode == code, f"{' '.join(words)}: {process.returncode}\n{out}\n{err}"
        return subprocess.CompletedProcess(words, process.returncode, out, err)


def as_a_ci_job(story: Story, directory: Path) -> Command:
    """With no more rights than the ClusterRole for CI jobs gives."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "ci"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "imagebuild-build"},
        "subjects": [{"kind": "ServiceAccount", "name": "ci", "namespace": story.namespace}],
    }
    story.kubectl.apply(account, binding)
    config = yaml.safe_load(Path(story.place.kubeconfig).read_text())
    config["users"][0]["user"] = {"token": story.kubectl("create", "token", "ci").strip()}
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return Command(story, KUBECONFIG=str(file))
