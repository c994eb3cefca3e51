"""Sources from a real git server, and what the answers of a registry are worth."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from imagebuild.contract.plan import BranchCache, GitSource, Mount, Output, Plan, Registry, RegistrySecret
from imagebuild.contract.reasons import Reason
from runner.pod import Pod


class Repository:
    def __init__(self, url: str, directory: Path) -> None:
        self.url, self._directory = url, directory
        directory.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        done = subprocess.run(
            ["git", *identity, *words], cwd=self._directory, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, branch: str = "main", **files: str) -> str:
        for name, text in {"Dockerfile": "FROM scratch\n", **files}.items():
            (self._directory / name).write_text(text)
        self.git("checkout", "--quiet", "-B", branch)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=change")
        self.git("push", "--quiet", "--force", "--tags", self.url, branch)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(git_server: str, tmp_path: Path) -> Repository:
    return Repository(f"{git_server}/{tmp_path.name}.git", tmp_path / "checkout")


def test_the_tip_of_a_branch_is_fetched_without_its_history_and_without_git(pod: Pod, repository: Repository) -> None:
    repository.commit()
    tip = repository.commit("feature/A", file="2")
    found, log, code = pod.run(Plan(git=GitSource(url=repository.url, branch="feature/A")))
    assert code == 0, log
    assert (found.essentials.commit, found.essentials.branch) == (tip, "feature/A")
    assert sorted(file.name for file in (pod.work / "source").iterdir()) == ["Dockerfile", "file"]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[str]:
    """Host and port of a server with a certificate that nobody has signed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {certificate}"
    subprocess.run([*made.split(), "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_server_whose_certificate_is_not_trusted_is_not_asked_for_anything(pod: Pod, stranger: str) -> None:
    found, log, code = pod.run(Plan(git=GitSource(url=f"https://{stranger}/shop.git", branch="main")))
    assert (found.essentials.reason, code) == (Reason.TLS_FAILED, 1), log
    assert stranger in found.essentials.message


def test_without_a_revision_the_default_branch_is_built(pod: Pod, repository: Repository) -> None:
    tip = repository.commit()
    found, _, _ = pod.run(Plan(git=GitSource(url=repository.url)))
    assert (found.essentials.commit, found.essentials.branch) == (tip, "main")


@pytest.mark.parametrize("tag", ["v1", "@shop/cart@1.2.0"])
def test_an_annotated_tag_is_built_as_the_commit_it_points_to(pod: Pod, repository: Repository, tag: str) -> None:
    tagged = repository.commit()
    repository.git("tag", "--annotate", "--message=one", tag)
    repository.commit(file="later")
    found, log, _ = pod.run(Plan(git=GitSource(url=repository.url, ref=f"refs/tags/{tag}")))
    assert (found.essentials.commit, found.essentials.branch) == (tagged, None), log


@pytest.mark.parametrize("what", ["HEAD^{tree}", "HEAD:Dockerfile"], ids=["a tree", "a file"])
def test_a_tag_of_anything_but_a_commit_is_no_revision(pod: Pod, repository: Repository, what: str) -> None:
    repository.commit()
    repository.git("tag", "odd", what)
    repository.commit(file="later")
    found, log, _ = pod.run(Plan(git=GitSource(url=repository.url, ref="refs/tags/odd")))
    assert found.essentials.reason is Reason.REVISION_NOT_FOUND, log
    assert found.essentials.message == f"{repository.url} has no commit at refs/tags/odd"


def test_a_commit_whose_time_cannot_be_read_is_built_all_the_same(pod: Pod, repository: Repository) -> None:
    repository.commit()
    broken = repository.git("cat-file", "commit", "HEAD").replace("committer t <t@example.com> ", "committer t <t> x")
    file = repository._directory.with_name("commit")
    file.write_text(broken + "\n")
    made = repository.git("hash-object", "-t", "commit", "--literally", "-w", str(file))
    repository.git("push", "--quiet", "--force", repository.url, f"{made}:refs/heads/main")
    found, log, code = pod.run(Plan(git=GitSource(url=repository.url, branch="main")))
    assert (found.essentials.commit, code) == (made, 0), log


def test_a_commit_that_no_branch_has_is_built_with_its_own_time(pod: Pod, repository: Repository) -> None:
    tip = repository.commit()
    alone = repository.git("commit-tree", "-m", "alone", "-p", tip, f"{tip}^{{tree}}")
    repository.git("push", "--quiet", repository.url, f"{alone}:refs/hidden/alone")
    found, log, code = pod.run(
        Plan(git=GitSource(url=repository.url, branch="main", commit=alone), output=Output(commit_time=True))
    )
    assert (found.essentials.commit, code) == (alone, 0), log
    (call,) = pod.seen("buildctl")
    assert f"build-arg:SOURCE_DATE_EPOCH={repository.git('show', '-s', '--format=%ct', alone)}" in call["argv"]


def test_a_pull_request_is_a_line_of_work_by_its_full_name(pod: Pod, repository: Repository) -> None:
    tip = repository.commit()
    repository.git("push", "--quiet", repository.url, "main:refs/pull/7/head")
    found, _, _ = pod.run(Plan(git=GitSource(url=repository.url, ref="refs/pull/7/head")))
    assert (found.essentials.commit, found.essentials.branch) == (tip, "refs/pull/7/head")


def test_a_commit_that_is_no_tip_any_more_is_built(pod: Pod, repository: Repository) -> None:
    old = repository.commit()
    repository.commit(file="later")
    found, log, _ = pod.run(Plan(git=GitSource(url=repository.url, branch="main", commit=old)))
    assert (found.essentials.commit, found.essentials.branch) == (old, "main"), log
    assert not (pod.work / "source" / "file").exists()


@pytest.mark.parametrize(
    ("source", "named"),
    [
        pytest.param({"branch": "none"}, "refs/heads/none", id="branch"),
        pytest.param({"ref": "refs/tags/v9"}, "refs/tags/v9", id="tag"),
        pytest.param({"commit": "12" * 20}, "12" * 20, id="commit"),
        pytest.param(
            {"branch": "--upload-pack=touch /tmp/owned"}, "upload-pack", id="a branch that looks like an option"
        ),
    ],
)
def test_a_revision_that_is_not_there_is_named(
    pod: Pod, repository: Repository, source: dict[str, Any], named: str
) -> None:
    repository.commit()
    found, log, code = pod.run(Plan(git=GitSource(url=repository.url, **source)))
    assert (found.essentials.reason, code) == (Reason.REVISION_NOT_FOUND, 1), log
    assert named in found.essentials.message


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("http://127.0.0.1:1/a.git", Reason.SOURCE_UNAVAILABLE, id="nobody there"),
        pytest.param("{server}/none.git", Reason.SOURCE_UNAUTHORIZED, id="no such repository"),
        pytest.param("ext::sh -c id", Reason.SOURCE_UNAVAILABLE, id="a transport that runs a program"),
        pytest.param("file:///etc", Reason.SOURCE_UNAVAILABLE, id="a file of the pod"),
        pytest.param("--upload-pack=id", Reason.SOURCE_UNAVAILABLE, id="an option"),
    ],
)
def test_a_server_that_does_not_serve_is_told_from_a_revision_that_is_not_there(
    pod: Pod, git_server: str, url: str, reason: Reason
) -> None:
    found, log, _ = pod.run(Plan(git=GitSource(url=url.replace("{server}", git_server), branch="main")))
    assert found.essentials.reason is reason, log


