"""
Jar sets of the engines in Java; ``python -m bench.jars`` writes their locks.

Review the difference before committing it.
"""

from __future__ import annotations

from pathlib import Path

from bellbuoy.local.embedded.jars import JarSet
from bellbuoy.local.embedded.lock import resolved, write

__all__ = ["FLINK", "KAFKA_STREAMS", "main"]

_ENGINES = Path(__file__).parent / "engines"

KAFKA_STREAMS = JarSet(
    "Kafka Streams",
    "kafka-streams",
    _ENGINES / "kafka_streams" / "kafka_streams.lock.json",
)
"""Kafka Streams, Avro, and a compiler that runs on a JRE."""

FLINK = JarSet(
    "Flink's connectors",
    "flink-sql-connector-kafka",
    _ENGINES / "jobs" / "flink.lock.json",
)
"""Kafka and Confluent's Avro for Flink SQL; Flink itself comes with PyFlink."""


def main() -> None:
    """Resolve and fetch the jars, and write every lock."""
    write(
        KAFKA_STREAMS,
        resolved(
            "org.apache.kafka:kafka-streams:4.3.1+org.apache.avro:avro:1.12.2"
            "+org.eclipse.jdt:ecj:3.46.100+org.slf4j:slf4j-simple:1.7.36"
        ),
    )
    # Each jar contains its dependencies.
    write(
        FLINK,
        {
            ("org.apache.flink", "flink-sql-connector-kafka"): "4.0.1-2.0",
            ("org.apache.flink", "flink-sql-avro-confluent-registry"): "2.3.0",
        },
    )


if __name__ == "__main__":
    main()
