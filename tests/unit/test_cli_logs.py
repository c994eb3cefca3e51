"""Logs over broken connections: each line once, none lost, and a word where the node has thrown lines away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from imagebuild.cli.logs import Cursor, Line, Pod, lines
from imagebuild.cli.problem import ApiError
from imagebuild.cli.terminal import harmless


def stamped(number: int, second: int = 0, text: str = "") -> bytes:
    return f"2026-11-24T12:00:{second:02}.{number:09}Z {text or f'line {number}'}\n".encode()


class Kubelet:
    """Serves a log as the kubelet does: from the second that is asked for. Each connection has its own end."""

    def __init__(self, *connections: tuple[list[bytes], str]) -> None:
        """Per connection: the whole log as it is then, and how it ends: eof, a broken line, or an HTTP status."""
        self.connections = list(connections)
        self.asked: list[tuple[str | None, bool]] = []

    def log(self, pod: str, container: str, *, since: str | None, follow: bool) -> Iterator[bytes]:
        assert (pod, container) == ("shop-1", "build")
        self.asked.append((since, follow))
        whole, end = self.connections.pop(0)
        yield from (line for line in whole if since is None or line[:19].decode() + "Z" >= since)
        if end == "broken":
            yield b"2026-11-24T12:00:59.000000001Z half a li"
        elif end.isdecimal():
            raise ApiError(int(end), "refused")


class Ending(Pod):
    """Over at the n-th time that its reader waits for news."""

    def __init__(self, waits: int) -> None:
        super().__init__("shop-1")
        self.left = waits

    def wait(self, seconds: float) -> None:
        self.left -= 1
        self.over = self.over or self.left <= 0


ALL = [stamped(number, second=number // 10) for number in range(100)]
TEXTS = [f"line {number}" for number in range(100)]


@pytest.mark.parametrize(
    "connections",
    [
        pytest.param([(ALL, "eof"), (ALL, "eof")], id="one connection, and a last look"),
        pytest.param([(ALL[:37], "eof"), (ALL, "eof"), (ALL, "eof")], id="an end in the middle"),
        pytest.param([(ALL[:37], "broken"), (ALL, "eof"), (ALL, "eof")], id="an end in the middle of a line"),
        pytest.param([(ALL[:37], "0"), (ALL[:60], "500"), (ALL, "eof"), (ALL, "eof")], id="two faults"),
        pytest.param([([], "400"), ([], "400"), (ALL, "eof"), (ALL, "eof")], id="a container that is being made"),
        pytest.param([([], "404"), (ALL, "eof"), (ALL, "eof")], id="a pod that this server has not heard of yet"),
        pytest.param(
            [(ALL[:37], "eof"), (ALL[:37], "eof"), (ALL, "eof")], id="lines that come after the last look but one"
        ),
    ],
)
def test_each_line_is_there_once_whatever_becomes_of_the_connection(connections: list[tuple[list[bytes], str]]) -> None:
    kubelet = Kubelet(*connections)
    found = [line.text for line in lines(kubelet, Ending(len(connections) - 1))]
    assert found == TEXTS
    assert [follow for _, follow in kubelet.asked] == [True] * (len(connections) - 1) + [False]


def test_lines_of_one_instant_are_told_apart_by_how_many_there_were() -> None:
    same = [stamped(5, text="again")] * 3
    found = [line.text for line in lines(Kubelet((same[:2], "eof"), (same, "eof")), Ending(1))]
    assert found == ["again"] * 3


def test_lines_of_two_outputs_may_come_in_the_wrong_order() -> None:
    mixed = [stamped(9, 3), stamped(2, 4), stamped(8, 3), stamped(1, 4)]
    found = [line.text for line in lines(Kubelet((mixed[:2], "eof"), (mixed, "eof")), Ending(1))]
    assert found == ["line 9", "line 2", "line 8", "line 1"]


def test_a_rotation_that_loses_lines_is_said() -> None:
    kubelet = Kubelet((ALL[:37], "eof"), (ALL[80:], "eof"))
    found = [line.text for line in lines(kubelet, Ending(1))]
    assert found[:37] == TEXTS[:37]
    assert "lines may be missing" in found[37]
    assert found[38:] == TEXTS[80:]


@pytest.mark.parametrize(
    ("of", "rest", "missing"), [(36, ALL[37:], False), (35, ALL[36:], False), (35, ALL[80:], True)]
)
def test_a_file_that_begins_in_the_middle_of_a_line_says_nothing_twice(
    of: int, rest: list[bytes], missing: bool
) -> None:
    fragment = stamped(999, 3, f"ne {of}")
    kubelet = Kubelet((ALL[:37], "eof"), ([fragment, *rest], "eof"))
    found = [line.text for line in lines(kubelet, Ending(1))]
    assert f"ne {of}" not in found
    assert any("may be missing" in text for text in found) is missing


@pytest.mark.parametrize("text", ["", "line 36"])
def test_a_file_that_begins_with_a_line_like_the_last_one_loses_nothing(text: str) -> None:
    known = [*ALL[:36], stamped(36, 3, text)]
    found = [line.text for line in lines(Kubelet((known, "eof"), ([stamped(999, 3, text)], "eof")), Ending(1))]
    assert found[36:] == [
        text or "line 36",
        "… lines may be missing here: the node has rotated the log …",
        text or "line 999",
    ]


def test_a_log_begins_anew_two_seconds_before_its_last_line() -> None:
    kubelet = Kubelet((ALL, "eof"), (ALL, "eof"))
    list(lines(kubelet, Ending(1)))
    assert kubelet.asked[1] == ("2026-11-24T12:00:07Z", False)


def test_a_last_line_without_an_end_is_shown_once_the_pod_is_over() -> None:
    unended = [*ALL[:2], ALL[2].rstrip(b"\n")]
    found = [line.text for line in lines(Kubelet((unended, "eof"), (unended, "eof")), Ending(1))]
    assert found == TEXTS[:3]


@pytest.mark.parametrize(
    ("connections", "over"),
    [
        pytest.param([([], "403")], False, id="forbidden, at once"),
        pytest.param([([], "404")], True, id="gone"),
        pytest.param([([], "400")], True, id="never started"),
        pytest.param([(ALL, "0")] + [([], "0")] * 30, True, id="no answer, after a while"),
    ],
)
def test_a_log_that_cannot_be_read_is_an_error(connections: list[tuple[list[bytes], str]], over: bool) -> None:
    pod = Ending(99)
    pod.over = over
    with pytest.raises(ApiError):
        list(lines(Kubelet(*connections), pod, lambda _: None))


def test_a_cursor_forgets_what_nobody_will_repeat() -> None:
    cursor = Cursor()
    for second in range(60):
        for number in range(10):
            cursor.take(stamped(number, second))
    cursor.begin()
    assert cursor.take(stamped(0, 50)) != [], "ten seconds are past"
    assert len(cursor._recent) == 31


def test_news_wake_who_waits_for_them() -> None:
    pod = Pod("shop-1")
    pod.tell(over=True)
    pod.wait(3600)
    assert pod.over


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("\ttab", "\ttab", id="a tab"),
        pytest.param("\x1b[32mok\x1b[0m", "ok", id="colours go"),
        pytest.param("\x1b]0;title\x07", r"\x1b]0;title\x07", id="a window title"),
        pytest.param("\x1b[2J\x1b[1;1H", r"\x1b[2J\x1b[1;1H", id="clearing the screen"),
        pytest.param("10%\r20%\r", "10%\n20%", id="a progress bar"),
        pytest.param("\x9b2J", r"\x9b2J", id="the one-byte form"),
        pytest.param("a\u202eb", r"a\u202eb", id="turned text"),
        pytest.param("Grüße 你好", "Grüße 你好", id="letters"),
        pytest.param("back\x08\x08", r"back\x08\x08", id="backspaces"),
    ],
)
def test_a_terminal_acts_on_nothing_that_a_log_says(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_a_line_is_its_time_and_its_text() -> None:
    assert Cursor().take(b"2026-11-24T12:00:00.5Z a b\n") == [Line("2026-11-24T12:00:00.5Z", "a b")]
