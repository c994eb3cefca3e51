"""Where the administrator wants the traces of builds."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, ConfigDict

from imagebuild.api.model import Model

_ENDPOINT = re.compile(r"https?://(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(?::([0-9]{1,5}))?(?:/[a-zA-Z0-9._~/-]*)?")
_LAST_PORT = 65535
_GRPC_PORT = 4317
_LINK = re.compile(r"https?://[^\s{}]*\{traceID\}[^\s{}]*")


def _endpoint(url: str) -> str:
    found = _ENDPOINT.fullmatch(url)
    if found is None or not 0 < int(found[1] or 80) <= _LAST_PORT:
        raise ValueError("must be http://HOST:PORT or https://HOST:PORT, perhaps with a path, and without a user name")
    if int(found[1] or 80) == _GRPC_PORT:
        raise ValueError("port 4317 is for OTLP over gRPC: give the collector's port for OTLP over HTTP, such as 4318")
    return url.rstrip("/").removesuffix("/v1/traces")


def _link(template: str) -> str:
    if not _LINK.fullmatch(template):
        raise ValueError("must be an address such as https://grafana.example.com/trace/{traceID}")
    return template


class TracingConfig(Model):
    model_config = ConfigDict(extra="forbid")

    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    """Where an OpenTelemetry collector takes OTLP over HTTP, such as http://otel-collector.observability:4318. The
    operator and build pods send there, never through a proxy. Default: there are no traces."""
    link: Annotated[str, AfterValidator(_link)] | None = None
    """Where people see a trace: an address with {traceID} in it. It goes into status.trace."""
