"""Where and when something was measured: a figure without that says nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from contextlib import suppress

from imagebuild import __version__
from testbed.kubectl import Kubectl
from testbed.place import git

_GIB = 2**30


def description(kubectl: Kubectl) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GIB
    system = platform.system()
    with suppress(OSError):
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    server = json.loads(kubectl("version", "-o", "json"))["serverVersion"]["gitVersion"]
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, imagebuild {__version__} ({git('rev-parse', '--short', 'HEAD')}), "
        f"Kubernetes {server}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, {memory:.0f} GiB, {system}, kernel {platform.release()}"
    )
