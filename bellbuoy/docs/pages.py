"""Table of the documentation pages that are generated from the code."""

from __future__ import annotations

from collections.abc import Callable

from bellbuoy.docs import (
    asyncapi_page,
    dead_letter_reasons_page,
    events_page,
    exit_codes_page,
    fields_page,
    kpis_page,
    limits_page,
    measures_page,
    metrics_page,
    model_schema,
    rules_page,
    settings_page,
    sources_page,
    topics_page,
)

__all__ = ["PAGES"]

PAGES: dict[str, Callable[[], str]] = {
    "docs/kpis.md": kpis_page.page,
    "docs/measures.md": measures_page.page,
    "docs/model.schema.json": model_schema.page,
    "docs/owners.schema.json": model_schema.owners_page,
    "docs/reference/alert-rules.md": rules_page.page,
    "docs/reference/asyncapi.json": asyncapi_page.page,
    "docs/reference/dead-letter-reasons.md": dead_letter_reasons_page.page,
    "docs/reference/events.md": events_page.page,
    "docs/reference/exit-codes.md": exit_codes_page.page,
    "docs/reference/fields.md": fields_page.page,
    "docs/reference/limits.md": limits_page.page,
    "docs/reference/metrics.md": metrics_page.page,
    "docs/reference/settings.md": settings_page.page,
    "docs/reference/topics.md": topics_page.page,
    "docs/rules.schema.json": rules_page.schema_page,
    "docs/sources/README.md": sources_page.index,
    **sources_page.SOURCE_PAGES,
}
"""The function that returns a page's text, by the page's path from the top of the repository."""
