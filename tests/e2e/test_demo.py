"""hack/demo, as a person runs it: it ends well, and its last lines are true."""

from __future__ import annotations

import re
import subprocess

import pytest

from testbed import registry
from testbed.place import ROOT, Place

pytestmark = [pytest.mark.cluster, pytest.mark.demo]


def test_the_demo_builds_twice_and_the_second_time_from_the_cache(operator: None, place: Place) -> None:
    done = subprocess.run([ROOT / "hack" / "demo"], capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    first, second = done.stdout.splitlines()[-2:]
    assert re.fullmatch(r"first build: \S+@sha256:[0-9a-f]{64} in \S+, cached 0 of \d+ steps", first), first
    found = re.fullmatch(r"second build: (\S+@sha256:[0-9a-f]{64}) in \S+, cached (\d+) of \d+ steps", second)
    assert found, second
    assert int(found[2]) > 0
    assert registry.manifest(place, found[1]) is not None
