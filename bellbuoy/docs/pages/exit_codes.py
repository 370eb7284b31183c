"""The page of the command's exit codes, generated from their constants."""

from __future__ import annotations

from bellbuoy import exit_codes
from bellbuoy.docs.constants import constants
from bellbuoy.docs.markdown import table

__all__ = ["page"]

_HEAD = """# Exit codes

What every `bellbuoy` command, the roles included, returns to the shell. Generated from the code by
`python -m bellbuoy.docs`; a test holds it to the code.
"""


def page() -> str:
    """Return the text of docs/reference/exit-codes.md."""
    rows = [(str(one.value), one.about) for one in constants(exit_codes).values()]
    return f"{_HEAD}\n{table(('code', 'meaning'), rows)}\n"
