"""Takes out of documents and texts what may be secret, so that a bug report can be sent to a stranger. Pure.

By names, because values look like anything: what is called a token is one. What is found in a document is looked for in
all texts as well: a step prints what it was given. None of it is certain, so a person has to look at the result.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["GONE", "Redaction"]

GONE = "REDACTED"
_NAME = (
    r"pass(?:word|wd|phrase)?|pwd|token|secret|credentials?|api[-_.]?key|access[-_.]?key(?:[-_.]?id)?|private[-_.]?key"
    r"|auth(?:orization)?|cookie|signature|sig|sas"
)
_SECRET = re.compile(rf"(?:^|[-_./]|(?<=[a-z0-9]))(?:{_NAME})(?:$|[-_./0-9]|(?=[A-Z]))", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_REFERENCES = {"secretName", "serviceAccountName", "imagePullSecrets"}
"""Keys that hold the name of a Secret, which says what is wrong and gives nothing away."""
_BUILD_ARG = re.compile(r"^(build-arg:[^=]*=)(.*)$", re.DOTALL)
_SHORTEST = 8
"""Shorter values are words such as `true` and `prod`, which are everywhere."""

_TEXTS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), GONE),
    (re.compile(r"(?<=://)[^/\s@\"'<>]{1,512}@"), f"{GONE}@"),
    (
        re.compile(
            r"(?im)((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:basic|bearer|token|negotiate|digest)\s+)?[^\s\"',]+"
        ),
        rf"\1{GONE}",
    ),
    (re.compile(r"(?i)\b(basic|bearer)\s+[\w.~+/-]{8,}=*"), rf"\1 {GONE}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"), GONE),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|glcbt-|gldt-|xox[abprs]-|npm_|dckr_pat_|hf_)[\w-]{10,}"), GONE),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), GONE),
    (re.compile(r"((?:\s-u|--user)[ =]{1,4}[^\s:]{1,64}:)\S+"), rf"\1{GONE}"),
)
_WORDS = ("pass", "pwd", "token", "secret", "credential", "key", "auth", "cookie", "sig", "sas")
"""One of them is in each name: quicker than what follows, which is for lines that have one."""
_NAMED_TEXTS = (
    (
        re.compile(
            rf"(?i)(\b(?:[\w.]{{1,64}}[-_.]|\w{{0,64}}?)(?:{_NAME})(?:[-_.][\w.-]{{0,64}})?[\"']?[ \t]*"
            r"(?:=[ \t]*|:[ \t]+|:(?=[\"'])))"
            r"(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"'&,;]+)"
        ),
        rf"\1{GONE}",
    ),
    (re.compile(rf"(?i)(?<![\w-])(--[\w-]{{0,64}}?(?:{_NAME})[\w-]{{0,64}}[ \t]+)[^\s-]\S*"), rf"\1{GONE}"),
    (re.compile(rf"(?i)^(\s*(?:ENV|ARG)\s+\w*(?:{_NAME})\w*\s+)(?!=)\S.*$"), rf"\1{GONE}"),
)


class Redaction:
    """`learn` all documents first; `document` and `text` know then what to look for."""

    def __init__(self, *, include_args: bool = False) -> None:
        self._args = include_args
        self._values: set[str] = set()

    def learn(self, document: Any) -> None:
        """The values in it that are secret by their names."""
        self._walk(document, "", "")

    def document(self, document: Any) -> Any:
        """A copy; `managedFields`, which say nothing about builds, are left out."""
        return self._walk(document, "", "")

    def text(self, text: str) -> str:
        for value in sorted(self._values, key=len, reverse=True):
            text = text.replace(value, GONE)
        for pattern, instead in _TEXTS:
            text = pattern.sub(instead, text)
        return "\n".join(_line(line) for line in text.split("\n"))

    def _walk(self, value: Any, key: str, parent: str) -> Any:
        match value:
            case Mapping():
                named = value.get("name")
                return {
                    name: self._walk(each, str(named) if name == "value" and isinstance(named, str) else name, key)
                    for name, each in value.items()
                    if name != "managedFields"
                }
            case list() | tuple():
                return [self._walk(each, key, parent) for each in value]
            case str():
                return self._string(value, key, parent)
            case _:
                return (
                    GONE if value is not None and not isinstance(value, bool) and self._hidden(key, parent) else value
                )

    def _string(self, value: str, key: str, parent: str) -> str:
        if self._hidden(key, parent):
            return self._taken(value)
        if (inside := _document(value)) is not None:
            return json.dumps(self._walk(inside, "", ""), ensure_ascii=False)
        if not self._args and (found := _BUILD_ARG.match(value)):
            return found[1] + self._taken(found[2])
        return self.text(value)

    def _hidden(self, key: str, parent: str) -> bool:
        if parent == "args" and not self._args:
            return True
        return _is_secret(key)

    def _taken(self, value: str) -> str:
        if len(value) >= _SHORTEST:
            self._values.add(value)
        return GONE if value else value


def _line(text: str) -> str:
    lower = text.lower()
    if not any(word in lower for word in _WORDS):
        return text
    for pattern, instead in _NAMED_TEXTS:
        text = pattern.sub(instead, text)
    return text


def _is_secret(key: str) -> bool:
    return key not in _REFERENCES and bool(_SECRET.search(_CAMEL.sub("-", key)))


def _document(text: str) -> Any:
    """What is JSON inside of a string: an annotation such as kubectl's last-applied-configuration."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
