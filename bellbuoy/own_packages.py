"""Make sure that our packages are ours: their names are plain words, which others could carry too."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from bellbuoy.settings import ConfigError

__all__ = ["require_own_packages"]


def require_own_packages() -> None:
    """Raise ConfigError, which names the file found instead, unless every package is this distribution's."""
    home = Path(__file__).resolve().parent.parent
    strangers = []
    for name in ("gateway", "processors", "schemas", "sinks", "streams"):
        spec = find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if found is None or found.parent.parent != home:
            strangers.append(f"  - {name}: found {found or 'nothing'}, not {home / name}")
    if strangers:
        raise ConfigError(
            "another package stands where Bellbuoy's own should; install Bellbuoy into an environment "
            "of its own, and start it from another directory:\n" + "\n".join(strangers)
        )
