"""
The loop that asks one source for one tenant, and commits each page with its cursor.

What a crash costs at each step:

1. Between the vendor's answer and the commit: nothing. The transaction is aborted by the next owner, whose
   cursor is that before the page, so the page is asked for again.
2. During the commit: nothing. Kafka has committed events and cursor, or neither; the next owner reads which.
3. A second poller for the same source, while the first one still runs: the first one is fenced, and its page
   with it.

A first round brings history, so its accounts are muted before each page, as an import's are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from threading import Event

import structlog
from confluent_kafka import KafkaException
from msgspec.structs import replace

from bellbuoy.polling.cursors import StreamCursor, cursors_of, partition_of_pull, read_cursors
from bellbuoy.polling.metrics import ERRORS, ITEMS, LAST_ROUND, OUTCOMES, PAGE_SECONDS, start_series
from bellbuoy.polling.transaction_outbox import TransactionOutbox
from bellbuoy.times import now
from gateway.field_policy import FieldPolicies
from gateway.http.errors import Fault
from gateway.http.sender import Sender
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.muting import Muting
from gateway.outbox.request_records import RequestRecords
from gateway.pulls.pull import (
    KIND,
    Page,
    PullConnection,
    PullError,
    PullSettings,
    PullSource,
)
from streams.kafka.cluster import Cluster
from streams.kafka.errors import FencedError, ProducerExpiredError
from streams.runtime.health import Health

__all__ = ["Pull", "PullLoop"]

log = structlog.get_logger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
"""Seconds after the first error of a stream, and the most that they double to."""

_LONGEST_ASKED_FOR = 3_600.0
"""The longest pause that a vendor may ask for, seconds: its clock may be wrong."""

_KAFKA_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Pull:
    """One source that is asked for one tenant."""

    tenant: str
    source: PullSource
    settings: PullSettings

    @property
    def name(self) -> str:
        """Its name in logs and readiness."""
        return f"{self.tenant}/{self.source.name}"


@dataclass(slots=True)
class _Stream:
    """When a stream is asked next, by the monotonic clock, and how often it has failed in a row."""

    name: str
    cursor: StreamCursor
    due: float = 0.0
    failures: int = 0
    problem: str | None = field(default=None)


class PullLoop:
    """Asks one source until stopped; ``run`` belongs in a thread of its own."""

    def __init__(
        self, cluster: Cluster, pull: Pull, health: Health, stop: Event, fields: FieldPolicies
    ) -> None:
        self._cluster, self._pull, self._health, self._stop = cluster, pull, health, stop
        topics = cluster.topics
        transactional_id = f"{topics.app_id}-poll-{pull.tenant}-{pull.source.name}"
        self._outbox = TransactionOutbox(cluster.connection, topics, transactional_id)
        self._dispatcher = Dispatcher(self._outbox, topics, cluster.registry, fields=fields)
        self._muting = Muting()
        self._connection: PullConnection | None = None
        self._log = log.bind(tenant=pull.tenant, source=pull.source.name)
        start_series(pull.source.name)

    def run(self) -> None:
        """Ask until stopped, or until another poller has taken the source over."""
        with asyncio.Runner() as runner:
            while not self._stop.is_set():
                try:
                    runner.run(self._outbox.open())
                    self._ask(runner, self._streams())
                except FencedError:
                    self._log.info("Another poller asks this source now.")
                    break
                except (KafkaException, ProducerExpiredError) as error:
                    self._log.warning("Kafka is away.", error=str(error))
                    self._health.set_condition(self._pull.name, False, f"Kafka: {error}")
                    self._stop.wait(_KAFKA_PAUSE)
                finally:
                    self._disconnect()
                    runner.run(self._outbox.close())
            self._health.set_condition(self._pull.name, True)

    def _streams(self) -> list[_Stream]:
        """Return all streams with their cursors, as Kafka has them."""
        pull, topics = self._pull, self._cluster.topics
        place = partition_of_pull(pull.tenant, pull.source.name, topics)
        read = read_cursors(self._cluster.connection, topics, place)
        asked = [(pull.tenant, pull.source.name, name) for name in pull.source.streams(pull.settings)]
        return [_Stream(cursor.stream, cursor) for cursor in cursors_of(asked, read)]

    def _ask(self, runner: asyncio.Runner, streams: list[_Stream]) -> None:
        while not self._stop.is_set():
            stream = min(streams, key=lambda each: each.due)
            if self._stop.wait(max(0.0, stream.due - time.monotonic())):
                return
            try:
                more = self._page(runner, stream)
            except PullError as error:
                self._failed(stream, error)
            else:
                stream.failures, stream.problem = 0, None
                stream.due = time.monotonic() + (0.0 if more else self._pull.settings.every_seconds)
            problems = [f"{each.name}: {each.problem}" for each in streams if each.problem]
            self._health.set_condition(self._pull.name, not problems, "; ".join(problems))

    def _page(self, runner: asyncio.Runner, stream: _Stream) -> bool:
        """Ask for a page and commit it; return whether more is there; raise PullError and Kafka's errors."""
        began, at = time.monotonic(), now()
        page = self._asked(stream, at)
        sender = Sender(self._pull.tenant, self._pull.source.name, at)
        records, outcomes, accounts = self._mapped(page, sender)
        before = stream.cursor
        if before.history:
            self._mute(runner, sender, before, accounts)
        cursor = replace(
            before,
            cursor=page.cursor,
            polled_at=at,
            items=before.items + len(page.items),
            history=before.history and page.more,
        )
        self._outbox.cursor = cursor
        runner.run(self._dispatcher.send(records))
        stream.cursor = cursor
        for outcome, count in outcomes.items():
            ITEMS.labels(sender.source, outcome).inc(count)
        PAGE_SECONDS.labels(sender.source).observe(time.monotonic() - began)
        if not page.more:
            LAST_ROUND.labels(sender.tenant, sender.source, stream.name).set(at / 1000)
        return page.more

    def _mute(
        self, runner: asyncio.Runner, sender: Sender, cursor: StreamCursor, accounts: Collection[str]
    ) -> None:
        """Mute the accounts of a page of a first round, in a transaction before the page's own."""
        muted = self._muting.records(self._dispatcher, sender, accounts)
        if muted.records:
            self._outbox.cursor = cursor
            runner.run(self._dispatcher.send(muted))

    def _asked(self, stream: _Stream, at: int) -> Page:
        if self._connection is None:
            self._connection = self._pull.source.connect(self._pull.settings)
        try:
            return self._connection.page(stream.name, stream.cursor.cursor, at)
        except PullError:
            raise
        except Exception as error:
            # One vendor's surprise must not stop the others; it is told, and asked again later.
            self._log.exception("The vendor's answer could not be read.", stream=stream.name)
            raise _UnreadableError(f"an answer could not be read: {type(error).__name__}: {error}") from error

    def _mapped(
        self, page: Page, sender: Sender
    ) -> tuple[RequestRecords, Mapping[str, int], Collection[str]]:
        """Return a page's events, what follows from them, and dead letters; their outcomes and accounts."""
        accounts = set[str]()
        records, source = RequestRecords(sender), self._pull.source
        outcomes = dict.fromkeys(OUTCOMES, 0)
        fields = self._dispatcher.fields.of(sender)
        for kind, raw in page.items:
            said = {KIND: kind.encode()}
            try:
                event = source.to_record(fields.apply(raw), sender, said)
                if event is None:
                    self._dispatcher.ignore(records, raw)
                else:
                    self._dispatcher.accept(records, event)
                    accounts.add(
                        getattr(event, "into", "") or event.account_id
                    )  # a link brings what is known
                outcomes["ignored" if event is None else "event"] += 1
            except Fault as fault:
                self._dispatcher.add_dead_letter(records, source.topics[kind], raw, fault, said)
                outcomes["dead_letter"] += 1
        return records, outcomes, accounts

    def _failed(self, stream: _Stream, error: PullError) -> None:
        stream.failures += 1
        stream.problem = str(error)
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(stream.failures - 1, 16))
        if error.retry_after is not None:
            pause = min(_LONGEST_ASKED_FOR, max(error.retry_after, 0.0))
        kind = error.kind if error.retry_after is None else "throttled"
        ERRORS.labels(self._pull.source.name, kind).inc()
        self._log.warning(
            "The source gave no page; it is asked again.",
            stream=stream.name,
            error=str(error),
            failures=stream.failures,
            pause_seconds=round(pause, 1),
        )
        stream.due = time.monotonic() + pause
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _UnreadableError(PullError):
    """
    The vendor answered something that the source does not know.

    Operator action: see the log's traceback; the source is asked again until it is understood.
    """

    kind = "unexpected"
