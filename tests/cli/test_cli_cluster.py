"""The requests of the command line, against a server that answers as told: who asks for what, and what becomes of faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.config import kube_config

from cli.cliserver import Api, kubeconfig
from imagebuild.cli.cluster import Cluster
from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import ApiError, PodRefusedError, Problem

BUILDS = "/apis/imagebuild.dev/v1alpha1/namespaces/team-a/imagebuilds"


@pytest.mark.parametrize(
    ("context", "namespace", "found"),
    [(None, None, "team-a"), ("two", None, "default"), ("two", "team-b", "team-b"), (None, "team-b", "team-b")],
)
def test_the_namespace_is_the_contexts_unless_one_is_named(
    context: str | None, namespace: str | None, found: str, tmp_path: Path
) -> None:
    assert Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:1"), context, namespace).namespace == found


def test_a_context_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no context three") as raised:
        Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:1"), "three", None)
    assert raised.value.next_step == "There are: one, two."


def test_a_kubeconfig_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for file in ("nowhere", "empty"):
        with pytest.raises(Problem, match="No cluster is named"):
            Cluster.connect(str(tmp_path / file), None, None)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: b: c", id="no YAML"),
        pytest.param("hello", id="a word"),
        pytest.param("[1, 2]", id="a list"),
        pytest.param("contexts: [one]\ncurrent-context: one", id="contexts that are words"),
        pytest.param("contexts: [{name: one}]\ncurrent-context: one", id="a context of nothing"),
        pytest.param("\xff", id="no text"),
    ],
)
@pytest.mark.parametrize("named", [True, False], ids=["by --kubeconfig", "by KUBECONFIG"])
def test_a_file_that_is_no_kubeconfig_is_named(
    text: str, named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_bytes(text.encode("latin-1"))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", "/nowhere" if named else str(file))
    with pytest.raises(Problem) as raised:
        Cluster.connect(str(file) if named else None, None, None)
    assert str(file) in raised.value.message
    assert raised.value.exit_code == Exit.CONFIGURATION


def test_a_context_needs_no_user(api: Api, tmp_path: Path) -> None:
    """That of `kubectl proxy`, which logs in itself."""
    file = Path(kubeconfig(tmp_path, api.url))
    document = yaml.safe_load(file.read_text())
    del document["contexts"][0]["context"]["user"], document["users"]
    file.write_text(yaml.safe_dump(document))
    api.answers[f"{BUILDS}/shop"] = (200, {"ok": 1})
    assert Cluster.connect(str(file), None, None).build("shop") == {"ok": 1}
    assert api.kinds[-1][1] is None


def test_a_kubeconfig_that_acts_as_somebody_else_is_refused_by_name(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "http://127.0.0.1:1", **{"token": "t", "as": "jane"})
    with pytest.raises(Problem, match="user u acts as jane"):
        Cluster.connect(file, None, None)


def test_an_exec_plugin_gives_the_token(api: Api, tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    token = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "by-exec"}}
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(token)}'\n")
    plugin.chmod(0o755)
    asks = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    api.answers[f"{BUILDS}/shop"] = (200, {})
    Cluster.connect(kubeconfig(tmp_path, api.url, exec=asks), None, None).build("shop")
    assert api.kinds[-1][1] == "Bearer by-exec"


def test_all_pages_of_a_list_are_read(api: Api, cluster: Cluster) -> None:
    pages = iter([{"metadata": {"continue": "more"}, "items": [{"a": 1}]}, {"metadata": {}, "items": [{"a": 2}]}])
    api.answers["/apis/imagebuild.dev/v1alpha1/imagebuilds"] = (200, pages)
    assert cluster.builds(None) == [{"a": 1}, {"a": 2}]
    assert [query.get("continue") for _, _, query, _ in api.asked] == [None, "more"]


def test_each_request_says_what_it_is(api: Api, cluster: Cluster) -> None:
    api.answers |= {BUILDS: (201, {}), f"{BUILDS}/shop": (200, {"ok": 1})}
    document = {"metadata": {"name": "shop"}}
    cluster.create(document)
    cluster.create(document, dry_run=True)
    cluster.patch("shop", {"spec": {"suspend": True}})
    assert cluster.build("shop") == {"ok": 1}
    assert api.asked == [
        ("POST", BUILDS, {"fieldValidation": "Strict"}, document),
        ("POST", BUILDS, {"fieldValidation": "Strict", "dryRun": "All"}, document),
        ("PATCH", f"{BUILDS}/shop", {}, {"spec": {"suspend": True}}),
        ("GET", f"{BUILDS}/shop", {}, None),
    ]
    kinds = [kind for kind, _ in api.kinds]
    assert kinds[2] == "application/merge-patch+json"
    assert {token for _, token in api.kinds} == {"Bearer t0ken"}


MINE, THEIRS = {"spec": {"a": 1}}, {"spec": {"a": 2}}


@pytest.mark.parametrize(
    ("codes", "there", "code"),
    [
        pytest.param([503, 201], MINE, 0, id="not taken at first"),
        pytest.param([503, 409], MINE, 0, id="taken, though the answer was lost"),
        pytest.param([503, 409], THEIRS, 409, id="somebody else's has the name"),
        pytest.param([409], MINE, 409, id="it was there before"),
        pytest.param([503, 503, 503], MINE, 503, id="given up"),
        pytest.param([403], MINE, 403, id="forbidden"),
    ],
)
def test_a_build_is_made_once_though_it_is_sent_again(
    codes: list[int], there: dict[str, Any], code: int, api: Api, cluster: Cluster
) -> None:
    answers = iter((status, {"details": {}, **MINE}) for status in codes)
    api.answers |= {BUILDS: (0, answers), f"{BUILDS}/shop": (200, there)}
    document = {"metadata": {"name": "shop"}, **MINE}
    if code:
        with pytest.raises(ApiError) as raised:
            cluster.create(document, sleep=lambda _: None)
        assert raised.value.status == code
    else:
        assert cluster.create(document, sleep=lambda _: None)["spec"] == MINE["spec"]
    assert next(answers, None) is None


def test_a_watch_is_of_one_build_and_gives_its_events(api: Api, cluster: Cluster) -> None:
    events = [{"type": "MODIFIED", "object": {"a": number}} for number in range(2)]
    api.answers[BUILDS] = (200, "".join(json.dumps(event) + "\n" for event in events))
    assert list(cluster.watch("shop", "7")) == [("MODIFIED", {"a": 0}), ("MODIFIED", {"a": 1})]
    _, _, query, _ = api.asked[-1]
    assert query.pop("timeoutSeconds").isdecimal()
    assert query == {"watch": "true", "fieldSelector": "metadata.name=shop", "resourceVersion": "7"}


def test_a_version_that_is_too_old_is_told_by_its_code(api: Api, cluster: Cluster) -> None:
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
    api.answers[BUILDS] = (200, json.dumps(gone) + "\n")
    with pytest.raises(ApiError) as raised:
        list(cluster.watch("shop", "7"))
    assert raised.value.status == 410


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"type": "MODIFIED", "obj', id="the half of an event"),
        pytest.param("upstream is away\n", id="no JSON"),
        pytest.param('{"kind": "Status"}\n', id="another document"),
        pytest.param("[]\n", id="no object"),
        pytest.param('{"type": "MODIFIED", "object": []}\n', id="of no object"),
        pytest.param('{"type": "ERROR", "object": "no"}\n', id="an error that is none"),
    ],
)
def test_what_is_no_event_is_no_answer_and_so_asked_for_again(text: str, api: Api, cluster: Cluster) -> None:
    api.answers[BUILDS] = (200, text)
    with pytest.raises(ApiError, match="does not answer") as raised:
        list(cluster.watch("shop", "7"))
    assert (raised.value.status, raised.value.exit_code) == (0, Exit.INFRASTRUCTURE)


LOG = "/api/v1/namespaces/team-a/pods/shop-1/log"


def test_a_log_is_lines_with_their_ends(api: Api, cluster: Cluster) -> None:
    api.answers[LOG] = (200, "one\ntwo\nthree")
    found = list(cluster.log("shop-1", "build", since="2026-11-24T12:00:00Z", follow=True))
    assert found == [b"one\n", b"two\n", b"three"]
    query = {"container": "build", "timestamps": "true", "sinceTime": "2026-11-24T12:00:00Z", "follow": "true"}
    assert api.asked[-1][2] == query


def test_a_stream_that_breaks_is_no_answer_and_gives_no_half_of_a_line(api: Api, cluster: Cluster) -> None:
    api.answers[LOG] = (200, "one\nhalf")
    found: list[bytes] = []
    with pytest.raises(ApiError) as raised:
        found.extend(cluster.log("shop-1", "build", since=None, follow=True))
    assert (found, raised.value.status, raised.value.exit_code) == ([b"one\n"], 0, Exit.INFRASTRUCTURE)


def test_a_cluster_without_the_resource_is_told_how_to_get_it(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match=r"imagebuild\.dev is not installed"):
        cluster.builds("team-a")


def test_a_server_that_is_not_there_is_infrastructure(tmp_path: Path) -> None:
    away = Cluster.connect(kubeconfig(tmp_path, "http://127.0.0.1:1"), None, None)
    with pytest.raises(ApiError, match=r"http://127\.0\.0\.1:1 does not answer: .*refused") as raised:
        away.build("shop")
    assert (raised.value.status, raised.value.exit_code) == (0, Exit.INFRASTRUCTURE)


@pytest.mark.parametrize(("code", "raises"), [(404, True), (403, False), (200, False)])
def test_a_namespace_that_is_missing_is_said_where_that_can_be_known(
    code: int, raises: bool, api: Api, cluster: Cluster
) -> None:
    api.answers["/api/v1/namespaces/team-a"] = (code, {"details": {"kind": "namespaces", "name": "team-a"}})
    if raises:
        with pytest.raises(ApiError, match="There is no namespace team-a"):
            cluster.check_namespace()
    else:
        cluster.check_namespace()


PODS = "/api/v1/namespaces/team-a/pods"


def test_a_pod_is_made_and_deleted_with_the_time_it_has_to_end(api: Api, cluster: Cluster) -> None:
    document = {"metadata": {"name": "probe"}}
    api.answers = {PODS: (201, {"metadata": {"uid": "u"}}), f"{PODS}/probe": (200, {})}
    assert cluster.create_pod(document)["metadata"]["uid"] == "u"
    cluster.delete_pod("probe", grace=2)
    assert api.asked == [
        ("POST", PODS, {}, document),
        ("DELETE", f"{PODS}/probe", {"gracePeriodSeconds": "2"}, None),
    ]


@pytest.mark.parametrize(
    ("code", "message", "kind", "said"),
    [
        (403, 'pods "x" is forbidden: violates PodSecurity "restricted"', PodRefusedError, "violates PodSecurity"),
        (422, 'Pod "x" is invalid', PodRefusedError, "is invalid"),
        (403, 'pods is forbidden: User "u" cannot create resource "pods"', ApiError, "You may not create pods"),
        (503, "etcd is away", ApiError, "cannot answer just now"),
    ],
)
def test_a_pod_that_admission_refuses_is_told_from_one_that_its_user_may_not_make(
    api: Api, cluster: Cluster, *, code: int, message: str, kind: type[ApiError], said: str
) -> None:
    api.answers = {PODS: (code, {"message": message})}
    with pytest.raises(ApiError, match=said) as refused:
        cluster.create_pod({"metadata": {"name": "x"}})
    assert type(refused.value) is kind
