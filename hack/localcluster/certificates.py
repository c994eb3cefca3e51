"""Certificate authorities of our own, and certificates that they sign; made by openssl, with EC keys."""

from __future__ import annotations

from pathlib import Path

from localcluster.work import run

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def authority(directory: Path, subject: str, name: str = "ca") -> None:
    """NAME.crt and NAME.key."""
    run(
        *("openssl", "req", "-x509", *_KEY, "-days", "365", "-subj", f"/CN={subject}"),
        *("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
        cwd=directory,
    )


def signed(directory: Path, name: str, subject: str, extensions: str, by: str = "ca") -> None:
    """NAME.key, and NAME.crt as the last of all files. `extensions`: lines of openssl's configuration."""
    (directory / "extensions").write_text(extensions)
    new = f"{name}.new"
    request = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
    run("openssl", "req", *_KEY, "-subj", f"/CN={subject}", *request, cwd=directory)
    run(
        *("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.crt", "-CAkey", f"{by}.key"),
        *("-CAcreateserial", "-days", "365", "-extfile", "extensions", "-out", new),
        cwd=directory,
    )
    (directory / new).rename(directory / f"{name}.crt")


def serves(*names: str) -> str:
    """Extensions of a server's certificate: its DNS names, and loopback."""
    known = ",".join(f"DNS:{name}" for name in (*names, "localhost"))
    return f"subjectAltName={known},IP:127.0.0.1\nextendedKeyUsage=serverAuth\n"


CLIENT = "extendedKeyUsage=clientAuth\n"
