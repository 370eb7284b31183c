"""
The description of a source: its name, how its senders prove who they are, and how its JSON becomes a record.

What the gateway does for every source is derived from these values: routes, metric labels, settings for
secrets, the repair of dead letters, and the signatures of the simulator. ``registry.SOURCES`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gateway.field_policy import FieldRules
from gateway.http.sender import Sender
from gateway.sources.signatures import SignatureScheme
from schemas.records import InputEvent

__all__ = ["Source", "ToRecord", "WebhookSource"]

ToRecord: TypeAlias = Callable[[bytes, Sender, Mapping[str, bytes]], InputEvent | None]
"""
A function from one event's JSON to its record, or to ``None`` for an event that says nothing about health.

Its arguments are the JSON, the sender, and what the request said about the event outside of this JSON; a dead
letter keeps all three. It raises Fault for an event that can't be used.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """
    A source of events. One that is nothing more authenticates its senders by write key.

    ``name`` is the field ``source`` of its records, the field ``producer`` of its dead letters and the label
    ``source`` of its metrics. ``title`` is its name for people.
    ``to_record`` also maps a dead letter again once it is repaired. ``fields`` says what is kept of its JSON.
    """

    name: str
    title: str
    to_record: ToRecord
    fields: FieldRules


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSource(Source):
    """
    A vendor that sends its events as signed webhooks to ``/webhooks/NAME/TENANT``.

    ``topic`` is the input topic that the dead letter of an event names, since it has no record to tell it by.
    ``signature_scheme`` returns how the vendor signs; it is called once, at the start of a process that needs
    it, because a vendor's library may take long to load. ``split`` returns the JSON of each event in a
    verified body, and raises Fault for a body that is not of the kind this endpoint is for. ``demo_secret``
    is the published secret of the demo tenant. ``event_headers`` are the headers, in lower case, that say
    something of the event itself: its type or its id; the mapping gets them, and a dead letter keeps them.
    ``is_test`` tells whether an event is of the vendor's test mode; ``None``: the vendor marks none so. Such
    an event counts only where a secret for tests signed it.

    The package of a source has a folder ``samples``: the vendor's published payloads and what each becomes
    (``gateway.sources.samples``). From it follow the tests of the mapping, the vendor's page of the
    documentation, the examples of the contract, and what ``bellbuoy send`` sends.
    """

    topic: str
    signature_scheme: Callable[[], SignatureScheme]
    split: Callable[[bytes], Sequence[bytes]]
    demo_secret: str
    event_headers: tuple[str, ...] = ()
    is_test: Callable[[bytes], bool] | None = None

    @property
    def path(self) -> str:
        """The path of the endpoint, to which a slash and the tenant's name are added."""
        return f"/webhooks/{self.name}"

    @property
    def secrets_key(self) -> str:
        """The key of a tenant's settings that holds the secrets."""
        return f"{self.name}_secrets"

    @property
    def test_secrets_key(self) -> str:
        """The key of a tenant's settings that holds the secrets for the vendor's test mode."""
        return f"{self.name}_test_secrets"
