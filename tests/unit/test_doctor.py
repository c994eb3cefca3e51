"""`imagebuild doctor`: which nodes it looks at, how its pods come and go, and what it says in the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

import make
from imagebuild.api.config import Isolation, OperatorConfig
from imagebuild.cli.doctor import examine, report
from imagebuild.cli.doctor.advice import Looked, advise
from imagebuild.cli.doctor.configured import builder, configuration
from imagebuild.cli.doctor.judge import Judgement, Verdict
from imagebuild.cli.doctor.looking import _LOOK_EVERY_SECONDS
from imagebuild.cli.doctor.nodes import Node, NodeClass, classes, node
from imagebuild.cli.doctor.pods import DOCTOR, Probe, effective, manifest
from imagebuild.cli.exits import Exit
from imagebuild.cli.problem import ApiError, PodRefusedError, Problem
from imagebuild.contract import probe
from imagebuild.contract.probe import Facts
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import BuildResult, Essentials, dump

USERNS, MASKED, ROOTLESS = Isolation
WORKS, FAILS, UNKNOWN = Verdict.WORKS, Verdict.FAILS, Verdict.UNKNOWN
INFO = {"osImage": "Ubuntu 24.04.1 LTS", "kernelVersion": "6.8.0", "operatingSystem": "linux", "architecture": "amd64"}
READY = {"type": "Ready", "status": "True"}
TAINT = {"key": "gpu", "effect": "NoSchedule"}
SYSTEM = "/api/v1/namespaces/imagebuild-system"
DEPLOYMENT = "/apis/apps/v1/namespaces/imagebuild-system/deployments/imagebuild-operator"
VOLUMES = {"spec": {"template": {"spec": {"volumes": [{"configMap": {"name": "imagebuild-operator-c"}}]}}}}


def node_document(name: str, ready: bool = True, pool: str = "", **more: Any) -> dict[str, Any]:
    info = {**INFO, **more.pop("info", {})}
    labels = {"eks.amazonaws.com/nodegroup": pool} if pool else {}
    conditions = [READY if ready else {**READY, "status": "Unknown"}]
    status = {"nodeInfo": info, "conditions": conditions, "allocatable": {"memory": "16Gi"}}
    return {"metadata": {"name": name, "labels": labels}, "spec": more, "status": status}


def chosen(*documents: Mapping[str, Any], tainted: bool = False) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    found = classes(node(each, tainted=tainted) for each in documents)
    return [(each.chosen.name, *each.names) for each in found.found], found.left_out


def test_nodes_that_are_alike_are_one_class_and_the_first_that_takes_pods_is_looked_at() -> None:
    old = {"kubeletVersion": "v1.30.0"}
    documents = [node_document("b"), node_document("a", ready=False), node_document("c", info=old), node_document("d", pool="x")]  # fmt: skip
    assert chosen(*documents) == ([("b", "a", "b"), ("c", "c"), ("d", "d")], ())


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (node_document("a", ready=False), "it is not ready"),
        (node_document("a", unschedulable=True), "it is cordoned"),
        (node_document("a", taints=[TAINT]), "it has the taint gpu:NoSchedule"),
        (node_document("a", info={"operatingSystem": "windows"}), "it runs windows"),
    ],
)
def test_a_class_without_a_node_that_takes_pods_is_left_out_with_the_reason(document: Any, why: str) -> None:
    assert chosen(document) == ([], (f"a: {why}",))


def test_taints_may_be_asked_to_count_for_nothing_and_soft_ones_never_do() -> None:
    soft = node_document("a", taints=[{**TAINT, "effect": "PreferNoSchedule"}])
    assert chosen(soft)[1] == ()
    assert chosen(node_document("a", taints=[TAINT]), tainted=True)[1] == ()


PROBE = Probe(name="d", namespace="n", mode=USERNS, node="a", patience=60)


def test_a_probe_is_a_build_pod_that_nobody_takes_for_one() -> None:
    client = {"registries": [{"host": "r.io", "clientCertificate": {"name": "mine"}}], "proxy": {"http": "http://p:1"}}
    config = make.make_config(**client, namespaces=[{"match": "n", "isolation": "Rootless"}], seccompProfile="x.json")
    made = manifest(PROBE, effective(config, "n"))
    (container,) = made["spec"]["containers"]
    assert made["metadata"]["labels"]["app.kubernetes.io/managed-by"] == DOCTOR
    assert not any("imagebuild.dev" in key for key in made["metadata"]["labels"])
    assert "ownerReferences" not in made["metadata"]
    assert made["spec"]["hostUsers"] is False
    assert made["spec"]["activeDeadlineSeconds"] == 90
    assert container["securityContext"]["seccompProfile"]["localhostProfile"] == "x.json"
    assert tuple(container["command"]) == probe.COMMAND
    assert "secret" not in json.dumps(made["spec"]["volumes"])
    assert "tolerations" not in made["spec"]
    assert manifest(Probe(name="d", namespace="n", mode=ROOTLESS, patience=1), config)["spec"].get("affinity") is None


def test_a_probe_has_the_runtime_class_of_builds_that_are_not_trusted() -> None:
    policy = {"match": "n", "trust": "Untrusted", "untrusted": {"runtimeClassName": "kata"}}
    made = manifest(PROBE, effective(make.make_config(namespaces=[policy]), "n"))
    assert made["spec"]["runtimeClassName"] == "kata"


def looked(number: int, *verdicts: Verdict, pool: str = "") -> Looked:
    judgements = tuple(
        Judgement(mode=mode, verdict=verdict, checks=()) for mode, verdict in zip(Isolation, verdicts, strict=True)
    )
    return Looked(number=number, nodes=NodeClass(chosen=Node(name="a", pool=pool)), judgements=judgements)


ADVICE = [
    ("all works", [(WORKS, WORKS, WORKS)] * 2, ROOTLESS, USERNS, Exit.OK, "Set isolation: Userns"),
    ("as it is", [(WORKS, WORKS, WORKS)], USERNS, USERNS, Exit.OK, "Leave it at isolation: Userns"),
    ("weaker", [(FAILS, WORKS, WORKS), (FAILS, FAILS, WORKS)], MASKED, ROOTLESS, Exit.CONFIGURATION, "UsernsMasked, the mode in force, does not work on class 2."),
    ("two modes", [(WORKS, WORKS, WORKS), (FAILS, FAILS, WORKS)], ROOTLESS, ROOTLESS, Exit.OK, "Class 1 can run Userns. For builds that are to have it: namespaces: "),
    ("none", [(FAILS, FAILS, FAILS)], ROOTLESS, None, Exit.CONFIGURATION, "No mode works on all classes"),
    ("unknown", [(UNKNOWN, UNKNOWN, UNKNOWN)], ROOTLESS, None, Exit.INFRASTRUCTURE, "Whether Rootless, the mode in force, works on class 1 is not known."),
    ("one unknown", [(WORKS, WORKS, WORKS), (UNKNOWN,) * 3], USERNS, USERNS, Exit.INFRASTRUCTURE, "all classes of which anything is known"),
    ("no classes", [], ROOTLESS, None, Exit.INFRASTRUCTURE, "There is no node that takes pods."),
]  # fmt: skip


@pytest.mark.parametrize(("verdicts", "configured", "best", "code", "said"), [row[1:] for row in ADVICE], ids=[row[0] for row in ADVICE])  # fmt: skip
def test_the_strongest_mode_of_all_classes_is_recommended_and_the_one_in_force_is_the_exit_code(
    verdicts: list[Any], configured: Isolation, best: Isolation | None, code: Exit, said: str
) -> None:
    found = advise([looked(number, *each) for number, each in enumerate(verdicts, 1)], configured)
    assert (found.isolation, found.exit_code) == (best, code)
    assert said in "\n".join(found.lines)


def test_nothing_more_is_said_where_all_classes_run_the_same() -> None:
    assert len(advise([looked(1, WORKS, WORKS, WORKS), looked(2, WORKS, WORKS, WORKS)], ROOTLESS).lines) == 1


@pytest.mark.parametrize(("verdict", "said"), [(WORKS, "Userns works on all classes."), (FAILS, "Userns does not work on class 1.")])  # fmt: skip
def test_one_mode_alone_is_no_ground_for_a_recommendation(verdict: Verdict, said: str) -> None:
    assert advise([looked(1, verdict, UNKNOWN, UNKNOWN)], USERNS, tried=[USERNS]).lines == (said,)


def test_two_modes_are_had_by_a_policy_and_the_label_of_the_pool() -> None:
    classes = [
        looked(1, WORKS, WORKS, WORKS, pool="eks.amazonaws.com/nodegroup=builds"),
        looked(2, FAILS, FAILS, WORKS),
    ]
    told = "\n".join(advise(classes, ROOTLESS, {"team-*": USERNS}).lines)
    assert "spec.pod.nodeSelector {eks.amazonaws.com/nodegroup: builds}" in told
    assert "namespaces[team-*] has Userns, which does not work on class 2" in told


class Server:
    """Nodes, the operator's configuration, and pods that end as told."""

    namespace = "n"

    def __init__(self, ends: Mapping[str, Any] | None = None, answers: Mapping[str, Any] | None = None) -> None:
        self.now = 0.0
        self.pods: dict[str, Any] = {}
        self.deleted: list[tuple[str, int]] = []
        self.ends = {"userns": built(), "usernsmasked": built(), "rootless": built(), **(ends or {})}
        self.answers = {"/api/v1/nodes": {"items": [node_document("a")]}, **(answers or {})}

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        return self.now

    def create_pod(self, document: Mapping[str, Any]) -> dict[str, Any]:
        name = document["metadata"]["name"]
        end = self.ends[name.rpartition("-")[2]]
        if isinstance(end, BaseException):
            raise end
        self.pods[name] = {**make.pod_document(status=end), "spec": {"nodeName": "a"}}
        return {"metadata": {"uid": name}}

    def delete_pod(self, name: str, *, grace: int) -> None:
        self.deleted.append((name, grace))
        if self.pods.pop(name, None) is None:
            raise ApiError(404, "gone")

    def read(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        if path.startswith("/api/v1/namespaces/n/pods/"):
            return self._pod(path.rpartition("/")[2])
        found = self.answers.get(path, 403)
        if isinstance(found, int):
            raise ApiError(found, "refused")
        return dict(found)

    def rules(self, namespace: str) -> dict[str, Any]:
        return {}

    def _pod(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.pods[name]
        if "raises" in found["status"]:
            raise found["status"]["raises"]
        return found


def built(**facts: Any) -> dict[str, Any]:
    seen = Facts(kernel="6.8.0", uid_map="0 65536 65536", **facts)
    message = dump(BuildResult(essentials=Essentials(reason=Reason.BUILT))) + "\n" + probe.dump(seen)
    return make.ended(message, code=0, startTime="2026-01-01T12:00:00Z")


def examined(server: Server, only: str | None = None, patience: float = 30) -> examine.Examined:
    wanted = examine.Wanted(namespace="n", config=make.make_config(), only=only, patience=patience)
    return examine.examine(server, wanted, "x", lambda _: None, clock=server.clock, sleep=server.sleep)


def verdicts(found: examine.Examined) -> list[Verdict]:
    return [each.verdict for each in found.looked[0].judgements]


def test_one_pod_of_each_mode_runs_and_none_stays() -> None:
    server = Server()
    found = examined(server)
    assert verdicts(found) == [WORKS, WORKS, WORKS]
    assert found.advice.exit_code is Exit.OK
    assert [name for name, _ in server.deleted] == [f"{DOCTOR}-x-1-{mode.lower()}" for mode in Isolation]
    assert server.pods == {}


@pytest.mark.parametrize(
    ("end", "verdict", "grace", "within"),
    [
        pytest.param(make.waiting("CreateContainerError", "seccomp"), FAILS, 0, 10, id="what it is stuck in is not waited for"),
        pytest.param({"phase": "Pending"}, UNKNOWN, 0, 31, id="one that never starts is waited for as long as said"),
        pytest.param({**make.running(), "startTime": "2026-01-01T12:00:00Z"}, UNKNOWN, 2, 31, id="one that never ends, too"),
        pytest.param({"raises": ApiError(0, "away", code=Exit.INFRASTRUCTURE)}, UNKNOWN, 0, 31, id="a server that does not answer is waited for"),
        pytest.param({"raises": ApiError(404, "gone")}, UNKNOWN, 0, 1, id="one that somebody deletes is over"),
    ],
)  # fmt: skip
def test_a_pod_that_does_not_end_well_is_deleted_too(end: Any, verdict: Verdict, grace: int, within: float) -> None:
    server = Server({"rootless": end})
    found = examined(server, only="Rootless")
    assert verdicts(found) == [verdict]
    assert [seconds for _, seconds in server.deleted] == [grace]
    assert server.pods == {}
    assert server.now <= within + _LOOK_EVERY_SECONDS


def test_a_pod_that_admission_refuses_is_a_finding_and_the_others_go_on() -> None:
    found = examined(Server({"userns": PodRefusedError(403, 'violates PodSecurity "baseline:v1.30": procMount')}))
    assert verdicts(found) == [FAILS, WORKS, WORKS]


def test_a_namespace_that_has_just_been_made_is_waited_for() -> None:
    server = Server({"rootless": PodRefusedError(403, "error looking up service account n/default")})
    assert verdicts(examined(server, only="Rootless")) == [FAILS]
    assert server.now >= 8


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), ApiError(403, "You may not get pods")], ids=["Ctrl-C", "a right that is missing"])  # fmt: skip
def test_whatever_ends_it_leaves_no_pod(interruption: BaseException) -> None:
    server = Server({"userns": {"raises": interruption}})
    with pytest.raises(type(interruption)):
        examined(server)
    assert (server.pods, len(server.deleted)) == ({}, 1)


