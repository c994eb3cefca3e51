"""Frontend images in the cluster's registry: BuildKit's own Dockerfile frontend as one, and one that is none."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from localcluster import gobuild, oci, pins, places
from testbed.place import Place

_LABELS = {
    "moby.buildkit.frontend.network.none": "true",
    "moby.buildkit.frontend.caps": "moby.buildkit.frontend.inputs,moby.buildkit.frontend.subrequests,"
    "moby.buildkit.frontend.contexts",
}
"""Those of docker/dockerfile."""
_REPOSITORY = "e2e/dockerfile-frontend"


def repository(place: Place) -> str:
    """What the operator's configuration allows."""
    return f"{place.registry}/{_REPOSITORY}"


def push(place: Place) -> tuple[str, str]:
    """The one that works, and the one that does not. The program is compiled where it is not there yet."""
    program = gobuild.binary(pins.load(), places.find().cache, "dockerfile-frontend")
    for tag, config in (
        ("1", {"Entrypoint": ["/bin/dockerfile-frontend"], "Labels": _LABELS}),
        ("broken", {"Entrypoint": ["/bin/no-frontend"]}),
    ):
        with tempfile.TemporaryDirectory() as scratch:
            root, layout = Path(scratch) / "root", Path(scratch) / "layout"
            (root / "bin").mkdir(parents=True)
            shutil.copy2(program, root / "bin" / "dockerfile-frontend")
            oci.make(root, layout, config, level=1)
            oci.push(layout, place.registry, _REPOSITORY, tag)
    return f"{repository(place)}:1", f"{repository(place)}:broken"
