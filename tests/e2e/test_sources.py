"""Contexts that do not come from git: each from a real server or volume, and what BuildKit makes of them."""

from __future__ import annotations

import base64
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Repository
from e2e.story import Story
from e2e.test_private_git import secret
from localcluster import gobuild, pins, places
from testbed import registry

pytestmark = pytest.mark.cluster

DISCARD: dict[str, Any] = {"output": {"discard": True}}
CHECK = "FROM busybox:1.37\nCOPY . /src\nRUN grep hello /src/message && test ! -e /src/ignored\n"
FILES = {"top/Dockerfile": CHECK, "top/message": "hello", "top/.dockerignore": "ignored\n", "top/ignored": "not this"}


def packed(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


def artifact(story: Story, files: dict[str, str]) -> str:
    """In the private registry, as `flux push artifact` makes one."""
    image, content = story.private_image("source"), packed(files)
    repository = image.rpartition(":")[0]
    config = {"mediaType": "application/vnd.cncf.flux.config.v1+json", "size": 2}
    layer = {"mediaType": "application/vnd.cncf.flux.content.v1.tar+gzip", "size": len(content)}
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {**config, "digest": registry.upload(story.place, repository, b"{}")},
        "layers": [{**layer, "digest": registry.upload(story.place, repository, content)}],
    }
    registry.tag(story.place, image, document)
    return image


def archive_url(story: Story, files: dict[str, str]) -> tuple[str, str]:
    """A file behind TLS of the private authority and a password, and its checksum: a blob of the private registry."""
    place, repository = story.place, story.private_image().rpartition(":")[0]
    digest = registry.upload(place, repository, packed(files))
    host, _, name = repository.partition("/")
    return f"https://{host}/v2/{name}/blobs/{digest}", digest


def test_an_archive_is_built_behind_a_password_and_a_certificate_authority_of_ones_own(story: Story) -> None:
    url, checksum = archive_url(story, FILES)
    story.kubectl.apply(secret("login", username=story.place.user, password=story.place.password))
    http = {"url": url, "checksum": checksum, "secretRef": {"name": "login"}}
    story.apply({"source": {"http": http, "path": "top"}, **DISCARD})
    story.succeeds()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"secretRef": None}, "SourceUnauthorized", id="no password"),
        pytest.param({"checksum": f"sha256:{'0' * 64}"}, "ChecksumMismatch", id="another archive than was meant"),
    ],
)
def test_an_archive_that_is_not_to_be_had_is_named(story: Story, changed: dict[str, Any], reason: str) -> None:
    url, checksum = archive_url(story, FILES)
    story.kubectl.apply(secret("login", username=story.place.user, password=story.place.password))
    http = {"url": url, "checksum": checksum, "secretRef": {"name": "login"}, **changed}
    given = {key: value for key, value in http.items() if value is not None}
    story.apply({"source": {"http": given, "path": "top"}, **DISCARD})
    assert url in story.fails(reason)["message"]


def test_an_artifact_is_built_with_the_registrys_credentials(story: Story) -> None:
    image = artifact(story, FILES)
    story.kubectl.apply(registry.login_secret(story.place, "pull"))
    story.apply({"source": {"oci": {"image": image}, "path": "top"}, "registrySecrets": [{"name": "pull"}], **DISCARD})
    story.succeeds()


def test_what_oras_pushes_is_a_source(story: Story, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / "src" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / name).write_text(text)
    oras, image = gobuild.binary(pins.load(), places.find().cache, "oras"), story.image("source")
    words = (oras, "push", "--plain-http", image, "src/top")
    subprocess.run(words, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    story.apply({"source": {"oci": {"image": image}, "path": "src/top"}, **DISCARD})
    story.succeeds()


@pytest.mark.parametrize("compression", ["Gzip", "Zstd"])
def test_an_image_of_our_own_is_a_source(story: Story, compression: str) -> None:
    inner = "FROM busybox:1.37\nCOPY message /\nRUN grep hello /message"
    files = f"FROM scratch\nCOPY <<END /Dockerfile\n{inner}\nEND\nCOPY <<END /message\nhello\nEND\n"
    output = {"images": [story.image()], "compression": {"type": compression}}
    story.apply(story.inline(files, output=output), name="base")
    digest = story.succeeds("base")["output"]["digest"]
    story.apply({"source": {"oci": {"image": f"{story.image()}@{digest}"}}, **DISCARD}, name="app")
    story.succeeds()


def test_an_image_behind_the_operators_mirror_is_a_source(story: Story) -> None:
    """Where docker.io cannot be reached the mirror is the only one that has it."""
    dockerfile = 'FROM scratch\nCOPY bin/busybox /bin/busybox\nRUN ["/bin/busybox", "true"]\n'
    story.apply({"source": {"oci": {"image": "busybox:1.37"}}, "dockerfile": {"inline": dockerfile}, **DISCARD})
    story.succeeds()


CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
}


