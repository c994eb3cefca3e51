"""Private repositories: what git is given, and that nothing of it is left or seen."""

from __future__ import annotations

import shutil
import sys
import textwrap
import urllib.parse
from pathlib import Path

import pytest

from imagebuild.contract.plan import BranchCache, GitSource, Mount, Plan
from imagebuild.contract.reasons import Reason
from runner.pod import Pod
from runner.test_sources import Repository
from testbed.gitserver import PASSWORD, USER

KNOWN = "git.example.com ssh-ed25519 AAAA"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"
SSH = """
import os, pathlib, stat, subprocess, sys
from driven import say
say("ssh", sys.argv)
config = pathlib.Path(sys.argv[sys.argv.index("-F") + 1])
words = dict(line.split(maxsplit=1) for line in config.read_text().splitlines())
kept = pathlib.Path(__file__).with_name("kept")
kept.mkdir(exist_ok=True)
for name in ("IdentityFile", "UserKnownHostsFile"):
    file = pathlib.Path(words[name])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    (kept / name).write_text(file.read_text())
(kept / "config").write_text(config.read_text())
sys.exit(subprocess.run(["sh", "-c", sys.argv[-1]]).returncode)
"""
"""Takes the place of ssh: looks at what it is given and runs the command here."""


def secret(directory: Path, **values: str) -> Mount:
    mount = directory / "secret"
    mount.mkdir()
    for key, value in values.items():
        (mount / key.replace("_", "-" if key == "ssh_privatekey" else "_")).write_text(value)
    return Mount(name="git-login", path=str(mount))


@pytest.fixture
def private(git_server: str, tmp_path: Path) -> Repository:
    """`_url` as the server's owner pushes to it, with the password inside."""
    place = git_server.removeprefix("http://")
    pair = f"{USER}:{urllib.parse.quote(PASSWORD, safe='')}"
    repository = Repository(f"http://{pair}@{place}/private-{tmp_path.name}.git", tmp_path / "checkout")
    repository.commit()
    return repository


def plain(url: str) -> str:
    return f"http://{url.rpartition('@')[2]}"


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"username": USER, "password": PASSWORD}, id="of type basic-auth"),
        pytest.param({"username": f"{USER}\n", "password": f"{PASSWORD}\n"}, id="written with an editor"),
        pytest.param({"username": USER, "token": PASSWORD}, id="a token and its user"),
    ],
)
def test_a_private_repository_is_fetched_and_its_password_is_nowhere(
    pod: Pod, private: Repository, tmp_path: Path, values: dict[str, str]
) -> None:
    found, log, code = pod.run(Plan(git=GitSource(url=plain(private.url), secret=secret(tmp_path, **values))))
    assert code == 0, log
    assert found.essentials.commit == private.git("rev-parse", "HEAD")
    files = [file for file in pod.directory.rglob("*") if file.is_file() and "secret" not in file.parts]
    quoted = urllib.parse.quote(PASSWORD, safe="")
    holding = [file for file in files if PASSWORD in (text := file.read_text(errors="replace")) or quoted in text]
    assert [file for file in holding if not file.is_relative_to(tmp_path / "checkout")] == []
    assert PASSWORD not in log
    assert not (pod.work / "fetching-source" / "access").exists()


@pytest.mark.parametrize(
    ("values", "reason", "said"),
    [
        pytest.param(None, Reason.SOURCE_UNAUTHORIZED, "could not read Username", id="none"),
        pytest.param({"username": USER, "password": "no"}, Reason.SOURCE_UNAUTHORIZED, "Authentication", id="wrong"),
        pytest.param({}, Reason.SECRET_MISSING, "the Secret git-login does not exist", id="that does not exist"),
        pytest.param({"username": USER}, Reason.SECRET_INVALID, "no password and no token", id="without a password"),
        pytest.param({"ssh_privatekey": KEY}, Reason.SECRET_INVALID, "for a URL that begins", id="for ssh"),
    ],
)
def test_credentials_that_do_not_fit_are_told_apart(
    pod: Pod, private: Repository, tmp_path: Path, *, values: dict[str, str] | None, reason: Reason, said: str
) -> None:
    mount = None if values is None else secret(tmp_path, **values)
    found, log, _ = pod.run(Plan(git=GitSource(url=plain(private.url), secret=mount)))
    assert found.essentials.reason is reason, log
    assert said in found.essentials.message


