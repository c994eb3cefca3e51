"""`stage`: an API server that grants what the manifests grant, a kubelet, and room for an operator."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.fakeapi import ApiServer
from controller.grants import granted, granted_at_home
from controller.stage import Stage


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)  # no test speaks TLS, and each start would read all of the system's
    grants = granted() | granted_at_home()[0]
    allowed = {(resource, verb) for (_, resource), verbs in grants.items() for verb in verbs}
    async with ApiServer(allowed).serving() as api:
        stage = Stage(api, tmp_path / "config.yaml")
        try:
            yield stage
        finally:
            await stage.close()
        assert [str(error) for _, error in api.refused if error.code in (403, 405, 422)] == []
