"""A node image for kind, of Go modules and Debian packages, for where kindest/node cannot be pulled. For kind.py.

The control plane's images are unpacked ahead into the node's containerd, by a containerd that runs here for a moment.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from localcluster import debian, gobuild, oci
from localcluster.engine import Engine
from localcluster.pins import Pins, digest
from localcluster.work import Failure, attempt, daemon, pipe, run, say, step, wait_for

FILES = Path(__file__).with_name("node")
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
ON_NODE = ("kubelet", "kubeadm", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "runc")
CNI = ("bridge", "loopback", "host-local", "portmap")
OTHERS = ("etcd", "coredns", "kube-proxy")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
WITH_PATH: dict[str, object] = {"Env": [f"PATH={PATH}"]}
# The entrypoint and the control plane's images end up in the node at these paths.
INSTALLED = {
    "entrypoint": "usr/local/bin/entrypoint",
    "systemctl": "usr/local/bin/systemctl",
    "10-node.conflist": "etc/cni/net.d/10-node.conflist",
    "kubelet.conf": "kind/kubelet.d/10-node.conf",
    "default-storage.yaml": "kind/manifests/default-storage.yaml",
}
PROXY_PROGRAMS = ("usr/sbin/xtables-nft-multi",)
PROXY_NAMES = ("iptables", "ip6tables", "iptables-save", "ip6tables-save", "iptables-restore", "ip6tables-restore")


def reference(pins: Pins) -> str:
    """The image's name says everything that goes into it."""
    programs = [asdict(pins.programs[name]) for name in (*CONTROL_PLANE, *ON_NODE, *CNI, *OTHERS)]
    content = sorted(file for file in FILES.iterdir() if file.is_file())
    packages = [pins.suite, *pins.packages("node")]
    return f"imagebuild.local/node:{pins.kubernetes}-{digest([programs, packages], *content, Path(__file__))}"


def ensure(pins: Pins, cache: Path, engine: Engine) -> str:
    name = reference(pins)
    if engine.succeeds("image", "inspect", name):
        return name
    if "cgroup2" in _filesystem("/sys/fs/cgroup"):
        raise Failure(
            f"no node image: {pins.node_image} cannot be pulled",
            "the image made here instead knows cgroup v1 only, and this machine has cgroup v2",
            f"load the image into the engine by other means (docker load), as {pins.node_image.partition('@')[0]}",
            code=2,
        )
    debian.install(*pins.packages("tools"))
    programs = gobuild.binaries(pins, cache, *CONTROL_PLANE, *ON_NODE, *CNI, *OTHERS)
    debian_root = debian.root(pins, cache, "node")
    with tempfile.TemporaryDirectory(dir=cache, prefix=".node-") as scratch, step(f"assembling node image {name}"):
        images = _image_names(programs["kubeadm"], pins)
        root = Path(scratch) / "root"
        run("cp", "-a", "--reflink=auto", debian_root, root, timeout=300)
        _fill(root, programs, images, pins)
        parts = [*_static_parts(programs, pins, cache, Path(scratch)), _proxy(debian_root, programs, Path(scratch))]
        archives = [_archive(images[part.root.name], part, Path(scratch)) for part in parts]
        _preload(root, programs, archives, Path(scratch))
        _import(engine, root, name)
    return name


def _filesystem(path: str) -> str:
    return run("stat", "-f", "-c", "%T", path).strip().replace("cgroup2fs", "cgroup2")


def _image_names(kubeadm: Path, pins: Pins) -> dict[str, str]:
    """kubeadm knows which names it will put into its manifests; by their last part."""
    said = run(kubeadm, "config", "images", "list", "--kubernetes-version", pins.kubernetes)
    return {name.rpartition("/")[2].partition(":")[0]: name for name in said.split()}


def _fill(root: Path, programs: Mapping[str, Path], images: Mapping[str, str], pins: Pins) -> None:
    for name in ON_NODE:
        shutil.copy2(programs[name], root / "usr/local/bin" / name)
    (root / "opt/cni/bin").mkdir(parents=True)
    for name in CNI:
        shutil.copy2(programs[name], root / "opt/cni/bin" / name)
    for name, target in INSTALLED.items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(FILES / name, root / target)
    (root / "kind/version").write_text(pins.kubernetes)
    config = (FILES / "containerd.toml").read_text().replace("@PAUSE@", images["pause"])
    (root / "etc/containerd/certs.d").mkdir(parents=True)
    (root / "etc/containerd/config.toml").write_text(config)


@dataclass(frozen=True)
class Part:
    """An image of the control plane: its root directory, which has its name, and its configuration."""

    root: Path
    config: dict[str, object]