def test_a_repository_on_the_pods_own_disk_is_no_source(pod: Pod, repository: Repository) -> None:
    repository.commit()
    found, log, _ = pod.run(Plan(git=GitSource(url=f"file://{repository._directory}", branch="main")))
    assert found.essentials.reason is Reason.SOURCE_UNAVAILABLE, log


@pytest.mark.parametrize("branch", ["main", "gone"])
def test_a_commit_of_an_earlier_attempt_that_is_not_there_any_more_is_gone(
    pod: Pod, repository: Repository, branch: str
) -> None:
    repository.commit()
    pinned = GitSource(url=repository.url, branch=branch, commit="12" * 20, pinned=True)
    found, log, _ = pod.run(Plan(git=pinned))
    assert found.essentials.reason is Reason.COMMIT_GONE, log
    assert "12" * 20 in found.essentials.message


def test_a_link_that_leads_out_of_the_source_is_no_context(pod: Pod, repository: Repository) -> None:
    repository.commit()
    (repository._directory / "out").symlink_to("/etc")
    repository.commit()
    found, _, _ = pod.run(Plan(git=GitSource(url=repository.url, branch="main"), path="out"))
    assert found.essentials.reason is Reason.FILE_NOT_FOUND
    assert "leads out of the source" in found.essentials.message


