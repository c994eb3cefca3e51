"""All that a build is made from, as directories: the source that becomes the build context, and the named contexts.

Fetched here and not by BuildKit, so that settings and credentials of git and others never come near a RUN step.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuild.contract.plan import Context, GitSource, HttpSource, IfExists, Mount, OciSource, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import git, mounted
from imagebuild.runner.credentials import Logins
from imagebuild.runner.egress import proxies
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import Place, Source, inside

__all__ = ["Fetch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    plan: Plan
    work: Path
    env: Mapping[str, str]
    logins: Logins
    check: Callable[[], None]
    """Raises what is to end it."""

    def source(self) -> Source:
        """Raises Problem."""
        plan = self.plan
        wanted = plan.git or plan.http or plan.oci
        if wanted is not None:
            return self._remote(wanted, "source")
        if plan.volume is not None:
            directory = Path(plan.volume.path)
            # only who looks for an image made from the same has a use for it
            content = "" if plan.output.if_exists is IfExists.OVERWRITE else _digest(directory)
            return Source(directory=directory, branch="default", base="default", content=content)
        directory = self._new("source").directory
        if plan.directory is not None:
            _copy(plan.directory, directory)
            return Source(directory=directory, branch="default", base="default", content=_digest(directory))
        return Source(directory=directory, branch="default", base="default")

    def context(self, context: Context, number: int, source: Source) -> Source:
        """A named one. Raises Problem."""
        wanted = context.git or context.http or context.oci
        found = source if wanted is None else self._remote(wanted, f"context-{number}")
        directory = inside(found.directory, context.path, f"contexts[{context.name}].path")
        return Source(directory=directory, commit=found.commit, content=found.content)

    def _remote(self, wanted: GitSource | HttpSource | OciSource, name: str) -> Source:
        place = self._new(name)
        if isinstance(wanted, GitSource):
            cache = self.plan.cache
            return git.checkout(wanted, place, base_wanted=name == "source" and cache is not None and not cache.base)
        # slow to import, and most plans do without
        from imagebuild.runner import artifact, download, registry  # noqa: PLC0415

        if isinstance(wanted, HttpSource):
            return download.fetch_archive(wanted, place)
        settings = {entry.host: entry for entry in self.plan.registries}
        ca, ways = self.env.get("SSL_CERT_FILE"), proxies(self.env)
        registries = registry.Registries(settings, self.logins, ca, download.SILENT_SECONDS, ways)
        return artifact.fetch_artifact(wanted, place, registries)

    def _new(self, name: str) -> Place:
        directory = self.work / name
        directory.mkdir()
        return Place(directory=directory, scratch=self.work / f"fetching-{name}", env=self.env, check=self.check)


def _copy(mount: Mount, directory: Path) -> None:
    """A ConfigMap is mounted as symbolic links into a hidden directory; BuildKit is to see files."""
    found = mounted.files(mount)
    if not found:
        raise Problem(
            Reason.CONFIG_MAP_MISSING, f"the ConfigMap {mount.name} does not exist, or is empty (source.configMap)"
        )
    for key, file in found.items():
        shutil.copyfile(file, directory / key)


def _digest(directory: Path) -> str:
    """Of names, contents, links, and who may execute."""
    sha = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        content = ""
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            with path.open("rb") as file:
                content = f"{os.access(path, os.X_OK)} {hashlib.file_digest(file, 'sha256').hexdigest()}"
        sha.update(f"{path.relative_to(directory)}\0{content}\0".encode(errors="surrogateescape"))
    return sha.hexdigest()
