"""What placeholders of images, labels and annotations stand for, and what becomes of other braces."""

from __future__ import annotations

import pytest

from imagebuild.contract.plan import Output, Plan
from imagebuild.contract.reasons import Reason
from imagebuild.runner.placeholders import filled, images
from imagebuild.runner.problem import Problem

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        pytest.param("r.io/a:1", "r.io/a:1", id="nothing to fill"),
        pytest.param("r.io/a:{commit}", f"r.io/a:{COMMIT}", id="commit"),
        pytest.param("r.io/a:v-{shortCommit}", "r.io/a:v-0123456789ab", id="short commit"),
        pytest.param("r.io/a:{branch}-{shortCommit}", "r.io/a:feature-a-0123456789ab", id="branch as a tag may be"),
    ],
)
def test_names_of_images_are_filled(image: str, wanted: str) -> None:
    assert images(Plan(output=Output(images=(image,))), COMMIT, "feature/A") == (wanted,)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        pytest.param("{commit}", COMMIT, id="commit"),
        pytest.param("{shortCommit} of {branch}", "0123456789ab of feature/A", id="a branch by its whole name"),
        pytest.param('{"a": {commit}}', f'{{"a": {COMMIT}}}', id="in other braces"),
        pytest.param("{sha} {} {{ {Commit} {commit", "{sha} {} {{ {Commit} {commit", id="other braces stay"),
        pytest.param("a={commit}=b\n", f"a={COMMIT}=b\n", id="with signs that a key ends with"),
        pytest.param("", "", id="nothing at all"),
    ],
)
def test_values_of_labels_and_annotations_are_filled(value: str, wanted: str) -> None:
    output = Output(attributes=("compression=zstd", f"annotation.b={value}"), labels=(f"A={value}",))
    found = filled(Plan(output=output), COMMIT, "feature/A").output
    assert found.attributes == ("compression=zstd", f"annotation.b={wanted}")
    assert found.labels == (f"A={wanted}",)


def test_what_a_branch_is_called_is_not_filled_again() -> None:
    found = filled(Plan(output=Output(labels=("a={branch}",))), COMMIT, "{commit}")
    assert found.output.labels == ("a={commit}",)


@pytest.mark.parametrize(
    ("output", "commit", "said"),
    [
        pytest.param(Output(images=("r.io/a:{commit}",)), None, "r.io/a:{commit}: {commit} cannot", id="an image"),
        pytest.param(Output(labels=("a={branch}",)), COMMIT, "output.labels: a: {branch} cannot", id="a label"),
        pytest.param(
            Output(attributes=("annotation-index.a.b={shortCommit}",)),
            None,
            "output.annotations: a.b: {shortCommit} cannot",
            id="an annotation",
        ),
    ],
)
def test_a_placeholder_that_nothing_fills_is_named_with_its_place(
    output: Output, commit: str | None, said: str
) -> None:
    with pytest.raises(Problem) as problem:
        images(filled(Plan(output=output), commit, None), commit, None)
    what = "the source names no branch" if commit else "the source is not from git"
    assert problem.value.message == f"{said} be filled: {what}"
    assert problem.value.reason is Reason.SPEC_INVALID
