"""The operator's configuration file, as decisions ask for it: by namespace, again and again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from imagebuild.controller.configfile import ConfigError, ConfigFile, load

FILE = """\
builder: {image: registry.example.com/builder:1}
timeouts: {build: 1h}
namespaces:
- {match: team-*, defaults: {timeouts: {build: 2h}}}
- {match: team-a, defaults: {timeouts: {build: 3h}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(FILE)
    return path


def test_each_namespace_has_its_own(file: Path) -> None:
    config = ConfigFile(file)
    found = {name: config.within(name).timeouts.build for name in ("other", "team-b", "team-a", "team-c")}
    assert found == {"other": "1h", "team-b": "2h", "team-a": "3h", "team-c": "2h"}


def test_namespaces_that_come_and_go_leave_nothing_behind(file: Path) -> None:
    config = ConfigFile(file)
    assert len({id(config.within(f"{kind}-{number}")) for kind in ("pr", "team") for number in range(100)}) == 2


async def test_a_file_that_is_read_again_is_in_force_everywhere(file: Path) -> None:
    config, read = ConfigFile(file), asyncio.Event()
    before = config.within("team-a")
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        follows = tasks.create_task(config.follow(0.001, read.set))
        await asyncio.to_thread(file.write_text, FILE.replace("3h", "4h"))
        await read.wait()
        follows.cancel()
    assert (before.timeouts.build, config.within("team-a").timeouts.build) == ("3h", "4h")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("2026-13-45", id="no date"),
        pytest.param("!!int foo", id="no number"),
        pytest.param('!!int ""', id="a number of no figures"),
        pytest.param("!!timestamp foo", id="no time"),
        pytest.param("!!bool foo", id="no truth"),
        pytest.param("9" * 5000, id="a number too long"),
        pytest.param("[" * 100_000, id="brackets without end"),
        pytest.param("{", id="no YAML"),
    ],
)
def test_what_no_yaml_is_made_of_is_said_and_never_ends_an_operator(value: str) -> None:
    with pytest.raises(ConfigError, match="not YAML"):
        load(f"sbomScanner: {value}\n", Path("config.yaml"))
