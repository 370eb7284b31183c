"""Sinks with what the conformance suite needs of each: its content, its faults, a record it can't take."""

from __future__ import annotations

import json
import re
import sqlite3
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
import redis
from pyarrow import parquet
from pydantic import SecretStr
from pyiceberg.catalog.sql import SqlCatalog

from bellbuoy.local.embedded import Redis
from schemas.connection import Connection
from sinks.clickhouse.settings import ClickHouseSettings
from sinks.columns import TABLES
from sinks.iceberg.settings import IcebergSettings
from sinks.lake.settings import LakeSettings
from sinks.memory import MemorySink
from sinks.port import Output, Sink
from sinks.redis.settings import RedisSettings
from sinks.writeback.settings import WritebackSettings
from tests.support import kafka_target, postgres_server
from tests.support.crm_servers import CrmServer, hubspot
from tests.support.http_receiver import answer, take
from tests.support.output_records import alert, health
from tests.support.servers import ask

MAPPINGS = Path(__file__).parents[2] / "docs" / "writeback"
WRITING = Path(__file__).parents[2] / "docs" / "sinks" / "writing.md"


@dataclass
class SinkUnderTest:
    """
    A destination and the sinks that write to it.

    ``sink`` returns a further sink of the destination. ``content`` is all that the destination holds, without
    what depends on its clock. ``away`` makes it unreachable for a while (``REMOTE``), and ``rejected`` is a
    record that it never takes (``REFUSING``).
    """

    sink: Callable[[], Sink]
    content: Callable[[], Any]
    away: Callable[[], AbstractContextManager[None]] | None = None
    rejected: Output | None = None


def memory(_: Path) -> Iterator[SinkUnderTest]:
    sink = MemorySink()

    def content() -> Any:
        ids = [f"a{n}" for n in range(6)]
        return (
            sorted(map(repr, sink.accounts("demo"))),
            [sink.account("demo", each) for each in ids],
            [sink.kpis("demo", each) for each in ids],
            [sink.alert(f"al{n}") for n in range(3)],
            sink.open_alerts("demo", 9),
        )

    yield SinkUnderTest(lambda: sink, content)


def redis_sink(folder: Path) -> Iterator[SinkUnderTest]:
    server = Redis(folder)
    server.start()
    settings = RedisSettings(url=server.url)
    client: Any = redis.Redis.from_url(settings.url, decode_responses=True)
    read = {  # streams apart: their ids follow the clock
        "hash": client.hgetall,
        "set": client.smembers,
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": lambda _: None,
    }

    def content() -> Any:
        keys = [
            key for key in client.scan_iter() if key != "bb:positions"
        ]  # how far it came, not what it has
        return {key: read[client.type(key)](key) for key in keys}

    @contextmanager
    def away() -> Iterator[None]:
        nonlocal server
        server.stop()
        yield
        server = Redis(folder, port=server.port)
        server.start()

    try:
        yield SinkUnderTest(settings.sink, content, away, health("bad", score=float("nan")))
    finally:
        client.close()
        server.stop()


def postgres(_: Path) -> Iterator[SinkUnderTest]:
    settings = postgres_server.migrated()
    yield SinkUnderTest(
        settings.sink,
        lambda: postgres_server.content(settings),
        lambda: postgres_server.away(settings.url),
        health("bad", name="a\0b"),
    )


def lake(folder: Path) -> Iterator[SinkUnderTest]:
    settings = LakeSettings(path=folder / "lake", file_seconds=0.3)

    def content() -> Any:
        return {
            kind: sorted(
                {
                    json.dumps(row, default=str)
                    for file in (folder / "lake" / kind).glob("day=*/*.parquet")
                    for row in parquet.read_table(file).to_pylist()
                }
            )
            for kind in TABLES.values()
        }

    yield SinkUnderTest(
        settings.sink, content, lambda: _in_the_way(folder / "lake"), health("bad", sequence=2**63)
    )


@contextmanager
def _in_the_way(place: Path) -> Iterator[None]:
    """Let a file stand where a folder was."""
    aside = place.with_name(f"{place.name}.aside")
    place.rename(aside)
    place.write_text("")
    yield
    place.unlink()
    aside.rename(place)


def kafka(_: Path) -> Iterator[SinkUnderTest]:
    """Yield topics of the run's one broker; what they hold are the records, a repetition not counted."""
    settings = kafka_target.created(Connection(ask()["bootstrap"]))
    yield SinkUnderTest(
        settings.sink,
        lambda: sorted(set(kafka_target.values(settings))),
        rejected=health("bad", score=float("nan")),
    )


