"""The operator's configuration file: read at start, and again whenever its content changes."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import yaml
from pydantic import ValidationError

from imagebuild.api.config import OperatorConfig

_log = logging.getLogger(__name__)

_LOOK_EVERY_SECONDS = 5.0


class ConfigError(Exception):
    """The file cannot be used: the message names the file, the key and the problem."""


def load(text: str, path: Path) -> OperatorConfig:
    try:
        return OperatorConfig.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, entry['loc'])) or 'file'}: {entry['msg']}" for entry in error.errors(include_url=False)
        )
        raise ConfigError(f"{path}: {problems}") from error


class ConfigFile:
    def __init__(self, path: Path) -> None:
        """Raises ConfigError."""
        self._path = path
        self._text = self._read()
        self.current = load(self._text, path)

    async def follow(self) -> None:
        """Runs for ever. A file that has become bad is said and the last good one stays in force."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            try:
                text = self._read()
                if text == self._text:
                    continue
                self._text = text
                self.current = load(text, self._path)
            except ConfigError as error:
                _log.error("%s; the configuration read before stays in force", error)
            else:
                _log.info("%s: read again", self._path)

    def _read(self) -> str:
        try:
            return self._path.read_text()
        except OSError as error:
            raise ConfigError(f"{self._path}: cannot be read: {error.strerror}; set --config") from error
