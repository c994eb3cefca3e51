"""Pods that somebody with the operator's token may ask for: those that tests/e2e/test_bounds.py has the API server refuse,
each with words of its sentence, and those that it has to take."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from testbed.kubectl import Document
from testbed.place import ROOT

GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.yaml"))
BUILDER = "registry.example.com/imagebuild/builder:1"
DIGEST = "@sha256:" + "0" * 64
OTHER = "registry.example.com/other:1"
CLAIM: Document = {"persistentVolumeClaim": {"claimName": "any"}}


def pod(name: str = "isolation-rootless", **spec: Any) -> Document:
    document = deepcopy(next(yaml.safe_load_all((ROOT / "tests" / "golden" / f"{name}.yaml").read_text())))
    del document["metadata"]["namespace"]
    return {**document, "spec": {**document["spec"], **spec}}


def with_container(**fields: Any) -> Document:
    made = pod()
    made["spec"]["containers"][0].update(fields)
    return made


def with_metadata(**fields: Any) -> Document:
    made = pod()
    made["metadata"].update(fields)
    return made


def with_env(**variables: str) -> Document:
    given = {**{each["name"]: each["value"] for each in pod()["spec"]["containers"][0]["env"]}, **variables}
    return with_container(env=[{"name": name, "value": value} for name, value in given.items()])


def with_volume(source: Document, path: str = "", *, name: str = "more", **mount: Any) -> Document:
    """One more, or another one of this name; mounted where there is a path."""
    made = pod()
    (container,) = made["spec"]["containers"]
    for fields, key, each in (
        (made["spec"], "volumes", {"name": name, **source}),
        (container, "volumeMounts", {"name": name, "mountPath": path, **mount}),
    ):
        fields[key] = [other for other in fields[key] if other["name"] != name]
        fields[key] += [each] if each.get("mountPath", True) else []
    return made


def with_token(path: str = "", **fields: Any) -> Document:
    return with_volume({"projected": {"sources": [{"serviceAccountToken": {"path": "token", **fields}}]}}, path)


def with_identity(audience: str, path: str, **variables: str) -> Document:
    """As the webhook of a cloud leaves it."""
    made = with_token(path, audience=audience)
    made["spec"]["containers"][0]["env"] += [{"name": name, "value": value} for name, value in variables.items()]
    return made


def _security(**fields: Any) -> dict[str, Any]:
    return {**pod()["spec"]["containers"][0]["securityContext"], **fields}


def _with_device() -> Document:
    made = with_volume(CLAIM)
    made["spec"]["containers"][0]["volumeDevices"] = [{"name": "more", "devicePath": "/dev/a"}]
    return made


def _annotated(**annotations: str) -> Document:
    return with_metadata(annotations={**pod()["metadata"]["annotations"], **annotations})


OWNER = pod()["metadata"]["ownerReferences"][0]
SHELL = {"exec": {"command": ["sh", "-c", "id"]}}
CODE = {"configMap": {"name": "any"}}
RUNNER, ENVIRONMENT, PLACES = "runs the runner", "no other variable", "nothing over a program"
VOLUMES, NODE, TOKEN = "directories of its own", "nothing of its node", "no service account's token"
BAD = {
    "another image": (with_container(image=OTHER), "the builder image"),
    "another digest": (with_container(image=BUILDER + DIGEST), "the builder image"),
    "another program": (with_container(command=["sh", "-c", "id"]), RUNNER),
    "arguments": (with_container(args=["--plan=/x"]), RUNNER),
    "another working directory": (with_container(workingDir="/run/imagebuild/source"), RUNNER),
    "a program after the start": (with_container(lifecycle={"postStart": SHELL}), RUNNER),
    "a program before the end": (with_container(lifecycle={"preStop": SHELL}), RUNNER),
    "a program that looks whether it lives": (with_container(livenessProbe=SHELL), RUNNER),
    "a program that looks whether it is ready": (with_container(readinessProbe=SHELL), RUNNER),
    "a program that looks whether it has started": (with_container(startupProbe=SHELL), RUNNER),
    "a second container": (
        pod(containers=[*pod()["spec"]["containers"], {"name": "b", "image": BUILDER}]),
        "nothing else",
    ),
    "a container before it": (pod(initContainers=[{"name": "b", "image": BUILDER}]), "nothing else"),
    "a library before all others": (with_env(LD_PRELOAD="/run/imagebuild/source/a.so"), ENVIRONMENT),
    "another path of programs": (with_env(PATH="/run/imagebuild/source"), ENVIRONMENT),
    "another home": (with_env(HOME="/run/imagebuild/source"), ENVIRONMENT),
    "a program in a cloud's configuration": (with_env(AWS_CONFIG_FILE="/run/imagebuild/source/a"), ENVIRONMENT),
    "variables of a ConfigMap": (with_container(envFrom=[{"configMapRef": {"name": "any"}}]), ENVIRONMENT),
    "a ConfigMap over the runner": (with_volume(CODE, "/opt/imagebuild/imagebuild/runner"), PLACES),
    "a file over a program": (with_volume(CODE, "/usr/bin/git", subPath="git"), PLACES),
    "a path that leads out": (with_volume(CODE, "/run/imagebuild/registry/../../../usr/lib/python3"), PLACES),
    "a path that ends as theirs do": (with_volume(CODE, "/opt/imagebuild/run/imagebuild/source"), PLACES),
    "a path within a claim, whose links lead out": (with_volume(CODE, "/run/imagebuild/source/a/b"), PLACES),
    "a claim for all paths of a kind": (with_volume(CLAIM, "/run/imagebuild/registry"), PLACES),
    "a claim for BuildKit's state and its programs": (with_volume(CLAIM, "/work", name="work"), VOLUMES),
    "another volume there": (
        with_container(volumeMounts=[{"name": "tmp", "mountPath": "/work"}, {"name": "work", "mountPath": "/tmp"}]),
        PLACES,
    ),
    "other ids of the node": (with_volume(CODE, "/etc/subuid", subPath="subuid"), PLACES),
    "a termination message over a program": (with_container(terminationMessagePath="/usr/bin/git"), PLACES),
    "no owner": (with_metadata(ownerReferences=[]), "belongs to an ImageBuild"),
    "another owner": (with_metadata(ownerReferences=[{**OWNER, "apiVersion": "v1", "kind": "Pod"}]), "belongs to"),
    "a second owner": (
        with_metadata(
            ownerReferences=[OWNER, {"apiVersion": "v1", "kind": "ServiceAccount", "name": "default", "uid": "a"}]
        ),
        "to nothing else",
    ),
    "an owner that does not control it": (
        with_metadata(ownerReferences=[{**OWNER, "controller": False}]),
        "belongs to an ImageBuild",
    ),
    "no label of the operator": (with_metadata(labels={}), "no pod but those it has made"),
    "a path of the node": (with_volume({"hostPath": {"path": "/"}}), VOLUMES),
    **{
        f"a volume of the kind {kind}": (with_volume({kind: fields}), VOLUMES)
        for kind, fields in {
            "cephfs": {"monitors": ["192.0.2.1"]},
            "csi": {"driver": "csi.example.com"},
            "ephemeral": {
                "volumeClaimTemplate": {
                    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
                }
            },
            "flexVolume": {"driver": "example.com/flex"},
            "image": {"reference": OTHER},
            "iscsi": {"targetPortal": "192.0.2.1", "iqn": "iqn.2001-04.com.example:a", "lun": 0},
            "nfs": {"server": "192.0.2.1", "path": "/"},
            "rbd": {"monitors": ["192.0.2.1"], "image": "a"},
        }.items()
    },
    "a device": (_with_device(), VOLUMES),
    "a device by a claim": (pod(resourceClaims=[{"name": "a", "resourceClaimName": "any"}]), NODE),
    "the node's network": (pod(hostNetwork=True), NODE),
    "the node's processes": (pod(hostPID=True), NODE),
    "the node's shared memory": (pod(hostIPC=True), NODE),
    "a port of the node": (with_container(ports=[{"containerPort": 1, "hostPort": 1}]), NODE),
    "a node of its choice": (pod(nodeName="any"), NODE),
    "privilege": (with_container(securityContext=_security(privileged=True)), "no privilege"),
    "privilege of SELinux": (
        with_container(securityContext=_security(seLinuxOptions={"type": "spc_t"})),
        "no privilege",
    ),
    "privilege of SELinux for the pod": (
        pod(securityContext={**pod()["spec"]["securityContext"], "seLinuxOptions": {"type": "spc_t"}}),
        "no privilege",
    ),
    "no seccomp profile": (
        with_container(securityContext=_security(seccompProfile={"type": "Unconfined"})),
        "a seccomp profile",
    ),
    "no AppArmor": (
        with_container(securityContext=_security(appArmorProfile={"type": "Unconfined"})),
        "AppArmor profile of its node",
    ),
    "no AppArmor for the pod": (
        pod(securityContext={**pod()["spec"]["securityContext"], "appArmorProfile": {"type": "Unconfined"}}),
        "AppArmor profile of its node",
    ),
    "no AppArmor, as it was asked for once": (
        _annotated(**{"container.apparmor.security.beta.kubernetes.io/build": "unconfined"}),
        "AppArmor profile of its node",
    ),
    "root": (pod(securityContext={"runAsUser": 0}), "user 1000"),
    "root in the container": (with_container(securityContext=_security(runAsUser=0, runAsNonRoot=False)), "user 1000"),
    "a capability": (
        with_container(securityContext=_security(capabilities={"add": ["SYS_ADMIN"]})),
        "SETUID and SETGID",
    ),
    "a token": (pod(automountServiceAccountToken=True), TOKEN),
    "a token for the API server": (with_token("/var/run/secrets/azure/tokens"), TOKEN),
    "a token for the API server by name": (with_token(audience="https://kubernetes.default.svc"), TOKEN),
    "a token for somebody else": (with_token(audience="vault"), TOKEN),
    "a certificate of the pod": (
        with_volume(
            {"projected": {"sources": [{"podCertificate": {"signerName": "example.com/a", "keyType": "ED25519"}}]}}
        ),
        TOKEN,
    ),
}
TAKEN = {
    "EKS, with a role": with_identity(
        "sts.amazonaws.com",
        "/var/run/secrets/eks.amazonaws.com/serviceaccount",
        AWS_STS_REGIONAL_ENDPOINTS="regional",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_REGION="eu-west-1",
        AWS_ROLE_ARN="arn:aws:iam::123456789012:role/ecr-push",
        AWS_WEB_IDENTITY_TOKEN_FILE="/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    ),
    "EKS, with a pod identity": with_identity(
        "pods.eks.amazonaws.com",
        "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount",
        AWS_CONTAINER_CREDENTIALS_FULL_URI="http://169.254.170.23/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE="/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/"
        "eks-pod-identity-token",
    ),
    "AKS": with_identity(
        "api://AzureADTokenExchange",
        "/var/run/secrets/azure/tokens",
        AZURE_CLIENT_ID="00000000-0000-4000-8000-000000000000",
        AZURE_TENANT_ID="00000000-0000-4000-8000-000000000001",
        AZURE_FEDERATED_TOKEN_FILE="/var/run/secrets/azure/tokens/azure-identity-token",
        AZURE_AUTHORITY_HOST="https://login.microsoftonline.com/",
    ),
}
