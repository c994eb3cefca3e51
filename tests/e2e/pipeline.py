"""The files of manifests/ci/ as their systems run them: the script, with its inputs filled in, in a pod of the image."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from testbed.kubectl import Document, Kubectl, until

CI = Path(__file__).parents[2] / "manifests" / "ci"
ACCOUNT = "imagebuild-job"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    script: str
    env: Mapping[str, str] = field(default_factory=dict)


def gitlab(**inputs: str) -> Step:
    """As GitLab does: inputs into the text, then one shell that ends at the first command that fails."""
    head, body = (CI / "gitlab" / "templates" / "build.yml").read_text().split("\n---\n")
    values = {name: each.get("default", "") for name, each in yaml.safe_load(head)["spec"]["inputs"].items()} | inputs
    filled = re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: values[found[1]], body)
    (job,) = yaml.safe_load(filled).values()
    exported = "".join(f'export {name}="{value}"\n' for name, value in job["variables"].items())
    return Step(script=f"set -e\n{exported}" + "\n".join(job["script"]))


def github(**inputs: str) -> Step:
    """As GitHub does: expressions into the environment, `run` as it is."""
    action = yaml.safe_load((CI / "github" / "action.yml").read_text())
    values = {name: each.get("default", "") for name, each in action["inputs"].items()} | inputs
    (step,) = action["runs"]["steps"]
    env = {name: values[re.fullmatch(r"\$\{\{ inputs\.(\w+) \}\}", text)[1]] for name, text in step["env"].items()}  # type: ignore[index]
    return Step(script=step["run"], env=env)


def argo(uid: str, **parameters: str) -> Step:
    (template,) = yaml.safe_load((CI / "argo" / "workflowtemplate.yaml").read_text())["spec"]["templates"]
    given = {each["name"]: each.get("value", "") for each in template["inputs"]["parameters"]} | parameters
    values = {"workflow.uid": uid, **{f"inputs.parameters.{name}": value for name, value in given.items()}}
    container = template["container"]
    assert container["command"] == ["sh", "-fc"]
    env = {each["name"]: values[each["value"].strip("{}")] for each in container["env"]}
    return Step(script="set -f\n" + "\n".join(container["args"]), env=env)


def tekton(uid: str, **parameters: str) -> Step:
    task = yaml.safe_load((CI / "tekton" / "task.yaml").read_text())["spec"]
    given = {each["name"]: each.get("default", "") for each in task["params"]} | parameters
    values = {"context.taskRun.uid": uid, **{f"params.{name}": value for name, value in given.items()}}
    values |= {f"results.{each['name']}.path": f"/tmp/{each['name']}" for each in task["results"]}
    (step,) = task["steps"]

    def filled(text: str) -> str:
        return re.sub(r"\$\(([\w.]+)\)", lambda found: values[found[1]], text)

    return Step(script=filled(step["script"]), env={each["name"]: filled(each["value"]) for each in step["env"]})


class Jobs:
    """Pods that run steps, in a namespace of their own or that of the builds."""

    def __init__(self, kubectl: Kubectl, roles: Sequence[str]) -> None:
        self.kubectl = kubectl
        bindings = yaml.safe_load_all((CI / "job.yaml").read_text())
        kubectl.apply(
            *(each for each in bindings if each["kind"] == "ServiceAccount" or each["metadata"]["name"] in roles)
        )

    def start(self, name: str, step: Step, env: Mapping[str, str], then: str = "") -> None:
        """`then`: a command that shows what the step has left. The step itself may be an exec."""
        whole = f"(\n{step.script}\n) || exit $?\n{then}\n"
        container = {
            "name": "step",
            "image": self.kubectl.place.cli_image,
            "command": ["sh", "-c", whole],
            "env": [{"name": key, "value": value.replace("$(", "$$(")} for key, value in {**env, **step.env}.items()],
            "workingDir": "/work",
            "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        }
        spec = {
            "serviceAccountName": ACCOUNT,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"fsGroup": 65532},
            "containers": [container],
            "volumes": [{"name": "work", "emptyDir": {}}],
        }
        self.kubectl.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})

    def ends(self, name: str, code: int = 0) -> str:
        """Its log."""

        def look() -> Document | None:
            status = self.kubectl.get("pod", name).get("status", {})
            ended: Document | None = (status.get("containerStatuses") or [{}])[0].get("state", {}).get("terminated")
            return ended

        try:
            ended: dict[str, Any] = until(f"the job {name} to end", look, seconds=240)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.kubectl('logs', name)}") from None
        log = self.kubectl("logs", name)
        assert ended["exitCode"] == code, f"{json.dumps(ended)}\n{log}"
        return log

    def run(self, name: str, step: Step, env: Mapping[str, str], then: str = "") -> str:
        self.start(name, step, env, then)
        return self.ends(name)
