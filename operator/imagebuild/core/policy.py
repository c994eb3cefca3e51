"""What the administrator sets for a namespace: defaults, maxima, and what an ImageBuild may say of its pod.

`within` gives the operator's configuration as it is in force in a namespace, so that nobody else has to know of
namespaces; `refusal` names what a spec asks for and does not get. That ends the run: the next one starts when somebody
asks for a rebuild, once the spec or the configuration has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import TypeVar

from imagebuild.api.config import Maxima, NamespacePolicy, OperatorConfig, TimeLimits, TimeoutDefaults
from imagebuild.api.model import Model
from imagebuild.api.pod import Resources
from imagebuild.api.quantity import amount
from imagebuild.api.spec import ImageBuildSpec
from imagebuild.api.timespan import seconds
from imagebuild.core.allowed import refused
from imagebuild.core.quantity import at_least, at_most

_M = TypeVar("_M", bound=Model)
_LISTS = "lists what is in"
_SAID = {"affinity": "says so in"}
_WILDCARDS = str.maketrans("", "", "*?")


def policy(config: OperatorConfig, namespace: str) -> NamespacePolicy | None:
    """Of those that match a namespace the one with most letters."""
    matching = (each for each in config.namespaces if fnmatchcase(namespace, each.match))
    return max(matching, key=lambda each: len(each.match.translate(_WILDCARDS)), default=None)


def within(config: OperatorConfig, namespace: str) -> OperatorConfig:
    """The configuration as it is in force in a namespace. Of what this gives it gives the same."""
    found = policy(config, namespace) or NamespacePolicy(match="*")
    maxima = Maxima(
        resources={**config.maxima.resources, **found.maxima.resources},
        timeouts=_over(config.maxima.timeouts, found.maxima.timeouts),
    )
    defaults, times = found.defaults.resources, _over(config.timeouts, found.defaults.timeouts)
    pod = config.pod.model_copy(
        update={
            "allow": _over(config.pod.allow, found.allow),
            "resources": Resources(
                # the API server refuses a pod that requests more than its limit
                requests={
                    **at_most(config.pod.resources.requests or {}, defaults.limits or {}),
                    **(defaults.requests or {}),
                },
                limits={
                    **at_least(config.pod.resources.limits or {}, defaults.requests or {}),
                    **(defaults.limits or {}),
                },
            ),
        }
    )
    return config.model_copy(
        update={
            "archive": _over(config.archive, found.archive),
            "cache_volumes": _over(config.cache_volumes, found.cache_volumes),
            "trust": found.trust or config.trust,
            "untrusted": _over(config.untrusted, found.untrusted),
            "isolation": found.isolation or config.isolation,
            "frontends": found.frontends or config.frontends,
            "maxima": maxima,
            "pod": pod,
            "proxy": found.proxy or config.proxy,
            "tracing": found.tracing or config.tracing,
            "timeouts": times.model_copy(update=_bounded(times, maxima.timeouts)),
        }
    )


def refusal(spec: ImageBuildSpec, config: OperatorConfig, namespace: str) -> str:
    """What the spec asks for and the administrator does not allow; empty where there is nothing."""
    found = policy(config, namespace)
    where = f"namespaces[{found.match}]." if found else ""
    for each in refused(spec, config.pod.allow):
        own = found is not None and getattr(found.allow, _snake(each.key)) is not None
        place = f"{where if own else 'pod.'}allow.{each.key}"
        return f"{each.field}: {each.value} is not allowed: the administrator {_SAID.get(each.key, _LISTS)} {place}"
    return next(_too_much(spec, config.maxima), "")


def _too_much(spec: ImageBuildSpec, maxima: Maxima) -> Iterator[str]:
    resources = (spec.pod.resources if spec.pod else None) or Resources()
    for kind in ("requests", "limits"):
        for name, asked in (getattr(resources, kind) or {}).items():
            most = maxima.resources.get(name)
            if most is not None and amount(asked) > amount(most):
                yield _above(f"spec.pod.resources.{kind}.{name}", asked, most)
    for name in TimeLimits.model_fields:
        asked, most = getattr(spec.timeouts, name, None), getattr(maxima.timeouts, name)
        if asked and most and seconds(asked) > seconds(most):
            yield _above(f"spec.timeouts.{name}", asked, most)


def _above(field: str, asked: str, most: str) -> str:
    return f"{field}: {asked} is more than the {most} that the administrator allows (maxima)"


def _bounded(times: TimeoutDefaults | TimeLimits, most: TimeLimits) -> dict[str, str]:
    """Defaults that are over a maximum are the maximum."""
    bounds = {name: span for name in TimeLimits.model_fields if (span := getattr(most, name)) is not None}
    return {
        name: span
        for name, span in bounds.items()
        if (default := getattr(times, name)) is None or seconds(default) > seconds(span)
    }


def _over(base: _M, given: Model) -> _M:
    """What is given over what is there."""
    return base.model_copy(update={key: value for key, value in given if value is not None})


def _snake(key: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)
