"""What hostile builds try, and what comes of it: one table, which docs/security.md shows and the tests hold true.

Attempts are made by RUN steps in each isolation mode (testbed.hostile, tests/e2e/test_hostile.py). Rows name a test that
makes one of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

MODES = ("Userns", "UsernsMasked", "Rootless")
EVERY = frozenset(MODES)
SHARED = EVERY - {"Userns"}
"""Modes in which RUN steps share the process namespace of their pod."""
NOWHERE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    name: str
    """In testbed.hostile."""
    tried: str
    succeeds: frozenset[str] = NOWHERE
    """The modes in which it does."""
    otherwise: str = "blocked"
    why: str
    """What blocks it, or what can be done where nothing does."""

    @property
    def row(self) -> str:
        return f"| {self.tried} | {self._outcome} | {self.why} |"

    @property
    def _outcome(self) -> str:
        if self.succeeds == EVERY:
            return "**succeeds**"
        if self.succeeds:
            return f"{self.otherwise} in {_and(EVERY - self.succeeds)}, **succeeds** in {_and(self.succeeds)}"
        return self.otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    tried: str
    outcome: str
    why: str
    test: str
    """`directory/test_module.py::test_name`, below tests/."""

    @property
    def row(self) -> str:
        return f"| {self.tried} | {self.outcome} | {self.why} |"


def _and(modes: frozenset[str]) -> str:
    return " and ".join(f"`{mode}`" for mode in MODES if mode in modes)


def table(rows: tuple[Attempt, ...] | tuple[Row, ...]) -> str:
    return "\n".join(("| tried | what happened | by what |", "|---|---|---|", *(each.row for each in rows)))


_PTRACE = "the daemon has more capabilities than a step, so the kernel lets no step look into it"
_MOUNTS = "a step has mounts of its own, and the kernel shows it nobody else's"

READS = (
    Attempt(name="docker-config", tried="the docker configuration, and the registry Secrets", why=_MOUNTS),
    Attempt(
        name="git-token",
        tried="the git token or key",
        why=f"it is used by git alone, before the first step and outside of BuildKit; {_MOUNTS}",
    ),
    Attempt(name="proxy-secret", tried="the password of the egress proxy", why=_MOUNTS),
    Attempt(
        name="proxy-password",
        tried="to have the runner's proxy send that password to a server of the step's",
        why="the proxy gives it to the one above it only",
    ),
    Attempt(name="archive-login", tried="the login of the log archive", why=_MOUNTS),
    Attempt(
        name="build-secrets",
        tried="secrets of the build that the step does not mount, and that earlier steps did",
        why=f"{_MOUNTS}; BuildKit mounts a secret for one step and keeps it in no layer",
    ),
    Attempt(
        name="unasked",
        tried="secrets that the ImageBuild does not name, mounted by BuildKit's own names for credentials",
        why="BuildKit is given the secrets of the spec and no others, not even git's",
    ),
    Attempt(
        name="other-step",
        tried="the secret of another step while that runs",
        succeeds=SHARED,
        why="steps of one build are equals: only a process namespace keeps them apart. Choose `Userns`, or let the step "
        "with the secret run after the ones that are not trusted (`COPY --from` makes it wait)",
    ),
    Attempt(
        name="token",
        tried="a service account's token",
        why="build pods have none (`automountServiceAccountToken: false`)",
    ),
    Attempt(name="environment", tried="the environment of the daemon and the runner (`/proc/*/environ`)", why=_PTRACE),
    Attempt(name="daemon-files", tried="the daemon's files and the build's plan (`/proc/*/root`)", why=_PTRACE),
    Attempt(
        name="command-lines",
        tried="command lines of the daemon and the runner (`/proc/*/cmdline`)",
        succeeds=SHARED,
        why="the process namespace is the pod's. No secret is in a command line; build arguments are",
    ),
    Attempt(name="memory", tried="the memory of the daemon and the runner (`/proc/*/mem`)", why=_PTRACE),
    Attempt(
        name="sniff",
        tried="the pod's network traffic, with a raw socket",
        why="the network namespace is not of the user namespace in which a step has CAP_NET_RAW",
    ),
    Attempt(name="devices", tried="the node's disks", why="a user namespace makes no devices"),
)

REACHES = (
    Attempt(name="ptrace", tried="to attach to the daemon or the runner (`ptrace`)", why=_PTRACE),
    Attempt(
        name="signals",
        tried="to signal the daemon",
        succeeds=SHARED,
        why="the process namespace is the pod's, and the user the same. What comes of it is below: the build fails, and "
        "no status is false",
    ),
    Attempt(name="outputs", tried="to write to the log in the runner's name (`/proc/*/fd`)", why=_PTRACE),
    Attempt(
        name="result",
        tried="to write the result (`/dev/termination-log`)",
        why="a step has a `/dev` of its own, and those of others are closed to it",
    ),
    Attempt(
        name="daemon",
        tried="BuildKit's socket, by path, through `/proc/*/root`, or without one",
        why=f"it is a file that a step does not have; {_PTRACE}",
    ),
    Attempt(name="loopback", tried="anything else that listens in the pod", why="nothing but the runner's proxy does"),
    Attempt(
        name="mount",
        tried="to mount, also in a user namespace of its own",
        why="a step has no CAP_SYS_ADMIN, and BuildKit's seccomp profile keeps it from making a namespace",
    ),
    Attempt(
        name="kernel",
        tried="settings of the node's kernel (`core_pattern`, `sysrq-trigger`, `kcore`)",
        why="they belong to the node's root, who is nobody in the pod, or are masked",
    ),
    Attempt(
        name="api-server",
        tried="Secrets from the API server",
        why="it can be reached, but there is no token to show it. Close the way with a NetworkPolicy",
    ),
    Attempt(
        name="kubelet",
        tried="pods from the node's kubelet",
        why="the kubelet wants a certificate. Close the way with a NetworkPolicy",
    ),
    Attempt(
        name="metadata",
        tried="the metadata address of a cloud, 169.254.169.254",
        otherwise="nothing answers",
        why="nothing of this project: where this is tested nobody has that address. **In a cloud it answers**, perhaps with "
        "the node's credentials: block it with a NetworkPolicy, or a hop limit of 1",
    ),
    Attempt(
        name="registry",
        tried="to push to the build's repository with the build's credentials, and so to another branch's cache",
        why="a step has none, and the registry answers 401",
    ),
    Attempt(
        name="registry-by-proxy",
        tried="the same through the runner's proxy",
        why="that knows the proxy's password and no registry's",
    ),
    Attempt(
        name="open-registry",
        tried="to push to a registry that asks nobody who they are",
        succeeds=EVERY,
        why="so may everybody who reaches it: give registries a password, or close the way with a NetworkPolicy",
    ),
    Attempt(
        name="proxy",
        tried="the egress proxy, through the runner's",
        succeeds=EVERY,
        why="steps share the pod's network. The proxy's own lists hold for them as for the build",
    ),
    Attempt(
        name="processes",
        tried="as many processes and threads as it can have, after raising the limit",
        succeeds=frozenset({"Rootless"}),
        why="`pod.processes` of the operator's configuration, for all users of a build together; the kernel lets only the "
        "node's root raise it. In `Rootless` the node's is the only one: set `podPidsLimit` in the kubelet's configuration",
    ),
)

ENDS = (
    Row(
        tried="to kill all processes of the pod",
        outcome="in `Userns` there is nothing to kill; else the build ends as `DaemonDied`",
        why="the runner is the pod's first process, which the kernel protects from those inside. It says what happened",
        test="e2e/test_hostile.py::test_a_step_that_kills_what_it_can_ends_its_own_build_at_most",
    ),
    Row(
        tried="to interrupt the runner as the kubelet would (TERM, INT, HUP)",
        outcome="blocked",
        why="only a signal from outside of the pod counts",
        test="runner/test_signals.py::test_signals_from_inside_the_pod_are_ignored",
    ),
    Row(
        tried="to leave a process behind that outlives the build",
        outcome="blocked: in `Userns` it ends with its step, else with the pod",
        why="the kernel ends all of a process namespace with its first process",
        test="e2e/test_hostile.py::test_nothing_that_a_step_starts_outlives_the_build",
    ),
    Row(
        tried="to leave a process behind that keeps the step's output open",
        outcome="in `Userns` it ends with its step; else the step stays open until `timeouts.build` or `timeouts.silence`",
        why="a step is over when nobody can write to its output any more. Set a timeout that is close",
        test="e2e/test_hostile.py"
        "::test_a_process_that_keeps_the_output_of_its_step_keeps_the_step_open_at_most_until_timeouts_build",
    ),
    Row(
        tried="to fill the disk",
        outcome="the pod is evicted, `Evicted`",
        why="the limit `ephemeral-storage` of the pod, which the kubelet looks after. Set one: there is none by default",
        test="e2e/test_hostile.py::test_a_step_that_fills_the_disk_is_stopped_at_the_limit",
    ),
    Row(
        tried="to fill the memory",
        outcome="`StepOutOfMemory` or `OutOfMemory`",
        why="the memory limit of the pod, 4Gi by default",
        test="e2e/test_life_of_a_build.py::test_a_step_that_takes_more_memory_than_there_is_is_told_from_one_that_fails",
    ),
)

LIES = (
    Row(
        tried="a step that fails prints causes, results and lines of the runner's",
        outcome="blocked: `StepFailed`, with its exit code and no digest",
        why="causes come from what BuildKit and the kubelet report, never from text that a step can print",
        test="e2e/test_hostile.py::test_a_step_that_fails_is_believed_nothing_of_what_it_says",
    ),
    Row(
        tried="a step claims to be a fault of the node",
        outcome="blocked: `StepFailed`",
        why="runc's own log is asked",
        test="e2e/test_life_of_a_build.py::test_a_step_that_claims_to_be_a_fault_of_the_node_is_not_believed",
    ),
    Row(
        tried="any bytes as the pod's result",
        outcome="blocked",
        why="it is read as untrusted input: bounded, and a success only where it says so in its form",
        test="unit/test_fuzz.py::test_no_message_makes_a_success_of_a_pod_but_one_that_says_so",
    ),
    Row(
        tried="terminal escapes in the log, read by `imagebuild logs`",
        outcome="blocked",
        why="the command shows them as text. `kubectl logs` does not: it prints what the pod has written",
        test="unit/test_cli_logs.py::test_a_terminal_acts_on_nothing_that_a_log_says",
    ),
)

INJECTS = (
    Row(
        tried='options and commas in arguments, labels and annotations (`",type=local,dest=/"`, `$(X)`)',
        outcome="blocked: every byte is kept",
        why="there is no shell; each is one word, quoted where BuildKit reads CSV",
        test="e2e/test_hostile.py::test_values_of_the_spec_are_kept_to_the_byte_and_do_nothing",
    ),
    Row(
        tried="the same in attributes of the image, any text",
        outcome="blocked",
        why="fields are quoted as CSV",
        test="unit/test_runner_command.py::test_attributes_of_the_exporter_keep_every_byte",
    ),
    Row(
        tried="names, paths, refs and URLs that hold options, `..`, `ext::`, `file://`, passwords or commas",
        outcome="refused by the API server, with a sentence",
        why="rules of the CRD",
        test="e2e/test_crd.py::test_the_api_server_refuses_with_a_sentence",
    ),
    Row(
        tried="`ext::`, `file://` and options as git URLs, past the CRD",
        outcome="blocked: `SourceUnavailable`",
        why="git is allowed http, https and ssh alone, and gets names after `--`",
        test="runner/test_sources.py::test_a_server_that_does_not_serve_is_told_from_a_revision_that_is_not_there",
    ),
    Row(
        tried="a branch that is an option (`--upload-pack=…`)",
        outcome="blocked: `RevisionNotFound`",
        why="names come after `--`, and as full refs",
        test="runner/test_sources.py::test_a_revision_that_is_not_there_is_named",
    ),
    Row(
        tried="hooks, large-file filters and submodules of a repository",
        outcome="blocked",
        why="none of them runs or is fetched unless `submodules` asks for it",
        test="runner/test_sources.py::test_submodules_large_files_and_hooks_of_a_repository_are_left_alone",
    ),
    Row(
        tried="a submodule on another host, for the git credentials",
        outcome="blocked",
        why="they are for the host of the URL alone",
        test="runner/test_git_access.py::test_credentials_are_not_for_a_submodule_of_another_host",
    ),
    Row(
        tried="a link in the source that leads to the pod's files",
        outcome="blocked",
        why="a path has to stay in the source with all links followed",
        test="runner/test_sources.py::test_a_link_that_leads_out_of_the_source_is_no_context",
    ),
    Row(
        tried="a redirect of an archive to a file of the pod or another protocol",
        outcome="blocked: `SourceUnavailable`",
        why="http and https alone, and never from TLS to none",
        test="runner/test_archives.py::test_a_redirect_leads_to_no_other_protocol",
    ),
    Row(
        tried="a redirect to another host, for the credentials",
        outcome="it is followed without them",
        why="they are for the host of the URL. **A redirect to a host inside is followed, too**: use a NetworkPolicy",
        test="runner/test_archives.py::test_a_redirect_to_another_host_is_followed_without_the_credentials",
    ),
    Row(
        tried="archives with `..`, absolute paths, or links that lead out",
        outcome="blocked: `ArchiveInvalid`",
        why="each member is looked at before it is written",
        test="runner/test_archives.py::test_what_is_no_archive_or_leads_out_of_it_is_refused",
    ),
    Row(
        tried="setuid bits and owners in an artifact's files",
        outcome="blocked",
        why="none are kept",
        test="runner/test_artifacts.py::test_of_an_images_files_neither_owners_nor_setuid_bits_are_kept",
    ),
)

BOUNDS = (
    Row(
        tried="to create a pod with another image, owner, container or user, with a path, port, device, network or "
        "processes of the node, without seccomp or AppArmor, or with privilege",
        outcome="refused by the API server",
        why="the component `operator-bounds`",
        test="e2e/test_bounds.py::test_no_other_pod_is",
    ),
    Row(
        tried="to run another program in it: by its command, a hook, a probe, a variable such as `LD_PRELOAD`, another "
        "working directory, or a volume over the runner",
        outcome="refused by the API server",
        why="the same. It lists the variables, the kinds of volumes and the places for them that build pods have",
        test="e2e/test_bounds.py::test_no_other_pod_is",
    ),
    Row(
        tried="to have the token of a service account in it, the automatic one or a projected one",
        outcome="refused by the API server",
        why="the same. It takes tokens for the audiences of clouds, which the API server does not",
        test="e2e/test_bounds.py::test_no_other_pod_is",
    ),
    Row(
        tried="to keep it from the garbage collector without an ImageBuild, by a second owner that is there, also later",
        outcome="refused by the API server",
        why="the same",
        test="e2e/test_bounds.py"
        "::test_a_pod_of_somebody_else_is_neither_changed_nor_deleted_and_its_own_keep_image_and_owner",
    ),
    Row(
        tried="to change or delete somebody else's pod, or the image of one of its own",
        outcome="refused by the API server",
        why="the same",
        test="e2e/test_bounds.py"
        "::test_a_pod_of_somebody_else_is_neither_changed_nor_deleted_and_its_own_keep_image_and_owner",
    ),
    Row(
        tried="to change or delete a claim that is not a cache of its own, or to choose the volume of one, where it may "
        "keep claims",
        outcome="refused by the API server",
        why="the same",
        test="e2e/test_bounds.py"
        "::test_a_claim_of_somebody_else_is_neither_changed_nor_deleted_and_its_own_choose_no_volume",
    ),
    Row(
        tried="to read a Secret, a log or a token, or to exec",
        outcome="refused by the API server",
        why="its ClusterRole has what the code calls, and nothing else",
        test="controller/test_permissions.py::test_the_cluster_role_grants_exactly_the_permissions_that_the_code_names",
    ),
    Row(
        tried="to have a build pod mount a Secret, a ConfigMap or a claim that no ImageBuild names, and build what it likes "
        "with it: RUN steps of its own, pushed anywhere",
        outcome="**succeeds**",
        why="the API server cannot know what an ImageBuild asks for, nor, until the garbage collector looks, whether it is "
        "there. Guard the operator's namespace, and keep no Secrets with tokens of service accounts where it may create "
        "pods",
        test="e2e/test_bounds.py::test_each_pod_that_the_operator_makes_is_taken",
    ),
    Row(
        tried="to have a build pod run by any service account of its namespace, for the identity that a cloud gives it",
        outcome="**succeeds**",
        why="which of them may build is a setting of the operator's. Give accounts with much power in a cloud a namespace "
        "without builds: [some namespaces only](namespaced.md)",
        test="e2e/test_bounds.py::test_what_clouds_add_for_an_identity_is_taken",
    ),
    Row(
        tried="to have a build pod with labels, annotations, tolerations, a priority, a runtime class, resources or an "
        "isolation mode that the operator's configuration does not allow",
        outcome="**succeeds**",
        why="the lists are the operator's. What such a word does in your cluster, a policy of yours can forbid",
        test="e2e/test_bounds.py::test_each_pod_that_the_operator_makes_is_taken",
    ),
    Row(
        tried="to delete ImageBuilds, or to write into their status what is not so",
        outcome="**succeeds**",
        why="it is what the operator does",
        test="controller/test_permissions.py::test_the_cluster_role_grants_exactly_the_permissions_that_the_code_names",
    ),
)

NAMES = (
    Row(
        tried="to name a Secret that one may neither read nor use, anywhere in the spec",
        outcome="refused by the API server, which names the Secret",
        why="the component `requester-rights`",
        test="e2e/test_requester_rights.py::test_a_secret_is_named_by_who_may_get_or_use_it_and_by_nobody_else",
    ),
    Row(
        tried="to hide it among so many that nobody could look at all of them",
        outcome="refused by the API server",
        why="it looks at twelve, and takes no more from who may not use them all",
        test="e2e/test_requester_rights.py::test_more_secrets_than_can_be_looked_at_are_refused_in_words",
    ),
    Row(
        tried="to change the Dockerfile of somebody else's ImageBuild, to get at the Secrets that it names",
        outcome="refused by the API server",
        why="a change of what is built is looked at whole",
        test="e2e/test_requester_rights.py"
        "::test_somebody_elses_build_is_changed_in_all_but_what_it_does_with_its_secrets",
    ),
    Row(
        tried="to build as a service account that one may neither be nor use",
        outcome="refused by the API server",
        why="the component `requester-rights`",
        test="e2e/test_requester_rights.py::test_a_service_account_is_named_by_who_may_be_it_or_use_it",
    ),
)

KEEPS = (
    Row(
        tried="values of each kind of secret, looked for in everything that stays: log, pod, status, events, image, cache",
        outcome="in none of it, after a success and after a failure",
        why="secrets are mounted by name, and read where they are used",
        test="e2e/test_hostile.py::test_no_value_of_a_secret_stays_anywhere",
    ),
    Row(
        tried="the same in command lines and environments of the pod's processes while a build runs",
        outcome="in none of them",
        why="secrets are files",
        test="e2e/test_hostile.py::test_no_value_of_a_secret_is_in_a_process",
    ),
)

UNTRUSTED = (
    Row(
        tried="to run in another mode than `Userns`",
        outcome="refused: `NotAllowed`, with the setting that has to change",
        why="the mode is the administrator's; a build is refused rather than run in a weaker one",
        test="e2e/test_untrusted.py::test_where_the_mode_is_another_it_is_refused_with_the_setting_that_has_to_change",
    ),
    Row(
        tried="secrets, SSH keys, a service account, a claim as its source or cache, another frontend, or a cache to write",
        outcome="refused: `NotAllowed`, before there is a pod",
        why="the operator looks at the spec before it makes a pod",
        test="e2e/test_untrusted.py::test_what_it_asks_for_in_vain_is_told_and_nothing_is_started",
    ),
    Row(
        tried="another frontend by a `# syntax=` line or `BUILDKIT_SYNTAX`",
        outcome="blocked: it says nothing",
        why="BuildKit's own frontend reads the Dockerfile, and the daemon has no other",
        test="e2e/test_untrusted.py::test_a_build_that_is_not_trusted_builds_pushes_and_gets_what_is_promised",
    ),
    Row(
        tried="to leave something in the branch cache from which trusted builds start",
        outcome="blocked: the ref is as it was",
        why="the runner is told to export no cache",
        test="e2e/test_untrusted.py::test_it_starts_from_the_cache_of_those_that_are_trusted_and_leaves_them_nothing",
    ),
    Row(
        tried="to push to another repository, or to name another Secret, than the administrator lists",
        outcome="refused: `NotAllowed`, where there are lists (`allow.registries`, `allow.secrets`)",
        why="the operator looks at the spec before it makes a pod. **Without lists it succeeds** as far as the "
        "credentials reach",
        test="e2e/test_untrusted.py::test_what_is_beyond_them_is_refused_by_name_and_list",
    ),
    Row(
        tried="to reach more of the network than the administrator lists",
        outcome="not tried: the network plugin of the tests enforces nothing",
        why="the NetworkPolicy `untrusted`. That it is about these pods, and about no others, is tested",
        test="e2e/test_tenant.py"
        "::test_pods_that_are_not_trusted_have_a_policy_of_their_own_that_lists_names_and_what_the_page_adds",
    ),
)

ATTEMPTS = READS + REACHES
ROWS = ENDS + LIES + INJECTS + UNTRUSTED + KEEPS + NAMES + BOUNDS
TABLES: tuple[tuple[Attempt, ...] | tuple[Row, ...], ...] = (
    READS,
    REACHES,
    ENDS,
    LIES,
    INJECTS,
    UNTRUSTED,
    KEEPS,
    NAMES,
    BOUNDS,
)
