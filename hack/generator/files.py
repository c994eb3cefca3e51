"""Every generated file: where it is, and what must be in it."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml

from generator import page, seccomp
from generator.commands import commands
from generator.dashboard import dashboard
from generator.golden import golden
from generator.reference import reference
from generator.rights import policies
from imagebuild.api.crd import crd
from imagebuild.api.names import GROUP, KIND, PLURAL

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "manifests" / "seccomp" / "profile.json"
OPERATOR_PROFILE = ROOT / "manifests" / "seccomp" / "security-profiles-operator.yaml"
SECCOMP_MODULE = ROOT / "operator" / "imagebuild" / "core" / "seccomp.py"
GOLDEN = ROOT / "tests" / "golden"
ARGO_CD = ROOT / "manifests" / "argocd"
MONITORING = ROOT / "manifests" / "components" / "monitoring"
REQUESTER_RIGHTS = ROOT / "manifests" / "components" / "requester-rights" / "policy.yaml"
_MADE = "Made by hack/generate. Changes here are lost."


@functools.cache
def files() -> dict[Path, str]:
    return {
        ROOT / "crds" / f"{GROUP}_{PLURAL}.yaml": _yaml(crd()),
        ROOT / "docs" / "reference.md": f"<!-- {_MADE} -->\n\n{reference()}",
        ROOT / "docs" / "commands.md": f"<!-- {_MADE} -->\n\n{commands()}",
        REQUESTER_RIGHTS: _yaml(*policies()),
        PROFILE: seccomp.text(),
        OPERATOR_PROFILE: _yaml(seccomp.operator_object()),
        SECCOMP_MODULE: _seccomp_module(),
        ARGO_CD / "argocd-cm.yaml": _yaml(_argo_cd()),
        MONITORING / "dashboard.yaml": _yaml(_dashboard()),
        **{GOLDEN / f"{name}.yaml": _yaml(*documents) for name, documents in golden(ROOT).items()},
        GOLDEN / "page-built.html": f"<!-- {_MADE} -->\n{page.built()}",
        GOLDEN / "page-failed.html": f"<!-- {_MADE} -->\n{page.failing()}",
    }


def outdated() -> list[Path]:
    """Files that differ from what the code says, and golden files that nothing makes any more."""
    wanted = files()
    different = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    return [*different, *(path for path in sorted(GOLDEN.glob("*.yaml")) if path not in wanted)]


class _Dumper(yaml.SafeDumper):
    """YAML as a person writes it: lists indented, texts of several lines as blocks, nothing by reference."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  the names and order are the library's
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def _yaml(*documents: object) -> str:
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {_MADE}\n{text}"


def _argo_cd() -> dict[str, object]:
    """For a server-side apply, which leaves the rest of the ConfigMap alone."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "argocd-cm",
            "namespace": "argocd",
            "labels": {"app.kubernetes.io/name": "argocd-cm", "app.kubernetes.io/part-of": "argocd"},
        },
        "data": {f"resource.customizations.health.{GROUP}_{KIND}": (ARGO_CD / "health.lua").read_text()},
    }


def _dashboard() -> dict[str, object]:
    """With the label by which Grafana's sidecar finds it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "imagebuild-dashboard",
            "namespace": "imagebuild-system",
            "labels": {"grafana_dashboard": "1"},
        },
        "data": {"imagebuild.json": dashboard()},
    }


def _seccomp_module() -> str:
    return (
        f'"""{_MADE}"""\n\n'
        f'PROFILE = "imagebuild/{seccomp.digest()}.json"\n'
        '"""The seccomp profile of build pods, below the kubelet\'s seccomp directory, named by its content."""\n'
    )