@pytest.fixture
def over_ssh(pod: Pod) -> Pod:
    program = pod.bin / "ssh"
    program.write_text(f"#!{sys.executable}\n{textwrap.dedent(SSH)}")
    program.chmod(0o755)
    return pod


def bare(repository: Repository, tmp_path: Path) -> Path:
    """The repository as a server has it in its file system."""
    repository.git("clone", "--quiet", "--bare", str(repository._directory), str(tmp_path / "bare.git"))
    return tmp_path / "bare.git"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ssh://git@git.example.com:2222{path}", id="as a URL"),
        pytest.param("git@git.example.com:{path}", id="as scp writes it"),
    ],
)
def test_a_key_is_a_file_for_this_host_alone_and_host_keys_are_pinned(
    over_ssh: Pod, private: Repository, tmp_path: Path, url: str
) -> None:
    mount = secret(tmp_path, ssh_privatekey=KEY, known_hosts=KNOWN)
    source = GitSource(url=url.format(path=bare(private, tmp_path)), branch="main", secret=mount)
    found, log, code = over_ssh.run(Plan(git=source))
    assert code == 0, log
    assert found.essentials.commit == private.git("rev-parse", "HEAD")
    kept = over_ssh.bin / "kept"
    assert (kept / "IdentityFile").read_text() == KEY + "\n"
    assert (kept / "UserKnownHostsFile").read_text() == KNOWN + "\n"
    config = (kept / "config").read_text()
    assert config.startswith("Host git.example.com\n  IdentityFile ")
    assert "StrictHostKeyChecking yes" in config
    assert not (over_ssh.work / "fetching-source" / "access").exists()
    assert not any("BEGIN" in word for call in over_ssh.seen("ssh") for word in (*call["argv"], *call["env"].values()))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"ssh_privatekey": KEY}, "ssh-keyscan git.example.com > known_hosts", id="without known_hosts"),
        pytest.param({"ssh_privatekey": KEY, "known_hosts": "\n"}, "no known_hosts", id="with an empty one"),
        pytest.param({"username": "u", "password": "p"}, "no ssh-privatekey", id="for https"),
    ],
)
def test_without_key_and_known_hosts_no_server_is_asked(
    over_ssh: Pod, tmp_path: Path, values: dict[str, str], said: str
) -> None:
    source = GitSource(url="git@git.example.com:a/b.git", secret=secret(tmp_path, **values))
    found, log, _ = over_ssh.run(Plan(git=source))
    assert found.essentials.reason is Reason.SECRET_INVALID, log
    assert said in found.essentials.message
    assert over_ssh.seen("ssh") == []


def test_the_command_for_known_hosts_asks_the_port_of_the_url(over_ssh: Pod, tmp_path: Path) -> None:
    url = "ssh://git@git.example.com:2222/a/b.git"
    found, log, _ = over_ssh.run(Plan(git=GitSource(url=url, secret=secret(tmp_path, ssh_privatekey=KEY))))
    assert "`ssh-keyscan -p 2222 git.example.com > known_hosts`" in found.essentials.message, log


def test_ssh_without_a_secret_is_no_transport(over_ssh: Pod) -> None:
    found, log, _ = over_ssh.run(Plan(git=GitSource(url="git@git.example.com:a/b.git")))
    assert found.essentials.reason is Reason.SOURCE_UNAVAILABLE, log
    assert over_ssh.seen("ssh") == []


@pytest.mark.parametrize(
    ("words", "reason", "said"),
    [
        pytest.param("Host key verification failed.", Reason.HOST_KEY_UNKNOWN, "Host key verification", id="unknown"),
        pytest.param(
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nHost key verification failed.",
            Reason.HOST_KEY_UNKNOWN,
            "HAS CHANGED",
            id="another host key",
        ),
        pytest.param(
            "git@h: Permission denied (publickey).", Reason.SOURCE_UNAUTHORIZED, "Permission denied", id="unknown key"
        ),
        pytest.param(
            'Load key "/k": error in libcrypto\ngit@h: Permission denied (publickey).',
            Reason.SECRET_INVALID,
            "Load key",
            id="a key that is none",
        ),
        pytest.param(
            "ssh: connect to host h port 22: Connection refused",
            Reason.SOURCE_UNAVAILABLE,
            "Connection refused",
            id="nobody there",
        ),
    ],
)
def test_what_ssh_says_becomes_a_reason(pod: Pod, tmp_path: Path, words: str, reason: Reason, said: str) -> None:
    program = pod.bin / "ssh"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 255\n")
    program.chmod(0o755)
    mount = secret(tmp_path, ssh_privatekey=KEY, known_hosts=KNOWN)
    found, log, _ = pod.run(Plan(git=GitSource(url="git@h:a.git", branch="main", secret=mount)))
    assert found.essentials.reason is reason, log
    assert said in found.essentials.message