def iceberg(folder: Path) -> Iterator[SinkUnderTest]:
    settings = IcebergSettings(
        catalog=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/tables", file_seconds=0.3
    )

    def content() -> Any:
        catalog = SqlCatalog("bellbuoy", uri=settings.catalog, warehouse=settings.warehouse)
        return {
            name: sorted(
                {
                    json.dumps(row, default=str)
                    for row in catalog.load_table(f"bellbuoy.{name}").scan().to_arrow().to_pylist()
                }
            )
            for name in TABLES.values()
        }

    yield SinkUnderTest(
        settings.sink, content, lambda: _in_the_way(folder / "tables"), health("bad", sequence=2**63)
    )


def clickhouse(_: Path) -> Iterator[SinkUnderTest]:
    """Yield a database of the process's one ClickHouse, which runs inside it (chdb)."""
    settings = ClickHouseSettings(url="chdb://memory", database=f"t{uuid.uuid4().hex[:10]}")
    reader = clickhouse_connect.get_client(dsn="chdb://memory")

    def content() -> Any:
        return {
            name: sorted(
                map(repr, reader.query(f"SELECT * FROM {settings.database}.{name} FINAL").result_rows)
            )
            for name in TABLES.values()
        }

    yield SinkUnderTest(settings.sink, content, rejected=health("bad", sequence=2**63))
    reader.command(f"DROP DATABASE IF EXISTS {settings.database}")
    reader.close()


def writeback(folder: Path) -> Iterator[SinkUnderTest]:
    """Yield a CRM that answers as HubSpot does; what it holds are the newest properties of each company."""
    held: dict[str, Any] = {}

    def taken(body: Any) -> tuple[int, Any]:
        status, content = hubspot(body)
        held.update({one["id"]: one["properties"] for one in content["results"]})
        return status, content

    mapping = folder / "mapping.yaml"
    mapping.write_text((MAPPINGS / "hubspot.yaml").read_text().replace("second: 10", "second: 1000"))
    with CrmServer(taken) as crm:
        settings = WritebackSettings(
            mapping=mapping, secret=SecretStr("t0ken"), url=crm.base, gather_seconds=0.1
        )

        @contextmanager
        def away() -> Iterator[None]:
            crm.otherwise = answer(503)
            yield
            crm.otherwise = take

        def sink() -> Any:
            made: Any = settings.sink_named("writeback_crm")
            made.gather_records = 3  # else a story of six accounts is one write
            return made

        yield SinkUnderTest(sink, lambda: dict(held), away, health("never"))


def documented_module() -> Any:
    """Return the sink of docs/sinks/writing.md, as it stands there, as a module."""
    (code,) = re.findall(r"```python\n(.*?)```", WRITING.read_text(), re.DOTALL)
    module = types.ModuleType("documented_sink")
    sys.modules[module.__name__] = module
    exec(compile(code, str(WRITING), "exec"), module.__dict__)
    return module


def documented(folder: Path) -> Iterator[SinkUnderTest]:
    path = folder / "alerts.db"

    def content() -> Any:
        with sqlite3.connect(path) as reader:
            return sorted(reader.execute("SELECT * FROM alert"))

    @contextmanager
    def away() -> Iterator[None]:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")
        other.close()

    yield SinkUnderTest(
        documented_module().SqliteSettings(path=path).sink, content, away, alert("bad", sequence=2**63)
    )


_REDIS = pytest.param(redis_sink, marks=pytest.mark.services)

_POSTGRES = pytest.param(postgres, marks=pytest.mark.services)

_KAFKA = pytest.param(kafka, marks=pytest.mark.services)

SINKS = [memory, _REDIS, _POSTGRES, lake, iceberg, clickhouse, _KAFKA, writeback, documented]
"""Every sink; a new one is a function above and a line here."""

REFUSING = [_REDIS, _POSTGRES, lake, iceberg, clickhouse, _KAFKA, writeback, documented]
"""Those that can refuse a record for good. Channels have a suite of their own."""

FILLED_AGAIN = [_REDIS, _POSTGRES, lake, iceberg]
"""Those that keep their positions, so that they are filled again once they are cleared."""

ERASABLE = [_REDIS, _POSTGRES, lake, iceberg, clickhouse]
"""Those that rewrite what they keep at an erasure. Logs of Kafka end it by themselves: test_kafka.py."""

RECONCILABLE = [_REDIS, _POSTGRES, lake, iceberg, clickhouse]
"""Those whose content can be compared with Kafka, entry by entry."""

REMOTE = [_REDIS, _POSTGRES, lake, iceberg, writeback, documented]
"""Those whose destination the suite can take away. Of ClickHouse and Kafka their own tests do it."""
