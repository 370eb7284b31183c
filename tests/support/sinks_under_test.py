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
from tests.support import kafka_target, postgres_server
from tests.support.output_records import alert, health
from tests.support.servers import ask

WRITING = Path(__file__).parents[2] / "docs" / "sinks" / "writing.md"


@dataclass
class SinkUnderTest:
    """
    A destination and the sinks that write to it.

    ``sink`` returns a further sink of the destination. ``content`` is all that the destination holds, without
    what depends on its clock. ``away`` makes it unreachable for a while, and ``rejected`` is a record that it
    never takes (``REMOTE`` sinks have both).
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

    yield SinkUnderTest(settings.sink, content)


def kafka(_: Path) -> Iterator[SinkUnderTest]:
    """Yield topics of the run's one broker; what they hold are the records, a repetition not counted."""
    settings = kafka_target.created(Connection(ask()["bootstrap"]))
    yield SinkUnderTest(settings.sink, lambda: sorted(set(kafka_target.values(settings))))


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

    yield SinkUnderTest(settings.sink, content)


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

    yield SinkUnderTest(settings.sink, content)
    reader.command(f"DROP DATABASE IF EXISTS {settings.database}")
    reader.close()


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

SINKS = [memory, _REDIS, _POSTGRES, lake, iceberg, clickhouse, _KAFKA, documented]
"""Every sink; a new one is a function above and a line here."""

KEYED = [memory, _REDIS, _POSTGRES, lake, iceberg, clickhouse, _KAFKA, documented]
"""Those that keep the newest record of a key. Channels have a suite of their own."""

ERASABLE = [_REDIS, _POSTGRES, lake, iceberg, clickhouse]
"""Those that rewrite what they keep at an erasure. Logs of Kafka end it by themselves: test_kafka.py."""

RECONCILABLE = [_REDIS, _POSTGRES]
"""Those whose content can be compared with Kafka, entry by entry."""

REMOTE = [_REDIS, _POSTGRES, documented]
"""Those whose destination can be away, and can refuse a record for good."""
