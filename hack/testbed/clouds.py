"""Three clouds as a build pod sees them: who hands out tokens, and registries that take nothing else.

Plain HTTP: Amazon's STS and ECR, Google's metadata server, Microsoft's authority. TLS: a registry of each, by the name
that it has there, in front of an open one. Tokens of service accounts are looked into but not verified: that is the
API server's part. This file is also what runs in the pod: `python3 clouds.py REGISTRY CERTIFICATES PORT`.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HTTP, TLS = 8080, 8443
ECR, GAR, ACR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "europe-west1-docker.pkg.dev", "team.azurecr.io"
ROLE, CLIENT, TENANT = "arn:aws:iam::123456789012:role/ecr-push", "client-4711", "tenant-0815"
SECRETS = {name: f"only-{name}-knows-this" for name in ("session", "ecr", "google", "aad", "refresh", "access")}
"""What is handed out, and must not be found where others can read."""
STRANGERS = "cloud-denied"
"""Service accounts of this name have an identity that may do nothing."""
_ACR_USER = "00000000-0000-0000-0000-000000000000"
_HOUR = 3600
_PASSED_ON = ("Accept", "Content-Type", "Content-Range", "Range")
_PASSED_BACK = ("Content-Type", "Content-Range", "Docker-Content-Digest", "Docker-Upload-UUID", "Range", "Location")
_STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId>
<SecretAccessKey>key</SecretAccessKey><SessionToken>{session}</SessionToken><Expiration>{until}</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""
_STS_DENIED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error>
</ErrorResponse>"""


def account(token: str, audience: str) -> str | None:
    """The name of the service account that a token is of, if it is for this audience."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return str(claims["sub"].rpartition(":")[2]) if audience in claims["aud"] else None
    except (IndexError, ValueError, KeyError):
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: str

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body().decode()))

    def answer(self, code: int, content: bytes | dict[str, Any] = b"", headers: dict[str, str] | None = None) -> None:
        kind = {"Content-Type": "application/json"} if isinstance(content, dict) else {}
        sent = json.dumps(content).encode() if isinstance(content, dict) else content
        self.send_response(code)
        for name, value in {"Content-Length": str(len(sent)), **kind, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name in the standard library
        print(f"{self.headers.get('Host')} {format % args}", flush=True)


class Tokens(Handler):
    """Those who hand out tokens."""

    def do_GET(self) -> None:
        google = self.headers.get("Metadata-Flavor") == "Google"
        if google and "/service-accounts/default/token" in self.path:
            token = {"access_token": SECRETS["google"], "expires_in": _HOUR, "token_type": "Bearer"}
            self.answer(200, token, {"Metadata-Flavor": "Google"})
        else:
            self.answer(404, headers={"Metadata-Flavor": "Google"})

    def do_POST(self) -> None:
        if self.headers.get("X-Amz-Target", "").endswith(".GetAuthorizationToken"):
            self._ecr(json.loads(self.body() or b"{}"))
        elif self.path.startswith(f"/{TENANT}/oauth2/token"):
            self._authority(self.form())
        else:
            self._sts(self.form())

    def _sts(self, asked: dict[str, str]) -> None:
        name = account(asked.get("WebIdentityToken", ""), "sts.amazonaws.com")
        allowed = name not in (None, STRANGERS) and asked.get("RoleArn") == ROLE
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + _HOUR))
        told = _STS.format(until=until, session=SECRETS["session"]) if allowed else _STS_DENIED
        self.answer(200 if allowed else 403, told.encode(), {"Content-Type": "text/xml"})

    def _ecr(self, asked: dict[str, Any]) -> None:
        if self.headers.get("X-Amz-Security-Token") != SECRETS["session"] or asked.get("registryIds") != [ECR[:12]]:
            self.answer(400, {"__type": "UnrecognizedClientException", "message": "the security token is invalid"})
            return
        token = base64.b64encode(f"AWS:{SECRETS['ecr']}".encode()).decode()
        data = {"authorizationToken": token, "expiresAt": time.time() + _HOUR, "proxyEndpoint": f"https://{ECR}"}
        self.answer(200, {"authorizationData": [data]})

    def _authority(self, asked: dict[str, str]) -> None:
        name = account(asked.get("client_assertion", ""), "api://AzureADTokenExchange")
        now = int(time.time())
        times = {"expires_in": str(_HOUR), "expires_on": str(now + _HOUR), "not_before": str(now)}
        token = {"access_token": SECRETS["aad"], "resource": "", "token_type": "Bearer", **times}
        if name and asked.get("client_id") == CLIENT:
            self.answer(200, token)
        else:
            self.answer(401, {"error": "invalid_client"})


class Registries(Handler):
    """By the name under which they are asked."""

    def do_GET(self) -> None:
        if self.path.startswith("/oauth2/"):
            self._acr_token(self.path.partition("?")[0])
        elif self.headers.get("Authorization", "") in self._wanted():
            self._pass_on()
        else:
            self.body()
            acr = f'Bearer realm="https://{ACR}/oauth2/token",service="{ACR}"'
            challenge = acr if self.headers["Host"] == ACR else 'Basic realm="cloud"'
            self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": challenge})

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 names of the standard library

    def _wanted(self) -> list[str]:
        return {
            ECR: [_basic("AWS", SECRETS["ecr"])],
            GAR: [_basic("oauth2accesstoken", SECRETS["google"])],
            ACR: [f"Bearer {SECRETS['access']}"],
        }.get(self.headers["Host"], [])

    def _acr_token(self, path: str) -> None:
        asked = self.form()
        if path == "/oauth2/exchange" and asked.get("access_token") == SECRETS["aad"] and asked.get("service") == ACR:
            self.answer(200, {"refresh_token": SECRETS["refresh"]})
        elif path == "/oauth2/token" and (
            asked.get("refresh_token") == SECRETS["refresh"]
            or _pair(self.headers.get("Authorization", "")) == (_ACR_USER, SECRETS["refresh"])
        ):
            self.answer(200, {"access_token": SECRETS["access"]})
        else:
            self.answer(401, {"errors": [{"code": "UNAUTHORIZED"}]})

    def _pass_on(self) -> None:
        given = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        host = {"Host": self.headers["Host"], "X-Forwarded-Proto": "https"}
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        connection.request(self.command, self.path, self.body() or None, {**given, **host})
        found = connection.getresponse()
        content = found.read()
        headers = {name: found.headers[name] for name in _PASSED_BACK if name in found.headers}
        if self.command == "HEAD":
            headers["Content-Length"] = found.headers.get("Content-Length", "0")
        connection.close()
        self.answer(found.status, content, headers)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _pair(header: str) -> tuple[str, str]:
    try:
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except ValueError:
        return "", ""
    return user, password


def serve(registry: str, certificates: Path, port: int) -> None:
    tokens = ThreadingHTTPServer(("", HTTP), Tokens)
    threading.Thread(target=tokens.serve_forever, daemon=True).start()
    registries = ThreadingHTTPServer(("", port), type("Behind", (Registries,), {"upstream": registry}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "tls.crt", certificates / "tls.key")
    registries.socket = context.wrap_socket(registries.socket, server_side=True)
    registries.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
