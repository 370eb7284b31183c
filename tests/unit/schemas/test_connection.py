from __future__ import annotations

from schemas.connection import Connection


def test_the_text_of_a_connection_is_where_it_leads() -> None:
    connection = Connection("kafka-1:9092,kafka-2:9092")
    assert str(connection) == "kafka-1:9092,kafka-2:9092"
    assert connection.librdkafka()["bootstrap.servers"] == "kafka-1:9092,kafka-2:9092"
