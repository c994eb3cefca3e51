"""From a command line to an ImageBuild: each flag, each kind of source, and what is said about a wrong one."""

from __future__ import annotations

from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from imagebuild.api.imagebuild import parse
from imagebuild.cli import arguments, sources, spec
from imagebuild.cli.__main__ import main_group
from imagebuild.cli.sources import Directory, Remote
from make import build_document

GIT = "https://git.example.com/shop.git"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
IMAGE = "registry.example.com/team/shop:1"


def created(*words: str, stdin: str | None = None) -> dict[str, Any]:
    """What `create --dry-run` prints."""
    done = CliRunner().invoke(main_group, ["create", *words, "--dry-run"], input=stdin, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    document = yaml.safe_load(done.stdout)
    assert isinstance(document, dict)
    return document


def refused(*words: str) -> str:
    done = CliRunner().invoke(main_group, ["create", *words, "--dry-run"], input="")
    assert done.exit_code != 0
    return done.output


@pytest.mark.parametrize(
    ("text", "source"),
    [
        pytest.param(GIT, {"git": {"url": GIT}}, id="git"),
        pytest.param(f"{GIT}#dev", {"git": {"url": GIT, "branch": "dev"}}, id="git with a branch"),
        pytest.param(f"{GIT}#{COMMIT}", {"git": {"url": GIT, "commit": COMMIT}}, id="git with a commit"),
        pytest.param(f"{GIT}#refs/tags/v1", {"git": {"url": GIT, "tag": "v1"}}, id="git with a tag"),
        pytest.param(f"{GIT}#refs/pull/7/head", {"git": {"url": GIT, "ref": "refs/pull/7/head"}}, id="git with a ref"),
        pytest.param(
            f"{GIT}#dev:api", {"git": {"url": GIT, "branch": "dev"}, "path": "api"}, id="git with a directory"
        ),
        pytest.param(f"{GIT}#:api", {"git": {"url": GIT}, "path": "api"}, id="git with a directory alone"),
        pytest.param("git@host:a/b.git", {"git": {"url": "git@host:a/b.git"}}, id="git over ssh, short"),
        pytest.param("ssh://git@host/b.git", {"git": {"url": "ssh://git@host/b.git"}}, id="git over ssh"),
        pytest.param("https://h/x.tar.gz", {"http": {"url": "https://h/x.tar.gz"}}, id="an archive"),
        pytest.param(
            "https://h/x.tgz#sha256:ab",
            {"http": {"url": "https://h/x.tgz", "checksum": "sha256:ab"}},
            id="with checksum",
        ),
        pytest.param("oci://r.io/a:1", {"oci": {"image": "r.io/a:1"}}, id="an artifact"),
    ],
)
def test_a_source_is_read_as_buildx_reads_it(text: str, source: dict[str, Any]) -> None:
    assert sources.read(text, lambda _: False) == Remote(source)


@pytest.mark.parametrize("text", [".", "dir://."])
def test_what_is_a_directory_is_taken_for_one(text: str) -> None:
    assert sources.read(text, lambda path: path == ".") == Directory(".")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("./nowhere", "is no directory"),
        ("https://alice:s3cret@git.example.com/shop.git", "--source-secret"),
        ("git://git.example.com/shop.git", "https:// or ssh://"),
    ],
)
def test_a_source_that_cannot_be_is_told_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(click.BadParameter, match=told):
        sources.read(text, lambda _: False)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        pytest.param(["--branch", "b"], {"source": {"git": {"url": GIT, "branch": "b"}}}, id="branch"),
        pytest.param(["--git-tag", "v1"], {"source": {"git": {"url": GIT, "tag": "v1"}}}, id="git tag"),
        pytest.param(["--ref", "refs/x"], {"source": {"git": {"url": GIT, "ref": "refs/x"}}}, id="ref"),
        pytest.param(["--commit", COMMIT], {"source": {"git": {"url": GIT, "commit": COMMIT}}}, id="commit"),
        pytest.param(
            ["--source-secret", "s"], {"source": {"git": {"url": GIT, "secretRef": {"name": "s"}}}}, id="source secret"
        ),
        pytest.param(["--path", "api"], {"source": {"git": {"url": GIT}, "path": "api"}}, id="path"),
        pytest.param(["-f", "api/Dockerfile"], {"dockerfile": {"path": "api/Dockerfile"}}, id="file"),
        pytest.param(["--target", "t"], {"dockerfile": {"target": "t"}}, id="target"),
        pytest.param(["--build-arg", "A=b=c", "--build-arg", "E="], {"args": {"A": "b=c", "E": ""}}, id="args"),
        pytest.param(
            ["--secret", "id=npm,secret=n,key=k"],
            {"secrets": [{"id": "npm", "secretKeyRef": {"name": "n", "key": "k"}}]},
            id="secret",
        ),
        pytest.param(["--ssh", "default=k"], {"ssh": [{"id": "default", "secretRef": {"name": "k"}}]}, id="ssh"),
        pytest.param(
            ["--build-context", "a=libs", "--build-context", "b=docker-image://r.io/b:1"],
            {"contexts": [{"name": "a", "path": "libs"}, {"name": "b", "image": "r.io/b:1"}]},
            id="contexts",
        ),
        pytest.param(["--platform", "linux/arm64"], {"platforms": ["linux/arm64"]}, id="platform"),
        pytest.param(["--label", "a=b"], {"output": {"images": [IMAGE], "labels": {"a": "b"}}}, id="label"),
        pytest.param(
            ["--annotation", "a=b"], {"output": {"images": [IMAGE], "annotations": {"a": "b"}}}, id="annotation"
        ),
        pytest.param(["-t", "r.io/b:2"], {"output": {"images": [IMAGE, "r.io/b:2"]}}, id="a second image"),
        pytest.param(["--if-exists", "reuse"], {"output": {"images": [IMAGE], "ifExists": "Reuse"}}, id="if exists"),
        pytest.param(["--provenance", "max"], {"output": {"images": [IMAGE], "provenance": "Max"}}, id="provenance"),
        pytest.param(["--archive"], {"archive": {"enabled": True}}, id="archive"),
        pytest.param(["--sbom"], {"output": {"images": [IMAGE], "sbom": True}}, id="sbom"),
        pytest.param(["--no-cache"], {"cache": {"noCache": True}}, id="no cache"),
        pytest.param(["--no-cache-filter", "a"], {"cache": {"noCacheStages": ["a"]}}, id="no cache for a stage"),
        pytest.param(
            ["--cache-from", "r.io/c:1"], {"cache": {"import": [{"registry": {"ref": "r.io/c:1"}}]}}, id="from"
        ),
        pytest.param(
            ["--cache-to", "type=registry,ref=r.io/c:1,mode=max"],
            {"cache": {"export": [{"registry": {"ref": "r.io/c:1"}, "mode": "Max"}]}},
            id="cache to",
        ),
        pytest.param(
            ["--registry-secret", "a", "--registry-secret", "b=r.io/x"],
            {"registrySecrets": [{"name": "a"}, {"name": "b", "registry": "r.io/x"}]},
            id="registry secrets",
        ),
        pytest.param(["--timeout", "5m"], {"timeouts": {"build": "5m"}}, id="timeout"),
        pytest.param(["--ttl", "1h"], {"ttlAfterFinished": "1h"}, id="ttl"),
        pytest.param(["--push"], {}, id="push, as builds do anyway"),
    ],
)
def test_a_flag_is_a_field_that_the_operator_reads(words: list[str], wanted: dict[str, Any]) -> None:
    document = created(GIT, "-t", IMAGE, *words)
    plain = {"source": {"git": {"url": GIT}}, "output": {"images": [IMAGE]}, "ttlAfterFinished": "24h"}
    assert document["spec"] == {**plain, **wanted}
    read = parse(build_document(document["spec"]))
    assert (read.problem, read.unknown_fields) == ("", ())


