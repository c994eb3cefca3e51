"""The source: a commit from git, or a mounted directory, as a directory that becomes the build context.

Fetched here and not by BuildKit, so that git's settings and credentials never come near a RUN step.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imagebuild.contract.plan import GitSource, Mount, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner import process
from imagebuild.runner.problem import Problem

__all__ = ["Source", "fetch"]

_SETTINGS = {
    "protocol.allow": "never",
    "protocol.https.allow": "always",
    "protocol.http.allow": "always",
    "http.followRedirects": "initial",
    "core.hooksPath": "/dev/null",
    "advice.detachedHead": "false",
    "gc.auto": "0",
    # less than a byte a second for a minute is a server that hangs
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "60",
}
_LOOK_EVERY_SECONDS = 0.02
_FULL_BYTES = 64 * 1024

_ANSWERS = (
    (Reason.DISK_FULL, r"No space left on device|Out of diskspace"),
    (
        Reason.REVISION_NOT_FOUND,
        r"couldn't find remote ref|invalid refspec|not our ref|unadvertised object|no such remote ref",
    ),
    (Reason.TLS_FAILED, r"certificate|SSL"),
    (
        Reason.SOURCE_UNAUTHORIZED,
        r"Authentication failed|could not read Username|prompts disabled|error: 40[13]|repository '.*' not found",
    ),
)
"""What git's last lines say, in the C locale; anything else is the network or the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    directory: Path
    """What was fetched, without .git."""
    commit: str | None = None
    branch: str | None = None
    """None: the build is of no branch."""
    base: str | None = None
    """The default branch of the remote, where it was asked for."""


def fetch(plan: Plan, work: Path, env: Mapping[str, str], check: Callable[[], None]) -> Source:
    """Raises Problem; `check` is asked while git runs."""
    directory = work / "source"
    directory.mkdir()
    if plan.git is not None:
        return _Repository(plan.git, work, env, check).fetch(directory, base_wanted=_base_wanted(plan))
    if plan.directory is not None:
        _copy(plan.directory, directory)
    return Source(directory=directory, branch="default", base="default")


def _base_wanted(plan: Plan) -> bool:
    return plan.cache is not None and plan.cache.base is None


def _copy(mount: Mount, directory: Path) -> None:
    """A ConfigMap is mounted as symbolic links into a hidden directory; BuildKit is to see files."""
    mounted = Path(mount.path)
    files = [file for file in mounted.iterdir() if not file.name.startswith("..")] if mounted.is_dir() else []
    if not files:
        raise Problem(
            Reason.CONFIG_MAP_MISSING, f"the ConfigMap {mount.name} does not exist, or is empty (source.configMap)"
        )
    for file in files:
        shutil.copyfile(file, directory / file.name)


def _as_branch(ref: str | None) -> str | None:
    """A pull request's ref is a line of work with a cache of its own, by its full name; a tag is built once."""
    return None if ref is None or ref.startswith("refs/tags/") else ref


class _Repository:
    def __init__(self, git: GitSource, work: Path, env: Mapping[str, str], check: Callable[[], None]) -> None:
        self._source, self._check, self._cwd = git, check, work
        more = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        ca = {"GIT_SSL_CAINFO": env["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in env else {}
        self._env = {**env, **more, **ca, "GIT_DIR": str(work / "git")}
        self._settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]

    def fetch(self, directory: Path, *, base_wanted: bool) -> Source:
        source = self._source
        branch, base = source.branch, None
        if base_wanted or (branch, source.ref, source.commit) == (None, None, None):
            base = self._default_branch()
        if (branch, source.ref, source.commit) == (None, None, None):
            branch = base
        self._git("init", "--quiet")
        commit = self._commit(source.ref or (f"refs/heads/{branch}" if branch else "HEAD"))
        self._git("--work-tree", str(directory), "checkout", "--quiet", "--force", "--detach", commit)
        process.say(f"commit {commit}" + (f" of branch {branch}" if branch else ""))
        return Source(directory=directory, commit=commit, branch=branch or _as_branch(source.ref), base=base)

    def _default_branch(self) -> str | None:
        """None for a remote whose HEAD is detached, or that does not say."""
        answer = self._git("ls-remote", "--symref", "--", self._source.url, "HEAD")
        found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", answer, re.MULTILINE)
        return found[1] if found else None

    def _commit(self, ref: str) -> str:
        try:
            return self._fetch_commit(self._source.commit, ref)
        except Problem as problem:
            if self._source.pinned and problem.reason is Reason.REVISION_NOT_FOUND:
                gone = f"{self._source.url} has {self._source.commit} no more"
                raise Problem(Reason.COMMIT_GONE, gone) from problem
            raise

    def _fetch_commit(self, commit: str | None, ref: str) -> str:
        if commit is None:
            self._fetch(ref, "--depth=1")
            return self._git("rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}").strip()
        try:
            self._fetch(commit, "--depth=1")
        except Problem as problem:
            if problem.reason is not Reason.REVISION_NOT_FOUND:
                raise
            self._fetch(ref)  # a server that gives only what its refs name
        try:
            return self._git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").strip()
        except Problem as problem:
            raise self._no_such(commit) from problem

    def _fetch(self, what: str, *options: str) -> None:
        words = ("--quiet", "--no-tags", "--no-recurse-submodules", *options)
        try:
            self._git("fetch", *words, "--", self._source.url, what)
        except Problem as problem:
            if problem.reason is Reason.REVISION_NOT_FOUND:
                raise self._no_such(what) from problem
            raise

    def _no_such(self, what: str) -> Problem:
        return Problem(Reason.REVISION_NOT_FOUND, f"{self._source.url} has no {what}")

    def _git(self, *words: str) -> str:
        with process.start(["git", *self._settings, *words], self._env, cwd=self._cwd) as running:
            try:
                while True:
                    self._check()
                    try:
                        output, _ = running.communicate(timeout=_LOOK_EVERY_SECONDS)
                        break
                    except subprocess.TimeoutExpired:
                        continue
            except BaseException:
                process.end(running)
                raise
        said = output.decode(errors="replace")
        if running.returncode:
            print(said, flush=True)
            raise self._problem(said)
        return said

    def _problem(self, said: str) -> Problem:
        reason = next((reason for reason, sign in _ANSWERS if re.search(sign, said)), Reason.SOURCE_UNAVAILABLE)
        if shutil.disk_usage(self._cwd).free < _FULL_BYTES:
            reason = Reason.DISK_FULL  # git does not always say so
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "git said nothing")
        return Problem(reason, f"{self._source.url}: {last.removeprefix('fatal: ')}")
