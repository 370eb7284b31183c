"""Table of the documentation pages that are generated from the code."""

from __future__ import annotations

from collections.abc import Callable

from bellbuoy.docs import kpis_page, measures_page, model_schema

__all__ = ["PAGES"]

PAGES: dict[str, Callable[[], str]] = {
    "docs/kpis.md": kpis_page.page,
    "docs/measures.md": measures_page.page,
    "docs/model.schema.json": model_schema.page,
}
"""The function that returns a page's text, by the page's path from the top of the repository."""
