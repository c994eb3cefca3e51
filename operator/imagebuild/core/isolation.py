"""The isolation modes as pod fields: the only security contexts that build pods have.

All modes run as an ordinary user with two capabilities, SETUID and SETGID, which newuidmap and newgidmap need to map
sub-ids. `allowPrivilegeEscalation: false` must stay away: it sets no_new_privs, under which they cannot gain anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from imagebuild.api import names
from imagebuild.api.config import Isolation, OperatorConfig
from imagebuild.contract import layout
from imagebuild.core.part import Manifest, Part
from imagebuild.core.policy import policy
from imagebuild.core.seccomp import PROFILE

USER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    pod: Manifest
    """Fields of the pod's spec."""
    container: Manifest
    """The container's securityContext."""
    annotations: dict[str, str]
    part: Part
    process_sandbox: bool
    processes: int | None
    """The kernel counts them by user and user namespace: without one, all build pods of a node together. A build that
    reaches the bound would be one that stops its neighbours."""


def isolation(config: OperatorConfig, namespace: str) -> Isolation:
    closest = policy(config, namespace)
    return (closest.isolation if closest else None) or config.isolation


def sandbox(config: OperatorConfig, namespace: str) -> Sandbox:
    mode = isolation(config, namespace)
    userns = mode is not Isolation.ROOTLESS
    unmasked = mode is Isolation.USERNS
    return Sandbox(
        pod={
            **({"hostUsers": False} if userns else {}),
            "securityContext": {
                "runAsUser": USER,
                "runAsGroup": USER,
                "runAsNonRoot": True,
                "fsGroup": USER,
                "fsGroupChangePolicy": "OnRootMismatch",
            },
        },
        container={
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["SETUID", "SETGID"]},
            "seccompProfile": seccomp_profile(config),
            **_apparmor_profile(config),
            **({"procMount": "Unmasked"} if unmasked else {}),
        },
        annotations={names.ANNOTATION_SUBID: layout.SUB_IDS_IN_POD} if userns else {},
        part=_sub_ids() if userns else Part(),
        process_sandbox=unmasked,
        processes=config.pod.processes if userns else None,
    )


def seccomp_profile(config: OperatorConfig) -> Manifest:
    if config.seccomp_unconfined:
        return {"type": "Unconfined"}
    return {"type": "Localhost", "localhostProfile": config.seccomp_profile or PROFILE}


def _apparmor_profile(config: OperatorConfig) -> Manifest:
    """Left out unless it is set: a kubelet without AppArmor refuses every other than none."""
    if config.apparmor_profile is None:
        return {}
    return {"appArmorProfile": {"type": "Localhost", "localhostProfile": config.apparmor_profile}}


def _sub_ids() -> Part:
    """The image's own range lies outside of the ids that a pod in a user namespace has: hide it with one that fits."""
    field = {"fieldRef": {"fieldPath": f"metadata.annotations['{names.ANNOTATION_SUBID}']"}}
    files = ("subuid", "subgid")
    return Part(
        volumes=({"name": "subids", "downwardAPI": {"items": [{"path": file, **field} for file in files]}},),
        mounts=tuple(
            {"name": "subids", "mountPath": f"/etc/{file}", "subPath": file, "readOnly": True} for file in files
        ),
    )
