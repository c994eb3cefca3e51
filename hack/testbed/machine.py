"""Where and when something was measured: a figure without that says nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from imagebuild import __version__
from localcluster import pins
from testbed.kubectl import Kubectl
from testbed.place import ROOT, git

_GIB = 2**30


def description(kubectl: Kubectl) -> str:
    return ", ".join(facts(kubectl).values())


def commit(root: Path = ROOT) -> str:
    """Marked where what runs is not what was committed. hack/bench writes into docs/ while it goes on."""
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!docs", cwd=root)
    return git("rev-parse", "--short", "HEAD", cwd=root) + ("-dirty" if changed else "")


def _processor() -> str:
    """As the kernel names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def facts(kubectl: Kubectl) -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    system = platform.system()
    with suppress(OSError):
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    server = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    node = kubectl.items("nodes")[0]["status"]["nodeInfo"]
    return {
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "imagebuild": f"imagebuild {__version__} ({commit()})",
        "kubernetes": f"Kubernetes {server}",
        "buildkit": f"BuildKit {pins.load().programs['buildkitd'].version}",
        "runtime": node["containerRuntimeVersion"].replace("://", " "),
        "kopf": f"kopf {metadata.version('kopf')}",
        "python": f"Python {platform.python_version()}",
        "cores": f"{os.cpu_count()} cores ({_processor()})",
        "memory": f"{memory:.0f} GiB",
        "system": system,
        "kernel": f"kernel {platform.release()}",
    }
