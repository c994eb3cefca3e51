"""Client certificates for registries: looked at before anything is asked, and named where one was wanted.

A build that names the registry itself waits for the Secret at once. Whether its Dockerfile does is not known before
BuildKit asks there: a build that never does is not to wait for a Secret that its namespace does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from imagebuild.contract.plan import Mount, Plan, Registry
from imagebuild.contract.reasons import Reason
from imagebuild.runner import mounted
from imagebuild.runner.problem import Problem
from imagebuild.runner.reference import pushed, split

__all__ = ["Certified", "certified", "files"]

_CERTIFICATE, _KEY = "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    plan: Plan
    """Its registries have the client certificates that are there."""
    missing: Mapping[str, str]
    """Host → Secret."""

    def cause(self, reason: Reason, message: str) -> Problem | None:
        """What is behind a failure, where it is a Secret that is not there."""
        if reason is not Reason.CLIENT_CERTIFICATE_REFUSED:
            return None
        host = next((host for host in self.missing if host in message), None)
        return _missing(self.missing[host], host) if host else None


def certified(plan: Plan) -> Certified:
    """Raises Problem for a Secret that is missing and certainly needed, or does not fit."""
    named, missing = _hosts(plan), {}
    for registry in plan.registries:
        secret = registry.client_certificate
        if secret is None:
            continue
        if not mounted.files(secret):
            if registry.host in named:
                raise _missing(secret.name, registry.host)
            missing[registry.host] = secret.name
        else:
            _fits(secret, registry.host)
    there = tuple(replace(it, client_certificate=None) if it.host in missing else it for it in plan.registries)
    words = [word for registry in there if registry.client_certificate for word in _for_token_servers(registry)]
    return Certified(plan=replace(plan, registries=there, args=(*plan.args, *words)), missing=missing)


def files(secret: Mount) -> tuple[str, str]:
    """Of the certificate and of its key."""
    return f"{secret.path}/{_CERTIFICATE}", f"{secret.path}/{_KEY}"


def _hosts(plan: Plan) -> set[str]:
    """Of the registries that the build names itself."""
    sources = [plan.oci, *(context.oci for context in plan.contexts)]
    images = [*plan.cache_imports.refs, *(source.image for source in sources if source)]
    return {host for host, _ in pushed(plan)} | {split(image)[0] for image in images}


def _for_token_servers(registry: Registry) -> tuple[str, ...]:
    """buildctl, not buildkitd, asks the server to which the registry sends for a token."""
    assert registry.client_certificate is not None
    certificate, key = files(registry.client_certificate)
    return "--registry-auth-tlscontext", f"host={registry.host},cert={certificate},key={key}"


def _missing(secret: str, host: str) -> Problem:
    place = f"registries[{host}].clientCertificate"
    said = f"the Secret {secret} does not exist (named in the operator's configuration, {place})"
    return Problem(Reason.SECRET_MISSING, said)


def _fits(secret: Mount, host: str) -> None:
    """Says nothing of any content."""
    import ssl  # noqa: PLC0415 slow to import, and most plans have none

    where = f"(named in the operator's configuration, registries[{host}].clientCertificate)"
    found = mounted.files(secret)
    if not {_CERTIFICATE, _KEY} <= found.keys():
        what = f"the Secret {secret.name} has the keys {', '.join(found)}, but not {_CERTIFICATE} and {_KEY}"
        raise Problem(Reason.SECRET_INVALID, f"{what} {where}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(*files(secret), password="")
    except (ssl.SSLError, ValueError) as error:
        what = f"{_CERTIFICATE} and {_KEY} in the Secret {secret.name} are no certificate with its key in PEM"
        raise Problem(Reason.SECRET_INVALID, f"{what} {where}") from error
