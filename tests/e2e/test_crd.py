"""The CRD on a real API server: what it takes, what it refuses, and the sentence that a person reads then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed.kubectl import Kubectl, KubectlError
from testbed.place import ROOT

pytestmark = pytest.mark.cluster

GIT: dict[str, Any] = {"url": "https://git.example.com/a/b.git"}
IMAGES: dict[str, Any] = {"images": ["registry.example.com/a/b:1"]}
S3 = {"bucket": "caches", "region": "eu-central-1", "endpointURL": "http://s3.tools:9000", "usePathStyle": True}
ANTI = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "x"}}}


def spec(**fields: Any) -> dict[str, Any]:
    return {"output": IMAGES, **fields}


@pytest.fixture
def default(operator: None, kubectl: Kubectl) -> Kubectl:
    """Dry runs leave nothing behind, so all rows share a namespace."""
    return kubectl.within("default")


def dry_run(kubectl: Kubectl, written: dict[str, Any], *words: str) -> None:
    document = {
        "apiVersion": "imagebuild.dev/v1alpha1",
        "kind": "ImageBuild",
        "metadata": {"name": "app"},
        "spec": written,
    }
    kubectl.create(document, "--dry-run=server", *words)


GOOD = {
    "the shortest": spec(source={"git": GIT}),
    "no source at all": spec(dockerfile={"inline": "FROM scratch"}),
    "a branch with a slash, and a commit": spec(source={"git": {**GIT, "branch": "feature/a-1", "commit": "a" * 40}}),
    "a tag of one package of many": spec(source={"git": {**GIT, "tag": "@shop/cart@1.2.0"}}),
    "a full ref": spec(source={"git": {**GIT, "ref": "refs/pull/7/head"}}),
    "a git server in the cluster": spec(source={"git": {"url": "http://git.tools:8080/a.git"}}),
    "a password for git, and all of it": spec(
        source={"git": {**GIT, "secretRef": {"name": "git"}, "submodules": True, "keepGitDir": True}}
    ),
    "git over ssh": spec(source={"git": {"url": "ssh://git@host.example:22/a/b.git", "secretRef": {"name": "key"}}}),
    "git as scp writes it": spec(source={"git": {"url": "git@host.example:a/b.git", "secretRef": {"name": "key"}}}),
    "an archive": spec(
        source={"http": {"url": "https://a.io/a.tgz?x=1", "checksum": "sha256:" + "0" * 64, "secretRef": {"name": "a"}}}
    ),
    "an artifact by digest": spec(source={"oci": {"image": "r.io:5000/a/b:1@sha256:" + "0" * 64}}),
    "a claim": spec(source={"volume": {"claimName": "data"}, "path": "a"}),
    "contexts of every kind": spec(
        contexts=[
            {"name": "shared", "path": "libs/shared"},
            {"name": "docker.io/library/alpine:3", "image": "r.io/alpine:3"},
            {"name": "a", "git": GIT, "path": "b"},
            {"name": "b", "http": {"url": "https://a.io/a.tgz"}},
            {"name": "c", "oci": {"image": "r.io/a:1"}},
        ]
    ),
    "a path with dots that are no way out": spec(source={"git": GIT, "path": "a/..b/c..d"}),
    "every placeholder": spec(
        source={"git": GIT}, output={"images": ["r.io/a/b:{branch}-{shortCommit}-r{run}", "r.io:5000/a:{commit}"]}
    ),
    "the number of the run, without git": {"output": {"images": ["r.io/a:{run}"]}},
    "an image of Docker Hub, and of a registry here": {
        "output": {"images": ["docker.io/library/app", "localhost/a:1"]}
    },
    "nothing kept": {"output": {"discard": True}},
    "quantities as numbers and as text": spec(pod={"resources": {"requests": {"cpu": 1, "memory": "1.5Gi"}}}),
    "a span of several units": spec(timeouts={"build": "1h30m"}),
    "an image with labels, annotations and a level": {
        "output": {
            **IMAGES,
            "labels": {"Team": "a\n,b", "org.example/x": ""},
            "annotations": {"org.opencontainers.image.title": '$(X) "ü"'},
            "compression": {"type": "Zstd", "level": 19},
        }
    },
    "an image that reads the Dockerfile": spec(dockerfile={"frontend": "docker/dockerfile:1"}),
    "labels of a commit": {
        "source": {"git": GIT},
        "output": {**IMAGES, "labels": {"a": "{commit} {sha}"}, "annotations": {"a": '{"b": {branch}}'}},
    },
    "labels of a run, and other braces": {"output": {**IMAGES, "labels": {"a": '{run} {"b": {}} {sha}'}}},
    "the time of the commit": {"source": {"git": GIT}, "output": {**IMAGES, "sourceDateEpoch": "Commit"}},
    "a time as a number": {"output": {**IMAGES, "sourceDateEpoch": 0}},
    "a time as text": {"output": {**IMAGES, "sourceDateEpoch": "1767225600"}},
    "a platform with a variant": spec(platforms=["linux/arm/v7"]),
    "secrets and keys": spec(
        secrets=[{"id": "GIT_AUTH_TOKEN.git.example.com:8443", "secretKeyRef": {"name": "a", "key": ".npmrc"}}],
        ssh=[{"id": "default", "secretRef": {"name": "a"}}],
    ),
    "everything of a pod": spec(
        pod={
            "tolerations": [{"key": "a.example.com/b", "operator": "Exists", "effect": "NoExecute"}],
            "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [ANTI]}},
            "serviceAccountName": "builder",
            "priorityClassName": "high",
            "runtimeClassName": "kata",
            "labels": {"kueue.x-k8s.io/queue-name": "team_a.1", "team": ""},
            "annotations": {"example.com/a": "anything, 'at all'"},
        }
    ),
    "every place of a cache": spec(
        cache={
            "import": [{"registry": {"ref": "r.io/a/b:c"}}, {"s3": S3}, {"local": {"claimName": "a", "path": "b"}}],
            "export": [{"azblob": {"accountURL": "https://a.example.com"}}, {"inline": {}}, {"s3": S3, "mode": "Min"}],
            "s3Credentials": {"name": "a"},
            "noCacheStages": ["test"],
        }
    ),
    "a cache volume": spec(cache={"volume": {"claimName": "a"}}),
    "a template of cache volumes": spec(
        cache={"volume": {"template": {"size": "20Gi", "storageClassName": "fast", "key": "Any word, ü"}}}
    ),
    "a log that is archived": spec(archive={"enabled": True}),
    "a build that is not trusted": spec(source={"git": GIT}, trust="Untrusted"),
    "a login for a path of a registry": spec(registrySecrets=[{"name": "a", "registry": "r.io:5000/team/a"}]),
    "arguments with anything in them": spec(args={"A_1": "$(X) \n 'ü' \" , =", "_": ""}),
}

BAD = {
    "an archive without a word": (spec(archive={}), "spec.archive.enabled: Required value"),
    "an archive of one's own choice": (
        spec(archive={"enabled": True, "repository": "r.io/mine"}),
        'unknown field "spec.archive.repository"',
    ),
    "trust that a spec cannot give": (spec(trust="Trusted"), 'spec.trust: Unsupported value: "Trusted"'),
    "two sources": (
        spec(source={"git": GIT, "configMap": {"name": "a"}}),
        "give one source: git, http, oci, configMap or volume",
    ),
    "neither images nor discard": ({"output": {}}, "say where the image goes: give images, or discard: true"),
    "images and discard": ({"output": {**IMAGES, "discard": True}}, "say where the image goes"),
    "no output": ({"source": {"git": GIT}}, "spec.output: Required value"),
    "a way out of the source": (spec(source={"git": GIT, "path": "a/../../b"}), "'..' is not allowed"),
    "a way out of the context": (spec(dockerfile={"path": "../Dockerfile"}), "'..' is not allowed"),
    "an absolute path": (spec(source={"git": GIT, "path": "/etc"}), "must be relative"),
    "a Dockerfile twice": (spec(dockerfile={"path": "a", "inline": "FROM scratch"}), "give path or inline, not both"),
    "a branch and a tag": (spec(source={"git": {**GIT, "branch": "a", "tag": "b"}}), "give one of branch, tag and ref"),
    "a branch that git takes for an option": (
        spec(source={"git": {**GIT, "branch": "--upload-pack=x"}}),
        "must be a name that git accepts",
    ),
    "a ref that names nothing": (
        spec(source={"git": {**GIT, "ref": "refs/heads/"}}),
        "must be a name that git accepts",
    ),
    "a sign that git takes for HEAD": (spec(source={"git": {**GIT, "branch": "@"}}), "must be a name that git accepts"),
    "a short commit": (spec(source={"git": {**GIT, "commit": "abc1234"}}), "must be the full id: 40 or 64 hex digits"),
    "a password in the URL": (
        spec(source={"git": {"url": "https://me:secret@git.example.com/a.git"}}),
        "without name and password",
    ),
    "a transport that runs a program": (spec(source={"git": {"url": "ext::sh -c id"}}), "must be https://host/path"),
    "a file of the pod": (spec(source={"git": {"url": "file:///etc"}}), "must be https://host/path"),
    "git over ssh without a key": (
        spec(source={"git": {"url": "git@git.example.com:a/b.git"}}),
        "git over ssh needs secretRef: a Secret with ssh-privatekey and known_hosts",
    ),
    "a host that ssh takes for an option": (
        spec(source={"git": {"url": "ssh://-oProxyCommand=id/a", "secretRef": {"name": "key"}}}),
        "must be https://host/path",
    ),
    "a checksum of another kind": (
        spec(source={"http": {"url": "https://a.io/a.tgz", "checksum": "md5:0"}}),
        "must be sha256: and 64 hex digits",
    ),
    "an archive in the pod": (spec(source={"http": {"url": "file:///etc/a.tar"}}), "must be https://host/path"),
    "an artifact with a space": (
        spec(source={"oci": {"image": "r.io/a b"}}),
        "must be registry/repository:tag, or registry/repository@sha256:…",
    ),
    "a context that is nothing": (spec(contexts=[{"name": "a"}]), "give one of image, git, http and oci, or a path"),
    "a context that is two": (
        spec(contexts=[{"name": "a", "git": GIT, "image": "r.io/a"}]),
        "give one of image, git, http and oci, or a path",
    ),
    "a directory of an image": (spec(contexts=[{"name": "a", "image": "r.io/a", "path": "b"}]), "an image has no path"),
    "a context with a sign in its name": (spec(contexts=[{"name": "a=b", "path": "b"}]), "must be a word of"),
    "two contexts of one name": (
        spec(contexts=[{"name": "a", "path": "b"}, {"name": "a", "path": "c"}]),
        "Duplicate value",
    ),
    "an unknown placeholder": (
        {"output": {"images": ["r.io/a:{sha}"]}},
        "may hold the placeholders {commit}, {shortCommit}, {branch} and {run}, and no others",
    ),
    "an image with a digest": (
        {"output": {"images": ["r.io/a@sha256:" + "0" * 64]}},
        "must be registry/repository:tag",
    ),
    "an image of no registry": ({"output": {"images": ["alice/app:1"]}}, "docker.io/alice/app:1"),
    "the name of an image alone": ({"output": {"images": ["app:1"]}}, "must begin with the host of a registry"),
    "a branch that there is not": (
        {"output": {"images": ["r.io/a:{branch}"]}},
        "{commit}, {shortCommit} and {branch} need a source from git",
    ),
    "an image with a comma": ({"output": {"images": ["r.io/a:1,push=false"]}}, "must be registry/repository:tag"),
    "a repository in capitals": ({"output": {"images": ["r.io/App:1"]}}, "with lower-case letters"),
    "a cache repository with a tag": (
        spec(cache={"branch": {"repository": "r.io/a:1"}}),
        "must be registry/repository, without tag and digest",
    ),
    "an argument's name with a space": (spec(args={"A B": "c"}), "a name of an argument has letters, digits and '_'"),
    "a secret's id with a comma": (
        spec(secrets=[{"id": "a,src=/etc/passwd", "secretKeyRef": {"name": "a", "key": "b"}}]),
        "an id has letters, digits, '_', '.', ':' and '-'",
    ),
    "a secret's key that is a path": (
        spec(secrets=[{"id": "a", "secretKeyRef": {"name": "a", "key": "../b"}}]),
        "must be a key of a Secret",
    ),
    "two secrets of one id": (
        spec(secrets=[{"id": "a", "secretKeyRef": {"name": "a", "key": key}} for key in "bc"]),
        'spec.secrets[1]: Duplicate value: {"id":"a"}',
    ),
    "a key without a Secret": (spec(ssh=[{"id": "default"}]), "spec.ssh[0].secretRef: Required value"),
    "a label with a sign that would end its name": (
        {"output": {**IMAGES, "labels": {"a=b": "c"}}},
        "a name of a label has letters, digits",
    ),
    "an annotation in capitals": (
        {"output": {**IMAGES, "annotations": {"Title": "c"}}},
        "a name of an annotation has lower-case letters",
    ),
    "an annotation of ours": (
        {"output": {**IMAGES, "annotations": {"imagebuild.dev/inputs": "c"}}},
        "no imagebuild.dev/",
    ),
    "a level that gzip does not have": (
        {"output": {**IMAGES, "compression": {"type": "Gzip", "level": 10}}},
        "level is 0 to 9, of Zstd 0 to 22",
    ),
    "a level of nothing": (
        {"output": {**IMAGES, "compression": {"type": "Uncompressed", "level": 1}}},
        "Uncompressed has none",
    ),
    "a time that is none": (
        {"output": {**IMAGES, "sourceDateEpoch": "yesterday"}},
        "must be Commit, or the seconds since 1970",
    ),
    "a time before 1970": ({"output": {**IMAGES, "sourceDateEpoch": -1}}, "must be Commit, or the seconds since 1970"),
    "the time of a commit that there is not": (
        spec(output={**IMAGES, "sourceDateEpoch": "Commit"}, source={"configMap": {"name": "a"}}),
        "output.sourceDateEpoch: Commit needs a source from git",
    ),
    "a label of a commit that there is not": (
        {"output": {**IMAGES, "labels": {"a": "b", "c": "of {commit}"}}},
        "output.labels: {commit}, {shortCommit} and {branch} need a source from git",
    ),
    "an annotation of a branch that there is not": (
        spec(output={**IMAGES, "annotations": {"c": "{branch}"}}, source={"configMap": {"name": "a"}}),
        "output.annotations: {commit}, {shortCommit} and {branch} need a source from git",
    ),
    "a frontend with options": (
        spec(dockerfile={"frontend": "docker/dockerfile:1 --a"}),
        "must be registry/repository:tag",
    ),
    "two platforms": (
        spec(platforms=["linux/amd64", "linux/arm64"]),
        "give one platform: a build runs on one node, and several are not built yet",
    ),
    "a platform without a system": (spec(platforms=["arm64"]), "must be linux/architecture, such as linux/arm64"),
    "a platform with more in it": (spec(platforms=["linux/amd64,linux/arm64"]), "must be linux/architecture"),
    "no quantity": (spec(pod={"resources": {"limits": {"memory": "much"}}}), "must be a Kubernetes quantity"),
    "a label that is none": (spec(pod={"labels": {"a b": "c"}}), "must be keys of labels such as team"),
    "a value that no label has": (spec(pod={"labels": {"a": "-c"}}), "values of labels have letters, digits"),
    "an annotation that is none": (spec(pod={"annotations": {"/a": "c"}}), "must be keys of annotations"),
    "an effect that does not exist": (spec(pod={"tolerations": [{"effect": "Never"}]}), "Unsupported value"),
    "a misspelt word of an affinity": (
        spec(pod={"affinity": {"nodeAffinity": {"required": {}}}}),
        'unknown field "spec.pod.affinity.nodeAffinity.required"',
    ),
    "a login for a URL": (
        spec(registrySecrets=[{"name": "a", "registry": "https://r.io"}]),
        "must be host or host:port, perhaps with a path",
    ),
    "a cache from two places": (
        spec(cache={"import": [{"s3": S3, "local": {"claimName": "a"}}]}),
        "give one place to import from: registry, s3, azblob or local",
    ),
    "a cache for nowhere": (spec(cache={"export": [{"mode": "Max"}]}), "give one place to export to"),
    "a mode of an inline cache": (
        spec(cache={"export": [{"inline": {}, "mode": "Max"}]}),
        "an inline cache has neither mode nor compression of its own",
    ),
    "a cache ref without a tag": (
        spec(cache={"import": [{"registry": {"ref": "r.io/a"}}]}),
        "must be registry/repository:tag",
    ),
    "a password in the URL of a store": (
        spec(cache={"import": [{"s3": {**S3, "endpointURL": "https://a:b@s3.example.com"}}]}),
        "must be https://host without a password",
    ),
    "a way up in the URL of a store": (
        spec(cache={"import": [{"s3": {**S3, "endpointURL": "https://s3.example.com/team-a/../team-b"}}]}),
        "must not have '..'",
    ),
    "a bucket with a path": (spec(cache={"import": [{"s3": {**S3, "bucket": "a/b"}}]}), "must have letters, digits"),
    "a bucket with a comma": (spec(cache={"import": [{"s3": {**S3, "bucket": "a,b=c"}}]}), "must have letters, digits"),
    "a cache volume of neither kind": (spec(cache={"volume": {}}), "give claimName for a claim of yours, or template"),
    "a cache volume of both kinds": (
        spec(cache={"volume": {"claimName": "a", "template": {"size": "1Gi"}}}),
        "give claimName for a claim of yours, or template",
    ),
    "a cache volume of no size": (spec(cache={"volume": {"template": {}}}), "template.size: Required value"),
    "a cache volume of nothing": (
        spec(cache={"volume": {"template": {"size": 0}}}),
        "size must be more than nothing",
    ),
    "a cache volume of much": (
        spec(cache={"volume": {"template": {"size": "much"}}}),
        "must be a Kubernetes quantity such as 500m or 4Gi",
    ),
    "no cache twice": (spec(cache={"noCache": True, "noCacheStages": ["a"]}), "not both"),
    "a stage with a comma": (spec(cache={"noCacheStages": ["a,b"]}), "must be the name of a stage"),
    "no span": (spec(timeouts={"build": "soon"}), "must be a time span such as 90s, 30m or 2h"),
    "a span of nothing": (spec(timeouts={"build": "0s"}), "must be a time span such as 90s, 30m or 2h"),
    "a policy that does not exist": (spec(cache={"branch": {"import": "All"}}), "CurrentElseBase"),
    "a misspelt field": (spec(sources={}), 'unknown field "spec.sources"'),
}


@pytest.mark.parametrize("name", GOOD)
def test_the_api_server_takes(default: Kubectl, name: str) -> None:
    dry_run(default, GOOD[name], "--validate=strict")


@pytest.mark.parametrize("name", BAD)
def test_the_api_server_refuses_with_a_sentence(default: Kubectl, name: str) -> None:
    written, sentence = BAD[name]
    with pytest.raises(KubectlError) as refused:
        dry_run(default, written, "--validate=strict")
    assert sentence in str(refused.value)


def test_every_field_of_the_spec_is_explained(default: Kubectl) -> None:
    explained = default("explain", "imagebuild.spec", "--recursive")
    assert "registrySecrets" in explained
    assert "a change starts a new run" in " ".join(default("explain", "imagebuild.spec.source").split())


EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_api_server_takes_every_example(default: Kubectl, path: Path) -> None:
    default("create", "--dry-run=server", "--validate=strict", "-f", str(path))


def test_kubectl_shows_the_columns_that_people_look_for(default: Kubectl) -> None:
    (version,) = default.get("crd", "imagebuilds.imagebuild.dev")["spec"]["versions"]
    shown = [column["name"] for column in version["additionalPrinterColumns"] if not column.get("priority")]
    assert shown == ["Phase", "Reason", "Image", "Cached", "Duration", "Age"]
