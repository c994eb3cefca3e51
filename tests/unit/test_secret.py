"""`spec.secrets` and `spec.ssh`: one volume for each Secret, the named keys alone, and BuildKit told by file name."""

from __future__ import annotations

import json
from typing import Any

from imagebuild.api.spec import INPUTS, ImageBuildSpec
from imagebuild.contract.plan import SecretKey
from imagebuild.core.part import Part
from imagebuild.core.secret import build_secrets

AT = "/run/imagebuild/secrets"


def made(**fields: Any) -> Part:
    return build_secrets(ImageBuildSpec.model_validate({"output": {"discard": True}, **fields}))


def secret(name: str, key: str, id_: str) -> dict[str, Any]:
    return {"id": id_, "secretKeyRef": {"name": name, "key": key}}


def test_a_secret_is_one_volume_with_its_named_keys_whatever_names_them() -> None:
    part = made(
        secrets=[secret("b", "two", "x"), secret("b", "one", "y"), secret("a", "k", "z"), secret("b", "two", "w")],
        ssh=[{"id": "default", "secretRef": {"name": "b"}}],
    )
    assert [volume["secret"] for volume in part.volumes] == [
        {"secretName": "a", "optional": True, "defaultMode": 0o444, "items": [{"key": "k", "path": "k"}]},
        {
            "secretName": "b",
            "optional": True,
            "defaultMode": 0o444,
            "items": [{"key": key, "path": key} for key in ("one", "ssh-privatekey", "two")],
        },
    ]
    assert [(mount["mountPath"], mount["readOnly"]) for mount in part.mounts] == [(f"{AT}/0", True), (f"{AT}/1", True)]


def test_buildkit_is_told_where_each_is_in_a_fixed_order() -> None:
    one, two = secret("s", "k", "GIT_AUTH_TOKEN.git.example.com:8443"), secret("s", "other", "a")
    key = {"id": "default", "secretRef": {"name": "t"}}
    args = (
        *("--secret", f"id=GIT_AUTH_TOKEN.git.example.com:8443,src={AT}/0/k"),
        *("--secret", f"id=a,src={AT}/0/other"),
        *("--ssh", f"default={AT}/1/ssh-privatekey"),
    )
    assert made(secrets=[one, two], ssh=[key]).args == args
    assert made(secrets=[two, one], ssh=[key]).args == args


def test_the_runner_is_told_what_to_wait_for_and_which_of_it_is_a_private_key() -> None:
    part = made(secrets=[secret("s", "k", "a")], ssh=[{"id": "default", "secretRef": {"name": "s"}}])
    assert part.plan == {
        "secret_keys": (
            SecretKey(name="s", key="k", path=f"{AT}/0/k"),
            SecretKey(name="s", key="ssh-privatekey", path=f"{AT}/0/ssh-privatekey", ssh=True),
        )
    }


def test_nothing_named_is_nothing_mounted() -> None:
    assert made() == Part()


def test_the_references_are_build_inputs_and_hold_no_content() -> None:
    assert {"secrets", "ssh"} <= set(INPUTS)
    assert "data" not in json.dumps([*made(secrets=[secret("s", "k", "a")]).volumes])
