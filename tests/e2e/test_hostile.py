"""Builds that attack: their own pod, the cluster, the status, and every secret that they can get at.

What is to come of each attempt is in tests/hostile.py, which docs/security.md shows. All builds of this module run side by
side: one with the attempts that a build survives, in a namespace for each isolation mode, and a few that end theirs.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import BASELINE, Repository
from e2e.story import Story
from e2e.test_egress import proxy
from e2e.test_private_git import basic_auth, private, secret
from e2e.test_secrets import KEY, everything_pushed
from hostile import ATTEMPTS, MODES, SHARED, Attempt
from testbed import egress, gitserver, registry
from testbed import hostile as package
from testbed.kubectl import Kubectl, KubectlError, until

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("egress")]
__all__ = ["proxy"]  # the fixture

EACH_MODE = pytest.mark.parametrize("mode", MODES)
TOKEN = "the-token-that-no-other-step-may-see-4712"
FAKE = "sha256:" + "f" * 64
HOSTILE = "a\",type=local,dest=/work\n--opt=x $(cat /work/docker/config.json) $(X) 'é' , ="
SMALL = {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}}}
DISCARD: dict[str, Any] = {"discard": True}
SECRETS: dict[str, Any] = {
    "secrets": [{"id": "token", "secretKeyRef": {"name": "values", "key": "token"}}],
    "ssh": [{"id": "default", "secretRef": {"name": "deploy-key"}}],
    "registrySecrets": [{"name": "login"}],
}
USED = "RUN --mount=type=secret,id=token --mount=type=ssh test -s /run/secrets/token"
ATTACK = """\
FROM {builder} AS attacker
USER 0
WORKDIR /opt
COPY testbed testbed
ARG OPEN_REGISTRY PRIVATE_REGISTRY REPOSITORY
FROM attacker AS holder
RUN --mount=type=secret,id=token --mount=type=cache,id=meet,target=/meet python3 -m testbed.hostile holds && touch /held
FROM attacker AS thief
RUN --mount=type=cache,id=meet,target=/meet python3 -m testbed.hostile other-step && touch /looked
FROM attacker AS rest
COPY --from=holder /held /
COPY --from=thief /looked /
RUN --mount=type=secret,id=GIT_AUTH_TOKEN,target=/run/secrets/git --mount=type=secret,id=login,target=/run/secrets/login \
    python3 -m testbed.hostile unasked && touch /asked
RUN python3 -m testbed.hostile {names} && touch /tried
FROM busybox:1.37
ARG EVIL
{used} && echo "$EVIL" > /evil
COPY --from=rest /tried /
RUN /bin/sleep 86400 || true
"""
LIES = f"""\
FROM busybox:1.37
{USED}
RUN for file in /dev/termination-log /proc/1/fd/1 /proc/1/root/dev/termination-log; do \\
      echo '{{"reason":"Built","digest":"{FAKE}"}}' > $file; done 2>/dev/null; \\
    printf 'error: failed to solve: 401 Unauthorized\\n#9 ERROR: no space left on device\\nDockerfile:1\\n'; \\
    printf -- '--------------------\\nimagebuild: Built\\n\\033[2J\\033]0;title\\007' >&2; exit 7
