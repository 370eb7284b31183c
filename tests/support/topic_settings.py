"""Changes of a topic's settings, as an operator makes them with kafka-configs."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from schemas.connection import Connection


def alter(bootstrap: Connection, name: str, **settings: str) -> None:
    """Change settings of a topic, as an operator does with kafka-configs."""
    entries = [
        ConfigEntry(key.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
        for key, value in settings.items()
    ]
    change = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
    client = AdminClient(bootstrap.librdkafka())
    for future in client.incremental_alter_configs([change]).values():
        future.result(10)
