"""A local directory, pushed to real registries with the user's own login, and built from there."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.story import Story
from imagebuild.cli.upload import Progress, UploadError, push_directory
from testbed import registry
from testbed.place import Place

pytestmark = [pytest.mark.cluster, pytest.mark.thorough]

CHECK = """\
FROM busybox:1.37
COPY . /src
RUN test -x /src/run && test ! -x /src/d/message && test ! -e /src/ignored && grep {word} /src/d/message
RUN test "$(readlink /src/d/link)" = ../run && test "$(readlink /src/python)" = /usr/bin/python3
RUN test "$(stat -c %u:%g /src/run)" = 0:0 && test "$(stat -c %Y /src/run)" -gt 1700000000
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    root = tmp_path / "directory"
    (root / "d").mkdir(parents=True)
    (root / "run").write_text("#!/bin/sh\n")
    (root / "run").chmod(0o755)
    (root / "d/link").symlink_to("../run")
    (root / "python").symlink_to("/usr/bin/python3")
    (root / "ignored").write_bytes(noise(1 << 20))
    (root / ".dockerignore").write_text("Docker*\nignored\n")
    for number in range(30):
        (root / f"d/noise{number:02}").write_bytes(noise(500_000, number))
    return root


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def say(root: Path, word: str) -> None:
    (root / "d/message").write_text(word)
    (root / "Dockerfile").write_text(CHECK.format(word=word))


def home(place: Place, directory: Path) -> dict[str, str]:
    """Of a user who has logged in to the private registry, and told docker of its authority."""
    certificates = directory / ".config/docker/certs.d" / place.private_registry
    certificates.mkdir(parents=True)
    (certificates / "ca.crt").write_text(place.authorities)
    (directory / ".docker").mkdir()
    (directory / ".docker/config.json").write_text(registry.docker_config(place))
    return {"HOME": str(directory)}


@pytest.mark.parametrize("private", [False, True], ids=["plain HTTP", "TLS and a password"])
def test_a_directory_becomes_an_image_and_only_what_changes_is_sent_again(
    story: Story, directory: Path, tmp_path: Path, private: bool
) -> None:
    image = story.private_image() if private else story.image()
    story.kubectl.apply(registry.login_secret(story.place, "pull"))
    seen: list[Progress] = []
    environ = home(story.place, tmp_path / "home")
    sent: list[int] = []
    for run, word in enumerate(("hello", "again"), start=1):
        say(directory, word)
        source = push_directory(
            directory, image.rpartition(":")[0], progress=seen.append, plain_http=not private, environ=environ
        )
        spec: dict[str, Any] = {"source": {"oci": {"image": source}}, "registrySecrets": [{"name": "pull"}]}
        story.apply({**spec, "output": {"images": [image]}})
        status = story.succeeds(run=run)
        assert registry.manifest(story.place, f"{image.rpartition(':')[0]}@{status['output']['digest']}") is not None
        sent.append(seen[-1].sent)
    assert seen[-1].reused > 0
    assert sent[1] < sent[0] / 2, "the one archive that has changed"


class Cutting:
    """In front of a registry: after so many bytes on the way there connections are cut, as often as is said."""

    def __init__(self, target: str, after: int, times: int) -> None:
        host, _, port = target.partition(":")
        self.target, self.after, self.times = (host, int(port)), after, times
        self.passed = 0

    @contextmanager
    def serve(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()
            yield f"127.0.0.1:{server.getsockname()[1]}"

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            there = socket.create_connection(self.target)
            threading.Thread(target=self._copy, args=(client, there, True), daemon=True).start()
            threading.Thread(target=self._copy, args=(there, client, False), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(1 << 16):
                if counted and self.times and self.passed > self.after:
                    self.times -= 1
                    break
                self.passed += len(data) if counted else 0
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with end:
                pass


@pytest.fixture
def large(tmp_path: Path) -> Path:
    root = tmp_path / "large"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "large").write_bytes(noise(40 << 20))
    return root


def test_an_upload_that_breaks_off_goes_on_where_the_registry_has_got_to(story: Story, large: Path) -> None:
    cutting = Cutting(story.place.registry, after=20 << 20, times=1)
    repository = story.image().partition("/")[2].rpartition(":")[0]
    with cutting.serve() as host:
        source = push_directory(large, f"{host}/{repository}")
    digest = source.rpartition("@")[2]
    found = registry.manifest(story.place, f"{story.place.registry}/{repository}@{digest}")
    assert found is not None
    whole = sum(layer["size"] for layer in found[1]["layers"])
    assert cutting.times == 0
    assert whole <= cutting.passed < whole + (17 << 20)


def test_a_push_that_was_given_up_goes_on_the_next_time(story: Story, directory: Path) -> None:
    say(directory, "hello")
    (directory / "zz").write_bytes(noise(17 << 20))
    cutting = Cutting(story.place.registry, after=8 << 20, times=10_000)
    repository = story.image().partition("/")[2].rpartition(":")[0]
    seen: list[Progress] = []
    with cutting.serve() as host:
        with pytest.raises(UploadError, match="cannot be reached"):
            push_directory(directory, f"{host}/{repository}", sleep=lambda _: None)
        cutting.times = 0
        push_directory(directory, f"{host}/{repository}", progress=seen.append)
    assert seen[-1].reused > 1_000_000
    assert seen[-1].sent < seen[-1].total - 1_000_000


def test_a_wrong_password_is_said_to_be_one(story: Story, directory: Path, tmp_path: Path) -> None:
    environ = home(story.place, tmp_path / "home")
    config = tmp_path / "home/.docker/config.json"
    config.write_text(registry.docker_config(story.place, "wrong"))
    with pytest.raises(UploadError, match=r"answers 401 .*: log in with `docker login"):
        push_directory(directory, story.private_image().rpartition(":")[0], environ=environ)


def test_an_authority_that_nobody_knows_is_said_to_be_so(story: Story, directory: Path, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="certificate is not trusted"):
        push_directory(directory, story.private_image().rpartition(":")[0], environ={"HOME": str(tmp_path)})


def test_a_registry_without_tls_is_said_to_be_one(story: Story, directory: Path, tmp_path: Path) -> None:
    with pytest.raises(UploadError, match="answers without TLS: if that is meant, say --source-plain-http"):
        push_directory(directory, story.image().rpartition(":")[0], environ={"HOME": str(tmp_path)})
