"""The build pod: all parts of the spec added up, in one fixed skeleton."""

from __future__ import annotations

import hashlib
import json

from imagebuild.api import names
from imagebuild.api.config import OperatorConfig
from imagebuild.api.imagebuild import ImageBuild
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.status import Run, SourceStatus, TraceStatus, timestamp
from imagebuild.api.timespan import seconds
from imagebuild.contract import layout, plan
from imagebuild.core.archive import archive
from imagebuild.core.attestations import attestations
from imagebuild.core.auth import registry_secrets
from imagebuild.core.cache import cache
from imagebuild.core.context import contexts
from imagebuild.core.dockerfile import build_args, dockerfile
from imagebuild.core.isolation import Sandbox, sandbox
from imagebuild.core.limits import limit
from imagebuild.core.output import output
from imagebuild.core.part import Manifest, Part, volume
from imagebuild.core.platform import node_selector, platform
from imagebuild.core.proxy import proxy
from imagebuild.core.registries import registries
from imagebuild.core.scheduling import Marks, marks, resources, scheduling
from imagebuild.core.secret import build_secrets
from imagebuild.core.source import source
from imagebuild.core.tracing import tracing
from imagebuild.core.trust import labels, lowered, runtime_class

_NAME_MAX = 63  # a pod's name becomes its host name, which is cut there
_GRACE_SECONDS = 20
"""From TERM to KILL: buildctl cancels, the runner writes its result."""

_UNDISTURBED = {
    "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
    "karpenter.sh/do-not-disrupt": "true",
    # a proxy beside the build never ends and stands between BuildKit and the registry
    "sidecar.istio.io/inject": "false",
    "linkerd.io/inject": "disabled",
}


def pod_name(build: ImageBuild, run: int, attempt: int) -> str:
    """The same for the same attempt, never used again: a second POST of it meets a 409, not a second pod."""
    suffix = _suffix(build, run, attempt)
    return names.shorten(build.name.replace(".", "-"), _NAME_MAX - len(suffix)) + suffix


def _suffix(build: ImageBuild, run: int, attempt: int) -> str:
    unique = hashlib.sha256(f"{build.uid}/{run}/{attempt}".encode()).hexdigest()[:6]
    return f"-{run}-{attempt}-{unique}"


def pod(
    build: ImageBuild,
    spec: ImageBuildSpec,
    run: Run,
    attempt: int,
    config: OperatorConfig,
    *,
    built_before: SourceStatus | None = None,
    trace: TraceStatus | None = None,
) -> Manifest:
    """`built_before`: what an earlier attempt of the run fetched; this one is to build the same commit. Raises
    plan.PlanTooLargeError."""
    spec, config = lowered(spec, config)
    box = sandbox(config, build.namespace)
    kept = archive(build, spec, run.number, attempt, config, _suffix(build, run.number, attempt))
    parts = (
        parts_of(build, spec, run, attempt, built_before)
        + _parts_of_place(spec, config)
        + kept
        + box.part
        + tracing(build, run, attempt, config, trace)
    )
    described = plan.dump(_plan(parts, box, spec, config))
    pod_spec, theirs = _pod_spec(parts, box, spec, config), _marks(spec, config)
    identity = json.dumps(pod_spec, sort_keys=True) + (json.dumps(theirs) if any(theirs.values()) else "") + described
    annotations = {
        **({names.ANNOTATION_ARCHIVE: kept.plan["archive"].repository} if "archive" in kept.plan else {}),
        names.ANNOTATION_POD_HASH: _hash(identity),
        names.ANNOTATION_PLAN: described,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(build, run, attempt, {**box.annotations, **annotations}, theirs),
        "spec": pod_spec,
    }


def _marks(spec: ImageBuildSpec, config: OperatorConfig) -> Marks:
    """A pod that waits and is not to be trusted any more is another one."""
    theirs = marks(spec)
    return {**theirs, "labels": {**theirs["labels"], **labels(config)}}


