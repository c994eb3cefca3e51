"""`.dockerignore`: what of a directory is sent, compared with the code that BuildKit's client has for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from imagebuild.cli.upload.ignore import Ignore, ignore_file, parse
from imagebuild.cli.upload.problem import UploadError
from imagebuild.cli.upload.tree import Tree
from testbed.dockerignore import Original

FILES = [
    *("a", "b", "ab", "A", "a.b", ".a", "b|a", "a+b", "a{1}", "ab^", "a]", "!a", "#a", "a b"),
    *("d/a", "d/b", "d/.dockerignore", "d/e/a", "d/e/f/a", "d/e/f/b.a", "e/a", "e/d/a", "da/b", ".d/a/b", "f/empty/"),
    *("Dockerfile", "d/Dockerfile", "Dockerfile.dockerignore", ".dockerignore"),
]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for name in FILES:
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir(parents=True) if name.endswith("/") else place.touch()
    return root


@pytest.fixture(scope="module")
def original() -> Iterator[Original]:
    with Original() as running:
        yield running


def ours(root: Path, ignore: str) -> set[str] | None:
    try:
        return {entry.path for entry in Tree(root, parse(ignore.encode(), ".dockerignore")).entries()}
    except UploadError:
        return None


@pytest.mark.parametrize(
    ("ignore", "gone", "kept"),
    [
        pytest.param("d", {"d", "d/a", "d/e/f/a"}, {"e/d/a", "da/b"}, id="a name is one at the top"),
        pytest.param("/d/", {"d", "d/a"}, {"e/d/a"}, id="slashes before and after say nothing"),
        pytest.param("d/e/..//a", {"d/a"}, {"d/e/a", "a"}, id="dots are resolved"),
        pytest.param("*", {"a", "d", "d/e/f/a"}, set(), id="all"),
        pytest.param("*/a", {"d/a", "e/a"}, {"a", "d/e/a"}, id="one directory deep"),
        pytest.param("**/a", {"a", "d/a", "d/e/f/a"}, {"ab", "A", ".a", "d/b"}, id="at any depth"),
        pytest.param("d/**", {"d/a", "d/e", "d/e/f/a"}, {"d"}, id="what is in a directory, not itself"),
        pytest.param("d/**/a", {"d/a", "d/e/a", "d/e/f/a"}, {"d/b"}, id="at any depth of a directory"),
        pytest.param("?", {"a", "b", "A", "d"}, {"ab", ".a"}, id="one letter"),
        pytest.param("[!a]*", {"a", "ab", "!a"}, {"b", "A"}, id="an exclamation mark in brackets is one"),
        pytest.param("[^a]", {"b", "A", "d"}, {"a", "ab"}, id="all letters but one"),
        pytest.param("a", {"a"}, {"A"}, id="case counts"),
        pytest.param("# a\n#a", set(), {"a", "#a"}, id="comments"),
        pytest.param(" a \r\n\n\tb", {"a", "b"}, {"ab"}, id="space around a pattern says nothing"),
        pytest.param("\ufeffa", {"a"}, {"b"}, id="a byte order mark"),
        pytest.param("\\#a\n\\!a", {"#a", "!a"}, {"a"}, id="what is special as it is"),
        pytest.param("a.b", {"a.b"}, {"ab"}, id="a dot is one"),
        pytest.param("d\n!d/e/a", {"d/a", "d/e/f"}, {"d", "d/e", "d/e/a"}, id="one file comes back, with its directories"),
        pytest.param("d\n!**/b.a", {"d/a", "d/b"}, {"d/e/f/b.a"}, id="files come back from anywhere"),
        pytest.param("!a\na", {"a"}, {"b"}, id="the last word counts"),
        pytest.param("f/empty", {"f/empty"}, {"f"}, id="an empty directory"),
        pytest.param("a|b*", {"a", "ab", "a.b", "b|a"}, {"d/a"}, id="the original lets | through to its regular expression"),
    ],
)  # fmt: skip
def test_what_is_left_out(tree: Path, original: Original, ignore: str, gone: set[str], kept: set[str]) -> None:
    found = ours(tree, ignore)
    assert found is not None
    assert (found & gone, kept - found) == (set(), set())
    assert found == original.paths(tree, ignore)


@pytest.mark.parametrize("ignore", ["!", "[", "a[]b]", "[a-]", "a\\", "[-a]", "! ", "*[\\"])
def test_a_pattern_that_cannot_be_read_is_named(tree: Path, original: Original, ignore: str) -> None:
    with pytest.raises(UploadError, match=r"^\.dockerignore: the pattern .* cannot be read"):
        parse(ignore.encode(), ".dockerignore")
    assert original.paths(tree, ignore) is None


def test_a_class_by_name_is_refused_and_not_misread() -> None:
    with pytest.raises(UploadError, match="cannot be read"):
        parse(b"[[:digit:]]", ".dockerignore")


LETTER = st.sampled_from(["a", "b", "d", "e", "f", "A", ".", "*", "**", "/", "?", "\\a", "[a-d]", "[^a]", "+", "|", "^", "a{1}", "$", "(", "]", " ", "!", "#"])  # fmt: skip
NAME = st.sampled_from(["a", "b", "d", "e", "f", "*", "**", "?", "*a", "*.b", "[ad]"])
PATH = st.builds(
    lambda back, names: ("!" if back else "") + "/".join(names), st.booleans(), st.lists(NAME, min_size=1, max_size=4)
)
PATTERN = st.builds(
    lambda back, text: ("!" if back else "") + "".join(text), st.booleans(), st.lists(LETTER, max_size=6)
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(lines=st.lists(PATTERN | PATH, max_size=5))
@example(lines=["./!a", "**"])
@example(lines=["a/b", "!a", "*", "!d", "d/e"])
@example(lines=["d/e", "!d"])
@example(lines=["***"])
@example(lines=["**/d/**", "!**/d/a"])
def test_the_same_is_sent_as_by_the_original(tree: Path, original: Original, lines: list[str]) -> None:
    ignore = "\n".join(lines)
    assert ours(tree, ignore) == original.paths(tree, ignore)


@pytest.mark.parametrize(
    ("dockerfile", "there", "read"),
    [
        pytest.param("Dockerfile", [".dockerignore"], ".dockerignore", id="for all"),
        pytest.param(
            "Dockerfile", ["Dockerfile.dockerignore", ".dockerignore"], "Dockerfile.dockerignore", id="its own"
        ),
        pytest.param("d/x", ["d/x.dockerignore", ".dockerignore"], "d/x.dockerignore", id="beside a Dockerfile below"),
        pytest.param("d/x", ["d/.dockerignore"], None, id="one in another directory"),
        pytest.param("other", ["Dockerfile.dockerignore"], None, id="of another Dockerfile"),
    ],
)
def test_which_file_is_read(tmp_path: Path, dockerfile: str, there: list[str], read: str | None) -> None:
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert ignore_file(tmp_path, dockerfile) == (None if read is None else tmp_path / read)


def test_what_says_how_to_build_is_sent_though_it_is_left_out(tree: Path) -> None:
    always = frozenset({"d/Dockerfile", ".dockerignore"})
    found = {entry.path for entry in Tree(tree, parse(b"*", ".dockerignore"), always).entries()}
    assert found == {"d", "d/Dockerfile", ".dockerignore"}


def test_patterns_are_of_the_context_and_all_outside_of_it_is_sent(tree: Path) -> None:
    found = {entry.path for entry in Tree(tree, parse(b"*\n!e\ne/f", ".dockerignore"), context="d").entries()}
    assert found >= {"a", "b", "e/a", "e/d/a", "f/empty", "da/b"}
    assert {path for path in found if path.startswith("d/")} == {"d/e", "d/e/a"}


def test_without_a_file_all_is_sent(tree: Path) -> None:
    assert {entry.path for entry in Tree(tree, Ignore()).entries()} >= {name.rstrip("/") for name in FILES}
