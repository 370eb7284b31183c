"""Errors of an import."""

from __future__ import annotations

from bellbuoy.errors import ConfigError

__all__ = ["ImportFileError", "RowFault"]


class ImportFileError(ConfigError):
    """
    A mapping file, or a file named for an import, can't be used; the message has every fault with the fix.

    Operator action: correct what is named; docs/import.md has the format of the mapping file.
    """


class RowFault(ValueError):  # noqa: N818 - what is wrong with a row, not an error of the program
    """A row can't be used: the message says which field, what is wrong with it and how to put it right."""
