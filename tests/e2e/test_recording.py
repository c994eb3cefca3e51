"""The session of docs/session.svg, played in a hurry: each command that it shows works on this cluster."""

from __future__ import annotations

import pytest

from recording import picture
from recording.session import record
from testbed.place import Place

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]


def test_the_session_that_is_shown_is_one_that_works(operator: None, place: Place) -> None:
    said = picture.text(record(place, hurried=True))
    for words in ("imagebuild.imagebuild.dev/shop created", "Succeeded", "@sha256:", "StepFailed", "srot: not found"):
        assert words in said
