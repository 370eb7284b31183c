"""The page of the conformance matrix is what the marks of the tests say."""

from __future__ import annotations

import subprocess
import sys

from tests.support.product_source import ROOT


def test_the_matrix_is_the_one_of_the_tests() -> None:
    command = [sys.executable, "-m", "tests.support.conformance_matrix"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    text = (ROOT / "docs" / "sinks" / "conformance.md").read_text()
    assert printed.endswith(text), "run `python -m tests.support.conformance_matrix --write`"
