"""How everything in the pod gets outside: the environment for programs, arguments for RUN steps, and what a proxy that
stands in the way has to do with a build's failure."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from imagebuild.contract import layout
from imagebuild.contract.plan import Mount, Plan, Proxy
from imagebuild.contract.reasons import Reason
from imagebuild.runner import mounted
from imagebuild.runner.problem import Problem
from imagebuild.runner.process import say

if TYPE_CHECKING:
    from imagebuild.runner.forward import Forwarder

__all__ = ["Egress", "egress", "proxies"]

_PERHAPS = {
    Reason.SOURCE_UNAVAILABLE,
    Reason.SOURCE_UNAUTHORIZED,
    Reason.REGISTRY_UNAVAILABLE,
    Reason.REGISTRY_UNAUTHORIZED,
    Reason.REGISTRY_DENIED,
    Reason.UNKNOWN,
}
"""What is said of a server that a proxy kept from being reached."""
_NAMED_IN = "the operator's configuration, proxy.secretRef"


@dataclass(frozen=True, slots=True)
class Egress:
    environment: Mapping[str, str] = field(default_factory=dict)
    """With nothing secret in it. In both cases of letters, since programs know one or the other."""
    offered: bool = False
    proxy: Forwarder | None = None

    def offer(self, plan: Plan) -> Plan:
        """BuildKit knows these arguments and gives them to RUN steps, but neither to the image nor to the cache's keys.
        What the spec has under one of the names stays as it is."""
        if not self.offered:
            return plan
        given = {word.partition("=")[0].removeprefix("build-arg:").upper() for word in plan.args}
        words = [
            word
            for name, value in self.environment.items()
            if name.isupper() and name not in given
            for word in ("--opt", f"build-arg:{name}={value}")
        ]
        return replace(plan, args=(*plan.args, *words))

    def cause(self, reason: Reason, message: str) -> Problem | None:
        """What is behind a failure, where it is the proxy."""
        if self.proxy is None or reason not in _PERHAPS:
            return None
        if self.proxy.trouble is not None:
            return self.proxy.trouble
        said = next((said for host, said in self.proxy.refused.items() if host in message), None)
        return Problem(Reason.PROXY_REFUSED, said) if said else None


@contextlib.contextmanager
def egress(wanted: Proxy | None) -> Iterator[Egress]:
    """Raises Problem for a Secret that is missing or does not fit."""
    if wanted is None:
        yield Egress()
        return
    from imagebuild.runner.forward import Forwarder, Route  # noqa: PLC0415 most clusters have no proxy

    authorization = _authorization(wanted.secret) if wanted.secret else ""
    route = Route(
        http=wanted.http,
        https=wanted.https,
        direct=wanted.direct,
        authorization=authorization,
        login=f"as in the Secret {wanted.secret.name}" if wanted.secret else "not given: proxy.secretRef is not set",
    )
    with Forwarder(route, layout.PROXY_PORT) as proxy:
        say(f"requests go through {' and '.join(dict.fromkeys(filter(None, (wanted.http, wanted.https))))}")
        yield Egress(_environment(wanted, proxy.url), wanted.offer_to_run, proxy)


def proxies(environment: Mapping[str, str]) -> dict[str, str]:
    """By scheme, for urllib, which would otherwise read the runner's own environment."""
    return {scheme: environment[name] for scheme in ("http", "https") if (name := f"{scheme}_proxy") in environment}


def _environment(wanted: Proxy, url: str) -> dict[str, str]:
    from imagebuild.runner.direct import as_environment  # noqa: PLC0415 the same

    given = {"HTTP_PROXY": wanted.http and url, "HTTPS_PROXY": wanted.https and url}
    pairs = {**{name: value for name, value in given.items() if value}, "NO_PROXY": as_environment(wanted.direct)}
    return {**pairs, **{name.lower(): value for name, value in pairs.items()}}


def _authorization(secret: Mount) -> str:
    """Says nothing of any content."""
    values = {key: value.rstrip("\r\n") for key, value in mounted.secret(secret, _NAMED_IN).items()}
    user, password = values.get("username"), values.get("password")
    if not user or password is None:
        what = f"the Secret {secret.name} has the keys {', '.join(values)}, but not username and password"
        raise Problem(Reason.SECRET_INVALID, f"{what} (named in {_NAMED_IN})")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
