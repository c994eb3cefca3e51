"""What clusters and nodes say where they cannot do an isolation mode, and the mode that is named then."""

from __future__ import annotations

from pathlib import Path

import pytest

import make
from imagebuild.api.config import Isolation
from imagebuild.contract import layout
from imagebuild.contract.reasons import Reason
from imagebuild.core.isolation import sandbox
from imagebuild.core.nextmode import naming
from imagebuild.core.observe import observe
from imagebuild.core.part import Manifest
from imagebuild.runner.isolation import check
from imagebuild.runner.problem import Problem

USERNS, MASKED, ROOTLESS = Isolation.USERNS, Isolation.USERNS_MASKED, Isolation.ROOTLESS
POD_SECURITY = (
    'pods "a" is forbidden: violates PodSecurity "baseline:v1.34": procMount (container "build" must not set '
    'securityContext.procMount to "Unmasked")'
)
IDMAP = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to "
    "start container process: error during container init: failed to set MOUNT_ATTR_IDMAP on /var/lib/kubelet/pods/1/volumes/"
    "kubernetes.io~nfs/cache: invalid argument (maybe the filesystem used doesn't support idmap mounts on this kernel?)"
)
POLICY = 'admission webhook "p.example.com" denied the request: spec.hostUsers must not be set'
FEATURES = "Pod was rejected: Pod requires node features that are not available: UserNamespacesHostNetworkSupport"
APPARMOR = "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host"
QUOTA = 'pods "a" is forbidden: exceeded quota: builds'


def spec(mode: Isolation) -> Manifest:
    box = sandbox(make.make_config(isolation=mode), "team-a")
    return {**box.pod, "containers": [{"name": layout.CONTAINER, "securityContext": box.container}]}


@pytest.mark.parametrize(
    ("message", "mode", "found"),
    [
        pytest.param(POD_SECURITY, USERNS, MASKED, id="Pod Security of a version before 1.35"),
        pytest.param(POLICY, USERNS, ROOTLESS, id="a policy against user namespaces"),
        pytest.param(POLICY, MASKED, ROOTLESS, id="the same with /proc masked"),
        pytest.param(IDMAP, USERNS, ROOTLESS, id="a file system without idmapped mounts"),
        pytest.param(IDMAP, MASKED, ROOTLESS, id="the same with /proc masked, which changes nothing"),
        pytest.param(FEATURES, MASKED, ROOTLESS, id="a kubelet without user namespaces"),
        pytest.param(POLICY, ROOTLESS, None, id="nothing follows the last one"),
        pytest.param(QUOTA, USERNS, None, id="another cause"),
    ],
)
def test_who_cannot_do_a_mode_is_told_the_next_one_that_would_do(
    message: str, mode: Isolation, found: Isolation | None
) -> None:
    told = naming(message, spec(mode), 1000)
    assert told.startswith(message)
    assert told.partition(" - ")[2] == (
        f"the isolation mode {mode} does not work here; the next one is {found}" if found else ""
    )


def test_a_long_message_gives_way_to_the_mode() -> None:
    told = naming("hostUsers " * 100, spec(USERNS), 200)
    assert len(told) == 200
    assert told.endswith("the next one is Rootless")


@pytest.mark.parametrize(
    ("status", "named"),
    [
        pytest.param(make.waiting("CreateContainerError", IDMAP), "the next one is Rootless", id="it cannot be made"),
        pytest.param(
            {"phase": "Failed", "reason": "PodFeatureUnsupported", "message": FEATURES},
            "the next one is Rootless",
            id="the kubelet does not take it",
        ),
        pytest.param({"phase": "Failed", "reason": "AppArmor", "message": APPARMOR}, APPARMOR, id="no AppArmor"),
    ],
)
def test_a_pod_that_its_node_does_not_take_waits_with_the_nodes_words(status: dict[str, object], named: str) -> None:
    seen = observe({**make.pod_document(status=status), "spec": spec(USERNS)})
    assert seen.reason is Reason.CONTAINER_NOT_STARTED
    assert named in seen.message


NODE, OWN = "         0          0 4294967295\n", "         0  327680      65536\n"
FRESH = "1 0 0:1 / /proc rw - proc proc rw\n"
HIDDEN = FRESH + "2 1 0:5 /null /proc/kcore rw - tmpfs tmpfs rw\n3 1 0:1 /sys /proc/sys ro - proc proc rw\n"
STOCK = "user:100000:65536\n"


@pytest.mark.parametrize(
    ("pod", "sandboxed", "said"),
    [
        pytest.param((layout.SUB_IDS_IN_POD, OWN, FRESH), True, "", id="Userns as it is to be"),
        pytest.param((layout.SUB_IDS_IN_POD, OWN, HIDDEN), False, "", id="UsernsMasked as it is to be"),
        pytest.param((STOCK, NODE, HIDDEN), False, "", id="Rootless as it is to be"),
        pytest.param(
            (layout.SUB_IDS_IN_POD, NODE, HIDDEN), False, "next isolation mode is Rootless", id="no namespace"
        ),
        pytest.param((layout.SUB_IDS_IN_POD, OWN, HIDDEN), True, "next isolation mode is UsernsMasked", id="masked"),
    ],
)
def test_a_pod_that_is_less_than_its_mode_builds_nothing(
    tmp_path: Path, pod: tuple[str, str, str], sandboxed: bool, said: str
) -> None:
    for name, text in zip(("subuid", "uid_map", "mountinfo"), pod, strict=True):
        (tmp_path / name).write_text(text)
    try:
        check(sandbox=sandboxed, proc=tmp_path, sub_ids=tmp_path / "subuid")
        told = ""
    except Problem as problem:
        told = problem.message
    assert (said in told) if said else (told == "")
