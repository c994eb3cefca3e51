"""The flags of `build` and `create`, under the names that buildx and Kaniko gave them, and what they come to."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from imagebuild.api.names import KIND
from imagebuild.cli import arguments, sources
from imagebuild.cli.files import read_text, read_yaml
from imagebuild.cli.shape import IMAGE_BUILD, SPEC, checked
from imagebuild.cli.spec import Flags

__all__ = ["build_flags", "flags", "read_spec"]

Command = TypeVar("Command", bound=Callable[..., Any])


def _several(*names: str, **settings: Any) -> Callable[[Command], Command]:
    return click.option(*names, multiple=True, **settings)


def _each(convert: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], Any]:
    return lambda _ctx, _param, values: tuple(convert(value) for value in values)


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    return dict(arguments.key_value(value) for value in values)


def _build_args(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    return dict(arguments.build_arg(value, os.environ) for value in values)


_SOURCE = [
    click.option("--path", metavar="DIR", help="The context inside the source."),
    click.option("--branch", help="Git: build its tip; it names the cache."),
    click.option("--git-tag", metavar="TAG", help="Git: build this tag."),
    click.option("--ref", help="Git: build this full ref, such as refs/pull/7/head."),
    click.option("--commit", metavar="ID", help="Git: build this commit, whatever the branch points to."),
    click.option("--source-secret", metavar="SECRET", help="Credentials of the git or web server."),
    click.option("--source-repository", metavar="NAME", help="A directory goes there. Default: the first image's."),
    click.option("--source-plain-http", is_flag=True, help="It goes there without TLS."),
]
_OUTPUT = [
    _several("-t", "--tag", "--destination", "images", metavar="IMAGE", help="Push as; may hold {commit}, {branch}."),
    click.option("--discard", "--no-push", is_flag=True, help="Build, and keep nothing."),
    click.option(
        "--if-exists",
        type=click.Choice(["Overwrite", "Reuse", "Fail"], case_sensitive=False),
        help="What to do where the images exist already.",
    ),
    _several("--label", "labels", metavar="NAME=VALUE", callback=_pairs, help="Label of the image."),
    _several("--annotation", "annotations", metavar="NAME=VALUE", callback=_pairs, help="Annotation of the image."),
    _several("--platform", "platforms", metavar="OS/ARCH", help="Such as linux/arm64."),
    click.option(
        "--provenance", type=click.Choice(["None", "Min", "Max"], case_sensitive=False), help="Attest how it was made."
    ),
    click.option("--sbom", is_flag=True, help="Attest what is in it."),
]
_DOCKERFILE = [
    click.option("-f", "--file", "--dockerfile", "file", metavar="PATH", help="Dockerfile; - reads standard input."),
    click.option("--target", metavar="STAGE", help="Stage to build. Default: the last."),
    _several(
        "--build-arg", "args", metavar="NAME=VALUE", callback=_build_args, help="NAME alone: as this shell has it."
    ),
    _several(
        "--secret",
        "secrets",
        metavar="id=ID,secret=NAME,key=KEY",
        callback=_each(arguments.secret),
        help="A value of a Secret for RUN --mount=type=secret.",
    ),
    _several(
        "--ssh", metavar="ID=SECRET", callback=_each(arguments.ssh), help="A key of a Secret for RUN --mount=type=ssh."
    ),
    _several(
        "--build-context",
        "contexts",
        metavar="NAME=VALUE",
        callback=_each(arguments.context),
        help="A directory of the source, docker-image://…, or a git URL.",
    ),
]
_CACHE = [
    click.option("--no-cache", is_flag=True, help="Run all steps anew."),
    _several("--no-cache-filter", "no_cache_stages", metavar="STAGE", help="Run the steps of this stage anew."),
    _several("--cache-from", metavar="REF", callback=_each(arguments.cache), help="Read this cache, too."),
    _several("--cache-to", metavar="REF", callback=_each(arguments.cache), help="Write this cache, too."),
]
_OBJECT = [
    _several(
        "--registry-secret",
        "registry_secrets",
        metavar="SECRET[=REGISTRY]",
        callback=_each(arguments.registry_secret),
        help="Credentials to pull and push; the registry for a Secret of type basic-auth.",
    ),
    click.option("--archive", is_flag=True, help="Keep the log in the administrator's archive."),
    click.option("--timeout", metavar="TIME", help="How long the build may take, such as 30m."),
    click.option("--ttl", metavar="TIME", help="Delete it so long after its end. Default: 24h, with --name: never."),
    click.option("--spec", "spec_file", metavar="FILE", help="Everything else: a spec, or an ImageBuild; flags win."),
    click.option("--name", help="Of the ImageBuild. Default: after the image, and new each time."),
    click.option("--generate-name", metavar="PREFIX", help="A new name that begins so."),
    click.option("--push", is_flag=True, hidden=True, expose_value=False, help="As buildx has it; builds always push."),
]


def build_flags(command: Command) -> Command:
    command = click.argument("source", required=False)(command)
    for option in reversed([*_SOURCE, *_OUTPUT, *_DOCKERFILE, *_CACHE, *_OBJECT]):
        command = option(command)
    return command


def flags(given: Mapping[str, Any], source: Mapping[str, Any]) -> Flags:
    """`source`: what SOURCE came to. Reads standard input where the Dockerfile is there."""
    names = set(Flags.__dataclass_fields__) - {"source", "dockerfile", "inline", "ttl"}
    file = given["file"]
    inline = read_text(file, "'--file'") if file == "-" else given.get("inline")
    temporary = not (given["name"] or given["spec_file"])
    return Flags(
        source=source,
        dockerfile=file if file != "-" else None,
        inline=inline,
        ttl=given["ttl"] or ("24h" if temporary else None),
        **{name: given[name] for name in names},
    )


def read_source(text: str | None) -> sources.Directory | sources.Remote:
    if text is None:
        return sources.Remote({})
    try:
        return sources.read(text, lambda path: Path(path).is_dir())
    except click.BadParameter as error:
        raise click.BadParameter(error.message, param_hint="'SOURCE'") from None


def read_spec(file: str | None, hint: str = "'--spec'") -> tuple[dict[str, Any], dict[str, Any]]:
    """The metadata and the spec of --spec: a file with a spec, or a whole ImageBuild."""
    if file is None:
        return {}, {}
    written = read_yaml(file, hint)
    if not isinstance(written, dict):
        raise click.BadParameter(f"{file} has no spec: write fields such as source: and output:", param_hint=hint)
    if written.get("kind", KIND) != KIND:
        raise click.BadParameter(f"{file} is a {written['kind']}: give an ImageBuild, or its spec", param_hint=hint)
    try:
        found = checked(written, IMAGE_BUILD if "spec" in written else SPEC, "")
    except ValueError as error:
        raise click.BadParameter(f"{file}: {error}", param_hint=hint) from error
    return (found.get("metadata", {}), found.get("spec", {})) if "spec" in written else ({}, found)
