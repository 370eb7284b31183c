"""An account and a person are erased in a running deployment: a scan of all that keeps anything says so."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
import redis
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from pyarrow import parquet

from bellbuoy.operations.delivery.sinks import sinks
from bellbuoy.operations.kafka.ledger import read_positions
from bellbuoy.settings import load
from schemas.connection import Connection
from schemas.inputs import INPUT_TOPICS
from schemas.records import AccountProfile, BillingEvent, SurveyResponse
from schemas.times import DAY, iso
from sinks.columns import TABLES
from sinks.redis.reader import RedisReader
from tests.support import kafka_target
from tests.support.changelog import read_topic
from tests.support.delivery import committed_offsets, delivering
from tests.support.deployment import Deployment, deployed
from tests.support.fold_partitions import link
from tests.support.input_producer import usage
from tests.support.postgres_server import content, migrated
from tests.support.topic_settings import alter
from tests.support.waiting import until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(900)]

START = 20_600 * DAY + 32_400_000
KIM, OWNER = "kim@amber.example", "ann@vendor.example"
REWRITTEN = ("redis", "postgres", "lake", "iceberg", "clickhouse", "inbox")
"""Places of which nothing is left at once."""
NAMES = ("amber", "Amber Foods", KIM)
"""What names the account and its person, wherever it stands."""


class Kept:
    """Everything that keeps something of a customer in one deployment with every kind of sink."""

    def __init__(
        self, deployment: Deployment, folder: Path, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        self.deployment, self.folder = deployment, folder
        self.prefix, self.postgres = f"t{uuid.uuid4().hex[:8]}", migrated()
        self.client = redis.Redis.from_url(url)
        self.target, self.database = kafka_target.created(deployment.bootstrap), self.prefix
        inbox = {"inbox": {"type": "inbox", "folder": str(folder / "inbox")}}
        for name, value in {
            "BELLBUOY_KAFKA__BOOTSTRAP": str(deployment.bootstrap),
            "BELLBUOY_KAFKA__TOPIC_PREFIX": deployment.topics.prefix,
            "BELLBUOY_KAFKA__PARTITIONS": str(deployment.topics.partitions),
            "BELLBUOY_REDIS__URL": url,
            "BELLBUOY_REDIS__PREFIX": self.prefix,
            "BELLBUOY_POSTGRES__URL": self.postgres.url,
            "BELLBUOY_POSTGRES__SCHEMA_NAME": self.postgres.schema_name,
            "BELLBUOY_LAKE__PATH": str(folder / "lake"),
            "BELLBUOY_LAKE__FILE_SECONDS": "0.5",
            "BELLBUOY_ICEBERG__CATALOG": f"sqlite:///{folder}/catalog.db",
            "BELLBUOY_ICEBERG__WAREHOUSE": f"file://{folder}/iceberg",
            "BELLBUOY_ICEBERG__FILE_SECONDS": "0.5",
            "BELLBUOY_CLICKHOUSE__URL": "chdb://memory",
            "BELLBUOY_CLICKHOUSE__DATABASE": self.database,
            "BELLBUOY_KAFKA_TARGET__BOOTSTRAP": self.target.bootstrap,
            "BELLBUOY_KAFKA_TARGET__TOPIC_PREFIX": self.target.topic_prefix,
            "BELLBUOY_NOTIFY__CHANNELS": json.dumps(inbox),
        }.items():
            monkeypatch.setenv(name, value)
        self.settings = load()

    @contextmanager
    def delivered(self) -> Iterator[None]:
        """Run delivery from before the first output: a channel begins at the end of its topics."""
        bootstrap, topics, targets = (
            self.settings.kafka.connection(),
            self.deployment.topics,
            sinks(self.settings),
        )
        with delivering(bootstrap, topics, *targets):
            for sink in targets:
                until(
                    lambda sink=sink: all(
                        at >= 0 for at, _ in committed_offsets(bootstrap, topics, sink).values()
                    ),
                    what=f"the start of {sink.name}",
                )
            yield

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield each place with all that it holds, as text."""
        topics = self.deployment.topics
        for spec in topics.specs():
            messages = read_topic(self.deployment.bootstrap, spec.name, topics.partitions)
            parts = [part for m in messages for part in (m.key(), m.value(), repr(m.headers()).encode())]
            yield (
                topics.plain(spec.name),
                b"\n".join(part or b"" for part in parts).decode("utf-8", "replace"),
            )
        yield "redis", "\n".join(self._redis())
        yield "postgres", repr(content(self.postgres))
        for place in ("lake", "iceberg"):
            yield place, "\n".join(self._parquet(self.folder / place))
        yield "clickhouse", "\n".join(self._clickhouse())
        yield "kafka_target", repr(kafka_target.records(self.target))
        yield "inbox", "\n".join(f.read_text() for f in (self.folder / "inbox").glob("*"))
        yield "logs", "\n".join(f.read_text() for f in (self.folder / "roles").glob("*.log"))

    def with_names(self, *names: str) -> set[str]:
        """Return the places in which one of these names stands."""
        return {place for place, text in self.places() if any(name in text for name in names)}

    def _parquet(self, folder: Path) -> Iterator[str]:
        for file in folder.rglob("*.parquet"):
            with suppress(pa.ArrowInvalid, FileNotFoundError):  # it is just being written, or replaced
                yield repr(parquet.read_table(file, partitioning=None).to_pylist())

    def _clickhouse(self) -> Iterator[str]:
        with clickhouse_connect.get_client(dsn="chdb://memory") as client:
            for table in TABLES.values():
                yield repr(client.query(f"SELECT * FROM {self.database}.{table}").result_rows)

    def _redis(self) -> Iterator[str]:
        for key in self.client.scan_iter(f"{self.prefix}:*"):
            yield key.decode()
            match self.client.type(key):
                case b"hash":
                    yield repr(self.client.hgetall(key))
                case b"stream":
                    yield repr(self.client.xrange(key))
                case b"zset":
                    yield repr(self.client.zrange(key, 0, -1))
                case b"set":
                    yield repr(self.client.smembers(key))


