"""The program as its Deployment runs it: configuration, probes, signals, exit codes."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

import make
from controller.objects import BUILDS, LEASES, PODS
from controller.operators import HOME, LEASE, free_port
from controller.stage import SWEEPING, UNHURRIED, Stage
from imagebuild.controller.__main__ import election_of, main, parser

OPERATOR = Path(__file__).parents[2] / "operator"


async def test_a_configuration_that_changes_is_in_force_for_the_next_pod(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await stage.operator()
    stage.configure(builder={"image": "registry.example.com/builder:2"})
    await logged(caplog, "read again")
    stage.apply()
    status = await stage.reaches(reason="Starting")
    (container,) = (await stage.pod())["spec"]["containers"]
    assert container["image"] == status["effective"]["builder"] == "registry.example.com/builder:2"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"builder: {image: x}\nretryLimit: many", id="a bad value"),
        pytest.param(b"builder: [", id="not YAML"),
        pytest.param(b"\xff\xfe\x00", id="not text"),
        pytest.param(b"- a\n- b", id="not a mapping"),
        pytest.param(None, id="gone"),
    ],
)
async def test_a_configuration_that_has_become_bad_is_said_and_the_last_good_one_stays(
    stage: Stage, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await stage.operator()
    stage.write_config(content)
    await logged(caplog, "the configuration read before stays in force")
    stage.apply()
    await stage.succeeds()
    stage.configure(retryLimit=0)
    await logged(caplog, "read again")
    assert caplog.text.count("stays in force") == 1


async def logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    async with asyncio.timeout(10):
        while text not in caplog.text:  # noqa: ASYNC110 logging has no event to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param("builder: {image: x}\nretryLimit: 11", "retryLimit: must be less than", id="value"),
        pytest.param("builder: {}", "builder.image: must be given", id="missing"),
        pytest.param("builder: {image: x}\nlimits: {running: 0}", "limits.running: ", id="nested"),
        pytest.param("builder: {image: x}\nregistries: [{http: true}]", "registries.0.host: must be given", id="list"),
        pytest.param(
            "builder: {image: x}\nbilder: {}", "bilder: there is no such key; did you mean builder?", id="unknown"
        ),
        pytest.param("builder: {image: x}\nx9: {}", "x9: there is no such key\n", id="unknown, like nothing"),
        pytest.param("builder: {image: x}\narchive: {repositry: a/b}", "did you mean repository?", id="unknown below"),
        pytest.param(
            "builder: {image: x}\narchive: {secret: a}",
            "archive.secret: must be an object, such as {name: …}",
            id="text",
        ),
        pytest.param(
            "builder: {image: x}\narchive: {repository: 'https://r.io/a'}",
            "archive.repository: must be REGISTRY/",
            id="URL",
        ),
        pytest.param("builder: [", "not YAML", id="not YAML"),
        pytest.param("\xff", "not UTF-8", id="not text"),
        pytest.param("- a", "file: ", id="not a mapping"),
        pytest.param(None, "set --config", id="gone"),
    ],
)
def test_a_bad_configuration_is_refused_at_the_start_with_the_path_of_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    file = tmp_path / "config.yaml"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    assert main([f"--config={file}"]) == 2
    error = capsys.readouterr().err
    assert str(file) in error
    assert said in error


async def test_a_task_that_dies_ends_the_operator(stage: Stage) -> None:
    """A sweep that is answered with something that is no list."""
    operator = await stage.operator(SWEEPING)
    stage.api.fail("list", BUILDS, 200)
    assert await operator.ended() == 1
    with pytest.raises(aiohttp.ClientConnectorError):
        await operator.get("livez")


class Process:
    """`imagebuild-operator`, as its container starts it."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self._stage, self._listen = stage, f"127.0.0.1:{free_port()}"
        self.kubeconfig = directory / "kubeconfig"
        cluster = {"name": "c", "cluster": {"server": stage.api.url}}
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        users = [{"name": "u", "user": {"token": "t"}}]
        document = {"current-context": "c", "clusters": [cluster], "contexts": [context], "users": users}
        self.kubeconfig.write_text(json.dumps(document))
        self.running: asyncio.subprocess.Process | None = None
        self.log = ""

    async def start(self, *flags: str) -> None:
        self._stage.api.cut(BUILDS)
        self._stage.api.cut(PODS)
        await self.begin(*flags)
        await self._stage.watching()

    async def begin(self, *flags: str) -> None:
        own = (f"--config={self._stage.config}", f"--listen={self._listen}")
        arguments = ("-m", "imagebuild.controller", *own, *flags)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(OPERATOR), "KUBECONFIG": str(self.kubeconfig)}
        self.running = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdout=PIPE, stderr=PIPE
        )

    def signal(self, number: signal.Signals) -> None:
        if self.running is not None and self.running.returncode is None:
            self.running.send_signal(number)

    async def says_in_its_log(self, text: str) -> None:
        assert self.running is not None
        assert self.running.stdout is not None
        async with asyncio.timeout(20):
            while text not in (await self.running.stdout.readline()).decode():
                pass

    async def ends(self) -> tuple[int | None, str]:
        """Its exit code, and what it said on stderr."""
        assert self.running is not None
        logged, said = await asyncio.wait_for(self.running.communicate(), 20)
        self.log = logged.decode() or self.log
        return self.running.returncode, said.decode()


