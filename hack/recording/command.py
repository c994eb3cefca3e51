"""hack/record: records the session on the cluster, or only draws again what was recorded."""

from __future__ import annotations

import argparse
import sys

from localcluster.work import Failure
from recording import picture
from recording.cast import Cast, load
from recording.session import record
from testbed.kubectl import KubectlError
from testbed.place import ROOT, place

CAST = ROOT / "docs" / "session.cast"
DESCRIPTION = """\
Record docs/session.cast on the cluster of hack/cluster, with the operator of hack/deploy in it: a real shell, in which
kubectl and imagebuild are typed. Makes docs/session.svg of it, which moves, and docs/session.txt, to be read."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hack/record", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--draw", action="store_true", help="record nothing: make the picture and the text again")
    if not parser.parse_args().draw:
        try:
            CAST.write_text(record(place()).dump())
        except (Failure, KubectlError, TimeoutError) as failure:
            print(f"hack/record: {failure}", file=sys.stderr)
            return 1
    for name, text in drawn(load(CAST)).items():
        CAST.with_name(name).write_text(text)
        print(f"docs/{name}")
    return 0


def drawn(cast: Cast) -> dict[str, str]:
    return {"session.svg": picture.svg(cast), "session.txt": picture.text(cast)}