@pytest.fixture
def kept(
    bootstrap: Connection, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kept]:
    with deployed(bootstrap, tmp_path) as deployment:
        yield Kept(deployment, tmp_path, monkeypatch, redis_url)


def of(account_id: str, at: int, name: str) -> dict[str, Any]:
    about = {"tenant": "acme", "source": "test", "received_at": at}
    return about | {"event_id": name, "account_id": account_id, "occurred_at": at}


def send(deployment: Deployment, topic: str, *events: Any) -> None:
    """Send events and wait until they are read."""
    expected = deployment.ended() + len(events)
    deployment.producer.send(topic, events)
    until(lambda: deployment.ended() >= expected, what=f"the events of {topic}")


def known(deployment: Deployment) -> None:
    """Let two accounts be known, one of them with a person, an owner, an alert, and a dead letter."""
    amber = AccountProfile(**of("amber", START - 9, "p"), name="Amber Foods", owner=OWNER)
    other = AccountProfile(**of("other", START - 9, "o"), name="Other", owner=OWNER)
    send(deployment, "account.profiles", amber, other)
    failed = [
        BillingEvent(**of(name, START - 9, f"b{name}"), kind="payment_failed", invoice_id="in", attempts=4)
        for name in ("amber", "other")
    ]
    send(deployment, "billing.events", *failed)
    send(
        deployment,
        "usage.events",
        *(usage(n, f"~user:{KIM}", START - n * DAY, user_id=KIM) for n in range(1, 5)),
    )
    send(deployment, "usage.events", *(usage(50 + n, "other", START - n * DAY) for n in range(1, 5)))
    send(deployment, "account.links", link(f"~user:{KIM}", "amber", START - 5))
    said = {"survey_id": "q", "kind": "nps", "score": 3, "comment": f"{KIM} is not amused"}
    send(
        deployment,
        "survey.responses",
        SurveyResponse(**of("amber", START - 4, "s"), user_id=KIM, **said),
        SurveyResponse(**of("other", START - 4, "t"), user_id="bob", survey_id="q", kind="nps", score=9),
        SurveyResponse(**of("amber", START - 400 * DAY, "old"), user_id=KIM, **said),
        SurveyResponse(**of("other", START - 400 * DAY, "old2"), survey_id="q", kind="nps", score=9),
    )


