"""Run the command: ``python -m bellbuoy``."""

from __future__ import annotations

from bellbuoy.cli import main

if __name__ == "__main__":
    main()