def test_a_dockerfile_can_come_by_standard_input() -> None:
    wanted = created("-f", "-", "--discard", stdin="FROM scratch\n")["spec"]
    assert wanted == {
        "dockerfile": {"inline": "FROM scratch\n"},
        "output": {"discard": True},
        "ttlAfterFinished": "24h",
    }


def test_a_dockerfile_of_this_machine_needs_no_source(tmp_path: Any) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\n")
    assert created("-f", str(file), "--discard")["spec"]["dockerfile"] == {"inline": "FROM scratch\n"}
    assert "there is no file" in refused("-f", str(tmp_path / "nowhere"), "--discard")


def test_a_build_argument_without_a_value_has_that_of_the_shell() -> None:
    assert arguments.build_arg("V", {"V": "1"}) == ("V", "1")
    with pytest.raises(click.BadParameter, match="the environment has no V"):
        arguments.build_arg("V", {})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([GIT], "Say where the image goes"),
        (["-t", IMAGE], "Say what to build"),
        ([GIT, "-t", IMAGE, "--secret", "id=npm,src=.npmrc"], "kubectl create secret generic npm"),
        ([GIT, "-t", IMAGE, "--secret", "id=npm"], "id=ID,secret=NAME"),
        ([GIT, "-t", IMAGE, "--secret", "id=npm,secret=n,kee=k"], "there is no kee="),
        ([GIT, "-t", IMAGE, "--ssh", "default"], "ssh-auth"),
        ([GIT, "-t", IMAGE, "--cache-from", "type=gha"], "type=registry"),
        ([GIT, "-t", IMAGE, "--label", "a"], "NAME=VALUE"),
        ([GIT, "-t", IMAGE, "--spec", "/nowhere.yaml"], "/nowhere.yaml cannot be read: No such file or directory"),
    ],
)
def test_a_wrong_command_line_is_told_what_would_be_right(words: list[str], told: str) -> None:
    assert told in " ".join(refused(*words).split())


