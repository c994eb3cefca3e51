"""What clouds do to a cluster, for a namespace: endpoints, registries by name, and pods that are given an identity.

EKS and AKS write into the pods of service accounts with an identity by a webhook, here by an admission policy; GKE
answers for them at its metadata server. The names of registries lead here by hostAliases, which the policy adds, too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster import certificates
from testbed import clouds
from testbed.kubectl import Document, Kubectl, until
from testbed.server import ready, scripted

NAME = "clouds"
_SERVICE = "cloud"
"""By the ports that clouds use."""
_ADMISSION = "admissionregistration.k8s.io/v1"
_TOKEN = "/var/run/secrets/cloud"
_AUDIENCES = {
    "cloud-aws": "sts.amazonaws.com",
    clouds.STRANGERS: "sts.amazonaws.com",
    "cloud-azure": "api://AzureADTokenExchange",
}


@contextmanager
def clouds_for(kubectl: Kubectl, scratch: Path) -> Iterator[None]:
    """While it lasts, builds by these service accounts have an identity: one in each cloud, one that may do nothing at
    AWS, and one that has none."""
    kubectl.apply(*_manifests(kubectl, _certificate(kubectl, scratch)))
    kubectl.apply(*map(_account, _environments(kubectl.namespace)))
    ready(kubectl, NAME)
    address = kubectl.get("service", _SERVICE)["spec"]["clusterIP"]
    cluster, policy = kubectl.within(""), _policy(kubectl.namespace, address)
    cluster.apply(*policy)
    try:
        until("identities to be given", lambda: _in_force(kubectl))
        yield
    finally:
        for document in reversed(policy):
            cluster("delete", document["kind"], document["metadata"]["name"])


def _in_force(kubectl: Kubectl) -> bool:
    container: Document = {"name": "build", "image": "probe"}
    probe: Document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe"},
        "spec": {"serviceAccountName": "cloud-none", "containers": [container]},
    }
    made = json.loads(kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(probe)))
    return "hostAliases" in made["spec"]


def _account(name: str) -> Document:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def _certificate(kubectl: Kubectl, scratch: Path) -> Document:
    """For the names of the registries, from the authority that build pods trust: its key is beside its certificate."""
    authority = Path(kubectl.place.registry_ca)
    for name in ("crt", "key"):
        shutil.copy2(authority.with_name(f"ca.{name}"), scratch)
    certificates.signed(scratch, "tls", NAME, certificates.serves(clouds.ECR, clouds.GAR, clouds.ACR))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": NAME},
        "stringData": {name: (scratch / name).read_text() for name in ("tls.crt", "tls.key")},
    }


def _manifests(kubectl: Kubectl, certificate: Document) -> list[Document]:
    place, script = kubectl.place, Path(clouds.__file__)
    secret: Document = {"secret": {"secretName": NAME, "defaultMode": 0o444}}
    words = (place.registry, "/certificates")
    ports = [
        {"name": "tokens", "port": 80, "targetPort": clouds.HTTP},
        {"name": "registries", "port": 443, "targetPort": clouds.TLS},
    ]
    return [
        certificate,
        *scripted(NAME, place.builder_image, clouds.TLS, script, *words, certificates=secret),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _SERVICE},
            "spec": {"selector": {"app": NAME}, "ports": ports},
        },
    ]


def _environments(namespace: str) -> dict[str, dict[str, str]]:
    """By service account: the variables that its pods have in its cloud. What points to endpoints is ours."""
    here = f"http://{_SERVICE}.{namespace}"
    aws = {
        "AWS_ROLE_ARN": clouds.ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": f"{_TOKEN}/token",
        "AWS_ENDPOINT_URL_STS": here,
        "AWS_ENDPOINT_URL_ECR": here,
    }
    azure = {
        "AZURE_CLIENT_ID": clouds.CLIENT,
        "AZURE_TENANT_ID": clouds.TENANT,
        "AZURE_FEDERATED_TOKEN_FILE": f"{_TOKEN}/token",
        "AZURE_AUTHORITY_HOST": f"{here}/",
    }
    google = {"GCE_METADATA_HOST": here.removeprefix("http://")}
    return {
        "cloud-aws": aws,
        clouds.STRANGERS: aws,
        "cloud-azure": azure,
        "cloud-google": google,
        "cloud-none": {},
    }


def _policy(namespace: str, address: str) -> list[Document]:
    name = {"metadata": {"name": f"{namespace}-clouds"}}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    expressions = [_patch(account, env, address) for account, env in _environments(namespace).items()]
    policy = {
        "matchConstraints": {"resourceRules": [pods]},
        "matchConditions": [
            {"name": "builds", "expression": "object.spec.containers.exists(c, c.name == 'build')"},
        ],
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": each}} for each in expressions],
    }
    mine = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    binding = {"policyName": name["metadata"]["name"], "matchResources": mine}
    return [
        {"apiVersion": _ADMISSION, "kind": "MutatingAdmissionPolicy", **name, "spec": policy},
        {"apiVersion": _ADMISSION, "kind": "MutatingAdmissionPolicyBinding", **name, "spec": binding},
    ]


def _patch(account: str, env: dict[str, str], address: str) -> str:
    """For pods of one service account, in CEL."""
    hosts = json.dumps([clouds.ECR, clouds.GAR, clouds.ACR])
    added = [
        # in two: a list of objects as a value makes the API server of Kubernetes 1.36 panic
        ("/spec/hostAliases", "[]"),
        ("/spec/hostAliases/-", f'Object.spec.hostAliases{{ip: "{address}", hostnames: {hosts}}}'),
        *(
            (
                "/spec/containers/0/env/-",
                f"Object.spec.containers.env{{name: {json.dumps(key)}, value: {json.dumps(value)}}}",
            )
            for key, value in env.items()
        ),
    ]
    if audience := _AUDIENCES.get(account):
        source = f'Object.spec.volumes.projected.sources.serviceAccountToken{{audience: "{audience}", path: "token"}}'
        sources = f"[Object.spec.volumes.projected.sources{{serviceAccountToken: {source}}}]"
        projected = f"Object.spec.volumes.projected{{sources: {sources}}}"
        mount = f'Object.spec.containers.volumeMounts{{name: "cloud-token", mountPath: "{_TOKEN}", readOnly: true}}'
        added += [
            ("/spec/volumes/-", f'Object.spec.volumes{{name: "cloud-token", projected: {projected}}}'),
            ("/spec/containers/0/volumeMounts/-", mount),
        ]
    patches = ", ".join(f'JSONPatch{{op: "add", path: "{path}", value: {value}}}' for path, value in added)
    return f'object.spec.serviceAccountName == "{account}" ? [{patches}] : []'
