"""The operator's view of the cluster only moves forward, whatever comes in whatever order."""

from __future__ import annotations

from typing import Any

import pytest

import make
from imagebuild.api.imagebuild import parse
from imagebuild.api.status import ImageBuildStatus, Phase, Run
from imagebuild.contract.reasons import Reason
from imagebuild.controller.store import Listed, Store
from imagebuild.core.admit import Candidate
from imagebuild.core.groups import member
from imagebuild.core.observe import State

Document = dict[str, Any]
KEY = ("team-a", "shop")
LONG_AGO = make.at(-1_000)


def at_version(document: Document, version: int) -> Document:
    return {**document, "metadata": {**document["metadata"], "resourceVersion": str(version)}}


def build(version: int, **given: Any) -> Document:
    return make.build_document(resource_version=str(version), **given)


def pod(version: int, status: Document, **given: Any) -> Document:
    return at_version(make.pod_document(status=status, **given), version)


def list_builds(store: Store, items: list[Document], version: int) -> set[tuple[str, str]]:
    """The keys of what is news, or gone."""
    listed = Listed(store.put_build)
    return listed.add(page(items, version)) | store.keep_builds(listed)


def list_pods(store: Store, items: list[Document], version: int) -> set[tuple[str, str]]:
    listed = Listed(store.put_pod)
    return listed.add(page(items, version)) | store.keep_pods(listed)


def page(items: list[Document], version: int) -> Document:
    return {"metadata": {"resourceVersion": str(version)}, "items": items}


def test_a_build_of_the_past_is_no_news() -> None:
    store = Store()
    assert store.put_build(build(10, generation=2)) == KEY
    assert store.put_build(build(9, generation=1)) is None
    assert store.put_build(build(10, generation=2)) is None
    kept = store.build(KEY)
    assert kept is not None
    assert kept.generation == 2


def test_versions_are_numbers() -> None:
    store = Store()
    store.put_build(build(9))
    assert store.put_build(build(10)) == KEY


def test_a_pod_of_the_past_is_no_news() -> None:
    store = Store()
    store.put_pod(pod(12, make.built()))
    assert store.put_pod(pod(11, make.running())) is None
    assert [seen.state for seen in store.pods(KEY)] == [State.ENDED]
    assert list(store.running(LONG_AGO)) == []


def test_a_change_that_says_nothing_about_the_build_is_no_news() -> None:
    store = Store()
    assert store.put_pod(pod(11, make.running())) == KEY
    assert store.put_pod(pod(12, {**make.running(), "podIP": "10.0.0.1"})) is None


def test_what_was_deleted_does_not_come_back() -> None:
    store = Store()
    store.put_build(build(10))
    store.drop_build(build(12))
    assert store.put_build(build(11)) is None
    assert store.build(KEY) is None
    store.put_pod(pod(20, make.running()))
    store.drop_pod(pod(22, make.running()))
    assert store.put_pod(pod(21, make.running())) is None
    assert list(store.running(LONG_AGO)) == []


def test_the_deletion_of_an_old_object_leaves_the_new_one_of_its_name() -> None:
    store = Store()
    store.put_build(build(12, uid="new"))
    store.drop_build(build(11, uid="old"))
    assert store.build(KEY) is not None
    store.put_pod(pod(22, make.running(), uid="new"))
    store.drop_pod(pod(21, make.running(), uid="old"))
    assert list(store.running(LONG_AGO)) == [KEY]


def test_a_deleted_pod_is_remembered_as_long_as_its_build_may_not_know_how_it_ended() -> None:
    store = Store()
    store.put_build(build(10))
    store.put_pod(pod(20, make.running()))
    assert store.drop_pod(pod(22, make.built())) == KEY
    assert [seen.reason for seen in store.pods(KEY)] == [Reason.BUILT]
    assert list_pods(store, [], 30) == {KEY}
    assert store.pods(KEY) == ()


def test_a_deleted_pod_is_forgotten_where_nobody_waits_for_its_word() -> None:
    store = Store()
    store.put_pod(pod(20, make.running()))
    store.drop_pod(pod(22, make.built()))
    assert store.pods(KEY) == ()


def test_what_a_list_lacks_is_gone_unless_it_is_newer_than_the_list() -> None:
    store = Store()
    store.put_build(build(10))
    store.put_pod(pod(11, make.running()))
    assert list_builds(store, [], 9) == list_pods(store, [], 10) == set()
    assert list_builds(store, [], 10) == list_pods(store, [], 11) == {KEY}
    assert store.build(KEY) is None
    assert store.pods(KEY) == ()
    assert list(store.running(LONG_AGO)) == []


def test_a_list_tells_what_events_have_not() -> None:
    store = Store()
    store.put_pod(pod(11, make.running()))
    assert list_pods(store, [pod(12, make.built())], 15) == {KEY}
    assert list_builds(store, [build(10)], 15) == {KEY}
    assert list_builds(store, [build(10)], 16) == set()


def test_a_list_of_several_pages_is_as_old_as_the_oldest_and_lacks_nothing_that_is_on_one_of_them() -> None:
    store = Store()
    store.put_build(build(10))
    store.put_build(build(11, name="other", uid="other-uid"))
    store.put_build(build(12, name="gone", uid="gone-uid"))
    listed = Listed(store.put_build)
    assert listed.add(page([build(10)], 14)) == set()
    assert listed.add(page([build(13, name="other", uid="other-uid")], 12)) == {("team-a", "other")}
    assert store.keep_builds(listed) == {("team-a", "gone")}
    assert [kept.name for kept in store.unfinished()] == ["shop", "other"]