def test_a_file_with_another_object_is_called_that(tmp_path: Any) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("{apiVersion: v1, kind: Pod, metadata: {name: shop}}")
    assert "is a Pod: give an ImageBuild, or its spec" in " ".join(refused("--spec", str(file)).split())


def test_a_field_of_a_file_that_there_is_not_is_named_where_what_it_may_have_meant_is_missing(tmp_path: Any) -> None:
    file = tmp_path / "build.yaml"
    file.write_text(yaml.safe_dump({"sorce": {"git": {"url": GIT}}, "output": {"images": [IMAGE], "lables": {}}}))
    told = " ".join(refused("--spec", str(file)).split())
    assert "Say what to build" in told
    assert "There is no field spec.output.lables or spec.sorce." in told


def test_flags_win_over_a_file_field_by_field(tmp_path: Any) -> None:
    file = tmp_path / "build.yaml"
    file.write_text(
        yaml.safe_dump(
            {
                "kind": "ImageBuild",
                "metadata": {"name": "shop", "labels": {"team": "a"}, "uid": "x"},
                "spec": {
                    "source": {"http": {"url": "https://h/x.tgz"}, "path": "x"},
                    "args": {"A": "1", "B": "1"},
                    "output": {"images": ["r.io/other:1"], "labels": {"a": "b"}},
                    "retryLimit": 1,
                },
            }
        )
    )
    assert created(GIT, "-t", IMAGE, "--build-arg", "B=2", "--spec", str(file)) == {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": "shop", "labels": {"team": "a"}},
        "spec": {
            "source": {"git": {"url": GIT}},
            "args": {"A": "1", "B": "2"},
            "output": {"images": [IMAGE], "labels": {"a": "b"}},
            "retryLimit": 1,
        },
    }


def test_flags_of_git_add_to_the_source_of_a_file(tmp_path: Any) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(yaml.safe_dump({"source": {"git": {"url": GIT}, "path": "x"}, "output": {"discard": True}}))
    source = created("--spec", str(file), "--branch", "b")["spec"]["source"]
    assert source == {"git": {"url": GIT, "branch": "b"}, "path": "x"}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ({"output": {"images": ["registry.example.com:5000/team/My_Shop:{commit}"]}}, "my-shop-x"),
        ({"output": {"images": ["r.io/{branch}"]}}, "branch-x"),
        ({"source": {"git": {"url": GIT}}, "output": {"discard": True}}, "shop-x"),
        ({"output": {"discard": True}}, "build-x"),
        ({"output": {"images": ["r.io/" + "a" * 80]}}, "a" * 50 + "-x"),
    ],
)
def test_a_build_without_a_name_is_called_after_what_it_makes(written: dict[str, Any], name: str) -> None:
    assert spec.name_for(written, "x") == name


def test_names_are_given_or_begin_as_told_or_are_new_each_time() -> None:
    named = created(GIT, "-t", IMAGE, "--name", "a")
    assert named["metadata"] == {"name": "a"}
    assert "ttlAfterFinished" not in named["spec"], "what has a name is kept"
    assert created(GIT, "-t", IMAGE, "--generate-name", "ci-")["metadata"]["name"].startswith("ci-")
    first, second = (created(GIT, "-t", IMAGE)["metadata"]["name"] for _ in range(2))
    assert first.startswith("shop-")
    assert first != second
