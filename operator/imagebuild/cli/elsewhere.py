"""Flags of docker buildx and Kaniko that have another place here: docs/migration.md has all of them."""

from __future__ import annotations

import click

_ADMINISTRATOR = "the administrator says so for a registry: registries[] of the operator's configuration"
_NOT_NEEDED = "it is not needed: leave it out"
_IN_REGISTRY = "the image is in its registry: pull it from there"

FLAGS = {
    "--cache": "the branch cache is on by itself; --no-cache runs all steps anew",
    "--cache-dir": "it is cache.volume in a file for --spec",
    "--cache-repo": "it is cache.branch.repository in a file for --spec",
    "--cache-ttl": "let the registry delete old tags",
    "--context-sub-path": "it is --path",
    "--cpus": "it is pod.resources in a file for --spec",
    "--custom-platform": "it is --platform",
    "--dry-run": "imagebuild create has it",
    "--insecure": _ADMINISTRATOR,
    "--insecure-pull": _ADMINISTRATOR,
    "--insecure-registry": _ADMINISTRATOR,
    "--iidfile": "it is --digest-file",
    "--load": _IN_REGISTRY,
    "--memory": "it is pod.resources in a file for --spec",
    "--metadata-file": "it is --dotenv, or -o json",
    "--progress": "the log is always plain; --quiet shows none",
    "--pull": "tags are looked up for each build: leave it out",
    "--registry-mirror": _ADMINISTRATOR,
    "--reproducible": "it is output.sourceDateEpoch in a file for --spec",
    "--single-snapshot": _NOT_NEEDED,
    "--skip-tls-verify": _ADMINISTRATOR,
    "--skip-tls-verify-pull": _ADMINISTRATOR,
    "--skip-tls-verify-registry": _ADMINISTRATOR,
    "--skip-unused-stages": _NOT_NEEDED,
    "--snapshot-mode": _NOT_NEEDED,
    "--tar-path": _IN_REGISTRY,
    "--use-new-run": _NOT_NEEDED,
    "--verbosity": "the log is always plain; --quiet shows none",
}


def told(error: click.UsageError) -> click.UsageError:
    """The same, or for such a flag of `build` and `create` what is there instead."""
    if not isinstance(error, click.NoSuchOption) or not error.ctx or error.ctx.command.name not in ("build", "create"):
        return error
    hint = FLAGS.get(error.option_name)
    return click.UsageError(f"There is no {error.option_name}: {hint}.", error.ctx) if hint else error