def _static_parts(programs: Mapping[str, Path], pins: Pins, cache: Path, scratch: Path) -> list[Part]:
    """The paths are the ones of the public images: the manifests that kubeadm writes and the node's PATH know them."""
    in_path = {name: f"usr/local/bin/{name}" for name in (*CONTROL_PLANE, "etcd")}
    pause = _pause(pins, cache, scratch)
    return [
        *(Part(_only(scratch / name, {to: programs[name]}), WITH_PATH) for name, to in in_path.items()),
        Part(_only(scratch / "coredns", {"coredns": programs["coredns"]}), {"Entrypoint": ["/coredns"]}),
        Part(_only(scratch / "pause", {"pause": pause}), {"Entrypoint": ["/pause"]}),
    ]


def _proxy(debian_root: Path, programs: Mapping[str, Path], scratch: Path) -> Part:
    root = _only(scratch / "kube-proxy", {"usr/local/bin/kube-proxy": programs["kube-proxy"]})
    _add_iptables(root, debian_root)
    return Part(root, WITH_PATH)


def _only(root: Path, files: Mapping[str, Path]) -> Path:
    """A root directory with these files and what every container has."""
    for name, source in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, root / name)
    for name in ("etc", "tmp", "var", "run"):
        (root / name).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/:/\n")
    return root


def _pause(pins: Pins, cache: Path, scratch: Path) -> Path:
    """Kubernetes ships its source, thirty lines of C."""
    source = gobuild.module_directory(pins, cache, pins.programs["kubelet"]) / "build/pause/linux/pause.c"
    run("gcc", "-Os", "-static", "-s", "-o", scratch / "pause.bin", source)
    return scratch / "pause.bin"


def _add_iptables(proxy: Path, debian_root: Path) -> None:
    """The program, its plugins, and the libraries of both: without libxt_statistic's, Services have no rules."""
    plugins = [file.relative_to(debian_root) for file in debian_root.glob("usr/lib/*/xtables/*.so")]
    programs = [Path(name) for name in PROXY_PROGRAMS]
    said = run("chroot", debian_root, "ldd", *(f"/{file}" for file in (*programs, *plugins)))
    libraries = {Path(word.lstrip("/")) for word in said.split() if word.startswith("/") and not word.endswith(":")}
    for link, target in {"lib": "usr/lib", "lib64": "usr/lib64", "bin": "usr/bin", "sbin": "usr/sbin"}.items():
        (proxy / target).mkdir(parents=True, exist_ok=True)
        (proxy / link).symlink_to(target)
    for file in sorted({*programs, *plugins, *libraries}):
        (proxy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(debian_root / file, proxy / file)
    for name in PROXY_NAMES:
        (proxy / "usr/sbin" / name).symlink_to("xtables-nft-multi")
    run("chroot", proxy, "/usr/sbin/iptables", "-m", "statistic", "--help")


def _archive(name: str, part: Part, scratch: Path) -> Path:
    layout, out = scratch / "layout", scratch / f"{part.root.name}.tar"
    oci.make(part.root, layout, part.config, level=1)
    oci.archive(layout, name, out)
    shutil.rmtree(part.root)
    return out


def _preload(root: Path, programs: Mapping[str, Path], archives: list[Path], scratch: Path) -> None:
    """Unpack the images into the node's /var/lib/containerd, so that a node starts without importing anything."""
    socket, log = scratch / "containerd.sock", scratch / "containerd.log"
    disabled = ", ".join(f'"io.containerd.{plugin}"' for plugin in ("cri.v1.runtime", "cri.v1.images", "grpc.v1.cri"))
    config = scratch / "containerd.toml"
    config.write_text(
        f'version = 3\nroot = "{root}/var/lib/containerd"\nstate = "{scratch}/state"\n'
        f'disabled_plugins = [{disabled}]\n[grpc]\n  address = "{socket}"\n'
        f'[plugins."io.containerd.ttrpc.v1.ttrpc"]\n  address = "{socket}.ttrpc"\n'
    )
    path = {"PATH": f"{programs['runc'].parent}:{os.environ['PATH']}"}
    pid = daemon(programs["containerd"], "--config", config, log=log, env=path)
    ctr = (programs["ctr"], "--address", socket, "--namespace", "k8s.io")
    try:
        wait_for("containerd", 30, lambda: attempt(*ctr, "version").returncode == 0, f"see {log}")
        for file in archives:
            discard = ("--local", "--discard-unpacked-layers", "--snapshotter", "overlayfs")
            run(*ctr, "images", "import", *discard, file, timeout=120)
            file.unlink()
    finally:
        os.kill(pid, 15)
        os.waitpid(pid, 0)


def _import(engine: Engine, root: Path, name: str) -> None:
    changes = ('ENTRYPOINT ["/usr/local/bin/entrypoint"]', f"ENV PATH={PATH}", "ENV container=docker")
    options = [word for change in changes for word in ("--change", change)]
    pack = ("tar", "-C", str(root), "--numeric-owner", "--exclude=./proc/*", "--exclude=./sys/*", "-cf", "-", ".")
    old = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}", name.partition(":")[0]).split()
    pipe(pack, ("docker", "import", *options, "-", name), env=engine.env, timeout=600)
    for other in old:
        engine.succeeds("rmi", other)
    size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", name))
    say(f"node image {name}: {size / 1e6:.0f} MB")
