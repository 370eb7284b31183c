"""A reader of the constants of a module, each with the docstring that stands below it."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Constant", "constants"]


class Constant(NamedTuple):
    """One module-level constant: its name, value and docstring, which is empty where it has none."""

    name: str
    value: Any
    about: str


def constants(module: ModuleType) -> dict[str, Constant]:
    """Return the module-level names in capitals, in the order of the source."""
    body = ast.parse(inspect.getsource(module)).body
    found: dict[str, Constant] = {}
    for statement, after in zip(body, [*body[1:], None], strict=True):
        for name in filter(str.isupper, _assigned(statement)):
            found[name] = Constant(name, getattr(module, name), _docstring(after))
    return found


def _assigned(statement: ast.stmt) -> list[str]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _docstring(statement: ast.stmt | None) -> str:
    """Return the text of a statement that is nothing but a string, on one line."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
        return ""
    return " ".join(str(statement.value.value).split()).replace("``", "`")
