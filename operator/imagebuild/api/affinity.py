"""`spec.pod.affinity`, as in the spec of a Pod: typed, so that a misspelt word is refused and not ignored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from imagebuild.api.model import Model

_Text = Annotated[str, Field(max_length=317)]
_Texts = Annotated[tuple[_Text, ...] | None, Field(max_length=32)]
_Weight = Annotated[int, Field(ge=1, le=100)]


class Requirement(Model):
    key: _Text
    """Of a label, or a field."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How it compares."""
    values: _Texts = None
    """None for Exists and DoesNotExist, one number for Gt and Lt."""


class NodeTerm(Model):
    match_expressions: Annotated[tuple[Requirement, ...] | None, Field(max_length=16)] = None
    """Of the node's labels; all must hold."""
    match_fields: Annotated[tuple[Requirement, ...] | None, Field(max_length=16)] = None
    """Of the node's fields; all must hold."""


class NodeTerms(Model):
    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(max_length=16)]
    """One of them must hold."""


class PreferredNodes(Model):
    weight: _Weight
    """1 to 100."""
    preference: NodeTerm
    """What the node should be."""


class NodeAffinity(Model):
    required_during_scheduling_ignored_during_execution: NodeTerms | None = None
    """What the node must be."""
    preferred_during_scheduling_ignored_during_execution: Annotated[
        tuple[PreferredNodes, ...] | None, Field(max_length=16)
    ] = None
    """What the node should be, by weight."""


class LabelSelector(Model):
    match_labels: Annotated[dict[str, _Text] | None, Field(max_length=16)] = None
    """All must be equal."""
    match_expressions: Annotated[tuple[Requirement, ...] | None, Field(max_length=16)] = None
    """All must hold."""


class PodTerm(Model):
    topology_key: _Text
    """The label of nodes by which near is told, such as kubernetes.io/hostname."""
    label_selector: LabelSelector | None = None
    """Which pods."""
    namespaces: _Texts = None
    """Where they are. Default: the build's namespace."""
    namespace_selector: LabelSelector | None = None
    """Where they are, by labels of the namespace."""
    match_label_keys: _Texts = None
    """Labels in which they are like the build pod."""
    mismatch_label_keys: _Texts = None
    """Labels in which they are not."""


class PreferredPods(Model):
    weight: _Weight
    """1 to 100."""
    pod_affinity_term: PodTerm
    """Which pods, and what near is."""


_PodTerms = Annotated[tuple[PodTerm, ...] | None, Field(max_length=16)]
_PreferredPods = Annotated[tuple[PreferredPods, ...] | None, Field(max_length=16)]


class PodAffinity(Model):
    required_during_scheduling_ignored_during_execution: _PodTerms = None
    """What must hold."""
    preferred_during_scheduling_ignored_during_execution: _PreferredPods = None
    """What should hold, by weight."""


class Affinity(Model):
    node_affinity: NodeAffinity | None = None
    """Which nodes."""
    pod_affinity: PodAffinity | None = None
    """Near which pods."""
    pod_anti_affinity: PodAffinity | None = None
    """Away from which pods."""
