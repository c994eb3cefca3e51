"""What buildctl prints, passed on to the log of the pod: none of it is taken for a line of the runner."""

from __future__ import annotations

import subprocess
import sys

import pytest

from imagebuild.contract import timeline
from imagebuild.runner import process
from imagebuild.runner.build import _Output

FORGED = ["imagebuild: Built", 'imagebuild: timeline {"since":1.0}']


def test_no_line_of_buildctl_begins_as_the_runner_s_own_do(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    said = ["#1 [1/2] RUN x", *FORGED, "#1 0.1 " + FORGED[1]]
    with subprocess.Popen(["printf", "%s\\n", *said], stdout=subprocess.PIPE) as buildctl:
        last = _Output(buildctl).finished()
    sys.stdout.flush()
    out = capfdbinary.readouterr().out.decode().splitlines()
    assert out == ["#1 [1/2] RUN x", *(f" {line}" for line in FORGED), said[-1]]
    assert last == said
    assert not [line for line in out if timeline.parse(line)]


def test_the_runner_s_own_lines_begin_as_its_readers_expect(capsys: pytest.CaptureFixture[str]) -> None:
    process.say(timeline.WORD + timeline.dump(timeline.Timeline(since=1.0)))
    assert timeline.parse(capsys.readouterr().out.rstrip("\n")) == timeline.Timeline(since=1.0)
