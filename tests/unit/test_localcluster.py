"""The parts of hack/cluster that need no machine: what a cache key covers, what other scripts read, what is undone."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from localcluster import (
    credentials,
    debian,
    engine,
    firewall,
    gobuild,
    gomodules,
    images,
    kind,
    leftovers,
    oci,
    pins,
    places,
    registries,
)
from localcluster.work import Failure, run

PINS = pins.load()


# --- pins


def test_every_program_has_a_version_and_a_package_in_its_module() -> None:
    assert PINS.programs
    for program in PINS.programs.values():
        assert program.version.startswith("v")
        assert program.package.startswith(program.module)


@pytest.mark.parametrize(
    "change",
    [{"version": "v9.9.9"}, {"tags": ("other",)}, {"stamp": ("a=b",)}, {"ldflags": ("-x",)}, {"cgo": True}],
    ids=lambda change: next(iter(change)),
)
def test_a_programs_key_covers_what_decides_its_content(change: dict[str, Any]) -> None:
    program = PINS.programs["kubectl"]
    assert replace(program, **change).key != program.key
    assert replace(program).key == program.key


def test_a_digest_covers_names_and_content_of_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("same")
    two.write_text("same")
    assert pins.digest([], one) != pins.digest([], two)
    before = pins.digest([], one)
    one.write_text("other")
    assert pins.digest([], one) != before


def test_the_dockerfiles_name_the_pinned_base_images() -> None:
    for dockerfile in (pins.REPOSITORY / "operator" / "images").glob("*/Dockerfile"):
        arguments = [line for line in dockerfile.read_text().splitlines() if line.startswith("ARG ")]
        named = [line.partition("=")[2] for line in arguments if "_IMAGE=" in line]
        assert named
        assert set(named) <= {_pinned(which) for which in PINS.images}, dockerfile


def _pinned(which: str) -> str:
    return PINS.images[which] + (f"@{PINS.digests[which]}" if which in PINS.digests else "")


def test_the_builder_image_is_another_one_when_its_credential_helpers_are() -> None:
    assert set(credentials.SOURCE.iterdir()) <= set(images._builder_sources())
    ignored = (images.SOURCES / "images" / "builder" / "Dockerfile.dockerignore").read_text().splitlines()
    assert f"!{credentials.SOURCE.relative_to(pins.REPOSITORY)}" in ignored


# --- places


def test_what_is_recorded_can_be_read_back_whatever_it_holds() -> None:
    values = {"PLAIN": "registry.imagebuild.test:5001", "EMPTY": "", "ODD": "it's a $path with spaces"}
    assert places.parse_env(places.render_env(values)) == values


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"HOME": "/h"}, "/h/.local/state/imagebuild"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/imagebuild"),
        ({"HOME": "/h", "XDG_STATE_HOME": ""}, "/h/.local/state/imagebuild"),
    ],
    ids=["default", "chosen", "set but empty"],
)
def test_state_lies_where_the_xdg_convention_says(environ: dict[str, str], state: str) -> None:
    assert str(places.find(environ).state) == state


def test_without_a_cluster_the_next_step_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="hack/cluster up"):
        places.load_env(places.Places(tmp_path / "state", tmp_path / "cache"))


def test_a_written_file_has_its_mode_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "password"
    places.write(file, "secret", 0o600)
    places.write(file, "another", 0o600)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("another", 0o600)


# --- gobuild, debian


@pytest.mark.parametrize(
    ("version", "enough"),
    [("go1.26.8", True), ("go1.26", True), ("go1.25.9", False), ("go2.0", True), ("", False), ("devel", False)],
)
def test_a_go_toolchain_is_used_when_it_is_recent_enough(version: str, *, enough: bool) -> None:
    assert gobuild.recent_enough(version, "1.26") is enough


def test_staging_modules_are_found_in_both_forms_of_a_go_mod() -> None:
    go_mod = """
