"""`spec.source`: what the runner fetches, or the volume that holds the build context."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from imagebuild.api.model import SecretReference
from imagebuild.api.source import ConfigMapSource, GitSource, HttpSource
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import SourceStatus
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, volume

_HEADS = "refs/heads/"


def source(spec: ImageBuildSpec, built_before: SourceStatus | None = None) -> Part:
    given = spec.source
    if given is None:
        return Part()
    part = Part(plan=PlanFields(path=given.path)) if given.path else Part()
    if given.git is not None:
        part += _git(given.git, built_before)
    if given.http is not None:
        part += _http(given.http)
    if given.config_map is not None:
        part += _config_map(given.config_map)
    return part


def _git(git: GitSource, built_before: SourceStatus | None) -> Part:
    branch, ref = git.branch, git.ref
    if git.tag is not None:
        ref = f"refs/tags/{git.tag}"
    if ref is not None and ref.startswith(_HEADS):
        branch, ref = ref.removeprefix(_HEADS), None
    secret = _secret(git.secret_ref, "source")
    wanted = plan.GitSource(
        url=git.url,
        branch=branch,
        ref=ref,
        commit=git.commit,
        secret=secret.mount,
        submodules=bool(git.submodules),
        keep_git_dir=bool(git.keep_git_dir),
    )
    if git.commit is None and built_before is not None and built_before.commit:
        # without a branch the earlier attempt asked the remote for its default one, which may have changed
        branch = branch or (built_before.branch if ref is None else None)
        wanted = replace(wanted, branch=branch, commit=built_before.commit, pinned=True)
    return Part(plan=PlanFields(git=wanted)) + secret.part


class _Secret(NamedTuple):
    mount: plan.Mount | None
    part: Part


def _secret(reference: SecretReference | None, whose: str) -> _Secret:
    if reference is None:
        return _Secret(None, Part())
    mount = plan.Mount(name=reference.name, path=f"{layout.SOURCE_SECRETS_DIR}/{whose}")
    # optional: the runner names a missing one within a second, and it is waited for
    source = {"secret": {"secretName": reference.name, "optional": True, "defaultMode": 0o444}}
    return _Secret(mount, volume(f"{whose}-secret", mount.path, source))


def _http(http: HttpSource) -> Part:
    secret = _secret(http.secret_ref, "source")
    return Part(plan=PlanFields(http=plan.HttpSource(url=http.url, checksum=http.checksum, secret=secret.mount))) + (
        secret.part
    )


def _config_map(config_map: ConfigMapSource) -> Part:
    # optional: a missing one is reported by the runner within a second; without it the kubelet would only log it
    mounted = volume("source", layout.SOURCE_DIR, {"configMap": {"name": config_map.name, "optional": True}})
    return Part(plan=PlanFields(directory=plan.Mount(name=config_map.name, path=layout.SOURCE_DIR))) + mounted
