"""How long the operator waits before it looks or tries again: values, so that tests can choose shorter ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds."""

    sweep: float = 300.0
    """Between two comparisons of the view with whole lists."""
    relisted: float = 1.0
    """After kopf has read a whole list again."""
    config: float = 5.0
    """Between two looks at the configuration file."""
    reconnect: float = 10.0
    """After a list or watch that the API server refused."""
    attempt: float = 2.0
    """From an attempt that failed to the next one; doubles with each."""
    quota: float = 30.0
    """After a quota refused a pod: nothing tells when there is room."""
    error: float = 0.2
    """After an error on one ImageBuild; doubles with each."""
    longest_error: float = 60.0
    clean: float = 60.0
    """Between two looks for pods that are kept no longer."""
    slots: float = 5.0
    """While builds wait, between two looks at pods that keep their slot without starting."""
    drain: float = 1.0
    """For the events and traces that are still to be sent when the operator ends."""
