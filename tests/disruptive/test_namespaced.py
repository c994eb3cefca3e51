"""manifests/namespaced under the overlay that docs/namespaced.md shows: operators with Roles only, each for its namespaces.

The operator of the whole cluster would work in them, too, so it is away meanwhile.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from documents import blocks
from e2e.conftest import BASELINE
from e2e.story import Story
from imagebuild.api.crd import UNSEEN
from testbed.deploy import DEPLOYMENT, NAMESPACE, image, operator_config, without_operator
from testbed.kubectl import Document, Kubectl, until
from testbed.place import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.disruptive]

(SHOWN,) = (block for block in blocks(ROOT / "docs" / "namespaced.md") if "manifests/namespaced]" in block.text)
ROLE = ROOT / "manifests" / "namespaced" / "watched" / "role.yaml"


class Installation:
    """As the page says: an overlay, and a Role in each further namespace."""

    def __init__(self, kubectl: Kubectl, directory: Path, namespaces: tuple[str, ...]) -> None:
        self.kubectl, self._directory = kubectl, directory
        self.home, *self._others = namespaces
        self.user = f"system:serviceaccount:{self.home}:imagebuild-operator"
        self._overlay()

    def _overlay(self) -> None:
        config = operator_config(self.kubectl.place)
        text = SHOWN.text.replace("shop-builds", self.home)
        (shown,) = yaml.safe_load_all(text)
        *first, further = shown["patches"]
        told = [json.loads(json.dumps(further).replace("shop-tests", other)) for other in self._others]
        place = self.kubectl.place
        overlay = {
            **shown,
            "resources": [os.path.relpath(ROOT / "manifests" / "namespaced", self._directory)],
            "images": [
                image("imagebuild-operator", place.operator_image),
                image("imagebuild-builder", place.builder_image),
            ],
            "patches": [*first, *told],
        }
        (self._directory / "kustomization.yaml").write_text(json.dumps(overlay))
        (self._directory / "config.yaml").write_text(json.dumps(config))

    def rendered(self) -> list[Document]:
        return list(yaml.safe_load_all(self.kubectl("kustomize", str(self._directory))))

    def install(self) -> None:
        self.kubectl("apply", "--server-side", "-k", str(self._directory))
        for other in self._others:
            there = self.kubectl.within(other)
            there("apply", "-f", str(ROLE))
            account = f"--serviceaccount={self.home}:imagebuild-operator"
            there("create", "rolebinding", "imagebuild-operator-builds", "--role=imagebuild-operator-builds", account)
        self.kubectl.within(self.home)("rollout", "status", DEPLOYMENT, "--timeout=120s", timeout=130)

    def may(self, *words: str) -> bool:
        command = self.kubectl.command("auth", "can-i", *words, f"--as={self.user}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # a no is exit code 1
        return done.stdout.split()[-1] == "yes"


class Rooms:
    """Two operators: one for two namespaces, one for a third. Nobody's is the fourth."""

    def __init__(self, kubectl: Kubectl, directory: Path) -> None:
        word = secrets.token_hex(3)
        self.names = one, two, three, four = tuple(f"e2e-roles-{word}-{number}" for number in "1234")
        self.stories = {name: Story(kubectl.within(name)) for name in self.names}
        self.watched, self.alone = (one, two, three), four
        self.installations = []
        for number, namespaces in enumerate(((one, two), (three,))):
            (directory / str(number)).mkdir()
            self.installations.append(Installation(kubectl, directory / str(number), namespaces))


@pytest.fixture(scope="module")
def rooms(operator: None, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rooms]:
    made = Rooms(kubectl, tmp_path_factory.mktemp("overlays"))
    for name in made.names:
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": BASELINE}})
    try:
        with without_operator(kubectl.within(NAMESPACE)):
            for each in made.installations:
                each.install()
            yield made
            # before the cluster's operator is back: it would stop and start what is here
            for name in made.names:
                kubectl("delete", "namespace", name, timeout=180)
    finally:
        for name in made.names:
            kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


def test_the_overlay_makes_nothing_outside_of_its_namespace(rooms: Rooms) -> None:
    for each in rooms.installations:
        documents = each.rendered()
        assert {document["metadata"].get("namespace") for document in documents} == {each.home}
        assert {"Role", "RoleBinding", "Deployment"} <= {document["kind"] for document in documents}


def test_each_operator_builds_in_its_namespaces(rooms: Rooms) -> None:
    for name in rooms.watched:
        rooms.stories[name].apply(rooms.stories[name].inline())
    for name in rooms.watched:
        status = rooms.stories[name].succeeds()
        assert status["output"]["digest"].startswith("sha256:")
        (pod,) = rooms.stories[name].pods()  # nobody else has made one
        assert pod["metadata"]["name"] == status["podName"]
        assert _told(rooms.stories[name])


def _told(story: Story) -> list[dict[str, Any]]:
    """Events are written, too."""
    found: list[dict[str, Any]] = until(
        "an event of the build", lambda: story.kubectl.items("events", "--field-selector=involvedObject.name=app")
    )
    return found


def test_in_a_namespace_of_nobody_nothing_is_built(rooms: Rooms) -> None:
    """An operator that saw it would begin at once, and the one after it in a watched namespace has been built."""
    rooms.stories[rooms.alone].apply(rooms.stories[rooms.alone].inline())
    for name in rooms.watched:
        rooms.stories[name].apply(rooms.stories[name].inline(), name="later")
        rooms.stories[name].succeeds("later")
    assert rooms.stories[rooms.alone].kubectl.get("imagebuild", "app")["status"] == UNSEEN
    assert rooms.stories[rooms.alone].pods() == []


def test_an_operator_may_do_nothing_outside_of_its_namespaces(rooms: Rooms) -> None:
    first, second = rooms.installations
    one, two, three = rooms.watched
    assert [first.may("create", "pods", f"--namespace={name}") for name in rooms.names] == [True, True, False, False]
    assert second.may("create", "pods", f"--namespace={three}")
    assert not second.may("list", "imagebuilds", f"--namespace={one}")
    assert not first.may("list", "imagebuilds", "--all-namespaces")
    assert not first.may("get", "secrets", f"--namespace={two}")