def states(deployment: Deployment) -> dict[bytes, bytes]:
    """Return the bytes of every account's state."""
    messages = read_topic(deployment.bootstrap, deployment.topics.changelog, deployment.topics.partitions)
    newest = {m.key(): m.value() for m in messages}
    return {key: value for key, value in newest.items() if value and not key.startswith(b"\0")}


def test_a_scan_finds_nothing_of_an_erased_account(kept: Kept) -> None:
    deployment = kept.deployment
    deployment.tick(START)
    with kept.delivered():
        known(deployment)
        deployment.tick(START + 120_000)  # KPIs are published within a minute
        with closing(RedisReader(kept.settings.redis)) as reader:
            until(lambda: reader.kpis("acme", "amber"), what="the KPIs in Redis")
        for place in (*REWRITTEN, "kafka_target"):
            until(lambda where=place: where in kept.with_names(*NAMES), what=f"the account in {place}")
        command = ["forget", "--account", "amber", "--tenant", "acme"]

        before = states(deployment)
        planned = deployment.cli(*command, "--dry-run")
        assert (planned["dry_run"], planned["erased_at"]) == (True, None)
        assert planned["accounts"] == ["amber", f"~user:{KIM}"]
        found = {place["where"]: place["entries"] for place in planned["places"]}
        assert min(found[name] for name in ("state", "sink kafka_target")) > 0
        assert min(found[f"sink {name}"] for name in REWRITTEN if name != "inbox") > 0
        assert found["events.deadletter"] == 1
        assert found["sink notify-inbox"] > 0
        assert states(deployment) == before

        done = deployment.cli(*command, "--yes", "--reason", "asked for")
        assert done["done"]
        assert {p["where"]: p["entries"] for p in done["places"]}.keys() >= found.keys()
        assert kept.with_names(*NAMES).isdisjoint({*REWRITTEN, "events.deadletter"})
        (there,) = [place for place in done["places"] if place["where"] == "sink kafka_target"]
        assert (there["fate"], there["until"] > 0) == ("remains", True)
        assert [letter.tenant for letter in deployment.letters()] == ["acme"]  # the other account's

        # What comes again or late is dropped and counted, and wakes nothing.
        again = SurveyResponse(
            **of("amber", START - 4, "late"), user_id=KIM, survey_id="q", kind="nps", score=1, comment="late"
        )
        send(deployment, "survey.responses", again)
        send(deployment, "usage.events", usage(77, f"~user:{KIM}", START - DAY), usage(78, "amber", START))
        assert sum(p.erased for p in read_positions(deployment.bootstrap, deployment.topics).values()) == 3
        then = str(START + 60_000)
        assert deployment.cli("explain", "amber", "--tenant", "acme", "--at", "2026-05-27") == {
            "tenant": "acme", "account_id": "amber", "erased_at": done["erased_at"],
        }, then  # fmt: skip
        replayed = deployment.cli("replay", "--from", "2026-01-01")
        assert (replayed["same_as_live"], replayed["erased"]["accounts"]) == (True, 2)
        assert states(deployment)[b"acme:other"] == before[b"acme:other"]

        # The rest: logs are cut on demand, inputs end with their retention, keys after the days of admission.
        deployment.tick(START + 240_000)
        assert deployment.cli(*command, "--yes", "--cut-history")["done"]
        assert kept.with_names(*NAMES).isdisjoint({"account.journal", "risk.alerts", "alert.notifications"})
        deployment.tick(START + 93 * DAY)
        expire_inputs(kept)
        until(Compaction(kept, *NAMES).leaves_nothing, what="the end of all that remained", seconds=180)
    assert b"acme:other" in states(deployment)


