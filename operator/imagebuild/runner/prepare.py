"""What can be found out while the daemon starts, in a thread of its own: the source, and which cache refs exist."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from imagebuild.contract.plan import Plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp
from imagebuild.runner.cacherefs import CacheRefs, choose
from imagebuild.runner.credentials import Logins
from imagebuild.runner.fetch import Source, fetch
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

__all__ = ["Preparation"]

_LOOK_EVERY_SECONDS = 0.02


class Preparation(threading.Thread):
    """A daemon thread: a registry that does not answer must not keep a runner that has failed from ending."""

    def __init__(self, plan: Plan, work: Path, env: Mapping[str, str], logins: Logins) -> None:
        super().__init__(daemon=True)
        self._plan, self._work, self._env, self._logins = plan, work, env, logins
        self._given_up = threading.Event()
        self._error: BaseException | None = None
        self.source = Source(directory=work)
        self.cache = CacheRefs()
        self.seconds = 0.0

    def __enter__(self) -> Preparation:  # noqa: PYI034 nothing is derived from it
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends a git that still runs; nobody waits for it any more."""
        self._given_up.set()

    def wait(self, check: Callable[[], None]) -> None:
        """Until `source` and `cache` are there. Raises what stood in the way, and what `check` raises."""
        while self.is_alive():
            check()
            self.join(_LOOK_EVERY_SECONDS)
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        began = time.monotonic()
        try:
            self.source = fetch(self._plan, self._work, self._env, self._check)
            self.cache = self._look_for_cache()
        except BaseException as error:  # noqa: BLE001 raised again where it is waited for
            self._error = error
        self.seconds = time.monotonic() - began

    def _check(self) -> None:
        if self._given_up.is_set():
            raise Problem(Reason.STOPPED, "the build has ended")

    def _look_for_cache(self) -> CacheRefs:
        wanted = self._plan.cache
        if wanted is None:
            return CacheRefs()
        # half of what the runner takes to import, and not needed before the daemon is on its way
        from imagebuild.runner.registry import Registries  # noqa: PLC0415

        settings = {entry.host: entry for entry in self._plan.registries}
        registries = Registries(settings, self._logins, self._env.get("SSL_CERT_FILE"))

        def look_up(tag: str) -> LookUp:
            found = registries.look_up(wanted.repository, tag)
            say(f"cache {wanted.repository}:{tag}: {found}")
            return found

        return choose(wanted, self.source.branch, wanted.base or self.source.base, look_up)
