"""The `docker buildx` command that does the same on somebody's own machine, to try a failing step there. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from imagebuild.cli.terminal import harmless
from imagebuild.cli.view import View

__all__ = ["command"]

Spec = Mapping[str, Any]


def command(build: View) -> list[str]:
    """Lines for a shell: comments on what has to be at hand first, then the command."""
    spec = build.spec
    context, before = _context(spec, str(build.of("source").get("commit") or ""))
    words = ["docker buildx build --progress=plain", *_options(spec, build), shlex.quote(context)]
    return [
        *(f"# {' '.join(line.splitlines())}" for line in [*before, *_needed(spec)]),
        *(_dockerfile(_inline(spec)) if _inline(spec) else ()),
        " \\\n    ".join(words),
    ]


def _dockerfile(text: str) -> list[str]:
    """For standard input, as a terminal shows it. Quoted line by line, it may be pasted with spaces before each, and
    has no end that a line of it could be."""
    lines = harmless(text.replace("\r\n", "\n")).removesuffix("\n").split("\n")
    return [" \\\n    ".join(["printf '%s\\n'", *map(shlex.quote, lines)]) + " |"]


def _inline(spec: Spec) -> str:
    return str((spec.get("dockerfile") or {}).get("inline") or "")


def _context(spec: Spec, commit: str) -> tuple[str, list[str]]:
    """What buildx is given, and what is to be done before."""
    source = spec.get("source") or {}
    path = source.get("path") or ""
    match source:
        case {"git": {"url": url} as git}:
            return _git(git, url, commit, path), []
        case {"http": {"url": url}} if not path:
            return url, []
        case _:
            return path or ".", [_directory(source)]


def _directory(source: Spec) -> str:
    match source:
        case {"http": {"url": url}}:
            return f"unpack {url} here"
        case {"oci": {"image": image}}:
            return f"in a directory with the files of {image} (oras pull, or docker create and docker cp)"
        case {"configMap": {"name": name}}:
            return f"in a directory with the keys of the ConfigMap {name} as files"
        case {"volume": {"claimName": name}}:
            return f"in a directory with the files of the claim {name}"
        case _:
            return "in an empty directory"


def _git(git: Spec, url: str, commit: str, path: str) -> str:
    """The commit that was built; where there is none yet, what was asked for."""
    tag = f"refs/tags/{git['tag']}" if git.get("tag") else ""
    ref = commit or git.get("commit") or git.get("branch") or tag or git.get("ref") or ""
    fragment = f"{ref}:{path}" if path else ref
    return f"{url}#{fragment}" if fragment else url


def _options(spec: Spec, build: View) -> Iterator[str]:
    dockerfile, output, cache = spec.get("dockerfile") or {}, spec.get("output") or {}, spec.get("cache") or {}
    platform = build.of("output").get("platform") or next(iter(spec.get("platforms") or ()), None)
    single = [
        ("platform", platform),
        ("file", "-" if _inline(spec) else dockerfile.get("path")),
        ("target", dockerfile.get("target")),
    ]
    yield from (f"--{name}={shlex.quote(value)}" for name, value in single if value)
    for name, value in (spec.get("args") or {}).items():
        yield f"--build-arg={shlex.quote(f'{name}={value}')}"
    for each in spec.get("contexts") or ():
        yield f"--build-context={shlex.quote(each['name'] + '=' + _named(each))}"
    for each in spec.get("secrets") or ():
        yield f"--secret={shlex.quote('id=' + each['id'] + ',src=' + _file(each))}"
    for each in spec.get("ssh") or ():
        yield f"--ssh={shlex.quote(each['id'] + '=' + each['secretRef']['name'] + '.key')}"
    for name, value in (output.get("labels") or {}).items():
        yield f"--label={shlex.quote(f'{name}={value}')}"
    if cache.get("noCache"):
        yield "--no-cache"
    if stages := cache.get("noCacheStages"):
        yield f"--no-cache-filter={shlex.quote(','.join(stages))}"


def _named(context: Spec) -> str:
    match context:
        case {"image": image}:
            return f"docker-image://{image}"
        case {"git": {"url": url} as git}:
            return _git(git, url, "", context.get("path") or "")
        case {"http": {"url": url}}:
            return str(url)
        case _:
            return str(context.get("path") or context["name"])


def _file(secret: Spec) -> str:
    return f"{secret['secretKeyRef']['name']}.{secret['secretKeyRef']['key']}"


def _needed(spec: Spec) -> Iterator[str]:
    for each in spec.get("secrets") or ():
        ref = each["secretKeyRef"]
        yield f"{_file(each)}: a file with the key {ref['key']} of the Secret {ref['name']}"
    for each in spec.get("ssh") or ():
        name = each["secretRef"]["name"]
        yield f"{name}.key: a file with ssh-privatekey of the Secret {name}"
    for each in spec.get("contexts") or ():
        if not {"image", "git", "http"} & set(each):
            yield f"{_named(each)}: a directory with the context {each['name']}"
    if (spec.get("source") or {}).get("git", {}).get("secretRef"):
        yield "your own credentials of the git server are used"
