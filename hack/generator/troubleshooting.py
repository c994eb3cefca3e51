"""docs/troubleshooting.md: a heading for each reason, from their table, and what a person has written below it.

The person's words are in troubleshooting.md beside this module: the page's beginning, then a heading for each reason of
which there is more to say than its sentence and next step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from imagebuild.contract.reasons import TABLE, Fault, Reason

_WRITTEN = Path(__file__).with_suffix(".md")
_MARK = re.compile(r"\n<!-- .*? -->\n")
_HEADINGS = {
    Fault.USER: "The Dockerfile or the source",
    Fault.CONFIGURATION: "Credentials, names, policy",
    Fault.WAITING: "Something is not there yet",
    Fault.INFRASTRUCTURE: "Node, registry, network",
    Fault.TOO_LATE: "Too late",
    Fault.STOPPED: "Stopped",
    Fault.NONE: "No failure",
}
_MEANT = {
    Fault.USER: """\
The run ends, and its inputs have to change: a corrected spec, or a new commit in it, starts the next one by itself.""",
    Fault.CONFIGURATION: """\
The run ends. What has to be mended is often outside of the build's inputs, and then nothing builds again by itself:
[ask for it](howto/lifecycle.md#build-again).""",
    Fault.WAITING: """\
No attempt is spent. The operator looks again at least every 30 seconds, and the build goes on by itself, up to
`timeouts.start`, or `timeouts.queue` for its turn.""",
    Fault.INFRASTRUCTURE: """\
The build tries again, with back-off, as often as `retryLimit` says. What is written here is for the time after the last
attempt, or for a reason that comes again and again.""",
    Fault.TOO_LATE: "A limit of time was passed, and the run ends; `spec.timeouts` has all of them.",
    Fault.STOPPED: "Somebody wanted it so, or a newer build did; the run ends.",
    Fault.NONE: "It goes on, or is done.",
}


def troubleshooting() -> str:
    beginning, looking = _MARK.split(_WRITTEN.read_text())
    known = dict(_looking(looking))
    return beginning + "".join(_group(fault, known) for fault in _HEADINGS)


def _looking(text: str) -> Iterator[tuple[Reason, str]]:
    for section in text.split("\n### ")[1:]:
        name, _, words = section.partition("\n\n")
        yield Reason(name), words.strip()


def _group(fault: Fault, looking: Mapping[Reason, str]) -> str:
    reasons = [reason for reason, row in TABLE.items() if row.fault is fault]
    code = reasons[0].row.exit_code
    ending = f" Commands that follow the build exit with {code}." if code else ""
    said = f"\n## {_HEADINGS[fault]}\n\n{_MEANT[fault]}{ending}\n"
    return said + "".join(_entry(reason, looking.get(reason, "")) for reason in reasons)


def _entry(reason: Reason, looking: str) -> str:
    next_step = f" **{reason.row.next_step}**" if reason.row.next_step else ""
    return f"\n### {reason.value}\n\n{reason.row.sentence}{next_step}\n" + (looking and f"\n{looking}\n")
