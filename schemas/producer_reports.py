"""
Reports of what producers send, as they stand on the compacted topic ``producer.reports``. Pure.

Each gateway writes one for every producer that it hears of: what came, and warnings that it has changed.
"""

from __future__ import annotations

import msgspec

from schemas.identity.keys import account_key

__all__ = [
    "DriftWarning",
    "EventKind",
    "ProducerReport",
    "decode_report",
    "encode_report",
    "report_key",
]


class EventKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of event: how many were looked at, and when the last of them came, UTC milliseconds."""

    event: str
    looked_at: int
    last_at: int


class DriftWarning(msgspec.Struct, frozen=True, kw_only=True):
    """
    An open warning that a producer's events have changed.

    ``kind`` is ``missing``, ``renamed``, ``type``, ``stopped`` or ``silent``; ``pointer`` is the field's JSON
    pointer, '' where a whole kind of event or producer is meant. ``since`` is UTC milliseconds.
    """

    kind: str
    event: str
    pointer: str
    message: str
    since: int


class ProducerReport(msgspec.Struct, frozen=True, kw_only=True):
    """
    A report of what one gateway has heard of one producer since it started.

    ``producer`` is a source, or a source and the name of a key. ``gateway`` names the process, ``since`` is
    when it first heard of the producer and ``last_at`` when it last did, UTC milliseconds.
    """

    tenant: str
    producer: str
    source: str
    gateway: str
    events: int
    since: int
    last_at: int
    kinds: tuple[EventKind, ...] = ()
    warnings: tuple[DriftWarning, ...] = ()


_DECODER = msgspec.json.Decoder(ProducerReport)


def report_key(report: ProducerReport) -> bytes:
    """Return the key of a report's record: one for each producer of each gateway."""
    return account_key(report.tenant, f"{report.producer} {report.gateway}")


def encode_report(report: ProducerReport) -> bytes:
    """Return the record's bytes: JSON."""
    return msgspec.json.encode(report)


def decode_report(data: bytes) -> ProducerReport:
    """Return the report in these bytes; raise msgspec's DecodeError."""
    return _DECODER.decode(data)
