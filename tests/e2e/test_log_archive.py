"""The log archive, with a real registry that wants a password: what is in it once the pod is gone, and what becomes of a
build whose archive is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from e2e.command import Command
from e2e.story import Story
from e2e.test_secrets import secret, wanted
from e2e.test_upload import home
from imagebuild.contract import timeline
from testbed import registry

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

ARCHIVED = pytest.mark.parametrize("suffix", ["-archived"])
SECRET = "archive-login"
TOKEN = "the-words-that-no-archive-may-have-4713"
ARGUMENT = "the-value-that-no-record-may-have-4714"
TALKS = """\
FROM busybox:1.37
ARG WORD
RUN --mount=type=secret,id=token test -s /run/secrets/token && ! ls /run/imagebuild && seq 20000 | sed 's,.*,line & of many,'
"""
FAILS = "FROM busybox:1.37\nRUN echo the last words; exit 7\n"
ASKED = {"archive": {"enabled": True}}


def layers(story: Story, image: str) -> tuple[str, dict[str, Any]]:
    """Log and record of an artifact, as anybody's client reads them."""
    found = registry.manifest(story.place, image)
    assert found is not None, image
    digest, manifest = found
    assert image.endswith(f"@{digest}")
    assert manifest["artifactType"] == "application/vnd.imagebuild.build.v1"
    log, record = (registry.blob(story.place, image, layer["digest"]) for layer in manifest["layers"])
    return gzip.decompress(log).decode(), json.loads(record)


@ARCHIVED
def test_every_line_of_a_log_is_read_once_the_pod_is_gone_and_nothing_secret_is_in_it(
    story: Story, tmp_path: Path, suffix: str
) -> None:
    imagebuild = Command(story, **home(story.place, tmp_path / "home"))
    story.kubectl.apply(registry.login_secret(story.place, SECRET), secret("values", {"token": TOKEN.encode()}))
    story.apply(story.inline(TALKS, args={"WORD": ARGUMENT}, secrets=[wanted("token", "token")], **ASKED))
    status = story.succeeds()
    image = status["archive"]["image"]
    assert status["warnings"] == []
    assert image.startswith(f"{story.place.private_registry}/build-logs/{story.namespace}@sha256:")
    *whole, last = story.kubectl("logs", status["podName"]).splitlines()
    assert last == f"imagebuild: the log is archived as {image}"
    assert sum("of many" in line for line in whole) >= 20000

    story.kubectl("delete", "pod", status["podName"])
    read = imagebuild("logs", "app")
    assert read.stdout.splitlines() == [line for line in whole if not line.startswith(timeline.PREFIX)]
    assert read.stderr == f"From the archive {image}\n"
    assert f"archived as {image}" in imagebuild("describe", "app").stdout
    drawn = imagebuild("timeline", "app").stdout
    assert f"the steps are from the archive {image}" in drawn
    assert "RUN --mount=type=secret" in drawn

    log, record = layers(story, image)
    assert [line.partition(" ")[2] for line in log.splitlines()] == whole
    assert record["result"]["essentials"]["digest"] == status["output"]["digest"]
    assert record["inputs"]["arguments"] == ["WORD"]
    assert TOKEN not in log + json.dumps(record)
    assert ARGUMENT not in json.dumps(record)
    assert story.place.password not in log + json.dumps(record)


@ARCHIVED
def test_a_build_that_fails_and_the_run_before_it_are_archived(story: Story, tmp_path: Path, suffix: str) -> None:
    imagebuild = Command(story, **home(story.place, tmp_path / "home"))
    story.kubectl.apply(registry.login_secret(story.place, SECRET))
    story.apply(story.inline(FAILS, **ASKED))
    first = story.fails("StepFailed")["archive"]["image"]
    assert "the last words" in layers(story, first)[0]
    assert layers(story, first)[1]["result"]["essentials"]["reason"] == "StepFailed"
    story.apply(story.inline(FAILS.replace("last", "very last"), **ASKED))
    status = story.finished(run=2)
    assert status["history"][0]["archive"] == first
    assert status["archive"]["image"] != first
    story.kubectl("delete", "pods", "--all")
    assert "the very last words" in imagebuild("logs", "app").stdout
    earlier = imagebuild("logs", "app", "--run", "1")
    assert "the last words" in earlier.stdout
    assert earlier.stderr == f"From the archive {first}\n"


@ARCHIVED
def test_an_archive_that_is_refused_is_a_warning_and_the_build_succeeds(story: Story, suffix: str) -> None:
    imagebuild = Command(story)
    spec = story.inline("FROM busybox:1.37\n", output={"discard": True}, **ASKED)
    story.apply(spec, name="without")
    (told,) = story.succeeds("without")["warnings"]
    assert f"the Secret {SECRET} does not exist (named in the operator's configuration, archive.secret)" in told
    story.kubectl.apply(registry.login_secret(story.place, SECRET, "wrong"))
    story.apply(spec, name="wrong")
    status = story.succeeds("wrong")
    (told,) = status["warnings"]
    assert told == status["archive"]["error"]
    assert f"answers 401 Unauthorized: correct the login of the Secret {SECRET}" in told
    story.kubectl("delete", "pod", status["podName"])
    said = imagebuild("logs", "wrong", code=2).stderr
    assert told in said
    story.apply({**spec, "registrySecrets": [{"name": SECRET}]}, name="uses")
    assert f"{SECRET} is the Secret of the log archive" in story.fails("NotAllowed", "uses")["message"]


def test_where_there_is_no_archive_a_build_that_asks_for_one_is_told(story: Story) -> None:
    story.apply(story.inline("FROM busybox:1.37\n", output={"discard": True}, **ASKED))
    (told,) = story.succeeds()["warnings"]
    assert told.startswith("spec.archive.enabled: the log is not archived: the administrator names no repository")
