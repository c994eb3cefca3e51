"""Every generated file: where it is, and what must be in it."""

from __future__ import annotations

import functools
from pathlib import Path

from generator import chart, page, seccomp
from generator.commands import commands
from generator.dashboard import dashboard
from generator.dump import MADE, dump
from generator.examples import examples
from generator.golden import golden
from generator.reference import reference
from generator.rights import policies
from generator.troubleshooting import troubleshooting
from imagebuild.api.crd import crd
from imagebuild.api.names import GROUP, KIND, PLURAL
from testbed.bench import files as bench

ROOT = Path(__file__).resolve().parents[2]
PROFILE = ROOT / "manifests" / "seccomp" / "profile.json"
OPERATOR_PROFILE = ROOT / "manifests" / "seccomp" / "security-profiles-operator.yaml"
SECCOMP_MODULE = ROOT / "operator" / "imagebuild" / "core" / "seccomp.py"
GOLDEN = ROOT / "tests" / "golden"
ARGO_CD = ROOT / "manifests" / "argocd"
MANIFESTS = ROOT / "manifests"
CHART = MANIFESTS / "chart"
MONITORING = ROOT / "manifests" / "components" / "monitoring"
REQUESTER_RIGHTS = ROOT / "manifests" / "components" / "requester-rights" / "policy.yaml"


@functools.cache
def files() -> dict[Path, str]:
    return {
        ROOT / "crds" / f"{GROUP}_{PLURAL}.yaml": dump(crd()),
        ROOT / "docs" / "reference.md": f"<!-- {MADE} -->\n\n{reference()}",
        ROOT / "docs" / "commands.md": f"<!-- {MADE} -->\n\n{commands()}",
        ROOT / "docs" / "troubleshooting.md": f"<!-- {MADE} -->\n\n{troubleshooting()}",
        ROOT / "docs" / "examples.md": f"<!-- {MADE} -->\n\n{examples(MANIFESTS / 'examples')}",
        REQUESTER_RIGHTS: dump(*policies()),
        PROFILE: seccomp.text(),
        OPERATOR_PROFILE: dump(seccomp.operator_object()),
        SECCOMP_MODULE: _seccomp_module(),
        ARGO_CD / "argocd-cm.yaml": dump(_argo_cd()),
        MONITORING / "dashboard.yaml": dump(_dashboard()),
        **{CHART / name: text for name, text in chart.chart(MANIFESTS).items()},
        **{GOLDEN / f"{name}.yaml": dump(*documents) for name, documents in golden(ROOT).items()},
        GOLDEN / "page-built.html": f"<!-- {MADE} -->\n{page.built()}",
        GOLDEN / "page-failed.html": f"<!-- {MADE} -->\n{page.failing()}",
        **bench.made(),
    }


def outdated() -> list[Path]:
    """Files that differ from what the code says, and golden files and templates that nothing makes any more."""
    wanted = files()
    different = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    there = [*GOLDEN.glob("*.yaml"), *(CHART / "templates").glob("*"), *bench.FIGURES.glob("*.svg")]
    return [*different, *(path for path in sorted(there) if path not in wanted)]


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
        "data": {
            f"resource.customizations.{what}.{GROUP}_{KIND}": (ARGO_CD / file).read_text()
            for what, file in (("health", "health.lua"), ("actions", "actions.yaml"))
        },
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
        f'"""{MADE}"""\n\n'
        f'PROFILE = "imagebuild/{seccomp.digest()}.json"\n'
        '"""The seccomp profile of build pods, below the kubelet\'s seccomp directory, named by its content."""\n'
    )
