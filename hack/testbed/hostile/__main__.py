"""The attempts by name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from testbed.hostile import inside, outside
from testbed.hostile.inside import files, of_others
from testbed.hostile.outcome import Found
from testbed.hostile.outside import push, servers

SECRETS = "run/imagebuild"
ATTEMPTS: dict[str, Callable[[], None]] = {
    "docker-config": files("work/docker", f"{SECRETS}/registry", "home/user/.docker"),
    "git-token": files(f"{SECRETS}/source-secrets", "work"),
    "proxy-secret": files(f"{SECRETS}/proxy"),
    "archive-login": files(f"{SECRETS}/archive"),
    "build-secrets": files(f"{SECRETS}/secrets", "run/secrets"),
    "unasked": files("run/secrets/git", "run/secrets/login"),
    "other-step": inside.other_step,
    "token": files("var/run/secrets/kubernetes.io", "run/secrets/kubernetes.io"),
    "environment": of_others("environ"),
    "daemon-files": files("work/buildkit", "work/buildkitd.toml", f"{SECRETS}/pod"),
    "command-lines": inside.command_lines,
    "memory": inside.memory,
    "ptrace": inside.ptrace,
    "signals": inside.signals,
    "outputs": inside.outputs,
    "result": inside.result,
    "mount": inside.mount,
    "devices": inside.devices,
    "kernel": inside.kernel,
    "sniff": outside.sniff,
    "daemon": outside.daemon,
    "loopback": outside.loopback,
    "api-server": servers("https://kubernetes.default.svc/api/v1/secrets"),
    "kubelet": outside.kubelet,
    "metadata": servers("http://169.254.169.254/latest/meta-data/", "http://169.254.169.254/computeMetadata/v1/"),
    "registry": push("PRIVATE_REGISTRY", "https"),
    "registry-by-proxy": push("PRIVATE_REGISTRY", "https", proxied=True),
    "open-registry": push("OPEN_REGISTRY", "http"),
    "proxy": outside.through_proxy,
    "proxy-password": outside.proxy_password,
    "processes": inside.processes,
    # these two must succeed: they show that looking finds something
    "own-file": files("opt/testbed/hostile/__main__.py"),
    "own-server": servers("http://{open_registry}/v2/"),
}


def outcomes(names: list[str]) -> Iterator[tuple[str, str, str]]:
    for name in names:
        try:
            ATTEMPTS[name]()
        except Found as found:
            yield name, "succeeded", str(found)
        except OSError as error:
            yield name, "blocked", str(error)
        else:
            yield name, "blocked", "nothing"


if __name__ == "__main__":
    if sys.argv[1:] == ["holds"]:
        inside.holds()
    else:
        for attempt, outcome, seen in outcomes(sys.argv[1:] or list(ATTEMPTS)):
            print(f"attempt {attempt} {outcome}: {seen}", flush=True)
