"""The real operator in a thread of its own, as a process would have it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import aiohttp
import kopf
from kubernetes.aio import client

from controller.fakeapi import DEADLINE_SECONDS
from imagebuild.controller.__main__ import operate
from imagebuild.controller.cluster import Cluster
from imagebuild.controller.configfile import ConfigFile
from imagebuild.controller.lease import Election, LeasePace
from imagebuild.controller.pace import Pace

HOME, LEASE = "imagebuild-system", "imagebuild-operator-leader"


class Operator:
    """One process's worth of operator. kopf cancels every task of its loop when it ends, so the loop is its own."""

    def __init__(
        self,
        url: str,
        config: Path,
        pace: Pace,
        election: LeasePace | None,
        number: int,
        *,
        namespaces: tuple[str, ...] = (),
    ) -> None:
        self._url, self._config, self._pace, self._namespaces = url, config, pace, namespaces
        self.name = f"operator-{number}"
        self._election = Election(namespace=HOME, name=LEASE, holder=self.name, pace=election) if election else None
        self.listen = f"127.0.0.1:{free_port()}"
        self._here = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._here.create_future()
        self.error: BaseException | None = None
        self._there: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None
        self._stop: asyncio.Event | None = None
        self._code = 1
        self._thread = threading.Thread(target=self._work, name="operator")
        self._thread.start()

    async def ended(self) -> int:
        """Its exit code; 1 stands for a traceback too, as it does for a process."""
        async with asyncio.timeout(20):
            code = await asyncio.shield(self._ended)
        await asyncio.to_thread(self._thread.join)
        return code

    async def kill(self) -> None:
        """It does nothing more; what it has sent to the API server stays sent."""
        if self._there is not None and self._task is not None and not self._ended.done():
            self._there.call_soon_threadsafe(self._task.cancel)
        await self.ended()

    def _work(self) -> None:
        try:
            code = asyncio.run(self._operate())
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 whatever it is, a process would exit with 1
            code, self.error = self._code, error
        self._here.call_soon_threadsafe(self._ended.set_result, code)

    async def _operate(self) -> int:
        self._there, self._task, self._stop = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
        cluster = Cluster(client.Configuration(host=self._url)).within(self._namespaces)
        return await operate(
            cluster,
            ConfigFile(self._config),
            self.listen,
            login=lambda **_: kopf.ConnectionInfo(server=self._url),
            pace=self._pace,
            election=self._election,
            stop=self._stop,
            end=self._end,
        )

    def _end(self, code: int) -> None:
        """As the process ends itself: at once."""
        self._code = code
        if self._task is not None:
            self._task.cancel()

    async def get(self, path: str) -> tuple[int, str]:
        """What it answers."""
        url = f"http://{self.listen}/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status, await answer.text()

    async def says(self, path: str, text: str) -> str:
        """Its answer as soon as this is in it."""
        told = "nothing"
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while True:
                    with contextlib.suppress(aiohttp.ClientError):
                        code, body = await self.get(path)
                        told = f"{code} {body}"
                    if text in told:
                        return told
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{path} of {self.name} never said {text!r}, but {told[-3000:]}") from None

    def stop(self) -> None:
        """As SIGTERM, which reaches main threads only."""
        assert self._there is not None
        assert self._stop is not None
        self._there.call_soon_threadsafe(self._stop.set)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
