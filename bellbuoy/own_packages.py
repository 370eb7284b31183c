"""The check that the imported packages are this distribution's: their plain names could clash."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bellbuoy.errors import ConfigError

__all__ = ["require_own_packages"]


def require_own_packages() -> None:
    """Raise ConfigError, which names the file found instead, unless every package is this distribution's."""
    home = Path(__file__).resolve().parent.parent
    foreign = []
    for name in ("gateway", "processors", "schemas", "sinks", "streams"):
        spec = find_spec(name)
        file = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if file is None or file.parent.parent != home:
            foreign.append(f"  - {name}: found {file or 'nothing'}, not {home / name}")
    if foreign:
        raise ConfigError(
            "another package stands where Bellbuoy's own should; install Bellbuoy into an environment "
            "of its own, and start it from another directory:\n" + "\n".join(foreign)
        )
