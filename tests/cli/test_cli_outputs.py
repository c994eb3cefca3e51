"""What `build` leaves, where something is in its way: the image counts, and is told first."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.cliserver import Api, kubeconfig
from imagebuild.cli.__main__ import run
from imagebuild.cli.exits import Exit

BUILDS = "/apis/imagebuild.dev/v1alpha1/namespaces/team-a/imagebuilds"
BUILT = {
    "metadata": {"name": "shop", "namespace": "team-a", "generation": 1, "resourceVersion": "1"},
    "status": {
        "observedGeneration": 1,
        "phase": "Succeeded",
        "reason": "Built",
        "run": {"number": 1},
        "output": {"digest": "sha256:ab", "images": ["r.io/shop:1"]},
    },
}


def test_a_build_whose_digest_cannot_be_written_has_told_it_first(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers |= {BUILDS: (201, BUILT), f"{BUILDS}/shop": (200, BUILT)}
    words = ["https://h/x.git", "-t", "r.io/shop:1", "--name", "shop", "--digest-file", "/dev/full", "--quiet"]
    code = run(["imagebuild", "build", *words, "--no-ci", "--kubeconfig", kubeconfig(tmp_path, api.url)])
    told = capsys.readouterr()
    assert told.out == "r.io/shop:1@sha256:ab\n"
    assert "/dev/full cannot be written: No space left on device. shop has ended as Built." in told.err
    assert code == Exit.CONFIGURATION
