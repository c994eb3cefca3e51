"""The administrator's egress proxy: how build pods reach what is outside of the cluster."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from imagebuild.api.model import Model, SecretReference

_ADDRESS = re.compile(r"http://((?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5})/?")
_LAST_PORT = 65535
_HOST = re.compile(r"\*|(\*\.|\.)?[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?")


def _address(url: str) -> str:
    found = _ADDRESS.fullmatch(url)
    if found is None or not 0 < int(found[1].rpartition(":")[2]) <= _LAST_PORT:
        raise ValueError("must be http://HOST:PORT, without a user name: that and the password are in secretRef")
    return url


def _direct(rule: str) -> str:
    if _HOST.fullmatch(rule):
        return rule
    try:
        ipaddress.ip_network(rule, strict=False)
    except ValueError as error:
        raise ValueError("must be a host, host:port, .suffix, *.suffix, an IP address, a CIDR, or *") from error
    return rule


ProxyAddress = Annotated[str, AfterValidator(_address)]


class ProxyConfig(Model):
    model_config = ConfigDict(extra="forbid")

    http: ProxyAddress | None = None
    """For http:// URLs: http://HOST:PORT. Default: these are reached directly."""
    https: ProxyAddress | None = None
    """For https:// URLs, by CONNECT: http://HOST:PORT. Default: these are reached directly."""
    no_proxy: Annotated[tuple[Annotated[str, AfterValidator(_direct)], ...], Field(max_length=200)] = ()
    """What is reached directly. example.com is the host and all below it, .example.com and *.example.com only those
    below, each with :PORT where only that is meant; IP addresses and CIDRs count where a URL has an address; * is
    everything. Loopback and 169.254.0.0/16 are always reached directly."""
    secret_ref: SecretReference | None = None
    """A Secret of type kubernetes.io/basic-auth that each namespace with builds has: what the proxy asks for. Default:
    it asks for nothing."""
    offer_to_run: bool = True
    """RUN steps get HTTP_PROXY, HTTPS_PROXY and NO_PROXY, without any password, and not kept in the image."""


def authority(url: str) -> str:
    """host:port"""
    found = _ADDRESS.fullmatch(url)
    assert found is not None, url
    return found[1]
