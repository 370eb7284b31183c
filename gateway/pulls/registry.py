"""The registry of sources that are asked, from which settings, repair, metrics and pages are derived."""

from __future__ import annotations

from gateway.pulls import ewebinar, hubspot_crm, mailbox, salesforce
from gateway.pulls.pull import PullSource
from gateway.sources.registry import REPAIRS, RESERVED
from gateway.sources.source import ToRecord

__all__ = ["ALL_REPAIRS", "ALL_RESERVED", "PULLS"]

PULLS: tuple[PullSource, ...] = (
    hubspot_crm.SOURCE,
    salesforce.SOURCE,
    ewebinar.SOURCE,
    mailbox.SOURCE,
)
"""Every source that is asked."""

ALL_REPAIRS: dict[str, ToRecord] = REPAIRS | {source.name: source.to_record for source in PULLS}
"""How to map a dead letter's original JSON again, by the name of the source, asked or not, that made it."""

ALL_RESERVED = RESERVED | {source.name for source in PULLS}
"""The names of all sources, which a typed event may not claim."""
