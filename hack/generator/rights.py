"""manifests/components/requester-rights/policy.yaml: what a requester may name, by the models of the spec.

A name in the spec that is not in OTHERS is taken for a Secret's, so that no field can be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imagebuild.api.crd import crd
from imagebuild.api.names import GROUP, PLURAL

Document = dict[str, Any]

SERVICE_ACCOUNT = "pod.serviceAccountName"
OTHERS = {
    SERVICE_ACCOUNT: "a policy of its own",
    "source.volume.claimName": "a claim",
    "source.configMap.name": "a ConfigMap",
    "cache.import[].local.claimName": "a claim",
    "cache.export[].local.claimName": "a claim",
    "cache.volume.claimName": "a claim",
    "cache.volume.template.storageClassName": "one that the administrator lists",
    "pod.priorityClassName": "one that the administrator lists",
    "pod.runtimeClassName": "one that the administrator lists",
}
"""Names in the spec that are no Secrets', and what they are."""

MOST = 12
"""Secrets that are looked at one by one. The API server gives a policy 10,000,000 for all its expressions together, and
takes 350,000 for each of the two questions that a name costs."""

HARMLESS = ("archive", "concurrency", "retryLimit", "suspend", "timeouts", "ttlAfterFinished")
"""Fields of the spec that change nothing about what is done with what it names."""

SECRETS, SERVICE_ACCOUNTS = "imagebuild-requester-secrets", "imagebuild-requester-service-accounts"


def policies() -> tuple[Document, ...]:
    return (
        _policy(SECRETS, [_not_all("secrets", "get")], _secret_variables(), _secret_validations()),
        _binding(SECRETS),
        _policy(SERVICE_ACCOUNTS, [], _account_variables(), _account_validations()),
        _binding(SERVICE_ACCOUNTS),
    )


def secret_paths() -> tuple[str, ...]:
    """Where a spec can name a Secret: `[]` stands for each entry of a list."""
    spec = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return tuple(path for path in object_names(spec, "") if path not in OTHERS)


def object_names(schema: Document, path: str) -> Iterator[str]:
    """Fields that hold the name of an object, by the rule that they all have."""
    if any("name of an object" in rule["message"] for rule in schema.get("x-kubernetes-validations", ())):
        yield path
    for name, child in schema.get("properties", {}).items():
        yield from object_names(child, f"{path}.{name}" if path else name)
    if "items" in schema:
        yield from object_names(schema["items"], f"{path}[]")


def _policy(name: str, conditions: list[Document], variables: list[Document], validations: list[Document]) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [GROUP],
                        "apiVersions": ["*"],
                        "resources": [PLURAL],
                        "operations": ["CREATE", "UPDATE"],
                    }
                ]
            },
            "matchConditions": [{"name": "builds-something-else-than-before", "expression": _changed()}, *conditions],
            "variables": variables,
            "validations": validations,
        },
    }


def _binding(name: str) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }


def _changed() -> str:
    """Whoever changes the Dockerfile uses the Secrets that somebody else has named: all of the spec counts."""
    harmless = "[" + ", ".join(f'"{field}"' for field in HARMLESS) + "]"
    return (
        'request.operation == "CREATE" || '
        f"object.spec.exists(field, !(field in {harmless}) && "
        "(!(field in oldObject.spec) || object.spec[field] != oldObject.spec[field])) || "
        f"oldObject.spec.exists(field, !(field in {harmless}) && !(field in object.spec))"
    )


def _may(resource: str, verb: str, name: str = "") -> str:
    """Of one object, or of all in the namespace."""
    which = f".name({name})" if name else ""
    checked = f'authorizer.group("").resource("{resource}").namespace(request.namespace){which}'
    return " || ".join(f'{checked}.check("{each}").allowed()' for each in (verb, "use"))


def _not_all(resource: str, verb: str) -> Document:
    return {"name": "may-not-use-all-of-the-namespace", "expression": f"!({_may(resource, verb)})"}


def _secret_variables() -> list[Document]:
    """`named`, and what is left of it after its first name, its second one, and so on: each name costs one look."""
    single = [_optional("object.spec", path) for path in secret_paths() if "[]" not in path]
    lists = [path.split("[].") for path in secret_paths() if "[]" in path]
    several = [f"object.spec.?{field}.orValue([]).map(each, {_optional('each', path)})" for field, path in lists]
    named = " + ".join(["[" + ", ".join(single) + "]", *several])
    return [
        {"name": "left0", "expression": f'({named}).filter(name, name != "")'},
        *(
            {"name": f"left{number + 1}", "expression": f"{left}.filter(name, name != {left}[0])"}
            for number in range(MOST)
            for left in [f"variables.left{number}"]
        ),
    ]


def _optional(root: str, path: str) -> str:
    return root + "".join(f".?{part}" for part in path.split(".")) + '.orValue("")'


def _secret_validations() -> list[Document]:
    too_many = (
        f"the spec names more than {MOST} Secrets: who may not use all of the namespace may name {MOST}. "
        "One Secret can have many keys"
    )
    return [
        {"expression": f"variables.left{MOST}.size() == 0", "message": too_many},
        *(
            {
                "expression": f"{left}.size() == 0 || {_may('secrets', 'get', f'{left}[0]')}",
                "message": "the spec names a Secret that its requester may neither get nor use",
                "messageExpression": _sentence("Secret", f"{left}[0]", "get", "secrets"),
            }
            for number in range(MOST)
            for left in [f"variables.left{number}"]
        ),
    ]


def _account_variables() -> list[Document]:
    return [{"name": "named", "expression": _optional("object.spec", SERVICE_ACCOUNT)}]


def _account_validations() -> list[Document]:
    return [
        {
            "expression": f'variables.named == "" || {_may("serviceaccounts", "impersonate", "variables.named")}',
            "message": "the spec names a service account that its requester may neither impersonate nor use",
            "messageExpression": _sentence("service account", "variables.named", "impersonate", "serviceaccounts"),
        }
    ]


def _sentence(kind: str, name: str, verb: str, resource: str) -> str:
    return (
        f'"the spec names the {kind} " + {name} + ", which " + request.userInfo.username + '
        f'" may neither {verb} nor use: a Role of the namespace must grant the verb use on {resource}"'
    )
