"""The rules of size: a function fits a screen, a module is about one thing."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for part in ("operator", "hack", "tests") for path in (ROOT / part).rglob("*.py"))
FUNCTION_LINES, MODULE_LINES = 40, 300
LONGER = {
    "tests/hostile.py",
    "tests/e2e/test_crd.py",
    "operator/imagebuild/contract/reasons.py",
    "tests/unit/test_decide.py",
    "tests/unit/test_lifecycle.py",
    "tests/unit/test_localcluster.py",
}
"""Stories and tables: read from the top, one at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    documented: bool
    functions: dict[str, int]
    """Names, and lines of their own: without functions inside, and with a document at the end as one line."""


@functools.cache
def module(path: Path) -> Module:
    """All that is asked of it. The whole trees would keep the garbage collector busy."""
    tree = ast.parse(path.read_text())
    nodes = (node for node in statements(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    functions = {f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": own_lines(node) for node in nodes}
    return Module(documented=bool(ast.get_docstring(tree)), functions=functions)


def own_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    inside = sum(span(part) for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef))
    return span(node) - inside - document(node.body[-1])


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All of them, and nothing of what they are made of: expressions hold no functions but lambdas."""
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt | ast.excepthandler | ast.match_case):
            yield part
            yield from statements(part)


def span(node: ast.stmt | ast.expr) -> int:
    return (node.end_lineno or node.lineno) - node.lineno


def document(last: ast.stmt) -> int:
    """Lines of a literal that a function ends with."""
    value = last.value if isinstance(last, ast.Return | ast.Expr) else None
    if isinstance(value, ast.Call) and value.args:
        value = value.args[-1]
    return span(value) if isinstance(value, ast.Dict | ast.List | ast.Tuple) else 0


def test_no_function_is_longer_than_a_screen() -> None:
    assert MODULES
    found = {name: lines for path in MODULES for name, lines in module(path).functions.items()}
    assert {name: lines for name, lines in found.items() if lines > FUNCTION_LINES} == {}


def test_no_module_is_two_modules() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES and name not in LONGER} == {}


def test_every_module_says_why_it_exists() -> None:
    assert [str(path.relative_to(ROOT)) for path in MODULES if not module(path).documented] == []
