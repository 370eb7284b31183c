"""
Run of an erasure, in the order in which nothing can come back.

1. The list of who was erased gets an entry: from then on the journal drops what arrives of before.
2. The deletions are written to ``account.links``; the worker folds them, and ends states and outputs.
3. The entry says up to which journal time outputs are erased: delivery passes over what is older.
4. Sinks, dead letters and deliveries are rid of the subject; with ``cut`` the logs are cut after it.

Each step may be repeated, so a run that was killed, or during which a role was away, is run again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from confluent_kafka import TopicPartition

from bellbuoy.operations.changes.deletions import write_deletions
from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.operations.forget.delivered import await_delivery
from bellbuoy.operations.forget.erasure_list import add_to_list, read_erasures
from bellbuoy.operations.forget.matching import SubjectMatcher
from bellbuoy.operations.forget.report import ErasureReport, Place
from bellbuoy.operations.forget.subject import ForgottenSubject, StateFollower, find_subject
from bellbuoy.operations.forget.topic_erasure import (
    CUT_TOPICS,
    cut_logs,
    rewrite_topic,
    write_tombstones,
)
from bellbuoy.operations.forget.topic_scan import TopicHits, scan_topics
from bellbuoy.operations.kafka.journal_time import journal_time
from bellbuoy.operations.kafka.registry import registry
from bellbuoy.operations.kafka.retry import retry_while_leaderless
from bellbuoy.settings import Settings
from bellbuoy.times import now
from processors.observe.deletion import is_erased
from processors.state.account import RING_DAYS
from schemas.codec.record_codec import codec
from schemas.identity.aliases import is_alias
from schemas.identity.keys import account_key, partition_of
from schemas.identity.owners import OWNERS
from schemas.times import DAY
from schemas.topics import RAW_TOPIC
from sinks.port import Erasable, Retaining, Sink, SinkError, SinkSettingsError, Subject
from streams.kafka.log_reader import read_to_end

__all__ = ["ForgetOptions", "forget"]

_PAUSE_SECONDS = 0.5
_COMPACTED_STUBS = ("account.health", "account.kpis")


@dataclass(frozen=True, slots=True)
class ForgetOptions:
    """
    Options of an erasure: the account or the person, and how.

    ``cut`` also cuts the logs after the subject; ``seconds`` is how long to wait for the roles.
    """

    tenant: str
    account_id: str | None = None
    user_id: str | None = None
    reason: str = ""
    author: str = ""
    dry_run: bool = False
    cut: bool = False
    seconds: float = 60.0


def forget(settings: Settings, options: ForgetOptions, progress: Callable[[int], None]) -> ErasureReport:
    """
    Erase a subject, or with ``dry_run`` say what would be, and return the report.

    A person is erased under the hash of the id as well, where sources may have brought that. Raises
    KafkaAwayError, ConfigError, and what ``write_deletions`` raises.
    """
    report = _forget(settings, options, progress)
    user = options.user_id
    hashed = None if user is None else settings.privacy.hash_of(options.tenant, user)
    if hashed is None:
        return report
    by_hash = replace(options, user_id=hashed)
    again = _forget(settings, replace(by_hash, dry_run=True), progress)
    if not any(place.entries for place in again.places):
        return report
    if not options.dry_run:
        again = _forget(settings, by_hash, progress)
    report.accounts += [name for name in again.accounts if name not in report.accounts]
    report.places += [
        replace(place, note=f"{place.note or 'found'} by the hash of the id")
        for place in again.places
        if place.fate == "pending" or (place.entries and place.fate != "yours")
    ]
    return report


def _forget(settings: Settings, options: ForgetOptions, progress: Callable[[int], None]) -> ErasureReport:
    follower = StateFollower(settings, options.tenant)
    subject = find_subject(
        follower.states, options.tenant, options.account_id, options.user_id, read_erasures(settings)
    )
    report = ErasureReport(
        options.tenant,
        options.account_id,
        options.user_id,
        options.dry_run,
        accounts=[*subject.account_ids, *subject.known_in],
    )
    until = dict.fromkeys(subject.account_ids, journal_time(settings))
    if not options.dry_run:
        report.erased_at, until = _erase_state(settings, options, subject, follower, report)
    else:
        report.places.append(_state_place(subject, follower, "removed"))
    with_open = list(_opened(settings, report))
    matcher = SubjectMatcher(subject, settings.kafka.topics(), registry(settings))
    for sink in with_open:
        _erase_from_sink(settings, options, subject, until, sink, report)
    hits = list(scan_topics(settings, matcher, now(), progress))
    _erase_from_topics(settings, options, subject, matcher, hits, with_open, report)
    for sink in with_open:
        sink.close()
    report.places += _elsewhere()
    return report


def _erase_state(
    settings: Settings,
    options: ForgetOptions,
    subject: ForgottenSubject,
    follower: StateFollower,
    report: ErasureReport,
) -> tuple[int, dict[str, int]]:
    """Write list and deletions and wait for the worker; return the time and up to when outputs are erased."""
    at = journal_time(settings)
    states = follower.states
    accounts = [name for name in subject.account_ids if name in states and not is_erased(states[name])]
    place = _state_place(subject, follower, "removed")
    add_to_list(settings, subject, at, {}, at)
    author, reason = options.author, options.reason
    if accounts:
        write_deletions(settings, subject.tenant, accounts, reason=reason, author=author, at=at)
    if subject.person is not None:
        write_deletions(
            settings, subject.tenant, [OWNERS, *subject.known_in],
            reason=reason, author=author, at=at, person=subject.person,
        )  # fmt: skip
    deadline = time.monotonic() + options.seconds
    while not (done := follower.erased(subject, accounts)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        follower.read()
    if not done:
        place = Place(place.where, place.entries, "pending", note="journal and worker must run")
    report.places.append(place)
    until = _ended_at(settings, subject, at)
    add_to_list(settings, subject, at, until, journal_time(settings))
    return at, until


def _state_place(subject: ForgottenSubject, follower: StateFollower, fate: Any) -> Place:
    states = [follower.states[name] for name in subject.account_ids if name in follower.states]
    known = [state for state in states if not is_erased(state)]
    note = ""
    if subject.person is None:
        note = f"only the time of the deletion stays, for {RING_DAYS + 1} days"
    return Place("state", len(known) + len(subject.known_in), fate, note=note)


def _ended_at(settings: Settings, subject: ForgottenSubject, at: int) -> dict[str, int]:
    """Return the journal time of each account's newest record that ended it, *at* where there is none."""
    kafka, health = settings.kafka, codec("account.health", registry(settings))
    topics = kafka.topics()
    keys = {account_key(subject.tenant, name): name for name in subject.account_ids if not is_alias(name)}
    ended = dict.fromkeys(subject.account_ids, at)
    parts = sorted({partition_of(key, topics.partitions) for key in keys})
    starts = [TopicPartition(topics.name("account.health"), number, 0) for number in parts]

    def read() -> None:
        for record in read_to_end(kafka.connection(), starts):
            name = keys.get(record.key or b"")
            if name is not None and record.value is not None:
                last = health.decode(record.value)
                if last.deleted:
                    ended[name] = max(ended[name], last.as_of)

    retry_while_leaderless(kafka.connection(), read)
    return ended


