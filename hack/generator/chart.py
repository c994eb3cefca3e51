"""manifests/chart: a Helm chart whose templates are manifests/ with expressions where the values decide.

What a template has to ask the values for stands in the document as `«…»`, and becomes an expression once it is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from generator import chartvalues, kustomize
from generator.dump import MADE, dump
from generator.kustomize import Document
from imagebuild import __version__
from imagebuild.api.crd import crd

EXPRESSIONS = {
    "builder": '{{ include "imagebuild.builder" $ }}',
    "builderInCEL": '{{ include "imagebuild.builder" $ | toJson | toJson }}',
    "config": '|\n    {{- include "imagebuild.config" $ | nindent 4 }}',
    "operator": '{{ required "operator.image is missing: name the image of the operator" .Values.operator.image }}',
    "replicas": "{{ .Values.operator.replicas }}",
    "resources": "{{ toJson .Values.operator.resources }}",
    "watched": "{{ . }}",
}
HELPERS = """\
{{- /* %s */ -}}
{{- define "imagebuild.builder" -}}
{{- $image := dig "builder" "image" .Values.builder.image .Values.config -}}
{{- required "builder.image is missing: name the image of the builder" $image -}}
{{- end -}}
{{- define "imagebuild.config" -}}
{{- toYaml (merge (dict "builder" (dict "image" (include "imagebuild.builder" .))) .Values.config) -}}
{{- end -}}
"""
CLUSTER = "not .Values.namespaces"


def chart(manifests: Path, *, operator: str = "", builder: str = "", bounds: bool = False) -> dict[str, str]:
    """Its files by name, with the values that a release gives it."""
    defaults = chartvalues.Defaults.of(manifests)
    values = chartvalues.table(defaults, operator=operator, builder=builder, bounds=bounds)
    return {
        "Chart.yaml": dump(_chart()),
        "README.md": f"<!-- {MADE} -->\n\n{chartvalues.readme(values)}",
        "values.yaml": f"# {MADE}\n{chartvalues.text(values)}",
        "values.schema.json": chartvalues.schema(values),
        "templates/_imagebuild.tpl": HELPERS % MADE,
        **{f"templates/{name}.yaml": text for name, text in _templates(manifests).items()},
    }


def _chart() -> Document:
    return {
        "apiVersion": "v2",
        "name": "imagebuild",
        "description": "Container images built by rootless BuildKit in unprivileged pods",
        "type": "application",
        "kubeVersion": ">=1.30.0-0",  # admission policies in v1, quantities in the CRD's rules
        "version": __version__,
        "appVersion": __version__,
    }


def _templates(manifests: Path) -> dict[str, str]:
    def those(*path: str) -> list[Document]:
        return kustomize.documents(manifests.joinpath(*path))

    def template(condition: str, documents: Iterable[Document]) -> str:
        return f"{{{{- /* {MADE} */ -}}}}\n" + _when(condition, documents)

    def each_namespace(documents: Iterable[Document]) -> str:
        inside = _when("", map(_in_each, documents))
        return f"{{{{- range .Values.namespaces }}}}\n{inside}{{{{- end }}}}\n"

    def component(name: str) -> list[Document]:
        return those("components", name)

    claims = ".Values.cacheVolumes.enabled"
    operator = [_operator(document) for document in those("operator") if document["kind"] != "Namespace"]
    return {
        "crd": template(f"and .Values.crd.enabled ({CLUSTER})", [_crd()]),
        "operator": template("", (each for each in operator if not _is_clusters(each)))
        + _when(CLUSTER, filter(_is_clusters, operator)),
        "seccomp": template(f"and .Values.seccomp.enabled ({CLUSTER})", _seccomp(those("seccomp"))),
        "namespaces": template("", ()) + each_namespace(those("namespaced", "watched")),
        "cache-volumes": template(f"and {claims} ({CLUSTER})", component("cache-volumes"))
        + f"{{{{- if {claims} }}}}\n{each_namespace(those('namespaced', 'cache-volumes'))}{{{{- end }}}}\n",
        "operator-bounds": template(".Values.operatorBounds.enabled", map(_bounds, component("operator-bounds"))),
        "requester-rights": template(".Values.requesterRights.enabled", component("requester-rights")),
        "monitoring": template(".Values.monitoring.enabled", component("monitoring")),
    }


def _when(condition: str, documents: Iterable[Document]) -> str:
    text = "".join(f"---\n{_finished(dump(document))}" for document in documents)
    return f"{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text


def _finished(text: str) -> str:
    """What looks like an expression is none; what is one comes after that."""
    text = text.removeprefix(f"# {MADE}\n").replace("{{", '{{ "{{" }}').replace(
        "imagebuild-system", "{{ $.Release.Namespace }}"
    )  # fmt: skip
    text = re.sub(
        r"^( *)(\w+): «with ([\w.]+)»$",
        r"\1{{- with .Values.\3 }}\n\1\2: {{ toJson . }}\n\1{{- end }}",
        text,
        flags=re.MULTILINE,
    )
    text = re.sub(
        r"^( *)- «each ([\w.]+) (\S+)»$",
        r"\1{{- range .Values.\2 }}\n\1- \3{{ . }}\n\1{{- end }}",
        text,
        flags=re.MULTILINE,
    )
    return re.sub(r"«(\w+)»", lambda found: EXPRESSIONS[found[1]], text)


def _crd() -> Document:
    """Among the templates, since Helm never upgrades what is in crds/; kept, since all ImageBuilds would go with it."""
    document: dict[str, Any] = crd()
    metadata = document["metadata"]
    kept = {**metadata.get("annotations", {}), "helm.sh/resource-policy": "keep"}
    return {**document, "metadata": {**metadata, "annotations": kept}}


def _operator(document: Document) -> Document:
    match document["kind"]:
        case "ConfigMap":
            document["data"]["config.yaml"] = "«config»"
        case "Deployment":
            document["spec"]["replicas"] = "«replicas»"
            pod = document["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            container |= {"image": "«operator»", "resources": "«resources»"}
            container["args"].append("«each namespaces --namespace=»")
            _place(pod, "operator")
    return document


def _seccomp(documents: list[Document]) -> list[Document]:
    """The ConfigMap has kustomize's name, so that another profile or program is another pod."""
    config_map, daemons = kustomize.of_kind(documents, "ConfigMap"), kustomize.of_kind(documents, "DaemonSet")
    pod = daemons["spec"]["template"]["spec"]
    pod["containers"][0]["image"] = "«builder»"
    pod["volumes"][0]["configMap"]["name"] = config_map["metadata"]["name"] = kustomize.hashed(config_map)
    _place(pod, "seccomp")
    return documents


def _place(pod: Document, part: str) -> None:
    pod |= {key: f"«with {part}.{key}»" for key in ("imagePullSecrets", "nodeSelector", "tolerations")}


def _bounds(document: Document) -> Document:
    variables = document["spec"].get("variables", [])
    for variable in (one for one in variables if one["name"] == "image"):
        variable["expression"] = "«builderInCEL»"
    return document


def _in_each(document: Document) -> Document:
    document["metadata"]["namespace"] = "«watched»"
    return document


def _is_clusters(document: Document) -> bool:
    return document["kind"] in kustomize.WITHOUT_NAMESPACE
