"""Every generated page of the documentation is what the code gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from bellbuoy.docs.pages import PAGES

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_what_the_code_says(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path](), "run `python -m bellbuoy.docs`"
