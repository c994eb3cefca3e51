"""`spec.cache.import`, `export` and `noCache`: words of buildctl, volumes, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import make
from imagebuild.api.cache import Cache
from imagebuild.contract.plan import CacheImports, Mount
from imagebuild.contract.reasons import Reason
from imagebuild.contract.result import CacheRef, LookUp
from imagebuild.core.cache import branch_cache, cache
from imagebuild.core.cachebackends import backends
from imagebuild.core.part import Part
from imagebuild.runner import cloud, volumes
from imagebuild.runner.cacherefs import CacheRefs, beside
from imagebuild.runner.problem import Problem

HOW = "mode=max,compression=zstd,ignore-error=true"
S3 = {
    "bucket": "caches",
    "region": "eu-central-1",
    "name": "shop-main",
    "prefix": "team/",
    "endpointURL": "https://s3.example.com",
    "usePathStyle": True,
}
S3_WORDS = (
    "type=s3,bucket=caches,region=eu-central-1,name=shop-main,prefix=team/,endpoint_url=https://s3.example.com,"
    "use_path_style=true"
)
AZURE = {"accountURL": "https://acme.blob.core.windows.net", "container": "caches", "name": "shop", "prefix": "a/"}
AZURE_WORDS = "type=azblob,account_url=https://acme.blob.core.windows.net,container=caches,name=shop,prefix=a/"


def part(**cache: Any) -> Part:
    return backends(Cache.model_validate(cache))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param({"registry": {"ref": "r.io/a:c"}}, f"type=registry,ref=r.io/a:c,{HOW}", id="registry"),
        pytest.param({"s3": S3}, f"{S3_WORDS},{HOW}", id="s3"),
        pytest.param(
            {"s3": {"bucket": "b", "region": "r"}}, f"type=s3,bucket=b,region=r,{HOW}", id="s3, as little as goes"
        ),
        pytest.param({"azblob": AZURE}, f"{AZURE_WORDS},{HOW}", id="azblob"),
        pytest.param(
            {"local": {"claimName": "c", "path": "a, b"}},
            f'type=local,"dest=/run/imagebuild/cache/0/a, b",{HOW}',
            id="a directory, quoted where it must be",
        ),
        pytest.param(
            {"local": {"claimName": "c", "path": "a\nb"}},
            f'type=local,"dest=/run/imagebuild/cache/0/a\nb",{HOW}',
            id="a directory whose name has two lines",
        ),
        pytest.param({"inline": {}}, "type=inline", id="inline"),
        pytest.param(
            {"registry": {"ref": "r.io/a:c"}, "mode": "Min", "compression": "Estargz"},
            "type=registry,ref=r.io/a:c,mode=min,compression=estargz,ignore-error=true",
            id="mode and compression",
        ),
    ],
)
def test_a_place_to_export_to_is_one_word(target: dict[str, Any], words: str) -> None:
    assert part(export=[target]).args == ("--export-cache", words)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param({"s3": S3}, S3_WORDS, id="s3"),
        pytest.param({"azblob": AZURE}, AZURE_WORDS, id="azblob"),
        pytest.param({"local": {"claimName": "c"}}, "type=local,src=/run/imagebuild/cache/0", id="local"),
    ],
)
def test_a_place_to_import_from_is_left_to_the_runner_which_may_do_without(source: dict[str, Any], words: str) -> None:
    found = part(**{"import": [source]})
    assert (found.args, found.plan["cache_imports"]) == ((), CacheImports(others=(words,)))


def test_a_ref_to_import_is_for_the_runner_to_ask_for_and_one_to_write_for_it_to_log_in_to() -> None:
    found = part(**{"import": [{"registry": {"ref": "r.io/a:c"}}], "export": [{"registry": {"ref": "q.io/b:d"}}]})
    assert found.plan == {"cache_imports": CacheImports(refs=("r.io/a:c",)), "cache_exports": ("q.io/b:d",)}


def test_a_claim_is_mounted_once_however_often_it_is_named() -> None:
    one, two = {"local": {"claimName": "a", "path": "x"}}, {"local": {"claimName": "b"}}
    found = part(**{"import": [one, two], "export": [one]})
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in found.volumes] == ["a", "b"]
    assert [mount["mountPath"] for mount in found.mounts] == ["/run/imagebuild/cache/0", "/run/imagebuild/cache/1"]
    assert "dest=/run/imagebuild/cache/0/x" in found.args[1]
    assert [(claim.name, claim.path) for claim in found.plan["claims"]] == [
        ("a", "/run/imagebuild/cache/0"),
        ("b", "/run/imagebuild/cache/1"),
    ]


def test_a_volume_that_cannot_be_written_is_named_by_its_claim_before_anything_is_built() -> None:
    claims = (Mount(name="good", path="/0"), Mount(name="bad", path="/1"))
    volumes.check(claims, lambda _: True)
    with pytest.raises(Problem, match="the claim bad") as raised:
        volumes.check(claims, lambda path: path == "/0")
    assert raised.value.reason is Reason.VOLUME_NOT_WRITABLE


@pytest.mark.parametrize(
    ("cache", "args"),
    [
        pytest.param({}, (), id="nothing said"),
        pytest.param({"noCache": False}, (), id="no"),
        pytest.param({"noCache": True}, ("--opt", "no-cache="), id="all stages"),
        pytest.param({"noCacheStages": ["a", "b"]}, ("--opt", "no-cache=a,b"), id="some stages"),
    ],
)
def test_steps_are_run_anew_where_the_spec_says_so(cache: dict[str, Any], args: tuple[str, ...]) -> None:
    assert part(**cache).args == args


@pytest.mark.parametrize(
    ("cache", "on"),
    [
        pytest.param({}, True, id="nothing said"),
        pytest.param({"noCache": True}, True, id="steps run anew are cached again"),
        pytest.param({"export": [{"s3": S3}]}, False, id="another place is named"),
        pytest.param({"import": [{"s3": S3}]}, False, id="another place is only read"),
        pytest.param({"export": [{"s3": S3}], "branch": {}}, True, id="both are named"),
    ],
)
def test_the_branch_cache_is_on_unless_another_place_is_named(cache: dict[str, Any], on: bool) -> None:
    build = make.make_build({**make.SPEC, "cache": cache})
    assert build.spec is not None
    assert (branch_cache(build, build.spec) is not None) is on


# --- a cache volume


def test_a_cache_volume_is_a_claim_that_is_mounted_and_the_branch_cache_stays_on() -> None:
    build = make.make_build({**make.SPEC, "cache": {"volume": {"claimName": "c"}}})
    assert build.spec is not None
    found = cache(build, build.spec)
    assert found.plan["cache_volume"] == Mount(name="c", path="/run/imagebuild/volume")
    assert "cache" in found.plan
    assert [volume["persistentVolumeClaim"]["claimName"] for volume in found.volumes] == ["c"]
    assert [mount["mountPath"] for mount in found.mounts] == ["/run/imagebuild/volume"]


def test_a_cache_volume_is_held_by_one_runner_and_another_waits_until_it_is_told_to_stop(tmp_path: Path) -> None:
    claim = Mount(name="c", path=str(tmp_path))

    def stop() -> None:
        raise Problem(Reason.SUPERSEDED, "")

    with volumes.hold(claim, stop) as state:
        assert state == tmp_path / "buildkit"
        with pytest.raises(Problem), volumes.hold(claim, stop):
            pass
    with volumes.hold(claim, stop):
        pass


def test_without_a_cache_volume_there_is_nothing_to_hold() -> None:
    with volumes.hold(None, lambda: None) as state:
        assert state is None


# --- credentials


def test_credentials_are_a_file_that_may_still_be_missing() -> None:
    found = part(s3Credentials={"name": "store"})
    assert found.plan == {"s3_credentials": Mount(name="store", path="/run/imagebuild/s3")}
    (volume,) = found.volumes
    assert volume["secret"] == {"secretName": "store", "optional": True, "defaultMode": 0o444}
    assert found.args == ()


def secret(tmp_path: Path, *keys: str) -> Mount:
    for key in keys:
        (tmp_path / key).write_text("aws_secret_access_key = hunter2")
    return Mount(name="store", path=str(tmp_path))


def test_buildkitd_is_told_where_the_credentials_are_and_not_what_they_are(tmp_path: Path) -> None:
    found = cloud.environment(secret(tmp_path, "credentials", "..data"), {})
    assert found == {"AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/credentials"}


@pytest.mark.parametrize(
    ("keys", "reason", "said"),
    [
        pytest.param((), Reason.SECRET_MISSING, "the Secret store does not exist", id="none"),
        pytest.param(("..data",), Reason.SECRET_MISSING, "the Secret store does not exist", id="none yet"),
        pytest.param(("key",), Reason.SECRET_INVALID, "has the keys key, but not credentials", id="another one"),
    ],
)
def test_credentials_that_are_not_there_are_named(
    tmp_path: Path, keys: tuple[str, ...], reason: Reason, said: str
) -> None:
    with pytest.raises(Problem, match=said) as raised:
        cloud.environment(secret(tmp_path, *keys), {})
    assert raised.value.reason is reason


def test_a_pods_identity_in_a_cloud_reaches_buildkitd_and_nothing_else_of_its_environment_does() -> None:
    pod = {"AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_SECRET_ACCESS_KEY": "x", "PATH": "/bin"}
    assert cloud.environment(None, pod) == {"AWS_ROLE_ARN": "arn", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}


# --- in the pod


def test_of_the_refs_that_the_spec_names_those_are_read_that_are_there() -> None:
    branch = CacheRefs(looked_for=(CacheRef(ref="r.io/b:1", found=LookUp.FOUND),), imports=("r.io/b:1",), export="e")
    given = CacheImports(refs=("r.io/a:1", "r.io/a:2"), others=("type=local,src=/x",))
    found = beside(branch, given, [LookUp.TIMEOUT, LookUp.FOUND])
    assert (found.imports, found.others, found.export) == (("r.io/b:1", "r.io/a:2"), ("type=local,src=/x",), "e")
    assert [entry.found for entry in found.looked_for] == [LookUp.FOUND, LookUp.TIMEOUT, LookUp.FOUND]
    assert found.read
    assert not found.unread().read
