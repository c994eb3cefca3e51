"""Everything about one build that a person asks for, why it waits or has failed first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from imagebuild.api.names import ANNOTATION_JOB
from imagebuild.cli import ending, reproduce, show, waiting
from imagebuild.cli.view import View

__all__ = ["describe"]

Section = tuple[str, list[str]]


def describe(build: View, now: datetime, place: tuple[int, int] | None) -> list[str]:
    """Sections with a title each, all lines ready to print."""
    state = ", ".join(filter(None, [build.phase, build.reason])) or "new"
    lines = [f"{build.name} in {build.namespace}: {state}"]
    for title, text in _sections(build, now, place):
        if text:
            lines += ["", f"{title}:", *(f"  {line}" for line in text)]
    return lines


def _sections(build: View, now: datetime, place: tuple[int, int] | None) -> Iterator[Section]:
    if build.phase == "Failed":
        yield "Why it failed", ending.failure(build, log_shown=False)
    elif build.phase != "Succeeded":
        yield "What it does", [waiting.state(build, place, now), *_last_attempt(build)]
    yield "The line", _line(build)
    yield "To come", [] if build.seen else ["The operator has not looked at the newest spec yet."]
    yield "Warnings", [str(each) for each in build.status.get("warnings") or ()]
    yield "Images", ending.images(build)
    yield "Source", _source(build)
    yield "Job", [job] if (job := (build.metadata.get("annotations") or {}).get(ANNOTATION_JOB)) else []
    yield "Run", _run(build, now)
    yield "Time", _time(build)
    trace = build.of("trace")
    yield "Trace", [str(trace[key]) for key in ("id", "link") if key in trace]
    yield "Cache", _cache(build)
    yield "Usage", [f"{key}: {value}" for key, value in build.of("usage").items()]
    yield "In force", [f"{key}: {value}" for key, value in build.of("effective").items()]
    yield "Runs before", [_record(each, now) for each in build.status.get("history") or ()]
    yield "Log", _log(build)
    yield "The same with Docker", "\n".join(reproduce.command(build)).split("\n")


def _last_attempt(build: View) -> list[str]:
    told = ending.attempt(build)
    return ["The attempt before:", *(f"  {line}" for line in told)] if told else []


def _log(build: View) -> list[str]:
    archived = build.of("archive").get("image")
    read = [f"imagebuild logs {build.name} -n {build.namespace}"] if build.pod else []
    return [*read, *([f"archived as {archived}"] if archived else [])]


def _line(build: View) -> list[str]:
    """Of an inline Dockerfile, the failing line and those around it; another Dockerfile is not here."""
    number = build.of("failure").get("line")
    text = str((build.spec.get("dockerfile") or {}).get("inline") or "").splitlines()
    if not number or number > len(text):
        return []
    around = range(max(1, number - 2), min(len(text), number + 2) + 1)
    return [f"{'>' if each == number else ' '} {each:4} {text[each - 1]}" for each in around]


def _source(build: View) -> list[str]:
    source = build.spec.get("source") or {}
    kind = next((key for key in source if key != "path"), "")
    inside = source.get(kind) or {}
    address = next((str(inside[key]) for key in ("url", "image", "name", "claimName") if key in inside), "none")
    built = build.of("source")
    commit, branch = built.get("commit"), built.get("branch")
    return [
        f"{kind} {address}".strip() + (f", directory {source['path']}" if source.get("path") else ""),
        *([f"commit {commit}"] if commit else []),
        *([f"branch {branch}"] if branch else []),
    ]


def _run(build: View, now: datetime) -> list[str]:
    if not build.run:
        return []
    counted = [("faults of the infrastructure", "failures"), ("waits for what was missing", "waits")]
    told = [f"{build.status[key]} {what}" for what, key in counted if build.status.get(key)]
    since = show.age(build.status.get("queuedAt"), now)
    return [
        f"run {build.run}, attempt {build.attempt}" + (f" ({', '.join(told)})" if told else ""),
        *([f"queued {since} ago"] if since else []),
        *([f"pod {build.pod}"] if build.pod else []),
    ]


def _time(build: View) -> list[str]:
    timings = build.of("timings")
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in timings.items() if seconds)
    return list(filter(None, [str(build.status.get("duration") or ""), spent]))


def _cache(build: View) -> list[str]:
    cache = build.of("cache")
    if not cache:
        return []
    export = cache.get("export") or {}
    told = f": {export['error']}" if export.get("error") else ""
    return [
        f"{cache.get('cached', 0)} of {cache.get('total', 0)} steps",
        *(f"read {each.get('ref')}: {each.get('result')}" for each in cache.get("imports") or ()),
        *([f"{'not written' if told else 'written'} {export.get('ref')}{told}"] if export else []),
    ]


def _record(record: Mapping[str, Any], now: datetime) -> str:
    ended = show.age(record.get("finishedAt"), now)
    what = " ".join(str(record[key]) for key in ("digest", "commit") if record.get(key))
    return f"run {record.get('run')}: {record.get('reason')}" + (f" {ended} ago" if ended else "") + f" {what}".rstrip()
