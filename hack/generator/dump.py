"""YAML of generated files, as a person would write it, and the line that says who made them."""

from __future__ import annotations

import yaml

MADE = "Made by hack/generate. Changes here are lost."


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


def dump(*documents: object) -> str:
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return f"# {MADE}\n{text}"
