"""Files of build secrets before BuildKit is asked: what is missing or cannot be used is named, and never its content."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from imagebuild.contract.plan import SecretKey
from imagebuild.contract.reasons import Reason
from imagebuild.runner.buildsecrets import check
from imagebuild.runner.problem import Problem


def pem(kind: str, body: bytes | str) -> bytes:
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{text[:70]}\n{text[70:]}\n-----END {kind}PRIVATE KEY-----\n".encode()


def openssh(cipher: bytes) -> bytes:
    return b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + b"\0" * 90


def look(tmp_path: Path, content: bytes | None, *, ssh: bool = False) -> str:
    """What is said of such a value; empty where it can be used."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    try:
        check([SecretKey(name="packages", key="token", path=str(file), ssh=ssh)])
    except Problem as problem:
        return f"{problem.reason}: {problem.message}"
    return ""


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\xff\n", id="bytes that are no text"),
        pytest.param(b"x" * 512_000, id="as much as BuildKit takes"),
    ],
)
def test_a_value_is_any_bytes(tmp_path: Path, content: bytes) -> None:
    assert look(tmp_path, content) == ""


def test_what_is_missing_is_named_and_waited_for(tmp_path: Path) -> None:
    assert look(tmp_path, None) == "SecretMissing: the Secret packages does not exist, or has no key token"
    assert Reason.SECRET_MISSING.row.exit_code is None


def test_more_than_buildkit_takes_is_refused_with_both_sizes(tmp_path: Path) -> None:
    assert look(tmp_path, b"x" * 512_001) == (
        "SecretInvalid: token in the Secret packages has 512,001 bytes; BuildKit takes 512,000"
    )


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(pem("OPENSSH ", openssh(b"none")), id="of ssh-keygen"),
        pytest.param(pem("RSA ", b"key" * 40), id="of OpenSSL, with its algorithm"),
        pytest.param(pem("", b"key" * 40), id="PKCS 8"),
        pytest.param(b"a comment\n" + pem("EC ", b"key" * 40).rstrip(), id="among other lines, without the last end"),
    ],
)
def test_a_private_key_is_one_in_pem_without_a_passphrase(tmp_path: Path, content: bytes) -> None:
    assert look(tmp_path, content, ssh=True) == ""


LOCKED = "SecretInvalid: token in the Secret packages has a passphrase: a build cannot be asked for it"
NO_KEY = "SecretInvalid: token in the Secret packages is not a private key in PEM"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(pem("OPENSSH ", openssh(b"aes256-ctr")), LOCKED, id="locked by ssh-keygen"),
        pytest.param(pem("ENCRYPTED ", b"key" * 40), LOCKED, id="locked, PKCS 8"),
        pytest.param(pem("RSA ", "Proc-Type: 4,ENCRYPTED\n" + "A" * 100), LOCKED, id="locked by OpenSSL"),
        pytest.param(pem("OPENSSH ", "not base64!" * 9), NO_KEY, id="damaged"),
        pytest.param(b"ssh-ed25519 AAAA e2e", NO_KEY, id="the public one"),
        pytest.param(b"", NO_KEY, id="nothing"),
    ],
)
def test_any_other_key_is_refused_with_what_is_wrong_with_it(tmp_path: Path, content: bytes, said: str) -> None:
    assert look(tmp_path, content, ssh=True) == said