def test_submodules_of_the_same_host_are_fetched_with_the_same_credentials_and_without_git(
    pod: Pod, private: Repository, git_server: str, tmp_path: Path
) -> None:
    inner = Repository(private.url.replace("private-", "private-inner-"), tmp_path / "inner")
    pinned = inner.commit(file="first")
    inner.commit(file="later")
    name = inner.url.rsplit("/", 1)[1]
    (private._directory / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = deps/s\n\turl = ../{name}\n')
    private.git("add", ".gitmodules")
    private.git("update-index", "--add", "--cacheinfo", f"160000,{pinned},deps/s")
    private.git("commit", "--quiet", "--message=submodule")
    private.git("push", "--quiet", private.url, "main")
    mount = secret(tmp_path, username=USER, password=PASSWORD)
    _, log, code = pod.run(Plan(git=GitSource(url=plain(private.url), submodules=True, secret=mount)))
    assert code == 0, log
    assert (pod.work / "source" / "deps" / "s" / "file").read_text() == "first"
    assert list((pod.work / "source").rglob(".git")) == []


def test_credentials_are_not_for_a_submodule_of_another_host(
    pod: Pod, private: Repository, git_server: str, tmp_path: Path
) -> None:
    inner = Repository(private.url.replace("private-", "private-inner-"), tmp_path / "inner")
    pinned = inner.commit()
    elsewhere = plain(inner.url).replace("127.0.0.1", "localhost")
    (private._directory / ".gitmodules").write_text(f'[submodule "s"]\n\tpath = s\n\turl = {elsewhere}\n')
    private.git("add", ".gitmodules")
    private.git("update-index", "--add", "--cacheinfo", f"160000,{pinned},s")
    private.git("commit", "--quiet", "--message=submodule")
    private.git("push", "--quiet", private.url, "main")
    mount = secret(tmp_path, username=USER, password=PASSWORD)
    found, log, _ = pod.run(Plan(git=GitSource(url=plain(private.url), submodules=True, secret=mount)))
    assert found.essentials.reason is Reason.SOURCE_UNAUTHORIZED, log


def test_the_git_directory_is_kept_where_it_is_asked_for_and_holds_no_password(
    pod: Pod, private: Repository, tmp_path: Path
) -> None:
    mount = secret(tmp_path, username=USER, password=PASSWORD)
    _, log, code = pod.run(Plan(git=GitSource(url=plain(private.url), keep_git_dir=True, secret=mount)))
    assert code == 0, log
    source = pod.work / "source"
    told = private.git("-C", str(source), "log", "--format=%H")
    assert told == private.git("rev-parse", "HEAD")
    assert private.git("-C", str(source), "status", "--porcelain") == ""
    config = (source / ".git" / "config").read_text()
    assert plain(private.url) in config
    assert "credential" not in config


def test_a_fetch_that_fails_ends_the_question_for_the_default_branch_which_then_says_nothing(
    pod: Pod, private: Repository, tmp_path: Path
) -> None:
    asks = pod.bin / "asked"
    git = pod.bin / "git"
    git.write_text(
        "#!/bin/sh\n"
        'case " $* " in\n'
        f'*" ls-remote "*) echo $$ > {asks}; echo fatal: none; exec sleep 60 ;;\n'
        f'*" fetch "*) while [ ! -s {asks} ]; do sleep 0.02; done ;;\n'
        "esac\n"
        f'exec {shutil.which("git")} "$@"\n'
    )
    git.chmod(0o755)
    login = secret(tmp_path, username=USER, password=PASSWORD)
    source = GitSource(url=plain(private.url), branch="none", secret=login)
    asked = Plan(git=source, cache=BranchCache(repository="127.0.0.1:1/a", scope="s"))
    found, log, _ = pod.run(asked)
    assert found.essentials.reason is Reason.REVISION_NOT_FOUND, log
    assert "fatal: none" not in log
    assert "given up" not in log
    assert not Path(f"/proc/{asks.read_text().strip()}").exists()