replace k8s.io/api => ./staging/src/k8s.io/api
replace (
	k8s.io/client-go => ./staging/src/k8s.io/client-go
	example.com/other => ./other
)
require k8s.io/utils v0.0.0
"""
    assert gomodules.staging_modules(go_mod) == ["k8s.io/api", "k8s.io/client-go"]


def test_the_main_archive_of_this_release_is_the_mirror() -> None:
    said = (
        "Debian main bookworm-updates http://mirror/updates/\n"
        "Other main bookworm http://other/\n"
        "Debian contrib bookworm http://mirror/contrib/\n"
        "Debian main bookworm http://mirror/debian/\n"
    )
    assert debian.main_archive(said, "bookworm") == ["http://mirror/debian/"]
    assert debian.main_archive("", "bookworm") == []


# --- engine, firewall, leftovers


@pytest.mark.parametrize(("effective", "has"), [("000001ffffffffff", True), ("000001fffeffffff", False)])
def test_the_capability_is_read_from_the_process_status(effective: str, *, has: bool) -> None:
    assert engine.has_sys_resource(f"Name:\tx\nCapPrm:\t0\nCapEff:\t{effective}\n") is has


def test_only_what_the_engine_added_is_taken_out_of_the_firewall() -> None:
    before = "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-N MINE\n-A MINE -p tcp -j ACCEPT\n"
    now = (
        "-P INPUT ACCEPT\n-P FORWARD DROP\n-N MINE\n-N DOCKER\n-N LATER\n-A FORWARD -j DOCKER\n"
        '-A FORWARD -o imagebuild0 -m comment --comment "two words" -j ACCEPT\n-A MINE -p tcp -j ACCEPT\n'
    )
    assert firewall.undo(before, now) == [
        ["-D", "FORWARD", "-j", "DOCKER"],
        ["-D", "FORWARD", "-o", "imagebuild0", "-m", "comment", "--comment", "two words", "-j", "ACCEPT"],
        ["-F", "DOCKER"],
        ["-X", "DOCKER"],
        ["-P", "FORWARD", "ACCEPT"],
    ]


def test_a_table_that_was_not_there_gets_the_kernels_policy_back() -> None:
    assert firewall.undo("", "-P FORWARD DROP\n") == [["-P", "FORWARD", "ACCEPT"]]


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["/usr/bin/dockerd", "--pidfile", "/state/docker.pid"], True),
        (["/usr/bin/dockerd", "--pidfile", "/var/run/docker.pid"], False),
        (["vim", "/state/docker.log"], False),
        ([], False),
    ],
    ids=["ours", "another engine", "another program", "a kernel thread"],
)
def test_a_process_is_ours_by_its_program_and_our_directory(words: list[str], *, ours: bool) -> None:
    assert leftovers.matches(words, ("dockerd", "containerd"), "/state") is ours


def test_half_made_directories_go_and_whole_ones_stay(tmp_path: Path) -> None:
    for name in ("debian/.new-x/usr", "debian/node-1/usr", ".node-y/root"):
        (tmp_path / name).mkdir(parents=True)
    leftovers.half_made(tmp_path)
    assert sorted(str(d.relative_to(tmp_path)) for d in tmp_path.glob("*/*")) == ["debian/node-1"]


# --- registries, kind


def test_the_hosts_line_comes_once_and_goes_without_a_trace() -> None:
    old = "127.0.0.1 localhost"
    new = registries.with_hosts(old)
    assert "127.0.0.1 registry.imagebuild.test private.imagebuild.test" in new
    assert registries.with_hosts(new) == new
    assert registries.without_hosts(new) == old + "\n"


def test_the_private_registry_has_a_password_and_the_open_one_has_not() -> None:
    texts = {registry.private: registries.configuration(registry) for registry in registries.REGISTRIES}
    assert "htpasswd" in texts[True]
    assert "htpasswd" not in texts[False]
    assert all("delete:\n    enabled: true" in text for text in texts.values())


def test_the_node_asks_the_mirror_for_docker_io_only_where_there_is_one() -> None:
    assert "docker.io/hosts.toml" in registries.node_files("ca", mirror=True)
    assert "docker.io/hosts.toml" not in registries.node_files("ca", mirror=False)


def test_a_password_is_hashed_so_that_the_registry_takes_it() -> None:
    first, second = registries.bcrypt("password"), registries.bcrypt("password")
    assert first.startswith("$2")
    assert len(first) == 60
    assert first != second


@pytest.mark.parametrize(("size", "grown"), [(0, False), (19_000_000_000, False), (21_000_000_000, True)])
def test_a_registry_has_grown_when_it_has_more_than_20_gb_of_blobs(tmp_path: Path, size: int, *, grown: bool) -> None:
    blob = tmp_path / "docker" / "registry" / "v2" / "blobs" / "sha256" / "ab" / "abc" / "data"
    blob.parent.mkdir(parents=True)
    with blob.open("wb") as file:
        file.truncate(size)  # takes no room
    assert registries.has_grown(tmp_path) is grown
    assert not registries.has_grown(tmp_path / "none")


@pytest.mark.parametrize("closed", [True, False])
def test_only_our_node_image_has_a_network_configuration_of_its_own(*, closed: bool) -> None:
    assert f"disableDefaultCNI: {str(closed).lower()}" in kind.configuration(closed=closed)


# --- oci


def test_an_image_has_the_files_of_its_directory(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "tool").write_text("content")
    (root / "bin" / "alias").symlink_to("tool")
    oci.make(root, tmp_path / "layout", {"Cmd": ["tool"]})
    oci.archive(tmp_path / "layout", "example/tool:1", tmp_path / "image.tar")

    with tarfile.open(tmp_path / "image.tar") as packed:
        index = json.load(_file(packed, "index.json"))
        manifest = json.load(_file(packed, _blob(index["manifests"][0])))
        config = json.load(_file(packed, _blob(manifest["config"])))
        with tarfile.open(fileobj=_file(packed, _blob(manifest["layers"][0])), mode="r:gz") as layer:
            assert layer.getnames() == ["bin", "bin/alias", "bin/tool"]
    assert index["manifests"][0]["annotations"] == {"io.containerd.image.name": "example/tool:1"}
    assert config["config"] == {"Cmd": ["tool"]}


def test_the_same_directory_makes_the_same_image(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("content")
    oci.make(root, tmp_path / "one", {})
    oci.make(root, tmp_path / "two", {})
    assert oci.digest_of(tmp_path / "one") == oci.digest_of(tmp_path / "two")


def _file(packed: tarfile.TarFile, name: str) -> IO[bytes]:
    found = packed.extractfile(name)
    assert found
    return found


def _blob(descriptor: dict[str, str]) -> str:
    return f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"


# --- work


def test_a_failure_says_what_failed_why_and_what_to_do() -> None:
    with pytest.raises(Failure, match=r"(?s)bash .* failed with status 3: no luck\n  next: try again") as failure:
        run("bash", "-c", "echo no luck >&2; exit 3", next_step="try again")
    assert failure.value.code == 1


def test_a_missing_program_is_named() -> None:
    with pytest.raises(Failure, match="no-such-program: no such program"):
        run("no-such-program")
