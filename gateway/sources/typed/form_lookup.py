"""Forms of typed events by topic, for sources whose own envelope carries such events."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.sources.typed.forms import Form

__all__ = ["form_of"]


@cache
def form_of(topic: str) -> Form:
    """Return the form of a topic's typed events; raise KeyError for a topic that has none."""
    # Every command that reads settings loads the sources, and these take long to load.
    from gateway.sources.typed.forms import Form  # noqa: PLC0415
    from schemas.codec.registry import committed  # noqa: PLC0415

    return Form(topic, committed())
