"""The two registries beside the cluster: one open, one with TLS from a CA of its own and a password. Used by cli.py.

Their names must mean the same to a pod, to the node's containerd and to this machine. Pods and node ask docker's DNS,
which knows the containers' aliases; this machine has /etc/hosts and the published ports.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from localcluster import certificates, gobuild, oci
from localcluster.engine import Engine
from localcluster.pins import Pins, digest
from localcluster.places import NETWORK, OPEN, PRIVATE, PRIVATE_USER, Places, write
from localcluster.work import Failure, attempt, run, say, wait_for

HOSTS = Path("/etc/hosts")
MARK = "# imagebuild: hack/cluster"
LABEL = "imagebuild.dev/inputs"
_MOST_BYTES = 20_000_000_000
"""Of what was pushed. No test looks at what another run has left."""


@dataclass(frozen=True)
class Registry:
    container: str
    name: str  # host:port, as in an image's name
    private: bool

    @property
    def host(self) -> str:
        return self.name.partition(":")[0]

    @property
    def port(self) -> str:
        return self.name.partition(":")[2]


REGISTRIES = (Registry("imagebuild-registry", OPEN, False), Registry("imagebuild-registry-private", PRIVATE, True))


def image(pins: Pins, cache: Path, engine: Engine, *, closed: bool) -> str:
    """The public image, or one with the same program made here."""
    public = pins.images["registry"]
    if not closed:
        if not engine.succeeds("image", "inspect", public):
            engine.docker("pull", public, timeout=600)
        return public
    program = pins.programs["registry"]
    name = f"imagebuild.local/registry:{program.version}-{program.key}"
    if not engine.succeeds("image", "inspect", name):
        with tempfile.TemporaryDirectory() as scratch:
            binary = Path(scratch) / "bin" / "registry"
            binary.parent.mkdir()
            shutil.copy2(gobuild.binary(pins, cache, "registry"), binary)
            packed = Path(scratch) / "root.tar"
            run("tar", "-C", scratch, "-cf", packed, "bin")
            entry = 'ENTRYPOINT ["/bin/registry"]', 'CMD ["serve", "/etc/distribution/config.yml"]'
            engine.docker("import", "--change", entry[0], "--change", entry[1], packed, name)
    return name


def ensure(engine: Engine, places: Places, image_name: str) -> None:
    _credentials(places)
    for registry in REGISTRIES:
        if has_grown(_storage(engine, registry)):
            say(f"registry {registry.name} begins anew: tests have left {_MOST_BYTES / 1e9:.0f} GB there")
            _remove(engine, registry)
        _start(engine, places, registry, image_name)
    for registry in REGISTRIES:
        up = partial(answers, registry)
        wait_for(f"the registry {registry.name}", 30, up, f"docker logs {registry.container}")


def answers(registry: Registry) -> bool:
    """Over loopback, so that it does not depend on this machine's /etc/hosts."""
    if registry.private:  # its certificate is not the question here
        return attempt("bash", "-c", f"</dev/tcp/127.0.0.1/{registry.port}", timeout=5).returncode == 0
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{registry.port}/v2/", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


def _start(engine: Engine, places: Places, registry: Registry, image_name: str) -> None:
    config = places.registries / f"{registry.container}.yml"
    write(config, configuration(registry))
    wanted = digest([image_name, configuration(registry)], *_mounted(places, registry))
    container = registry.container
    form = "{{.State.Running}} {{index .Config.Labels " + f'"{LABEL}"' + "}}"
    if attempt("docker", "inspect", "-f", form, container, env=engine.env).stdout.decode().split() == ["true", wanted]:
        return
    engine.succeeds("rm", "--force", container)
    mounts = [f"{config}:/etc/distribution/config.yml:ro", f"{container}:/var/lib/registry"]
    mounts += [f"{file}:/certificates/{file.name}:ro" for file in _mounted(places, registry)]
    engine.docker(
        *("run", "--detach", "--name", container, "--restart", "always", "--label", f"{LABEL}={wanted}"),
        *("--network", NETWORK, "--network-alias", registry.host),
        *("--publish", f"127.0.0.1:{registry.port}:{registry.port}"),
        *(word for mount in mounts for word in ("--volume", mount)),
        image_name,
    )
    say(f"registry {registry.name} is up")


def _mounted(places: Places, registry: Registry) -> list[Path]:
    names = ("server.crt", "server.key", "htpasswd") if registry.private else ()
    return [places.registries / name for name in names]


def configuration(registry: Registry) -> str:
    """Deleting is allowed: clean-up of branch caches is part of what is tested."""
    private = """\
  tls:
    certificate: /certificates/server.crt
    key: /certificates/server.key
auth:
  htpasswd:
    realm: imagebuild
    path: /certificates/htpasswd
"""
    return f"""\
version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: /var/lib/registry
  delete:
    enabled: true
http:
  addr: :{registry.port}
{private if registry.private else ""}"""


