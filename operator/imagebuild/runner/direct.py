"""`noProxy`: what is reached without the proxy, by the rules of Go, which buildkitd and buildctl keep themselves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

__all__ = ["as_environment", "is_direct"]

_ALWAYS = ("localhost", "127.0.0.0/8", "::1", "169.254.0.0/16")
"""The pod itself, and where clouds give credentials to it."""


def is_direct(rules: Iterable[str], host: str, port: int) -> bool:
    host = host.lower().rstrip(".").strip("[]")
    return any(_matches(rule.lower(), host, port) for rule in (*_ALWAYS, *rules))


def as_environment(rules: Iterable[str]) -> str:
    """NO_PROXY as most programs read it. git's curl knows no ports, and Python no networks either: what a program does
    not know it sends to the runner's own port, from where it goes directly."""
    return ",".join(dict.fromkeys((*_ALWAYS, "127.0.0.1", *(rule.removeprefix("*") or rule for rule in rules))))


def _matches(rule: str, host: str, port: int) -> bool:
    if rule == "*":
        return True
    address = _address(host)
    try:
        network = ipaddress.ip_network(rule, strict=False)
    except ValueError:
        network = None
    if network is not None:
        return address is not None and address in network
    name, colon, only = rule.removeprefix("*").rpartition(":") if ":" in rule else (rule.removeprefix("*"), "", "")
    if colon and only != str(port):
        return False
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
