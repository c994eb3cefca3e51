"""Mirrors of the operator's configuration, asked for an OCI artifact before its registry is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from imagebuild.contract.plan import Registry
from runner.conftest import serve
from runner.pod import Pod
from runner.test_archives import archive
from runner.test_artifacts import Handler, Store, plan, source
from runner.test_artifacts import host as host  # noqa: PLC0414  a fixture
from runner.test_artifacts import store as store  # noqa: PLC0414  a fixture


class Broken(Handler):
    """`cut`: half of each layer; `other`: nothing of what is asked for; `dead`: no word."""

    asked: list[str]

    def do_GET(self) -> None:  # noqa: N802
        self.asked.append(self.path)
        if "/cut/" in self.path and "/blobs/" in self.path:
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"half of it")
            self.close_connection = True
        elif "/other/" in self.path:
            self.send_error(404)
        elif "/dead/" in self.path:
            self.close_connection = True
        else:
            super().do_GET()


@pytest.mark.parametrize(
    ("mirrors", "asked"),
    [
        pytest.param(["fine"], ["fine", "fine"], id="one that has it"),
        pytest.param(
            ["other", "fine"], ["other", "fine", "other", "fine"], id="the second one, where the first has not"
        ),
        pytest.param(["other"], ["other", "other"], id="none has it"),
        pytest.param(["cut"], ["cut", "cut"], id="a layer breaks off"),
        pytest.param(["dead"], ["dead"], id="no answer, which would take as long again for each layer"),
    ],
)
def test_mirrors_are_asked_first_and_the_registry_for_what_they_do_not_give(
    pod: Pod, store: Store, host: str, *, mirrors: list[str], asked: list[str]
) -> None:
    store.artifact(store.blob(archive(file="content")))
    seen: list[str] = []
    for mirror in serve(type("Mirror", (Broken,), {"store": store, "asked": seen})):
        elsewhere = Registry(host=mirror, http=True)
        mirrored = Registry(host=host, http=True, mirrors=tuple(f"{mirror}/{path}" for path in mirrors))
        _, log, code = pod.run(replace(plan(host), registries=(elsewhere, mirrored)))
    assert (code, source(pod)["file"]) == (0, "content"), log
    assert seen[0] == f"/v2/{mirrors[0]}/app/manifests/1?ns={host}"
    assert [path.split("/")[2] for path in seen] == asked