def _opened(settings: Settings, report: ErasureReport) -> Iterator[Sink]:
    """Yield every sink, open; note those that can't be asked."""
    for sink in sinks(settings):
        if not isinstance(sink, Erasable):
            note = "it can't erase by itself: remove what it was given there"
            report.places.append(Place(_place(sink), 0, "yours", note=note))
            continue
        try:
            sink.open()
        except (SinkError, SinkSettingsError) as error:
            report.places.append(Place(_place(sink), 0, "pending", note=str(error)))
            sink.close()
        else:
            yield sink


def _erase_from_sink(
    settings: Settings,
    options: ForgetOptions,
    subject: ForgottenSubject,
    until: dict[str, int],
    sink: Sink,
    report: ErasureReport,
) -> None:
    assert isinstance(sink, Erasable)
    note = ""
    if not options.dry_run and not await_delivery(settings, sink, options.seconds):
        note = "delivery is behind"
    texts = subject.texts
    subjects = [
        Subject(subject.tenant, name, (name, *subject.names), until[name]) for name in subject.account_ids
    ]
    if subject.user_id is not None:
        subjects.append(Subject(subject.tenant, None, texts, 0))
    found: dict[str, int] = {}
    try:
        for each in subjects:
            for what, count in sink.erase(each, dry_run=options.dry_run).items():
                found[what] = found.get(what, 0) + count
    except (SinkError, SinkSettingsError) as error:
        report.places.append(Place(_place(sink), sum(found.values()), "pending", note=str(error)))
        return
    if not found:  # a channel that keeps nothing here: what it sent is with people
        report.places.append(Place(_place(sink), 0, "yours", note="what was sent is with those who got it"))
        return
    counts = ", ".join(f"{count:,} {what}" for what, count in found.items() if count)
    note = note or counts
    fate: Any = "pending" if note == "delivery is behind" else "removed"
    if isinstance(sink, Retaining) and fate == "removed" and sum(found.values()):
        place = Place(_place(sink), sum(found.values()), "remains", sink.retained_until(), counts)
    else:
        place = Place(_place(sink), sum(found.values()), fate, note=note)
    report.places.append(place)


