"""An API server to ask, a registry to push to, and what is large to the command line made small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.cliserver import Api, kubeconfig, serving
from cli.pushing import Push
from cli.uploadregistry import Registry
from imagebuild.cli.cluster import Cluster
from imagebuild.cli.upload import pack, registry


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as server:
        yield server


@pytest.fixture
def cluster(api: Api, tmp_path: Path) -> Cluster:
    return Cluster.connect(kubeconfig(tmp_path, api.url), None, None)


@pytest.fixture
def push(tmp_path: Path) -> Iterator[Push]:
    there = Registry()
    with there.serve() as host:
        yield Push(tmp_path, there, host)


@pytest.fixture
def piece(monkeypatch: pytest.MonkeyPatch) -> int:
    """A file of more bytes is an archive of its own, sent in pieces of as many: a sixteenth, as noise takes long to pack."""
    size = pack.LARGEST // 16
    monkeypatch.setattr(pack, "LARGEST", size)
    monkeypatch.setattr(registry, "CHUNK", size)
    return size
