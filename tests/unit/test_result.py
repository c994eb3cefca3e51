"""The result: small enough for the kubelet, essentials first, readable when cut, harmless when forged."""

from __future__ import annotations

import dataclasses
import json

import pytest

from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import (
    LIMIT,
    BuildResult,
    CacheRef,
    Details,
    Essentials,
    Failure,
    LookUp,
    Timings,
    dump,
    parse,
)

DIGEST = "sha256:" + "a" * 64
BUILT = BuildResult(
    essentials=Essentials(reason=Reason.BUILT, digest=DIGEST, commit="c" * 40, branch="main"),
    details=Details(
        images=("registry.example.com/shop:1",),
        platform="linux/amd64",
        steps_total=5,
        steps_cached=3,
        imports=(CacheRef(ref="registry.example.com/shop:buildcache-main-0", found=LookUp.FOUND),),
        export_ref="registry.example.com/shop:buildcache-main-0",
        timings=Timings(fetch=0.5, daemon=1.0, solve=4.0, total=6.0),
    ),
)
FAILED = BuildResult(
    essentials=Essentials(reason=Reason.STEP_FAILED, message="RUN make: exit code 2"),
    details=Details(failure=Failure(step="[2/3] RUN make", line=3, exit_code=2, log_tail="no rule\n")),
)
ENORMOUS = BuildResult(
    essentials=Essentials(reason=Reason.STEP_FAILED, message="ü" * 2000, commit="c" * 40, branch="b" * 255),
    details=Details(
        images=tuple(f"registry.example.com/{'x' * 200}:{i}" for i in range(16)),
        imports=tuple(CacheRef(ref="r" * 500, found=LookUp.ERROR) for _ in range(2)),
        export_ref="e" * 500,
        export_error="x" * 1000,
        failure=Failure(step="s" * 900, line=1, exit_code=1, log_tail="日" * 4000),
        timings=Timings(total=1.0),
    ),
)


@pytest.mark.parametrize("value", [pytest.param(BUILT, id="a success"), pytest.param(FAILED, id="a failure")])
def test_a_result_reads_as_it_was_written(value: BuildResult) -> None:
    assert parse(dump(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(ENORMOUS, id="everything is too long"),
        pytest.param(
            dataclasses.replace(FAILED, details=Details(failure=Failure(log_tail='"\\\x1b\n' * 3000))),
            id="a log that JSON makes longer",
        ),
        pytest.param(
            dataclasses.replace(BUILT, details=dataclasses.replace(BUILT.details, images=("i" * 512,) * 16)),
            id="many images",
        ),
        pytest.param(
            dataclasses.replace(BUILT, essentials=dataclasses.replace(BUILT.essentials, branch="b" * 3000)),
            id="the name of the branch alone",
        ),
    ],
)
def test_a_result_never_takes_more_than_its_limit_and_keeps_the_essentials(value: BuildResult) -> None:
    text = dump(value)
    read = parse(text)
    assert len(text.encode()) <= LIMIT
    assert read is not None
    said = read.essentials
    assert (said.reason, said.digest, said.commit) == (
        value.essentials.reason,
        value.essentials.digest,
        value.essentials.commit,
    )


@pytest.mark.parametrize(
    ("images", "kept", "cut"),
    [
        pytest.param(("i" * 100,) * 4, 4, 0, id="all that fit"),
        pytest.param(("i" * 512,) * 16, 3, 13, id="the first ones"),
        pytest.param(("i" * 3000,) * 2, 0, 2, id="none"),
    ],
)
def test_a_result_says_how_many_images_it_has_no_room_for(images: tuple[str, ...], kept: int, cut: int) -> None:
    read = parse(dump(dataclasses.replace(BUILT, details=dataclasses.replace(BUILT.details, images=images))))
    assert read is not None
    assert (len(read.details.images), read.details.images_cut) == (kept, cut)


def test_where_the_log_is_archived_is_never_cut_off() -> None:
    details = dataclasses.replace(ENORMOUS.details, archive=BUILT.essentials.digest, archive_error="x" * 5000)
    read = parse(dump(dataclasses.replace(ENORMOUS, details=details)))
    assert read is not None
    assert read.details.archive == BUILT.essentials.digest


def test_the_end_of_a_log_is_what_stays_of_it() -> None:
    long = dataclasses.replace(FAILED, details=Details(failure=Failure(log_tail="x" * 5000 + "the last words")))
    read = parse(dump(long))
    assert read is not None
    assert read.details.failure is not None
    assert read.details.failure.log_tail.endswith("the last words")


def test_a_message_that_the_kubelet_cut_loses_details_only() -> None:
    text = dump(BUILT)
    read = parse(text[: text.index("\n") + 40])
    assert read == BuildResult(essentials=BUILT.essentials)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"reason":"MoonTooBright","message":"look"}\n{}', id="a word of a newer runner"),
        pytest.param('{"reason":["Built"],"message":"look"}\n{}', id="no word at all"),
        pytest.param('{"message":"look"}', id="none given"),
    ],
)
def test_a_reason_that_is_not_in_the_table_is_unknown(text: str) -> None:
    read = parse(text)
    assert read == BuildResult(essentials=Essentials(reason=Reason.UNKNOWN, message="look"))


@pytest.mark.parametrize("digest", ["latest@evil", "", "sha256:" + "A" * 64, DIGEST + "\n"])
def test_a_digest_that_is_none_is_left_out(digest: str) -> None:
    read = parse(json.dumps({"reason": "StepFailed", "digest": digest}))
    assert read == BuildResult(essentials=Essentials(reason=Reason.STEP_FAILED))


def test_images_that_are_none_are_left_out() -> None:
    images = ["not an image; $(x)", "[fd00::1]:5000/shop:1", "-x", "registry.example.com/shop:1\n", ""]
    read = parse(json.dumps({"reason": "Built"}) + "\n" + json.dumps({"images": images}))
    assert read is not None
    assert read.details.images == ("[fd00::1]:5000/shop:1",)


def test_details_that_no_status_can_hold_are_left_out() -> None:
    read = parse('{"reason":"Built"}\n{"steps_total": 1e999}')
    assert read == BuildResult(essentials=Essentials(reason=Reason.BUILT))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("panic: runtime error", id="words of another program"),
        pytest.param("[]", id="JSON of another shape"),
        pytest.param('{"reason": "Built", "digest": 7}', id="a digest that is a number"),
        pytest.param('{"reason": "Built", "digest": "\\ud800"}', id="half a surrogate pair"),
        pytest.param("[" * 100_000, id="brackets without end"),
        pytest.param(json.dumps({"reason": "Built"})[:-3], id="cut within the essentials"),
    ],
)
def test_what_is_no_result_says_nothing(text: str) -> None:
    assert parse(text) is None