def _erase_from_topics(
    settings: Settings,
    options: ForgetOptions,
    subject: ForgottenSubject,
    matcher: SubjectMatcher,
    hits: Sequence[TopicHits],
    opened: Sequence[Sink],
    report: ErasureReport,
) -> None:
    stub_until = (max(0, report.erased_at) // DAY + RING_DAYS + 1) * DAY
    if options.dry_run:
        stub_until = (journal_time(settings) // DAY + RING_DAYS + 1) * DAY
    changelog = settings.kafka.topics().plain(settings.kafka.topics().changelog)
    refused: dict[str, str] = {}
    cut = [found for found in hits if found.topic in CUT_TOPICS] if options.cut else []
    if cut and not options.dry_run:
        refused = cut_logs(settings, cut, opened, options.seconds)
    for found in hits:
        if found.topic in {each.topic for each in cut}:
            place = Place(found.topic, found.records, "removed", note="the log is cut after it")
            if found.topic in refused:
                place = Place(found.topic, found.records, "pending", found.until, refused[found.topic])
        elif found.topic in ("events.deadletter", RAW_TOPIC):
            if not options.dry_run:
                rewrite_topic(settings, found, matcher)
            place = Place(found.topic, found.records, "rewritten")
        elif found.topic == "alert.deliveries":
            if not options.dry_run:
                write_tombstones(settings, found)
            place = Place(found.topic, found.records, "remains", found.until, "until it is compacted")
        elif found.topic in (*_COMPACTED_STUBS, changelog):
            until = found.until
            note = "until it is compacted"
            if subject.account_ids and until is not None:
                until, note = max(until, stub_until), "the content until it is compacted, the id until then"
            place = Place(found.topic, found.records, "remains", until, note)
        else:
            note = "" if found.topic not in CUT_TOPICS else "--cut-history removes it now"
            place = Place(found.topic, found.records, "remains", found.until, note)
        report.places.append(place)


def _elsewhere() -> Iterator[Place]:
    yield Place(
        "logs of the roles", 0, "yours", note="they name accounts where an event was refused; rotate them"
    )
    yield Place("backups, your readers of the topics", 0, "yours")


def _place(sink: Sink) -> str:
    return f"sink {sink.name}"