def test_submodules_large_files_and_hooks_of_a_repository_are_left_alone(
    pod: Pod, repository: Repository, silent_server: str
) -> None:
    """None of them may make git ask another server, or run a program."""
    repository.commit()
    directory = repository._directory
    (directory / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = http://{silent_server}/s.git\n')
    (directory / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (directory / ".lfsconfig").write_text(f"[lfs]\n\turl = http://{silent_server}/lfs\n")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    (directory / "large.bin").write_text(pointer)
    (directory / "hooks").mkdir()
    (directory / "hooks" / "post-checkout").write_text("#!/bin/sh\ntouch owned\n")
    (directory / "hooks" / "post-checkout").chmod(0o755)
    repository.commit()
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{'12' * 20},s")
    repository.git("commit", "--quiet", "--message=submodule")
    repository.git("push", "--quiet", repository.url, "main")
    tip = repository.git("rev-parse", "HEAD")
    found, log, code = pod.run(Plan(git=GitSource(url=repository.url, branch="main")))
    assert (found.essentials.commit, code) == (tip, 0), log
    source = pod.work / "source"
    assert (source / "large.bin").read_text() == pointer
    assert not list(pod.work.rglob("owned"))
    assert not (source / ".git").exists()


def test_a_server_that_asks_for_a_password_is_told_from_one_that_is_away(pod: Pod, registry: str) -> None:
    found, log, _ = pod.run(Plan(git=GitSource(url=f"http://{registry}/private.git", branch="main")))
    assert found.essentials.reason is Reason.SOURCE_UNAUTHORIZED, log


def test_a_commit_fills_the_names_of_the_images(pod: Pod, repository: Repository) -> None:
    tip = repository.commit("feature/A")
    images = Output(images=("127.0.0.1:1/a:{commit}", "127.0.0.1:1/a:{branch}-{shortCommit}"))
    found, _, _ = pod.run(Plan(git=GitSource(url=repository.url, branch="feature/A"), output=images))
    assert found.details.images == (f"127.0.0.1:1/a:{tip}", f"127.0.0.1:1/a:feature-a-{tip[:12]}")


@pytest.mark.parametrize(
    ("repository", "with_login", "answer"),
    [
        pytest.param("found", False, "Found", id="there"),
        pytest.param("404", False, "NotFound", id="not there"),
        pytest.param("basic", True, "Found", id="for a password"),
        pytest.param("basic", False, "Unauthorized", id="for a password we do not have"),
        pytest.param("bearer", True, "Found", id="for a token"),
        pytest.param("bearer", False, "Unauthorized", id="for a token we do not get"),
        pytest.param("403", True, "Unauthorized", id="forbidden"),
        pytest.param("500", False, "Error", id="an error of the server"),
        pytest.param("hanging", False, "Timeout", id="no answer"),
    ],
)
def test_only_a_cache_that_is_there_is_imported(
    pod: Pod, registry: str, tmp_path: Path, *, repository: str, with_login: bool, answer: str
) -> None:
    plan = Plan(
        directory=_context(tmp_path),
        cache=BranchCache(repository=f"{registry}/{repository}/app", scope="s"),
        registries=(Registry(host=registry, http=True),),
        registry_secrets=(_login(tmp_path, registry),) if with_login else (),
    )
    found, log, code = pod.run(plan)
    assert code == 0, log
    (looked_for,) = found.details.imports
    assert (looked_for.found, looked_for.ref) == (answer, found.details.export_ref)
    (call,) = pod.seen("buildctl")
    assert ("--import-cache" in call["argv"]) == (answer == "Found")


def test_a_registry_nobody_answers_for_is_an_error_and_fails_nothing(pod: Pod, tmp_path: Path) -> None:
    cache = BranchCache(repository="127.0.0.1:1/app", scope="s")
    found, _, code = pod.run(Plan(directory=_context(tmp_path), cache=cache))
    assert ([entry.found for entry in found.details.imports], code) == (["Error"], 0)


def _context(tmp_path: Path) -> Mount:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\n")
    return Mount(name="context", path=str(tmp_path / "context"))


def _login(tmp_path: Path, registry: str) -> RegistrySecret:
    secret = tmp_path / "login"
    secret.mkdir()
    (secret / ".dockerconfigjson").write_text(f'{{"auths": {{"{registry}": {{"auth": "dXNlcjpodW50ZXIy"}}}}}}')
    return RegistrySecret(name="login", path=str(secret))