def _credentials(places: Places) -> None:
    """A CA, a certificate and a password, new for each cluster."""
    directory = places.registries
    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / "htpasswd").exists():
        password = secrets.token_urlsafe(24)
        write(places.password, password, 0o600)
        write(directory / "htpasswd", f"{PRIVATE_USER}:{bcrypt(password)}\n", 0o600)
    if not (directory / "server.crt").exists():
        host = PRIVATE.partition(":")[0]
        certificates.authority(directory, "imagebuild test CA")
        certificates.signed(directory, "server", host, certificates.serves(host))


def bcrypt(password: str) -> str:
    """The registry takes no other hash. htpasswd knows it, and so does the C library's crypt on most Linux systems."""
    if shutil.which("htpasswd"):
        return run("htpasswd", "-niB", PRIVATE_USER, stdin=password).strip().partition(":")[2]
    salt = "$2b$10$" + "".join(secrets.choice("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop") for _ in range(21)) + "O"
    for library in ("libcrypt.so.1", "libcrypt.so.2"):
        try:
            crypt = ctypes.CDLL(library).crypt
        except OSError:
            continue
        crypt.restype = ctypes.c_char_p
        hashed = crypt(password.encode(), salt.encode())
        if hashed and hashed.startswith(b"$2b$"):
            return str(hashed.decode())
    raise Failure("hashing the private registry's password", "no htpasswd and no libcrypt with bcrypt",
                  "install htpasswd (Debian: apache2-utils)")  # fmt: skip


def remove(engine: Engine) -> None:
    for registry in REGISTRIES:
        _remove(engine, registry)


def _remove(engine: Engine, registry: Registry) -> None:
    engine.succeeds("rm", "--force", "--volumes", registry.container)
    engine.succeeds("volume", "rm", "--force", registry.container)


def _storage(engine: Engine, registry: Registry) -> Path:
    """As the engine's machine names it: there is no such directory here where that is another one."""
    form = ("--format", "{{.Mountpoint}}")
    said = attempt("docker", "volume", "inspect", *form, registry.container, env=engine.env).stdout
    return Path(said.decode().strip() or os.devnull)


def has_grown(storage: Path) -> bool:
    return sum(file.stat().st_size for file in storage.rglob("data")) > _MOST_BYTES


def push_standins(pins: Pins, layouts: dict[str, Path]) -> None:
    """Stand-ins for public images, under the open registry's docker.io/ prefix; what is there already stays."""
    local = f"127.0.0.1:{REGISTRIES[0].port}"
    for which, layout in layouts.items():
        repository, tag = pins.images[which].rsplit(":", 1)
        if oci.resolve(local, repository, tag) != oci.digest_of(layout):
            oci.push(layout, local, repository, tag)
            say(f"{pins.images[which]}: a stand-in is in {OPEN}")


def with_hosts(text: str) -> str:
    """The content of /etc/hosts with our line, once."""
    line = f"127.0.0.1 {' '.join(registry.host for registry in REGISTRIES)} {MARK}\n"
    rest = without_hosts(text)
    return rest + ("" if not rest or rest.endswith("\n") else "\n") + line


def without_hosts(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if MARK not in line)


def name_on_this_machine() -> None:
    old = HOSTS.read_text()
    new = with_hosts(old)
    if new == old:
        return
    if os.geteuid() == 0:
        HOSTS.write_text(new)  # in place: it is a mount in many containers
    else:
        line = new.splitlines()[-1]
        say(f"the registries' names need a line in {HOSTS}: echo '{line}' | sudo tee -a {HOSTS}")


def forget_on_this_machine() -> None:
    old = HOSTS.read_text()
    if without_hosts(old) != old and os.geteuid() == 0:
        HOSTS.write_text(without_hosts(old))


def node_files(ca: str, *, mirror: bool) -> dict[str, str]:
    """What the node's containerd reads, below /etc/containerd/certs.d (kind's documented way for local registries)."""
    files = {
        f"{OPEN}/hosts.toml": f'server = "http://{OPEN}"\n[host."http://{OPEN}"]\n',
        f"{PRIVATE}/hosts.toml": f'server = "https://{PRIVATE}"\n[host."https://{PRIVATE}"]\n'
        f'  ca = "/etc/containerd/certs.d/{PRIVATE}/ca.crt"\n',
        f"{PRIVATE}/ca.crt": ca,
    }
    if mirror:
        files["docker.io/hosts.toml"] = (
            f'[host."http://{OPEN}/v2/docker.io"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n'
        )
    return files
