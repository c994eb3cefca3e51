"""The operator's configuration file: read at start, and again whenever its content changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import yaml
from pydantic import ValidationError

from imagebuild.api.complaints import complaints
from imagebuild.api.config import OperatorConfig
from imagebuild.core.policy import policy, within

_log = logging.getLogger(__name__)


class ConfigError(Exception):
    """The file cannot be used: the message names the file, the key and the problem."""


def load(text: str, path: Path) -> OperatorConfig:
    try:
        written = yaml.safe_load(text) or {}
    except Exception as error:  # the parser lets many of Python's own out
        raise ConfigError(f"{path}: not YAML: {error}") from error
    try:
        return OperatorConfig.model_validate(written)
    except ValidationError as error:
        problems = "; ".join(f"{key}: {wrong}" for key, wrong in complaints(error, OperatorConfig))
        raise ConfigError(f"{path}: {problems}") from error


class ConfigFile:
    def __init__(self, path: Path) -> None:
        """Raises ConfigError."""
        self._path = path
        self._text = self._read()
        self._within: dict[str, OperatorConfig] = {}
        """By the pattern of its policy; empty for none."""
        self.current = load(self._text, path)

    def within(self, namespace: str) -> OperatorConfig:
        """As it is in force in a namespace: worked out once for each policy, since every decision asks for it, and
        namespaces come and go."""
        found = policy(self.current, namespace)
        match = found.match if found else ""
        if match not in self._within:
            self._within[match] = within(self.current, namespace)
        return self._within[match]

    async def follow(self, every: float, changed: Callable[[], None]) -> None:
        """Runs for ever. A file that has become bad is said once, and the last good one stays in force."""
        said = ""
        while True:
            await asyncio.sleep(every)
            try:
                text = self._read()
                if text == self._text:
                    continue
                self._text = text
                self.current = load(text, self._path)
                self._within = {}
            except ConfigError as error:
                if str(error) != said:
                    _log.error("%s; the configuration read before stays in force", error)
                said = str(error)
            else:
                said = ""
                _log.info("%s: read again", self._path)
                changed()

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror}; set --config") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._path}: not UTF-8: {error.reason} at byte {error.start}") from error
