"""The page of all limits, generated from settings and constants, with what happens at each."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

from bellbuoy.docs.constants import constants
from bellbuoy.docs.markdown import table
from bellbuoy.docs.pages.settings import settings
from processors.intake.admission import BOUNDS

__all__ = ["NOT_LIMITS", "REFERENCES", "Limit", "limits", "page"]

_HEAD = """# Limits

Every bound of memory, of time and of what one event or account may hold, with what happens at it. Generated
from settings and constants by `python -m bellbuoy.docs`. A limit that is a setting can be changed
([settings](settings.md)); the others are constants of the code.
"""

_GATEWAY = "Gateway"
_RECORDS = "Records and events"
_JOURNAL = "Journal"
_WORKER = "Worker"
_STATE = "State of an account"
_DELIVERY = "Delivery and Redis"
_MODEL = "Model files and rule files"
_LOCAL = "`bellbuoy up`"

REFERENCES: dict[str, tuple[str, ...]] = {
    _GATEWAY: (
        "gateway.max_connections",
        "gateway.head_seconds",
        "gateway.http.protocol.MAX_HEAD_BYTES",
        "gateway.max_requests",
        "gateway.body_seconds",
        "gateway.max_body_bytes",
        "gateway.http.body.MAX_GZIP_MEMBERS",
        "gateway.http.body.MAX_UNPROVEN_GZIP_BYTES",
        "gateway.max_event_bytes",
        "gateway.max_batch_events",
        "gateway.max_waiting_events",
        "gateway.delivery_timeout_seconds",
        "gateway.sources.signatures.TOLERANCE_MS",
        "gateway.sources.segment.freeform.MAX_TEXT",
        "gateway.sources.segment.records.MAX_DURATION_MS",
        "gateway.sources.zendesk.events._MAX_TEXT",
        "gateway.sources.snapshots.MAX_VENDOR_TEXT",
        "gateway.sources.typed.forms._MAX_TEXT",
    ),
    _RECORDS: (
        "schemas.topics.MAX_MESSAGE_BYTES",
        "schemas.topics.MAX_RECORD_BYTES",
        "schemas.topics.MAX_DEAD_LETTER_BYTES",
        "schemas.records.dead_letters.MAX_WHOLE_BYTES",
        "schemas.records.dead_letters._KEPT_BYTES",
        "schemas.records.dead_letters._KEPT_TEXT",
        "schemas.codec.envelope.MAX_EVENTS",
        "schemas.codec.envelope._MAX_BYTES",
        "schemas.identity.keys._MAX_ACCOUNT",
        "processors.intake.admission.MAX_TEXT",
        "processors.intake.admission.MAX_MODEL_TEXT",
        "processors.intake.own_facts.MAX_OWN_TEXT",
        "journal.horizon_days",
        "journal.future_minutes",
    ),
    _JOURNAL: (
        "journal.fetch_bytes",
        "streams.journal.loop._MAX_GATHERED_BYTES",
        "journal.most_rest_seconds",
        "journal.dedupe_events",
        "streams.journal.set_aside._MOST_LETTERS",
    ),
    _WORKER: (
        "streams.worker.fold_loop._QUEUE_BATCHES",
        "streams.worker.fold_loop._MAX_FOLD_BYTES",
        "streams.worker.partition._CACHE_BYTES",
        "processors.owners.digest_queues.MAX_QUEUED",
    ),
    _STATE: (
        "processors.state.parts.RING_DAYS",
        "processors.observe.bounds.HELD_DAYS",
        "processors.observe.bounds.MAX_USERS",
        "processors.observe.bounds.MAX_FEATURES",
        "processors.observe.bounds.MAX_TICKETS",
        "processors.observe.bounds.MAX_INVOICES",
        "processors.observe.bounds.MAX_SUBSCRIPTIONS",
        "processors.observe.bounds.MAX_DISPUTES",
        "processors.observe.snapshots.MAX_SNAPSHOTS",
        "processors.observe.bounds.MAX_MRR_DAYS",
        "processors.observe.bounds.MAX_SURVEYS",
        "processors.observe.bounds.MAX_AIMS",
        "processors.observe.bounds.MAX_PEOPLE",
        "processors.observe.bounds.MAX_KINDS",
        "processors.observe.engagement.MAX_MOMENTS",
        "processors.observe.bounds.MAX_RETRACTED",
        "processors.observe.bounds.MAX_OVERRIDES",
        "processors.state.account_acts.MAX_NOTE",
        "processors.state.account_acts.MAX_TITLE",
        "processors.observe.bounds.MAX_NOTES",
        "processors.observe.bounds.MAX_TASKS",
        "processors.observe.bounds.MAX_WAY",
        "processors.observe.bounds.MAX_TEXTS",
        "processors.state.own.MAX_OWN",
        "processors.observe.bounds.MAX_OWN_USERS",
    ),
    _DELIVERY: (
        "delivery.batch_records",
        "streams.delivery.writer._LONGEST_PAUSE_SECONDS",
        "streams.delivery.attempts.MAX_WAITING",
        "streams.delivery.attempts.MAX_WAITING_BYTES",
        "redis.history",
        "redis.updates",
        "redis.alert_days",
    ),
    _MODEL: (
        "schemas.checked_files.reader._MAX_CHARACTERS",
        "schemas.checked_files.reader._MAX_NODES",
        "schemas.checked_files.reader._MAX_DEPTH",
        "processors.rules.format.MAX_RULES",
    ),
    _LOCAL: ("bellbuoy.local.embedded.child._LOG_BYTES",),
}
"""Settings by their key and constants by module and name, in the order of the page."""

NOT_LIMITS = {
    "schemas.columnar.varint.MAX_VARINT_BYTES": "the length of a number in Avro",
    "gateway.sources.segment.freeform.MAX_LONG": "the range of Avro's long",
}
"""Constants with the name of a limit that bound a type and no buffer, each with what it is."""

_UNITS = {
    "bytes": "bytes",
    "characters": "characters",
    "days": "days",
    "events": "events",
    "minutes": "minutes",
    "ms": "ms",
    "seconds": "s",
    "text": "characters",
}
"""The unit of a value by the last word of its name."""


class Limit(NamedTuple):
    """One row of the page; ``about`` is empty where the code says nothing."""

    about: str
    value: str
    reference: str


def limits(section: str) -> Iterator[Limit]:
    """Yield the limits of a section; raise LookupError for a setting or constant that isn't there."""
    keys = {one.key: one for one in settings()}
    for reference in REFERENCES[section]:
        if reference in keys:
            about, value = keys[reference].about, keys[reference].default
        else:
            module, _, name = reference.rpartition(".")
            constant = constants(import_module(module))[name]
            about, value = constant.about, f"{constant.value:,}".removesuffix(".0")
        unit = _UNITS.get(reference.rpartition("_")[2].lower(), "")
        yield Limit(about, f"{value} {unit}".strip(), reference)


def page() -> str:
    """Return the text of docs/reference/limits.md."""
    parts = [_HEAD]
    for section in REFERENCES:
        rows = [(one.about, one.value, f"`{one.reference}`") for one in limits(section)]
        parts += [f"## {section}", "", table(("limit", "value", "setting or constant"), rows), ""]
    ranges = [(f"`{field}`", f"{low:,}", f"{high:,}") for field, (low, high) in BOUNDS.items()]
    parts += [
        "## Fields of events",
        "",
        "An event with a field outside its range is `invalid`. Times are UTC milliseconds, amounts in the",
        "currency's minor unit.",
        "",
        table(("field", "at least", "at most"), ranges),
        "",
    ]
    return "\n".join(parts)
