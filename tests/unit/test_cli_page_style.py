"""The style sheet of a build's page, as far as it can be judged without a browser."""

from __future__ import annotations

import re
from pathlib import Path

from imagebuild.cli.page import document

STYLE = Path(document.__file__).with_name("style.css").read_text()


def test_pages_are_read_where_colours_are_not_seen_well() -> None:
    """Contrast as WCAG 2 counts it, of all text on what it is written on."""
    schemes = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    assert len(schemes) == 3, "light, dark, and on paper"
    for scheme in schemes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", scheme))
        texts = [(text, back) for text in ("text", "muted", "link", "path") for back in ("back", "panel")]
        states = [("on-state", state) for state in ("ran", "failed", "running")]
        assert {
            pair: ratio for pair in texts + states if (ratio := contrast(*(colours[each] for each in pair))) < 4.5
        } == {}
        for state in ("ran", "cached", "failed", "canceled", "running"):
            assert contrast(colours[state], colours["back"]) >= 3, state


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(_luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