def fill(story: Story) -> None:
    """A pod that writes FILES into the claim."""
    script = (
        "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|gz').extractall('/data', filter='data')"
    )
    archive = base64.b64encode(packed(FILES)).decode()
    story.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "filler"},
            "spec": {
                "restartPolicy": "Never",
                "securityContext": {"runAsUser": 0},  # whom the directory of a host-path volume belongs to
                "containers": [
                    {
                        "name": "filler",
                        "image": story.place.builder_image,
                        "command": ["sh", "-c", f'echo {archive} | base64 -d | python3 -c "{script}"'],
                        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                    }
                ],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            },
        }
    )
    story.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/filler", "--timeout=120s", timeout=130)


@pytest.mark.parametrize("suffix", ["-rootless", "-userns"])
def test_a_claim_is_a_source_in_each_isolation_mode(story: Story, suffix: str) -> None:
    story.kubectl.apply(CLAIM)
    fill(story)
    story.apply({"source": {"volume": {"claimName": "data"}, "path": "top"}, **DISCARD})
    story.succeeds()


def test_a_claim_that_does_not_exist_is_named_and_waited_for(story: Story) -> None:
    story.apply({"source": {"volume": {"claimName": "data"}}, "dockerfile": {"inline": "FROM scratch"}, **DISCARD})
    waiting = story.reaches(reason="ClaimMissing")
    assert (waiting["phase"], "data" in waiting["message"]) == ("Pending", True)
    story.kubectl.apply(CLAIM)
    story.succeeds()


def test_contexts_are_what_the_dockerfile_calls_them(story: Story, repository: Repository) -> None:
    """From the same checkout, an artifact, an archive, another commit of git, and an image instead of another."""
    old = repository.commit({"message": "old"})
    check = (
        "FROM nothing/here:1 AS base\nCOPY --from=shared . /shared\nCOPY --from=artifact . /artifact\n"
        "COPY --from=archive . /archive\nCOPY --from=before message /before\n"
        "RUN grep hello /shared/message && test ! -e /shared/ignored && grep hello /artifact/message"
        " && test ! -e /artifact/ignored && grep hello /archive/top/message && grep old /before\n"
    )
    shared = {"libs/shared/message": "hello", "libs/shared/.dockerignore": "ignored\n", "libs/shared/ignored": "x"}
    repository.commit({"message": "new", "app/Dockerfile": check, **shared})
    url, checksum = archive_url(story, FILES)
    story.kubectl.apply(
        secret("login", username=story.place.user, password=story.place.password),
        registry.login_secret(story.place, "pull"),
    )
    contexts = [
        {"name": "shared", "path": "libs/shared"},
        {"name": "artifact", "oci": {"image": artifact(story, FILES)}, "path": "top"},
        {"name": "archive", "http": {"url": url, "checksum": checksum, "secretRef": {"name": "login"}}},
        {"name": "before", "git": {"url": repository.url, "branch": "main", "commit": old}},
        {"name": "nothing/here:1", "image": "busybox:1.37"},
    ]
    source = {"git": {"url": repository.url, "branch": "main"}, "path": "app"}
    story.apply({"source": source, "contexts": contexts, "registrySecrets": [{"name": "pull"}], **DISCARD})
    story.succeeds()


def test_dockerignore_counts_in_a_git_repository(story: Story, repository: Repository) -> None:
    repository.commit(FILES)
    story.apply({"source": {"git": {"url": repository.url}, "path": "top"}, **DISCARD})
    story.succeeds()


def test_with_reuse_a_config_map_that_has_changed_is_built(story: Story) -> None:
    def build(content: str) -> dict[str, Any]:
        data = {"Dockerfile": "FROM busybox:1.37\nCOPY file /\n", "file": content}
        story.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "context"}, "data": data})
        output = {"images": [story.image()], "ifExists": "Reuse"}
        story.apply({"source": {"configMap": {"name": "context"}}, "output": output})
        status = story.succeeds()
        story.kubectl("delete", "imagebuild", "app")
        return status

    built = build("1")
    again = build("1")
    assert (again["reason"], again["output"]["digest"]) == ("AlreadyBuilt", built["output"]["digest"])
    changed = build("2")
    assert changed["reason"] == "Built"
    assert changed["output"]["digest"] != built["output"]["digest"]
