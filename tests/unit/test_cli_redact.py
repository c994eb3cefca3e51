"""What a bug report does not give away, and what it keeps because it says what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from imagebuild.cli.redact import GONE, Redaction

HIDDEN = "hunter2-hunter2"


@pytest.mark.parametrize(
    "document",
    [
        {"env": [{"name": "NPM_TOKEN", "value": HIDDEN}]},
        {"env": [{"name": "DB_PASSWORD", "value": HIDDEN}]},
        {"env": [{"name": "MYSECRET", "value": HIDDEN}]},
        {"env": [{"name": "AWS_ACCESS_KEY_ID", "value": HIDDEN}]},
        {"password": HIDDEN},
        {"clientSecret": HIDDEN},
        {"apiKey": HIDDEN},
        {"Authorization": [HIDDEN]},
        {"spec": {"args": {"ANYTHING": HIDDEN}}},
        {"a": f"https://user:{HIDDEN}@example.com/x.git"},
        {"plan": json.dumps({"args": ["--opt", f"build-arg:X={HIDDEN}"]})},
        {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"args": {"X": HIDDEN}}})},
        {"a": json.dumps({"b": json.dumps({"password": HIDDEN})})},
        {"dockerfile": {"inline": f"FROM a\nENV API_TOKEN={HIDDEN}\n"}},
        {"dockerfile": {"inline": f"FROM a\nENV API_TOKEN {HIDDEN} more\n"}},
        {"metadata": {"managedFields": [{"a": HIDDEN}]}},
    ],
)
def test_a_document_gives_away_no_secret(document: Any) -> None:
    assert HIDDEN not in json.dumps(Redaction().document(document))


@pytest.mark.parametrize(
    "text",
    [
        f"git clone https://me:{HIDDEN}@example.com/x.git",
        f"https://{HIDDEN}@example.com/x.git",
        f"GET / HTTP/1.1\nAuthorization: Basic {HIDDEN}==\n",
        f"authorization={HIDDEN}",
        f'"Authorization": "Bearer {HIDDEN}"',
        f"curl -H 'Authorization: token {HIDDEN}'",
        f"sent Bearer {HIDDEN}",
        f"NPM_TOKEN={HIDDEN} npm ci",
        f"export npm_token='{HIDDEN} x'",
        f'password: "{HIDDEN} and more"',
        f"https://s3.example.com/a?X-Amz-Signature={HIDDEN}&b=c",
        f"https://a.blob.example.com/a?sv=1&sig={HIDDEN}",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{HIDDEN}\n-----END OPENSSH PRIVATE KEY-----",
        f"eyJhbGciOiJIUzI1NiJ9.{HIDDEN}.abc",
        f"ghp_{HIDDEN}",
        f"docker login --password {HIDDEN} r.io",
        f"curl -u me:{HIDDEN} https://example.com",
        f"//npm.example.com/:_authToken={HIDDEN}",
        f"PRIVATE-TOKEN: {HIDDEN}",
        f'{{"token":"{HIDDEN}"}}',
        f"glpat-{HIDDEN}",
    ],
)
def test_a_text_gives_away_no_secret(text: str) -> None:
    assert HIDDEN not in Redaction().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "#7 [build 2/3] RUN make",
        "the Secret registry-push is missing in the namespace a",
        "error: failed to solve: r.io/shop:1: not authorized",
        "registry.example.com/shop@sha256:0123456789abcdef",
        "https://git.example.com/shop.git#main",
        "git@example.com:shop.git",
        "imagebuild: RegistryUnauthorized: r.io asks for authorization",
        "author=somebody tokenizer=fast passed: 12",
        "volumes:\n- secret:\n    secretName: push",
        "docker login --password-stdin --username me",
    ],
)
def test_a_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert Redaction().text(text) == text


def test_names_of_secrets_stay_because_they_say_what_is_wrong() -> None:
    document = {
        "registrySecrets": [{"name": "push"}],
        "secrets": [{"id": "npm", "secretKeyRef": {"name": "npm", "key": "token"}}],
        "git": {"secretRef": {"name": "git-login"}},
        "volumes": [{"secret": {"secretName": "push", "optional": True}}],
        "automountServiceAccountToken": False,
        "env": [{"name": "HOME", "value": "/home/user"}],
        "status": {"phase": "Failed", "reason": "SecretMissing"},
    }
    assert Redaction().document(document) == document


def test_values_of_args_are_kept_where_that_is_asked_for() -> None:
    document = {"args": {"VERSION": "1.2.3-rc.12", "NPM_TOKEN": HIDDEN}, "plan": ["build-arg:VERSION=1.2.3-rc.12"]}
    kept = Redaction(include_args=True).document(document)
    assert kept == {"args": {"VERSION": "1.2.3-rc.12", "NPM_TOKEN": GONE}, "plan": ["build-arg:VERSION=1.2.3-rc.12"]}
    assert Redaction().document(document)["args"] == {"VERSION": GONE, "NPM_TOKEN": GONE}


def test_what_a_document_keeps_secret_is_looked_for_in_logs_as_well() -> None:
    redaction = Redaction()
    redaction.learn({"spec": {"args": {"X": HIDDEN, "Y": "true"}}})
    assert redaction.text(f"#7 0.1 it is {HIDDEN}, true") == f"#7 0.1 it is {GONE}, true"


def test_a_longer_secret_is_taken_out_before_one_that_is_a_part_of_it() -> None:
    redaction = Redaction()
    redaction.learn({"args": {"A": "12345678", "B": "12345678-and-more"}})
    assert redaction.text("12345678-and-more") == GONE
