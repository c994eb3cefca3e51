"""`imagebuild` against a real cluster: what a person types, what comes out, and how it exits."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from e2e.command import Command, as_a_ci_job
from e2e.conftest import Repository
from e2e.story import WAITS, Story
from e2e.test_upload import home
from imagebuild.contract import timeline
from testbed import registry

pytestmark = pytest.mark.cluster

DOCKERFILE = "FROM busybox:1.37\nCOPY word /word\nRUN echo the word is $(cat /word)\n"
LOUD_THEN_WAITS = (
    "FROM busybox:1.37\n"
    "RUN i=0; while [ $i -lt 200 ]; do echo line $i $(cat /proc/sys/kernel/random/uuid); i=$((i+1)); done; "
    "/bin/sleep 86400 || true\n"
)


@pytest.fixture
def imagebuild(story: Story) -> Command:
    return Command(story)


def ended(process: subprocess.Popen[str], code: int) -> tuple[str, str]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
    return out, err


def test_an_image_is_built_from_git_in_one_command(imagebuild: Command, repository: Repository) -> None:
    story = imagebuild.story
    commit = repository.commit({"api/Dockerfile": DOCKERFILE, "api/word": "brot\n"})
    built = imagebuild("build", f"{repository.url}#main:api", "-t", story.image("{commit}"), "--name", "shop")

    pushed = registry.manifest(story.place, story.image(commit))
    assert pushed is not None
    digest = imagebuild("list", "-o", "image-ref").stdout.strip().rpartition("@")[2]
    assert built.stdout == f"{story.image(commit)}@{digest}\n", "the result alone, for a shell to take"
    assert sum(line.endswith("the word is brot") for line in built.stderr.splitlines()) == 1, "the log, each line once"
    assert "shop: Built in" in built.stderr

    described = imagebuild("describe", "shop").stdout
    assert f"commit {commit}" in described
    assert "docker buildx build --progress=plain \\\n      --platform=linux/amd64" in described
    assert f"{repository.url}#{commit}:api" in described
    assert imagebuild.as_plugin("list", "-o", "name") == "imagebuild.imagebuild.dev/shop\n"
    assert imagebuild("wait", "shop").stdout == built.stdout, "what is over is not waited for"
    assert "the word is brot" in imagebuild("logs", "imagebuild.imagebuild.dev/shop").stdout


def test_a_directory_is_built_with_the_login_of_whoever_sends_it(story: Story, tmp_path: Path) -> None:
    user = tmp_path / "home"
    imagebuild = Command(story, **home(story.place, user))
    story.kubectl.apply(registry.login_secret(story.place, "push"))
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "word").write_text("kuchen\n")
    (shop / "Dockerfile").write_text(DOCKERFILE)
    image = story.private_image()
    built = imagebuild("build", str(shop), "-t", image, "--registry-secret", "push", "--name", "shop")
    assert built.stdout.startswith(f"{image}@sha256:")
    assert f"Sending {shop} to {image.rpartition(':')[0]}" in built.stderr
    assert "the word is kuchen" in built.stderr
    source = story.kubectl.get("imagebuild", "shop")["spec"]["source"]["oci"]["image"]
    assert source.startswith(f"{image.rpartition(':')[0]}@sha256:")


def test_a_build_that_fails_is_explained_and_exits_as_the_table_says(imagebuild: Command) -> None:
    words = ("build", "--discard", "--name", "shop", "-f", "-")
    failed = imagebuild(*words, code=1, stdin="FROM busybox:1.37\nRUN echo oh dear; exit 3\n")
    assert failed.stdout == ""
    assert "shop: StepFailed:" in failed.stderr
    assert "Dockerfile:2 [2/2] RUN echo oh dear; exit 3 (exit code 3)" in failed.stderr

    described = imagebuild("describe", "shop").stdout
    assert "| oh dear" in described
    assert ">    2 RUN echo oh dear; exit 3" in described
    assert "What to do:" in described
    assert "  printf '%s\\n' \\\n      'FROM busybox:1.37' \\\n" in described
    imagebuild("wait", "shop", "--quiet", code=1)


def test_a_build_is_waited_for_cancelled_and_built_again(imagebuild: Command) -> None:
    story = imagebuild.story
    made = imagebuild("build", "--discard", "--name", "shop", "-f", "-", "--detach", stdin=WAITS)
    assert made.stdout == "imagebuild.imagebuild.dev/shop\n"
    imagebuild("wait", "shop", "--timeout", "1s", code=5)
    story.sleeps(story.reaches("shop", phase="Running")["podName"])
    waits = imagebuild.start("wait", "shop")
    imagebuild("cancel", "shop")
    ended(waits, 4)
    assert "is over: Cancelled" in imagebuild("cancel", "shop").stdout

    again = imagebuild.start("rebuild", "shop", "--follow", "-o", "json")
    story.release(story.reaches("shop", phase="Running", attempt=1)["podName"])
    out, err = ended(again, 0)
    assert json.loads(out)["status"]["run"]["number"] == 2
    assert "Attempt" not in err

    imagebuild("suspend", "shop")
    imagebuild("rebuild", "shop")
    story.reaches("shop", reason="Suspended")
    assert "Suspended" in imagebuild("describe", "shop").stdout
    imagebuild("resume", "shop")
    story.release(story.reaches("shop", phase="Running")["podName"])
    imagebuild("wait", "shop")


def test_a_log_is_followed_through_attempts_without_loss_or_repetition(imagebuild: Command) -> None:
    story = imagebuild.story
    story.apply({"dockerfile": {"inline": LOUD_THEN_WAITS}, "output": {"discard": True}}, name="shop")
    follows = imagebuild.start("logs", "-f", "shop")
    first = story.reaches("shop", phase="Running")["podName"]
    story.sleeps(first)
    story.kubectl("delete", "pod", first, "--wait=false")
    second = story.reaches("shop", phase="Running", attempt=2)["podName"]
    story.sleeps(second)
    story.release(second)
    out, err = ended(follows, 0)

    lines = out.splitlines()
    told = story.kubectl("logs", second).splitlines()
    whole = [line for line in told if not line.startswith(timeline.PREFIX)]
    assert len(whole) == len(told) - 1
    assert lines[-len(whole) :] == whole
    loud = Counter(line.split(" ", 2)[2] for line in lines if " line " in line and not line.startswith("#0 RUN"))
    steps = {line: count for line, count in loud.items() if line.startswith("line ")}
    assert set(steps.values()) == {1}
    assert Counter(line.split()[1] for line in steps) == {str(number): 2 for number in range(200)}, "of both attempts"
    assert f"Attempt 2: pod {second}" in err


def test_ctrl_c_leaves_the_build_and_says_how_to_come_back(imagebuild: Command) -> None:
    story = imagebuild.story
    story.apply({"dockerfile": {"inline": WAITS}, "output": {"discard": True}}, name="shop")
    story.sleeps(story.reaches("shop", phase="Running")["podName"])
    follows = imagebuild.start("logs", "-f", "shop")
    assert follows.stdout is not None
    follows.stdout.readline()
    follows.send_signal(signal.SIGINT)
    _, err = ended(follows, 130)
    assert f"imagebuild logs -f shop -n {story.namespace}" in err
    assert story.status("shop")["phase"] == "Running"

    follows = imagebuild.start("logs", "-f", "shop", "--cancel-on-interrupt")
    assert follows.stdout is not None
    follows.stdout.readline()
    follows.send_signal(signal.SIGTERM)
    _, err = ended(follows, 4)
    assert "Cancelling run 1 of shop" in err


def test_a_second_ctrl_c_at_a_terminal_cancels_the_build(imagebuild: Command) -> None:
    story = imagebuild.story
    story.apply({"dockerfile": {"inline": WAITS}, "output": {"discard": True}}, name="shop")
    story.sleeps(story.reaches("shop", phase="Running")["podName"])
    terminal, end = pty.openpty()
    follows = imagebuild.start("logs", "-f", "shop", stderr=end)
    os.close(end)
    assert follows.stdout is not None
    follows.stdout.readline()
    follows.send_signal(signal.SIGINT)
    shown = b""
    while b"Ctrl-C once more cancels it" not in shown:
        shown += os.read(terminal, 4096)
    follows.send_signal(signal.SIGINT)
    story.fails("Cancelled", "shop")
    follows.communicate(timeout=60)
    assert follows.returncode == 4
    os.close(terminal)


def test_mistakes_are_told_in_a_sentence(imagebuild: Command) -> None:
    story = imagebuild.story
    story.apply({**story.inline(), "suspend": True}, name="shop")
    assert "Did you mean shop?" in imagebuild("describe", "shp", code=2).stderr
    refused = imagebuild("create", "https://git.example.com/shop.git", "-t", "shop:1", code=2).stderr
    assert "spec.output.images[0]: must begin with the host of a registry" in refused
    assert "{" not in refused
    unknown = imagebuild("create", "--spec", "-", code=2, stdin="sorce: {}\n" + yaml.safe_dump(story.inline())).stderr
    assert "spec.sorce: there is no such field" in unknown
    assert "There is no context nowhere" in imagebuild("list", "--context", "nowhere", code=2).stderr
    taken = imagebuild("create", "-f", "-", "--discard", "--name", "shop", code=2, stdin="FROM scratch").stderr
    assert "imagebuild rebuild shop" in taken


def test_a_ci_job_needs_no_more_than_its_role(imagebuild: Command, tmp_path: Path) -> None:
    story = imagebuild.story
    ci = as_a_ci_job(story, tmp_path)

    built = ci("build", "-f", "-", "-t", story.image(), "--name", "shop", stdin="FROM busybox:1.37\nRUN echo built\n")
    assert built.stdout.startswith(f"{story.image()}@sha256:")
    assert any(line.endswith(" built") for line in built.stderr.splitlines())
    assert "shop" in ci("list").stdout
    assert "Built" in ci("describe", "shop").stdout
    assert "built" in ci("logs", "shop").stdout
    assert "shop" in ci("describe", "shp", code=2).stderr

    denied = ci("rebuild", "shop", code=2).stderr
    assert "You may not patch imagebuilds in the namespace" in denied
    assert "--clusterrole=imagebuild-edit" in denied
    assert "in all namespaces" in ci("list", "--all-namespaces", code=2).stderr
