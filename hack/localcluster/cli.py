"""hack/cluster: up, down, status, env."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from localcluster import engine as engines
from localcluster import kind, leftovers, pins, places, registries, standins
from localcluster.engine import Engine
from localcluster.pins import Pins
from localcluster.places import CLUSTER, OPEN, PRIVATE, PRIVATE_USER, Lock, Places
from localcluster.registries import REGISTRIES
from localcluster.work import Failure, say, step


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="hack/cluster", description="A kind cluster and two registries, here.")
    verbs = {"up": up, "down": down, "status": status, "env": env}
    parser.add_argument("verb", choices=verbs, help="up and down may be repeated; env prints what other scripts read")
    verb = parser.parse_args(arguments).verb
    try:
        return verbs[verb](pins.load(), places.find())
    except Failure as failure:
        print(f"hack/cluster {verb}: {failure}", file=sys.stderr)
        return failure.code
    except KeyboardInterrupt:
        print(f"hack/cluster {verb}: interrupted; run it again to go on", file=sys.stderr)
        return 130


def up(versions: Pins, where: Places) -> int:
    with Lock(where):
        where.state.mkdir(parents=True, exist_ok=True)
        where.cache.mkdir(parents=True, exist_ok=True)
        leftovers.half_made(where.cache)
        engine = engines.ensure(versions, where)
        image = kind.node_image(versions, where, engine)
        layouts = standins.layouts(versions, where.cache) if image.closed else {}
        kind.network(engine)
        registries.ensure(engine, where, registries.image(versions, where.cache, engine, closed=image.closed))
        with ThreadPoolExecutor(1) as beside:  # pushing the stand-ins takes as long as a cluster needs to think
            pushing = beside.submit(registries.push_standins, versions, layouts)
            kind.ensure(versions, where, engine, image)
            pushing.result()
        _connect(versions, where, engine, image)
    _say_how_to_use(where)
    return 0


def _connect(versions: Pins, where: Places, engine: Engine, image: kind.NodeImage) -> None:
    files = registries.node_files(where.ca.read_text(), mirror=image.closed)
    kind.write_to_node(engine, "/etc/containerd/certs.d", files)
    registries.name_on_this_machine()
    kubectl = kind.kubectl(versions, where, engine, closed=image.closed)
    kind.announce_registry(where, kubectl)
    with step("waiting for DNS and Services"):
        kind.wait_until_usable(where, engine, kubectl)
    values = {
        "KUBECONFIG": str(where.kubeconfig),
        "KUBECTL": str(kubectl),
        "IMAGEBUILD_REGISTRY": OPEN,
        "IMAGEBUILD_PRIVATE_REGISTRY": PRIVATE,
        "IMAGEBUILD_REGISTRY_CA": str(where.ca),
        "IMAGEBUILD_REGISTRY_USER": PRIVATE_USER,
        "IMAGEBUILD_REGISTRY_PASSWORD_FILE": str(where.password),
        "IMAGEBUILD_MIRROR": f"{OPEN}/docker.io" if image.closed else "",
    }
    places.write(where.cluster_env, places.render_env(values))


def _say_how_to_use(where: Places) -> None:
    say("up")
    print(
        f"""
The cluster {CLUSTER} is up. To use it:
  export KUBECONFIG={where.kubeconfig}
Registries, by the same name in pods, on the node and here:
  {OPEN}   open, plain HTTP
  {PRIVATE}    TLS (CA: {where.ca}), user {PRIVATE_USER}, password in {where.password}
Images: hack/images     Everything for scripts: hack/cluster env     The end: hack/cluster down"""
    )


def down(versions: Pins, where: Places) -> int:
    with Lock(where):
        engine = engines.running(where)
        if engine is not None:
            with step("removing the cluster and the registries"):
                kind.delete(versions, where, engine)
                registries.remove(engine)
                engine.succeeds("network", "rm", places.NETWORK)
        registries.forget_on_this_machine()
        with step("stopping what runs here beside the cluster"):
            engines.stop(where)
        shutil.rmtree(where.state, ignore_errors=True)
    say(f"down; what was built stays in {where.cache}")
    return 0


def status(_: Pins, where: Places) -> int:
    """Exit status 0 when all of it is up, 1 otherwise."""
    engine = engines.running(where)
    marker = where.state / "cluster.json"
    serving = engine is not None and marker.exists() and kind.serves(where, engine)
    rows = [("engine", engine.description if engine else "none")]
    if serving:
        minutes = (time.time() - json.loads(marker.read_text())["created"]) / 60
        rows.append(("cluster", f"{CLUSTER} is up for {minutes:.0f} min"))
    else:
        rows.append(("cluster", "not up: run hack/cluster up"))
    answering = [registries.answers(registry) for registry in REGISTRIES]
    rows += [
        ("registry", f"{registry.name} {'answers' if there else 'does not answer'}")
        for registry, there in zip(REGISTRIES, answering, strict=True)
    ]
    ready = serving and all(answering) and where.cluster_env.exists()
    built = places.parse_env(where.images_env.read_text()) if where.images_env.exists() else {}
    rows += [("image", value) for value in built.values() if value] or [("image", "none: run hack/images")]
    print("\n".join(f"{what:9} {said}" for what, said in rows))
    return 0 if ready else 1


def env(_: Pins, where: Places) -> int:
    print(places.render_env(places.load_env(where)), end="")
    return 0