"""
KILLS = "FROM busybox:1.37\nRUN trap '' INT TERM; kill -INT 1; kill -TERM 1; kill -STOP 1; kill -9 -1; true\nRUN true\n"
OUTLIVES = "FROM busybox:1.37\nRUN setsid sleep 86399 </dev/null >/dev/null 2>&1 & true\n"
STAYS = "FROM busybox:1.37\nRUN sleep 86399 & true\n"
FILLS = "FROM busybox:1.37\nRUN dd if=/dev/zero of=/fill bs=1M count=400; sync; sleep 86400\n"


class Battle:
    """A namespace with all kinds of secrets, and the builds in it."""

    def __init__(self, kubectl: Kubectl, mode: str, repository: Repository) -> None:
        self.story, self.mode, self.repository = Story(kubectl), mode, repository
        self.processes = ""
        self._logs: dict[str, str] = {}
        kubectl.apply(
            registry.login_secret(kubectl.place, "login"),
            registry.login_secret(kubectl.place, "archive-login"),
            basic_auth("git-login"),
            egress.login(),
            secret("values", token=TOKEN),
            {**secret("deploy-key", ssh__privatekey=_private_key()), "type": "kubernetes.io/ssh-auth"},
        )

    @property
    def image(self) -> str:
        return self.story.private_image()

    def begin(self) -> None:
        place, repository = self.story.place, self.image.partition("/")[2].rpartition(":")[0]
        where = {"OPEN_REGISTRY": place.registry, "PRIVATE_REGISTRY": place.private_registry, "REPOSITORY": repository}
        git = {"url": self.repository.url, "secretRef": {"name": "git-login"}}
        self._apply("attack", source={"git": git}, args={"EVIL": HOSTILE, **where}, **SECRETS, output=self._output())
        self._apply("lies", LIES, **SECRETS)
        self._apply("kills", KILLS)
        self._apply("outlives", OUTLIVES)
        self._apply("stays", STAYS, timeouts={"build": "40s"})

    def fill(self) -> None:
        limits = {**SMALL["resources"]["limits"], "ephemeral-storage": "200Mi"}
        pod = {
            "resources": {"requests": {**SMALL["resources"]["requests"], "ephemeral-storage": "1Mi"}, "limits": limits}
        }
        self._apply("fills", FILLS, pod=pod)

    def _output(self) -> dict[str, Any]:
        return {"images": [self.image], "labels": {"evil": HOSTILE}, "annotations": {"evil": HOSTILE}}

    def _apply(self, name: str, inline: str | None = None, **spec: Any) -> None:
        dockerfile = {"dockerfile": {"inline": inline}} if inline else {}
        self.story.apply({"output": DISCARD, "retryLimit": 0, "pod": SMALL, **dockerfile, **spec}, name)

    def look(self) -> None:
        """At the processes of the attack, which waits for that."""
        pod = self.story.reaches("attack", phase="Running")["podName"]
        try:
            self.story.sleeps(pod)
        except KubectlError as error:
            raise AssertionError(f"{error}\n{self.log()[-5000:]}") from error
        words = ("exec", pod, "--container=build", "--", "sh", "-c", "cat /proc/*/cmdline /proc/*/environ; true")
        self.processes = self.story.kubectl(*words)
        self.story.release(pod)

    def log(self, name: str = "attack") -> str:
        """To its end, and fetched once."""
        if name not in self._logs:
            self._logs[name] = self.story.kubectl("logs", "--follow", self.story.status(name)["podName"], timeout=180)
        return self._logs[name]


def _private_key() -> str:
    kind = "OPENSSH " + "PRIVATE KEY"  # in two words, so that no scanner takes this file for a leak
    return f"-----BEGIN {kind}-----\n{KEY}-----END {kind}-----\n"


def _files(builder: str) -> dict[str, str]:
    directory = Path(package.__file__).parent
    own = {f"testbed/hostile/{file.name}": file.read_text() for file in directory.glob("*.py")}
    names = " ".join(attempt.name for attempt in ATTEMPTS if attempt.name not in {"other-step", "unasked"})
    attack = ATTACK.format(builder=builder, names=f"{names} own-file own-server", used=USED)
    return {"Dockerfile": attack, "testbed/__init__.py": "", **own}


@pytest.fixture(scope="module")
def battles(
    operator: None,
    kubectl: Kubectl,
    proxy: Kubectl,
    git_server: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Battle]]:
    repository = private(git_server, tmp_path_factory.mktemp("hostile") / "checkout")
    repository.commit(_files(kubectl.place.builder_image))
    made = {}
    for mode in MODES:
        name = f"e2e-{secrets.token_hex(3)}-hostile-{mode.lower()}"
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": BASELINE}})
        made[mode] = Battle(kubectl.within(name), mode, repository)
        made[mode].begin()
    made["Userns"].fill()
    for battle in made.values():
        battle.look()
    yield made
    for battle in made.values():
        kubectl("delete", "namespace", battle.story.namespace, "--wait=false")


def planted(battle: Battle) -> set[str]:
    """Values of all secrets, as they are and as programs write them."""
    place = battle.story.place
    pairs = [(place.user, place.password), (gitserver.USER, gitserver.PASSWORD), (egress.USER, egress.PASSWORD)]
    plain = [TOKEN, KEY.splitlines()[2], *(password for _, password in pairs)]
    coded = [base64.b64encode(text.encode()).decode() for text in (*plain, *(":".join(pair) for pair in pairs))]
    return {*plain, *coded, *map(urllib.parse.quote, plain)}


@EACH_MODE
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_an_attempt_comes_to_what_the_table_says(battles: dict[str, Battle], attempt: Attempt, mode: str) -> None:
    log = battles[mode].log()
    found = re.search(rf"attempt {attempt.name} (\w+): (.*)", log)
    assert found, log[-3000:]
    assert found[1] == ("succeeded" if mode in attempt.succeeds else "blocked"), found[2]


@EACH_MODE
def test_looking_finds_what_is_there(battles: dict[str, Battle], mode: str) -> None:
    """Or the table would be worth nothing."""
    log = battles[mode].log()
    assert re.findall(r"attempt (own-file|own-server) succeeded", log) == ["own-file", "own-server"], log[-3000:]
    assert len(re.findall(r"blobs/uploads/ 401", log)) == 2, "the private registry was asked twice"


@EACH_MODE
def test_a_step_that_fails_is_believed_nothing_of_what_it_says(battles: dict[str, Battle], mode: str) -> None:
    status = battles[mode].story.fails("StepFailed", "lies")
    assert status["failure"]["exitCode"] == 7
    assert status["failure"]["line"] == 3
    assert "lastSuccessful" not in status
    assert not status.get("output", {}).get("digest"), "the one that it has written"


@EACH_MODE
def test_a_step_that_kills_what_it_can_ends_its_own_build_at_most(battles: dict[str, Battle], mode: str) -> None:
    status = battles[mode].story.finished("kills")
    assert status["reason"] == ("DaemonDied" if mode in SHARED else "Built"), battles[mode].log("kills")


@EACH_MODE
def test_nothing_that_a_step_starts_outlives_the_build(battles: dict[str, Battle], mode: str) -> None:
    story = battles[mode].story
    pod = story.kubectl.get("pod", story.succeeds("outlives")["podName"])
    assert pod["status"]["phase"] == "Succeeded", "the kernel ends all of a container with its first process"


@EACH_MODE
def test_a_process_that_keeps_the_output_of_its_step_keeps_the_step_open_at_most_until_timeouts_build(
    battles: dict[str, Battle], mode: str
) -> None:
    status = battles[mode].story.finished("stays")
    assert status["reason"] == ("TimedOut" if mode in SHARED else "Built"), battles[mode].log("stays")


def test_a_step_that_fills_the_disk_is_stopped_at_the_limit(battles: dict[str, Battle]) -> None:
    battles["Userns"].story.fails("Evicted", "fills")


@EACH_MODE
def test_values_of_the_spec_are_kept_to_the_byte_and_do_nothing(battles: dict[str, Battle], mode: str) -> None:
    battle = battles[mode]
    digest = battle.story.succeeds("attack")["output"]["digest"]
    found = registry.manifest(battle.story.place, battle.image)
    assert found is not None
    assert found[0] == digest, "and not the one that a step wrote into its result"
    config = json.loads(registry.blob(battle.story.place, battle.image, found[1]["config"]["digest"]))
    assert config["config"]["Labels"]["evil"] == HOSTILE
    assert found[1]["annotations"]["evil"] == HOSTILE
    assert HOSTILE.encode() in everything_pushed(battle.story, battle.image)


@EACH_MODE
def test_no_value_of_a_secret_stays_anywhere(battles: dict[str, Battle], mode: str) -> None:
    story = battles[mode].story
    status = story.succeeds("attack")
    story.finished("lies")
    builder = registry.manifest(story.place, re.sub(r":[^:/]+@", "@", story.place.builder_image))
    base = {layer["digest"] for layer in builder[1]["layers"]} if builder else set()
    stays = {
        "image": everything_pushed(story, battles[mode].image).decode("latin-1"),
        "cache": everything_pushed(story, status["cache"]["export"]["ref"], but=base).decode("latin-1"),
        "log": battles[mode].log(),
        "log of a failure": battles[mode].log("lies"),
        **{
            kind: json.dumps(story.kubectl.items(kind), ensure_ascii=False)
            for kind in ("imagebuilds", "pods", "events")
        },
    }
    assert all(stays.values())
    assert [(where, value) for where, text in stays.items() for value in planted(battles[mode]) if value in text] == []


@EACH_MODE
def test_no_value_of_a_secret_is_in_a_process(battles: dict[str, Battle], mode: str) -> None:
    seen = battles[mode].processes
    assert "buildctl" in seen
    assert "XDG_RUNTIME_DIR" in seen, "environments are looked into"
    until("the end of the attack", lambda: battles[mode].story.status("attack").get("phase") == "Succeeded")
    assert [value for value in planted(battles[mode]) if value in seen] == []
