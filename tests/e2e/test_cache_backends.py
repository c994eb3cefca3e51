"""Caches in each place that can be had here: what one build leaves there the next one reads."""

from __future__ import annotations

import json

import pytest

from e2e.story import FIVE_STEPS, Story
from testbed import claims, registry, s3
from testbed.kubectl import Document

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

DISCARD: Document = {"discard": True}


def twice(story: Story, cache: Document, output: Document = DISCARD, dockerfile: str = FIVE_STEPS) -> Document:
    """The status of the second of two builds that have nothing in common but this cache."""
    for name in ("first", "second"):
        story.apply(story.inline(dockerfile, output=output, cache=cache), name=name)
        status = story.succeeds(name)
        assert "cache was not written" not in status["message"]
    return status


@pytest.mark.xdist_group("s3")
def test_an_object_store(story: Story) -> None:
    s3.serve(story.kubectl)
    story.kubectl.apply(s3.credentials("store"))
    place: Document = {
        "s3": {
            "bucket": s3.BUCKET,
            "region": s3.REGION,
            "endpointURL": s3.url(story.namespace),
            "usePathStyle": True,
            "name": "shop-main",
            "prefix": "team/",
        }
    }
    status = twice(story, {"import": [place], "export": [place], "s3Credentials": {"name": "store"}})
    assert status["cache"]["summary"] == "5/5"
    assert "team/manifests/shop-main" in s3.objects(story.kubectl)
    for pod in story.pods():
        assert s3.PASSWORD not in json.dumps(pod)
        assert s3.PASSWORD not in story.kubectl("logs", pod["metadata"]["name"])


@pytest.mark.xdist_group("s3")
def test_an_object_store_that_refuses_fails_nothing_and_a_missing_secret_is_waited_for(story: Story) -> None:
    s3.serve(story.kubectl)
    where = {"bucket": s3.BUCKET, "region": s3.REGION, "endpointURL": s3.url(story.namespace), "usePathStyle": True}
    place: Document = {"s3": where}
    cache = {"import": [place], "export": [place], "s3Credentials": {"name": "store"}}
    story.apply(story.inline(output=DISCARD, cache=cache))
    assert "store" in story.reaches(reason="SecretMissing")["message"]
    story.kubectl.apply(s3.credentials("store", password="wrong"))
    assert "the cache was not written" in story.succeeds()["message"]


def test_a_directory_on_a_claim(story: Story) -> None:
    claims.make(story.kubectl, "caches")
    place: Document = {"local": {"claimName": "caches", "path": "shop"}}
    assert twice(story, {"import": [place], "export": [place]})["cache"]["summary"] == "5/5"


def test_a_claim_that_may_not_be_written_is_named(story: Story) -> None:
    claims.make(story.kubectl, "caches", mode="0755")
    place: Document = {"local": {"claimName": "caches"}}
    story.apply(story.inline(output=DISCARD, cache={"export": [place]}))
    assert "the claim caches" in story.fails("VolumeNotWritable")["message"]


def test_a_ref_of_a_registry(story: Story) -> None:
    place: Document = {"registry": {"ref": story.image("cache")}}
    cache: Document = {"import": [place], "export": [{**place, "compression": "Gzip"}]}
    status = twice(story, cache)
    assert status["cache"]["summary"] == "5/5"
    assert status["cache"]["imports"] == [{"ref": story.image("cache"), "result": "Found"}]
    found = registry.manifest(story.place, story.image("cache"))
    assert found is not None
    assert {layer["mediaType"].rpartition("+")[2] for layer in found[1]["layers"]} == {"gzip"}


def test_inside_the_image_of_which_only_the_last_stage_is_known_again(story: Story) -> None:
    cache: Document = {"import": [{"registry": {"ref": story.image()}}], "export": [{"inline": {}}]}
    dockerfile = "FROM busybox:1.37\nRUN echo one > /one\nRUN echo two > /two\n"
    output: Document = {"images": [story.image()]}
    assert twice(story, cache, output, dockerfile)["cache"]["summary"] == "2/2"


def test_steps_run_anew_where_the_cache_is_not_wanted(story: Story) -> None:
    place: Document = {"registry": {"ref": story.image("cache")}}
    cache: Document = {"import": [place], "export": [place]}
    assert twice(story, cache)["cache"]["summary"] == "5/5"
    wanted: Document = {"stage": {"noCacheStages": ["one"]}, "all": {"noCache": True}}
    for name, more in wanted.items():
        story.apply(story.inline(FIVE_STEPS, output=DISCARD, cache={**cache, **more}), name=name)
    assert story.succeeds("all")["cache"]["summary"] == "0/5"
    log = story.kubectl("logs", story.succeeds("stage")["podName"])
    assert "CACHED" in log
    assert story.status("stage")["cache"]["cached"] < 5
