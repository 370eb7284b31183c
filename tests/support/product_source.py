"""The product's source as syntax trees, for tests that hold names and docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("bellbuoy", "gateway", "processors", "schemas", "sinks", "streams")


@cache
def modules() -> dict[str, ast.Module]:
    """Return the tree of every module of the product by its path from the repository."""
    files = sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text()) for file in files}


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield every class of the product with the path of its module."""
    for path, tree in modules().items():
        yield from ((path, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def functions() -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method of the product."""
    for tree in modules().values():
        yield from (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def words(name: str) -> list[str]:
    """Return the words of a name in snake_case or CamelCase, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