def test_a_person_is_erased_and_the_account_goes_on(kept: Kept) -> None:
    deployment = kept.deployment
    deployment.tick(START)
    with kept.delivered():
        known(deployment)
        deployment.tick(START + 120_000)
        for place in REWRITTEN[:-1]:
            until(lambda where=place: where in kept.with_names(OWNER), what=f"the owner in {place}")
        before = states(deployment)
        done = deployment.cli("forget", "--user", KIM, "--tenant", "acme", "--yes")
        assert (done["done"], done["accounts"]) == (True, [f"~user:{KIM}", "amber"])
        after = states(deployment)
        assert after[b"acme:other"] == before[b"acme:other"]
        assert KIM.encode() not in after[b"acme:amber"]
        assert b"Amber Foods" in after[b"acme:amber"]

        owner = deployment.cli("forget", "--user", OWNER, "--tenant", "acme", "--yes")
        assert owner["done"]
        assert {"amber", "other"} <= set(owner["accounts"])
        assert OWNER.encode() not in b"".join(states(deployment).values())
        assert kept.with_names(KIM, OWNER).isdisjoint({*REWRITTEN, "events.deadletter"})
        assert {"postgres", "lake", "iceberg", "clickhouse"} <= kept.with_names("Amber Foods")
        again = AccountProfile(**of("amber", START - 9, "again"), segment="smb", owner=OWNER)
        send(deployment, "account.profiles", again)
        assert deployment.states()[b"acme:amber"]["profile"]["segment"][1] == "smb"
        assert "owner" not in deployment.states()[b"acme:amber"]["profile"]
        assert deployment.cli("replay", "--from", "2026-01-01")["same_as_live"]
        assert deployment.cli("explain", "amber", "--tenant", "acme", "--at", iso(START + 120_000))["name"]

        # The rest: logs are cut on demand, inputs end with their retention, older states are compacted.
        deployment.tick(START + 240_000)
        for person in (KIM, OWNER):
            assert deployment.cli("forget", "--user", person, "--tenant", "acme", "--yes", "--cut-history")[
                "done"
            ]
        deployment.tick(START + 93 * DAY)
        expire_inputs(kept)
        until(Compaction(kept, KIM, OWNER).leaves_nothing, what="the end of all that remained", seconds=180)
        assert "Amber Foods" in repr(deployment.states()[b"acme:amber"])


def expire_inputs(kept: Kept) -> None:
    """Do what Kafka does once the retention of the inputs, and of the topics of another cluster, is over."""
    deployment = kept.deployment
    admin = AdminClient(deployment.bootstrap.librdkafka())
    ends = [
        TopicPartition(deployment.topics.name(topic), number, OFFSET_END)
        for topic in INPUT_TOPICS
        for number in range(deployment.topics.partitions)
    ]
    ends += [
        TopicPartition(kept.target.topic_prefix + topic, number, OFFSET_END)
        for topic in kafka_target.TOPICS
        for number in range(2)
    ]
    for future in admin.delete_records(ends).values():
        future.result(30)


class Compaction:
    """Compaction at once, of what Kafka compacts within an hour."""

    def __init__(self, kept: Kept, *names: str) -> None:
        self._kept, self._names, self._round, deployment = kept, names, 0, kept.deployment
        topics = deployment.topics
        compacted = ("account.health", "account.kpis", "alert.deliveries")
        for name in (topics.changelog, *map(topics.name, compacted)):
            alter(
                deployment.bootstrap, name,
                segment_ms="100", max_compaction_lag_ms="100", delete_retention_ms="0",
                min_cleanable_dirty_ratio="0.001",
            )  # fmt: skip

    def leaves_nothing(self) -> bool:
        """Let something follow what is to be compacted, and return whether the names stand nowhere."""
        self._round += 1
        deployment, at = self._kept.deployment, START + 94 * DAY + 120_000 * self._round
        deployment.tick(at)
        events = [usage(1000 * self._round + n, f"x{n}", at - n) for n in range(8)]
        send(deployment, "usage.events", *events)
        return not self._kept.with_names(*self._names)
