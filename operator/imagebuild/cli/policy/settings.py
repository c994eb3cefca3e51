"""Each setting that is in force in a namespace, and where it comes from. Pure.

Nothing here knows any setting by name. What a key of the configuration does is seen by leaving it out: settings that
are others then come from it. So a new key, whatever core/policy.py makes of it, is explained without a word here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from pydantic import ValidationError

from imagebuild.api.config import NamespacePolicy, OperatorConfig
from imagebuild.api.model import Model
from imagebuild.core.policy import policy, within

Document = dict[str, Any]
Path = tuple[str, ...]

DEFAULT = "default"
_POLICIES, _MATCH = "namespaces", "match"
_SAYS_NOTHING = "Default: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    key: str
    """As in the operator's configuration, for all namespaces."""
    value: Any
    origins: tuple[str, ...]
    """`default`, or keys of the configuration, one of a policy as namespaces[MATCH].KEY."""
    meaning: str = ""
    """Of no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    match: str | None
    """Of the policy that is in force."""
    others: tuple[str, ...]
    """Of policies that match, too, and are not in force."""
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """That somebody has written."""

    path: Path
    value: Any
    match: str | None
    changes: set[Path]
    """Settings that would be others without it."""
    is_setting: bool
    """Under its own name."""

    @property
    def name(self) -> str:
        return ("" if self.match is None else f"{_POLICIES}[{self.match}].") + ".".join(self.path)

    def says(self, path: Path, value: Any) -> bool:
        """What is so without it, too. A policy has other names for some: allow for pod.allow, defaults.x for x."""
        if self.match is None or self.is_setting or self.value != value:
            return self.value == value and path == self.path
        return path[-len(self.path) :] == self.path or path[-len(self.path) + 1 :] == self.path[1:]


def explain(config: OperatorConfig, namespace: str) -> Explained:
    found = policy(config, namespace)
    matching = (each.match for each in config.namespaces if fnmatchcase(namespace, each.match))
    return Explained(
        match=found.match if found else None,
        others=tuple(match for match in matching if found is None or match != found.match),
        settings=tuple(_settings(config, namespace, found)),
    )


def _settings(config: OperatorConfig, namespace: str, found: NamespacePolicy | None) -> Iterator[Setting]:
    written = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    of_policy = found.model_dump(mode="json", by_alias=True, exclude_unset=True) if found else {}
    whole = {**written, _POLICIES: [of_policy] if found else []}
    now, meanings = dict(values(_within(whole, namespace))), dict(_meanings(OperatorConfig))
    keys = [
        *_keys(now, namespace, written, lambda path: _without(whole, path)),
        *_keys(now, namespace, of_policy, lambda path: {**whole, _POLICIES: [_without(of_policy, path)]}, found),
    ]
    for path, value in now.items():
        changing = _closest([key for key in keys if path in key.changes])
        same = [key for key in reversed(keys) if key.says(path, value)][:1]
        origins = tuple(key.name for key in changing or same) or (DEFAULT,)
        yield Setting(key=".".join(path), value=value, origins=origins, meaning=meanings.get(path, ""))


def _closest(keys: Sequence[_Key]) -> list[_Key]:
    """Without those that have another of them below."""
    return [
        key for key in keys if not any(other is not key and other.name.startswith(f"{key.name}.") for other in keys)
    ]


def _keys(
    now: Mapping[Path, Any],
    namespace: str,
    document: Document,
    without: Callable[[Path], Document],
    found: NamespacePolicy | None = None,
) -> Iterator[_Key]:
    """Those of the configuration, or of a policy, and what each one changes."""
    for path in _nodes(document):
        if path[0] not in (_POLICIES, _MATCH):
            yield _Key(
                path=path,
                value=_at(document, path),
                match=found.match if found else None,
                changes=_changed(now, without(path), namespace),
                is_setting=path in now,
            )


def _within(document: Document, namespace: str) -> OperatorConfig:
    return within(OperatorConfig.model_validate(document), namespace)


def _changed(now: Mapping[Path, Any], document: Document, namespace: str) -> set[Path]:
    """Settings that are others by this document. One that no operator would read changes nothing."""
    try:
        then = dict(values(_within(document, namespace)))
    except ValidationError:
        return set()
    return {path for path, value in now.items() if then.get(path, now) != value}


def _at(document: Any, path: Path) -> Any:
    return _at(document[path[0]], path[1:]) if path else document


def _nodes(document: Mapping[str, Any], path: Path = ()) -> Iterator[Path]:
    """All keys, also those that have others below them: some replace a whole that is set for all namespaces."""
    for key, value in document.items():
        yield (*path, key)
        if isinstance(value, Mapping):
            yield from _nodes(value, (*path, key))


def _without(document: Mapping[str, Any], path: Path) -> Document:
    first, *rest = path
    if not rest:
        return {key: value for key, value in document.items() if key != first}
    return {**document, first: _without(document[first], tuple(rest))}


def values(model: Model, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All but the policies. Lists are one value, whatever is in them."""
    document = model.model_dump(mode="json", by_alias=True)
    for name, field in type(model).model_fields.items():
        key = field.alias or name
        if (*path, key) == (_POLICIES,):
            continue
        inner = getattr(model, name)
        if isinstance(inner, Model):
            yield from values(inner, (*path, key))
        elif isinstance(inner, Mapping) and inner:
            yield from (((*path, key, each), document[key][each]) for each in inner)
        else:
            yield (*path, key), document[key]


def _meanings(model: type[Model], path: Path = ()) -> Iterator[tuple[Path, str]]:
    """What the reference says of no value, by the path of each field that can have none."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, Model):
            yield from _meanings(field.annotation, here)
        elif _SAYS_NOTHING in (field.description or ""):
            told = " ".join((field.description or "").partition(_SAYS_NOTHING)[2].split())
            yield here, told.partition(". ")[0].rstrip(".")
