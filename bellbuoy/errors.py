"""Base classes of the errors that a command reports in one line, each with its exit code."""

from __future__ import annotations

from typing import ClassVar

from bellbuoy.exit_codes import CONFIGURATION, FAILED

__all__ = ["ALL_EXTRAS", "ConfigError", "OperatorError"]


class OperatorError(Exception):
    """
    An error that an operator can act on: the message says what is wrong and how to put it right.

    ``exit_code`` is what the command ends with.
    """

    exit_code: ClassVar[int] = FAILED


class ConfigError(OperatorError):
    """
    The configuration can't be used; the message lists every fault with its key and the fix.

    Operator action: correct the named keys in bellbuoy.toml or the environment and start again.
    """

    exit_code = CONFIGURATION


ALL_EXTRAS = "run `make sync`, or `uv sync --all-extras`, in the checkout"
"""How an operator installs what an optional extra brings; Bellbuoy is in no package index."""
