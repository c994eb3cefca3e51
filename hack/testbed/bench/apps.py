"""What is built: small repositories, and what is changed in them from build to build.

The base image is as small as there is one, so that pulling it hides nothing. RUN steps reach no network: what stands
for dependencies and for compiling has to be computed, and does not compress, as most of what is in images.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Files = dict[str, str]

_LIFE = """\
FROM {base} AS base
RUN mkdir /app && head -c 1000000 /dev/urandom > /app/base
FROM base AS dependencies
COPY lock /lock
RUN mkdir /dependencies && for n in $(seq 400); do head -c 50000 /dev/urandom > /dependencies/$n; done \\
    && cat /dependencies/* | gzip -9 | sha256sum > /dependencies/sum
FROM dependencies AS program
COPY source /source
RUN for n in 1 2 3; do cat /dependencies/* /source/*; done | sha256sum > /program
FROM base
COPY --from=dependencies /dependencies /dependencies
COPY --from=program /program /program
RUN sha256sum /program > /tested
"""
_STAGE = "FROM {base} AS {name}\nRUN head -c 30000000 /dev/urandom | gzip -9 > /{name}\n"
_STAGES = ("one", "two", "three", "four")
_MANY = 20_000
_A_DIRECTORY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One build, and what is committed before it."""

    name: str
    files: Files = field(default_factory=dict)
    branch: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A repository, and its builds one after the other; the first one finds no cache."""

    name: str
    files: Files
    changes: tuple[Change, ...]


def life(base: str) -> App:
    """A repository as a team has it, from its first build on."""
    return App(
        name="life",
        files={"Dockerfile": _LIFE.format(base=base), "lock": "1\n", "source/main": "1\n"},
        changes=(
            Change(name="first build"),
            Change(name="no change"),
            Change(name="source change", files={"source/main": "2\n"}),
            Change(name="dependency change", files={"lock": "2\n"}),
            Change(name="new branch, source change", files={"source/main": "3\n"}, branch="topic"),
        ),
    )


def stages(base: str) -> App:
    made = "".join(_STAGE.format(base=base, name=name) for name in _STAGES)
    copied = "".join(f"COPY --from={name} /{name} /{name}\n" for name in _STAGES)
    return _once("stages", "four parallel stages", {"Dockerfile": f"{made}FROM {base}\n{copied}"})


def small_files(base: str) -> App:
    dockerfile = f"FROM {base}\nCOPY files /files\nRUN find /files -type f | wc -l\n"
    names = (f"files/{number // _A_DIRECTORY}/{number}" for number in range(_MANY))
    return _once("files", f"{_MANY:,} small files", {"Dockerfile": dockerfile, **{name: name * 8 for name in names}})


def large_layer(base: str) -> App:
    return _once(
        "large", "a 1 GB layer", {"Dockerfile": f"FROM {base}\nRUN head -c 1000000000 /dev/urandom > /large\n"}
    )


def layers(base: str) -> App:
    """Much that a cache may keep, half of it text, and little of it in the image."""
    dockerfile = (
        f"FROM {base} AS made\n"
        "RUN mkdir /made && head -c 100000000 /dev/urandom > /made/random && seq 15000000 > /made/text\n"
        f"FROM {base}\nCOPY --from=made /etc/passwd /made-of\nRUN head -c 10000000 /dev/urandom > /kept\n"
    )
    return _once("layers", "234 MB in layers, 10 MB of it in the image", {"Dockerfile": dockerfile})


def _once(name: str, title: str, files: Files) -> App:
    return App(name=name, files=files, changes=(Change(name=title),))
