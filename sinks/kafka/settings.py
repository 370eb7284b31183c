"""Settings of the Kafka sink."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr

from sinks.port import Sink
from sinks.settings import SinkSettings

__all__ = ["KafkaTargetSettings"]


class KafkaTargetSettings(SinkSettings):
    """Settings of the Kafka sink: the other cluster, its topics, and the form of the records there."""

    bootstrap: str = Field(description="Brokers of the cluster to write to, `host:port` with commas between.")
    topic_prefix: str = Field(
        default="", description="First part of the topics there, before `account.health` and so on."
    )
    format: Literal["json", "avro"] = Field(
        default="json",
        description="Form of the values: JSON objects, or Avro in Confluent's framing with the ids of "
        "`schemas/avro/registry.json`.",
    )
    client: dict[str, SecretStr] = Field(
        default={}, description="Further settings of librdkafka, such as `security.protocol`, by their names."
    )
    timeout_seconds: float = Field(
        default=10.0, gt=0, le=20, description="Longest time until every replica in sync has a record."
    )

    def sink(self) -> Sink:
        """Return the sink, not yet open."""
        from sinks.kafka.sink import KafkaSink  # noqa: PLC0415 - brings the client

        return KafkaSink(self)
