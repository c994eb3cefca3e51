"""A repository as a user names it, and the way there: its server, the user's login, certificates and proxies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from imagebuild.cli.upload.connect import certificate_directories, connect, is_loopback
from imagebuild.cli.upload.login import find_login, login_files
from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.registry import Connection, Repository
from imagebuild.cli.upload.token import PUSH, Tokens

__all__ = ["reach"]


def reach(
    repository: str,
    environ: Mapping[str, str],
    sleep: Callable[[float], object],
    *,
    plain_http: bool,
    actions: str = PUSH,
    sent: Callable[[int], None] = lambda _: None,
) -> Repository:
    """`repository` begins with the registry's host. `sent` is told of bytes as they go out. Raises UploadError."""
    host, _, path = repository.partition("/")
    if not path or not ("." in host or ":" in host or host == "localhost"):
        raise UploadError(f"{repository} does not begin with a registry: write docker.io/alice/app, not alice/app")
    path = f"library/{path}" if host == "docker.io" and "/" not in path else path
    home = Path(environ.get("HOME") or Path.home())
    scheme = "http" if plain_http or is_loopback(host) else "https"
    server = f"{scheme}://{'registry-1.docker.io' if host == 'docker.io' else host}"
    http = connect(server, certificate_directories(host, home))
    login = partial(find_login, host, path, login_files(environ, home), environ)
    tokens = Tokens(http, server, path, login, actions)
    return Repository(Connection(http=http, server=server, tokens=tokens, sleep=sleep), host, path, sent)
