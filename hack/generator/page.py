"""Pages of `imagebuild timeline -o html`: one with stages side by side, hits and misses, and it failing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from imagebuild.cli import phases
from imagebuild.cli.logs import Line
from imagebuild.cli.page.document import Facts, page
from imagebuild.cli.page.excerpts import Excerpts
from imagebuild.cli.steps import Steps
from imagebuild.cli.view import View
from imagebuild.contract.timeline import State, Step, Timeline

NOW = datetime(2026, 11, 24, 12, 2, tzinfo=UTC)
BEGAN = datetime(2026, 11, 24, 12, 0, 14, tzinfo=UTC).timestamp()
POD = {
    "metadata": {"creationTimestamp": "2026-11-24T12:00:04Z"},
    "status": {
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T12:00:07Z"}]
    },
}
STEPS = (
    Step(name="[internal] load build definition from Dockerfile", start=0.0, seconds=0.1),
    Step(name="[internal] load build context", start=0.3, seconds=0.8),
    Step(
        name="importing cache manifest from registry.example.com/shop:buildcache-main-1f2e3d4c", start=0.2, seconds=0.4
    ),
    Step(name="[api 1/4] FROM registry.example.com/mirror/golang:1.26", start=0.7, state=State.CACHED),
    Step(name="[api 2/4] WORKDIR /src", start=0.8, needs=(3,), state=State.CACHED),
    Step(name="[api 3/4] COPY . .", start=1.2, seconds=0.6, needs=(4, 1)),
    Step(name="[api 4/4] RUN go build -trimpath -o /out/shop ./cmd/shop", start=1.8, seconds=21.4, needs=(5,)),
    Step(name="[web 1/4] FROM registry.example.com/mirror/node:24", start=0.7, state=State.CACHED),
    Step(name="[web 2/4] COPY web/package.json web/package-lock.json ./", start=1.1, needs=(7, 1), state=State.CACHED),
    Step(name="[web 3/4] RUN npm ci", start=1.1, needs=(8,), state=State.CACHED),
    Step(name="[web 4/4] RUN npm run build && npm test", start=1.2, seconds=14.6, needs=(9, 1)),
    Step(name="[stage-2 1/3] FROM registry.example.com/mirror/distroless:latest", start=0.7, seconds=2.2),
    Step(name="[stage-2 2/3] COPY --from=api /out/shop /shop", start=23.2, seconds=0.3, needs=(11, 6)),
    Step(name="[stage-2 3/3] COPY --from=web /dist /www", start=23.5, seconds=0.2, needs=(12, 10)),
    Step(name="exporting to image", start=23.7, seconds=1.9),
    Step(name="pushing the image", start=25.6, seconds=3.1, needs=(14,)),
    Step(name="exporting cache to registry", start=28.7, seconds=4.4),
)
STATUS: dict[str, Any] = {
    "phase": "Succeeded",
    "reason": "Built",
    "message": "The image is in the registry.",
    "run": {"number": 3},
    "attempt": 1,
    "podName": "shop-3-1-x7k2p",
    "queuedAt": "2026-11-24T12:00:00Z",
    "startedAt": "2026-11-24T12:00:10Z",
    "finishedAt": "2026-11-24T12:00:48Z",
    "duration": "38s",
    "timings": {"pod": 6.0, "fetch": 1.4, "daemon": 3.2, "solve": 33.4, "total": 37.9},
    "source": {"commit": "4f2d1c9e0b7a65483920fedcba98765432101234", "branch": "main"},
    "output": {"digest": f"sha256:{'9c' * 32}", "images": ["registry.example.com/shop:4f2d1c9"]},
    "cache": {
        "cached": 3,
        "total": 9,
        "summary": "3/9",
        "imports": [{"ref": "registry.example.com/shop:buildcache-main-1f2e3d4c", "result": "Found"}],
        "export": {"ref": "registry.example.com/shop:buildcache-main-1f2e3d4c"},
    },
    "history": [
        {
            "run": 2,
            "phase": "Failed",
            "reason": "StepFailed",
            "finishedAt": "2026-11-24T10:11:12Z",
            "commit": "77" * 20,
        },
        {
            "run": 1,
            "phase": "Succeeded",
            "reason": "Built",
            "finishedAt": "2026-11-23T09:30:00Z",
            "digest": f"sha256:{'1b' * 32}",
        },
    ],
}
PRINTED = [
    "#12 [api 4/4] RUN go build -trimpath -o /out/shop ./cmd/shop",
    "#12 0.412 go: downloading github.com/example/money v1.4.0",
    "#12 20.93 shop: 18.2 MB",
    "#12 DONE 21.4s",
    "#11 [web 4/4] RUN npm run build && npm test",
    "#11 0.630 > web@1.0.0 build",
    "#11 9.870 dist/app.js  412.6 kB",
    "#11 14.31 Tests: \x1b[32m48 passed\x1b[0m, 48 total",
]
FAILED_AT, ENDED = 10, 15.8
FAILURE = {
    "phase": "Failed",
    "reason": "StepFailed",
    "message": "A step of the Dockerfile failed: [web 4/4] RUN npm run build && npm test.",
    "output": {},
    "cache": {**STATUS["cache"], "export": None},
    "failure": {
        "reason": "StepFailed",
        "message": "A step of the Dockerfile failed.",
        "step": "[web 4/4] RUN npm run build && npm test",
        "line": 12,
        "exitCode": 1,
        "logTail": "Tests: 1 failed, 47 passed, 48 total",
        "nextStep": "Read failure.logTail.",
    },
}
SAID = [
    "#11 12.02 FAIL src/cart.test.ts",
    "#11 12.02   ● an empty cart costs nothing",
    "#11 12.02     expect(total).toBe(0) <- received: 4.99",
    "#11 14.31 Tests: 1 failed, 47 passed, 48 total",
    '#11 ERROR: process "/bin/sh -c npm run build && npm test" did not complete successfully: exit code: 1',
]


def failed(steps: tuple[Step, ...] = STEPS) -> tuple[Step, ...]:
    """The same, ended by its tests while another stage was still at work."""
    ended = steps[: FAILED_AT + 2]
    return tuple(
        Step(
            name=step.name,
            start=step.start,
            seconds=min(step.seconds, ENDED - step.start),
            needs=step.needs,
            state=_state(place, step),
        )
        for place, step in enumerate(ended)
    )


def _state(place: int, step: Step) -> State:
    return {FAILED_AT: State.FAILED, 6: State.CANCELED}.get(place, step.state)


def document(**status: Any) -> dict[str, Any]:
    metadata = {"name": "shop", "namespace": "team-a", "uid": "u", "generation": 1, "resourceVersion": "1"}
    return {"metadata": metadata, "spec": {}, "status": {"observedGeneration": 1, **STATUS, **status}}


def facts(build: dict[str, Any], steps: tuple[Step, ...] = STEPS, printed: list[str] | None = None) -> Facts:
    """As the command puts them together from the answers of the API server."""
    view, timeline, excerpts = View(build), Timeline(since=BEGAN, steps=steps), Excerpts()
    for _ in excerpts.watch(Line("2026-11-24T12:00:20Z", text) for text in (PRINTED if printed is None else printed)):
        pass
    spans = phases.spans(view, POD, Steps(timeline, exact=True), NOW)
    return Facts(build=view, spans=spans, timeline=timeline, excerpts=excerpts.of(steps), now=NOW)


def built() -> str:
    return page(facts(document()))


def failing() -> str:
    return page(facts(document(**FAILURE), failed(), [*PRINTED[:5], *PRINTED[5:7], *SAID]))
