"""What the administrator's lists (`allow`) are about: each value of a spec that has to be in one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from imagebuild.api.config import Allow
from imagebuild.api.names import is_ours
from imagebuild.api.pod import PodSettings
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.core.named import destinations, secrets

_Patterns = tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    field: str
    value: str
    key: str
    """Of `allow`."""


def refused(spec: ImageBuildSpec, allow: Allow) -> Iterator[Refused]:
    settings = spec.pod or PodSettings()
    yield from _classes(settings, allow)
    yield from _pairs("labels", settings.labels, allow.labels)
    yield from _pairs("annotations", settings.annotations, allow.annotations)
    yield from _nodes(settings, allow)
    yield from _listed("secrets", secrets(spec), allow.secrets)
    yield from _listed("registries", destinations(spec), allow.registries)


def _classes(settings: PodSettings, allow: Allow) -> Iterator[Refused]:
    for name, value, patterns, key in (
        ("serviceAccountName", settings.service_account_name, allow.service_accounts, "serviceAccounts"),
        ("priorityClassName", settings.priority_class_name, allow.priority_classes, "priorityClasses"),
        ("runtimeClassName", settings.runtime_class_name, allow.runtime_classes, "runtimeClasses"),
    ):
        if value is not None:
            yield from _listed(key, [(f"spec.pod.{name}", value)], patterns or ())


def _pairs(key: str, given: Mapping[str, str] | None, patterns: _Patterns) -> Iterator[Refused]:
    """What the operator writes itself nobody else does."""
    for name, value in (given or {}).items():
        if is_ours(name) or not _fits(name, value, patterns or ()):
            yield Refused(field=f"spec.pod.{key}", value=f"{name}={value}", key=key)


def _nodes(settings: PodSettings, allow: Allow) -> Iterator[Refused]:
    """Where the pod may run. Unlike of what may raise its rights, all of it is allowed as long as nobody lists any."""
    if allow.node_selector is not None:
        for name, value in (settings.node_selector or {}).items():
            if not _fits(name, value, allow.node_selector):
                yield Refused(field="spec.pod.nodeSelector", value=f"{name}={value}", key="nodeSelector")
    if allow.tolerations is not None:
        for each in settings.tolerations or ():
            # without a key it is of every taint: that takes the pattern *
            if not any(fnmatchcase(each.key or "", pattern) for pattern in allow.tolerations):
                yield Refused(field="spec.pod.tolerations", value=each.key or "every taint", key="tolerations")
    if allow.affinity is False and settings.affinity is not None:
        yield Refused(field="spec.pod.affinity", value="any", key="affinity")


def _listed(key: str, named: Iterable[tuple[str, str]], patterns: _Patterns) -> Iterator[Refused]:
    for field, value in named:
        if patterns is not None and not any(fnmatchcase(value, each) for each in patterns):
            yield Refused(field=field, value=value, key=key)


def _fits(name: str, value: str, patterns: Iterable[str]) -> bool:
    """`key` allows every value. Both are compared by themselves: the value may look like the name of another."""
    for pattern in patterns:
        names, given, values = pattern.partition("=")
        if fnmatchcase(name, names) and (not given or fnmatchcase(value, values)):
            return True
    return False
