"""Whether the registries will take the images, found out while the source is fetched: a wrong password costs seconds.

The first request of each push is made, the one that begins an upload, and taken back. Only an answer that the push
would get as well ends the build; whatever is not clear is left to the push.

| answer                                             | what becomes of the build                        |
|----------------------------------------------------|--------------------------------------------------|
| 2xx                                                | goes on                                          |
| 401, of the registry or of its token server        | RegistryUnauthorized                             |
| 401 although there is a token (insufficient_scope) | RegistryDenied                                   |
| 403 with a code of the registry API                | RegistryDenied; not about a quota or maintenance |
| 404 with NAME_UNKNOWN                              | RepositoryNotFound                               |
| anything else, or nothing within five seconds      | goes on                                          |

A registry that makes repositories by a push makes them by this request, so it answers 2xx.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from imagebuild.contract.reasons import Reason
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

if TYPE_CHECKING:
    from imagebuild.runner.registry import Registries

__all__ = ["PushCheck", "refusal"]

_SECONDS = 5.0
_BODY_BYTES = 64 << 10
_MESSAGE = 200
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_PASSES = re.compile(r"quota|read.?only|maintenance", re.IGNORECASE)
"""What may be over until the push, or is not about the first request."""


class PushCheck:
    """Asks at once, in threads of its own."""

    def __init__(
        self, repositories: Iterable[tuple[str, str]], registries: Callable[[], Registries], seconds: float = _SECONDS
    ) -> None:
        """`registries` is called in these threads, since that may take a while to import."""
        self._registries, self._end = registries, time.monotonic() + seconds
        self._answers = {each: _Answer() for each in repositories}
        for (host, name), answer in self._answers.items():
            threading.Thread(target=self._ask, args=(host, name, answer), daemon=True).start()

    def wait(self) -> None:
        """Raises Problem for the first registry that refuses. Takes no longer than the time limit from the start."""
        for (host, name), answer in self._answers.items():
            answer.given.wait(max(0.0, self._end - time.monotonic()))
            say(f"push to {host}/{name}: {answer.word}")
            if answer.problem is not None:
                raise answer.problem

    def _ask(self, host: str, name: str, answer: _Answer) -> None:
        undo: Callable[[], None] = _nothing
        try:
            registries = self._registries()
            try:
                undo, answer.word = registries.begin_upload(host, name), "allowed"
            except HTTPError as error:
                answer.problem = refusal(host, name, error, known=registries.has_login(host))
                answer.word = "refused" if answer.problem is not None else f"not clear ({error.code})"
        except Exception as error:  # noqa: BLE001 whatever it is, the push will tell
            answer.word = f"not clear ({type(error).__name__})"
        answer.given.set()
        undo()


def _nothing() -> None:
    pass


class _Answer:
    def __init__(self) -> None:
        self.given = threading.Event()
        self.problem: Problem | None = None
        self.word = "no answer in time"


def refusal(host: str, name: str, error: HTTPError, *, known: bool | None) -> Problem | None:
    """What a push would end with, too. `known`: there are credentials for the registry; None: not for us."""
    code, said = _said(error)
    if known is None or _PASSES.search(said):
        return None
    where = f"{host}/{name}: asked before the build, the registry refuses the push"
    told = f"{where}: {error.code} {said or error.reason}".rstrip()
    login = f"{told}; it does not take the user and password that the build has for {host}"
    challenge = error.headers.get("WWW-Authenticate", "") if error.headers else ""
    if error.code == _UNAUTHORIZED and not known:
        return Problem(Reason.REGISTRY_UNAUTHORIZED, f"{where}: no Secret in registrySecrets is for {host}")
    if error.code == _UNAUTHORIZED:
        lacks = "insufficient_scope" in challenge
        return Problem(Reason.REGISTRY_DENIED, told) if lacks else Problem(Reason.REGISTRY_UNAUTHORIZED, login)
    if error.code == _FORBIDDEN and code in ("DENIED", "UNAUTHORIZED"):
        return Problem(Reason.REGISTRY_DENIED, told)
    if error.code == _NOT_FOUND and code == "NAME_UNKNOWN":
        return Problem(Reason.REPOSITORY_NOT_FOUND, told)
    return None


def _said(error: HTTPError) -> tuple[str, str]:
    """Code and message as the registry API has them; empty where the answer is of another kind."""
    try:
        first = json.loads(error.read(_BODY_BYTES))["errors"][0]
        code, message = str(first["code"]), " ".join(str(first.get("message") or "").split())
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return "", ""
    return code, f"{code}: {message}"[:_MESSAGE]
