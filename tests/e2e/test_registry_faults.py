"""A registry on its bad days: each fault ends in its reason, or is got over. The faults are testbed.faults'.

What BuildKit v0.33 does about them by itself, as the proxy's log and the times show:

| fault              | pull                                       | push                                              |
|--------------------|--------------------------------------------|---------------------------------------------------|
| 401, 403, 404      | given up at once                           | given up at once                                  |
| 429                | asked five times at once, not minding Retry-After | the same                                   |
| 5xx                | asked twice at once                        | asked again after 1, 2 and 4 s                    |
| cut in the middle  | goes on where it was cut, two dozen times  | sent again after 1, 2 and 4 s                     |
| wrong content      | asked twice                                |                                                   |
| no answer at all   | waits for ever                             | waits for ever: timeouts.silence or build ends it |
"""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from e2e.story import WAITS, Story
from testbed import faults

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("faults"), pytest.mark.usefixtures("proxy")]

SMALL = {"resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}}
NO_CACHE = {"branch": {"import": "None", "export": "Never"}}
ONE_FILE = "FROM scratch\nCOPY <<EOF /file\n{}\nEOF\n"
"""A layer that no other test has pushed."""

PUSHES = {
    "fine": "Built",
    "401": "RegistryUnauthorized",
    "403": "RegistryDenied",
    "404": "RepositoryNotFound",
    "429": "RegistryBusy",
    "429-2": "Built",
    "500": "RegistryUnavailable",
    "502-2": "Built",
    "cut": "RegistryUnavailable",
    "cut-1": "Built",
    "slow": "Built",
    "token500": "RegistryUnavailable",
    "tokeneof": "RegistryUnavailable",
}
PULLS = {
    "401": "RegistryUnauthorized",
    "403": "RegistryDenied",
    "404": "ImageNotFound",
    "429": "RegistryBusy",
    "500": "RegistryUnavailable",
    "cut": "RegistryUnavailable",
    "cut-3": "Built",
    "wrong": "RegistryUnavailable",
    "wrong-1": "Built",
    "token500": "RegistryUnavailable",
}


def behind(fault: str, story: Story, name: str = "app") -> str:
    return f"{faults.HOST}/{fault}/e2e/{story.namespace}/{name}:1"


def spec(dockerfile: str, output: dict[str, Any], **more: Any) -> dict[str, Any]:
    inline = {"dockerfile": {"inline": dockerfile}, "output": output}
    return {**inline, "cache": NO_CACHE, "pod": SMALL, "retryLimit": 0, **more}


def reasons(story: Story, names: list[str]) -> dict[str, str]:
    return {name: story.finished(f"app-{name}", seconds=300)["reason"] for name in names}


def test_a_push_ends_in_the_reason_of_its_fault(story: Story) -> None:
    for fault in PUSHES:
        dockerfile = ONE_FILE.format(secrets.token_hex())
        story.apply(spec(dockerfile, {"images": [behind(fault, story, f"p{fault}")]}), name=f"app-{fault}")
    assert reasons(story, list(PUSHES)) == PUSHES, story.log()


EARLY = {"401": "RegistryUnauthorized", "403": "RegistryDenied", "404": "RepositoryNotFound"}


def test_a_push_that_will_be_refused_is_known_before_a_step_runs(story: Story) -> None:
    for fault in EARLY:
        story.apply(spec(WAITS, {"images": [behind(fault, story, f"e{fault}")]}), name=f"app-{fault}")
    assert reasons(story, list(EARLY)) == EARLY


def test_a_pull_ends_in_the_reason_of_its_fault_and_a_later_attempt_gets_over_it(story: Story) -> None:
    base = f"{story.place.registry}/e2e/{story.namespace}/base:1"
    story.apply(spec(f"FROM busybox:1.37\nRUN echo {secrets.token_hex()} > /base\n", {"images": [base]}))
    story.succeeds()
    for fault in PULLS:
        dockerfile = f"FROM {behind(fault, story, 'base')}\nRUN true\n"
        story.apply(spec(dockerfile, {"discard": True}), name=f"app-{fault}")
    dockerfile = f"FROM {behind('500-3', story, 'base')}\nRUN true\n"
    story.apply(spec(dockerfile, {"discard": True}, retryLimit=2), name="app-later")
    assert reasons(story, list(PULLS)) == PULLS
    later = story.succeeds("app-later")
    assert later["failures"] == 1, "two requests in the first attempt, one in the second"


def test_a_registry_that_never_answers_costs_a_cache_five_seconds_and_ends_a_silent_push(story: Story) -> None:
    silent = {"repository": behind("silent", story).removesuffix(":1"), "base": "main", "export": "Never"}
    story.apply(spec("FROM busybox:1.37\nRUN true\n", {"discard": True}, cache={"branch": silent}))
    push = spec(ONE_FILE.format("silent"), {"images": [behind("silent", story)]}, timeouts={"silence": "10s"})
    story.apply(push, name="push")
    status = story.succeeds()
    assert [entry["result"] for entry in status["cache"]["imports"]] == ["Timeout", "Timeout"]
    assert status["timings"]["fetch"] < 8, "both refs were looked for side by side"
    assert "exporting to image" in story.fails("Silent", "push")["message"]
