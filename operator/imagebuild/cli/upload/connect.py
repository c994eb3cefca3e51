"""The way to a registry: TLS with the authorities that docker and podman trust, and the proxies of the environment."""

from __future__ import annotations

import ipaddress
import ssl
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote_to_bytes

import urllib3

from imagebuild.cli.upload.problem import UploadError

__all__ = ["certificate_directories", "connect", "is_loopback"]

_TIMEOUT = urllib3.Timeout(
    connect=20, read=300
)  # a registry reads a large blob once more before it says that it has it
_CONNECTIONS = 8


def is_loopback(host: str) -> bool:
    """Registries there have no TLS, as docker takes it, too."""
    name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def certificate_directories(host: str, home: Path) -> list[Path]:
    places = (Path("/etc/docker"), Path("/etc/containers"), home / ".config/docker", home / ".config/containers")
    return [place / "certs.d" / host for place in places]


def connect(url: str, certificates: Iterable[Path]) -> urllib3.PoolManager:
    """`certificates`: directories with those of this registry alone. Raises UploadError."""
    scheme, _, host = url.partition("://")
    context = _tls(certificates) if scheme == "https" else None
    proxy = urllib.request.getproxies().get(scheme)
    if not proxy or is_loopback(host) or urllib.request.proxy_bypass(host):
        return urllib3.PoolManager(_CONNECTIONS, maxsize=_CONNECTIONS, ssl_context=context, timeout=_TIMEOUT)
    place = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
    headers = urllib3.make_headers(proxy_basic_auth=_plain(place.auth)) if place.auth else None
    return urllib3.ProxyManager(
        place._replace(auth=None).url,
        maxsize=_CONNECTIONS,
        proxy_headers=headers,
        ssl_context=context,
        timeout=_TIMEOUT,
    )


def _plain(auth: str) -> str:
    """User and password as they are, not as a URL has to write them; urllib3 makes bytes of them by Latin-1."""
    return unquote_to_bytes(auth).decode("latin-1")


def _tls(directories: Iterable[Path]) -> ssl.SSLContext:
    """OpenSSL's own authorities, which SSL_CERT_FILE and SSL_CERT_DIR replace, and what there is for this registry: its
    authorities (`*.crt`), and what we show it (`*.cert`, with its `*.key`).
    """
    context = ssl.create_default_context()
    for file in sorted(file for directory in directories for file in directory.glob("*.c*rt")):
        try:
            if file.suffix == ".crt":
                context.load_verify_locations(file)
            elif file.suffix == ".cert":
                context.load_cert_chain(file, file.with_suffix(".key"), password=_no_password)
        except OSError as error:  # ssl.SSLError is one
            said = f"{file} cannot be used for TLS ({error.strerror or error}): correct or remove it"
            raise UploadError(said) from error
    return context


def _no_password() -> str:
    """OpenSSL would ask on the terminal, also where there is none."""
    return ""
