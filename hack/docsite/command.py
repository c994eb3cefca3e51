"""hack/docs: builds the site anew, strictly, and serves it where that is asked for."""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docsite.navigation import ROOT

HERE = Path(__file__).resolve().parent
_MARK = ".buildinfo"
"""Sphinx leaves it in what it has made."""
DESCRIPTION = """\
Make the documents a site: docs/, README.md and the other pages in hack/docsite/navigation.py, with a search that
needs no server. A broken link and a missing heading are errors. The site asks no other host for anything."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="hack/docs", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--to", type=Path, default=ROOT / "site", metavar="DIRECTORY", help="default: site/, not in git"
    )
    parser.add_argument("--serve", type=int, metavar="PORT", help="then serve it on 127.0.0.1, until Ctrl-C")
    asked = parser.parse_args()
    if problems := build(asked.to):
        print(problems + "\nhack/docs: no site: mend what is named above", file=sys.stderr)
        return 1
    print(asked.to / "index.html")
    if asked.serve is not None:
        _serve(asked.to, asked.serve)
    return 0


def build(to: Path, root: Path = ROOT) -> str:
    """What Sphinx has against the pages; without a word the site is there, whole and new."""
    if to.exists() and any(to.iterdir()) and not (to / _MARK).exists():
        return f"{to} has files in it that are no site: they would be lost"
    with tempfile.TemporaryDirectory(prefix="docs-") as scratch:
        made = Path(scratch) / "site"
        options = (
            "--builder",
            "html",
            "--fail-on-warning",
            "--quiet",
            "--conf-dir",
            HERE,
            "--doctree-dir",
            f"{scratch}/t",
        )
        done = subprocess.run(
            [sys.executable, "-B", "-m", "sphinx", *options, root, made],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            return done.stderr.strip() or f"sphinx ended with {done.returncode}"
        shutil.rmtree(to, ignore_errors=True)
        shutil.move(made, to)
    return ""


def _serve(directory: Path, port: int) -> None:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=directory)
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", port), handler) as server,
        contextlib.suppress(KeyboardInterrupt),
    ):
        print(f"http://127.0.0.1:{server.server_port}/")
        server.serve_forever()
