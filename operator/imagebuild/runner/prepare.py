"""What can be found out while the daemon starts, in a thread of its own: the source, and what the registry has."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imagebuild.contract.codec import encode
from imagebuild.contract.plan import BranchCache, IfExists, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import LookUp
from imagebuild.runner import epoch
from imagebuild.runner.cacherefs import CacheRefs, beside, candidates, choose
from imagebuild.runner.command import made_from
from imagebuild.runner.credentials import Logins
from imagebuild.runner.egress import proxies
from imagebuild.runner.fetch import Fetch
from imagebuild.runner.identity import Identity, dockerfile
from imagebuild.runner.placeholders import images
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say
from imagebuild.runner.pushcheck import PushCheck
from imagebuild.runner.reference import repository
from imagebuild.runner.source import Source
from imagebuild.runner.tracing import Trace

if TYPE_CHECKING:
    from imagebuild.runner.registry import Registries

__all__ = ["Preparation"]

_LOOK_EVERY_SECONDS = 0.02


class Preparation(threading.Thread):
    """A daemon thread: a registry that does not answer must not keep a runner that has failed from ending."""

    def __init__(self, plan: Plan, work: Path, env: Mapping[str, str], logins: Logins, trace: Trace) -> None:
        super().__init__(daemon=True)
        self._plan, self._work, self._env, self._logins = plan, work, env, logins
        self._trace, self._given_up = trace, threading.Event()
        self._error: BaseException | None = None
        self.source = Source(directory=work)
        self.images: tuple[str, ...] = ()
        """Their placeholders filled."""
        self.contexts: tuple[tuple[str, Path], ...] = ()
        """Names and directories."""
        self.made_from = ""
        self.there: str | None = None
        """The digest of the images where they need not be built any more."""
        self.cache = CacheRefs()
        self.identity = Identity(plan, logins, env)
        """Who may pull and push where no Secret says so."""
        self.seconds = 0.0

    def __enter__(self) -> Preparation:  # noqa: PYI034 nothing is derived from it
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends a git that still runs; nobody waits for it any more."""
        self._given_up.set()

    def wait(self, check: Callable[[], None]) -> None:
        """Until all is found out. Raises what stood in the way, and what `check` raises."""
        while self.is_alive():
            check()
            self.join(_LOOK_EVERY_SECONDS)
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        began = time.monotonic()
        try:
            self.identity.look(json.dumps(encode(self._plan), ensure_ascii=False))
            self._logins = {**self._logins, **self.identity.logins}
            push = PushCheck(self._repositories(), self._registries)
            with self._trace.span("fetch"):
                self._fetch()
            self.identity.look(dockerfile(self._plan, self.source.directory))
            self.images = images(self._plan, self.source.commit, self.source.branch)
            with self._trace.span("look into registries"):
                self._ask_the_registry()
            if self.there is None:
                push.wait()
        except BaseException as error:  # noqa: BLE001 raised again where it is waited for
            self._error = error
        self.seconds = time.monotonic() - began

    def _fetch(self) -> None:
        plan = self._plan
        fetch = Fetch(plan=plan, work=self._work, env=self._env, logins=self._logins, check=self._check)
        self.source = fetch.source()
        others = [fetch.context(wanted, number, self.source) for number, wanted in enumerate(plan.contexts)]
        self.contexts = tuple((plan.contexts[number].name, found.directory) for number, found in enumerate(others))
        fetched = [found.commit or found.content for found in (self.source, *others)]
        self.made_from = made_from(plan, "\0".join(fetched), os.uname().machine)

    def _check(self) -> None:
        if self._given_up.is_set():
            raise Problem(Reason.STOPPED, "the build has ended")

    def _ask_the_registry(self) -> None:
        output, cache, given = self._plan.output, epoch.cache(self._plan, self.source), self._plan.cache_imports
        self.cache = CacheRefs(others=given.others)
        if output.if_exists is IfExists.OVERWRITE and cache is None and not given.refs:
            return
        from imagebuild.runner import existing  # noqa: PLC0415 as below

        registries = self._registries()
        self.there = existing.look(output, self.images, self.made_from, registries)
        if self.there is None:
            asked = [registries.ask(*ref.rsplit(":", 1)) for ref in given.refs]
            branch = self._look_for_cache(cache, registries) if cache is not None else CacheRefs()
            self.cache = beside(branch, given, [answer().found for answer in asked])

    def _repositories(self) -> list[tuple[str, str]]:
        """Where images are pushed, by hosts and names; whatever is left open in a name is not asked for."""
        found = dict.fromkeys(repository(image) for image in self._plan.output.images)
        return [each for each in found if "{" not in each[1]]

    def _registries(self) -> Registries:
        # half of what the runner takes to import, and not needed before the daemon is on its way
        from imagebuild.runner import registry  # noqa: PLC0415

        settings = {entry.host: entry for entry in self._plan.registries}
        ca = self._env.get("SSL_CERT_FILE")
        return registry.Registries(settings, self._logins, ca, proxies=proxies(self._env))

    def _look_for_cache(self, wanted: BranchCache, registries: Registries) -> CacheRefs:
        branch, base = self.source.branch, wanted.base or self.source.base
        asked = {tag: registries.ask(wanted.repository, tag) for tag in candidates(wanted, branch, base)}

        def look_up(tag: str) -> LookUp:
            found = asked[tag]().found
            say(f"cache {wanted.repository}:{tag}: {found}")
            return found

        return choose(wanted, branch, base, look_up)
