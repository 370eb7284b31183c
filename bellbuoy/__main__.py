"""Entry point of ``python -m bellbuoy``: the same command as ``bellbuoy``."""

from __future__ import annotations

from bellbuoy.cli.app import main

if __name__ == "__main__":
    main()
