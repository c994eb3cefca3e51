"""What a build pod reports is untrusted: whatever it is, the reader neither crashes nor takes it for a success."""

from __future__ import annotations

import contextlib
import json
import string
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import make
from imagebuild.api import names
from imagebuild.contract import plan
from imagebuild.contract.codec import DecodeError, decode, encode
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Details, Essentials, Timings, dump, parse
from imagebuild.core.observe import observe

settings.register_profile("same every time", derandomize=True, max_examples=40, deadline=None, database=None)
settings.load_profile("same every time")

WORDS_OF_REASONS = [reason.value for reason in Reason]
DONE = (Reason.BUILT, Reason.ALREADY_BUILT)
TEXT = st.one_of(st.text(max_size=30), st.sampled_from(["\ud800", "a\udfff", "\0", "日本\x1b[31m"]))
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([2**31, 10**400, 1e308, -1, 0]))
KEYS = st.sampled_from([*Essentials.__dataclass_fields__, *Details.__dataclass_fields__, "step", "found", "ref", "x"])
WORDS = st.sampled_from([*WORDS_OF_REASONS, "built", "Found", ""])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXT, WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, TEXT), inner, max_size=4)),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=6)
ESSENTIALS = st.fixed_dictionaries(
    {"reason": st.one_of(WORDS, VALUES)},
    optional={"digest": st.one_of(TEXT, VALUES), "message": TEXT, "commit": TEXT, "branch": TEXT},
)
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "timings": st.dictionaries(st.sampled_from([*Timings.__dataclass_fields__]), NUMBERS),
        "steps_total": NUMBERS,
        "images": st.lists(TEXT),
        "failure": st.fixed_dictionaries({}, optional={"line": NUMBERS, "step": TEXT, "log_tail": TEXT}),
    },
)
WHOLE = dump(
    BuildResult(
        essentials=Essentials(reason=Reason.BUILT, digest=make.DIGEST, commit=make.COMMIT),
        details=Details(images=("registry.example.com/shop:1",), steps_total=3),
    )
)


def lines(*documents: Any) -> str:
    return "\n".join(json.dumps(document) for document in documents)


MESSAGES = st.one_of(
    st.text(max_size=200),
    TEXT,
    st.text(string.punctuation + "0123456789eE", max_size=80),
    st.builds(lines, VALUES, VALUES),
    st.builds(lines, ESSENTIALS, DOCUMENTS),
    st.builds(lines, ESSENTIALS, DETAILS),
    st.builds(lambda end: WHOLE[:end], st.integers(0, len(WHOLE))),
    st.builds(lambda at, text: WHOLE[:at] + text + WHOLE[at:], st.integers(0, len(WHOLE)), TEXT),
    st.builds(lambda bracket, times: bracket * times, st.sampled_from(["[", '{"reason":', "[{"]), st.integers(1, 9000)),
)


def said(message: str) -> dict[str, Any]:
    """The first line of a message, as far as it is an object."""
    try:
        document = json.loads(message.partition("\n")[0])
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


@given(MESSAGES)
def test_any_message_is_read_or_says_nothing(message: str) -> None:
    read = parse(message)
    if read is not None:
        json.dumps(encode(read), ensure_ascii=False, allow_nan=False).encode()
        told = said(message).get("reason")
        assert read.essentials.reason == (told if told in WORDS_OF_REASONS else Reason.UNKNOWN)


@given(DETAILS)
def test_details_that_no_status_can_hold_are_not_taken_over(details: dict[str, Any]) -> None:
    read = parse(lines({"reason": "Built"}, details))
    assert read is not None
    json.dumps(encode(read.details), ensure_ascii=False, allow_nan=False).encode()


@given(VALUES)
def test_any_document_is_decoded_or_refused(document: Any) -> None:
    for kind in (plan.Plan, Essentials, Details):
        with contextlib.suppress(DecodeError):
            assert isinstance(decode(kind, document), kind)


@given(MESSAGES, st.sampled_from(["", "Completed", "Error", "OOMKilled"]), st.integers(0, 255))
def test_no_message_makes_a_success_of_a_pod_but_one_that_says_so(message: str, reason: str, code: int) -> None:
    document = make.pod_document(status=make.ended(message, code=code))
    state = document["status"]["containerStatuses"][0]["state"]["terminated"]
    state["reason"] = reason
    seen = observe(document)
    told = said(message)
    if seen.reason in DONE:
        assert isinstance(told.get("digest"), str) or told.get("reason") in DONE
    assert len(seen.message) <= 500


@given(st.dictionaries(st.sampled_from([names.LABEL_RUN, names.LABEL_ATTEMPT]), TEXT), DOCUMENTS)
def test_labels_and_conditions_of_any_kind_harm_nobody(labels: dict[str, str], odd: dict[str, Any]) -> None:
    document = make.pod_document(status=make.running())
    document["metadata"]["labels"] |= labels
    document["metadata"]["annotations"] |= {key: str(value) for key, value in odd.items()}
    seen = observe(document)
    assert seen.run >= 0
    assert seen.attempt >= 0
