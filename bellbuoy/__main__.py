"""Entry point of the command ``bellbuoy`` and of ``python -m bellbuoy``."""

from __future__ import annotations

import sys

from bellbuoy.exit_codes import INTERRUPTED

__all__ = ["main"]


def main() -> None:
    """Run the command; end it without a traceback also where Ctrl-C comes while it is being loaded."""
    try:
        from bellbuoy.cli.app import main as command  # noqa: PLC0415 - loading takes longest of all

        command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