def test_pods_that_are_not_ours_are_nobodys() -> None:
    store = Store()
    foreign = pod(11, make.running())
    owners = foreign["metadata"]["ownerReferences"]
    changes: list[Document] = [
        {"labels": {}},
        {"ownerReferences": [{**owners[0], "kind": "Job"}]},
    ]
    for change in changes:
        assert store.put_pod({**foreign, "metadata": foreign["metadata"] | change}) is None
    assert store.pods(KEY) == ()


@pytest.mark.parametrize("controller", [None, False], ids=["no owner", "an owner that does not control it"])
def test_a_pod_whose_owner_was_taken_off_it_is_still_in_the_way_of_the_next_one_of_that_name(
    controller: bool | None,
) -> None:
    store = Store()
    orphan = pod(11, make.running())
    owners = [{**orphan["metadata"]["ownerReferences"][0], "controller": controller}] if controller is not None else []
    orphan = {**orphan, "metadata": {**orphan["metadata"], "ownerReferences": owners}}
    assert list_pods(store, [orphan], 12) == {KEY}
    assert [(seen.owner_uid, seen.live) for seen in store.pods(KEY)] == [("", True)]
    assert store.orphans() == [("team-a", orphan["metadata"]["name"], orphan["metadata"]["uid"])]


# --- builds that are over, which are kept as text


OVER = ImageBuildStatus(phase=Phase.SUCCEEDED, reason=Reason.BUILT, run=Run(number=1, inputs_hash="1"), attempt=1)
OPEN = OVER.model_copy(update={"phase": Phase.RUNNING, "pod_uid": "another"})


def test_a_build_that_is_over_says_the_same_as_before() -> None:
    store = Store()
    document = build(10, status=OVER)
    store.put_build(at_version({**document, "metadata": {**document["metadata"], "managedFields": [{}]}}, 11))
    assert store.build(KEY) == parse(at_version(document, 11))
    assert list(store.unfinished()) == []
    assert list(store.phases()) == [Phase.SUCCEEDED]


def test_one_that_begins_again_is_unfinished() -> None:
    store = Store()
    store.put_build(build(10, status=OVER))
    assert store.put_build(build(9)) is None
    assert store.put_build(build(11)) == KEY
    assert [each.resource_version for each in store.unfinished()] == ["11"]
    assert list(store.phases()) == [Phase.PENDING]


@pytest.mark.parametrize("status", [OVER, OPEN], ids=["over", "open"])
def test_what_a_status_has_of_a_pod_is_told(status: ImageBuildStatus) -> None:
    store = Store()
    store.put_pod(pod(20, make.built()))
    ((key, seen),) = store.all_pods()
    assert not store.told(key, seen), "a pod whose ImageBuild is gone is the garbage collector's"
    store.put_build(build(10, status=status.model_copy(update={"attempt": 0})))
    assert not store.told(key, seen)
    store.put_build(build(11, status=status))
    assert store.told(key, seen)


def test_a_deleted_pod_of_a_build_that_is_over_is_forgotten() -> None:
    store = Store()
    store.put_build(build(10, status=OVER))
    store.put_pod(pod(20, make.running()))
    store.drop_pod(pod(22, make.built()))
    assert store.pods(KEY) == ()


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_one_that_is_over_is_to_its_group_what_it_is_when_it_is_read_anew(phase: Phase) -> None:
    store, asks = Store(), Candidate(key=KEY, since=make.START, run=2)
    in_group = {**make.SPEC, "concurrency": {"group": "main", "policy": "Latest", "order": 7}}
    store.put_build(build(1, spec=in_group, status=OVER.model_copy(update={"phase": phase})))
    found = store.build(KEY)
    assert found is not None
    for asked, reserved in ((None, False), (None, True), (asks, False)):
        assert store.member(KEY, asked, reserved=reserved) == member(found, asked, reserved=reserved, alive=False)
    assert (store.member(KEY, None, reserved=False) is None) == (phase is Phase.FAILED)
    store.put_pod(pod(2, make.running()))
    assert store.member(KEY, None, reserved=False) == member(found, None, reserved=False, alive=True)
    assert list(store.group(("team-a", "main"))) == [KEY]
    assert list(store.unfinished()) == []
    assert store.build(KEY) is not store.build(KEY), "it is kept as text"


# --- what admission looks at


@pytest.mark.parametrize(
    ("status", "takes"),
    [
        pytest.param(make.running(), True, id="a pod that runs"),
        pytest.param(make.waiting(), False, id="one that has waited too long"),
        pytest.param(make.built(), False, id="one that has ended"),
    ],
)
def test_a_pod_that_cannot_start_gives_its_slot_back_after_a_while(status: Document, takes: bool) -> None:
    store = Store()
    store.put_pod(pod(1, status))
    assert list(store.running(make.at(1))) == ([KEY] if takes else [])
    assert list(store.running(LONG_AGO)) == ([] if status == make.built() else [KEY])


def test_a_group_has_the_builds_that_name_it_now() -> None:
    store = Store()
    in_group = {**make.SPEC, "concurrency": {"group": "main"}}
    store.put_build(build(1, spec=in_group))
    store.put_build(build(2, spec=in_group, name="other", uid="other-uid"))
    assert set(store.group(("team-a", "main"))) == {KEY, ("team-a", "other")}
    assert set(store.group(("team-b", "main"))) == set()
    store.put_build(build(3, spec={**make.SPEC, "concurrency": {"group": "next"}}))
    assert set(store.group(("team-a", "main"))) == {("team-a", "other")}
    assert set(store.group(("team-a", "next"))) == {KEY}
    store.drop_build(build(4, spec=in_group, name="other", uid="other-uid"))
    list_builds(store, [], 9)
    assert set(store.group(("team-a", "main"))) == set(store.group(("team-a", "next"))) == set()
