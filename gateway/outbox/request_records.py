"""The records of one request, before they are sent."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gateway.http.results import Results
from gateway.http.sender import Sender
from gateway.keys.api_keys import Grant
from gateway.outbox.port import OutgoingRecord

__all__ = ["RequestRecords"]


@dataclass(slots=True)
class RequestRecords:
    """
    The encoded records of one request, and what is counted and told once Kafka has confirmed them.

    ``grant`` is what the sender's key allows, ``None`` where something else proves the sender. ``dry_run``
    takes what becomes of each event where the request is only to be judged. ``raws`` are the events as
    they came, of which ``received`` were counted, and ``made`` the digests of what was made of them
    (``schemas.records.raw_payloads``), where the payload is to be kept.
    ``usage`` holds encoded usage events by partition, with the key of the first of them; ``arrivals`` are
    told to those who watch a tenant.
    """

    sender: Sender
    grant: Grant | None = None
    dry_run: Results | None = None
    raws: list[bytes] = field(default_factory=list)
    made: bytearray | None = None
    received: int = 0
    ignored: int = 0
    records: list[OutgoingRecord] = field(default_factory=list)
    usage: dict[int, tuple[bytes, list[bytes]]] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)
    arrivals: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    dead_letters: Counter[tuple[str, str]] = field(default_factory=Counter)
