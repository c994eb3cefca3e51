"""The life of a branch and its cache: which steps come from where. A step's output differs each time it runs."""

from __future__ import annotations

import pytest

from e2e.conftest import Repository
from e2e.story import Story
from testbed import registry
from testbed.kubectl import Document

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

DOCKERFILE = """\
FROM busybox:1.37 AS base
RUN head -c 16 /dev/urandom > /base
FROM base AS deps
COPY lock /lock
RUN cat /base /lock > /deps
FROM deps AS compile
COPY source /source
RUN cat /deps /source > /program
FROM base
COPY --from=compile /program /program
RUN cat /program > /proof
"""
ALL, NONE = "7/7", "0/7"
TO_DEPS, TO_BASE = "3/7", "1/7"
"""Up to and with the dependencies; the first stage alone."""


class Branches:
    """Builds of branches of one repository, each an ImageBuild of its own."""

    def __init__(self, story: Story, repository: Repository) -> None:
        self._story, self._repository, self._builds = story, repository, 0

    def push(self, branch: str, lock: str, source: str) -> None:
        """What the branch holds from now on, whatever it held before."""
        self._repository.commit({"Dockerfile": DOCKERFILE, "lock": lock, "source": source, "of": branch}, branch)

    def build(self, branch: str) -> Document:
        """The cache's part of the status."""
        self._builds += 1
        name = f"{branch}-{self._builds}"
        git = {"url": self._repository.url, "branch": branch}
        self._story.apply({"source": {"git": git}, "output": {"images": [self._story.image("{branch}")]}}, name=name)
        found: Document = self._story.succeeds(name)["cache"]
        return found


@pytest.fixture
def branches(story: Story, repository: Repository) -> Branches:
    """A main branch that has been built, and a branch that is equal to it."""
    found = Branches(story, repository)
    found.push("main", "1", "1")
    assert found.build("main")["summary"] == NONE
    found.push("topic", "1", "1")
    return found


def read(cache: Document) -> list[str]:
    return [entry["result"] for entry in cache["imports"]]


def test_a_branch_keeps_what_it_has_from_its_first_build_to_its_rebase(branches: Branches) -> None:
    assert branches.build("main")["summary"] == ALL, "nothing has changed"
    first = branches.build("topic")
    assert (first["summary"], read(first)) == (ALL, ["NotFound", "Found"]), "from the cache of main"
    branches.push("topic", "1", "2")
    assert branches.build("topic")["summary"] == TO_DEPS
    again = branches.build("topic")
    assert (again["summary"], read(again)) == (ALL, ["Found"]), "from its own"
    branches.push("main", "2", "1")
    assert branches.build("main")["summary"] == TO_BASE
    branches.push("topic", "1", "2")
    assert branches.build("topic")["summary"] == ALL, "what main does is nothing to it"
    branches.push("topic", "2", "2")
    rebased = branches.build("topic")
    assert (rebased["summary"], read(rebased)) == (TO_BASE, ["Found"]), "its own cache is of before the rebase"
    assert branches.build("topic")["summary"] == ALL


def test_a_branch_whose_ref_is_lost_starts_from_the_base_again(story: Story, branches: Branches) -> None:
    branches.push("topic", "1", "2")
    own = branches.build("topic")["export"]["ref"]
    registry.delete(story.place, own, layers=False)
    lost = branches.build("topic")
    assert (lost["summary"], read(lost)) == (TO_DEPS, ["NotFound", "Found"])
    assert branches.build("topic")["summary"] == ALL


def test_a_cache_that_has_lost_its_layers_costs_its_hits_and_no_build(story: Story, branches: Branches) -> None:
    branches.push("topic", "1", "2")
    own = branches.build("topic")["export"]["ref"]
    registry.delete(story.place, own, layers=True)
    lost = branches.build("topic")
    assert (lost["summary"], read(lost)) == (NONE, ["Found"])
    assert branches.build("topic")["summary"] == ALL, "it was written anew"
