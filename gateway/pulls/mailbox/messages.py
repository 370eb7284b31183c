"""
Messages by their headers: who wrote to whom, and the record of each. Pure.

Only addresses and times are kept. A message counts once for each customer's domain, however many mailboxes
and folders have it, because its id is that of the message itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime

import msgspec

from gateway.http.errors import Fault
from gateway.http.json_decoding import Decoder
from gateway.http.sender import Sender
from gateway.outbox.accounts import account_or_alias
from gateway.pulls.pull import HISTORY_MS, Item
from schemas.identity.aliases import alias_of_domain
from schemas.records import EngagementEvent
from schemas.times import DAY

__all__ = ["HEADERS", "TOPICS", "items_of", "to_record"]

_OF_MACHINES = ("AUTO-SUBMITTED", "PRECEDENCE", "LIST-ID", "LIST-UNSUBSCRIBE")

HEADERS = ("FROM", "TO", "CC", "DATE", "MESSAGE-ID", *_OF_MACHINES)
"""The headers that are fetched; no others, and no part of a body."""

TOPICS = {"sent": "engagement.events", "received": "engagement.events"}

_BULK = ("bulk", "list", "junk", "auto_reply")


class MailboxMessage(msgspec.Struct):
    """One message between the team and one customer's domain; ``address`` is the customer's."""

    id: str
    direction: str
    domain: str
    address: str
    at: int


_MESSAGES: Decoder[MailboxMessage] = Decoder(MailboxMessage)


def items_of(raw: bytes, arrived_at: int, own_domains: Sequence[str]) -> Iterator[Item]:
    """
    Yield an item for each customer's domain that a message is from or for, by its headers.

    ``arrived_at`` is the server's time of the message, UTC milliseconds. Mail that no person wrote to a
    person is left out: newsletters, lists, and answers of machines.
    """
    said = BytesHeaderParser(policy=compat32).parsebytes(raw)
    if _automatic(said):
        return
    senders = _addresses(said, "from")
    receivers = _addresses(said, "to", "cc")
    at = _written_at(said, arrived_at)
    number = str(said.get("message-id") or "").encode("utf-8", "replace").decode().strip()
    number = number or f"{at} {sorted(senders)} {sorted(receivers)}"
    from_us = any(_domain(address) in own_domains for address in senders)
    customers = receivers if from_us else senders
    if not from_us and not any(_domain(address) in own_domains for address in receivers):
        return
    once: dict[str, str] = {}
    for address in customers:
        domain = _domain(address)
        if domain not in own_domains and alias_of_domain(domain) is not None:
            once.setdefault(domain, address)
    direction = "sent" if from_us else "received"
    for domain, address in once.items():
        identity = hashlib.blake2b(f"{number}\0{domain}\0{direction}".encode(), digest_size=16)
        message = MailboxMessage(identity.hexdigest(), direction, domain, address, at)
        yield Item(direction, msgspec.json.encode(message))


def _automatic(said: Message) -> bool:
    return (
        str(said.get("auto-submitted") or "no").strip().lower() != "no"
        or str(said.get("precedence") or "").strip().lower() in _BULK
        or bool(said.get("list-id"))
        or bool(said.get("list-unsubscribe"))
    )


def _addresses(said: Message, *names: str) -> list[str]:
    values = [str(value) for name in names for value in said.get_all(name, [])]
    return [address.strip().lower() for _, address in getaddresses(values) if "@" in address]


def _domain(address: str) -> str:
    return address.rpartition("@")[2]


def _written_at(said: Message, arrived_at: int) -> int:
    """Return when a message was written; the server's time where its writer's clock is a day off, or none."""
    try:
        written = round(parsedate_to_datetime(str(said.get("date"))).timestamp() * 1000)
    except (ValueError, OverflowError, TypeError):
        return arrived_at
    return written if abs(written - arrived_at) <= DAY else arrived_at


def to_record(raw: bytes, sender: Sender, _said: Mapping[str, bytes]) -> EngagementEvent | None:
    """Return the record of a message, or ``None`` for one too old to count; raise Fault."""
    message = _MESSAGES.read(raw)
    alias = alias_of_domain(message.domain)
    if alias is None:
        raise Fault("not the domain of a company", "/domain", "unresolved_account")
    if message.at < sender.received_at - HISTORY_MS:
        return None
    return EngagementEvent(
        event_id=message.id,
        tenant=sender.tenant,
        account_id=account_or_alias(alias, "/domain"),
        source=sender.source,
        occurred_at=message.at,
        received_at=sender.received_at,
        user_id=message.address,
        kind="email_sent" if message.direction == "sent" else "email_received",
    )
