"""The first round of a pull brings history: its accounts are muted before the page that tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from threading import Event
from typing import Any

import msgspec

from bellbuoy.polling.cursors import StreamCursor
from bellbuoy.polling.pull_loop import Pull, PullLoop, _Stream
from bellbuoy.times import now
from gateway.outbox.port import MemoryOutbox, OutgoingRecord
from gateway.privacy import PrivacySettings
from gateway.pulls.mailbox.source import SOURCE
from gateway.pulls.pull import Cursor, Item, Page, PullSettings
from processors.state.own import MUTED_UNTIL
from schemas.codec.record_codec import codec
from schemas.codec.registry import committed
from schemas.connection import Connection
from schemas.times import HOUR
from schemas.topics import Topics
from streams.kafka.cluster import Cluster
from streams.runtime.health import Health


class Commits(MemoryOutbox):
    """An outbox that keeps each transaction with its cursor."""

    cursor: StreamCursor

    def __init__(self) -> None:
        super().__init__()
        self.made: list[tuple[StreamCursor, list[OutgoingRecord]]] = []

    async def send(self, records: Sequence[OutgoingRecord]) -> None:
        self.made.append((self.cursor, list(records)))


class Pages:
    """A mailbox with two pages of messages."""

    def page(self, _stream: str, cursor: Cursor, at: int, /) -> Page:
        number = cursor.get("page", 0)
        message = {
            "id": str(number), "direction": "received", "domain": f"d{number}.example",
            "address": "a@d.example", "at": at - HOUR,
        }  # fmt: skip
        return Page([Item("received", msgspec.json.encode(message))], {"page": number + 1}, more=number == 0)

    def close(self) -> None:
        pass


def test_a_first_round_is_muted_and_those_after_it_are_not() -> None:
    cluster = Cluster(Connection("127.0.0.1:1"), Topics("t-"), committed())
    pull = Pull("acme", SOURCE, PullSettings())
    loop: Any = PullLoop(cluster, pull, Health("poll"), Event(), PrivacySettings().policies())
    commits = Commits()
    loop._outbox = loop._dispatcher._outbox = commits
    loop._connection = Pages()
    stream = _Stream("INBOX", StreamCursor(tenant="acme", source="mailbox", stream="INBOX", history=True))
    began = now()
    with asyncio.Runner() as runner:
        assert [loop._page(runner, stream) for _ in range(3)] == [True, False, False]

    assert [
        (cursor.cursor, cursor.history, [record.topic for record in records])
        for cursor, records in commits.made
    ] == [
        ({}, True, ["t-account.profiles"]),
        ({"page": 1}, True, ["t-engagement.events"]),
        ({"page": 1}, True, ["t-account.profiles"]),
        ({"page": 2}, False, ["t-engagement.events"]),
        ({"page": 3}, False, ["t-engagement.events"]),
    ]
    muted = codec("account.profiles").decode(commits.made[0][1][0].value)
    assert (muted.account_id, muted.source) == ("~domain:d0.example", "mailbox")
    assert began + HOUR <= muted.own[MUTED_UNTIL] <= now() + HOUR
