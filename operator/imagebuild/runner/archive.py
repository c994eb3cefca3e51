"""After the build, whatever became of it: its log and its record as one artifact, into the administrator's registry.

The result is written before this begins (__main__.py), so nothing here can take an image back, fail a build, or lose a
reason: it is bounded in time, and what goes wrong is a sentence with the next step.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import threading
import time
import urllib.error
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from imagebuild.contract import plan
from imagebuild.contract.archive import ARTIFACT, ERROR_LENGTH, LOG, RECORD, Archive, File
from imagebuild.contract.result import BuildResult
from imagebuild.runner import authorities, clientcerts, credentials, mounted
from imagebuild.runner.buildrecord import record
from imagebuild.runner.egress import egress, proxies
from imagebuild.runner.journal import Journal
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say
from imagebuild.runner.reference import split
from imagebuild.runner.registry import Registries

__all__ = ["archived"]

_REQUEST_SECONDS = 15.0
_PAUSES = (1.0, 3.0)
"""Before a second and a third try, where that may help."""
_BUSY = {408, 425, 429, 500, 502, 503, 504}
_COMPRESSION = 4
"""Rather soon than small: somebody waits for the build's end."""
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY, _EMPTY_TYPE = b"{}", "application/vnd.oci.empty.v1+json"
_CAUSE = 160
_NAMED_IN = "the operator's configuration, archive.secret"

Layers = tuple[tuple[File, bytes], ...]


def archived(asked: plan.Plan, result: BuildResult, journal: Journal, work: Path, seconds: float) -> BuildResult:
    """The result with the digest of the artifact, or with why there is none; within these seconds."""
    archive, found = asked.archive, list[str]()
    assert archive is not None
    error = [f"not done within {seconds:.0f} s: ask who runs the registry, or the network between"]

    def work_on() -> None:
        try:
            found.append(_pushed(asked, archive, result, journal, work))
        except Exception as failure:  # noqa: BLE001  whatever it is, the build has ended as it has
            error[0] = _told(archive, failure)

    # a daemon: the runner leaves without it
    pushing = threading.Thread(target=work_on, daemon=True)
    pushing.start()
    pushing.join(seconds)
    if found:
        say(f"the log is archived as {archive.repository}@{found[0]}")
        return replace(result, details=replace(result.details, archive=found[0]))
    told = f"the log was not archived in {archive.repository}: {error[0]}"[:ERROR_LENGTH]
    say(told)
    return replace(result, details=replace(result.details, archive_error=told))


def _pushed(asked: plan.Plan, archive: Archive, result: BuildResult, journal: Journal, work: Path) -> str:
    """The digest."""
    logins = _logins(archive)  # first: what it says belongs into the log
    described = json.dumps(record(asked, archive, result, work / "report", journal.lines)).encode()
    layers = ((LOG, _compressed(journal)), (RECORD, described))
    manifest = _manifest(archive, result, layers)  # once: a tag that is immutable takes the same again, and no other
    # where the egress proxy is in the way the runner's own has ended with the build
    with egress(asked.proxy) as way:
        only = plan.Plan(registries=asked.registries, output=plan.Output(images=(archive.repository,)))
        settings = {entry.host: entry for entry in clientcerts.certified(only).plan.registries}
        bundle = authorities.merged(asked, work)
        ca = str(bundle) if bundle else None
        registries = Registries(settings, logins, ca, _REQUEST_SECONDS, proxies(way.environment))
        for pause in _PAUSES:
            try:
                return _push(archive, layers, manifest, registries)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code not in _BUSY:
                    raise
                time.sleep(pause)
        return _push(archive, layers, manifest, registries)


def _manifest(archive: Archive, result: BuildResult, layers: Layers) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": ARTIFACT,
        "config": _descriptor(_EMPTY_TYPE, _EMPTY),
        "layers": [
            {**_descriptor(file.media_type, content), "annotations": {"org.opencontainers.image.title": file.title}}
            for file, content in layers
        ],
        "annotations": {
            "org.opencontainers.image.created": datetime.now(UTC).isoformat(timespec="seconds"),
            "imagebuild.dev/build": f"{archive.namespace}/{archive.name}",
            "imagebuild.dev/run": str(archive.run),
            "imagebuild.dev/attempt": str(archive.attempt),
            "imagebuild.dev/reason": result.essentials.reason.value,
        },
    }
    return json.dumps(document).encode()


def _push(archive: Archive, layers: Layers, manifest: bytes, registries: Registries) -> str:
    for content in (_EMPTY, *(content for _, content in layers)):
        registries.push(archive.repository, content)
    registries.tag(archive.repository, archive.tag, manifest, _MANIFEST)
    return _digest(manifest)


def _compressed(journal: Journal) -> bytes:
    kept = io.BytesIO()
    with gzip.GzipFile(fileobj=kept, mode="wb", compresslevel=_COMPRESSION, mtime=0) as file:
        for block in journal.blocks():
            file.write(block)
    return kept.getvalue()


def _logins(archive: Archive) -> credentials.Logins:
    if archive.secret is None:
        return {}
    mounted.secret(archive.secret, _NAMED_IN)
    return credentials.merge((archive.secret,), (split(archive.repository),))


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _told(archive: Archive, failure: Exception) -> str:
    """What went wrong, and what to do."""
    if isinstance(failure, Problem):
        return f"{failure.message}: make it, or correct it"
    if not isinstance(failure, urllib.error.HTTPError):
        cause = str(getattr(failure, "reason", None) or failure)[:_CAUSE]
        return f"{cause}: is the repository in archive.repository right, and can pods reach it?"
    whose = f"the Secret {archive.secret.name}" if archive.secret else "nobody, as archive.secret names none"
    advice = {
        401: f"correct the login of {whose}",
        403: f"give {whose} the right to push there",
        404: "make the repository, or correct archive.repository",
    }
    said = f"the registry answers {failure.code} {failure.reason}"
    return f"{said}: {advice.get(failure.code, 'ask who runs the registry')}"
