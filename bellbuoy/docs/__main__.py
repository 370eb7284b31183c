"""Program that writes every generated page of the documentation: `python -m bellbuoy.docs`."""

from __future__ import annotations

from pathlib import Path

from bellbuoy.docs.pages import PAGES

for path, page in PAGES.items():
    (Path(__file__).parents[2] / path).write_text(page(), encoding="utf-8")
