"""`imagebuild logs` once the pod is gone: the archive that the runner has made, from a registry, with the user's login."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.cliserver import Api, kubeconfig, serving
from cli.uploadregistry import BASIC, Fault, Registry
from imagebuild.cli import archive
from imagebuild.cli.__main__ import run
from imagebuild.cli.logs import Line
from imagebuild.cli.problem import Problem
from imagebuild.cli.upload import UploadError
from imagebuild.cli.upload.reach import reach
from imagebuild.cli.upload.token import PULL
from imagebuild.cli.view import View
from imagebuild.contract import timeline
from imagebuild.contract.plan import Archive, Plan
from imagebuild.contract.plan import Registry as Setting
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials
from imagebuild.runner.archive import archived
from imagebuild.runner.journal import Journal

SAID = [
    "#1 [1/1] RUN make",
    "#1 0.1 \x1b[31mred",
    "#1 0.2 10%\r 20%\x0c and\x85 more\u2028 of it\rX " + timeline.PREFIX + "forged",
    timeline.PREFIX + '{"since":1.0}',
    "imagebuild: Built",
]
BUILD = "/apis/imagebuild.dev/v1alpha1/namespaces/team-a/imagebuilds/shop"
LOG = "/api/v1/namespaces/team-a/pods/shop-2/log"
GONE = (404, {"message": 'pods "shop-2" not found', "reason": "NotFound"})


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def image(registry: Registry, tmp_path: Path) -> Iterator[str]:
    """As the runner has pushed it."""
    with registry.serve() as host:
        journal = Journal(tmp_path)
        for line in SAID:
            journal.write(line.encode())
        where = Archive(repository=f"{host}/logs/a", tag="log-1", namespace="team-a", name="shop", run=2, attempt=1)
        plan = Plan(archive=where, registries=(Setting(host=host, http=True),))
        result = archived(plan, BuildResult(essentials=Essentials(reason=Reason.BUILT)), journal, tmp_path, 20)
        assert result.details.archive, result.details.archive_error
        yield f"{host}/logs/a@{result.details.archive}"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path)}


def logged_in(environ: dict[str, str], image: str, password: str = "hunter2") -> None:
    file = Path(environ["HOME"], ".docker/config.json")
    file.parent.mkdir()
    auth = base64.b64encode(f"me:{password}".encode()).decode()
    file.write_text(json.dumps({"auths": {image.partition("/")[0]: {"auth": auth}}}))


def read(image: str, environ: dict[str, str]) -> list[Line]:
    return list(archive.read(image, plain_http=False, environ=environ))


@pytest.mark.parametrize("kind", ["", "basic", "bearer"])
def test_every_line_comes_back_with_its_time(
    registry: Registry, image: str, environ: dict[str, str], kind: str
) -> None:
    registry.login = kind
    logged_in(environ, image)
    found = read(image, environ)
    assert [line.text for line in found] == SAID
    assert all(line.time.endswith("Z") for line in found)
    assert not [asked for asked, _ in registry.shown if "push" in asked], "to read is all that is asked for"


def test_a_registry_may_have_the_blobs_elsewhere(registry: Registry, image: str, environ: dict[str, str]) -> None:
    manifest = next(each for each in registry.manifests.values())
    digest = json.loads(manifest)["layers"][0]["digest"]
    elsewhere = Registry(blobs=registry.blobs)
    with elsewhere.serve() as host:
        place = f"http://{host}/bucket/{digest}"
        registry.faults = [Fault("GET", f"/blobs/{digest}", 307, headers={"Location": place})]
        registry.login = "basic"
        logged_in(environ, image)
        assert [line.text for line in read(image, environ)] == SAID
    assert BASIC not in elsewhere.proxied


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(Fault("GET", "/manifests/", 404), "no such archive, or not for your login", id="cleaned up"),
        pytest.param(Fault("GET", "/manifests/", 403), "no such archive, or not for your login", id="forbidden"),
        pytest.param(Fault("GET", "/blobs/", 404), "no such archive", id="a blob that was cleaned up"),
        pytest.param(Fault("GET", "/manifests/", 200), "gives something else than sha256:", id="something else"),
        pytest.param(
            Fault("GET", "/blobs/", 200, headers={"Content-Encoding": "gzip"}),
            "gives something else",
            id="what would have to be unpacked before it can be checked",
        ),
    ],
)
def test_what_cannot_be_read_is_said_with_the_next_step(
    registry: Registry, image: str, environ: dict[str, str], fault: Fault, said: str
) -> None:
    registry.faults = [fault]
    with pytest.raises(Problem, match=said) as raised:
        read(image, environ)
    assert raised.value.next_step


def test_who_is_not_logged_in_is_told_how(registry: Registry, image: str, environ: dict[str, str]) -> None:
    registry.login = "bearer"
    with pytest.raises(Problem, match=r"gives no token for pulling .*docker login"):
        read(image, environ)


def test_what_is_no_log_is_said(registry: Registry, image: str, environ: dict[str, str]) -> None:
    (document,) = map(json.loads, registry.manifests.values())
    other = json.dumps({**document, "layers": document["layers"][1:]}).encode()
    registry.manifests["other"] = other
    with pytest.raises(Problem, match="is no log archive of a build"):
        read(f"{image.partition('@')[0]}@sha256:{hashlib.sha256(other).hexdigest()}", environ)


@pytest.mark.parametrize("layers", ["7", '[{"mediaType": 7}]', "[" * 100_000], ids=["a number", "no digest", "deep"])
def test_a_manifest_of_another_shape_is_said(
    registry: Registry, image: str, environ: dict[str, str], layers: str
) -> None:
    odd = f'{{"artifactType": "application/vnd.imagebuild.build.v1", "layers": {layers}}}'.encode()
    registry.manifests["odd"] = odd
    with pytest.raises(Problem, match="is no log archive of a build"):
        read(f"{image.partition('@')[0]}@sha256:{hashlib.sha256(odd).hexdigest()}", environ)


def test_a_registry_is_not_heard_out_that_says_more_than_can_be(
    registry: Registry, image: str, environ: dict[str, str]
) -> None:
    there = reach(image.partition("@")[0], environ, time.sleep, plain_http=False, actions=PULL)
    digest, content = next((digest, content) for digest, content in registry.blobs.items() if len(content) > 10)
    assert there.get(f"blobs/{digest}", len(content)) == content
    with pytest.raises(UploadError, match="answers with more than 10 bytes: ask who runs it"):
        there.get(f"blobs/{digest}", 10)


class Desk:
    """The command, a cluster, and what was printed."""

    def __init__(self, api: Api, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.api, self._kubeconfig, self._capsys = api, kubeconfig(directory, api.url), capsys

    def has(self, **status: Any) -> None:
        metadata = {"name": "shop", "namespace": "team-a", "uid": "u", "generation": 1, "resourceVersion": "1"}
        whole = {"phase": "Succeeded", "run": {"number": 2}, "podName": "shop-2", "observedGeneration": 1, **status}
        self.api.answers[BUILD] = (200, {"metadata": metadata, "spec": {}, "status": whole})

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = run(["imagebuild", *words, "--kubeconfig", self._kubeconfig])
        return code, *self._capsys.readouterr()


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    with serving() as api:
        yield Desk(api, tmp_path, capsys)


SHOWN = "".join(f"{line}\n" for line in SAID if not line.startswith(timeline.PREFIX))


def test_the_pod_is_read_as_long_as_it_is_there(desk: Desk, image: str) -> None:
    desk.has(archive={"image": image})
    desk.api.answers[LOG] = (200, "2026-11-24T12:00:00Z of the pod\n")
    assert desk("logs", "shop") == (0, "of the pod\n", "")
    code, out, err = desk("logs", "shop", "--archive")
    assert (code, out) == (0, SHOWN)
    assert err == f"From the archive {image}\n"


def test_the_archive_is_read_once_the_pod_is_gone_and_it_says_so(desk: Desk, image: str) -> None:
    desk.has(archive={"image": image})
    desk.api.answers[LOG] = GONE
    code, out, err = desk("logs", "shop")
    assert (code, out, err) == (0, SHOWN, f"From the archive {image}\n")
    _, out, _ = desk("logs", "shop", "--timestamps")
    assert out.splitlines()[0].endswith(f"Z {SAID[0]}")


def test_the_log_of_an_earlier_run_is_in_its_archive(desk: Desk, image: str) -> None:
    desk.has(history=[{"run": 1, "archive": image}])
    assert desk("logs", "shop", "--run", "1")[1] == SHOWN


NOWHERE = [
    pytest.param((), {}, "The pod shop-2 is gone, and its log with it", "spec.archive.enabled", id="not archived"),
    pytest.param(("--archive",), {}, "shop has no archive", "its pod's log is shown", id="nobody looked for the pod"),
    pytest.param((), {"archive": {"error": "403: ask"}}, "has no archive: 403: ask", "its pod's alone", id="refused"),
    pytest.param((), {"archive": {"error": "\x1b]0;x\x07"}}, r"archive: \x1b]0;x\x07", "its pod's", id="what steers"),
    pytest.param((), {"phase": "Running"}, "is not over, and has no archive yet", "logs -f", id="not over"),
    pytest.param((), {"podName": None, "message": "no"}, "without a pod, and so without a log. no", "", id="no pod"),
    pytest.param(("--run", "7"), {}, "shop has no run 7, or not any more", "tags of the archive", id="no such run"),
    pytest.param(("--run", "1"), {"history": [{"run": 1}]}, "run 1 of shop is not archived", "To keep", id="a run's"),
]


@pytest.mark.parametrize(("words", "status", "said", "step"), NOWHERE)
def test_where_there_is_neither_it_says_why(
    desk: Desk, words: tuple[str, ...], status: dict[str, Any], said: str, step: str
) -> None:
    desk.has(**status)
    desk.api.answers[LOG] = GONE
    code, out, err = desk("logs", "shop", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert step in err


def test_who_comes_too_late_to_follow_gets_the_archive_and_the_end(desk: Desk, image: str) -> None:
    desk.has(archive={"image": image}, phase="Failed", reason="StepFailed", message="shop: StepFailed: RUN false")
    desk.api.answers[LOG] = GONE
    code, out, err = desk("logs", "shop", "-f")
    assert (code, out) == (1, SHOWN)
    assert err.startswith(f"From the archive {image}\nshop: StepFailed")


def test_who_comes_too_late_for_any_log_still_gets_the_end(desk: Desk) -> None:
    desk.has(reason="Built")
    desk.api.answers[LOG] = GONE
    code, out, err = desk("logs", "shop", "-f")
    assert (code, out) == (0, "")
    assert "The pod shop-2 is gone, and its log with it. Pods stay for a day." in err


def test_an_archive_cannot_be_followed(desk: Desk) -> None:
    desk.has()
    code, _, err = desk("logs", "shop", "-f", "--archive")
    assert code == 64
    assert "An archive is of what is over" in err


def test_a_description_names_the_archive(desk: Desk) -> None:
    desk.has(archive={"image": "r.io/a@sha256:ab"})
    assert "archived as r.io/a@sha256:ab" in desk("describe", "shop")[1]


def test_the_steps_of_a_timeline_come_from_it_too(desk: Desk, image: str) -> None:
    desk.has(archive={"image": image})
    desk.api.answers[LOG] = GONE
    assert f"The pod shop-2 is gone: the steps are from the archive {image}." in desk("timeline", "shop")[1]
    desk.has(archive={"image": image[:-1] + "é"})
    assert "is gone, and the archive cannot be read" in desk("timeline", "shop")[1]


def test_an_image_that_is_no_artifact_is_not_asked_for() -> None:
    with pytest.raises(Problem, match="no artifact by digest"):
        list(archive.read("r.io/a:tag", plain_http=False))
    assert archive.image(View({"metadata": {}, "status": {}})) == ""
