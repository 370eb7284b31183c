"""Functions that print: a command's answer on stdout, and what it has to tell its operator on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import orjson
import typer

from bellbuoy.exit_codes import FAILED

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["emit", "fail", "print_table", "tell", "warn"]


def emit(data: Any, lines: Sequence[str], as_json: bool) -> None:
    """Print *data* as JSON, or *lines* for people, on stdout."""
    print(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() if as_json else "\n".join(lines))


def print_table(content: RenderableType) -> None:
    """Print tables and styled text for people, in the terminal's width."""
    from rich.console import Console

    Console().print(content)


def tell(text: str) -> None:
    """Tell the operator on stderr what goes on."""
    sys.stderr.write(f"{text}\n")


def warn(message: str) -> None:
    """Tell the operator on stderr what is wrong."""
    tell(f"bellbuoy: {message}")


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Tell the operator what is wrong and end the command with this exit code."""
    warn(message)
    raise typer.Exit(code)
