"""`spec.cache.volume`: which claim BuildKit's state is on, and the claims that the operator keeps for templates.

A claim's name is a function of the key and the template, so that nothing has to be remembered: another size or class is
another claim, and the one before is deleted once nobody has used it for long. No ImageBuild owns a claim. When it was
used last is said by an annotation that is written again only when a good part of the time has passed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from imagebuild.api import names
from imagebuild.api.cachevolume import CacheVolume, ClaimTemplate
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild, moment
from imagebuild.api.quantity import amount
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import timestamp
from imagebuild.api.timespan import seconds
from imagebuild.contract import layout, plan
from imagebuild.core.admit import Claim
from imagebuild.core.part import Manifest, Part, PlanFields
from imagebuild.core.scope import origin, scope

_NAME_MAX = 63
_PREFIX = "cache-"
_PART = 10
"""The time of the last use is written again after this part of the time that claims stay unused, and they stay longer
by as much."""
_FRESH = timedelta(days=1)
"""How old it may be where unused claims stay for ever."""


def claim(build: ImageBuild) -> Claim | None:
    """That of the cache volume that the build uses."""
    name = claim_name(build, build.spec) if build.spec else None
    return (build.namespace, name) if name else None


def claim_name(build: ImageBuild, spec: ImageBuildSpec) -> str | None:
    volume = _volume(spec)
    if volume is None or volume.template is None:
        return volume.claim_name if volume else None
    suffix = f"-{_hash(build, spec, volume.template)}"
    words = re.sub(r"[^a-z0-9]+", "-", _title(build, spec, volume.template).lower()).strip("-")
    return _PREFIX + words[: _NAME_MAX - len(_PREFIX) - len(suffix)].rstrip("-") + suffix


def volume_of(build: ImageBuild, spec: ImageBuildSpec) -> Part:
    """BuildKit's whole state on a claim."""
    name = claim_name(build, spec)
    if name is None:
        return Part()
    mount = plan.Mount(name=name, path=layout.CACHE_VOLUME_DIR)
    return Part(
        plan=PlanFields(cache_volume=mount),
        volumes=({"name": layout.CACHE_VOLUME, "persistentVolumeClaim": {"claimName": name}},),
        mounts=({"name": layout.CACHE_VOLUME, "mountPath": mount.path},),
    )


def kept_claim(build: ImageBuild, spec: ImageBuildSpec, now: datetime) -> Manifest | None:
    """The claim that must be there before the pod, as the operator makes it. None where there is no template."""
    volume = _volume(spec)
    if volume is None or volume.template is None:
        return None
    template = volume.template
    of_class = {"storageClassName": template.storage_class_name} if template.storage_class_name else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim_name(build, spec),
            "namespace": build.namespace,
            "labels": {names.MANAGED_BY: names.MANAGER, names.LABEL_CACHE: _hash(build, spec, template)},
            "annotations": {
                names.ANNOTATION_CACHE_OF: _title(build, spec, template),
                names.ANNOTATION_LAST_USED: timestamp(now),
            },
        },
        "spec": {
            # one build at a time uses it, so no other mode is ever needed
            "accessModes": ["ReadWriteOnce"],
            **of_class,
            "resources": {"requests": {"storage": template.size}},
        },
    }


def not_kept(spec: ImageBuildSpec, config: OperatorConfig) -> str:
    """What a template asks for and the administrator does not allow; empty where there is nothing."""
    volume, rules = _volume(spec), config.cache_volumes
    if volume is None or volume.template is None:
        return ""
    template, field = volume.template, "spec.cache.volume.template"
    if not rules.allowed:
        return f"{field}: the operator keeps no claims here: the administrator allows it by cacheVolumes.allowed"
    if rules.max_size is not None and amount(template.size) > amount(rules.max_size):
        return f"{field}.size: {template.size} is more than the {rules.max_size} of cacheVolumes.maxSize"
    of_class = template.storage_class_name
    if of_class and not any(fnmatchcase(of_class, pattern) for pattern in rules.storage_classes or ()):
        place = "the administrator lists what is in cacheVolumes.storageClasses"
        return f"{field}.storageClassName: {of_class} is not allowed: {place}"
    return ""


def kept_somewhere(config: OperatorConfig) -> bool:
    rules = (config.cache_volumes, *(each.cache_volumes for each in config.namespaces))
    return any(each.allowed for each in rules)


def is_same(found: Manifest, wanted: Manifest) -> bool:
    """The claim that is there is one that the operator made for this."""
    labels = found["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in wanted["metadata"]["labels"].items())


def is_stale(found: Manifest, unused: str | None, now: datetime) -> bool:
    """The time of its last use is to be written again."""
    fresh = timedelta(seconds=seconds(unused)) / _PART if unused else _FRESH
    return now >= _last_used(found) + fresh


def unused_claims(
    claims: Iterable[Manifest], used: Collection[Claim | None], unused: str | None, now: datetime
) -> Iterator[Manifest]:
    """Those to delete. `used`: by builds that are not over, whatever the annotation says."""
    if unused is None:
        return
    patience = timedelta(seconds=seconds(unused)) * (1 + 1 / _PART)
    for each in claims:
        meta = each["metadata"]
        ours = names.LABEL_CACHE in (meta.get("labels") or {}) and "deletionTimestamp" not in meta
        if ours and (meta["namespace"], meta["name"]) not in used and now >= _last_used(each) + patience:
            yield each


def _last_used(found: Manifest) -> datetime:
    meta = found["metadata"]
    said = moment((meta.get("annotations") or {}).get(names.ANNOTATION_LAST_USED))
    return said or datetime.fromisoformat(meta["creationTimestamp"])


def _volume(spec: ImageBuildSpec) -> CacheVolume | None:
    return spec.cache.volume if spec.cache else None


def _hash(build: ImageBuild, spec: ImageBuildSpec, template: ClaimTemplate) -> str:
    key = [template.key] if template.key else [scope(build, spec), _line(spec)]
    text = json.dumps([key, template.size, template.storage_class_name])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _title(build: ImageBuild, spec: ImageBuildSpec, template: ClaimTemplate) -> str:
    """For people."""
    if template.key:
        return template.key
    source = origin(build.namespace, spec.source) or build.name
    return f"{source.rstrip('/').rpartition('/')[2].removesuffix('.git')} {_line(spec)}".rstrip()


def _line(spec: ImageBuildSpec) -> str:
    """The line of commits that is built: a proposed change must not leave anything to the branch it is for."""
    git = spec.source.git if spec.source else None
    return (git.branch or git.ref or "") if git else ""
