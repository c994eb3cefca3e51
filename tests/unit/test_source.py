"""`spec.source` and what it adds to a pod."""

from __future__ import annotations

from typing import Any

import pytest

from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import layout, plan
from imagebuild.core.source import source

URL = "https://git.example.com/a.git"


def part_of(written: Any) -> Any:
    return source(ImageBuildSpec.model_validate({"output": {"discard": True}, **written}))


@pytest.mark.parametrize(
    ("git", "wanted"),
    [
        pytest.param({}, plan.GitSource(url=URL), id="no revision: the remote's HEAD"),
        pytest.param({"branch": "a/b"}, plan.GitSource(url=URL, branch="a/b"), id="a branch"),
        pytest.param({"tag": "v1"}, plan.GitSource(url=URL, ref="refs/tags/v1"), id="a tag is a ref"),
        pytest.param({"ref": "refs/pull/7/head"}, plan.GitSource(url=URL, ref="refs/pull/7/head"), id="any ref"),
        pytest.param({"ref": "refs/heads/a/b"}, plan.GitSource(url=URL, branch="a/b"), id="a ref that is a branch"),
        pytest.param(
            {"branch": "main", "commit": "0" * 40},
            plan.GitSource(url=URL, branch="main", commit="0" * 40),
            id="a commit is built, and the branch still names the cache",
        ),
    ],
)
def test_a_git_source_says_what_the_runner_fetches(git: dict[str, str], wanted: plan.GitSource) -> None:
    part = part_of({"source": {"git": {"url": URL, **git}}})
    assert part.plan == {"git": wanted}
    assert (part.volumes, part.mounts, part.args) == ((), (), ())


def test_a_secret_for_git_is_mounted_by_name_and_may_be_missing() -> None:
    git = {"url": URL, "secretRef": {"name": "login"}, "submodules": True, "keepGitDir": True}
    part = part_of({"source": {"git": git}})
    mount = plan.Mount(name="login", path="/run/imagebuild/source-secrets/source")
    assert part.plan == {"git": plan.GitSource(url=URL, secret=mount, submodules=True, keep_git_dir=True)}
    assert part.volumes == (
        {"name": "source-secret", "secret": {"secretName": "login", "optional": True, "defaultMode": 0o444}},
    )
    assert part.mounts == ({"name": "source-secret", "mountPath": mount.path, "readOnly": True},)


def test_an_archive_has_its_checksum_and_its_secret() -> None:
    url, checksum = "https://a.io/a.tgz", f"sha256:{'0' * 64}"
    part = part_of({"source": {"http": {"url": url, "checksum": checksum, "secretRef": {"name": "login"}}}})
    mount = plan.Mount(name="login", path="/run/imagebuild/source-secrets/source")
    assert part.plan == {"http": plan.HttpSource(url=url, checksum=checksum, secret=mount)}
    assert [entry["name"] for entry in part.volumes] == ["source-secret"]


def test_an_artifact_has_the_registrys_credentials() -> None:
    part = part_of({"source": {"oci": {"image": "r.io/a:1"}}})
    assert part.plan == {"oci": plan.OciSource(image="r.io/a:1")}
    assert part.volumes == ()


def test_a_claim_is_read_only_for_the_volume_and_the_container() -> None:
    part = part_of({"source": {"volume": {"claimName": "data"}}})
    assert part.plan == {"volume": plan.Mount(name="data", path=layout.SOURCE_DIR)}
    assert part.volumes == ({"name": "source", "persistentVolumeClaim": {"claimName": "data", "readOnly": True}},)
    assert part.mounts == ({"name": "source", "mountPath": layout.SOURCE_DIR, "readOnly": True},)


def test_a_config_map_is_mounted_read_only_and_may_be_missing() -> None:
    part = part_of({"source": {"configMap": {"name": "context"}}})
    assert part.plan == {"directory": plan.Mount(name="context", path=layout.SOURCE_DIR)}
    assert part.volumes == ({"name": "source", "configMap": {"name": "context", "optional": True}},)
    assert part.mounts == ({"name": "source", "mountPath": layout.SOURCE_DIR, "readOnly": True},)


def test_a_path_is_the_context_inside_of_any_source() -> None:
    assert part_of({"source": {"path": "services/api"}}).plan == {"path": "services/api"}


@pytest.mark.parametrize("written", [pytest.param({}, id="no source"), pytest.param({"source": {}}, id="an empty one")])
def test_without_a_source_the_context_is_empty(written: dict[str, Any]) -> None:
    assert part_of(written).plan == {}
