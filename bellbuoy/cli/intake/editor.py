"""A text in the operator's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from bellbuoy.errors import ConfigError

__all__ = ["edit_text"]


def edit_text(text: str, suffix: str) -> Path:
    """
    Let the operator edit a text in $VISUAL or $EDITOR, and return the file with the result.

    Raises ConfigError when neither is set or the editor fails.
    """
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise ConfigError("--edit needs an editor: set EDITOR, or use --set, --unset or --file")
    with tempfile.NamedTemporaryFile("w", prefix="bellbuoy-", suffix=suffix, delete=False) as file:
        file.write(text)
    path = Path(file.name)
    try:
        subprocess.run([*shlex.split(editor), file.name], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        path.unlink()
        raise ConfigError(f"the editor {editor!r} failed: {error}") from None
    return path
