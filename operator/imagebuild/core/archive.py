"""The log archive: which builds have one, where it goes, and with whose login. The administrator says all of it, and
a spec no more than yes or no."""

from __future__ import annotations

from imagebuild.api.archive import ArchiveMode
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.names import shorten
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.contract import layout, plan
from imagebuild.core.named import secrets
from imagebuild.core.part import Part, PlanFields, secret_volume

_TAG_MAX = 128


def repository(spec: ImageBuildSpec, config: OperatorConfig, namespace: str) -> str | None:
    """Where the build's log goes. `config`: as in force in the namespace."""
    mode, asked, place = _mode(config), spec.archive is not None and spec.archive.enabled, config.archive.repository
    wanted = asked if mode is ArchiveMode.ON_REQUEST else mode is ArchiveMode.ALWAYS
    return place.replace("{namespace}", namespace) if place and wanted else None


def archive(  # noqa: PLR0917  as core/pod.py
    build: ImageBuild, spec: ImageBuildSpec, run: int, attempt: int, config: OperatorConfig, suffix: str
) -> Part:
    """`suffix`: of the pod's name, which is no other attempt's."""
    where, named = repository(spec, config, build.namespace), config.archive.secret
    if where is None:
        return Part()
    host, path = where.partition("/")[0], layout.ARCHIVE_SECRET_DIR
    head = shorten(f"log-{build.namespace}-{build.name}", _TAG_MAX - len(suffix))
    wanted = plan.Archive(
        repository=where,
        tag=f"{head}{suffix}",
        secret=plan.RegistrySecret(name=named.name, path=path, registry=host) if named else None,
        namespace=build.namespace,
        name=build.name,
        run=run,
        attempt=attempt,
        builder=config.builder.image,
    )
    part = Part(plan=PlanFields(archive=wanted))
    return part + secret_volume("archive", path, named.name) if named else part


def reserved(spec: ImageBuildSpec, config: OperatorConfig) -> str:
    """The archive's Secret, where a spec names it; empty where none does. Who could have BuildKit or a step use it
    could write over what others have archived."""
    named = config.archive.secret
    if named is None or config.archive.repository is None or _mode(config) is ArchiveMode.NEVER:
        return ""
    field = next((field for field, name in secrets(spec) if name == named.name), "")
    why = "is the Secret of the log archive (archive.secret of the administrator), which no build may use"
    return f"{field}: {named.name} {why}: name another one" if field else ""


def ignored(spec: ImageBuildSpec, config: OperatorConfig) -> str:
    """What the spec says of the archive and has no effect, and why; empty where it has."""
    if spec.archive is None:
        return ""
    mode, field = _mode(config), "spec.archive.enabled"
    if spec.archive.enabled and config.archive.repository is None:
        return f"{field}: the log is not archived: the administrator names no repository for this namespace (archive)"
    if spec.archive.enabled and mode is ArchiveMode.NEVER:
        return f"{field}: the log is not archived: the administrator says Never (archive.mode)"
    if not spec.archive.enabled and config.archive.repository and mode is ArchiveMode.ALWAYS:
        return f"{field}: the log is archived all the same: the administrator says Always (archive.mode)"
    return ""


def _mode(config: OperatorConfig) -> ArchiveMode:
    return config.archive.mode or ArchiveMode.ON_REQUEST