def test_who_may_not_list_nodes_is_told_and_has_one_looked_at() -> None:
    found = examined(Server(answers={"/api/v1/nodes": 403}))
    assert [each.nodes.chosen.name for each in found.looked] == [""]
    assert verdicts(found) == [WORKS, WORKS, WORKS]
    assert "Nodes may not be listed" in found.notes[0]


def test_a_cluster_without_a_node_for_pods_is_an_error_that_names_them() -> None:
    with pytest.raises(Problem, match="a: it is cordoned"):
        examined(Server(answers={"/api/v1/nodes": {"items": [node_document("a", unschedulable=True)]}}))


def test_the_configuration_is_the_operators_with_what_the_command_line_says() -> None:
    text = json.dumps({"builder": {"image": "r/b:1"}, "isolation": "Userns"})
    server = Server(
        answers={DEPLOYMENT: VOLUMES, f"{SYSTEM}/configmaps/imagebuild-operator-c": {"data": {"config.yaml": text}}}
    )
    config, note = configuration(server, "imagebuild-system", builder=None, seccomp_profile="p.json")
    assert (config.isolation, config.builder.image, config.seccomp_profile, note) == (USERNS, "r/b:1", "p.json", "")


@pytest.mark.parametrize(("answer", "said"), [(403, "may not read"), (404, "There is no"), ('{"no": 1}', "cannot read"), (":\n- ]", "not YAML")])  # fmt: skip
def test_a_configuration_that_is_not_known_needs_the_builder_image_only(answer: Any, said: str) -> None:
    read = {"data": {"config.yaml": answer}} if isinstance(answer, str) else answer
    server = Server(answers={DEPLOYMENT: VOLUMES, f"{SYSTEM}/configmaps/imagebuild-operator-c": read})
    with pytest.raises(Problem, match=said):
        configuration(server, "imagebuild-system", builder=None)
    config, note = configuration(server, "imagebuild-system", builder=builder("r/b:2"))
    assert config == OperatorConfig.model_validate({"builder": {"image": "r/b:2"}})
    assert said in note


def test_a_table_has_a_column_for_each_mode_and_each_fix_once() -> None:
    found = examined(Server({"rootless": make.waiting("CreateContainerError", "no seccomp")}))
    text = list(report.lines(found.looked, found.left_out, found.advice))
    assert text[0] == "class 1: a"
    assert "  check                   Userns   UsernsMasked   Rootless   seen" in text
    assert "  seccomp profile         ok       ok             not ok     no seccomp" in text
    assert "  unmasked /proc          ok" in text
    assert "  seccomp profile: not ok (Rootless): no seccomp" in text
    assert sum("kubectl apply -k manifests/seccomp" in line for line in text) == 1
    document = report.document(found.looked, (), found.advice, "Rootless", ["note"])
    assert json.loads(json.dumps(document))["classes"][0]["strongest"] == "Userns"