def _metadata(build: ImageBuild, run: Run, attempt: int, annotations: dict[str, str], theirs: Marks) -> Manifest:
    asked = {names.ANNOTATION_REBUILD_AT: timestamp(run.rebuild_at)} if run.rebuild_at else {}
    return {
        "name": pod_name(build, run.number, attempt),
        "namespace": build.namespace,
        "labels": {
            **theirs["labels"],
            names.MANAGED_BY: names.MANAGER,
            names.LABEL_BUILD: names.label_value(build.name),
            names.LABEL_RUN: str(run.number),
            names.LABEL_ATTEMPT: str(attempt),
            "sidecar.istio.io/inject": "false",
        },
        "annotations": {
            **theirs["annotations"],
            **_UNDISTURBED,
            names.ANNOTATION_INPUTS: run.inputs_hash,
            names.ANNOTATION_GENERATION: str(build.generation),
            **asked,
            **annotations,
        },
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": build.name,
                "uid": build.uid,
                "controller": True,
                "blockOwnerDeletion": False,
            }
        ],
    }


def parts_of(
    build: ImageBuild, spec: ImageBuildSpec, run: Run, attempt: int, built_before: SourceStatus | None = None
) -> Part:
    return sum(
        (
            dockerfile(spec),
            contexts(spec),
            build_args(spec),
            platform(spec),
            output(spec, run, retried=attempt > 1),
            cache(build, spec),
            registry_secrets(spec),
            build_secrets(spec),
            _pod_info(),
        ),
        source(spec, built_before),
    )


def _parts_of_place(spec: ImageBuildSpec, config: OperatorConfig) -> Part:
    """What the administrator's configuration adds."""
    return attestations(spec, config) + registries(config) + proxy(config)


def pod_hash(manifest: Manifest) -> str:
    """Equal for pods that would build the same in the same way."""
    found: str = manifest["metadata"]["annotations"][names.ANNOTATION_POD_HASH]
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plan(parts: Part, box: Sandbox, spec: ImageBuildSpec, config: OperatorConfig) -> plan.Plan:
    silence = limit(spec, config, "silence")
    return plan.Plan(
        **parts.plan,
        args=parts.args,
        frontends=config.frontends.allowed,
        certificates=config.certificate_authorities,
        process_sandbox=box.process_sandbox,
        processes=box.processes,
        silence=seconds(silence) if silence else None,
    )


def _pod_spec(parts: Part, box: Sandbox, spec: ImageBuildSpec, config: OperatorConfig) -> Manifest:
    selector = node_selector(spec)
    pull_secrets = [{"name": name} for name in config.pod.image_pull_secrets]
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": max(1, round(seconds(limit(spec, config, "build") or ""))),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **({"imagePullSecrets": pull_secrets} if pull_secrets else {}),
        **scheduling(spec),
        **runtime_class(config),
        **({"nodeSelector": selector} if selector else {}),
        **box.pod,
        "containers": [
            {
                "name": layout.CONTAINER,
                "image": config.builder.image,
                "command": list(layout.RUNNER_COMMAND),
                "env": [{"name": name, "value": value} for name, value in layout.WORK_ENV.items()],
                "resources": resources(spec, config),
                "securityContext": box.container,
                "terminationMessagePath": layout.TERMINATION_LOG,
                "volumeMounts": [
                    {"name": "work", "mountPath": layout.WORK_DIR},
                    {"name": "tmp", "mountPath": layout.TMP_DIR},
                    *parts.mounts,
                ],
            }
        ],
        # emptyDirs, because overlayfs cannot be stacked on the container's own overlay
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}, *parts.volumes],
    }


def _pod_info() -> Part:
    """Plan and stop request as files that follow the pod's annotations; unlike in args, `$(X)` stays as it is there."""
    items = [
        {"path": path.rpartition("/")[2], "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
        for path, annotation in (
            (layout.PLAN_FILE, names.ANNOTATION_PLAN),
            (layout.STOP_FILE, names.ANNOTATION_STOP),
        )
    ]
    return volume("pod", layout.POD_INFO_DIR, {"downwardAPI": {"items": items}})
