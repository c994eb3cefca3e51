"""Credentials for git: from a mounted Secret into files that only git's own helpers read, and that go with the fetch.

Nothing secret is an argument or in the environment, and nothing is offered to another host than the URL's, such as that
of a submodule. The host keys of an SSH server are pinned: what known_hosts does not have is not talked to.
"""

from __future__ import annotations

import re
import shlex
import shutil
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.contract.plan import GitSource, Mount
from imagebuild.contract.reasons import Reason
from imagebuild.runner import mounted
from imagebuild.runner.problem import Problem

__all__ = ["Access", "access"]

_TOKEN_USER = "x-access-token"
"""Where the Secret names no user. GitHub asks for this one with a token; GitLab and Gitea take any."""
_SSH = re.compile(r"(?:ssh://(?:[^/@]+@)?(?P<host>[^/:]+)(?::(?P<port>\d+))?/|[^/@]+@(?P<scp>[^/:]+):)")
_SSH_CONFIG = """\
Host {host}
  IdentityFile {directory}/key
Host *
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {directory}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  ConnectTimeout 30
  ServerAliveInterval 15
  ServerAliveCountMax 4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of git."""
    env: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def access(git: GitSource, directory: Path) -> Iterator[Access]:
    """`directory` is made for as long as the credentials are needed. Raises Problem for a Secret that does not fit."""
    over_ssh = _SSH.match(git.url)
    if git.secret is None:
        yield Access()
        return
    values = mounted.secret(git.secret)
    directory.mkdir(mode=0o700)
    try:
        if over_ssh:
            yield _with_key(git.secret, values, over_ssh, directory)
        else:
            yield _with_password(git, git.secret, values, directory)
    finally:
        shutil.rmtree(directory)


def _with_password(git: GitSource, secret: Mount, values: Mapping[str, str], directory: Path) -> Access:
    password = values.get("password") or values.get("token")
    if not password:
        also = " for a URL that begins with ssh:// or user@host:" if "ssh-privatekey" in values else ""
        raise _unfit(secret, values, f"no password and no token{also}")
    user = values.get("username", "").strip() or _TOKEN_USER
    place = urllib.parse.urlsplit(git.url)
    pair = ":".join(urllib.parse.quote(word, safe="") for word in (user, password.strip("\r\n")))
    file = _written(directory / "credentials", f"{place.scheme}://{pair}@{place.netloc}\n")
    return Access(settings={"credential.helper": f"store --file={shlex.quote(str(file))}"})


def _with_key(secret: Mount, values: Mapping[str, str], url: re.Match[str], directory: Path) -> Access:
    host, port = url["host"] or url["scp"], url["port"]
    key, known_hosts = values.get("ssh-privatekey", "").strip(), values.get("known_hosts", "").strip()
    if not key:
        raise _unfit(secret, values, "no ssh-privatekey, which a URL for ssh needs")
    if not known_hosts:
        scan = f"ssh-keyscan {f'-p {port} ' if port else ''}{host} > known_hosts"
        raise _unfit(
            secret, values, f"no known_hosts, and a server is never trusted at first sight: make one with `{scan}`, "
            "compare the key with what the server's owner publishes, and add it to the Secret"
        )  # fmt: skip
    # ssh takes no key without a last newline, and kubectl's --from-literal leaves it away
    _written(directory / "key", key.replace("\r\n", "\n") + "\n")
    _written(directory / "known_hosts", known_hosts + "\n")
    config = _written(directory / "config", _SSH_CONFIG.format(host=host, directory=directory))
    return Access(
        settings={"protocol.ssh.allow": "always"},
        env={"GIT_SSH_COMMAND": f"ssh -F {shlex.quote(str(config))}", "GIT_SSH_VARIANT": "ssh"},
    )


def _unfit(secret: Mount, values: Mapping[str, str], what: str) -> Problem:
    return Problem(Reason.SECRET_INVALID, f"the Secret {secret.name} has the keys {', '.join(values)}, but {what}")


def _written(file: Path, text: str) -> Path:
    file.touch(mode=0o600)
    file.write_text(text)
    return file
