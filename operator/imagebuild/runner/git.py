"""A commit of a git repository as a directory, with as little of its history and as few of its powers as that takes."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from imagebuild.contract.plan import GitSource
from imagebuild.contract.reasons import Reason
from imagebuild.runner import log, process
from imagebuild.runner.gitaccess import Access, access
from imagebuild.runner.problem import Problem
from imagebuild.runner.source import Place, Source

__all__ = ["checkout"]

T = TypeVar("T")

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
        r"couldn't find remote ref|invalid refspec|not our ref|unadvertised object|no such remote ref|did not contain",
    ),
    (Reason.HOST_KEY_UNKNOWN, r"host key is known for|HOST IDENTIFICATION HAS CHANGED|Host key verification failed"),
    (Reason.SECRET_INVALID, r"^Load key "),
    (Reason.TLS_FAILED, r"certificate|SSL"),
    (Reason.SOURCE_UNAUTHORIZED, r"Permission denied \("),
    (
        Reason.SOURCE_UNAUTHORIZED,
        r"Authentication failed|could not read Username|prompts disabled|error: 40[13]|repository '.*' not found",
    ),
)
"""What lines of git and ssh say, in the C locale; anything else is the network or the server."""
_USELESS = r"^(fatal: Could not read from remote repository|Please make sure you have the correct|and the repository)"


def checkout(git: GitSource, place: Place, *, base_wanted: bool = False) -> Source:
    """Raises Problem."""
    place.scratch.mkdir()
    with access(git, place.scratch / "access") as granted:
        return _Repository(git, place, granted).fetch(base_wanted=base_wanted)


def _as_branch(ref: str | None) -> str | None:
    """A pull request's ref is a line of work with a cache of its own, by its full name; a tag is built once."""
    return None if ref is None or ref.startswith("refs/tags/") else ref


class _Repository:
    def __init__(self, git: GitSource, place: Place, granted: Access) -> None:
        self._source, self._check, self._directory = git, place.check, place.directory
        env, dot_git = place.env, place.directory / ".git" if git.keep_git_dir else place.scratch / "git"
        more = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
        ca = {"GIT_SSL_CAINFO": env["SSL_CERT_FILE"]} if "SSL_CERT_FILE" in env else {}
        where = {"GIT_DIR": str(dot_git), "GIT_WORK_TREE": str(place.directory)}
        self._env = {**env, **more, **ca, **where, **granted.env}
        settings = {**_SETTINGS, **granted.settings}
        self._settings = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        self._given_up = False

    def fetch(self, *, base_wanted: bool) -> Source:
        source = self._source
        named = (source.branch, source.ref, source.commit) != (None, None, None)
        self._git("init", "--quiet")
        asks = base_wanted or not named
        with self._beside(self._default_branch) if asks else nullcontext(lambda: None) as base:
            branch = source.branch if named else base()
            if source.submodules or source.keep_git_dir:  # what relative URLs of submodules are relative to
                self._git("config", "remote.origin.url", source.url)
            commit, time = self._commit(source.ref or (f"refs/heads/{branch}" if branch else "HEAD"))
            self._git("checkout", "--quiet", "--force", "--detach", commit)
            if source.submodules:
                self._fetch_submodules()
            process.say(f"commit {commit}" + (f" of branch {branch}" if branch else ""))
            return Source(
                directory=self._directory,
                commit=commit,
                commit_time=time,
                branch=branch or _as_branch(source.ref),
                base=base(),
            )

    @contextmanager
    def _beside(self, work: Callable[[], T]) -> Iterator[Callable[[], T]]:
        """Begins it beside what follows. What is given waits for it, and raises what it has raised. It ends with what
        follows: nothing reads the credentials any more when they are removed."""
        found, failed = list[T](), list[BaseException]()

        def do() -> None:
            try:
                found.append(work())
            except BaseException as error:  # noqa: BLE001 raised again where it is waited for
                failed.append(error)

        def wait() -> T:
            thread.join()
            if failed:
                raise failed[0]
            return found[0]

        thread = threading.Thread(target=do, daemon=True)
        thread.start()
        try:
            yield wait
        finally:
            self._given_up = True
            thread.join()

    def _fetch_submodules(self) -> None:
        self._git("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1", "--force")
        if not self._source.keep_git_dir:
            for link in self._directory.rglob(".git"):
                link.unlink()  # a file that names the submodule's own git directory

    def _default_branch(self) -> str | None:
        """None for a remote whose HEAD is detached, or that does not say."""
        answer = self._git("ls-remote", "--symref", "--", self._source.url, "HEAD")
        found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", answer, re.MULTILINE)
        return found[1] if found else None

    def _commit(self, ref: str) -> tuple[str, str]:
        """Its id and its time."""
        try:
            return self._fetch_commit(self._source.commit, ref)
        except Problem as problem:
            if self._source.pinned and problem.reason is Reason.REVISION_NOT_FOUND:
                gone = f"{self._source.url} has {self._source.commit} no more"
                raise Problem(Reason.COMMIT_GONE, gone) from problem
            raise

    def _fetch_commit(self, commit: str | None, ref: str) -> tuple[str, str]:
        if commit is None:
            self._fetch(ref, "--depth=1")
            try:
                return self._shown("FETCH_HEAD")
            except Problem as problem:  # a tag may name anything
                raise self._no_such(f"commit at {ref}") from problem
        try:
            self._fetch(commit, "--depth=1")
        except Problem as problem:
            if problem.reason is not Reason.REVISION_NOT_FOUND:
                raise
            self._fetch(ref)  # a server that gives only what its refs name
        try:
            return self._shown(commit)
        except Problem as problem:
            raise self._no_such(commit) from problem

    def _shown(self, what: str) -> tuple[str, str]:
        said = self._git("show", "--no-patch", "--format=%H %ct", f"{what}^{{commit}}", "--")
        commit, _, time = said.splitlines()[-1].partition(" ")  # below any warning
        return commit, time

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
        with process.start(["git", *self._settings, *words], self._env, cwd=self._directory) as running:
            try:
                while True:
                    self._look()
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
            for line in said.splitlines():
                log.write(line)
            raise self._problem(said)
        return said

    def _look(self) -> None:
        self._check()
        if self._given_up:  # by the fetch, which has failed and says why
            raise Problem(Reason.SOURCE_UNAVAILABLE, f"{self._source.url}: given up")

    def _problem(self, said: str) -> Problem:
        lines = [line.strip("@ ") for line in said.splitlines() if line.strip("@ ") and not re.search(_USELESS, line)]
        last = (Reason.SOURCE_UNAVAILABLE, next(reversed(lines), "git said nothing"))
        known = ((reason, line) for reason, sign in _ANSWERS for line in lines if re.search(sign, line))
        reason, line = next(known, last)
        if shutil.disk_usage(self._directory).free < _FULL_BYTES:
            reason = Reason.DISK_FULL  # git does not always say so
        return Problem(reason, f"{self._source.url}: {line.removeprefix('fatal: ')}")
