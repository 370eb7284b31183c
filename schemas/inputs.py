"""
Table of the input topics: the record that each carries, who writes it, and where the journal keeps it.

Other modules take these facts from here. A new topic begins as a constant in this file; then
``tests/unit/schemas/test_inputs.py`` names each part of the pipeline that doesn't know it yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from schemas import records as r

__all__ = [
    "ACCOUNT_FIELDS",
    "ACTIONS",
    "BILLING",
    "BY_TOPIC",
    "ENGAGEMENT",
    "FEED_REPORTS",
    "INPUTS",
    "INPUT_TOPICS",
    "LINKS",
    "MODELS",
    "OFFERED_TOPICS",
    "OVERRIDES",
    "OWNER_ALERTS",
    "PROFILES",
    "SUPPORT",
    "SURVEYS",
    "TRANSFERS",
    "USAGE",
    "Input",
    "batch_lists",
    "input_of",
]


@dataclass(frozen=True, slots=True)
class Input:
    """
    An input topic (name without prefix) and what every stage must know about it.

    * ``record`` is the type that it carries; ``usage.events`` also carries ``UsageEnvelope``.
    * ``batch_field`` is the list of ``JournalBatch`` that holds its events; usage is held rolled up, as
      ``UsageCell``.
    * ``written_by``: ``senders`` are all who have a write key, through the gateway, or may write to Kafka
      themselves; ``operator`` is a command of Bellbuoy; ``worker`` is the worker, which sends on events that
      were counted before.
    * ``everywhere``: each event is written to all partitions and stays there, because it concerns accounts of
      all of them. Without it an event belongs to the partition of its account.
    * ``watched``: where the topic falls silent for all accounts of a tenant, the measures that it informs are
      frozen (``processors.silent_sources``).
    """

    topic: str
    record: type[r.InputEvent]
    batch_field: str
    written_by: Literal["senders", "operator", "worker"] = "senders"
    everywhere: bool = False
    watched: bool = False


USAGE = Input("usage.events", r.UsageEvent, "usage", watched=True)
SUPPORT = Input("support.events", r.SupportEvent, "support", watched=True)
BILLING = Input("billing.events", r.BillingEvent, "billing", watched=True)
SURVEYS = Input("survey.responses", r.SurveyResponse, "surveys", watched=True)
ENGAGEMENT = Input("engagement.events", r.EngagementEvent, "engagement", watched=True)
PROFILES = Input("account.profiles", r.AccountProfile, "profiles")
ACTIONS = Input("alert.actions", r.AlertAction, "actions")
OVERRIDES = Input("account.overrides", r.AccountOverride, "overrides")
LINKS = Input("account.links", r.AccountLink, "links")
MODELS = Input("model.changes", r.ModelChange, "models", written_by="operator", everywhere=True)
TRANSFERS = Input("account.transfers", r.AccountTransfer, "transfers", written_by="worker")
OWNER_ALERTS = Input("owner.alerts", r.OwnerAlert, "owner_alerts", written_by="worker")
FEED_REPORTS = Input("feed.reports", r.FeedReport, "feed_reports", written_by="worker", everywhere=True)

INPUTS = (
    USAGE, SUPPORT, BILLING, SURVEYS, ENGAGEMENT, PROFILES, ACTIONS, OVERRIDES, LINKS, MODELS, TRANSFERS,
    OWNER_ALERTS, FEED_REPORTS,
)  # fmt: skip
"""All topics that the journal reads."""

INPUT_TOPICS = tuple(each.topic for each in INPUTS)
"""Their names without prefix; all have the same number of partitions."""

OFFERED_TOPICS = tuple(each.topic for each in INPUTS if each.written_by == "senders")
"""The topics to which anybody with a write key may send."""

ACCOUNT_FIELDS = tuple(each.batch_field for each in INPUTS if not each.everywhere)
"""The lists of a ``JournalBatch`` whose items each belong to one account."""

BY_TOPIC: Mapping[str, Input] = MappingProxyType({each.topic: each for each in INPUTS})
"""The inputs by the name of the topic without prefix."""

_BY_RECORD: Mapping[type, Input] = {each.record: each for each in INPUTS}


def input_of(event: r.InputEvent) -> Input:
    """Return the input whose topic carries an event."""
    return _BY_RECORD[type(event)]


def batch_lists(events: Iterable[r.InputEvent]) -> dict[str, Any]:
    """Return events that are no usage as the lists of a ``JournalBatch``, by the name of the field."""
    lists: dict[str, list[Any]] = {}
    for event in events:
        lists.setdefault(input_of(event).batch_field, []).append(event)
    return lists
