"""Debian packages on this machine, and Debian root directories for the node image and the stand-ins."""

from __future__ import annotations

import fcntl
import platform
import shutil
import tempfile
from pathlib import Path

from localcluster.pins import Pins, digest
from localcluster.work import Failure, attempt, run, step

# What a container never reads.
EXCESS = ("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian",
          "var/cache/apt", "var/lib/apt/lists", "var/log", "var/cache/debconf")  # fmt: skip
LIMIT = 900.0


def install(*packages: str) -> None:
    """Packages on this machine, as they are needed. None of their services is started."""
    if all(_installed(package) for package in packages):
        return
    # apt-get waits for no other, and tests that run side by side need packages
    with Path(tempfile.gettempdir(), "imagebuild-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install([package for package in packages if not _installed(package)])


def _install(missing: list[str]) -> None:
    if not missing:
        return
    if not shutil.which("apt-get"):
        names = " ".join(missing)
        raise Failure(f"installing {names}", "this is no Debian (no apt-get)", f"install what gives you {names}")
    # RUNLEVEL is what invoke-rc.d asks: in a runlevel of "halt" or "single user" nothing is to be started.
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"installing {' '.join(missing)}"):
        run("apt-get", "update", "-qq", env=quiet, timeout=LIMIT)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=quiet, timeout=LIMIT)


def _installed(package: str) -> bool:
    found = attempt("dpkg-query", "-W", "-f", "${Status}", package)
    return found.stdout == b"install ok installed"


def root(pins: Pins, cache: Path, purpose: str) -> Path:
    """A minimal Debian with the packages of `purpose`, trimmed, kept in the cache. Not to be changed: copy it."""
    packages = pins.packages(purpose)
    path = cache / "debian" / f"{purpose}-{digest([pins.suite, packages, EXCESS])}"
    if path.exists():
        return path
    install("debootstrap")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=path.parent, prefix=".new-"))
    new.chmod(0o755)
    archives = path.parent / "archives"
    archives.mkdir(exist_ok=True)
    with step(f"making a Debian {pins.suite} with {len(packages)} packages for {purpose}"):
        run(
            *("debootstrap", "--variant=minbase", f"--cache-dir={archives}", f"--include={','.join(packages)}"),
            *(pins.suite, str(new), *mirror()),
            timeout=LIMIT,
            next_step="look at debootstrap's last lines; does `apt-get update` work here?",
        )
    for excess in EXCESS:
        shutil.rmtree(new / excess, ignore_errors=True)
        (new / excess).mkdir(parents=True)
    new.rename(path)
    return path


def mirror() -> list[str]:
    """The mirror this machine's own apt uses, where it is Debian's; otherwise debootstrap has its default."""
    formats = ("--format", "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)")
    said = attempt("apt-get", "indextargets", *formats, "Created-By: Packages").stdout.decode()
    return main_archive(said, platform.freedesktop_os_release().get("VERSION_CODENAME", ""))


def main_archive(indextargets: str, codename: str) -> list[str]:
    for line in indextargets.splitlines():
        origin, component, release, uri = [*line.split(), "", "", "", ""][:4]
        if (origin, component, release) == ("Debian", "main", codename):
            return [uri]
    return []
