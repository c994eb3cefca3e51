"""The administrator's egress proxy, as the plan and the mount of its Secret."""

from __future__ import annotations

from imagebuild.api.config import OperatorConfig
from imagebuild.api.proxy import authority
from imagebuild.contract import layout, plan
from imagebuild.core.part import Part, PlanFields, secret_volume


def proxy(config: OperatorConfig) -> Part:
    """As it is in force in the namespace."""
    wanted = config.proxy
    if not (wanted.http or wanted.https):
        return Part()
    name = wanted.secret_ref.name if wanted.secret_ref else None
    described = plan.Proxy(
        http=authority(wanted.http) if wanted.http else None,
        https=authority(wanted.https) if wanted.https else None,
        direct=wanted.no_proxy,
        secret=plan.Mount(name=name, path=layout.PROXY_SECRET_DIR) if name else None,
        offer_to_run=wanted.offer_to_run,
    )
    part = Part(plan=PlanFields(proxy=described))
    if name is None:
        return part
    return part + secret_volume("egress-proxy", layout.PROXY_SECRET_DIR, name)
