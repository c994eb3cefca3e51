"""What `imagebuild policy explain` prints: for a person, and as a document. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from imagebuild.api.status import ImageBuildStatus, Phase
from imagebuild.cli import show
from imagebuild.cli.policy.settings import DEFAULT, Explained, Setting
from imagebuild.cli.policy.trial import Trial
from imagebuild.contract.reasons import Reason

Document = dict[str, Any]

_WIDEST = 60
_SHOWN_OF_THE_CONTAINER = ("image", "resources")
_NOT_SHOWN = {"containers", "volumes", "securityContext"}
"""Of the pod's spec: -o yaml has them."""


def document(namespace: str, explained: Explained, tried: Trial | None) -> Document:
    settings = [{"key": each.key, "value": each.value, "from": list(each.origins)} for each in explained.settings]
    told = {"namespace": namespace, "policy": explained.match, "otherPolicies": list(explained.others)}
    return {**told, "settings": settings, **({"build": _build(tried)} if tried else {})}


def _build(tried: Trial) -> Document:
    status = tried.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    told = {"name": tried.name, "refused": tried.refused, "reason": status.get("reason")}
    return {**told, "message": status.get("message", ""), "effective": status.get("effective"), "pod": tried.pod}


def text(namespace: str, explained: Explained, tried: Trial | None) -> Iterator[str]:
    if tried:
        yield from _outcome(tried)
        yield ""
    yield _which(namespace, explained)
    yield ""
    shown = [each for each in explained.settings if not tried or each.origins != (DEFAULT,)]
    rows = [(each.key, _value(each), " and ".join(each.origins)) for each in shown]
    yield from show.columns([("SETTING", "VALUE", "FROM"), *rows])
    if len(shown) < len(explained.settings):
        yield f"… and {len(explained.settings) - len(shown)} defaults, which are shown without -f."


def _which(namespace: str, explained: Explained) -> str:
    if explained.match is None:
        return f"{namespace}: no policy in namespaces[] matches it; what is set for all namespaces is in force."
    others = f", and not {', '.join(explained.others)}, which match, too" if explained.others else ""
    return f"{namespace}: the policy namespaces[{explained.match}] is in force{others}."


def _value(setting: Setting) -> str:
    if setting.value in (None, "", [], {}):
        return _cut(setting.meaning or ("-" if setting.value is None else "none"))
    return _cut(_said(setting.value))


def _said(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        return f"({len(value.splitlines())} lines)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(words: str) -> str:
    return words if len(words) <= _WIDEST else f"{words[: _WIDEST - 1]}…"


def _outcome(tried: Trial) -> Iterator[str]:
    status = tried.status
    if tried.pod is not None:
        yield f"{tried.name}: would be built. Its pod would have:"
        yield from show.columns([(f"  {key}", _said(value)) for key, value in _gets(tried.status, tried.pod)])
        return
    waits = status.phase is not Phase.FAILED
    yield f"{tried.name}: {'would wait' if waits else 'would be refused'}, {status.reason}."
    yield f"  {status.message or Reason(status.reason or '').row.sentence}"
    if tried.refused and tried.next_step:
        yield f"  {tried.next_step}"


def _gets(status: ImageBuildStatus, pod: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    if status.effective:
        yield "isolation", status.effective.isolation
        yield "trust", status.effective.trust or ""
    yield from ((key, container[key]) for key in _SHOWN_OF_THE_CONTAINER if key in container)
    yield from ((key, value) for key, value in spec.items() if key not in _NOT_SHOWN)
    yield "labels", pod["metadata"].get("labels") or {}
    yield "secrets", sorted(set(_secrets(spec)))


def _secrets(spec: Mapping[str, Any]) -> Iterator[str]:
    """Names of those that the pod mounts."""
    for volume in spec.get("volumes") or ():
        if "secret" in volume:
            yield volume["secret"]["secretName"]
        for source in (volume.get("projected") or {}).get("sources") or ():
            if "secret" in source:
                yield source["secret"]["name"]
