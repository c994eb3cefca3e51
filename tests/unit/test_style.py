"""The rules of size: a function fits a screen, a module is about one thing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for part in ("operator", "hack", "tests") for path in (ROOT / part).rglob("*.py"))
FUNCTION_LINES, MODULE_LINES = 40, 300
LONGER = {"tests/unit/test_decide.py", "tests/unit/test_localcluster.py"}
"""Stories and tables: read from the top, one at a time."""


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_one_literal(node):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def is_one_literal(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Only a literal without branches may be longer."""
    last = node.body[-1]
    return isinstance(last, ast.Return) and isinstance(last.value, ast.Dict) and not branches(last.value)


def branches(node: ast.AST) -> bool:
    return any(isinstance(inner, ast.IfExp | ast.comprehension) for inner in ast.walk(node))


def test_no_function_is_longer_than_a_screen() -> None:
    assert MODULES
    assert [name for path in MODULES for name, lines in functions(path) if lines > FUNCTION_LINES] == []


def test_no_module_is_two_modules() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE_LINES and name not in LONGER} == {}


def test_every_module_says_why_it_exists() -> None:
    assert [str(path.relative_to(ROOT)) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []
