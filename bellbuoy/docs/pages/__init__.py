"""Pages of the documentation that are generated from the code, a module each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable

from bellbuoy.docs.pages import (
    asyncapi,
    dead_letter_reasons,
    events,
    exit_codes,
    fields,
    kpis,
    limits,
    measures,
    metrics,
    model_schema,
    rules,
    settings,
    sources,
    topics,
)

__all__ = ["PAGES"]

PAGES: dict[str, Callable[[], str]] = {
    "docs/kpis.md": kpis.page,
    "docs/measures.md": measures.page,
    "docs/model.schema.json": model_schema.page,
    "docs/owners.schema.json": model_schema.owners_page,
    "docs/reference/alert-rules.md": rules.page,
    "docs/reference/asyncapi.json": asyncapi.page,
    "docs/reference/dead-letter-reasons.md": dead_letter_reasons.page,
    "docs/reference/events.md": events.page,
    "docs/reference/exit-codes.md": exit_codes.page,
    "docs/reference/fields.md": fields.page,
    "docs/reference/limits.md": limits.page,
    "docs/reference/metrics.md": metrics.page,
    "docs/reference/settings.md": settings.page,
    "docs/reference/topics.md": topics.page,
    "docs/rules.schema.json": rules.schema_page,
    "docs/sources/README.md": sources.index,
    **sources.SOURCE_PAGES,
}
"""The function that returns a page's text, by the page's path from the top of the repository."""
