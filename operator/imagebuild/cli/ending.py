"""How a build ended, for the end of `build`, `wait` and `logs -f`: the digest, or why not and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imagebuild.cli.view import View
from imagebuild.contract.reasons import Reason

__all__ = ["attempt", "failure", "images", "summary"]


def images(build: View) -> list[str]:
    """image@digest, each as it was pushed, with its tag."""
    output = build.of("output")
    digest = output.get("digest")
    return [f"{image}@{digest}" if digest else str(image) for image in output.get("images") or ()]


def summary(build: View) -> str:
    """One line, such as: shop-x7k2p: Built in 21s, 9/11 steps from the cache."""
    parts = [f"in {build.status['duration']}"] if build.status.get("duration") else []
    cached = build.of("cache").get("summary")
    said = " ".join([build.reason, *parts])
    return f"{build.name}: {said}" + (f", {cached} steps from the cache" if cached else "")


def failure(build: View, *, log_shown: bool) -> list[str]:
    """Why it ended so, with the failing line, and what to do."""
    failed = build.of("failure")
    if failed.get("reason") in (None, build.reason):
        return _told(build, failed, log_shown=log_shown)
    # it tells of an attempt before; the end had another reason, such as a cancel
    return _told(build, {}, log_shown=log_shown)


def attempt(build: View) -> list[str]:
    """Why the attempt before failed, while the next one is waited for."""
    return _told(build, build.of("failure"), log_shown=False) if build.of("failure") else []


def _told(build: View, failed: Mapping[str, Any], *, log_shown: bool) -> list[str]:
    lines = [f"{build.name}: {failed.get('reason') or build.reason}: {failed.get('message') or build.message}"]
    place = f"Dockerfile:{failed['line']}" if failed.get("line") else ""
    code = f"(exit code {failed['exitCode']})" if failed.get("exitCode") is not None else ""
    if where := " ".join(filter(None, [place, failed.get("step"), code])):
        lines.append(f"  {where}")
    if failed.get("logTail") and not log_shown:
        lines += [f"    | {line}" for line in str(failed["logTail"]).splitlines()]
    if step := _next_step(build, failed):
        lines.append(f"  What to do: {step}")
    return lines


def _next_step(build: View, failed: Mapping[str, Any]) -> str:
    """In words of this program where the table's are about fields of the status."""
    if (failed.get("reason") or build.reason) == Reason.STEP_FAILED:
        return f"Read what the step says; imagebuild logs {build.name} -n {build.namespace} has all of it."
    return str(failed.get("nextStep") or (build.row.next_step if build.row else ""))
