"""Documents and tables as text. Pure: what is a terminal and what time it is comes as a value."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from imagebuild.api.names import GROUP, KIND
from imagebuild.cli.terminal import UNSEEN, harmless

__all__ = ["age", "columns", "output_option", "printed", "reference", "to_json"]

_FORMATS = ["json", "yaml", "name", "image-ref"]


def output_option(command: Any) -> Any:
    return click.option(
        "-o", "--output", "form", type=click.Choice(_FORMATS), help="The object as it is, its name, or image@digest."
    )(command)


def printed(document: Mapping[str, Any], form: str) -> str:
    """An ImageBuild, or a list of them, in a form of -o."""
    items = document.get("items")
    match form:
        case "json":
            return to_json(document)
        case "yaml":
            return to_yaml(document)
        case "name":
            return "\n".join(f"{KIND.lower()}.{GROUP}/{each['metadata']['name']}" for each in _each(document, items))
        case _:
            return harmless("\n".join(ref for each in _each(document, items) for ref in reference(each)))


def _each(document: Mapping[str, Any], items: Any) -> Iterable[Mapping[str, Any]]:
    return [document] if items is None else items


def reference(build: Mapping[str, Any]) -> list[str]:
    """The first image that was pushed, with its digest: what a deployment names."""
    output = (build.get("status") or {}).get("output") or {}
    if not output.get("digest") or not output.get("images"):
        return []
    repository, _, last = output["images"][0].rpartition("/")
    return [f"{repository}/{last.partition(':')[0]}@{output['digest']}"]


def to_json(document: Mapping[str, Any]) -> str:
    """Letters of all languages as they are; what steers a terminal as \\u…, which is the same to who reads it."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def to_yaml(document: Mapping[str, Any]) -> str:
    import yaml  # noqa: PLC0415  most commands need none, and it takes a while to load

    class Dumper(yaml.SafeDumper):
        """Texts of several lines as blocks."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True).rstrip()


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with all columns but the last as wide as their widest cell."""
    plain = [[harmless(cell).replace("\n", " ") for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in plain) for place in range(len(plain[0]))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in plain]


def age(since: str | None, now: datetime) -> str:
    """As kubectl says it: 5s, 12m, 3h, 2d."""
    if not since:
        return ""
    seconds = max(0, int((now - datetime.fromisoformat(since).astimezone(UTC)).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
