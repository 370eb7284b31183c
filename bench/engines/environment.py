"""Separate environments for engines whose pinned versions conflict with ours, made by uv on first use."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["python"]


@cache
def python(script: Path) -> Path:
    """
    Return the Python of an environment with the script's dependencies, at the versions of its lock.

    uv prints what it installs. Raises RuntimeError when uv is missing or can't install it.
    """
    uv = os.environ.get("UV") or shutil.which("uv") or ".tools/uv/bin/uv"
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        subprocess.run([uv, "sync", "--locked", "--script", script], check=True, env=environment)
        located = subprocess.run(
            [uv, "python", "find", "--script", script],
            check=True,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            f"the environment of {script.name} can't be made ({error}): it needs uv, and the network once"
        ) from error
    return Path(located.stdout.strip())
