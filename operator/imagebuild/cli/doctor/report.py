"""What was found, as lines for a person and as a document for a program. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

from imagebuild.cli import show
from imagebuild.cli.doctor.advice import Advice, Looked
from imagebuild.cli.doctor.findings import Check
from imagebuild.cli.doctor.judge import Judged, Result
from imagebuild.cli.doctor.nodes import NodeClass

__all__ = ["document", "lines"]

_SEEN_MAX = 60
_MESSAGE_MAX = 400


def lines(looked: Sequence[Looked], left_out: Sequence[str], advice: Advice) -> Iterator[str]:
    for each in looked:
        yield from _of_class(each)
        yield ""
    for sentence in left_out:
        yield f"not looked at: {sentence}"
    yield from advice.lines


def _of_class(looked: Looked) -> Iterator[str]:
    yield f"class {looked.number}: {_who(looked.nodes)}"
    if told := _like(looked.nodes):
        yield f"  {told}"
    yield from (f"  {line}" for line in show.columns(_table(looked)))
    for judged, modes in _troubles(looked).items():
        yield f"  {judged.check}: {judged.result} ({', '.join(modes)}): {_short(judged.seen, _MESSAGE_MAX)}"
        yield f"    {judged.fix}"
    yield f"  strongest mode: {looked.strongest or 'none'}"


def _table(looked: Looked) -> list[list[str]]:
    by_check = [{each.check: each for each in judgement.checks} for judgement in looked.judgements]
    rows = [["check", *(judgement.mode for judgement in looked.judgements), "seen"]]
    for check in Check:
        cells = [column.get(check) for column in by_check]
        if any(cells):
            rows.append([check, *(each.result if each else "" for each in cells), _seen(cells)])
    return rows


def _seen(cells: Sequence[Judged | None]) -> str:
    """Of the first that has something to say, trouble before others."""
    told = [each for each in cells if each is not None and each.seen]
    told.sort(key=lambda each: each.finding is None)
    return _short(told[0].seen, _SEEN_MAX) if told else ""


def _troubles(looked: Looked) -> dict[Judged, list[str]]:
    """Each once, with the modes that have it."""
    found: dict[Judged, list[str]] = {}
    for judgement in looked.judgements:
        for trouble in judgement.troubles:
            found.setdefault(trouble, []).append(judgement.mode)
    return found


def _who(nodes: NodeClass) -> str:
    if not nodes.chosen.name:
        return "a node of the scheduler's choice"
    if len(nodes.names) == 1:
        return nodes.chosen.name
    return f"{len(nodes.names)} nodes, {nodes.chosen.name} looked at"


def _like(nodes: NodeClass) -> str:
    node = nodes.chosen
    kernel = f"kernel {node.kernel}" if node.kernel else ""
    kubelet = f"kubelet {node.kubelet}" if node.kubelet else ""
    return ", ".join(filter(None, [node.os_image, kernel, node.runtime, kubelet, node.architecture, node.pool]))


def _short(text: str, most: int) -> str:
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= most else line[: most - 1] + "…"


def document(
    looked: Sequence[Looked], left_out: Sequence[str], advice: Advice, configured: str, notes: Sequence[str]
) -> dict[str, Any]:
    return {
        "configured": configured,
        "recommended": advice.isolation,
        "exitCode": int(advice.exit_code),
        "advice": list(advice.lines),
        "notes": list(notes),
        "notLookedAt": list(left_out),
        "classes": [_class_document(each) for each in looked],
    }


def _class_document(looked: Looked) -> dict[str, Any]:
    node = dataclasses.asdict(looked.nodes.chosen)
    return {
        "number": looked.number,
        "node": node["name"],
        "nodes": list(looked.nodes.names),
        "osImage": node["os_image"],
        **{key: node[key] for key in ("kernel", "runtime", "kubelet", "architecture", "pool")},
        "strongest": looked.strongest,
        "modes": [
            {
                "isolation": each.mode,
                "verdict": each.verdict,
                "checks": [_check_document(judged) for judged in each.checks],
            }
            for each in looked.judgements
        ],
    }


def _check_document(judged: Judged) -> dict[str, Any]:
    told = {"check": judged.check, "result": judged.result, "seen": judged.seen}
    if judged.result in (Result.NOT_OK, Result.WARNING):
        return {**told, "finding": judged.finding, "fix": judged.fix}
    return told