@pytest.fixture
async def process(stage: Stage, tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(stage, tmp_path)
    yield process
    process.signal(signal.SIGKILL)
    await process.ends()


async def test_the_process_ends_with_2_where_there_is_no_cluster(process: Process) -> None:
    process.kubeconfig.unlink()
    await process.begin()
    code, said = await process.ends()
    assert code == 2
    assert said.startswith("imagebuild-operator: no cluster: ")
    assert "KUBECONFIG" in said


async def test_the_process_is_killed_goes_on_and_ends_well_when_it_is_told_to(stage: Stage, process: Process) -> None:
    await process.start()
    held = stage.api.fail("update", f"{BUILDS}/status", gate=asyncio.Event())
    stage.apply()
    await stage.api.until("the first status write", lambda: held.met)
    process.signal(signal.SIGKILL)
    assert (await process.ends())[0] == -signal.SIGKILL
    await process.start()
    status = await stage.succeeds()
    assert (status["output"]["digest"], stage.api.count("create", PODS)) == (make.DIGEST, 1)
    process.signal(signal.SIGTERM)
    assert await process.ends() == (0, "")


async def test_the_process_ends_with_1_after_a_watch_that_died(stage: Stage, process: Process) -> None:
    await process.start()
    stage.api.break_watch(PODS, 500)
    assert (await process.ends())[0] == 1


ELECTION = f"--lease-namespace={HOME}"


def held(stage: Stage) -> str:
    return stage.leader().rpartition("-")[0]


async def test_the_process_leads_under_its_hosts_name_and_gives_the_lease_back(stage: Stage, process: Process) -> None:
    await process.start(ELECTION, "--log-format=json")
    assert held(stage) == socket.gethostname()
    stage.apply()
    await stage.succeeds()
    process.signal(signal.SIGTERM)
    assert await process.ends() == (0, "")
    assert stage.leader() == ""
    lines = [json.loads(line) for line in process.log.splitlines()]
    steps = [line["message"].partition(": ")[2] for line in lines if line.get("build") == "shop"]
    assert steps == ["Pending, Starting", "Running, Building", "Succeeded, Built"]
    assert lines[-1]["message"] == "leads no more: the lease is released"


async def test_the_process_ends_with_1_at_once_where_another_has_its_lease(stage: Stage, process: Process) -> None:
    await process.start(ELECTION)
    key = (HOME, LEASE)
    lease = stage.objects.get(LEASES, key)
    stage.objects.replace(LEASES, key, {**lease, "spec": {**lease["spec"], "holderIdentity": "somebody"}})
    code, _ = await process.ends()
    assert code == 1
    assert "somebody has taken the lease" in process.log
    assert stage.leader() == "somebody"


async def test_a_process_that_stands_by_ends_with_0_when_it_is_told_to(stage: Stage, process: Process) -> None:
    leader = await stage.operator(election=UNHURRIED)
    read = stage.api.count("get", LEASES, LEASE)
    await process.begin(ELECTION)
    lease = stage.objects.get(LEASES, (HOME, LEASE))
    assert lease["spec"]["holderIdentity"] == leader.name
    await process.says_in_its_log("stands by while operator-1 leads")
    process.signal(signal.SIGTERM)
    assert await process.ends() == (0, "")
    assert stage.leader() == leader.name
    assert stage.api.count("get", LEASES, LEASE) > read


@pytest.mark.parametrize(
    ("flags", "in_a_pod", "namespace"),
    [
        pytest.param([], False, None, id="in a shell"),
        pytest.param([], True, "in-the-pod", id="in a pod"),
        pytest.param(["--no-leader-election"], True, None, id="in a pod, told not to"),
        pytest.param(["--lease-namespace=there"], False, "there", id="in a shell, told where"),
        pytest.param(["--lease-namespace=there"], True, "there", id="in a pod, told where"),
        pytest.param(["--lease-namespace=there", "--no-leader-election"], False, None, id="both"),
    ],
)
def test_there_is_an_election_in_a_pod_or_where_a_namespace_is_named(
    tmp_path: Path, flags: list[str], in_a_pod: bool, namespace: str | None
) -> None:
    file = tmp_path / "namespace"
    if in_a_pod:
        file.write_text("in-the-pod\n")
    election = election_of(parser().parse_args(flags), file)
    assert (election and election.namespace) == namespace
    assert election is None or election.holder.startswith(f"{socket.gethostname()}-")


def test_each_process_is_another_holder(tmp_path: Path) -> None:
    flags = parser().parse_args([ELECTION])
    first, second = election_of(flags, tmp_path), election_of(flags, tmp_path)
    assert first is not None
    assert second is not None
    assert first.holder != second.holder


def test_a_bad_configuration_is_refused_before_the_election(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--config={tmp_path}/none.yaml", ELECTION]) == 2
    assert "set --config" in capsys.readouterr().err
