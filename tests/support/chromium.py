"""Chromium as a program of a test, from the packages that Segment's libraries come with, and axe-core."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.node_packages import NODE, node_packages

ARGUMENTS = ("--headless=shell", "--no-sandbox", "--no-zygote", "--disable-gpu")


def chromium() -> tuple[Path, dict[str, str]]:
    """Return the program, unpacked, and the environment that it needs."""
    packages = node_packages()
    unpacked = packages / "browser"
    unpacked.mkdir(exist_ok=True)
    env = {**os.environ, "TMPDIR": str(unpacked), "AWS_EXECUTION_ENV": "AWS_Lambda_nodejs22.x"}
    printed = subprocess.run(
        [NODE, packages / "chromium.mjs"], check=True, env=env, capture_output=True, text=True
    )
    libraries = f"{unpacked / 'al2023/lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    return Path(printed.stdout.split()[-1]), {**os.environ, "LD_LIBRARY_PATH": libraries}


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Chromium, driven by Playwright."""
    program, env = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS], env=dict(env))
        yield launched
        launched.close()


def axe_script() -> Path:
    """Return axe-core's script, which checks a page for accessibility."""
    return node_packages() / "node_modules/axe-core/axe.min.js"
