"""
A recorded input gives the same journal, changelog and outputs, byte for byte, in every build.

The digests were taken before the modules were moved into their rooms. They may change only with a change that
is meant to change bytes: then the new ones are printed by the failing test.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bellbuoy.simulator.world.company import SimulatedCompany
from bellbuoy.simulator.world.delivery import topic_of
from bellbuoy.simulator.world.delivery_reader import DeliveryReader
from bellbuoy.simulator.world.disorder import Disorder
from processors.fold.models_in_force import Models
from processors.fold.shared import Shared
from processors.intake.admission import Admission
from processors.model import load_model
from processors.rules import load_rules
from processors.state.position import encode_position
from schemas import records as r
from schemas.codec.journal_batch import JournalWriter
from schemas.codec.record_codec import RECORDS, codec
from schemas.codec.registry import committed
from schemas.identity.keys import account_key
from schemas.times import DAY
from schemas.topics import Topics
from streams.journal.sorting import EventSorter
from streams.kafka.record_batches import RawBatch, committed_batches
from tests.support.recorded_partition import STRICT, RecordedPartition

GOLDEN = Path(__file__).parents[2] / "data" / "golden"
MODEL, RULES = GOLDEN / "default_model.v2.yaml", GOLDEN / "default_rules.v1.yaml"
"""The default model and rules as they were when the digests were taken, so that these may change."""

START = 20_000 * DAY
STEP = DAY // 2
DAYS = 60
EXPECTED = {
    "journal": "dd2de7f4e42e0b8edd47610afa18917d6cc174a6ddbc5936352a3bec57602153",
    "dead letters": "0f0f1e853fb624bccb8c32270b7f1c2e51fa969d7d30509d83bb6dd4f411b7d9",
    "changelog": "00bd5179bedde7f803ac3a51b1fcd4c06344e4606e605618cbe7cd20996a8864",
    "account.health": "98cddb984906b808eeafab692f43844669310f9d420218627b3faaaaed1b245c",
    "account.kpis": "c6172018033139826a69bc9ae0774635d29e5aacd7a21170a0d42874db14a60d",
    "risk.alerts": "f6410fec282d180ff16a016c5ad65b3ba79eb1643ffe6002ee0850624a80dc97",
}


class Recording:
    """The input topics of one partition as a broker stores them; each record's time is its event's."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}
        self._codecs = {topic: codec(topic) for topic in RECORDS}

    def stored(self, events: list[Any]) -> Iterator[RawBatch]:
        by_topic: dict[str, list[Any]] = {}
        for event in events:
            by_topic.setdefault(_topic(event), []).append(event)
        for topic, given in by_topic.items():
            builder = DefaultRecordBatchBuilder(
                magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1,
                base_sequence=-1, batch_size=10**8,
            )  # fmt: skip
            for number, event in enumerate(given):
                key = account_key(event.tenant, event.account_id)
                value = self._codecs[topic].encode(event)
                builder.append(number, timestamp=START, key=key, value=value, headers=[])
            data = bytearray(builder.build())
            base = self._next.get(topic, 0)
            data[:8] = base.to_bytes(8, "big")
            batches, self._next[topic], _ = committed_batches(topic, 0, bytes(data), base, [])
            yield from batches


def _topic(event: Any) -> str:
    return next(topic for topic, record in RECORDS.items() if type(event) is record)


def _happened(feed: DeliveryReader, until: int) -> list[Any]:
    events = []
    for delivery in feed.until(until):
        event = msgspec.structs.replace(delivery.event, tenant="demo", received_at=delivery.at)
        if delivery.bad is not None:
            event = msgspec.structs.replace(event, account_id="")
        assert topic_of(event) == _topic(event)
        events.append(event)
    return events


def _by_people(number: int, now: int) -> list[Any]:
    """What no simulated vendor sends: acknowledgements, overrides, links and models."""
    basics = {"event_id": f"p{number}", "source": "test", "occurred_at": now - 1, "received_at": now - 1}
    one = basics | {"tenant": "demo", "author": "kim"}
    match number:
        case 40:
            return [
                r.AccountOverride(**one, account_id="x", target="score", value=70.0, reason="said"),
                r.UsageEvent(**basics, tenant="demo", account_id="~user:u", user_id="u", name="did"),
            ]
        case 42:
            return [
                r.AccountLink(**basics, tenant="demo", account_id="~user:u", into="x"),
                r.AccountLink(**basics, tenant="demo", account_id="x", into="y"),
            ]
        case 60:
            return [r.ModelChange(**one, account_id="*", text=STRICT)]
        case 64:
            return [r.ModelChange(**one, account_id="*", text=STRICT, role="beside", name="other")]
        case 80:
            return [r.ModelChange(**one, account_id="*")]
    return []


def _digests() -> dict[str, str]:
    company = SimulatedCompany(
        11, 25, START, Disorder(late=0.05, duplicate=0.02, bad=0.01, too_late=0.01), 0.4
    )
    feed, recording = DeliveryReader(company.deliveries()), Recording()
    rules = load_rules(RULES.read_text())
    partition = RecordedPartition(Shared(Models(load_model(MODEL.read_text()), rules=rules)))
    intake = EventSorter(Topics(partitions=1), 0, committed(), Admission(90 * DAY, 3_600_000), 100_000)
    writer, journal = JournalWriter(committed()), codec("account.journal")
    hashes = {name: sha256() for name in ("journal", "dead letters")}
    now = START
    for number in range(DAYS * DAY // STEP):
        now += STEP
        events = _happened(feed, now) + _by_people(number, now)
        sorted_ = intake.sort(list(recording.stored(events)), now)
        raw = writer.write(sorted_.batch(number, now, []), sorted_.usage.rolled_up().encode())
        hashes["journal"].update(raw)
        for letter in sorted_.dead_letters:
            hashes["dead letters"].update(codec("events.deadletter").encode(letter))
        partition.add(journal.decode(raw))
    hashes["changelog"] = sha256()
    for entries in (partition.states, partition.entries):
        for key, value in sorted(entries.items()):
            hashes["changelog"].update(key + value)
    hashes["changelog"].update(encode_position(partition.position))
    for topic, records in (
        ("account.health", partition.health),
        ("account.kpis", partition.kpis),
        ("risk.alerts", partition.alerts),
    ):
        assert records
        hashes[topic] = sha256(b"".join(map(codec(topic).encode, records)))
    assert partition.position.dead_letters
    assert partition.position.duplicates
    return {name: found.hexdigest() for name, found in hashes.items()}


def test_the_bytes_of_a_recorded_input() -> None:
    assert _digests() == EXPECTED
